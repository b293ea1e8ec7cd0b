"""Conditions on items that a search holds to while it searches: a category, a price range, an attribute.

A condition is a short text: ``category=home/kitchen`` (the node and all below it), ``price<=50``, ``price>=10``,
``brand=acme``, or ``name=value`` for an attribute; case is ignored. What is asked about and not known of an item
is not met by it. Where an item has no attribute of that name, what was read off it counts: ``colour``, ``language``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int32

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
    items: Items, conditions: Sequence[str], facets: Facets | None = None
) -> Bool[np.ndarray, "item"]:
    """Items that meet every condition.

    Args:
        items: the catalogue.
        conditions: as the module describes.
        facets: what was read off items.

    Raises:
        InputError: a condition is not understood, or there are too many.
    """
    if len(conditions) > MOST_CONDITIONS:
        raise InputError(f"only: found {len(conditions)} conditions; at most {MOST_CONDITIONS} are read")
    met = np.ones(len(items), dtype=bool)
    for condition in conditions:
        met &= _meeting_one(items, condition, facets or {})
    return met


def _meeting_one(items: Items, condition: str, facets: Facets) -> Bool[np.ndarray, "item"]:
    form = _FORM.fullmatch(condition)
    if form is None:
        raise InputError(
            f"only: {condition[:60]!r} is not understood; expected e.g. category=home/kitchen, price<=50, colour=red"
        )
    name, sign, value = form.group(1).lower(), form.group(2), form.group(3).lower()
    if name == "price" and sign != "=":
        return _price(items, sign, value)
    if sign != "=":
        raise InputError(
            f"only: {condition[:60]!r} compares {name!r}; expected '=', only a price has an order"
        )
    if name == "category":
        below = value.rstrip("/") + "/"
        paths = [(path or "").lower() + "/" for path in items.column("category")]
        return np.array([path.startswith(below) for path in paths], dtype=bool)
    if name == "brand":
        return np.array([(brand or "").lower() == value for brand in items.column("brand")], dtype=bool)
    return _attribute(items, name, value, facets.get(_SPELT.get(name, name), {}))


def _attribute(
    items: Items, name: str, value: str, read_off: Mapping[str, Int32[np.ndarray, "holder"]]
) -> Bool[np.ndarray, "item"]:
    """Items whose own attribute has the value; of those without the attribute, the ones it was read off."""
    met, silent = np.zeros(len(items), dtype=bool), np.ones(len(items), dtype=bool)
    for row, pairs in enumerate(items.column("attributes")):
        said = [str(held).lower() for key, held in pairs or () if key.lower() == name]
        met[row], silent[row] = value in said, not said
    if value in read_off:
        rows = read_off[value]
        met[rows] |= silent[rows]
    return met


def _price(items: Items, sign: str, value: str) -> Bool[np.ndarray, "item"]:
    try:
        limit = float(value)
    except ValueError as error:
        raise InputError(f"only: price{sign}{value[:40]}: expected a number") from error
    price = items.table.column("price").to_numpy().astype(np.float64)
    return price <= limit if sign == "<=" else price >= limit
