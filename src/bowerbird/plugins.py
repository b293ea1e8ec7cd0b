"""Plugins: built-ins and other people's load through the same entry points.

A package adds a plugin by an entry point in one of :data:`GROUPS`, e.g. in its pyproject.toml::

    [project.entry-points."bowerbird.encoders"]
    my-encoder = "my_package:make_encoder"
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bowerbird.errors import NotFoundError, did_you_mean

GROUPS = {
    "encoders": "content encoders: pictures or texts to vectors",
    "regions": "parts of a picture that may each show one thing: detectors",
    "sources": "candidate sources of retrieval",
    "filters": "slate filters that drop candidates with a reason",
    "importers": "readers of named public data sets",
    "recommenders": "models of `bowerbird bench`",
}
"""Group name to what it holds; the entry-point group is ``bowerbird.<name>``."""


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    if group not in GROUPS:
        raise NotFoundError(f"plugin group {group!r} does not exist; {did_you_mean(group, GROUPS)}")
    return {entry.name: entry for entry in entry_points(group=f"bowerbird.{group}")}


def names(group: str) -> list[str]:
    """The installed plugins of a group, sorted."""
    return sorted(_entries(group))


def load(group: str, name: str) -> Callable[..., Any]:
    """The factory a plugin registered.

    Raises:
        NotFoundError: no installed package offers it.
    """
    entries = _entries(group)
    if name not in entries:
        raise NotFoundError(f"{group}: no plugin {name!r} is installed; {did_you_mean(name, entries)}")
    return entries[name].load()
