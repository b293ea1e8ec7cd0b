"""Vectors of several towers become one vector that keeps what they say together."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.arrays import normalise
from bowerbird.content.joined_spaces import joined_spaces
from bowerbird.errors import InputError, SpaceMismatchError
from bowerbird.records.signal import Space, Vectors

ONE, TWO = Space("item", "one", 24), Space("item", "two", 16)


def drawn(seed: int, rows: int = 60) -> list[Vectors]:
    """Vectors in two spaces, of a few directions each."""
    draw = np.random.default_rng(seed)
    few = [np.random.default_rng(9).normal(size=(6, space.dim)) for space in (ONE, TWO)]
    made = [draw.normal(size=(rows, 6)) @ axes for axes in few]
    return [
        Vectors.full(space, normalise(matrix.astype(np.float32)))
        for space, matrix in zip((ONE, TWO), made, strict=True)
    ]


def test_products_are_the_mean_of_the_parts_and_a_shorter_vector_keeps_them_where_few_directions_are_used() -> (
    None
):
    seen, said = drawn(0), drawn(1, 80)
    wanted = sum(a.matrix @ b.matrix.T for a, b in zip(seen, said, strict=True)) / 2
    for dim in (40, 12):
        joined = joined_spaces(seen, said, dim)
        left, right = joined.project(seen), joined.project(said)
        assert left.space == right.space
        np.testing.assert_allclose(left.matrix @ right.matrix.T, wanted, atol=2e-5)


def test_a_prefix_is_what_a_shorter_space_would_be() -> None:
    seen, said = drawn(0), drawn(1)
    wide, short = (joined_spaces(seen, said, dim).project(seen).matrix for dim in (12, 5))
    np.testing.assert_allclose(normalise(np.ascontiguousarray(wide[:, :5])), short, atol=1e-5)


def test_a_row_that_one_part_lacks_is_absent() -> None:
    seen = drawn(0)
    joined = joined_spaces(seen, drawn(1), 8)
    gone = seen[1].take(np.r_[-1, np.arange(1, 60)])
    found = joined.project([seen[0], gone])
    assert found.present.tolist() == [False] + [True] * 59
    assert not found.matrix[0].any()


def test_what_does_not_fit_is_refused() -> None:
    seen, said = drawn(0), drawn(1)
    joined = joined_spaces(seen, said, 8)
    with pytest.raises(InputError, match="41 numbers of 40 side by side; expected 1 to 40"):
        joined_spaces(seen, said, 41)
    with pytest.raises(InputError, match=r"2 parts of \[10, 60\] rows; expected 2 of as many rows"):
        joined.project([seen[0], drawn(2, 10)[1]])
    with pytest.raises(SpaceMismatchError, match="joined spaces"):
        joined.project(seen[::-1])
    assert joined_spaces(seen, said, 8).space == joined.space
    assert joined_spaces(seen, drawn(3), 8).space != joined.space
