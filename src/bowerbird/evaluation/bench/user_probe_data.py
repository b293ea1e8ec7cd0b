"""Events of anybody's file as behaviour with kinds and money: what ``bench user-probe`` reads."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float64, Int32

from bowerbird.datasets import columns
from bowerbird.datasets.event_files import event_times, liked_rows
from bowerbird.errors import InputError
from bowerbird.users.behaviour import Behaviour

__all__ = ["ProbeData", "coded", "read_probe_data", "whole_events"]

_LAST_WORD = re.compile(r"([^\W\d_]{3,})\W*$")
LEAST_TITLES = 3
"""Items whose titles must end in a word before it stands for a category."""


@dataclass(frozen=True, eq=False)
class ProbeData:
    """What people did, and what is known of it."""

    behaviour: Behaviour
    hash: str
    """Of the behaviour: equal data, equal hash."""
    notes: tuple[str, ...]
    """What was left out, what a category is and where money comes from."""


def read_probe_data(events: pa.Table, items: pa.Table | None = None, where: str = "events") -> ProbeData:
    """Behaviour of a table of events in the standard columns.

    Needed: ``user_id``, ``item_id`` and a time (``at``, or ``timestamp``). Read when there: ``action``
    (only what says that a person liked the item counts), ``value`` or ``price`` and ``quantity``, ``category``, ``title``;
    category, price and title also from the items. Rows without person, item or time are left out and counted, and so
    are rows of a quantity below zero. Without categories, the last word of a title stands for one.

    Args:
        events: one row an event.
        items: one row an item, joined by ``item_id``.
        where: what to call the events in a message.

    Raises:
        InputError: a required column is missing, or no row is left.
    """
    notes: list[str] = []
    at, kept = whole_events(events, where)
    if not kept.all():
        notes.append(f"{int((~kept).sum()):,} rows without person, item or time left out")
    quantity = _numbers(events, "quantity")
    liked = liked_rows(events, where)
    if quantity is not None:
        liked &= ~(np.nan_to_num(quantity, nan=1.0) < 0)
    if not liked.all():
        notes.append(f"{int((kept & ~liked).sum()):,} rows left out that do not say a person liked the item")
    kept &= liked
    if not kept.any():
        raise InputError(
            f"{where}: no row of {events.num_rows} has a person, an item and a time; check those columns"
        )
    table, at = events.filter(pa.array(kept)), at.filter(pa.array(kept))
    users, user_ids = coded(table["user_id"])
    rows, item_ids = coded(table["item_id"])
    kinds, about_kinds = _categories(table, items, rows, item_ids)
    money, about_money = _amounts(table, items, rows, item_ids)
    notes += [about_kinds, about_money]
    behaviour = Behaviour.of(
        users, rows, at.to_numpy(zero_copy_only=False), (len(user_ids), len(item_ids)), money, kinds
    )
    return ProbeData(behaviour, _hash(behaviour), tuple(notes))


def whole_events(events: pa.Table, where: str) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    """Microseconds UTC of each row, and which rows have a person, an item and a time.

    Raises:
        InputError: a required column is missing, or a value that should be a time is none.
    """
    for name in ("user_id", "item_id"):
        if name not in events.column_names:
            raise InputError(
                f"{where}: no column {name!r}; found {', '.join(events.column_names)}; expected user_id, item_id, at"
            )
    at = event_times(events, where)
    if at is None:
        raise InputError(
            f"{where}: no times; found {', '.join(events.column_names)}; what comes after a moment is predicted, so a "
            "column at is needed (a date-time, or a number since 1970), or say which it is: --columns time=NAME"
        )
    kept = columns.mask(at.is_valid())
    for name in ("user_id", "item_id"):
        kept &= columns.mask(columns.texts(events[name]).is_valid())
    return at, kept


def coded(column: pa.ChunkedArray) -> tuple[Int32[np.ndarray, "row"], list[str]]:
    """A code for each row, and the text of each code."""
    encoded = pc.dictionary_encode(columns.texts(column))
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32), encoded.dictionary.to_pylist()


def _numbers(table: pa.Table, *names: str) -> Float64[np.ndarray, "row"] | None:
    """The first of the columns that is there, NaN where it says nothing."""
    for name in names:
        if name in table.column_names:
            values = columns.numbers(table[name])[0].cast(pa.float64())
            return values.to_numpy(zero_copy_only=False).astype(np.float64)
    return None


def _of_items(
    table: pa.Table, items: pa.Table | None, name: str, rows: Int32[np.ndarray, "row"], item_ids: list[str]
) -> list[str | None] | None:
    """A text of each item: from the items, else the first one an event gives."""
    found: dict[str, str] = {}
    for source in (items, table):
        if source is None or name not in source.column_names or "item_id" not in source.column_names:
            continue
        ids = columns.texts(source["item_id"]).to_pylist()
        for item_id, text in zip(ids, columns.texts(source[name]).to_pylist(), strict=True):
            if item_id is not None and text is not None:
                found.setdefault(item_id, text)
    return [found.get(item_id) for item_id in item_ids] if found else None


def _categories(
    table: pa.Table, items: pa.Table | None, rows: Int32[np.ndarray, "row"], item_ids: list[str]
) -> tuple[Int32[np.ndarray, "item"] | None, str]:
    texts = _of_items(table, items, "category", rows, item_ids)
    about = "categories as given"
    if texts is None:
        titles = _of_items(table, items, "title", rows, item_ids)
        if titles is None:
            return None, "no categories: no column category or title in the events or items"
        texts = _last_words(titles)
        about = "no column category: the last word of a title stands for one"
    names = sorted({text for text in texts if text is not None})
    if not names:
        return None, "no categories: none is shared by several items"
    code = {name: number for number, name in enumerate(names)}
    kinds = np.array([code[text] if text is not None else -1 for text in texts], dtype=np.int32)
    return kinds, f"{about} ({len(names):,})"


def _last_words(titles: list[str | None]) -> list[str | None]:
    words = [
        match.group(1).lower() if title and (match := _LAST_WORD.search(title)) else None for title in titles
    ]
    shared = {word for word, count in Counter(words).items() if word is not None and count >= LEAST_TITLES}
    return [word if word in shared else None for word in words]


def _amounts(
    table: pa.Table, items: pa.Table | None, rows: Int32[np.ndarray, "row"], item_ids: list[str]
) -> tuple[Float64[np.ndarray, "row"] | None, str]:
    """Money of each row: value, or price times quantity, of what was bought."""
    value, quantity = _numbers(table, "value", "amount"), _numbers(table, "quantity")
    price, about = _numbers(table, "price", "unit_price"), "price x quantity"
    if price is None and items is not None and "item_id" in items.column_names:
        of_items = _numbers(items, "price")
        if of_items is not None:
            known = dict(zip(columns.texts(items["item_id"]).to_pylist(), of_items.tolist(), strict=True))
            price = np.array([known.get(item_id, np.nan) for item_id in item_ids])[rows]
            about = "the items' price x quantity"
    bought = np.ones(table.num_rows, dtype=bool)
    if "action" in table.column_names:
        bought = columns.mask(pc.equal(pc.utf8_lower(columns.texts(table["action"])), "purchase"))
    money = value if value is not None else price
    if money is None or not bought.any():
        return None, "no spending: " + ("no purchases" if money is not None else "no column price or value")
    if value is None and quantity is not None:
        money = money * np.nan_to_num(quantity, nan=1.0)
    money = np.where(bought, money, 0.0)
    if not np.nansum(money) > 0:
        return None, "no spending: every amount is 0 or missing"
    return money, f"spending is {'value' if value is not None else about} of purchases"


def _hash(behaviour: Behaviour) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for column in (behaviour.users, behaviour.items, behaviour.at, behaviour.amounts, behaviour.categories):
        digest.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
