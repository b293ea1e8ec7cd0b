"""What every vector cache promises. Its maker is for vectors of :data:`SPACE`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.stores.protocol import VectorCache
from bowerbird.testing.contracts.examples import AWKWARD_TEXTS, SPACE, vectors

Make = Callable[[], VectorCache]


def a_new_cache_misses_everything(make: Make) -> None:
    """Each hash is missing once, in order; reading gives absent rows."""
    cache = make()
    assert cache.missing(["b", "a", "b"]) == ["b", "a"]
    assert not cache.get(["a", "b"]).present.any()
    assert cache.get([]).matrix.shape == (0, SPACE.dim)
    assert cache.space == SPACE
    assert len(cache) == 0


def what_was_appended_comes_back(make: Make) -> None:
    """Row by row, whatever is asked for, in whatever order; strange hashes too."""
    cache = make()
    matrix = vectors(len(AWKWARD_TEXTS)).matrix
    cache.append(AWKWARD_TEXTS, matrix)
    found = cache.get([AWKWARD_TEXTS[2], "unknown", AWKWARD_TEXTS[0]])
    assert found.present.tolist() == [True, False, True]
    assert found.matrix.tolist() == [matrix[2].tolist(), [0.0] * SPACE.dim, matrix[0].tolist()]
    assert cache.missing(["unknown", *AWKWARD_TEXTS]) == ["unknown"]


def many_small_appends_are_one_cache(make: Make) -> None:
    """One hundred appends read as one; a hash appended again keeps its first vector."""
    cache = make()
    names = [f"h{n}" for n in range(100)]
    matrix = vectors(100).matrix
    for n in range(100):
        cache.append([names[n], names[0]], matrix[[n, 50]] if n else matrix[[0, 0]])
    assert np.array_equal(cache.get(names).matrix, matrix)
    assert cache.missing(names) == []
    assert len(cache) == 100


def vectors_that_do_not_fit_are_refused(make: Make) -> None:
    """Another width, another count or a NaN: nothing is kept."""
    cache = make()
    with pytest.raises(InputError, match=r"shape \(1, 2\), expected \(1, 3\)"):
        cache.append(["a"], np.zeros((1, 2), np.float32))
    with pytest.raises(InputError, match=r"shape \(1, 3\), expected \(2, 3\)"):
        cache.append(["a", "b"], np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match="'b' is not finite"):
        cache.append(["a", "b"], np.array([[0, 0, 0], [0, np.nan, 0]], np.float32))
    cache.append([], np.zeros((0, 3), np.float32))
    assert cache.missing(["a", "b"]) == ["a", "b"]


LAWS = (
    a_new_cache_misses_everything,
    what_was_appended_comes_back,
    many_small_appends_are_one_cache,
    vectors_that_do_not_fit_are_refused,
)
