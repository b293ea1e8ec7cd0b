"""Pictures of items: from a folder, from parquet of bytes, or beside the table that names them.

Nothing is fetched from a network and no path may leave the folder it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

import pyarrow as pa

from bowerbird.datasets import columns
from bowerbird.datasets.event_files import named_tables
from bowerbird.datasets.import_batch import Picture
from bowerbird.datasets.tables import iter_batches
from bowerbird.errors import InputError, NotFoundError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg")
BYTES_COLUMNS = ("jpeg", "bytes", "image")
"""Columns that may hold a picture's bytes, in the order they are tried."""

LIMIT_BYTES = 32 * 1024 * 1024
"""The largest picture file that is read."""

OUTSIDE, ABSENT, EMPTY = "path leaves the images folder", "file not found", "file is empty"
UNREADABLE, REMOTE, NO_PICTURE = "file is unreadable", "picture not fetched: it is a URL", "no picture given"
REPEATED, UNNAMED = "item has a picture already", "row has no item id and no image name"

_REMOTE = ("http://", "https://", "ftp://", "s3://", "gs://", "data:")
_BATCH_ROWS = 256  # pictures held in memory at once


@final
@dataclass(frozen=True)
class ImageFolder:
    """A folder of pictures that is read by relative path and never left.

    Args:
        root: the folder.
        limit_bytes: larger files are not read.

    Raises:
        NotFoundError: there is no such folder.
    """

    root: Path
    limit_bytes: int = LIMIT_BYTES

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise NotFoundError(
                f"{self.root}: no such images folder; give the folder that holds the pictures"
            )

    def read(self, item_id: str, name: str) -> Picture:
        """The picture at a path relative to the folder, or why it cannot be had.

        Args:
            item_id: whose picture it is.
            name: a relative path; a URL is never fetched.
        """
        if name.lower().startswith(_REMOTE):
            return Picture(item_id, None, name, REMOTE)
        relative = PurePosixPath(name.replace("\\", "/"))
        if relative.is_absolute() or ".." in relative.parts or ":" in relative.parts[:1] or "\0" in name:
            return Picture(item_id, None, name, OUTSIDE)
        try:
            path = (self.root / relative).resolve()
            if not path.is_relative_to(self.root.resolve()):  # a symbolic link may lead elsewhere
                return Picture(item_id, None, name, OUTSIDE)
            if not path.is_file():
                return Picture(item_id, None, name, ABSENT)
            with path.open("rb") as file:
                data = file.read(self.limit_bytes + 1)
        except OSError:
            return Picture(item_id, None, name, UNREADABLE)
        return checked(item_id, data, name, self.limit_bytes)

    def files(self) -> Iterator[str]:
        """Relative paths of the folder's picture files, sorted, whatever the depth."""
        found = (path for path in self.root.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
        yield from sorted(path.relative_to(self.root).as_posix() for path in found)


def folder_pictures(folder: ImageFolder, *, whole_name: bool = False) -> Iterator[Picture]:
    """Each picture file of a folder as the picture of the item it is named after.

    Args:
        folder: where they are.
        whole_name: whether the item id is the relative path (``a/b.jpg``) instead of the stem (``b``).

    Yields:
        One picture per file, in the order of names; a second file of one stem is not taken.
    """
    seen: set[str] = set()
    for name in folder.files():
        item_id = name if whole_name else PurePosixPath(name).stem
        if item_id in seen:
            yield Picture(item_id, None, name, REPEATED)
            continue
        seen.add(item_id)
        yield folder.read(item_id, name)


def table_pictures(
    table: Path,
    images: Path | None = None,
    limit_bytes: int = LIMIT_BYTES,
    given: Mapping[str, str] | None = None,
) -> Iterator[Picture]:
    """Pictures of a table's items: bytes in its ``image``, ``jpeg`` or ``bytes`` column, else files it names.

    Args:
        table: a table with ``item_id`` or a named ``image``, as :func:`bowerbird.datasets.tables.read_table` reads.
        images: the folder that paths are relative to; None: the table's own.
        limit_bytes: larger pictures are not read.
        given: what ``--columns`` says, see :func:`~bowerbird.datasets.column_names.given_names`.

    Yields:
        One picture per row, in file order, with a reason where there is none.
    """
    folder = ImageFolder(images or table.parent, limit_bytes)
    for held in named_tables("items", table, given, _BATCH_ROWS):
        if bytes_column(held.schema) is not None:
            yield from _bytes_of(held, table.name, limit_bytes, lambda name: name)
            continue
        if "item_id" not in held.column_names:
            raise InputError(f"{table.name}: no column 'item_id'; found {', '.join(held.column_names)}")
        names = columns.texts(held.column("image")).to_pylist() if "image" in held.column_names else None
        for row, item_id in enumerate(columns.texts(held.column("item_id")).to_pylist()):
            name = names[row] if names else None
            if item_id is None:
                yield Picture("", None, f"{table.name}: {name}", UNNAMED)
            elif name is None:
                yield Picture(item_id, None, table.name, NO_PICTURE)
            else:
                yield folder.read(item_id, name)


def shard_pictures(
    shards: Sequence[Path],
    item_of: Callable[[str], str] = lambda name: PurePosixPath(name).stem,
    limit_bytes: int = LIMIT_BYTES,
) -> Iterator[Picture]:
    """Pictures of parquet shards with a name column and a bytes column.

    Args:
        shards: the files, read in the given order.
        item_of: item id of a picture's name; the file stem unless said. An ``item_id`` column wins.
        limit_bytes: larger pictures are not read.

    Yields:
        One picture per row.

    Raises:
        InputError: a shard has no bytes column.
    """
    for shard in shards:
        for batch in iter_batches(shard, _BATCH_ROWS):
            yield from _bytes_of(pa.Table.from_batches([batch]), shard.name, limit_bytes, item_of)


def bytes_column(schema: pa.Schema) -> str | None:
    """The column that holds pictures themselves, or None.

    Example:
        >>> bytes_column(pa.schema([("image", pa.string()), ("jpeg", pa.binary())]))
        'jpeg'
    """
    for name in BYTES_COLUMNS:
        index = schema.get_field_index(name)
        if index >= 0 and _holds_bytes(schema.field(index).type):
            return name
    return None


def checked(item_id: str, data: bytes | None, file: str, limit_bytes: int = LIMIT_BYTES) -> Picture:
    """A picture of bytes, or why they are not taken: none, empty or over the limit."""
    if data is None:
        return Picture(item_id, None, file, NO_PICTURE)
    if not data:
        return Picture(item_id, None, file, EMPTY)
    if len(data) > limit_bytes:
        return Picture(item_id, None, file, f"picture is larger than {limit_bytes} bytes")
    return Picture(item_id, data, file)


def tally(pictures: Iterable[Picture]) -> Counter[str]:
    """How many pictures there are (``pictures``) and how many are missing, by reason."""
    return Counter("pictures" if picture.reason is None else picture.reason for picture in pictures)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):  # {bytes, path}, as Hugging Face writes
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _bytes_of(
    table: pa.Table, file: str, limit_bytes: int, item_of: Callable[[str], str]
) -> Iterator[Picture]:
    name = bytes_column(table.schema)
    if name is None:
        found = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise InputError(f"{file}: no column of picture bytes; expected jpeg, bytes or image, found {found}")
    data = columns.flat(table.column(name))
    named = table.column("image") if name != "image" and "image" in table.column_names else None
    if pa.types.is_struct(data.type):
        fields = [field.name for field in data.type]
        named = data.field(fields.index("path")) if "path" in fields else None
        data = data.field(fields.index("bytes"))
    paths = columns.texts(named).to_pylist() if named is not None else [None] * table.num_rows
    given = columns.texts(table.column("item_id")).to_pylist() if "item_id" in table.column_names else paths
    for row, (item_id, path) in enumerate(zip(given, paths, strict=True)):
        if item_id is None:
            yield Picture("", None, file, UNNAMED)
            continue
        own = item_id if "item_id" in table.column_names else item_of(item_id)
        yield checked(own, data[row].as_py(), f"{file}: {path or item_id}", limit_bytes)
