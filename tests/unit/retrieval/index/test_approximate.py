from __future__ import annotations

import faiss
import numpy as np
import pytest

from bowerbird.errors import InputError, StorageError
from bowerbird.randomness import generator
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval.index import ApproximateIndex, ExactIndex, load_index, recall_at
from bowerbird.retrieval.index.approximate import _ladder, faiss_threads

SPACE = Space("picture", "1", 24)


def clustered(rows: int, noise: float = 0.5) -> Vectors:
    draw = generator(4, "clustered")
    centres = draw.standard_normal((40, SPACE.dim))
    matrix = centres[draw.integers(40, size=rows)] + noise * draw.standard_normal((rows, SPACE.dim))
    return Vectors.full(SPACE, matrix.astype(np.float32))


ALL = clustered(6200)
VECTORS, QUERIES = ALL.take(np.arange(6000)), ALL.take(np.arange(6000, 6200))


def test_tuning_reaches_the_recall_asked_for_on_vectors_it_has_not_seen():
    index = ApproximateIndex.build(VECTORS, target_recall=0.95)
    assert index.tuning.reached
    assert recall_at(index, ExactIndex(VECTORS), QUERIES, 10) >= 0.94  # 200 queries: se about .005


def test_a_higher_target_takes_at_least_as_many_probes():
    low = ApproximateIndex.build(VECTORS, target_recall=0.6).tuning
    high = ApproximateIndex.build(VECTORS, target_recall=0.95).tuning
    assert low.probes < high.probes
    assert low.recall < high.recall


def test_two_bytes_per_dimension_are_used_where_one_is_too_coarse():
    tight = clustered(2000, noise=0.05)  # neighbours differ by less than a byte can say
    index = ApproximateIndex.build(tight, target_recall=0.98)
    assert index.tuning.code == "fp16"
    assert index.tuning.reached


def test_the_same_seed_gives_the_same_bytes():
    def content(seed):
        return faiss.serialize_index(ApproximateIndex.build(VECTORS, seed=seed)._lists).tobytes()

    assert content(7) == content(7)
    assert content(7) != content(8)


def test_recall_holds_behind_a_filter_that_lets_few_pass():
    index, exact = ApproximateIndex.build(VECTORS), ExactIndex(VECTORS)
    allowed = generator(5, "allowed").random(6000) < 0.02
    found, truth = index.search(QUERIES, 10, allowed)[0], exact.search(QUERIES, 10, allowed)[0]
    assert (
        np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), truth.tolist(), strict=True)])
        > 0.95
    )


def test_faiss_keeps_the_threads_it_had():
    faiss.omp_set_num_threads(2)
    try:
        ApproximateIndex.build(VECTORS.take(np.arange(300))).search(QUERIES, 3)
        assert faiss.omp_get_max_threads() == 2
        with faiss_threads(1):
            assert faiss.omp_get_max_threads() == 1
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(1)


def test_a_file_of_another_kind_of_index_is_refused(tmp_path):
    ApproximateIndex.build(VECTORS).save(tmp_path)
    faiss.write_index(faiss.IndexFlatIP(24), str(tmp_path / "index.faiss"))
    with pytest.raises(StorageError, match="holds no inverted lists"):
        load_index(tmp_path)


def test_one_row_is_enough():
    one = VECTORS.take(np.array([0]))
    rows, _ = ApproximateIndex.build(one).search(QUERIES, 2)
    assert (rows == [0, -1]).all()


def test_probes_are_tried_in_growing_steps():
    assert _ladder(1) == [1]
    assert _ladder(20) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20]


def test_vectors_of_which_none_is_present_are_refused():
    nothing = Vectors(SPACE, np.zeros((3, 24), np.float32), np.zeros(3, dtype=bool))
    with pytest.raises(InputError, match="no row of space 'picture/1/24/cosine' has a vector"):
        ApproximateIndex.build(nothing)


@pytest.mark.parametrize("target", [0.0, 1.01])
def test_a_target_recall_out_of_range_is_refused(target):
    with pytest.raises(InputError, match="target_recall ="):
        ApproximateIndex.build(VECTORS, target_recall=target)
