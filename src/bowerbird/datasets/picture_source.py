"""Pictures that a table of labels or pairs names: a folder, one parquet file or several shards of bytes.

A bench or a training run is given pictures in one place and what is known about them in another. The cell
that names a picture may be its path, its file name or its stem (an item id); :meth:`PictureSource.resolve`
tries them in this order and never guesses between two pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import final

import pyarrow as pa
import pyarrow.parquet as pq

from bowerbird.datasets.columns import flat, texts
from bowerbird.datasets.images import IMAGE_ENDINGS, ImageFolder, bytes_column, checked
from bowerbird.datasets.import_batch import Picture
from bowerbird.datasets.tables import iter_batches
from bowerbird.errors import InputError, NotFoundError

__all__ = ["NAME_COLUMNS", "PictureSource", "cells_of", "name_column", "picture_source"]

NAME_COLUMNS = (
    "image",
    "image_name",
    "image_path",
    "image_id",
    "file_name",
    "filename",
    "file",
    "path",
    "name",
    "item_id",
    "id",
)
"""Columns that may name a picture, in the order they are tried."""

_BATCH_ROWS = 256  # pictures held in memory at once


@final
@dataclass(frozen=True)
class PictureSource:
    """Named pictures, read in their own order with bounded memory.

    Args:
        place: what messages call it.
        folder: the folder of picture files, or None.
        shards: parquet files of bytes, in order; empty with a folder.
        all_names: names in reading order; a row without a name is called by its number.
    """

    place: str
    folder: ImageFolder | None
    shards: tuple[Path, ...]
    all_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.all_names)

    def resolve(self, cells: Iterable[str | None]) -> list[int]:
        """Which picture each cell names, as its place in the reading order; -1 for none or no single one.

        Example:
            >>> source = PictureSource("x", None, (), ("a/7.jpg", "b/8.jpg", "b/7.jpg"))
            >>> source.resolve(["a/7.jpg", "8", "8.jpg", "7", None])
            [0, 1, 1, -1, -1]
        """
        ways = self._ways
        found = []
        for cell in cells:
            keys = () if cell is None else (_whole(cell), _file(cell), _stem(cell), _file(cell))
            lookups = (ways[0], ways[1], ways[2], ways[2])
            places = (way.get(key, -1) for way, key in zip(lookups, keys, strict=False))
            found.append(next((place for place in places if place >= 0), -1))
        return found

    @cached_property
    def _ways(self) -> tuple[dict[str, int], ...]:
        """Places of the pictures by path, by file name and by stem."""
        return tuple(_unique(map(way, self.all_names)) for way in (_whole, _file, _stem))

    def naming(
        self, cells: Mapping[str, Sequence[str | None]], usual: Sequence[str] = NAME_COLUMNS
    ) -> str | None:
        """The column that names the pictures: a usual one that names any, else the one that names most; None if none does.

        Args:
            cells: columns, see :func:`cells_of`.
            usual: names of columns in the order they are tried, in any case.

        Example:
            >>> source = PictureSource("x", None, (), ("a/7.jpg", "b/8.jpg"))
            >>> source.naming({"id": ["1", "2"], "Photo": ["8.jpg", "7.jpg"]})
            'Photo'
        """
        hits = {
            name: sum(place >= 0 for place in self.resolve(cells[name]))
            for name in sorted(cells, key=lambda name: _order(name, usual))
        }
        best = next((name for name in hits if name.lower() in usual and hits[name]), None)
        best = best or max(hits, key=hits.__getitem__, default=None)
        return best if best is not None and hits[best] else None

    def pictures(self, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Picture]]:
        """The pictures at some places, in reading order, each with bytes or the reason it has none.

        Args:
            wanted: places in the reading order; all when None.
        """
        chosen = None if wanted is None else set(wanted)
        if self.folder is not None:
            for place, name in enumerate(self.all_names):
                if chosen is None or place in chosen:
                    yield place, self.folder.read(name, name)
            return
        place = 0
        for shard in self.shards:
            for batch in iter_batches(shard, _BATCH_ROWS):
                data = _bytes_of(pa.Table.from_batches([batch]))
                for row in range(batch.num_rows):
                    if chosen is None or place in chosen:
                        name = self.all_names[place]
                        yield place, checked(name, data[row].as_py(), f"{shard.name}: {name}")
                    place += 1


def picture_source(path: Path) -> PictureSource:
    """The pictures at a path.

    Args:
        path: a folder of picture files, a parquet file with a column of bytes (``jpeg``, ``bytes`` or
            ``image``), a folder of such parquet files, or a pattern such as ``rooms-*.parquet``.

    Raises:
        NotFoundError: nothing is there.
        InputError: what is there holds no pictures.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.png").write_bytes(b"...")
        >>> picture_source(folder).all_names
        ('a.png',)
    """
    if "*" in path.name:
        return _of_shards(path.name, sorted(path.parent.glob(path.name)))
    if path.is_dir():
        folder = ImageFolder(path)
        names = tuple(folder.files())
        return PictureSource(path.name, folder, (), names) if names else _of_shards(path.name, _shards(path))
    if not path.exists():
        raise NotFoundError(f"{path}: no such file or folder; give a folder of pictures or a parquet file")
    return _of_shards(path.name, [path])


def cells_of(table: pa.Table, without: Collection[str] = ()) -> dict[str, list[str | None]]:
    """Columns that may name something, as text: neither bytes nor lists."""
    plain = [
        field.name
        for field in table.schema
        if field.name not in without
        and not (pa.types.is_nested(field.type) or pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type))
    ]  # fmt: skip
    return {name: texts(table.column(name)).to_pylist() for name in plain}


def name_column(columns: Sequence[str], known: Sequence[str] = NAME_COLUMNS) -> str | None:
    """The column of a table that names pictures, or None.

    Example:
        >>> name_column(["label", "item_id"])
        'item_id'
    """
    return next((name for name in known if name in columns), None)


def _shards(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.parquet"))
    return [file for file in files if bytes_column(pq.read_schema(file)) is not None]


def _of_shards(place: str, shards: list[Path]) -> PictureSource:
    if not shards:
        raise InputError(
            f"{place}: holds no picture; expected picture files or parquet files with their bytes"
        )
    names: list[str] = []
    for shard in shards:
        if shard.suffix.lower() != ".parquet":
            raise InputError(f"{shard.name}: expected a folder of pictures or a parquet file of their bytes")
        try:
            schema = pq.read_schema(shard)
        except pa.ArrowInvalid as error:
            raise InputError(f"{shard.name}: not a whole parquet file ({error}); write it again") from error
        column = bytes_column(schema)
        if column is None:
            found = ", ".join(schema.names)
            raise InputError(
                f"{shard.name}: no column of picture bytes; expected jpeg, bytes or image, found {found}"
            )
        names += _names(shard, schema, column, len(names))
    if not names:
        raise InputError(f"{place}: holds 0 rows; expected pictures")
    return PictureSource(place, None, tuple(shards), tuple(names))


def _names(shard: Path, schema: pa.Schema, column: str, start: int) -> list[str]:
    """Names of a shard's rows; rows without one are numbered through all shards."""
    named = name_column([name for name in schema.names if name != column])
    kind = schema.field(column).type
    if named is not None:
        cells = texts(pq.read_table(shard, columns=[named]).column(named)).to_pylist()
    elif pa.types.is_struct(kind) and any(field.name == "path" for field in kind):
        with pq.ParquetFile(shard) as file:  # of a struct only this reads one field and not the bytes
            paths = flat(file.read(columns=[f"{column}.path"]).column(column)).field("path")
        cells = texts(paths).to_pylist()
    else:
        cells = [None] * pq.read_metadata(shard).num_rows
    return [cell if cell is not None else str(start + row) for row, cell in enumerate(cells)]


def _bytes_of(table: pa.Table) -> pa.Array:
    name = bytes_column(table.schema)
    data = flat(table.column(name))
    if pa.types.is_struct(data.type):
        data = data.field([field.name for field in data.type].index("bytes"))
    return data


def _order(name: str, usual: Sequence[str]) -> int:
    return usual.index(name.lower()) if name.lower() in usual else len(usual)


def _unique(keys: Iterable[str]) -> dict[str, int]:
    """Place of each key that occurs once; -1 for keys that occur more often."""
    found: dict[str, int] = {}
    for place, key in enumerate(keys):
        found[key] = -1 if key in found else place
    return found


def _whole(name: str) -> str:
    return name.replace("\\", "/")


def _file(name: str) -> str:
    return PurePosixPath(_whole(name)).name


def _stem(name: str) -> str:
    """The file's name without a picture's ending; an id may hold dots of its own."""
    file = PurePosixPath(_file(name))
    return file.stem if file.suffix.lower() in IMAGE_ENDINGS else file.name
