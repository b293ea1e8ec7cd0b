"""Edits of a taxonomy: replayed in order, leaving no orphan, refused where they do not fit."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content.taxonomy_edits import UNEDITED, Edit, EditedTaxonomy, checked_edit
from bowerbird.errors import InputError
from bowerbird.records.item import Items
from bowerbird.records.tables import ATTRIBUTES

CATEGORIES = ["food/bread/rye", "food/bread", "food/cake", "home/kitchen/mugs", None, "Breads"]


def after(*edits: tuple[str, str, str]) -> EditedTaxonomy:
    return UNEDITED.edited([checked_edit(*one, where="test") for one in edits], CATEGORIES)


def test_a_rename_takes_all_below_and_a_merge_joins_equal_parts():
    found = after(
        ("rename", "food/bread", "bakery"),
        ("merge", "food/cake", "bakery"),
        ("alias", "breads", "bakery"),
        ("rename", "bakery", "food/baked"),  # follows what the first rename made
    )
    assert [found.current(path) for path in CATEGORIES] == [
        "food/baked/rye",
        "food/baked",
        "food/baked",
        "home/kitchen/mugs",
        None,
        "food/baked",
    ]
    assert found.current("food/bread/white") == "food/baked/white"  # imported tomorrow under the old name
    assert found.tree(CATEGORIES).paths == (
        *("food", "food/baked", "food/baked/rye"),
        *("home", "home/kitchen", "home/kitchen/mugs"),
    )


def test_every_category_of_an_item_leads_where_it_is_now_and_none_stands_twice():
    more = pa.array([[("categories", "food/bread|food/cake | home")], None], ATTRIBUTES)
    items = Items(pa.table({"item_id": ["a", "b"], "category": ["Breads", None], "attributes": more}))
    edits = after(("alias", "breads", "food/bread"), ("merge", "food/cake", "food/bread"))
    assert items.category_paths() == [("Breads", "food/bread", "food/cake", "home"), ()]
    assert edits.categories_of(items) == [("food/bread", "home"), ()]


def test_items_get_the_category_that_is_theirs_now_and_keep_the_rest():
    items = Items(pa.table({"item_id": list("abcdef"), "category": CATEGORIES, "title": list("uvwxyz")}))
    found = after(("rename", "food/bread", "bakery")).applied(items)
    assert found.column("category")[:2] == ["bakery/rye", "bakery"]
    assert found.column("title") == items.column("title")
    assert UNEDITED.applied(items) is items


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["rename", "merge", "alias"]),
            st.sampled_from(["a", "a/b", "a/b/c", "d", "d/e", "x", "x/y"]),
            st.sampled_from(["a", "a/b", "d", "d/e", "x", "x/y", "new"]),
        ),
        max_size=8,
    )
)
def test_after_any_edits_that_are_accepted_every_path_leads_to_a_node_with_all_its_parents(edits):
    categories = ["a/b/c", "d/e", "x/y", "a"]
    found = UNEDITED
    for one in edits:
        try:
            found = found.edited([Edit(*one)], categories)
        except InputError:
            continue
    tree = found.tree(categories)
    led = [found.current(path) for path in categories]
    assert all(path in tree.paths for path in led)
    for edit in found.edits:
        assert found.current(edit.path) != edit.path or edit.action == "alias" or edit.path in tree.paths
    assert EditedTaxonomy.from_json(found.to_json()) == found
    assert (found.version == "") == (not found)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("rename", "food/bred", "x"), "there is no node 'food/bred'; did you mean 'food/bread'"),
        (("merge", "food/cake", "nowhere"), "there is no node 'nowhere'"),
        (("alias", "loaves", "bakry"), "there is no node 'bakry'"),
        (("rename", "food/cake", "food/bread"), "'food/bread' is there already; use merge"),
        (("merge", "food", "food/bread"), "a node cannot come under itself"),
        (("move", "food", "x"), "action 'move'; "),
        (("rename", " / ", "x"), "needs a path and where it leads"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit, message):
    with pytest.raises(InputError, match=message):
        after(edit)


def test_a_word_leads_to_one_node():
    found = after(("alias", "loaves", "food/bread"))
    assert found.edited([Edit("alias", "loaves", "food/bread")], CATEGORIES).current("loaves") == "food/bread"
    with pytest.raises(InputError, match="'loaves' leads to 'food/bread' already; a word leads to one node"):
        found.edited([Edit("alias", "loaves", "food/cake")], CATEGORIES)


def test_many_aliases_build_the_tree_once(monkeypatch):
    built = []
    tree = EditedTaxonomy.tree
    monkeypatch.setattr(EditedTaxonomy, "tree", lambda *given: built.append(1) or tree(*given))
    found = UNEDITED.edited([Edit("alias", f"word {n}", "food/bread") for n in range(50)], CATEGORIES)
    assert (found.current("WORD 49"), len(built)) == ("food/bread", 1)
    renamed = [Edit("alias", "Breads", "food/bread"), Edit("rename", "food/bread", "bakery")]
    found.edited([*renamed, Edit("alias", "rolls", "bakery")], CATEGORIES)
    assert len(built) == 4  # before, after a word that was a node, and after the rename
