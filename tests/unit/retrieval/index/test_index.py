"""Laws every index obeys, whichever its kind."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError, NotFoundError, SpaceMismatchError, StorageError
from bowerbird.randomness import generator
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval.index import (
    ApproximateIndex,
    ExactIndex,
    build_index,
    choose_index,
    load_index,
    recall_at,
    share_found,
)
from bowerbird.retrieval.index.protocol import CARD

SPACE = Space("picture", "1", 16)
KINDS = {"exact": ExactIndex, "approximate": ApproximateIndex.build}
every_kind = pytest.mark.parametrize("build", KINDS.values(), ids=KINDS)


def clustered(seed: int, rows: int, space: Space = SPACE) -> Vectors:
    draw = generator(seed, "clustered")
    centres = draw.standard_normal((20, space.dim))
    matrix = centres[draw.integers(20, size=rows)] + 0.5 * draw.standard_normal((rows, space.dim))
    return Vectors.full(space, matrix.astype(np.float32))


VECTORS = clustered(1, 1500)
QUERIES = clustered(1, 1600).take(np.arange(1500, 1520))


@every_kind
def test_the_filter_works_inside_the_search(build):
    allowed = np.zeros(1500, dtype=bool)
    allowed[generator(2, "allowed").choice(1500, size=12, replace=False)] = True
    rows, similarities = build(VECTORS).search(QUERIES, 10, allowed)
    assert (rows >= 0).all()  # 12 are allowed, so 10 are found, however rare they are
    assert allowed[rows].all()
    assert np.isfinite(similarities).all()


@every_kind
def test_a_search_comes_back_padded_only_when_no_more_rows_are_allowed(build):
    allowed = np.zeros(1500, dtype=bool)
    allowed[[5, 900]] = True
    rows, similarities = build(VECTORS).search(QUERIES, 4, allowed)
    assert (np.sort(rows[:, :2], axis=1) == [5, 900]).all()
    assert (rows[:, 2:] == -1).all()
    assert (similarities[:, 2:] == -np.inf).all()


@every_kind
def test_nothing_is_found_when_nothing_is_allowed(build):
    rows, similarities = build(VECTORS).search(QUERIES, 3, np.zeros(1500, dtype=bool))
    assert (rows == -1).all()
    assert (similarities == -np.inf).all()


@every_kind
def test_an_absent_row_is_never_found_and_an_absent_query_finds_nothing(build):
    present = np.ones(1500, dtype=bool)
    present[::2] = False
    index = build(Vectors(SPACE, np.where(present[:, None], VECTORS.matrix, np.float32(0)), present))
    rows, _ = index.search(VECTORS.take(np.array([3, -1])), 10)
    assert rows[0, 0] == 3
    assert (rows[0] % 2 == 1).all()
    assert (rows[1] == -1).all()


@every_kind
def test_more_neighbours_than_rows_pads(build):
    rows, _ = build(clustered(3, 7)).search(QUERIES, 9)
    assert (np.sort(rows, axis=1) == [-1, -1, *range(7)]).all()


@every_kind
def test_a_batch_equals_one_by_one(build):
    index = build(VECTORS)
    rows, similarities = index.search(QUERIES, 8)
    for q in range(len(QUERIES)):
        alone, alike = index.search(QUERIES.take(np.array([q])), 8)
        assert alone[0].tolist() == rows[q].tolist()
        assert np.allclose(alike[0], similarities[q], atol=1e-6)


@every_kind
def test_a_shorter_list_is_a_prefix_of_a_longer_one(build):
    index = build(VECTORS)
    assert (index.search(QUERIES, 5)[0] == index.search(QUERIES, 20)[0][:, :5]).all()


@every_kind
def test_a_found_vector_is_most_similar_to_itself(build):
    rows, similarities = build(VECTORS).search(VECTORS.take(np.arange(50)), 1)
    assert rows[:, 0].tolist() == list(range(50))
    assert np.allclose(similarities, 1.0, atol=1e-2)


@every_kind
def test_save_then_load_gives_equal_answers(build, tmp_path):
    index = build(VECTORS)
    index.save(tmp_path / "new" / "index")
    again = load_index(tmp_path / "new" / "index")
    assert type(again) is type(index)
    assert (again.space, len(again), again.size_bytes) == (index.space, len(index), index.size_bytes)
    for mine, theirs in zip(index.search(QUERIES, 10), again.search(QUERIES, 10), strict=True):
        assert (mine == theirs).all()


@every_kind
def test_vectors_of_another_space_are_refused(build):
    other = Vectors.full(Space("picture", "2", 16), QUERIES.matrix)
    with pytest.raises(SpaceMismatchError, match="picture/2/16/cosine"):
        build(VECTORS).search(other, 5)


@every_kind
def test_a_filter_of_another_length_is_refused(build):
    with pytest.raises(InputError, match="allowed has 3 rows, the index has 1500"):
        build(VECTORS).search(QUERIES, 5, np.ones(3, dtype=bool))


@every_kind
def test_asking_for_no_rows_is_refused(build):
    with pytest.raises(InputError, match="n = 0"):
        build(VECTORS).search(QUERIES, 0)


@every_kind
def test_a_dot_product_space_keeps_lengths(build):
    space = Space("affinity", "1", 16, "dot")
    vectors = Vectors.full(space, VECTORS.matrix)
    query = Vectors.full(space, QUERIES.matrix[:1])
    rows, similarities = build(vectors).search(query, 1)
    longest = float((VECTORS.matrix @ QUERIES.matrix[0]).max())
    assert similarities[0, 0] == pytest.approx(longest, rel=1e-2)
    assert rows[0, 0] == int(np.argmax(VECTORS.matrix @ QUERIES.matrix[0]))


@every_kind
def test_a_damaged_index_says_so(build, tmp_path):
    build(VECTORS).save(tmp_path)
    next(path for path in tmp_path.iterdir() if path.name != CARD).write_bytes(b"half a fi")
    with pytest.raises(StorageError, match="build the index again"):
        load_index(tmp_path)


@every_kind
def test_a_directory_that_cannot_be_made_says_so(build, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        build(VECTORS).save(tmp_path / "file")


def test_a_directory_without_an_index_says_so(tmp_path):
    with pytest.raises(NotFoundError, match="no index here"):
        load_index(tmp_path)


def test_a_damaged_card_says_so(tmp_path):
    (tmp_path / CARD).write_text('{"kind": "exact"}')
    with pytest.raises(StorageError, match="damaged card"):
        load_index(tmp_path)


def test_an_index_of_an_unknown_kind_is_refused(tmp_path):
    (tmp_path / CARD).write_text(json.dumps({"kind": "crystal", "space": SPACE.key}))
    with pytest.raises(StorageError, match="unknown kind 'crystal'"):
        load_index(tmp_path)


@given(seed=st.integers(0, 1000), rows=st.integers(1, 60), n=st.integers(1, 12), copies=st.integers(1, 4))
def test_the_exact_index_sorts_every_dot_product_and_breaks_ties_by_row(seed, rows, n, copies):
    draw = generator(seed, "whole numbers")
    space = Space("whole", "1", 3, "dot")
    # whole numbers: dot products are exact, and many tie
    matrix = np.tile(draw.integers(-2, 3, size=(rows, 3)), (copies, 1)).astype(np.float32)
    queries = draw.integers(-2, 3, size=(4, 3)).astype(np.float32)
    found, similarities = ExactIndex(Vectors.full(space, matrix)).search(Vectors.full(space, queries), n)
    scores = queries @ matrix.T
    for q in range(4):
        expected = sorted(range(rows * copies), key=lambda row, q=q: (-scores[q, row], row))[:n]
        assert found[q, : len(expected)].tolist() == expected
        assert similarities[q, : len(expected)].tolist() == scores[q, expected].tolist()


def test_the_exact_scan_agrees_with_sorting_across_its_blocks(monkeypatch):
    monkeypatch.setattr("bowerbird.retrieval.index.exact._ROWS", 100)
    monkeypatch.setattr("bowerbird.retrieval.index.exact._QUERIES", 7)
    rows, _ = ExactIndex(VECTORS).search(QUERIES, 15)
    unit = VECTORS.matrix / np.linalg.norm(VECTORS.matrix, axis=1, keepdims=True)
    expected = np.argsort(-(QUERIES.matrix @ unit.T), axis=1, kind="stable")[:, :15]
    assert (rows == expected).all()


def test_small_catalogues_are_scanned_and_large_ones_listed():
    assert choose_index(20_000, 128) == "exact"
    assert choose_index(20_001, 128) == "approximate"
    assert isinstance(build_index(VECTORS), ExactIndex)


def test_a_large_catalogue_gets_an_approximate_index(monkeypatch):
    monkeypatch.setattr("bowerbird.retrieval.index.choice.EXACT_UP_TO", 100)
    assert isinstance(build_index(VECTORS, seed=3), ApproximateIndex)


def test_recall_counts_the_rows_found_of_those_there_are():
    assert share_found(np.array([[1, 2, 3]]), np.array([[3, 1, 9]])) == 2 / 3
    assert share_found(np.array([[1, -1]]), np.array([[1, -1]])) == 1.0


def test_recall_of_the_exact_index_against_itself_is_one():
    exact = ExactIndex(VECTORS)
    assert recall_at(exact, exact, QUERIES, 10) == 1.0


def test_recall_between_indexes_of_different_catalogues_is_refused():
    with pytest.raises(InputError, match="7 rows against an exact one of 1500"):
        recall_at(ExactIndex(clustered(3, 7)), ExactIndex(VECTORS), QUERIES, 10)
