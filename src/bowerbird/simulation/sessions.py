"""The simulated days: who comes, which slates they are shown, and what they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64

from bowerbird.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from bowerbird.randomness import generator
from bowerbird.simulation.advertising import PLACES, AdSales
from bowerbird.simulation.choice import (
    ActionProbabilities,
    action_probabilities,
    examination,
    fatigue,
    preference,
)
from bowerbird.simulation.journal import ACTIONS, SURFACES, Journal
from bowerbird.simulation.logging_policy import (
    Knowledge,
    SlateDraw,
    draw_slates,
    homefeed_weights,
    known_at_first,
    related_weights,
    search_weights,
)
from bowerbird.simulation.people import People, comes_probability
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.supply import Supply
from bowerbird.simulation.true_preference import Moment, TruePreference

__all__ = ["Days"]

_LONGEST_SESSION = 5
_DRAWS = 6  # uniform numbers per impression: open, hide, click, save, purchase, timing
_SLATE_GAP_S = (150.0, 500.0)


@dataclass(frozen=True)
class _Requests:
    """Slates asked for at the same round of a session: one surface, one row each."""

    surface: str
    users: Int64[np.ndarray, "slate"]
    at: Int64[np.ndarray, "slate"]
    weights: Float32[np.ndarray, "slate item"]
    query: Int64[np.ndarray, "slate"]


class Days:
    """Runs the world day by day and writes the log.

    The state is what the logging policy has learnt, how often each person saw each picture, the item each person
    opened last, and the advertisers' budgets. Sessions of one day are simulated in rounds: everybody's first slate, then
    everybody's second, so a round is a few array operations.
    """

    def __init__(
        self, settings: WorldSettings, people: People, supply: Supply, truth: TruePreference, sales: AdSales
    ) -> None:
        """Start with an empty log and a policy that knows nothing."""
        users, items = people.created_at.shape[0], supply.topic.shape[0]
        self.settings, self.people, self.supply, self.truth, self.sales = (
            settings,
            people,
            supply,
            truth,
            sales,
        )
        self.journal = Journal()
        self._knowledge: Knowledge = known_at_first(supply, users)
        self._titles = [title or "" for title in supply.items["title"].to_pylist()]
        self._exposures = np.zeros((users, items), dtype=np.float32)  # columns: original pictures
        self._opened_last = np.full(users, -1, dtype=np.int64)

    def run(self, start: int, states: Int8[np.ndarray, "user day"]) -> Journal:
        """Simulate every day from ``start`` and return the log."""
        for day in range(self.settings.days):
            self._day(day, start + day * DAY_US, states[:, day])
        return self.journal

    def _day(self, day: int, begins: int, states: Int8[np.ndarray, "user"]) -> None:
        settings = self.settings
        rng = generator(settings.seed, "day", day)
        self._knowledge.decay(0.5 ** (1.0 / settings.logging.half_life_days))
        self._exposures *= np.float32(0.5 ** (1.0 / settings.choice.fatigue_half_life_days))
        moment = self.truth.moment(begins)
        # an item is shown from the midnight after it arrived
        here = (self.supply.created_at < begins) & (self.supply.campaign < 0)
        if not here.any():
            return
        users = np.flatnonzero(rng.random(states.shape[0]) < comes_probability(states, settings.activity))
        length = np.minimum(rng.geometric(0.5, size=users.shape[0]), _LONGEST_SESSION)
        at = _session_starts(rng, begins, self.people.created_at[users])
        feeds: list[tuple[np.ndarray, np.ndarray]] = []
        for round_number in range(_LONGEST_SESSION):
            staying = length > round_number
            users, at, length = users[staying], at[staying], length[staying]
            if not users.shape[0]:
                break
            for requests in self._requests(rng, users, at, here, moment):
                self._show(rng, requests, moment)
                if requests.surface == "homefeed":
                    feeds.append((requests.users, requests.at))
            at = at + (rng.uniform(*_SLATE_GAP_S, size=users.shape[0]) * SECOND_US).astype(np.int64)
        if feeds:
            self._advertise(rng, feeds, moment)

    def _requests(
        self,
        rng: np.random.Generator,
        users: Int64[np.ndarray, "user"],
        at: Int64[np.ndarray, "user"],
        here: Bool[np.ndarray, "item"],
        moment: Moment,
    ) -> list[_Requests]:
        """Everybody's next request, grouped by surface, with the policy's weights."""
        policy, supply, known = self.settings.logging, self.supply, self._knowledge
        drawn = rng.random(users.shape[0])
        edges = np.cumsum([policy.search, policy.related, policy.shopping])
        anchors = self._opened_last[users]
        products = here & (supply.affordable > 0)
        search = drawn < edges[0]
        related = (drawn >= edges[0]) & (drawn < edges[1]) & (anchors >= 0)
        shopping = (drawn >= edges[1]) & (drawn < edges[2]) & bool(products.any())
        feed = ~(search | related | shopping)
        made: list[_Requests] = []

        def ask(surface: str, mask: np.ndarray, table: np.ndarray, query: np.ndarray | None = None) -> None:
            none = np.full(int(mask.sum()), -1, dtype=np.int64)
            made.append(_Requests(surface, users[mask], at[mask], table, none if query is None else query))

        if feed.any():
            ask(
                "homefeed", feed, homefeed_weights(known, supply, users[feed], here, settings=policy, rng=rng)
            )
        if search.any():
            intents, texts = self._searches(rng, users[search], here, moment)
            number = np.array([self.journal.query_number(text) for text in texts], dtype=np.int64)
            ask(
                "search",
                search,
                search_weights(known, supply, texts, intents=intents, eligible=here, settings=policy),
                number,
            )
        if related.any():
            ask("related", related, related_weights(known, supply, anchors[related], here, policy))
        if shopping.any():
            ask(
                "shopping",
                shopping,
                homefeed_weights(known, supply, users[shopping], products, settings=policy, rng=rng),
            )
        return made

    def _searches(
        self,
        rng: np.random.Generator,
        users: Int64[np.ndarray, "slate"],
        here: Bool[np.ndarray, "item"],
        moment: Moment,
    ) -> tuple[Int64[np.ndarray, "slate"], list[str]]:
        """What each person has in mind - an item of one of their interests - and the words they type."""
        supply = self.supply
        # an interest is wanted as a whole, however many items it has
        size = np.bincount(supply.topic, weights=here, minlength=len(supply.topics))
        wish = ((moment.weights[users] + 0.005) / np.maximum(size, 1.0))[:, supply.topic]
        wish[:, ~here] = 0.0
        intents = draw_slates(wish.astype(np.float32), 1, rng).items[:, 0]
        titles, texts = self._titles, []
        for item in intents:
            if rng.random() < 0.35:
                texts.append(supply.topics[supply.topic[item]].split("/")[-1].replace("-", " ").lower())
            else:
                words = [word for word in titles[item].lower().split() if len(word) > 2 and word.isalpha()]
                count = min(len(words), 1 + int(rng.integers(2)))
                texts.append(" ".join(words[-count:]) if count else titles[item].lower())
        return intents, texts

    def _show(self, rng: np.random.Generator, requests: _Requests, moment: Moment) -> None:
        """Draw the slates, let people respond, learn, and write it down."""
        draw: SlateDraw = draw_slates(requests.weights, self.settings.logging.slate, rng)
        slates, n = draw.items.shape
        there = draw.items >= 0
        users, items = np.repeat(requests.users[:, None], n, axis=1)[there], draw.items[there]
        shown = {
            "user": users,
            "item": items,
            "at": np.repeat(requests.at[:, None], n, axis=1)[there],
            "surface": np.full(users.shape[0], SURFACES.index(requests.surface)),
            "position": np.repeat(np.arange(n)[None, :], slates, axis=0)[there],
            "request": np.repeat(self.journal.new_requests(slates)[:, None], n, axis=1)[there],
            "propensity": draw.propensity[there],
            "query": np.repeat(requests.query[:, None], n, axis=1)[there],
        }
        pictures = self.supply.original[items]
        seen = self._exposures[users, pictures]
        np.add.at(self._exposures, (users, pictures), np.float32(1.0))
        opened = self._respond(rng.random((_DRAWS, users.shape[0])), shown, seen, moment)
        self._knowledge.learn(users[opened], items[opened], self.supply)
        self._opened_last[users[opened]] = items[opened]

    def _chances(
        self, shown: dict[str, np.ndarray], seen: Float32[np.ndarray, "n"], moment: Moment
    ) -> tuple[Float32[np.ndarray, "n"], ActionProbabilities]:
        """Preference for shown items, and what may happen to each."""
        users, items = shown["user"], shown["item"]
        liked = preference(self.truth.utility(users, items, moment))
        interest = moment.weights[users, self.supply.topic[items]]
        affordable = self.supply.affordable[items]
        choice = self.settings.choice
        return liked, action_probabilities(
            liked,
            interest,
            position=shown["position"],
            exposures=seen,
            affordable=affordable,
            settings=choice,
        )

    def _respond(
        self,
        draws: Float64[np.ndarray, "draw n"],
        shown: dict[str, np.ndarray],
        seen: Float32[np.ndarray, "n"],
        moment: Moment,
    ) -> Bool[np.ndarray, "n"]:
        """Write impressions and the actions on them.

        Args:
            draws: uniform numbers, one row per kind of action.
            shown: columns of the impressions.
            seen: earlier exposures of each person to each picture.
            moment: the truth of the day.

        Returns:
            Which of them were opened.
        """
        liked, chance = self._chances(shown, seen, moment)
        opened = draws[0] < chance.opened
        # hiding happens only where nothing was opened, so its probability is taken from what is left
        hidden = ~opened & (draws[1] * (1.0 - chance.opened) < chance.hidden)
        self.journal.add(action=ACTIONS.index("impression"), **shown)
        part = (draws[5] * SECOND_US).astype(np.int64)
        look = shown["at"] + (2 + 3 * shown["position"]) * SECOND_US + part
        dwell = np.exp(1.1 + 1.2 * liked + 1.2 * draws[5]).clip(0.5, 80.0)
        self._write(shown, opened, "closeup", look, dwell_s=dwell)
        self._write(shown, hidden, "hide", look + SECOND_US)
        self._write(shown, opened & (draws[2] < chance.clicked), "click", look + 3 * SECOND_US)
        saved = opened & (draws[3] < chance.saved)
        self._write(shown, saved, "save", look + 4 * SECOND_US, collection=self.supply.topic[shown["item"]])
        self._write(shown, opened & (draws[4] < chance.bought), "purchase", look + 60 * SECOND_US)
        return opened

    def _write(
        self, shown: dict[str, np.ndarray], mask: np.ndarray, action: str, at: np.ndarray, **extra: np.ndarray
    ) -> None:
        if mask.any():
            columns = {name: column[mask] for name, column in {**shown, **extra, "at": at}.items()}
            self.journal.add(action=ACTIONS.index(action), **columns)

    def _advertise(
        self, rng: np.random.Generator, feeds: list[tuple[np.ndarray, np.ndarray]], moment: Moment
    ) -> None:
        """Fill the advertising places of the day's homefeeds in the order of time, so budgets hold at every moment."""
        users, at = (np.concatenate([feed[column] for feed in feeds]) for column in (0, 1))
        carries = rng.random(users.shape[0]) < self.settings.logging.ads
        order = np.argsort(at[carries], kind="stable")
        users, at = users[carries][order], at[carries][order]
        sales, choice = self.sales, self.settings.choice
        items, propensity = sales.open_day(rng, moment.at, users.shape[0], self.supply.created_at)
        draws = rng.random((_DRAWS, users.shape[0], PLACES))
        liked = preference(self.truth.utility(users[:, None], sales.items[None, :], moment))
        looked = examination(np.arange(PLACES), choice)
        seen = np.zeros((users.shape[0], PLACES), dtype=np.float32)
        for slate, user in enumerate(users):
            places = sales.place(slate, items, propensity)
            if not places.shape[0]:
                continue
            count = places.shape[0]
            pictures = self.supply.original[sales.items[places]]
            seen[slate, :count] = self._exposures[user, pictures]
            self._exposures[user, pictures] += 1.0
            opens = looked[:count] * liked[slate, places] * fatigue(seen[slate, :count], choice)
            clicked = (draws[0, slate, :count] < opens) & (draws[2, slate, :count] < np.float32(choice.click))
            if clicked.any():
                sales.charge(places[clicked])
        there = items >= 0
        if not there.any():
            return
        served = there.any(axis=1)
        request = np.zeros(users.shape[0], dtype=np.int32)
        request[served] = self.journal.new_requests(int(served.sum()))
        slate, position = np.nonzero(there)
        shown = {
            "user": users[slate],
            "item": sales.items[items[there]],
            "at": at[slate],
            "surface": np.full(slate.shape[0], SURFACES.index("ads")),
            "position": position,
            "request": request[slate],
            "propensity": propensity[there],
        }
        # the same draws as in the loop, so what is written is what was charged
        self._respond(draws[:, slate, position], shown, seen[there], moment)


def _session_starts(
    rng: np.random.Generator, begins: int, created_at: Int64[np.ndarray, "user"]
) -> Int64[np.ndarray, "user"]:
    """Times of day, more in the evening, that leave room for a session before midnight and come after joining."""
    evening = rng.random(created_at.shape[0]) < 0.5
    hour = np.where(
        evening, rng.normal(20.0, 1.5, created_at.shape[0]), rng.uniform(6.0, 20.0, created_at.shape[0])
    )
    at = begins + (np.clip(hour, 5.0, 22.9) * HOUR_US).astype(np.int64)
    return np.maximum(at, created_at + MINUTE_US).astype(np.int64)
