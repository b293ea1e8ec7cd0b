"""Conditions on items that a search holds to while it searches: a category, a price range, an attribute.

A condition is a short text: ``category=home/kitchen`` (the node and all below it), ``price<=50``, ``price>=10``,
``brand=acme``, or ``name=value`` for an attribute; case is ignored. What is asked about and not known of an item
is not met by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from bowerbird.errors import InputError
from bowerbird.records.item import Items

__all__ = ["MOST_CONDITIONS", "meeting"]

MOST_CONDITIONS = 20
"""Conditions of one request."""

_FORM = re.compile(r"\s*([^<>=]+?)\s*(<=|>=|=)\s*(.+?)\s*", re.DOTALL)


def meeting(items: Items, conditions: Sequence[str]) -> Bool[np.ndarray, "item"]:
    """Items that meet every condition.

    Args:
        items: the catalogue.
        conditions: as the module describes.

    Raises:
        InputError: a condition is not understood, or there are too many.
    """
    if len(conditions) > MOST_CONDITIONS:
        raise InputError(f"only: found {len(conditions)} conditions; at most {MOST_CONDITIONS} are read")
    met = np.ones(len(items), dtype=bool)
    for condition in conditions:
        met &= _meeting_one(items, condition)
    return met


def _meeting_one(items: Items, condition: str) -> Bool[np.ndarray, "item"]:
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
    return np.array(
        [
            any(key.lower() == name and str(held).lower() == value for key, held in pairs or ())
            for pairs in items.column("attributes")
        ],
        dtype=bool,
    )


def _price(items: Items, sign: str, value: str) -> Bool[np.ndarray, "item"]:
    try:
        limit = float(value)
    except ValueError as error:
        raise InputError(f"only: price{sign}{value[:40]}: expected a number") from error
    price = items.table.column("price").to_numpy().astype(np.float64)
    return price <= limit if sign == "<=" else price >= limit
