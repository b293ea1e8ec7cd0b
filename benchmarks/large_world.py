"""A workspace of the size serving is measured on: drawn items and people, no pictures, vectors not encoded but drawn.

Usage: python -P benchmarks/large_world.py DIRECTORY [--items 100000] [--people 50000] [--events 30] [--seed 0]

Every item belongs to a topic, its title and the vector of its words follow the topic, and a person acts on items of
a few topics. So lists, indexes, sequences and the ranker have the sizes and the clusters of real ones; how good the
answers are means nothing here. Half of a fused vector is for pictures and stays zero: 128 of its numbers are filled.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402 - the lines above must run first
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from bowerbird.arrays import normalise  # noqa: E402
from bowerbird.clock import DAY_US, parse_time  # noqa: E402
from bowerbird.content.encoder import load_encoder  # noqa: E402
from bowerbird.content.made_up import WORDS  # noqa: E402
from bowerbird.randomness import generator  # noqa: E402
from bowerbird.stores.vector_cache import VectorCache  # noqa: E402
from bowerbird.workspace import Workspace  # noqa: E402
from bowerbird.workspace.content_steps import item_words, text_key  # noqa: E402

TOPICS = 200
DAYS = 60
START = parse_time("2026-01-01")
SLATE = 8
RESPONSES = {"closeup": 0.12, "click": 0.1, "save": 0.08, "hide": 0.02}
"""How often each is done with an item that is shown."""
BUILT = [
    *("text_vector", "item_vector", "item_interests", "cooccurrence", "user_vector", "user_clusters"),
    *("user_interests", "user_state", "item_index", "text_index", "lexical", "ranker"),
]


def items_of(draws: np.random.Generator, topics: np.ndarray) -> pa.Table:
    """Titles of five words around the topic's own, a category per topic, a price, a day of creation."""
    words = np.array(WORDS)
    own = draws.integers(len(words), size=(TOPICS, 12))
    chosen = words[own[topics[:, None], draws.integers(12, size=(len(topics), 5))]]
    numbers = np.arange(len(topics))
    return pa.table(
        {
            "item_id": [f"i{number}" for number in numbers],
            "title": [f"{' '.join(row)} {number}" for row, number in zip(chosen, numbers, strict=True)],
            "category": [f"group{topic % 20}/topic{topic}" for topic in topics],
            "price": draws.gamma(2.0, 20.0, len(topics)).round(2),
            "created_at": START + draws.integers(DAYS * DAY_US, size=len(topics)),
        }
    )


def events_of(draws: np.random.Generator, topics: np.ndarray, people: int, mean: int) -> pa.Table:
    """About ``mean`` impressions a person in slates of eight, on items of three topics, and what was done with some."""
    counts = np.minimum(draws.geometric(1.0 / mean, people), 20 * mean)
    users = np.repeat(np.arange(people), counts)
    likes = draws.integers(TOPICS, size=(people, 3))[users, draws.integers(3, size=len(users))]
    order = np.argsort(topics, kind="stable")
    starts = np.searchsorted(topics[order], np.arange(TOPICS + 1))
    sizes = np.diff(starts)[likes]
    place = (draws.random(len(users)) ** 2 * sizes).astype(
        np.int64
    )  # the first of a topic are the popular ones
    within = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    requests = users * 1000 + within // SLATE
    at = START + draws.integers(DAYS * DAY_US, size=int(requests.max()) + 1)[requests]
    shown = {
        "user": users,
        "row": order[starts[likes] + place],
        "request": requests,
        "position": within % SLATE,
    }
    done = draws.random((len(users), len(RESPONSES))) < np.array(list(RESPONSES.values()))
    parts = [_rows("impression", shown, np.ones(len(users), bool), at)]
    for column, action in enumerate(RESPONSES):
        parts.append(_rows(action, shown, done[:, column], at + (column + 1) * 10_000_000))
    return pa.concat_tables(parts)


def _rows(action: str, shown: dict[str, np.ndarray], chosen: np.ndarray, at: np.ndarray) -> pa.Table:
    user, row, request, position = (values[chosen] for values in shown.values())
    return pa.table(
        {
            "event_id": [f"{action}-{place}" for place in np.flatnonzero(chosen)],
            "user_id": [f"u{one}" for one in user],
            "item_id": [f"i{one}" for one in row],
            "action": [action] * len(user),
            "at": at[chosen],
            "surface": ["homefeed"] * len(user),
            "request_id": [f"r{one}" for one in request],
            "position": position.astype(np.int32),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=30, help="mean impressions per person")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draws = generator(options.seed, "large world")
    topics = draws.integers(TOPICS, size=options.items)
    space = Workspace.create(options.directory, simulated=True, credit="drawn for measurements")
    raw = options.directory / "raw"
    raw.mkdir(exist_ok=True)
    tables = {
        "items": items_of(draws, topics),
        "users": pa.table({"user_id": [f"u{number}" for number in range(options.people)]}),
        "events": events_of(draws, topics, options.people, options.events),
    }
    for kind, table in tables.items():
        pq.write_table(table, raw / f"{kind}.parquet")
        space.import_files(kind, [raw / f"{kind}.parquet"])
        print(f"{kind}: {len(table):,}", flush=True)
    encoder = load_encoder(space.settings.content.text_encoder, space.layout.cache)
    centres = draws.normal(size=(TOPICS, encoder.space.dim))
    around = centres[topics] + draws.normal(scale=0.8, size=(options.items, encoder.space.dim))
    names = [text_key(text) for text in item_words(space.workbench())]
    VectorCache(space.layout, encoder.space).append(names, normalise(around.astype(np.float32)))
    for result in space.build(BUILT):
        print(f"{result.name}: {result.outcome} {result.seconds:.1f} s {result.why}", flush=True)


if __name__ == "__main__":
    main()
