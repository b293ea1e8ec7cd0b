"""The build step that tells which categories items are about, also those that came without one."""

from __future__ import annotations

from itertools import chain

import numpy as np

from bowerbird.content.interest_ranking import AskedItems
from bowerbird.content.interests import ItemInterests, ItemInterestSettings, NodeWords, item_interests
from bowerbird.content.taxonomy import SEPARATOR, Taxonomy
from bowerbird.records.signal import SignalCard, Vectors
from bowerbird.workspace.content_steps import encoded_pictures, encoded_texts
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.space_steps import loaded_space, tuned_for
from bowerbird.workspace.workbench import Workbench

__all__ = ["interest_steps"]

MOST_TEACHERS = 1000
"""Items with a category that the ranker learns from, evenly spaced over the catalogue."""
LEAST_TEACHERS = 50


def interest_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The step, after the space of items."""
    dials = ItemInterestSettings().fingerprint()
    return [Step("item_interests", ("catalogue", "item_vector"), 2, dials, make_interests, lacks_categories)]


def lacks_categories(bench: Workbench) -> str | None:
    """A category path is needed on some items."""
    return None if any(bench.items.category_paths()) else "no item has a category"


def make_interests(bench: Workbench, version: str) -> SignalCard:
    """Interests of items: their category path, and a calibrated guess for items without one."""
    categories = bench.taxonomy.categories_of(bench.items)
    tree = bench.taxonomy.tree(chain.from_iterable(categories))
    vectors = bench.item_vectors("item_vector") if bench.has("item_vector") else None
    words, known = None, None
    if vectors is not None and not all(categories):
        words, known = _teachers(bench, tree, vectors, categories)
    interests = item_interests(categories, tree, vectors, words=words, known=known)
    card = bench.card(
        "item_interests",
        ("item", "label"),
        version,
        "category tree" + (", ranked by a calibrated model" if known is not None else ""),
        counted=(round(interests.coverage * len(bench.items)), len(bench.items)),
        inputs=("catalogue", "item_vector"),
        note=_note(interests, bench.taxonomy.version),
    )
    bench.signals.put_table(card, interests.to_table(bench.items.vocabulary.ids))
    return card


def _note(interests: ItemInterests, taxonomy: str) -> str:
    note = f"{len(interests.taxonomy)} interests"
    note += f", taxonomy {taxonomy}" if taxonomy else ""
    guessed = interests.inferred_share
    return note + (f"; {guessed:.0%} of the items have no category and were placed" if guessed else "")


def _teachers(
    bench: Workbench, tree: Taxonomy, vectors: Vectors, categories: list[tuple[str, ...]]
) -> tuple[NodeWords | None, AskedItems | None]:
    """Words of items and nodes, and items with a category asked as if they had none."""
    labelled = np.array([bool(paths) for paths in categories]) & vectors.present
    rows = np.flatnonzero(labelled)
    if rows.size > MOST_TEACHERS:
        rows = rows[np.linspace(0, rows.size - 1, MOST_TEACHERS).astype(np.int64)]
    wanted = ~labelled
    wanted[rows] = True
    columns = [bench.items.column(name) for name in ("title", "description", "brand")]
    said = [
        " ".join(part for part in parts if part) or None if asked else None
        for asked, *parts in zip(wanted, *columns, strict=True)
    ]
    words, texts = None, None
    if any(said):
        texts, _ = encoded_texts(bench, said, "encode words without categories")
        names = [path.replace(SEPARATOR, " ").replace("-", " ").replace("_", " ") for path in tree.paths]
        words = NodeWords(texts, encoded_texts(bench, names, "encode names of categories")[0])
    space = loaded_space(bench, vectors)
    if rows.size < LEAST_TEACHERS or space is None:
        return words, None
    image = bench.item_vectors("image_vector").take(rows) if bench.has("image_vector") else None
    own = texts.take(rows) if texts is not None else None
    tuned, asked = tuned_for(bench, space), [said[row] for row in rows]
    if tuned is None:
        blind = space.embed(image, own, asked)
    else:
        look = encoded_pictures(bench, tuned.image)[0].take(rows)
        named = encoded_texts(bench, asked, "encode words without categories", tuned.text)[0]
        blind = space.embed(look, named if own is not None else None, asked)
    seen = np.flatnonzero(blind.present)
    asked_texts = own.take(seen) if own is not None else None
    return words, AskedItems(rows[seen], blind.take(seen), asked_texts)
