"""A taxonomy that people keep changing: a tree of their own, aliases, renames and merges, in the order they were made.

The catalogue keeps the category each item came with. Edits say what has become of it since; they are replayed in
order whenever categories are read, so an item imported tomorrow under last year's name lands where that name leads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast, get_args

import pyarrow as pa

from bowerbird.content.taxonomy import SEPARATOR, Taxonomy, path_parts
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records.item import Items

__all__ = ["UNEDITED", "Edit", "EditAction", "EditedTaxonomy", "checked_edit"]

EditAction = Literal["alias", "rename", "merge"]


@dataclass(frozen=True)
class Edit:
    """One change of a taxonomy."""

    action: EditAction
    """``alias``: another word for a node; ``rename``: the node and all below it are elsewhere from now on; ``merge``: the
    node and all below it become part of another, equal parts joined."""
    path: str
    to: str


def checked_edit(action: str, path: str, to: str, where: str) -> Edit:
    """An edit from outside, in its plain form.

    Raises:
        InputError: the action is unknown or a path is empty.
    """
    if action not in get_args(EditAction):
        raise InputError(f"{where}: action {action[:40]!r}; {did_you_mean(action, get_args(EditAction))}")
    plain = [SEPARATOR.join(path_parts(one)) for one in (path, to)]
    if not all(plain):
        raise InputError(f"{where}: an {action} needs a path and where it leads; found {path!r} and {to!r}")
    return Edit(cast("EditAction", action), *plain)


@dataclass(frozen=True)
class EditedTaxonomy:
    """A tree of one's own and what was changed since.

    Args:
        paths: nodes the tree has whether or not an item is there.
        edits: in the order they were made.

    Example:
        >>> edits = (Edit("rename", "food/bread", "bakery"), Edit("alias", "loaves", "bakery"))
        >>> taxonomy = EditedTaxonomy(("food/bread/rye",), edits)
        >>> taxonomy.current("food/bread/rye"), taxonomy.current("Loaves"), taxonomy.current("food")
        ('bakery/rye', 'bakery', 'food')
    """

    paths: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def version(self) -> str:
        """A hash of everything in it; empty where there is nothing."""
        return hashlib.blake2b(self.to_json().encode(), digest_size=8).hexdigest() if self else ""

    def __bool__(self) -> bool:
        return bool(self.paths or self.edits)

    def current(self, path: str | None) -> str | None:
        """Where a category path leads now; None for none."""
        plain = SEPARATOR.join(path_parts(path))
        if not plain:
            return None
        if plain not in self._led:
            self._led[plain] = self._followed(plain)
        return self._led[plain]

    @cached_property
    def _led(self) -> dict[str, str]:
        return {}

    def _followed(self, path: str) -> str:
        for edit in self.edits:
            if edit.action == "alias":
                path = edit.to if path.casefold() == edit.path.casefold() else path
            elif f"{path}/".startswith(f"{edit.path}/"):
                path = edit.to + path[len(edit.path) :]
        return path

    def tree(self, categories: Iterable[str | None]) -> Taxonomy:
        """The tree as it is now, with the categories of items."""
        return Taxonomy.from_paths([*map(self.current, self.paths), *map(self.current, categories)])

    def applied(self, items: Items) -> Items:
        """Items with their categories where they lead now."""
        if not self.edits:
            return items
        table = items.table
        now = pa.array([self.current(path) for path in table.column("category").to_pylist()], pa.string())
        return Items(table.set_column(table.schema.get_field_index("category"), "category", now))

    def categories_of(self, items: Items) -> list[tuple[str, ...]]:
        """Every category of each item (:meth:`~bowerbird.records.item.Items.category_paths`) where it leads now."""
        return [
            tuple(dict.fromkeys(now for now in map(self.current, paths) if now))
            for paths in items.category_paths()
        ]

    def edited(self, edits: Sequence[Edit], categories: Iterable[str | None]) -> EditedTaxonomy:
        """This taxonomy with more edits, each checked against the tree as it is by then.

        Args:
            edits: the new ones, in order.
            categories: what items came with.

        Raises:
            InputError: a node to change or to lead to is not there, a name to take is taken, a node would come
                under itself, or an alias leads to another node already.
        """
        known, found = list(dict.fromkeys(path for path in categories if path)), self
        nodes, words = _nodes(found, known)
        for number, edit in enumerate(edits, start=1):
            what = f"taxonomy edit {number} ({edit.action} {edit.path!r} to {edit.to!r})"
            if edit.action != "alias" and edit.path not in nodes:
                raise InputError(f"{what}: there is no node {edit.path!r}; {_hint(edit.path, nodes)}")
            if edit.action != "rename" and edit.to not in nodes:
                raise InputError(f"{what}: there is no node {edit.to!r}; {_hint(edit.to, nodes)}")
            if edit.action == "rename" and edit.to in nodes:
                raise InputError(f"{what}: {edit.to!r} is there already; use merge to join the two")
            if edit.action != "alias" and f"{edit.to}/".startswith(f"{edit.path}/"):
                raise InputError(f"{what}: a node cannot come under itself")
            if edit.action == "alias" and (led := found.current(edit.path)) not in (edit.path, edit.to):
                raise InputError(f"{what}: {edit.path!r} leads to {led!r} already; a word leads to one node")
            found = EditedTaxonomy(found.paths, (*found.edits, edit))
            if edit.action != "alias" or edit.path.casefold() in words:  # another word changes no node
                nodes, words = _nodes(found, known)
        return found

    def to_json(self) -> str:
        """As JSON, for the workspace."""
        edits = [[one.action, one.path, one.to] for one in self.edits]
        return json.dumps({"paths": self.paths, "edits": edits}, ensure_ascii=False, indent=1)

    @staticmethod
    def from_json(text: str) -> EditedTaxonomy:
        """The inverse of :meth:`to_json`."""
        read = json.loads(text)
        return EditedTaxonomy(tuple(read["paths"]), tuple(Edit(*one) for one in read["edits"]))


def _nodes(taxonomy: EditedTaxonomy, categories: Sequence[str]) -> tuple[Sequence[str], set[str]]:
    """Paths of the tree as it is, and the same without case."""
    paths = taxonomy.tree(categories).paths
    return paths, {path.casefold() for path in paths}


UNEDITED = EditedTaxonomy()
"""Nothing but what items' categories say."""


def _hint(path: str, nodes: Sequence[str]) -> str:
    hint = did_you_mean(path, nodes)
    return hint if hint.startswith("did") or len(hint) < 80 else f"{len(nodes):,} are known"
