"""Items, queries and graded pairs of a search bench, from files of the usual forms.

Grades are numbers, or the words of public sets (``Exact``, ``Partial``, ``Irrelevant``; ``E``, ``S``, ``C``, ``I``). A
file of sessions (``query``, an item column, ``rank``, ``clicked``) is turned into grades by a click model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import flags, mask, numbers, texts
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError
from bowerbird.training.fusion import attractiveness

__all__ = ["SearchData", "search_data"]

ITEM_IDS = ("item_id", "product_id", "doc_id", "id", "upc", "asin", "sku")
TITLES = ("title", "product_title", "product_name", "name")
TEXTS = (
    "description",
    "product_description",
    "short_description",
    "long_description",
    "product_bullet_point",
    "category",
    "product_class",
    "category hierarchy",
    "brand",
    "product_brand",
    "manufacturer",
)
GRADES = ("relevance", "grade", "label", "esci_label", "gain", "rating")
GAINS = {
    "exact": 2.0,
    "partial": 1.0,
    "irrelevant": 0.0,
    "e": 1.0,
    "s": 0.1,
    "c": 0.01,
    "i": 0.0,
}
"""Gains of graded words: WANDS in two steps, Amazon ESCI as its task 1."""


@dataclass(frozen=True)
class SearchData:
    """What is searched, what is asked, and what is known to be right.

    Args:
        titles: of every item.
        bodies: an item's other words.
        popularity: a count an item came with, else 0.
        queries: texts of queries with at least one gain.
        gains: item row to gain, of each query; items that are not in it were not judged.
        notes: what was left out.
        hash: fingerprint.
    """

    titles: tuple[str, ...]
    bodies: tuple[str, ...]
    popularity: np.ndarray
    queries: tuple[str, ...]
    gains: tuple[dict[int, float], ...]
    notes: tuple[str, ...]
    hash: str


def search_data(items: Path, queries: Path | None, labels: Path) -> SearchData:
    """Read the files and join them.

    Args:
        items: a table with an id, a title and other words.
        queries: a table with ``query_id`` and ``query``; None where labels hold the query's text.
        labels: graded pairs, or sessions with clicks.

    Raises:
        NotFoundError: a file is not there.
        InputError: a column is missing, or nothing fits together.
    """
    catalogue = read_table(items)
    ids = texts(catalogue.column(_one_of(catalogue, ITEM_IDS, items.name, "names items"))).to_pylist()
    row_of = {name: row for row, name in enumerate(ids) if name is not None}
    titles = _words(catalogue, [_one_of(catalogue, TITLES, items.name, "holds titles")])
    bodies = _words(catalogue, [name for name in TEXTS if name in catalogue.column_names])
    graded = read_table(labels)
    asked, rows, gain, how = _judged(graded, queries, row_of, labels.name)
    gains: dict[str, dict[int, float]] = {}
    lost = 0
    for query, row, value in zip(asked, rows, gain, strict=True):
        if query is None or row < 0:
            lost += 1
        else:
            known = gains.setdefault(query, {})
            known[row] = max(value, known.get(row, 0.0))
    useful = {query: known for query, known in gains.items() if max(known.values()) > 0}
    if not useful:
        raise InputError(
            f"{labels.name}: no query has an item of {items.name} with gain; do the ids of both files agree?"
        )
    notes = [how]
    if lost:
        notes.append(f"{lost:,} of {len(rows):,} judgements of unknown items or queries left out")
    if len(useful) < len(gains):
        notes.append(f"{len(gains) - len(useful)} queries without any gain left out")
    digest = hashlib.blake2b("\0".join((*titles, *useful)).encode(), digest_size=8).hexdigest()
    popularity = np.zeros(len(titles), dtype=np.float32)
    if "popularity" in catalogue.column_names:
        found, _ = numbers(catalogue.column("popularity"))
        popularity = np.nan_to_num(found.to_numpy(zero_copy_only=False)).astype(np.float32)
    return SearchData(titles, bodies, popularity, tuple(useful), tuple(useful.values()), tuple(notes), digest)


def _one_of(table: pa.Table, names: Sequence[str], file: str, what: str) -> str:
    found = next((name for name in names if name in table.column_names), None)
    if found is None:
        raise InputError(
            f"{file}: no column {what}; found {', '.join(table.column_names)}; expected one of {', '.join(names)}"
        )
    return found


def _words(table: pa.Table, columns: Sequence[str]) -> tuple[str, ...]:
    parts = [texts(table.column(name)).to_pylist() for name in columns]
    return tuple(" ".join(cell for cell in row if cell) for row in zip(*parts, strict=True)) or (
        ("",) * len(table)
    )


def _judged(
    graded: pa.Table, queries: Path | None, row_of: dict[str, int], file: str
) -> tuple[list[str | None], list[int], list[float], str]:
    """Query text, item row and gain of each judgement."""
    item_column = _one_of(graded, ITEM_IDS, file, "names items")
    if item_column == "id" and "doc_id" not in graded.column_names and len(graded.column_names) > 3:
        item_column = _one_of(graded, [one for one in ITEM_IDS if one != "id"], file, "names items")
    cells = texts(graded.column(item_column)).to_pylist()
    rows = [row_of.get(cell, -1) if cell is not None else -1 for cell in cells]
    asked = _queries(graded, queries, file)
    if "clicked" in graded.column_names and "rank" in graded.column_names:
        return _from_clicks(graded, asked, rows, file)
    grade = texts(graded.column(_one_of(graded, GRADES, file, "holds grades"))).to_pylist()
    gain = []
    for number, cell in enumerate(grade):
        word = (cell or "0").lower()
        try:
            value = GAINS[word] if word in GAINS else float(word)
            gain.append(value if np.isfinite(value) and value > 0 else 0.0)
        except ValueError as error:
            raise InputError(
                f"{file} row {number}: grade {cell!r}; expected a number or one of {', '.join(GAINS)}"
            ) from error
    return asked, rows, gain, "gains as graded (Exact 2, Partial 1; or E 1, S .1, C .01; or numbers)"


def _queries(graded: pa.Table, queries: Path | None, file: str) -> list[str | None]:
    if queries is None:
        return texts(graded.column(_one_of(graded, ("query",), file, "holds the query"))).to_pylist()
    table = read_table(queries)
    key = _one_of(table, ("query_id", "id"), queries.name, "numbers queries")
    words = texts(table.column(_one_of(table, ("query", "text"), queries.name, "holds the query")))
    text_of = dict(zip(texts(table.column(key)).to_pylist(), words.to_pylist(), strict=True))
    if "query_id" in graded.column_names:
        return [text_of.get(cell) for cell in texts(graded.column("query_id")).to_pylist()]
    known = set(text_of.values())
    cells = texts(graded.column(_one_of(graded, ("query",), file, "names queries"))).to_pylist()
    return [cell if cell in known else None for cell in cells]


def _from_clicks(
    graded: pa.Table, asked: list[str | None], rows: list[int], file: str
) -> tuple[list[str | None], list[int], list[float], str]:
    """Each shown pair once, its gain how attractive it is when looked at."""
    usable = np.array([query is not None and row >= 0 for query, row in zip(asked, rows, strict=True)])
    at = np.flatnonzero(usable)
    names = {query: number for number, query in enumerate(dict.fromkeys(asked))}
    keys = np.array([names[asked[one]] * len(rows) + rows[one] for one in at], dtype=np.int64)
    if not keys.size:
        return [], [], [], "no usable session"
    pairs, first, number = np.unique(keys, return_index=True, return_inverse=True)
    ranks, strange = numbers(graded.column("rank"))
    flagged, unclear = flags(graded.column("clicked"))
    for name, bad in (("rank", strange), ("clicked", unclear)):
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{file} row {row}: {name} is {graded.column(name)[row].as_py()!r}; expected a number, clicked as 0 or 1"
            )
    if not mask(flagged).any():
        raise InputError(f"{file}: none of {len(graded):,} rows has a click; expected clicked = 1 in some")
    place = np.nan_to_num(ranks.to_numpy(zero_copy_only=False))[at].astype(np.int64)
    clicked = mask(pc.fill_null(flagged, False))[at]
    liked = attractiveness(number, place - place.min(), clicked)
    firsts = at[first]
    how = f"gains: attractiveness of {len(pairs):,} pairs by a position-based click model over {len(at):,} impressions"
    return [asked[one] for one in firsts], [rows[one] for one in firsts], liked.tolist(), how
