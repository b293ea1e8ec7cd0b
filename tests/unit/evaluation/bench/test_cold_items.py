from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cold_items import cold_task, run_cold
from bowerbird.evaluation.bench.fitting import BenchPlan
from bowerbird.randomness import generator
from bowerbird.recommenders.cold_start import cold_cases, fitted_cold_start
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_content import word_table
from bowerbird.recommenders.recommender import Histories
from bowerbird.recommenders.seq_knn import SeqKnn
from bowerbird.training.cold_items import ColdItemSettings, fitted_cold_items

KINDS = 8


def complements(people: int = 150, items: int = 80, seed: int = 0) -> tuple[Interactions, np.ndarray]:
    """Whoever takes an item of kind k takes one of kind k + 1 next; content tells the kind, with noise."""
    draw = generator(seed, "complements")
    rows = [("all", item) for item in range(items)]
    for person in range(people):
        kind = int(draw.integers(KINDS))
        rows += [
            (f"u{person}", int(draw.integers(items // KINDS)) * KINDS + (kind + step) % KINDS)
            for step in range(6)
        ]
    events = Interactions.from_table(
        pa.table({"user_id": [u for u, _ in rows], "item_id": [i for _, i in rows]})
    )
    content = np.eye(KINDS, dtype=np.float32)[np.arange(items) % KINDS]
    noise = draw.standard_normal((items, KINDS)).astype(np.float32)
    return events, content + 0.1 * noise


EVENTS, CONTENT = complements()


def test_ours_learns_that_a_new_item_follows_another_kind_and_content_alone_cannot():
    report = run_cold(replace(EVENTS, content=CONTENT), BenchPlan(("pop",), seeds=1))
    rows = {row.model: {name: value.mean for name, value in row.metrics.items()} for row in report.rows}
    assert rows["ours"]["ndcg@10"] > 2 * rows["content only"]["ndcg@10"]
    assert rows["pop"]["recall@10"] == rows["seqknn"]["recall@10"] == 0.0
    assert rows["ours"]["full recall@50"] > 0.0
    assert abs(rows["ours"]["warm loss"]) < 0.25  # a few dozen cases


def test_a_case_holds_the_known_items_before_its_target():
    table = pa.table({"user_id": ["a", "b", "a", "a", "a", "b"], "item_id": [0, 0, 1, 2, 0, 1]})
    events = Interactions.from_table(table)
    known = np.array([True, False, True])
    cases = cold_cases(events, ~known[events.items], known)
    # a: 0, [1], 2, 0 and b: 0, [1]
    assert cases.target.tolist() == [1, 1]
    assert cases.histories.users.tolist() == [0, 1]
    assert cases.histories.items.tolist() == [0, 0]


def test_what_was_asked_about_stands_in_no_train():
    task = cold_task(EVENTS, seed=1)
    assert task.train.popularity()[task.new.target].sum() == 0
    assert task.known[task.new.histories.items].all()
    assert task.known[task.warm.target].all()


def test_the_datas_own_split_is_used_where_it_has_enough_new_items():
    new = [f"n{number}" for number in range(150)]
    table = pa.table(
        {
            "user_id": ["a", *["a"] * 150],
            "item_id": ["old", *new],
            "split": ["train", *["test"] * 150],
        }
    )
    task = cold_task(Interactions.from_table(table), seed=0)
    assert task.rule == "new items of the data's own split"
    assert len(task.new) == 150


def test_a_new_item_is_scored_as_the_known_ones_it_resembles():
    content = np.array([[1, 0], [0, 1], [1, 0.1]], dtype=np.float32)
    known = np.array([True, True, False])
    train = Interactions.from_table(pa.table({"user_id": ["a", "a", "b", "b"], "item_id": [0, 1, 0, 1]}))
    pairs = SeqKnn().fit(train, 0).table.table
    pairs.resize((3, 3))
    items = fitted_cold_items(content, pairs, known, ColdItemSettings(near=1))
    assert items.mixture.toarray().tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    met = Histories(np.zeros(1, np.int32), np.array([1], np.int32), 1, 3)
    counted = items.terms(met.weights())["carried over"][0]
    assert counted[2] == counted[0] > 0


def test_words_say_what_content_blurs():
    content = np.ones((3, 2), dtype=np.float32) + 0.1 * np.eye(3, 2, dtype=np.float32)
    known = np.array([True, True, False])
    words = word_table(["red ink", "pen cap", "red ink"])
    pairs = sparse.csr_array(np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=np.float32))
    items = fitted_cold_items(content, pairs, known, ColdItemSettings(near=1), words)
    assert items.mixture.toarray()[2].tolist() == [1, 0, 0]
    met = Histories(np.zeros(1, np.int32), np.zeros(1, np.int32), 1, 3)
    assert items.terms(met.weights())["words"][0].tolist() == pytest.approx([1, 0, 1])


def test_words_are_a_row_of_the_table_where_items_have_some():
    words = word_table([f"kind{item % KINDS} size" for item in range(EVENTS.items_total)])
    report = run_cold(replace(EVENTS, content=CONTENT), BenchPlan(("pop",), seeds=1), words)
    assert "words only" in [row.model for row in report.rows]
    assert set(report.rows[-1].settings["weights"]) == {"content", "learnt", "carried over", "words"}


def test_items_without_words_have_an_empty_row():
    table = word_table(["", "", "a b", "a b"])
    assert table.shape == (4, 2)
    assert np.diff(table.indptr).tolist() == [0, 0, 2, 2]
    assert word_table(["", ""]).nnz == 0


def test_with_too_little_to_learn_from_new_items_stay_behind_known_ones():
    train = Interactions.from_table(pa.table({"user_id": ["a", "a", "b", "c"], "item_id": [0, 1, 0, 2]}))
    fitted = fitted_cold_start(train.where(train.items < 2), np.eye(3, dtype=np.float32), SeqKnn(), seed=0)
    met = Histories(np.zeros(1, np.int32), np.zeros(1, np.int32), 1, 3)
    assert fitted.scores(met)[0, 2] == -np.inf
    assert fitted.chosen["lift"] == "-inf"


def test_events_without_pairs_are_refused():
    lonely = Interactions.from_table(pa.table({"user_id": ["a", "b"], "item_id": [0, 1]}))
    with pytest.raises(InputError, match="expected users with several items each"):
        cold_task(lonely, seed=0)


def test_items_without_content_are_refused():
    with pytest.raises(InputError, match="no item has content"):
        run_cold(EVENTS, BenchPlan(("pop",)))
