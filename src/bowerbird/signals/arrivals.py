"""What arrives in many small pieces, kept in few."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Generic, TypeVar

__all__ = ["Arrivals"]

Piece = TypeVar("Piece", bound=Sized)


class Arrivals(Generic[Piece]):
    """Pieces in order of arrival, the small ones joined as they come.

    A table or an array of one event costs a hundred times the event. A piece is joined to the one before it until
    that is more than twice as long, so there are about ``log2(total)`` of them and each event is copied as often.

    Args:
        join: one piece of several, in their order.

    Example:
        >>> few = Arrivals(lambda pieces: [one for piece in pieces for one in piece])
        >>> for number in range(100):
        ...     few.add([number])
        >>> len(few.pieces) < 8, few.taken() == list(range(100)), few.taken()
        (True, True, None)
    """

    def __init__(self, join: Callable[[list[Piece]], Piece]) -> None:
        self._join = join
        self.pieces: list[Piece] = []
        """What is kept, oldest first."""

    def add(self, piece: Piece) -> None:
        """Keep one more."""
        start = len(self.pieces)
        size = len(piece)
        while start and len(self.pieces[start - 1]) <= 2 * size:
            start -= 1
            size += len(self.pieces[start])
        self.pieces[start:] = (
            [self._join([*self.pieces[start:], piece])] if start < len(self.pieces) else [piece]
        )

    def taken(self) -> Piece | None:
        """All of it as one piece, which is no longer kept; None when nothing arrived."""
        pieces, self.pieces = self.pieces, []
        return self._join(pieces) if pieces else None
