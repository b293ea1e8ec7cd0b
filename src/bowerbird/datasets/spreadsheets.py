"""Rows of spreadsheets: every sheet of a workbook whose columns are those of the first."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bowerbird.errors import InputError, MissingDependencyError

__all__ = ["sheet_records"]


def sheet_records(path: Path, rows: int) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    """Names of the columns, and their rows at most so many at a time.

    The first row of a sheet names its columns; a column without a name is left out. Empty sheets and rows say nothing.

    Args:
        path: an .xlsx file.
        rows: the most rows at a time, at least 1.

    Yields:
        Names and rows; names and no rows, once, where there are only names.

    Raises:
        InputError: it is no workbook, no sheet has names, a name is there twice, or sheets differ in them.
        MissingDependencyError: openpyxl is not installed.
    """
    names: list[str] = []
    records: list[dict[str, Any]] = []
    found = False
    for title, lines in _sheets(path):
        first = [str(cell).strip() if cell is not None else "" for cell in next(lines, ())]
        places = {place: name for place, name in enumerate(first) if name}
        header = list(places.values())
        if not header:
            continue
        names = names or header
        _check_names(path, title, header, names)
        for line in lines:
            if any(cell is not None for cell in line):
                cells = dict(enumerate(line))
                records.append({name: cells.get(place) for place, name in places.items()})
            if len(records) == rows:
                found = True
                yield names, records
                records = []
    if not names:
        raise InputError(f"{path.name}: found no rows in any sheet; expected a header line")
    if records or not found:
        yield names, records


def _sheets(path: Path) -> Iterator[tuple[str, Iterator[tuple[Any, ...]]]]:
    """Title and rows of each sheet."""
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name}: reading .xlsx needs openpyxl; pip install 'bowerbird[xlsx]', or save the sheet as csv"
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{path.name}: not an xlsx file ({error}); save the sheet again") from error
    for sheet in book.worksheets:
        yield sheet.title, sheet.iter_rows(values_only=True)
    book.close()


def _check_names(path: Path, title: str, header: list[str], names: list[str]) -> None:
    if header != names:
        raise InputError(f"{path.name} sheet {title!r}: columns differ from the first sheet; save it apart")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path.name} sheet {title!r}: column {repeated[0]!r} is there twice; name each column once"
        )
