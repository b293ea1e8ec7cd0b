"""The search bench: files of the usual forms, the metrics, and fusion that learns what matters."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.search import (
    SearchPlan,
    drawn_catalogue,
    drawn_vectors,
    measured_search,
)
from bowerbird.evaluation.bench.search_data import search_data
from bowerbird.ranking.fusion import Fused, fusion_features
from bowerbird.training.fusion import attractiveness, trained_fusion

ITEMS = {
    "product_id": [1, 2, 3],
    "product_name": ["red sofa", "blue lamp", "oak table"],
    "product_description": ["a seat", None, "for four"],
}


def written(folder: Path, name: str, **columns) -> Path:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def test_graded_words_and_numbers_become_gains(tmp_path):
    items = written(tmp_path, "items", **ITEMS)
    queries = written(tmp_path, "queries", query_id=[0, 1, 2], query=["sofa", "lamp", "nothing"])
    labels = written(
        tmp_path,
        "labels",
        id=[9, 8, 7, 6, 5],
        query_id=[0, 0, 1, 1, 2],
        product_id=[1, 3, 2, 99, 1],
        label=["Exact", "Partial", "Exact", "Exact", "Irrelevant"],
    )
    data = search_data(items, queries, labels)
    assert data.queries == ("sofa", "lamp")
    assert data.gains == ({0: 2.0, 2: 1.0}, {1: 2.0})
    assert data.bodies == ("a seat", "", "for four")
    assert any("1 of 5 judgements of unknown items" in note for note in data.notes)
    assert any("1 queries without any gain" in note for note in data.notes)


def test_sessions_become_gains_by_a_click_model(tmp_path):
    items = written(tmp_path, "items", **ITEMS)
    shown = [("sofa", 1, 0, True), ("sofa", 2, 1, False), ("sofa", 3, 5, True)] * 20
    columns = dict(
        zip(("query", "doc_id", "rank", "clicked"), map(list, zip(*shown, strict=True)), strict=True)
    )
    data = search_data(items, None, written(tmp_path, "sessions", **columns))
    assert data.queries == ("sofa",)
    gains = data.gains[0]
    assert gains[0] > 0.9
    assert gains[1] < 0.1 < gains[2]
    assert "position-based click model" in data.notes[0]


def test_what_does_not_fit_is_explained(tmp_path):
    items = written(tmp_path, "items", **ITEMS)
    session = {"query": ["sofa"], "item_id": ["1"], "rank": ["1"], "clicked": ["no"]}
    for name, cell in (("rank", "first"), ("clicked", "maybe")):
        file = written(tmp_path, "spoilt", **session | {name: [cell]})
        with pytest.raises(InputError, match=f"spoilt.parquet row 0: {name} is '{cell}'; expected a number"):
            search_data(items, None, file)
    with pytest.raises(InputError, match=r"still.parquet: none of 1 rows has a click; expected clicked = 1"):
        search_data(items, None, written(tmp_path, "still", **session))
    with pytest.raises(
        InputError, match="no column holds grades; found query, item_id; expected one of relevance"
    ):
        search_data(items, None, written(tmp_path, "a", query=["x"], item_id=["1"]))
    with pytest.raises(InputError, match="row 0: grade 'great'; expected a number or one of exact"):
        search_data(items, None, written(tmp_path, "b", query=["x"], item_id=["1"], label=["great"]))
    with pytest.raises(InputError, match=r"no query has an item of items.parquet with gain"):
        search_data(items, None, written(tmp_path, "c", query=["x"], item_id=["77"], label=["1"]))
    with pytest.raises(InputError, match=r"items.parquet: no column holds titles"):
        search_data(written(tmp_path, "items", item_id=["1"]), None, items)
    with pytest.raises(InputError, match="seeds = 1, folds = 1; expected at least 1 and 2"):
        SearchPlan(1, 1)


def test_learnt_weights_follow_the_search_that_is_right():
    draws = np.random.default_rng(0)
    features, gains = [], []
    for _ in range(30):
        lexical, cosine = draws.random((2, 12)).astype(np.float32)
        none = np.zeros(12, np.float32)
        features.append(fusion_features(lexical, cosine, none, none))
        gains.append((np.arange(12) == cosine.argmax()).astype(np.float32))
    fused = trained_fusion(features, gains)
    assert all(fused.scores(x).argmax() == gain.argmax() for x, gain in zip(features, gains, strict=True))
    with pytest.raises(InputError, match="none of 1 queries has a candidate with gain"):
        trained_fusion(features[:1], [np.zeros(12, np.float32)])


def test_features_of_no_candidates_are_empty():
    none = np.zeros(0, np.float32)
    assert fusion_features(none, none, none, none).shape == (0, 7)
    assert Fused.untaught().scores(np.zeros((0, 7), np.float32)).shape == (0,)


def test_an_item_low_on_the_page_was_seen_less_not_liked_less():
    draws = np.random.default_rng(1)
    count = 20_000
    pairs = draws.integers(0, 4, count)
    ranks = draws.integers(0, 3, count)
    examined, attractive = np.array([1.0, 0.5, 0.2]), np.array([0.8, 0.4, 0.2, 0.05])
    clicked = draws.random(count) < examined[ranks] * attractive[pairs]
    assert attractiveness(pairs, ranks, clicked, rounds=100) == pytest.approx(attractive, abs=0.04)


def test_every_row_of_the_table_is_there_and_the_words_of_a_title_find_it():
    pytest.importorskip("tokenizers")
    report = measured_search(drawn_catalogue(300, queries=12), SearchPlan(1, 2), drawn_vectors(300, 384))
    ndcg = {row.model: row.metrics["ndcg@10"].mean for row in report.rows}
    assert list(ndcg) == ["BM25", "dense", "RRF", "fusion, untaught", "ours: learned fusion"]
    assert ndcg["BM25"] > 0.9
    assert ndcg["ours: learned fusion"] > ndcg["RRF"]
    assert report.to_json()
