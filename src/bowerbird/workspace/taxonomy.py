"""A workspace's own taxonomy: taken in from files, kept beside the catalogue, read by builds and answers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bowerbird.content.taxonomy import path_parts
from bowerbird.content.taxonomy_edits import UNEDITED, Edit, EditedTaxonomy, checked_edit
from bowerbird.datasets.columns import texts
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError, NotFoundError, StorageError
from bowerbird.stores.atomic import storage_errors, write_atomically
from bowerbird.stores.catalogue import LanceCatalogue
from bowerbird.stores.layout import Layout

__all__ = ["TaxonomyReport", "import_taxonomy", "read_taxonomy"]

BETWEEN_ALIASES = "|"


@dataclass(frozen=True)
class TaxonomyReport:
    """What a taxonomy is after an import."""

    nodes: int
    edits: int
    """All that were ever made."""
    moved: int
    """Items with a category that leads elsewhere than it says."""
    outside: int
    """Items with a category that is not in the tree of the file; they keep it, as a node of its own."""
    version: str


def read_taxonomy(layout: Layout) -> EditedTaxonomy:
    """The workspace's taxonomy; :data:`~bowerbird.content.taxonomy_edits.UNEDITED` where none was taken in.

    Raises:
        StorageError: the file is damaged.
    """
    with storage_errors(layout.taxonomy, "read the taxonomy"):
        if not layout.taxonomy.exists():
            return UNEDITED
        text = layout.taxonomy.read_text(encoding="utf-8")
    try:
        return EditedTaxonomy.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{layout.taxonomy}: not a taxonomy ({error}); import the tree and its edits again"
        ) from error


def import_taxonomy(layout: Layout, tree: Path | None, edits: Path | None) -> TaxonomyReport:
    """Take in a tree, edits, or both. The caller holds the workspace's lock.

    Args:
        layout: the workspace.
        tree: a table with ``path`` and perhaps ``aliases``; it takes the place of a tree taken in before, edits stay.
        edits: a table with ``action, path, to``, made after all that came before.

    Raises:
        InputError: neither is given, a column is missing, or an edit does not fit the tree.
        NotFoundError: a file does not exist.
    """
    if tree is None and edits is None:
        raise InputError(
            "import taxonomy: name a tree (path, aliases), --edits FILE (action, path, to), or both"
        )
    for file in (tree, edits):
        if file is not None and not file.is_file():
            raise NotFoundError(f"{file}: no such file")
    taxonomy, of_items = read_taxonomy(layout), LanceCatalogue(layout).items().category_paths()
    categories = list(dict.fromkeys(chain.from_iterable(of_items)))
    aliases: list[Edit] = []
    if tree is not None:
        paths, aliases = _tree(tree)
        taxonomy = EditedTaxonomy(paths, taxonomy.edits)
    fresh = [one for one in aliases if one not in taxonomy.edits]
    taxonomy = taxonomy.edited([*fresh, *(_edits(edits) if edits is not None else [])], categories)
    write_atomically(layout.taxonomy, taxonomy.to_json().encode())
    known = set(taxonomy.tree([]).paths)
    now = {path: taxonomy.current(path) for path in categories}
    moved = {path for path, led in now.items() if "/".join(path_parts(path)) != (led or "")}
    outside = {path for path, led in now.items() if led is not None and led not in known}
    return TaxonomyReport(
        nodes=len(taxonomy.tree(categories)),
        edits=len(taxonomy.edits),
        moved=sum(not moved.isdisjoint(paths) for paths in of_items),
        outside=sum(not outside.isdisjoint(paths) for paths in of_items) if taxonomy.paths else 0,
        version=taxonomy.version,
    )


def _tree(file: Path) -> tuple[tuple[str, ...], list[Edit]]:
    table = read_table(file)
    if "path" not in table.column_names:
        raise InputError(f"{file.name}: no column 'path'; found {', '.join(table.column_names)}")
    if "to" in table.column_names:
        raise InputError(f"{file.name}: a column 'to' is of edits, not of a tree; import it with --edits")
    paths = ["/".join(path_parts(path)) for path in texts(table["path"]).to_pylist()]
    if not any(paths):
        raise InputError(f"{file.name}: no path in column 'path'; expected e.g. home/kitchen")
    others = texts(table["aliases"]).to_pylist() if "aliases" in table.column_names else [None] * len(paths)
    aliases = [
        checked_edit("alias", alias, path, f"{file.name} row {row}")
        for row, (path, cell) in enumerate(zip(paths, others, strict=True), start=1)
        for alias in (cell or "").split(BETWEEN_ALIASES)
        if path and alias.strip()
    ]
    return tuple(dict.fromkeys(path for path in paths if path)), aliases


def _edits(file: Path) -> list[Edit]:
    table = read_table(file)
    columns = ("action", "path", "to")
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(
            f"{file.name}: no column {', '.join(map(repr, missing))}; found {', '.join(table.column_names)}"
        )
    rows = zip(*(texts(table[name]).to_pylist() for name in columns), strict=True)
    return [
        checked_edit((action or "").strip().lower(), path or "", to or "", f"{file.name} row {number}")
        for number, (action, path, to) in enumerate(rows, start=1)
    ]
