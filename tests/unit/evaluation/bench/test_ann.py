from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.errors import InputError, NotFoundError
from bowerbird.evaluation.bench.ann import run_ann
from bowerbird.evaluation.bench.ann_contenders import CONTENDERS, Built, Contender
from bowerbird.evaluation.bench.ann_vectors import clustered_vectors, read_vectors

COLUMNS = {"recall@5", "queries/cpu s", "one query us", "build cpu s", "bytes/vector"}


@pytest.fixture(scope="module")
def report():
    return run_ann(n_vectors=1500, dim=16, k=5, seed=3, queries=120)


def test_every_contender_has_a_row_in_order(report):
    names = [row.model.removesuffix(" (not installed)") for row in report.rows]
    assert names == [contender.name for contender in CONTENDERS]


def test_every_installed_contender_has_every_column(report):
    for row in report.rows:
        assert row.model.endswith("(not installed)") or set(row.metrics) == COLUMNS


def test_exact_rows_have_recall_one_and_ours_reaches_the_target(report):
    recall = {row.model: row.metrics["recall@5"].mean for row in report.rows if row.metrics}
    assert recall["ours"] >= 0.95
    assert recall["ours, exact, batched"] == recall["ours, exact, one by one"] == 1.0
    assert recall["faiss flat"] > 0.999  # equal but for ties


def test_the_report_is_json_and_a_table(report):
    record = json.loads(report.to_json())
    assert (record["task"], record["data"]["items"]) == ("ann", 1500)
    assert report.render().row_count == len(CONTENDERS)


def test_a_library_that_is_absent_is_listed_as_not_installed():
    absent = Contender("crystal ball", lambda matrix, seed: Built(None, 0.0), package="crystal_ball")  # type: ignore[arg-type]
    report = run_ann(n_vectors=500, dim=8, queries=20, contenders=[absent])
    assert [row.model for row in report.rows] == ["crystal ball (not installed)"]
    assert "crystal ball (not installed)" in report.to_json()


def test_a_knob_that_never_reaches_the_target_stays_at_its_largest_value():
    blind = Contender(
        "blind",
        lambda matrix, seed: Built(lambda q, k, knob: np.full((len(q), k), -1), 0.0, (1, 2, 9), "effort"),
    )
    (row,) = run_ann(n_vectors=500, dim=8, queries=20, contenders=[blind]).rows
    assert row.settings == {"effort": 9}
    assert row.metrics["recall@10"].mean == 0.0


def test_the_seed_decides_the_vectors():
    one, same, other = (clustered_vectors(200, 8, seed) for seed in (1, 1, 2))
    assert one.hash == same.hash != other.hash
    assert np.allclose(np.linalg.norm(one.items, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("form", ["npy", "parquet"])
def test_the_users_own_vectors_are_read_and_partly_held_out(tmp_path, form):
    matrix = np.random.default_rng(0).standard_normal((400, 8))
    path = tmp_path / f"own.{form}"
    if form == "npy":
        np.save(path, matrix)
    else:
        pq.write_table(pa.table({"item_id": [str(i) for i in range(400)], "vector": list(matrix)}), path)
    data = read_vectors(path, seed=0)
    assert (len(data.tuning), len(data.queries), len(data.items)) == (40, 40, 400 - 80)
    report = run_ann(vectors=path, contenders=CONTENDERS[:2])
    assert report.data.items == 320
    assert report.rows[1].metrics["recall@10"].mean == 1.0


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="no such file"):
        read_vectors(tmp_path / "none.npy", seed=0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones(50), r"found shape \(50,\)"),
        (np.ones((3, 4)), "at least 40 rows"),
        (np.ones((50, 4), dtype=bool), "found bool; expected numbers"),
        (np.where(np.eye(50) > 0, np.nan, 1.0), "row 0: a value is not finite"),
    ],
)
def test_a_matrix_that_cannot_be_used_is_refused(tmp_path, matrix, message):
    np.save(tmp_path / "bad.npy", matrix)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "bad.npy", seed=0)


def test_a_file_that_is_no_matrix_is_refused(tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"not numbers")
    with pytest.raises(InputError, match=r"not a \.npy matrix"):
        read_vectors(tmp_path / "bad.npy", seed=0)
    (tmp_path / "bad.parquet").write_bytes(b"not a table")
    with pytest.raises(InputError, match="not a parquet file"):
        read_vectors(tmp_path / "bad.parquet", seed=0)


def test_a_table_without_one_column_of_vectors_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "none.parquet")
    with pytest.raises(InputError, match=r"columns of lists are \[\]"):
        read_vectors(tmp_path / "none.parquet", seed=0)
    pq.write_table(pa.table({"a": [[1.0], [1.0, 2.0]]}), tmp_path / "ragged.parquet")
    with pytest.raises(InputError, match=r"lists of lengths \[1, 2\]"):
        read_vectors(tmp_path / "ragged.parquet", seed=0)


def test_more_neighbours_than_vectors_is_refused(tmp_path):
    with pytest.raises(InputError, match="k = 11 and 10 vectors"):
        run_ann(n_vectors=10, k=11)
    np.save(tmp_path / "few.npy", np.random.default_rng(0).standard_normal((40, 4)))
    with pytest.raises(InputError, match=r"k = 33 and 32 vectors to search \(vectors of few.npy\)"):
        run_ann(vectors=tmp_path / "few.npy", k=33)


def test_of_equal_vectors_any_is_as_good_as_another(tmp_path):
    np.save(tmp_path / "same.npy", np.ones((200, 8)))
    last = Contender("last", lambda matrix, seed: Built(lambda q, k, _: _rows(q, 160 - k), 0.0))
    once = Contender("once", lambda matrix, seed: Built(lambda q, k, _: 0 * _rows(q, 0), 0.0))
    rows = run_ann(vectors=tmp_path / "same.npy", contenders=[last, once]).rows
    assert [row.metrics["recall@10"].mean for row in rows] == [1.0, pytest.approx(0.1)]


def _rows(queries, first):
    return np.tile(np.arange(first, first + 10), (len(queries), 1))


def test_rows_of_zeros_have_no_direction_and_are_left_out(tmp_path):
    matrix = np.random.default_rng(0).standard_normal((80, 4))
    matrix[:30] = 0
    np.save(tmp_path / "some.npy", matrix)
    data = read_vectors(tmp_path / "some.npy", seed=0)
    assert len(data.items) == 40
    assert data.origin == "vectors of some.npy, 30 rows of zeros left out"
    matrix[:50] = 0
    np.save(tmp_path / "most.npy", matrix)
    with pytest.raises(InputError, match="50 of 80 rows are zeros"):
        read_vectors(tmp_path / "most.npy", seed=0)


def test_lists_of_words_are_no_vectors(tmp_path):
    pq.write_table(pa.table({"v": [["a", "b"]] * 50}), tmp_path / "words.parquet")
    with pytest.raises(InputError, match="column 'v': lists of string; expected lists of numbers"):
        read_vectors(tmp_path / "words.parquet", seed=0)
