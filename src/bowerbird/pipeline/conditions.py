"""Conditions on items that a search holds to while it searches: a category, a price range, an attribute.

A condition is a short text: ``category=home/kitchen`` (the node and all below it), ``price<=50``, ``price>=10``,
``brand=acme``, or ``name=value`` for an attribute; case is ignored. What is asked about and not known of an item
is not met by it. Where an item has no attribute of that name, what was read off it counts: ``colour``, ``language``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int32

from bowerbird.arrays import is_among
from bowerbird.errors import InputError
from bowerbird.records.item import Items

__all__ = ["MOST_CONDITIONS", "Facets", "meeting"]

Facets = Mapping[str, Mapping[str, Int32[np.ndarray, "holder"]]]
"""Name, then value in lower case, to the rows of the items it was read off."""
_SPELT = {"color": "colour"}

MOST_CONDITIONS = 20
"""Conditions of one request."""

_FORM = re.compile(r"\s*([^<>=]+?)\s*(<=|>=|=)\s*(.+?)\s*", re.DOTALL)


def meeting(
    items: Items,
    conditions: Sequence[str],
    facets: Facets | None = None,
    rows: Int32[np.ndarray, "n"] | None = None,
) -> Bool[np.ndarray, "n"]:
    """Items that meet every condition.

    Args:
        items: the catalogue.
        conditions: as the module describes.
        facets: what was read off items.
        rows: the items asked about, for a few of a large catalogue; all of them when absent.

    Cost: O(conditions * items asked about).

    Raises:
        InputError: a condition is not understood, or there are too many.
    """
    if len(conditions) > MOST_CONDITIONS:
        raise InputError(f"only: found {len(conditions)} conditions; at most {MOST_CONDITIONS} are read")
    asked = _Asked(items, np.arange(len(items), dtype=np.int32) if rows is None else rows)
    met = np.ones(len(asked.rows), dtype=bool)
    for condition in conditions:
        met &= _meeting_one(asked, condition, facets or {})
    return met


@dataclass(frozen=True)
class _Asked:
    """The items asked about."""

    items: Items
    rows: Int32[np.ndarray, "n"]

    def column(self, name: str) -> pa.ChunkedArray:
        whole = self.items.table.column(name)
        return whole if len(self.rows) == len(whole) else whole.take(pa.array(self.rows))


def _meeting_one(asked: _Asked, condition: str, facets: Facets) -> Bool[np.ndarray, "n"]:
    form = _FORM.fullmatch(condition)
    if form is None:
        raise InputError(
            f"only: {condition[:60]!r} is not understood; expected e.g. category=home/kitchen, price<=50, colour=red"
        )
    name, sign, value = form.group(1).lower(), form.group(2), form.group(3).lower()
    if name == "price" and sign != "=":
        return _price(asked, sign, value)
    if sign != "=":
        raise InputError(
            f"only: {condition[:60]!r} compares {name!r}; expected '=', only a price has an order"
        )
    if name == "category":
        below = value.rstrip("/") + "/"
        paths = [(path or "").lower() + "/" for path in asked.column("category").to_pylist()]
        return np.array([path.startswith(below) for path in paths], dtype=bool)
    if name == "brand":
        brands = asked.column("brand").to_pylist()
        return np.array([(brand or "").lower() == value for brand in brands], dtype=bool)
    return _attribute(asked, name, value, facets.get(_SPELT.get(name, name), {}))


def _attribute(
    asked: _Asked, name: str, value: str, read_off: Mapping[str, Int32[np.ndarray, "holder"]]
) -> Bool[np.ndarray, "n"]:
    """Items whose own attribute has the value; of those without the attribute, the ones it was read off."""
    met, silent = np.zeros(len(asked.rows), dtype=bool), np.ones(len(asked.rows), dtype=bool)
    for place, pairs in enumerate(asked.column("attributes").to_pylist()):
        said = [str(held).lower() for key, held in pairs or () if key.lower() == name]
        met[place], silent[place] = value in said, not said
    if value in read_off:
        met |= silent & is_among(asked.rows, read_off[value], len(asked.items))
    return met


def _price(asked: _Asked, sign: str, value: str) -> Bool[np.ndarray, "n"]:
    try:
        limit = float(value)
    except ValueError as error:
        raise InputError(f"only: price{sign}{value[:40]}: expected a number") from error
    price = asked.column("price").to_numpy().astype(np.float64)
    return price <= limit if sign == "<=" else price >= limit
