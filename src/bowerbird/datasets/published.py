"""Files of a public data set: where they are and how the usual published text forms are read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import Column, flat, texts
from bowerbird.datasets.delimited import ROWS, open_text, text_table, text_tables
from bowerbird.datasets.import_batch import Picture, SourceTable, digest
from bowerbird.datasets.tables import as_text, iter_batches
from bowerbird.errors import InputError, NotFoundError


@final
@dataclass(frozen=True)
class Published:
    """The files of a public set.

    Args:
        path: its folder, or its one file.
        dataset: its name, for messages.
    """

    path: Path
    dataset: str

    def all(self, *patterns: str) -> list[Path]:
        """Files whose name matches any of the patterns, in the order of patterns, then of names."""
        if not self.path.exists():
            raise NotFoundError(
                f"{self.dataset}: {self.path} does not exist; give the folder of the data set"
            )
        if self.path.is_file():
            return [self.path] if any(self.path.match(pattern) for pattern in patterns) else []
        return list(dict.fromkeys(file for pattern in patterns for file in sorted(self.path.glob(pattern))))

    def first(self, *patterns: str) -> Path | None:
        """The first file that matches, or None."""
        return next(iter(self.all(*patterns)), None)

    def need(self, *patterns: str) -> Path:
        """The first file that matches.

        Raises:
            NotFoundError: none does.
        """
        found = self.first(*patterns)
        if found is None:
            raise self.nothing(*patterns)
        return found

    def no_pictures(self) -> Iterator[Picture]:
        """For a set without pictures: none, of a folder that is there."""
        self.all()
        return iter(())

    def nothing(self, *patterns: str) -> NotFoundError:
        """The error for a folder that holds no known form of the set."""
        return NotFoundError(
            f"{self.dataset}: {self.path} has none of {', '.join(patterns)}; give the folder of the data set "
            "as it is published"
        )


def whole(path: Path) -> Iterator[pa.Table]:
    """A table file in parts of :data:`ROWS` rows."""
    for batch in iter_batches(path, ROWS):
        yield pa.Table.from_batches([batch])


def source(
    kind: str, table: pa.Table, path: Path, refusals: pa.Array | None = None, part: str = ""
) -> SourceTable:
    """A raw table marked with the file it came from.

    Args:
        kind: items, users, events.
        table: the rows in the standard columns.
        path: the file.
        refusals: why rows are not to be stored.
        part: set where one file gives two tables of a kind, so that their rows and ids stay apart.
    """
    label = f"{path.name} ({part})" if part else path.name
    mark = "-".join([digest(path), *part.split()])
    return SourceTable(kind, table, label, mark, refusals)


def shaped(
    table: pa.Table, names: Mapping[str, str], added: Mapping[str, Column | str] | None = None
) -> pa.Table:
    """The table with columns renamed and added; a text is added to every row.

    Args:
        table: raw rows.
        names: old to new name, of columns that may be absent.
        added: new columns; one of an existing name takes its place.

    Example:
        >>> shaped(pa.table({"id": [1]}), {"id": "item_id"}, {"currency": "GBP"}).to_pylist()
        [{'item_id': 1, 'currency': 'GBP'}]
    """
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    for name, values in (added or {}).items():
        column = pa.array([values] * table.num_rows, pa.string()) if isinstance(values, str) else values
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, column)
        else:
            table = table.append_column(name, column)
    return table


def category_path(*levels: Column) -> pa.Array:
    """Category paths of level names, root first; a level that is null ends nothing and is left out.

    Example:
        >>> category_path(pa.array(["Home", None]), pa.array(["Pots/Pans", "Rugs"])).to_pylist()
        ['Home/Pots-Pans', 'Rugs']
    """
    parts = [pc.replace_substring(texts(level), "/", "-") for level in levels]
    joined = pc.binary_join_element_wise(*parts, "/", null_handling="skip")
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)


def distinct(table: pa.Table, column: str, name: str) -> pa.Table:
    """A table of one column: the ids that occur, in the order they first do; null is no id."""
    return pa.table({name: pc.unique(flat(texts(table.column(column)))).drop_null()})


def lenient_csv(path: Path, join_rest: bool = False) -> Iterator[pa.Table]:
    """A csv as people publish them: utf-8 or latin-1, perhaps with unquoted commas in the last column.

    Args:
        path: the file, with a header.
        join_rest: whether cells too many belong to the last column; else such a line is an error.

    Raises:
        InputError: a line has too few cells, or too many.
    """
    with open_text(path) as file:
        lines = csv.reader(file)
        names = [name.strip() for name in next(lines, [])]
        if not names:
            raise InputError(f"{path.name}: the file is empty; expected a header line")

        def whole() -> Iterator[list[str]]:
            for cells in lines:
                if not cells:
                    continue
                surplus = len(cells) - len(names)
                if join_rest and surplus > 0:
                    cells[-surplus - 1 :] = [",".join(cells[-surplus - 1 :])]
                if len(cells) != len(names):
                    raise InputError(
                        f"{path.name} line {lines.line_num}: found {len(cells)} columns, expected {len(names)} as in the header"
                    )
                yield cells

        tables = text_tables(whole(), names)
        yield next(tables, text_table([], names))  # a header alone still says which columns there are
        yield from tables


def grouped_json(table: pa.Table, key: str, value: str) -> dict[str, str]:
    """Per key the JSON list of its values, in file order, each once.

    Example:
        >>> grouped_json(pa.table({"item": [1, 1, 2], "tag": ["a", "b", "a"]}), "item", "tag")
        {'1': '["a","b"]', '2': '["a"]'}
    """
    groups: dict[str, dict[str, None]] = {}
    for owner, cell in zip(
        texts(table.column(key)).to_pylist(), texts(table.column(value)).to_pylist(), strict=True
    ):
        if owner is not None and cell is not None:
            groups.setdefault(owner, {})[cell] = None
    return {owner: as_text(list(cells)) or "" for owner, cells in groups.items()}


def looked_up(keys: Column, found: Mapping[str, str]) -> pa.Array:
    """The value of each key, null where there is none."""
    return pa.array([None if key is None else found.get(key) for key in texts(keys).to_pylist()], pa.string())


def joined(parts: Iterator[pa.Table]) -> pa.Table:
    """One table of parts of the same columns."""
    return pa.concat_tables(parts, promote_options="permissive")
