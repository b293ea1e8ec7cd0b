"""Vocabulary: external string ids on one side, dense int32 rows on the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int32

from bowerbird.errors import InputError, NotFoundError, did_you_mean

AnyId = str | int | float | np.integer
"""An id as somebody may hold it: a table of numbers gives integers, and one with gaps gives floats."""


def id_text(given: AnyId) -> str:
    """An id as the text it is kept under, whatever type the caller's table had.

    The rule is that of importing: 17, 17.0 and "17" are one id. Without it a person imported as a number would be a
    stranger when asked about as one.

    Raises:
        InputError: it is neither text nor a whole number.

    Example:
        >>> id_text(17), id_text(17.0), id_text("017")
        ('17', '17', '017')
    """
    if isinstance(given, str):
        return given
    if isinstance(given, bool) or (isinstance(given, float) and not given.is_integer()):
        raise InputError(f"id {given!r}: expected text or a whole number, as ids are imported")
    return str(int(given))


def id_text_or_none(given: AnyId | None) -> str | None:
    """:func:`id_text` of an id that may be left out."""
    return None if given is None else id_text(given)


@dataclass(frozen=True)
class Vocabulary:
    """The ids of one kind of entity, in row order.

    Rows are what arrays are indexed by; ids are what people and files use. A vocabulary never
    changes: a new catalogue version makes a new one.

    Args:
        kind: what the ids name, for messages: ``item``, ``user``.
        ids: the ids, unique, in row order.

    Raises:
        InputError: an id occurs twice.

    Example:
        >>> items = Vocabulary("item", ("a", "b"))
        >>> items.row("b"), items.id(0), len(items)
        (1, 'a', 2)
        >>> items.rows(["b", "zz"]).tolist()
        [1, -1]
    """

    kind: str
    ids: tuple[str, ...]
    _rows: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = {name: row for row, name in enumerate(self.ids)}
        if len(rows) != len(self.ids):
            seen: set[str] = set()
            twice = next(name for name in self.ids if name in seen or seen.add(name))
            raise InputError(f"{self.kind} vocabulary: id {twice!r} occurs twice; ids must be unique")
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def row(self, name: AnyId) -> int:
        """The row of an id.

        Raises:
            NotFoundError: the id is not in the vocabulary.
        """
        name = id_text(name)
        row = self._rows.get(name)
        if row is None:
            hint = did_you_mean(name, self.ids[:5000]) if len(self.ids) else "there are none yet"
            hint = hint if hint.startswith("did") or len(hint) < 80 else f"{len(self.ids)} are known"
            raise NotFoundError(f"{self.kind} {name!r} is not known; {hint}")
        return row

    def id(self, row: int) -> str:
        """The id of a row."""
        return self.ids[row]

    def rows(self, names: Iterable[str | None]) -> Int32[np.ndarray, "n"]:
        """Rows of many ids; -1 where an id is not known."""
        get = self._rows.get
        return np.fromiter((get(name, -1) if name is not None else -1 for name in names), dtype=np.int32)

    def names(self, rows: Sequence[int] | Int32[np.ndarray, "n"]) -> list[str]:
        """Ids of many rows."""
        ids = self.ids
        return [ids[row] for row in rows]
