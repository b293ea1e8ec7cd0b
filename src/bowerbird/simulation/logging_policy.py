"""The policy that chose the slates of the simulated log, with exact propensities.

Each slate is drawn from a stated mixture over the eligible items: uniform exploration, recent popularity and what
fits the request (decayed affinity to categories on the homefeed, words for a search, likeness for related items).
Items are drawn one after another without putting back, so the propensity of the item at position ``k`` given
the ones before it is ``p[i] / (1 - p[i_0] - ... - p[i_(k-1)])``: a Plackett-Luce draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float32, Int64

from bowerbird.simulation.settings import LoggingSettings
from bowerbird.simulation.supply import Supply

__all__ = [
    "Knowledge",
    "SlateDraw",
    "draw_slates",
    "homefeed_weights",
    "known_at_first",
    "related_weights",
    "search_weights",
]


_NOWHERE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class SlateDraw:
    """Slates and their propensities; row -1 where fewer items were eligible than places."""

    items: Int64[np.ndarray, "slate n"]
    propensity: Float32[np.ndarray, "slate n"]


def draw_slates(weights: Float32[np.ndarray, "slate item"], n: int, rng: np.random.Generator) -> SlateDraw:
    """Slates of ``n`` items drawn without putting back, in proportion to the weights.

    Uses exponential races: the ``n`` smallest ``Exp(1) / weight``, in order, are a Plackett-Luce draw.

    Args:
        weights: not negative; 0 means not eligible.
        n: length of a slate.
        rng: the randomness.

    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006, algorithm A, with
    exponential keys.

    Example:
        >>> draw = draw_slates(np.array([[1, 0, 3]], dtype=np.float32), 3, np.random.default_rng(0))
        >>> draw.items.tolist(), draw.propensity.tolist()
        ([[2, 0, -1]], [[0.75, 1.0, 0.0]])
    """
    n = min(n, weights.shape[1])
    race = rng.standard_exponential(weights.shape, dtype=np.float32)
    np.divide(race, weights, out=race, where=weights > 0)
    race[weights <= 0] = np.inf
    first = np.argpartition(race, n - 1, axis=1)[:, :n]
    finish = np.take_along_axis(race, first, axis=1)
    order = np.argsort(finish, axis=1, kind="stable")
    items = np.take_along_axis(first, order, axis=1).astype(np.int64)
    ran = np.isfinite(np.take_along_axis(finish, order, axis=1))
    chosen = np.take_along_axis(weights, items, axis=1).astype(np.float64)
    left = weights.sum(axis=1, dtype=np.float64)[:, None] - (np.cumsum(chosen, axis=1) - chosen)
    propensity = np.where(ran, np.minimum(chosen / np.where(ran, left, 1.0), 1.0), 0.0)
    return SlateDraw(items=np.where(ran, items, -1), propensity=propensity.astype(np.float32))


@dataclass
class Knowledge:
    """What the policy has learnt from the log so far: decayed openings. It never sees the truth."""

    popularity: Float32[np.ndarray, "item"]
    affinity: Float32[np.ndarray, "user topic"]
    likeness: sp.csr_array
    """Unit rows of rarity-weighted words per item."""
    postings: dict[str, Int64[np.ndarray, "match"]]
    """Items that carry each word."""

    def decay(self, factor: float) -> None:
        """Let everything learnt so far count less."""
        self.popularity *= factor
        self.affinity *= factor

    def learn(self, users: Int64[np.ndarray, "n"], items: Int64[np.ndarray, "n"], supply: Supply) -> None:
        """Count openings."""
        np.add.at(self.popularity, items, 1.0)
        np.add.at(self.affinity, (users, supply.topic[items]), 1.0)


def known_at_first(supply: Supply, users: int) -> Knowledge:
    """What the policy knows before the first day: only the items' words."""
    vocabulary = {word: at for at, word in enumerate(sorted(set().union(*supply.words)))}
    pairs = [(item, vocabulary[word]) for item, bag in enumerate(supply.words) for word in sorted(bag)]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    count = np.bincount(columns, minlength=len(vocabulary))
    rarity = np.log1p(len(supply.words) / np.maximum(count, 1))
    shape = (len(supply.words), len(vocabulary))
    words = sp.csr_array((rarity[columns].astype(np.float32), (rows, columns)), shape=shape)
    length = np.sqrt(np.asarray(words.multiply(words).sum(axis=1))).reshape(-1, 1)
    postings: dict[str, list[int]] = {}
    for item, bag in enumerate(supply.words):
        for word in bag:
            postings.setdefault(word, []).append(item)
    return Knowledge(
        postings={word: np.array(found, dtype=np.int64) for word, found in postings.items()},
        popularity=np.zeros(len(supply.words), dtype=np.float32),
        affinity=np.zeros((users, len(supply.topics)), dtype=np.float32),
        likeness=sp.csr_array(words.multiply(1.0 / np.maximum(length, 1e-9))),
    )


def homefeed_weights(
    knowledge: Knowledge,
    supply: Supply,
    users: Int64[np.ndarray, "slate"],
    eligible: Bool[np.ndarray, "item"],
    *,
    settings: LoggingSettings,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "slate item"]:
    """``uniform / N + popular * popularity + rest * affinity(u, category) * popularity inside the category``."""
    allowed = eligible.astype(np.float32)
    popular = (knowledge.popularity + 0.3) * allowed
    by_topic = np.bincount(supply.topic, weights=popular, minlength=len(supply.topics))
    inside = popular / np.maximum(by_topic, 1e-9)[supply.topic]
    popular = popular / popular.sum()
    noise = np.exp(
        settings.noise * rng.standard_normal((users.shape[0], len(supply.topics)), dtype=np.float32)
    )
    # everybody's taste counts as one opening, so newcomers get what is popular and nobody is locked in
    affinity = (knowledge.affinity[users] + by_topic / by_topic.sum()) * noise * (by_topic > 0)
    affinity /= affinity.sum(axis=1, keepdims=True)
    floor = settings.uniform * allowed / allowed.sum() + settings.popular * popular
    personal = affinity.astype(np.float32)[:, supply.topic]
    personal *= ((1.0 - settings.uniform - settings.popular) * inside).astype(np.float32)
    personal += floor.astype(np.float32)
    return personal


def _mixed(
    parts: list[tuple[float, Float32[np.ndarray, "slate item"]]],
    eligible: Bool[np.ndarray, "item"],
    uniform: float,
) -> Float32[np.ndarray, "slate item"]:
    """Each part scaled to its share over the eligible items; the share of an empty part goes to nobody."""
    allowed = eligible.astype(np.float32)
    total = np.broadcast_to(uniform * allowed / allowed.sum(), parts[0][1].shape).copy()
    for share, part in parts:
        kept = part * allowed
        mass = kept.sum(axis=1, keepdims=True)
        total += share * kept / np.where(mass > 0, mass, 1.0)
    return total.astype(np.float32)


def search_weights(
    knowledge: Knowledge,
    supply: Supply,
    queries: list[str],
    *,
    intents: Int64[np.ndarray, "slate"],
    eligible: Bool[np.ndarray, "item"],
    settings: LoggingSettings,
) -> Float32[np.ndarray, "slate item"]:
    """Weights for a search: mostly items that carry the query's words, then the category of the best match.

    Args:
        knowledge: which items carry a word.
        supply: the items.
        queries: the text of each search.
        intents: the item each search has in mind; only its category is used, as a search engine would guess it.
        eligible: items that may be shown.
        settings: the policy.
    """
    word = np.zeros((len(queries), supply.topic.shape[0]), dtype=np.float32)
    for slate, query in enumerate(queries):
        wanted = query.split()
        for part in wanted:
            word[slate, knowledge.postings.get(part, _NOWHERE)] += 1.0 / len(wanted)
    category = (supply.topic[None, :] == supply.topic[intents][:, None]).astype(np.float32)
    rest = 1.0 - settings.uniform
    # squared: an item with all words is far ahead of one with some
    return _mixed([(0.7 * rest, word**2), (0.3 * rest, category)], eligible, settings.uniform)


def related_weights(
    knowledge: Knowledge,
    supply: Supply,
    anchors: Int64[np.ndarray, "slate"],
    eligible: Bool[np.ndarray, "item"],
    settings: LoggingSettings,
) -> Float32[np.ndarray, "slate item"]:
    """Weights for items related to another: alike in words, of its category, popular; never the item itself."""
    alike = np.asarray((knowledge.likeness[anchors] @ knowledge.likeness.T).todense(), dtype=np.float32) ** 2
    category = (supply.topic[None, :] == supply.topic[anchors][:, None]).astype(np.float32)
    popular = np.broadcast_to((knowledge.popularity + 0.3)[None, :], alike.shape)
    rest = 1.0 - settings.uniform
    weights = _mixed(
        [(0.4 * rest, alike), (0.4 * rest, category), (0.2 * rest, popular)], eligible, settings.uniform
    )
    weights[np.arange(anchors.shape[0]), anchors] = 0.0
    return weights
