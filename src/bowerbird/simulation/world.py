"""The simulated world: items, people, campaigns and an event log in the standard columns, and the truth apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32, Int8

from bowerbird.clock import parse_time
from bowerbird.simulation.advertising import AdSales
from bowerbird.simulation.lookalikes import lookalikes
from bowerbird.simulation.near_copies import KINDS
from bowerbird.simulation.people import STATES, People, activity_states, make_people, users_table
from bowerbird.simulation.sessions import Days
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.supply import Supply, make_supply
from bowerbird.simulation.true_preference import TruePreference
from bowerbird.simulation.truth import Truth

__all__ = ["World", "WorldSettings", "make_world"]


@dataclass(frozen=True)
class World:
    """A simulated world. Everything but ``truth`` is what a real service would know.

    Attributes:
        items: standard item columns.
        users: standard user columns.
        events: standard event columns, sorted by time; ``position`` and ``propensity`` are those of the impression.
        campaigns: ``campaign_id, advertiser, bid, daily_budget, total_budget, starts_at, ends_at``.
        truth: what was planted; only evaluation may read it.
    """

    items: pa.Table
    users: pa.Table
    events: pa.Table
    campaigns: pa.Table
    truth: Truth

    def write(self, folder: Path) -> None:
        """Store ``items, users, events, campaigns`` as Parquet in a folder; the truth is not among them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("items", "users", "events", "campaigns"):
            pq.write_table(getattr(self, name), folder / f"{name}.parquet")


def make_world(settings: WorldSettings, catalogue: pa.Table) -> World:
    """Simulate a world over a catalogue of real pictures and words.

    Args:
        settings: sizes, seed, and the parameters of people and policy.
        catalogue: standard item columns with titles, descriptions, picture bytes and category paths, e.g.
            :func:`bowerbird.datasets.openmoji.openmoji_catalogue`.

    Returns:
        The world; equal settings and catalogues give equal bytes.

    Raises:
        InputError: the catalogue lacks a column or has fewer than two categories.
    """
    start = parse_time(settings.start)
    supply = make_supply(settings, catalogue, start)
    # copies are no reason to be interested in a category
    sizes = np.bincount(supply.topic[: catalogue.num_rows], minlength=len(supply.topics))
    people = make_people(settings, start, sizes, supply.topic_group)
    states = activity_states(settings, people, start)
    preference = TruePreference(
        settings=settings.choice,
        interests=people.interests,
        taste=people.taste,
        openness=people.openness,
        topic=supply.topic,
        topic_group=supply.topic_group,
        look=supply.look,
        quality=supply.quality,
        season=supply.season,
        is_ad=supply.campaign >= 0,
    )
    sales = AdSales(settings, supply.campaign, start)
    journal = Days(settings, people, supply, preference, sales).run(start, states)
    item_ids = supply.items["item_id"].combine_chunks()
    return World(
        items=supply.items,
        users=users_table(settings, people),
        events=journal.table(item_ids, supply.topics),
        campaigns=sales.table(),
        truth=_truth(settings, people, supply, states, sales),
    )


def _truth(
    settings: WorldSettings,
    people: People,
    supply: Supply,
    states: Int8[np.ndarray, "user day"],
    sales: AdSales,
) -> Truth:
    user_ids = pa.array([f"u{row}" for row in range(people.created_at.shape[0])], pa.string())
    item_ids = supply.items["item_id"].combine_chunks()
    spans = people.interests
    copies = np.flatnonzero(supply.original != np.arange(supply.original.shape[0]))
    originals = supply.items.num_rows - copies.shape[0]  # copies come last
    alike = lookalikes(supply.items["image"].slice(0, originals).to_pylist())
    topics = pa.array(supply.topics, pa.string())
    names = pa.array(STATES, pa.string())
    states_list = pa.FixedSizeListArray.from_arrays(names.take(pa.array(states.ravel())), states.shape[1])
    return Truth(
        settings=settings,
        people=pa.table({"user_id": user_ids, "taste": _lists(people.taste), "openness": people.openness}),
        interests=pa.table(
            {
                "user_id": user_ids.take(pa.array(spans.user)),
                "category": topics.take(pa.array(spans.topic)),
                "begins": spans.begins,
                "ends": spans.ends,
                "weight_start": spans.weight_start,
                "weight_end": spans.weight_end,
            }
        ),
        items=pa.table(
            {
                "item_id": item_ids,
                "topic": supply.topic,
                "look": _lists(supply.look),
                "quality": supply.quality,
                "season": _lists(supply.season),
                "is_ad": supply.campaign >= 0,
                "original_id": item_ids.take(pa.array(supply.original)),
            }
        ),
        topics=pa.table({"category": topics, "group": supply.topic_group}),
        activity=pa.table({"user_id": user_ids, "states": states_list}),
        duplicates=pa.table(
            {
                "item_id": item_ids.take(pa.array(copies)),
                "original_id": item_ids.take(pa.array(supply.original[copies])),
                "kind": pa.array([KINDS[at % len(KINDS)] for at in range(copies.shape[0])], pa.string()),
            }
        ),
        lookalikes=pa.table(
            {
                "item_id": item_ids.take(pa.array(alike.first)),
                "other_id": item_ids.take(pa.array(alike.second)),
                "difference": alike.difference,
                "mirrored": alike.mirrored,
            }
        ),
        spending=pa.table({"campaign_id": sales.table()["campaign_id"], "spent": sales.spent}),
    )


def _lists(matrix: Float32[np.ndarray, "n dim"]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
