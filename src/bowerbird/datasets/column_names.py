"""Names that people give to the standard columns, and tables under the standard ones.

A file may say ``userId``, ``reviewerID`` or ``Customer ID`` for ``user_id``. What is well known is found; what could be two
columns, or none, is asked for: ``--columns user=...,item=...,time=...``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from bowerbird.errors import InputError, did_you_mean
from bowerbird.records import CAMPAIGN_SCHEMA, EVENT_SCHEMA, ITEM_SCHEMA, QUERY_SCHEMA, USER_SCHEMA

__all__ = [
    "BENCH_COLUMNS",
    "TIME_UNITS_US",
    "given_names",
    "is_event_column",
    "named_items",
    "renamed",
    "standard_names",
]

TIME_UNITS_US = {"": None, "_us": 1, "_ms": 1000, "_s": 1_000_000}
"""Endings of a time column, and the unit of its numbers in microseconds; without one their size tells it."""

_PEOPLE = (
    ("user", "uid", "customer", "customerid", "reviewer", "reviewerid", "visitor", "visitorid", "member",
     "memberid", "person", "personid", "shopper", "shopperid", "buyer", "buyerid", "reader", "readerid"),
    ("session", "sessionid", "board", "boardid", "playlist", "playlistid", "basket", "basketid", "orderid"),
)  # fmt: skip
_THINGS = (
    ("item", "product", "productid", "movie", "movieid", "parentasin", "book", "bookid", "song", "songid",
     "track", "trackid", "video", "videoid", "article", "articleid", "news", "newsid", "post", "postid",
     "pin", "pinid", "photo", "photoid", "business", "businessid", "venue", "venueid", "poi", "poiid",
     "game", "gameid", "anime", "animeid", "recipe", "recipeid", "content", "contentid", "listing", "listingid"),
    ("asin", "sku", "isbn", "upc", "stockcode", "artist", "artistid"),
)  # fmt: skip
_TIMES = (
    ("timestamp", "ts", "datetime", "eventtime", "eventtimestamp", "unixreviewtime", "unixtimestamp", "unixtime",
     "invoicedate", "occurredat", "epoch"),
    ("time", "date"),
    ("createdat",),
)  # fmt: skip
_IDS = (("id",),)
ALIASES: Mapping[str, Mapping[str, Sequence[Sequence[str]]]] = {
    "events": {"user_id": _PEOPLE, "item_id": _THINGS, "at": _TIMES},
    "items": {"item_id": (*_THINGS, *_IDS)},
    "users": {"user_id": (*_PEOPLE[:1], *_IDS)},
}
"""Of each kind of file: names of standard columns in groups, tried in turn; two names of one group are ambiguous."""

_MORE = {
    "events": ("pos", "rating", "split", "quantity", "price", "unit_price", "amount", "category", "title"),
    "items": ("categories", "popularity"),
}
"""Columns that benches read beside the records' own."""
_KNOWN = {
    kind: (*schema.names, *_MORE.get(kind, ()))
    for kind, schema in (
        ("events", EVENT_SCHEMA),
        ("items", ITEM_SCHEMA),
        ("users", USER_SCHEMA),
        ("campaigns", CAMPAIGN_SCHEMA),
        ("queries", QUERY_SCHEMA),
    )
}
BENCH_COLUMNS = frozenset((*_KNOWN["events"], *("at" + unit for unit in TIME_UNITS_US)))
"""Columns of events that a bench may read."""
_SHORT = {"user": "user_id", "item": "item_id", "time": "at", "order": "pos", "collection": "collection_id"}
_TYPED = re.compile(r":(token|float)(_seq)?$")  # RecBole writes types behind names


def given_names(text: str, kind: str = "events") -> dict[str, str]:
    """What ``--columns`` says: a standard column and the file's name for it; an empty name means there is none.

    Raises:
        InputError: it is not ``column=name`` between commas, or names no column of the kind.

    Example:
        >>> given_names("user=reviewerID, time=when")
        {'user_id': 'reviewerID', 'at': 'when'}
    """
    found: dict[str, str] = {}
    for part in (part for part in text.split(",") if part.strip()):
        name, equals, own = (piece.strip() for piece in part.partition("="))
        standard = _SHORT.get(name, name)
        if not equals:
            raise InputError(
                f"--columns: found {part.strip()!r}; expected e.g. user=NAME,item=NAME,time=NAME"
            )
        if standard not in _KNOWN[kind]:
            known = [*_SHORT, *_KNOWN[kind]] if kind == "events" else _KNOWN[kind]
            raise InputError(f"--columns: unknown column {name!r}; {did_you_mean(name, known)}")
        found[standard] = own
    return found


def standard_names(
    names: Sequence[str], kind: str, given: Mapping[str, str] | None = None, where: str = ""
) -> dict[str, str]:
    """The standard name of columns that have another one, by the file's own name.

    A column under its standard name stays; so does what nothing is known of.

    Args:
        names: the file's columns.
        kind: events, items, users, campaigns or queries.
        given: see :func:`given_names`; wins over everything.
        where: the file, for messages.

    Raises:
        InputError: a given column is not there, or two columns could be the same one.

    Example:
        >>> standard_names(["userId", "movieId", "rating", "timestamp"], "events")
        {'userId': 'user_id', 'movieId': 'item_id', 'timestamp': 'at'}
    """
    given = given or {}
    found: dict[str, str] = {}
    for standard, own in given.items():
        if own and own not in names:
            hint = did_you_mean(own, names)
            hint = hint if hint.startswith("did") else f"found {', '.join(names)}"
            raise InputError(f"{where}: --columns says {own!r} for {standard}, no such column; {hint}")
        if own and own != standard:
            found[own] = _with_unit(standard, own)
        if not own and standard in names:
            found[standard] = f"{standard}_unused"
    typed = {name: _TYPED.sub("", name) for name in names if _TYPED.search(name) and name not in found}
    found |= {name: bare for name, bare in typed.items() if bare in _KNOWN[kind] and bare not in given}
    plain = {name: _plain(name) for name in names if name not in found}
    for standard, groups in ALIASES.get(kind, {}).items():
        if standard in (*given, *found.values()) or any(standard + unit in plain for unit in TIME_UNITS_US):
            continue
        for group in ((_plain(standard),), *groups):
            fitting = [name for name, one in plain.items() if one in group and name not in found]
            if len(fitting) > 1:
                short = next(short for short, long in _SHORT.items() if long == standard)
                raise InputError(
                    f"{where}: {' and '.join(fitting[:3])} could each be {standard}; say which, "
                    f"e.g. --columns {short}={fitting[0]}"
                )
            if fitting:
                found[fitting[0]] = _with_unit(standard, fitting[0])
                break
    return found


def is_event_column(name: str) -> bool:
    """Whether a name is one that events are known to have, so that the line it stands in is a header.

    Example:
        >>> is_event_column("Customer ID"), is_event_column("A2SUAM1J3GNN3B")
        (True, False)
    """
    groups = (group for known in ALIASES["events"].values() for group in known)
    plain = _plain(name)
    return plain in {_plain(one) for one in BENCH_COLUMNS} or any(plain in group for group in groups)


def renamed(table: pa.Table, names: Mapping[str, str], kind: str) -> pa.Table:
    """The table under standard names; nothing is lost.

    A column that already has a standard meaning (an ``image`` that also names its item) is kept beside; one whose name
    another column was given gets the ending ``_unused``.

    Args:
        table: as the file has it.
        names: see :func:`standard_names`.
        kind: as there.

    Example:
        >>> renamed(pa.table({"uid": [1], "user_id": [2]}), {"uid": "user_id"}, "events").to_pylist()
        [{'user_id': 1, 'user_id_unused': 2}]
    """
    names = {own: standard for own, standard in names.items() if own in table.column_names}
    taken = set(names.values())
    columns: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        if name in names:
            columns[names[name]] = table[name]
        known = name in _KNOWN[kind] and names.get(name) != f"{name}_unused"
        if name not in names or (known and name not in taken):
            columns[f"{name}_unused" if name in taken else name] = table[name]
    return pa.table(columns)


def named_items(items: pa.Table, given: Mapping[str, str] | None = None, where: str = "items") -> pa.Table:
    """A bench's items with their ``item_id``, whatever the file calls it.

    Args:
        items: as the file has it.
        given: names meant for the events; the one of ``item_id`` counts where the items have it too.
        where: the file, for messages.
    """
    own = {name: column for name, column in (given or {}).items() if name == "item_id"}
    own = {name: column for name, column in own.items() if column in items.column_names}
    return renamed(items, standard_names(items.column_names, "items", own, where), "items")


def _plain(name: str) -> str:
    """A name without case, spaces, marks, type and unit.

    Example:
        >>> _plain("Customer ID"), _plain("user_id:token"), _plain("timestamp_ms")
        ('customerid', 'userid', 'timestamp')
    """
    bare = _TYPED.sub("", name.strip()).lower()
    for unit in TIME_UNITS_US:
        if unit and bare.endswith(unit):
            bare = bare.removesuffix(unit)
    return re.sub(r"[\W_]", "", bare)


def _with_unit(standard: str, own: str) -> str:
    """``at_ms`` for a time column that says its unit."""
    bare = _TYPED.sub("", own).lower()
    unit = next((unit for unit in TIME_UNITS_US if unit and bare.endswith(unit)), "")
    return standard + unit if standard == "at" else standard
