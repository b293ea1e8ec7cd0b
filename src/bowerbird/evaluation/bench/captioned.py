"""Pictures and what is said of them, from two files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64

from bowerbird.datasets.columns import texts
from bowerbird.datasets.picture_source import PictureSource, name_column, picture_source
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.labelled import PART_NAMES, SPLIT_COLUMN, SPLIT_WORDS
from bowerbird.randomness import generator

__all__ = ["Captioned", "captioned_pictures"]

TEXT_COLUMNS = ("caption", "title", "text", "description", "label")
"""Columns that may hold what is said, in the order they are tried."""
TRAIN, DEV, TEST = 0, 1, 2
Use = Literal["both", "fit", "ask"]


@dataclass(frozen=True)
class Captioned:
    """Pictures with one or more texts each.

    Args:
        name: what a table calls the set.
        source: where the pictures are.
        places: place of each picture in the source.
        captions: the texts.
        picture_of: row of each text's picture.
        part: of each picture: 0 train, 1 dev, 2 test, -1 none.
        notes: what was left out and where the parts come from.
        hash: fingerprint of names and texts.
    """

    name: str
    source: PictureSource
    places: Int64[np.ndarray, "picture"]
    captions: tuple[str, ...]
    picture_of: Int64[np.ndarray, "text"]
    part: Int64[np.ndarray, "picture"]
    notes: tuple[str, ...]
    hash: str

    @property
    def reported(self) -> int:
        """The part that is reported: test, or dev where there is no test."""
        return TEST if (self.part == TEST).any() else DEV


def captioned_pictures(images: Path, captions: Path, seed: int, use: Use = "both") -> Captioned:
    """Pictures and their texts, joined by the picture's name.

    Without a split column, or with train alone in it, a tenth of the pictures, at most 1,000, is drawn as the test.

    Args:
        images: see :func:`~bowerbird.datasets.picture_source.picture_source`.
        captions: a table with a column that names the picture, one with the text and perhaps ``split``.
        seed: draws the split where there is none.
        use: what the set is for; one that is only learnt from, or only asked about, needs no other part.

    Raises:
        NotFoundError: a file is not there.
        InputError: a column is missing, or no row names a picture.
    """
    table, source = read_table(captions), picture_source(images)
    said = name_column(table.column_names, TEXT_COLUMNS)
    named = name_column([name for name in table.column_names if name != said])
    if said is None or named is None:
        raise InputError(
            f"{captions.name}: expected a column that names the picture (image, file, item_id, ...) and one of "
            f"{', '.join(TEXT_COLUMNS)}; found {', '.join(table.column_names)}"
        )
    cells, names = texts(table.column(said)).to_pylist(), texts(table.column(named)).to_pylist()
    found = np.array(source.resolve(names), dtype=np.int64)
    spoken = np.array([cell is not None for cell in cells], dtype=bool)
    rows = np.flatnonzero((found >= 0) & spoken)
    if not rows.size:
        raise InputError(
            f"{captions.name} column {named!r}: none of {len(cells):,} rows names a picture of {source.place} and says "
            f"something ({names[:1]} against {list(source.all_names[:1])}); expected its path, file name or item id"
        )
    places, picture_of = np.unique(found[rows], return_inverse=True)
    notes = [f"{said} joined to pictures by {named}"]
    if rows.size < len(cells):
        notes.append(f"{len(cells) - rows.size:,} of {len(cells):,} rows without a picture or text left out")
    part = np.full(len(places), -1, dtype=np.int64)
    if SPLIT_COLUMN in table.column_names:
        words = texts(table.column(SPLIT_COLUMN)).to_pylist()
        part[picture_of] = [SPLIT_WORDS.get((words[row] or "").lower(), -1) for row in rows]
    part, how = _checked_parts(part, seed, captions.name, use)
    notes += [how] if how else []
    kept = tuple(cells[row] for row in rows)
    digest = hashlib.blake2b("\0".join(kept).encode(), digest_size=8)
    digest.update("\0".join(source.all_names[place] for place in places).encode())
    return Captioned(
        captions.parent.name or captions.stem,
        source,
        places,
        kept,
        picture_of.astype(np.int64),
        part,
        tuple(notes),
        digest.hexdigest(),
    )


def _checked_parts(
    part: Int64[np.ndarray, "picture"], seed: int, file: str, use: Use
) -> tuple[Int64[np.ndarray, "picture"], str]:
    """Parts that can be trained and reported on; drawn where the file gives none."""
    met = [one for one in (TRAIN, DEV, TEST) if (part == one).any()]
    if use == "fit" and not met:
        return np.full(len(part), TRAIN, dtype=np.int64), ""
    if use == "fit" and len(met) == 1:
        return np.where(part == met[0], TRAIN, -1), ""
    if any(one in met for one in (DEV, TEST)) and (TRAIN in met or use == "ask"):
        return part, "the file's own split"
    if met == [DEV, TEST]:
        raise InputError(
            f"{file} column 'split': no train pictures, {int((part == DEV).sum())} dev and "
            f"{int((part == TEST).sum())} test; expected the words {', '.join(SPLIT_WORDS)} with train among them, "
            "a file without a split column, or --fit with a set to train on"
        )
    rows = np.flatnonzero(part == met[0]) if met else np.arange(len(part))
    count = min(max(rows.size // 10, 1), 1000)
    drawn = np.full(len(part), -1, dtype=np.int64)
    drawn[rows] = TRAIN
    drawn[generator(seed, "bench", "captioned").permutation(rows)[:count]] = TEST
    of = f" of the file's {PART_NAMES[met[0]]} rows, the only ones," if met else ""
    return drawn, f"split drawn: {count:,} pictures{of} for test"
