from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.training.batches import Ragged, padded, rung, token_batches, windows

lengths_of_users = st.lists(st.integers(0, 40), min_size=1, max_size=20)


@given(lengths_of_users, st.integers(2, 12), st.booleans())
def test_windows_make_every_event_but_the_first_a_target_once(lengths, length, shifted) -> None:
    users = np.repeat(np.arange(len(lengths)), lengths)
    sequences, _ = Ragged.of_users(users, len(lengths))
    starts, stops = windows(sequences, length, np.random.default_rng(0) if shifted else None)
    targets = sorted(
        place for start, stop in zip(starts, stops, strict=True) for place in range(start + 1, stop)
    )
    wanted = [place for first, end in zip(sequences.bounds, sequences.bounds[1:], strict=False)
              for place in range(first + 1, end)]  # fmt: skip
    assert targets == wanted
    assert all(stop - start - 1 <= length for start, stop in zip(starts, stops, strict=True))
    assert all(users[start] == users[stop - 1] for start, stop in zip(starts, stops, strict=True))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 200))
def test_batches_hold_every_sequence_once_and_stay_within_their_places(lengths, tokens) -> None:
    sizes = np.array(lengths)
    batches = token_batches(sizes, tokens, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(sizes.size))
    longest = int(sizes.max())
    assert all(
        batch.size == 1 or batch.size * rung(int(sizes[batch].max()), longest) <= tokens for batch in batches
    )
    # of few shapes: every batch but the last of all sequences is full
    full = [tokens // rung(int(sizes[batch].max()), longest) for batch in batches]
    assert sum(batch.size < most for batch, most in zip(batches, full, strict=True)) <= 1


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_rung_is_near_above_and_there_are_few(length, longest) -> None:
    found = rung(length, longest)
    assert length <= found <= max(longest, length)
    assert found <= 1.25 * length
    assert len({rung(one, 5000) for one in range(1, 2001)}) <= 42


def test_padding_of_length_batches_is_small() -> None:
    lengths = np.random.default_rng(0).geometric(0.12, 5000).clip(1, 50)
    places = sum(batch.size * lengths[batch].max() for batch in token_batches(lengths, 1024))
    assert places < 1.08 * lengths.sum()


def test_padded_rows_end_in_zeros() -> None:
    column = np.array([4, 5, 6, 7])
    assert padded(column, np.array([0, 3]), np.array([3, 4])).tolist() == [[4, 5, 6], [7, 0, 0]]
