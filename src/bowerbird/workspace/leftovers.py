"""Where an id still lies in a workspace: every file read the way its kind is read, and as raw bytes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

RAW_LEAST = 6
"""Ids at least this long are looked for in raw bytes too; a shorter one is in any file by chance."""
WORD_LISTS = ("words.json", "vocab.index.json")
"""Words of the catalogue in the text index: one that is a plain word or number is no sign of an id."""
TEXTS = (".json", ".jsonl", ".csv", ".tsv", ".html", ".txt", ".toml", ".md", ".log")


def leftovers(root: Path, name: str) -> list[Path]:
    """The files and tables under a folder that still hold an id, sorted.

    Args:
        root: the workspace.
        name: the id of a person or an item.
    """
    token = _token(name)
    found: set[Path] = set()
    for path in root.rglob("*"):
        if path.suffix == ".lance" and path.is_dir() and _in_tables(_versions(path), name):
            found.add(path)
        if path.is_file() and _in_file(path, name, token):
            found.add(path)
    return sorted(found)


def _token(name: str) -> re.Pattern[bytes]:
    """An id as texts write it. A plain number or word is one only where a text sets it apart, as a value of its own."""
    before, after = rb"(?<![\w-])", rb"(?![\w-])"
    if _is_plain(name):
        before, after = rb"(?<=[\"'>/])", rb"(?=[\"'<])"
    return re.compile(before + re.escape(name.encode()) + after)


def _is_plain(name: str) -> bool:
    return name.isdigit() or name.isalpha()


def _in_file(path: Path, name: str, token: re.Pattern[bytes]) -> bool:
    if path.name in WORD_LISTS and _is_plain(name):
        return False
    if path.suffix == ".parquet" and _in_tables(iter([pq.read_table(path)]), name):
        return True
    if path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            if _in_tables(iter([pa.ipc.open_file(source).read_all()]), name):
                return True
    if path.suffix == ".sqlite" and _in_sqlite(path, name):
        return True
    if path.suffix in (".csv", ".tsv") and _is_plain(name):
        return name in re.split(r"[,;\t\"\r\n]", path.read_text(encoding="utf-8", errors="replace"))
    if path.suffix in TEXTS:
        return token.search(path.read_bytes()) is not None
    if len(name) < RAW_LEAST:
        return False
    raw = path.read_bytes()
    return token.search(raw) is not None or name.encode("utf-32-le") in raw


def _versions(path: Path) -> Iterator[pa.Table]:
    import lance

    for version in lance.dataset(str(path)).versions():
        yield lance.dataset(str(path), version=version["version"]).to_table()


def _in_tables(tables: Iterator[pa.Table], name: str) -> bool:
    return any(holds(column, name) for table in tables for column in table.columns)


def holds(column: pa.ChunkedArray | pa.Array, name: str) -> bool:
    """Whether an id is a value of a column, at any depth of lists, maps and structs."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return holds(column.cast(kind.value_type), name)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return bool(pc.any(pc.equal(column, name), min_count=0).as_py())
    if pa.types.is_map(kind):
        arrays = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        return any(holds(one.keys, name) or holds(one.items, name) for one in arrays)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return holds(pc.list_flatten(column), name)
    if pa.types.is_struct(kind):
        return any(holds(pc.struct_field(column, [place]), name) for place in range(kind.num_fields))
    return False


def _in_sqlite(path: Path, name: str) -> bool:
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            where = " OR ".join(f'"{column}" = ?' for column in columns)
            query = f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"  # noqa: S608 - names of our own tables
            if database.execute(query, [name] * len(columns)).fetchone():
                return True
    finally:
        database.close()
    return False
