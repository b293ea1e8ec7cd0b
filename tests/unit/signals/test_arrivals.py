"""Small pieces kept in few, in their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bowerbird.signals.arrivals import Arrivals


def joined(pieces: list[list[int]]) -> list[int]:
    return [one for piece in pieces for one in piece]


@given(st.lists(st.integers(0, 20), max_size=200))
def test_pieces_are_few_and_nothing_is_lost_or_out_of_order(sizes):
    arrivals, sent = Arrivals(joined), []
    for size in sizes:
        piece = list(range(len(sent), len(sent) + size))
        sent += piece
        arrivals.add(piece)
        assert len(arrivals.pieces) <= 2 + len(sent).bit_length()
    assert joined(arrivals.pieces) == sent
    assert (arrivals.taken() or []) == sent
    assert arrivals.pieces == []
