from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import StorageError
from bowerbird.stores.id_runs import known_in, read_run, runs_to_merge, sorted_run, write_run

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12)


def lanes(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, dtype=np.uint64).reshape(-1, 2).T.copy()


@given(PAIRS, PAIRS)
def test_a_hash_is_known_exactly_when_both_lanes_are(there, asked):
    found = known_in(sorted_run(lanes(there)), lanes(asked))
    assert found.tolist() == [pair in there for pair in asked]


def test_a_run_comes_back_sorted(tmp_path):
    write_run(tmp_path, "ids-1.npy", lanes([(2, 5), (1, 6)]))
    assert read_run(tmp_path, "ids-1.npy").tolist() == [[1, 2], [6, 5]]
    assert [path.name for path in tmp_path.iterdir()] == ["ids-1.npy"]


def test_a_damaged_run_says_where(tmp_path):
    (tmp_path / "ids-1.npy").write_bytes(b"not an array")
    for name in ("ids-1.npy", "ids-2.npy"):
        with pytest.raises(
            StorageError, match=rf"{name}: index of event ids cannot be read.*restore the file"
        ):
            read_run(tmp_path, name)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=200))
def test_there_are_about_as_many_runs_as_doublings(sizes):
    runs: list[int] = []
    for size in sizes:
        runs.append(size)
        count = runs_to_merge(runs)
        if count:
            runs = [*runs[:-count], sum(runs[-count:])]
    assert sum(runs) == sum(sizes)
    assert len(runs) <= 2 + np.log2(sum(sizes))
