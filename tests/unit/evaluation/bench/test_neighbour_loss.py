from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.errors import InputError
from bowerbird.evaluation.bench import neighbour_loss as task
from bowerbird.evaluation.bench.fitting import BenchPlan
from bowerbird.randomness import generator
from bowerbird.recommenders.interactions import Interactions

KINDS, STEPS, ITEMS = 12, 5, 240
PLAN = BenchPlan(("neighbour-loss",), seeds=1)


def sequences(people: int = 300) -> Interactions:
    """Everybody goes on from kind to kind: what comes is never like what was, but always beside it."""
    draw = generator(0, "sequences")
    rows = []
    for person in range(people):
        kind = int(draw.integers(KINDS))
        for step in range(STEPS):
            own = (kind + step) % KINDS
            rows.append((f"u{person}", int(draw.integers(ITEMS // KINDS) * KINDS + own)))
    table = pa.table({"user_id": [one for one, _ in rows], "item_id": [item for _, item in rows]})
    found = Interactions.from_table(table)
    kinds = np.array([int(one) % KINDS for one in found.item_ids.tolist()])
    noise = 0.2 * draw.standard_normal((len(kinds), KINDS)).astype(np.float32)
    return replace(found, content=np.eye(KINDS, dtype=np.float32)[kinds] + noise)


def words_of(events: Interactions) -> list[str]:
    return [f"kind{int(one) % KINDS} thing" for one in events.item_ids.tolist()]


def test_the_neighbour_loss_finds_new_items_that_content_cannot_and_the_lift_has_an_interval(
    monkeypatch: pytest.MonkeyPatch,
):
    quick = {"dim": 64, "epochs": 20, "batch": 200}
    monkeypatch.setattr(task, "TRAINING", task.TRAINING.model_copy(update=quick))
    events = sequences()
    report = task.run_neighbour_loss(events, words_of(events), PLAN)
    rows = {row.model: row.metrics for row in report.rows}
    assert list(rows) == [task.CONTENT, task.WITHOUT, task.WITH]
    assert rows[task.CONTENT]["lift over content"].mean == 0.0
    lift = rows[task.WITH]["lift over content"]
    assert lift.mean == pytest.approx(
        rows[task.WITH]["recall@10"].mean - rows[task.CONTENT]["recall@10"].mean
    )
    assert lift.mean > 0
    paired = rows[task.WITH]["lift over no neighbour loss"]
    assert paired.mean > task.Z * (paired.se or 0.0) > 0
    assert sum("of tower, neighbour loss over" in note for note in report.notes) == 2


def test_errors_are_clustered_by_person():
    values, people = np.array([1.0, 1.0, 0.0, 0.0]), np.array([7, 7, 8, 8])
    alone = task._clustered(values, np.arange(4))
    assert task._clustered(values, people) == pytest.approx(alone * np.sqrt(2) * np.sqrt(3 / 2), rel=1e-6)


def test_items_without_content_are_refused():
    events = replace(sequences(20), content=None)
    with pytest.raises(InputError, match="neighbour-loss: no item has content"):
        task.run_neighbour_loss(events, words_of(events), PLAN)
