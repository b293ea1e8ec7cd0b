"""Smaller vectors, bridges between versions, and queries where the items are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.arrays import normalise
from bowerbird.content.alignment import fitted_adapter
from bowerbird.content.compact import from_bytes, shortened, to_bytes
from bowerbird.content.item_parts import Block, ItemParts
from bowerbird.content.query_space import away_from
from bowerbird.errors import InputError, SpaceMismatchError
from bowerbird.records.signal import Space, Vectors

OLD, NEW = Space("item", "1", 16), Space("item", "2", 16)


def drawn(space: Space, rows: int, seed: int = 0) -> Vectors:
    values = np.random.default_rng(seed).normal(size=(rows, space.dim)).astype(np.float32)
    return Vectors.full(space, normalise(values))


@given(st.integers(0, 1000))
def test_a_byte_a_number_loses_half_a_step_at_most(seed: int) -> None:
    matrix = drawn(OLD, 5, seed).matrix
    steps, sizes = to_bytes(matrix)
    assert (np.abs(from_bytes(steps, sizes) - matrix) <= sizes[:, None] * 0.5 + 1e-7).all()


def test_shortened_vectors_are_a_space_of_their_own() -> None:
    whole = drawn(OLD, 4)
    short = shortened(whole, 8)
    np.testing.assert_allclose(np.linalg.norm(short.matrix, axis=1), 1, atol=1e-6)
    with pytest.raises(SpaceMismatchError, match="cannot meet"):
        short.similarity(drawn(Space("item", "1", 8), 2))
    with pytest.raises(InputError, match="16 of 16 numbers"):
        shortened(whole, 16)


def test_a_turned_space_is_bridged_and_an_unrelated_one_is_told() -> None:
    old = drawn(OLD, 200)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0].astype(np.float32)
    new = Vectors.full(NEW, old.matrix @ turn)
    bridge = fitted_adapter(old, new)
    assert bridge.kept == 1.0
    np.testing.assert_allclose(bridge.carried(old).similarity(new), new.similarity(new), atol=1e-5)
    assert fitted_adapter(old, drawn(NEW, 200, 5)).kept < 0.3
    with pytest.raises(SpaceMismatchError, match="adapter"):
        bridge.carried(new)


def test_a_bridge_needs_the_same_items() -> None:
    with pytest.raises(InputError, match="10 of 10 and 10 items have both vectors"):
        fitted_adapter(drawn(OLD, 10), drawn(NEW, 10))
    with pytest.raises(InputError, match="0 of 40 and 30 items have both"):
        fitted_adapter(drawn(OLD, 40), drawn(NEW, 30))


def test_a_query_moves_away_from_what_it_must_not_be() -> None:
    wanted, unwanted = drawn(OLD, 3), drawn(OLD, 3, 1)
    moved = away_from(wanted, unwanted)
    assert (np.diagonal(moved.similarity(unwanted)) < np.diagonal(wanted.similarity(unwanted))).all()
    with pytest.raises(InputError, match="3 wanted and 2 unwanted"):
        away_from(wanted, drawn(OLD, 2))
    with pytest.raises(SpaceMismatchError, match="query"):
        away_from(wanted, drawn(NEW, 3))


def test_parts_of_different_items_are_refused() -> None:
    two, three = (Block(np.ones((n, 2), np.float32), np.ones(n, bool)) for n in (2, 3))
    with pytest.raises(InputError, match="blocks of different numbers of items"):
        ItemParts({"image": two, "text": three})
    with pytest.raises(InputError, match="no modality given"):
        ItemParts({})
    with pytest.raises(InputError, match="2 rows of values, 1 of present"):
        Block(np.ones((2, 2), np.float32), np.ones(1, bool))
