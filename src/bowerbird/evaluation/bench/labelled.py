"""Labelled pictures from two files: what benches of classes and attributes read.

Labels may have gaps, name pictures that are not there, or hold one class only; every loss is counted and told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from bowerbird.datasets.columns import texts
from bowerbird.datasets.picture_source import PictureSource, cells_of, name_column, picture_source
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError, did_you_mean
from bowerbird.evaluation.splits import SPLIT_WORDS
from bowerbird.randomness import generator

__all__ = ["LabelColumn", "Labelled", "Parts", "labelled_pictures", "parts_of"]

SPLIT_COLUMN = "split"
PART_NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class LabelColumn:
    """One column of labels.

    Args:
        name: the column.
        classes: the distinct labels, sorted.
        codes: class of each picture; -1 where the cell is empty.
    """

    name: str
    classes: tuple[str, ...]
    codes: Int64[np.ndarray, " picture"]


@dataclass(frozen=True)
class Labelled:
    """Pictures with labels.

    Args:
        source: where the pictures are.
        places: place of each labelled picture in the source.
        columns: the labels.
        split: 0, 1, 2 as :data:`SPLIT_WORDS`, or -1 for another word; None without a split column.
        notes: what was left out, for the table's foot.
        hash: fingerprint of names and labels.
    """

    source: PictureSource
    places: Int64[np.ndarray, " picture"]
    columns: tuple[LabelColumn, ...]
    split: Int64[np.ndarray, " picture"] | None
    notes: tuple[str, ...]
    hash: str

    def __len__(self) -> int:
        return self.places.size

    def kept(self, rows: Int64[np.ndarray, " kept"], note: str = "") -> Labelled:
        """The labelled pictures of some rows, e.g. those that could be read."""
        return Labelled(
            self.source,
            self.places[rows],
            tuple(LabelColumn(one.name, one.classes, one.codes[rows]) for one in self.columns),
            None if self.split is None else self.split[rows],
            (*self.notes, note) if note else self.notes,
            self.hash,
        )


@dataclass(frozen=True)
class Parts:
    """Rows of the three parts."""

    train: Int64[np.ndarray, " train"]
    valid: Int64[np.ndarray, " valid"]
    test: Int64[np.ndarray, " test"]
    how: str
    """One line on where they come from."""


def labelled_pictures(images: Path, labels: Path, columns: Sequence[str]) -> Labelled:
    """Pictures and the columns asked for, joined by the picture's name.

    Args:
        images: see :func:`~bowerbird.datasets.picture_source.picture_source`.
        labels: a table with a column that names the picture, the label columns and perhaps ``split``.
        columns: label columns, at least one.

    Raises:
        NotFoundError: a file is not there.
        InputError: a column is missing or without a label, or no label names a picture.
    """
    table, source = read_table(labels), picture_source(images)
    known = [name for name in table.column_names if name != SPLIT_COLUMN]
    if not columns:
        raise InputError(f"columns: none named; expected some of {labels.name}'s {', '.join(known)}")
    for name in columns:
        if name not in table.column_names:
            raise InputError(f"{labels.name}: no column {name!r}; {did_you_mean(name, known)}")
    places, named = _places(table, source, columns, labels.name)
    rows = np.flatnonzero(places >= 0)
    places = places[rows]
    first = np.unique(places, return_index=True)[1]  # reading order
    rows, places = rows[first], places[first]
    notes = [f"labels joined to pictures by {named}"]
    if len(table) > rows.size:
        notes.append(f"{len(table) - rows.size:,} of {len(table):,} label rows without a picture left out")
    read = tuple(_column(name, table, rows) for name in columns)
    empty = [one.name for one in read if not one.classes]
    if empty:
        raise InputError(
            f"{labels.name}: column {empty[0]!r} holds no label for any of {rows.size:,} pictures; name columns with labels"
        )
    split = _split(table, rows) if SPLIT_COLUMN in table.column_names else None
    digest = hashlib.blake2b(digest_size=8)
    for place in places:
        digest.update(source.all_names[place].encode() + b"\0")
    for one in read:
        digest.update("\0".join(one.classes).encode() + one.codes.tobytes())
    return Labelled(source, places, read, split, tuple(notes), digest.hexdigest())


def parts_of(labelled: Labelled, seed: int) -> Parts:
    """Train, validation and test rows: the file's own split, or a drawn one of 70, 10 and 20 percent.

    Where the file has a validation part and no test part, its validation part is the test, and what is chosen
    is chosen on an eighth of train. Where all rows are of one part, as in a file that is the train part of a set,
    the parts are drawn from it. Never is anything chosen on the test.

    Args:
        labelled: the pictures.
        seed: draws what has to be drawn.

    Raises:
        InputError: too few pictures, or a split without train or without anything to test on.
    """
    count = len(labelled)
    if count < 10:
        raise InputError(f"{count} labelled pictures; expected at least 10 to train, choose and test on")
    draws = generator(seed, "bench", "parts")
    if labelled.split is None:
        return _drawn(np.arange(count), draws)
    met = [part for part in range(3) if (labelled.split == part).any()]
    if len(met) == 1 and (rows := np.flatnonzero(labelled.split == met[0])).size >= 10:
        return _drawn(rows, draws, f" from the file's {PART_NAMES[met[0]]} rows, the only ones")
    train, valid, test = (np.flatnonzero(labelled.split == part) for part in range(3))
    how = "the file's own split"
    if test.size == 0:
        valid, test = test, valid
        how += "; tested on its validation part"
    if train.size < 8 or test.size == 0:
        raise InputError(
            f"split: {train.size} train and {test.size} test pictures; expected the words "
            f"{', '.join(SPLIT_WORDS)} with at least 8 train and 1 test, or a file without a split column"
        )
    if valid.size == 0:
        order = draws.permutation(train)
        cut = max(train.size // 8, 1)
        train, valid = np.sort(order[cut:]), np.sort(order[:cut])
        how += "; validation drawn from train"
    return Parts(train, valid, test, how)


def _drawn(rows: Int64[np.ndarray, " row"], draws: np.random.Generator, of: str = "") -> Parts:
    order = draws.permutation(rows)
    ends = (round(0.7 * rows.size), round(0.8 * rows.size))
    train, valid, test = (np.sort(part) for part in np.split(order, ends))
    return Parts(train, valid, test, f"split drawn{of}: 70 % train, 10 % validation, 20 % test")


def _places(
    table: pa.Table, source: PictureSource, columns: Sequence[str], file: str
) -> tuple[Int64[np.ndarray, " row"], str]:
    cells = cells_of(table, (*columns, SPLIT_COLUMN))
    named = source.naming(cells)
    if named is not None:
        return np.array(source.resolve(cells[named]), dtype=np.int64), f"column {named!r}"
    meant = name_column(list(cells))
    if meant is not None:
        examples = f"{cells[meant][0]!r} against {source.all_names[0]!r}" if cells[meant] else "empty"
        raise InputError(
            f"{file} column {meant!r}: none of {len(table):,} cells names a picture of {source.place} "
            f"({examples}); expected its path, file name or item id"
        )
    if len(table) != len(source):
        raise InputError(
            f"{file}: no column names the pictures and its {len(table):,} rows are not the "
            f"{len(source):,} pictures of {source.place}; expected a column image, file or item_id"
        )
    return np.arange(len(table), dtype=np.int64), "order of rows"


def _column(name: str, table: pa.Table, rows: Int64[np.ndarray, " kept"]) -> LabelColumn:
    cells = texts(table.column(name)).take(pa.array(rows)).to_pylist()
    classes = tuple(sorted({cell for cell in cells if cell is not None}))
    code_of = {label: code for code, label in enumerate(classes)}
    codes = np.array([-1 if cell is None else code_of[cell] for cell in cells], dtype=np.int64)
    return LabelColumn(name, classes, codes)


def _split(table: pa.Table, rows: Int64[np.ndarray, " kept"]) -> Int64[np.ndarray, " kept"]:
    cells = texts(table.column(SPLIT_COLUMN)).take(pa.array(rows)).to_pylist()
    return np.array([SPLIT_WORDS.get((cell or "").lower(), -1) for cell in cells], dtype=np.int64)
