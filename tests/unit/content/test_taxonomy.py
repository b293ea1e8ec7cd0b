"""The tree of categories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content.taxonomy import Taxonomy, path_parts
from bowerbird.errors import InputError, NotFoundError

paths = st.lists(st.one_of(st.none(), st.text(alphabet="ab/ é", max_size=8)), max_size=12)


def test_every_prefix_is_a_node_and_parents_come_first():
    tree = Taxonomy.from_paths(["a/b/c", "d"])
    assert tree.paths == ("a", "a/b", "a/b/c", "d")
    assert tree.parents.tolist() == [-1, 0, 1, -1]
    assert tree.depths.tolist() == [0, 1, 2, 0]
    assert tree.names == ("a", "b", "c", "d")
    assert tree.children(-1).tolist() == [0, 3]
    assert tree.children(0).tolist() == [1]
    assert tree.ancestors(2).tolist() == [1, 0]


def test_empty_parts_spaces_and_forms_of_unicode_are_one_path():
    assert path_parts(" /cafe\u0301//") == path_parts("caf\u00e9") == ("caf\u00e9",)
    assert Taxonomy.from_paths(["", None, "///"]).paths == ()
    assert Taxonomy.from_paths([" a / b "]).node("a//b/") == 1


def test_a_grown_tree_keeps_the_rows_of_old_nodes():
    old = Taxonomy.from_paths(["m/n", "z"])
    new = old.extended(["a", "m/b"])
    assert new.paths == ("m", "m/n", "z", "a", "m/b")
    assert new.version != old.version


@given(paths, st.randoms(use_true_random=False))
def test_the_order_of_paths_does_not_matter(some: list[str | None], random):
    shuffled = list(some) + list(some)
    random.shuffle(shuffled)
    assert Taxonomy.from_paths(some) == Taxonomy.from_paths(shuffled)


@given(paths)
def test_every_path_finds_its_node_and_its_chain_is_its_prefixes(some: list[str | None]):
    tree = Taxonomy.from_paths(some)
    for path, row in zip(some, tree.rows(some).tolist(), strict=True):
        parts = path_parts(path)
        if not parts:
            assert row == -1
            continue
        chain = [row, *tree.ancestors(row).tolist()]
        assert [tree.paths[node] for node in chain] == ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]


def test_wrong_trees_are_refused():
    with pytest.raises(InputError, match="not a plain path"):
        Taxonomy(("a//b",))
    with pytest.raises(InputError, match="'a' occurs twice"):
        Taxonomy(("a", "a"))
    with pytest.raises(InputError, match="comes before its parent"):
        Taxonomy(("a/b", "a"))


def test_an_unknown_category_is_named_with_a_hint():
    with pytest.raises(NotFoundError, match="did you mean 'animals/birds'"):
        Taxonomy.from_paths(["animals/birds"]).node("animals/bird")
    with pytest.raises(NotFoundError, match="300 are known"):
        Taxonomy.from_paths([f"category-{n}" for n in range(300)]).node("@")
