"""Pictures and what is said of them, from two files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from bowerbird.datasets.columns import flat, texts
from bowerbird.datasets.picture_source import PictureSource, cells_of, name_column, picture_source
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.labelled import PART_NAMES, SPLIT_COLUMN
from bowerbird.evaluation.splits import SPLIT_WORDS
from bowerbird.randomness import generator

__all__ = ["Captioned", "captioned_pictures"]

TEXT_COLUMNS = ("caption", "captions", "sentence", "comment", "title", "text", "description", "label")
"""Columns that may hold what is said, in the order they are tried."""
_NUMBERED = re.compile(r"(?i)(caption|sentence|text)_?\d+")
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

    A picture may have several texts: in rows, in a list, or in columns caption_0, caption_1, ...
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
    source = picture_source(images)
    table, said = _one_text_a_row(read_table(captions), source, captions.name)
    cells, others = texts(table.column(said)).to_pylist(), cells_of(table, (said, SPLIT_COLUMN))
    named = source.naming(others) or name_column(list(others)) or next(iter(others), None)
    if named is None:
        raise InputError(
            f"{captions.name}: expected a column that names the picture (image, file, item_id, ...) beside {said!r}; "
            f"found {', '.join(table.column_names)}"
        )
    names = others[named]
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


def _one_text_a_row(table: pa.Table, source: PictureSource, file: str) -> tuple[pa.Table, str]:
    """The captions one to a row, and their column: a usual one, else the only text beside the column that names pictures.

    A picture's may come as a list, or in columns caption_0, caption_1, ...

    Raises:
        InputError: no column holds texts.
    """
    lower = {name.lower(): name for name in table.column_names}
    said = next((lower[name] for name in TEXT_COLUMNS if name in lower), None)
    numbered = [name for name in table.column_names if _NUMBERED.fullmatch(name)]
    if said is None and numbered:
        rest = [name for name in table.column_names if name not in numbered]
        parts = [table.select([*rest, name]).rename_columns([*rest, TEXT_COLUMNS[0]]) for name in numbered]
        return pa.concat_tables(parts, promote_options="permissive"), TEXT_COLUMNS[0]
    if said is None:
        cells = cells_of(table, (SPLIT_COLUMN,))
        rest = [name for name in cells if name != source.naming(cells)]
        said = rest[0] if len(rest) == 1 < len(cells) else None
    if said is None:
        raise InputError(
            f"{file}: no column of texts; expected one of {', '.join(TEXT_COLUMNS)}; "
            f"found {', '.join(table.column_names)}"
        )
    kind = table.schema.field(said).type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lists = flat(table.column(said))
        rest = table.drop_columns([said]).take(pc.list_parent_indices(lists))
        return rest.append_column(said, pc.list_flatten(lists)), said
    return table, said


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
