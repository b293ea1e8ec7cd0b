from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.arrays import normalise
from bowerbird.content.graph import WalkNeighbours
from bowerbird.content.graph_vectors import complete_neighbours, fitted_graph_vectors
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.fitting import BenchPlan
from bowerbird.evaluation.bench.graph import related_task, run_graph
from bowerbird.randomness import generator
from bowerbird.recommenders.interactions import Interactions

KINDS = 6


def boards(collections: int = 150, items: int = 90, seed: int = 0) -> Interactions:
    """A collection holds items of two kinds that content says nothing in common about: k and k + 3."""
    draw = generator(seed, "boards")
    rows = [("all", item) for item in range(items)]
    for board in range(collections):
        kind = int(draw.integers(3))
        kinds = kind + 3 * draw.integers(2, size=6)
        rows += [(f"b{board}", int(draw.integers(items // KINDS) * KINDS + one)) for one in kinds]
    table = pa.table({"user_id": [one for one, _ in rows], "item_id": [item for _, item in rows]})
    content = np.eye(KINDS, dtype=np.float32)[np.arange(items) % KINDS]
    noise = 0.2 * draw.standard_normal((items, KINDS)).astype(np.float32)
    return replace(Interactions.from_table(table), content=content + noise)


EVENTS = boards()


def test_graph_vectors_know_what_is_kept_together_and_content_alone_does_not():
    report = run_graph(EVENTS, BenchPlan(("graph",), seeds=1))
    rows = {row.model: {name: one.mean for name, one in row.metrics.items()} for row in report.rows}
    for model in ("graph vectors", "ours"):  # content alone finds one of the two kinds
        assert rows[model]["warm hit@50"] > rows["content only"]["warm hit@50"] + 0.1
    assert rows["graph vectors"]["full hit@50"] > 0.0


def test_what_is_hidden_stands_nowhere_in_train():
    task = related_task(EVENTS, seed=2)
    assert task.train.popularity()[task.cold[:, 1]].sum() == 0
    assert task.known[task.warm].all()
    assert task.known[task.cold[:, 0]].all()


def test_a_new_item_borrows_the_neighbours_of_its_likeness():
    rows = np.array([[1], [0], [-1]], dtype=np.int32)
    weights = np.array([[1.0], [1.0], [0.0]], dtype=np.float32)
    content = normalise(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.01]], dtype=np.float32))
    found = complete_neighbours(WalkNeighbours(rows, weights), content, 1)
    assert found.rows[:2].tolist() == rows[:2].tolist()
    assert found.rows[2].tolist() == [0]


def test_items_walks_join_come_close_and_others_do_not():
    content = np.eye(4, dtype=np.float32)
    rows, weights = np.array([[1], [0], [3], [2]], dtype=np.int32), np.ones((4, 1), dtype=np.float32)
    neighbours = WalkNeighbours(rows, weights)
    vectors = fitted_graph_vectors(content, neighbours).vectors(content, neighbours)
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.9
    assert alike[0, 2] < 0.1


def test_collections_of_one_item_are_refused():
    lonely = Interactions.from_table(pa.table({"user_id": ["a", "b"], "item_id": [0, 1]}))
    with pytest.raises(InputError, match="expected collections"):
        related_task(lonely, seed=0)


def test_items_without_content_are_refused():
    with pytest.raises(InputError, match="graph: no item has content"):
        run_graph(replace(EVENTS, content=None), BenchPlan(("graph",)))


def test_a_single_membership_is_said_to_be_too_little():
    one = Interactions.from_table(pa.table({"user_id": ["u"], "item_id": ["a"]}))
    with pytest.raises(InputError, match="graph: 1 memberships of 1 collections and 1 items are too few"):
        run_graph(one, BenchPlan(("graph",)))
