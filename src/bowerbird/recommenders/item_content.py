"""What items are by their own words: a table of items becomes one vector per item, whatever its columns.

Columns of words go through the text encoder; columns of a few repeated values (category, brand, tags)
become labels. Both are joined and reduced to the directions that tell most, so a model reads a
narrow matrix and need not know where it came from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Shaped
from scipy import sparse

from bowerbird.datasets.columns import texts
from bowerbird.errors import InputError, MissingDependencyError
from bowerbird.telemetry import SILENT, Progress

__all__ = ["content_vectors", "item_words", "word_table"]

WIDTH = 128
LEAST_ITEMS, MOST_LABELS = 3, 1000
"""A label that fewer items carry says nothing; beyond the most frequent ones little is left."""
_NOT_WORDS = re.compile(r"(^|_)(id|ids|url|uri|image|poster|asin|sku|link|path)($|_)", re.IGNORECASE)
_NAMED = {"category", "brand", "creator_id"}
"""Columns of names: labels whatever they hold; of them only a category is read as words too."""
_CHUNK = 1024
_WORD = re.compile(r"\w+")
MOST_LETTERS = 600
"""Of an item's words: a long description says what its beginning says."""
COMMON_SHARE = 0.3
"""A word that more of the items have tells none apart."""


def content_vectors(
    items: pa.Table, item_ids: Shaped[np.ndarray, " item"], where: str = "items", progress: Progress = SILENT
) -> Float32[np.ndarray, "item width"]:
    """One vector per item of a catalogue; zeros where the table has no row or no words for an item.

    Args:
        items: ``item_id`` and any columns; of repeated ids the first row counts.
        item_ids: the catalogue, text.
        where: what to call the table in a message.
        progress: encoding tens of thousands of texts takes minutes.

    Returns:
        At most :data:`WIDTH` columns; the mean squared length of a row with words is 1.

    Raises:
        InputError: no ``item_id`` column, or none of its ids is in the catalogue.
    """
    if "item_id" not in items.column_names:
        raise InputError(
            f"{where}: no column 'item_id'; found {', '.join(items.column_names)}; expected the ids of the events"
        )
    place = _places(items)
    if not place:
        raise InputError(f"{where}: found 0 items; expected item_id and words of the items of the events")
    rows = np.array([place.get(name, -1) for name in item_ids.tolist()], dtype=np.int64)
    if (rows < 0).all():
        raise InputError(
            f"{where}: none of the {len(place):,} item_ids is among the {item_ids.size:,} of the events "
            f"(e.g. {next(iter(place))!r} against {str(item_ids[0])!r}); expected the same ids in both files"
        )
    spoken, labels = _words(items)
    parts = [
        part for part in (_text_part(spoken, rows, progress), _label_part(labels, rows)) if part is not None
    ]
    if not parts:
        return np.zeros((rows.size, 1), dtype=np.float32)
    return _reduced(np.concatenate(parts, axis=1))


def item_words(items: pa.Table, item_ids: Shaped[np.ndarray, " item"]) -> list[str]:
    """The words of each item, labels among them; empty where the table has no row or no words for it.

    Args:
        items: ``item_id`` and any columns; of repeated ids the first row counts.
        item_ids: the catalogue, text.
    """
    place = _places(items)
    spoken, labels = _words(items)
    rows = [place.get(name, -1) for name in item_ids.tolist()]
    return [
        " ".join([*spoken[row], *(label.partition(":")[2] for label in labels[row])]) if row >= 0 else ""
        for row in rows
    ]


def word_table(words: Sequence[str]) -> sparse.csr_array:
    """The words of each item, weighed by how few items have them: TF-IDF, rows of length 1 (or 0).

    What a sentence's vector blurs stays apart here: a model number, a size, a brand.

    Args:
        words: of each item, see :func:`item_words`.

    Returns:
        Items by words that at least two of the items have, and not most of them.

    Example:
        >>> table = word_table(["red ink", "red pen", "ink pen", "lamp"])
        >>> (table @ table.T).toarray().round(2)[0].tolist()
        [1.0, 0.5, 0.5, 0.0]
    """
    counted = [Counter(_WORD.findall(text[:MOST_LETTERS].lower())) for text in words]
    having = Counter(word for one in counted for word in one)
    most = max(COMMON_SHARE * len(words), 2)
    column = {
        word: number for number, word in enumerate(word for word, n in having.items() if 2 <= n <= most)
    }
    cells = [
        (row, column[word], count * np.log(len(words) / having[word]))
        for row, one in enumerate(counted)
        for word, count in one.items()
        if word in column
    ]
    rows, columns, values = (np.array(part) for part in (zip(*cells, strict=True) if cells else ([], [], [])))
    shape = (len(words), max(len(column), 1))
    table = sparse.csr_array(
        sparse.coo_array((values.astype(np.float32), (rows.astype(int), columns.astype(int))), shape=shape)
    )
    length = np.sqrt(np.asarray(table.multiply(table).sum(axis=1))).ravel()
    table.data /= np.repeat(np.where(length > 0, length, 1.0), np.diff(table.indptr)).astype(np.float32)
    return table


def _places(items: pa.Table) -> dict[str, int]:
    """The first row of each id, as text; rows without one are of no item."""
    place: dict[str, int] = {}
    for row, name in enumerate(texts(items["item_id"]).to_pylist()):
        if name is not None:
            place.setdefault(name, row)
    return place


def _words(items: pa.Table) -> tuple[list[list[str]], list[list[str]]]:
    """Texts and labels of each row."""
    spoken: list[list[str]] = [[] for _ in range(items.num_rows)]
    labels: list[list[str]] = [[] for _ in range(items.num_rows)]
    for name in items.column_names:
        kind = items.schema.field(name).type
        if _NOT_WORDS.search(name) or pa.types.is_binary(kind):
            continue
        values, listed = items[name].to_pylist(), []
        if pa.types.is_list(kind) or pa.types.is_map(kind) or pa.types.is_large_list(kind):
            listed = [[f"{name}:{one}" for one in value or ()] for value in values]
        elif _is_text(kind):
            if _repeats(name, values):
                listed = [_labels(name, value or "") for value in values]
            if name == "category" or name not in _NAMED:
                for own, value in zip(spoken, values, strict=True):
                    own.extend([value.strip()] if value and value.strip() else [])
        for own, found in zip(labels, listed, strict=False):
            own.extend(found)
    return spoken, labels


def _repeats(name: str, values: list[str | None]) -> bool:
    """Whether a column of texts holds a few values again and again."""
    given = [value for value in values if value]
    return name in _NAMED or len(set(given)) < 0.5 * len(given)


def _labels(name: str, text: str) -> list[str]:
    return [f"{name}:{one.strip()}" for one in re.split(r"[|/;,]", text) if one.strip()]


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _text_part(
    texts: list[list[str]], rows: np.ndarray, progress: Progress
) -> Float32[np.ndarray, "item dim"] | None:
    spoken = [". ".join(texts[row]) if row >= 0 else "" for row in rows]
    filled = [place for place, text in enumerate(spoken) if text]
    if not filled:
        return None
    try:
        from bowerbird.content.text_encoder import minilm_l6

        encoder = minilm_l6()
    except MissingDependencyError:  # the weights are a separate install: words then count as labels only
        return None
    found = np.zeros((rows.size, encoder.space.dim), dtype=np.float32)
    progress.start("items: vectors of their words", len(filled), "items")
    for start in range(0, len(filled), _CHUNK):
        part = filled[start : start + _CHUNK]
        found[part] = encoder.encode([spoken[place] for place in part]).matrix
        progress.advance(len(part))
    progress.finish()
    return found


def _label_part(labels: list[list[str]], rows: np.ndarray) -> Float32[np.ndarray, "item label"] | None:
    carried = [set(labels[row]) if row >= 0 else set() for row in rows]
    counts = Counter(label for one in carried for label in one)
    kept = [label for label, count in counts.most_common(MOST_LABELS) if count >= LEAST_ITEMS]
    if not kept:
        return None
    column = {label: number for number, label in enumerate(kept)}
    found = np.zeros((rows.size, len(kept)), dtype=np.float32)
    for place, one in enumerate(carried):
        for label in one & column.keys():
            found[place, column[label]] = 1.0 / np.sqrt(counts[label] + 20.0)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(length > 0, length, 1.0)


def _reduced(joined: Float32[np.ndarray, "item wide"]) -> Float32[np.ndarray, "item width"]:
    """The directions of largest variance over the items with words; the others stay zero."""
    known = joined.any(axis=1)
    centred = joined - joined[known].mean(axis=0)
    centred[~known] = 0.0
    _, directions = np.linalg.eigh(centred.T @ centred)
    found = centred @ directions[:, ::-1][:, :WIDTH]
    size = float(np.sqrt((found[known] ** 2).sum(axis=1).mean()))
    return (found / max(size, 1e-12)).astype(np.float32)
