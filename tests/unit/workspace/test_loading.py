"""A release is loaded whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bowerbird.errors import InputError, NotReadyError
from bowerbird.workspace import Workspace
from bowerbird.workspace.loading import loaded_release


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """Three items and the index of their words."""
    workspace = Workspace.create(tmp_path / "shop")
    imported(workspace, tmp_path, "a", 3)
    workspace.build(["lexical"])
    return workspace


def imported(workspace: Workspace, folder: Path, name: str, count: int) -> None:
    file = folder / f"{name}.csv"
    file.write_text("item_id,title\n" + "".join(f"{name}{row},red flower\n" for row in range(count)))
    workspace.import_files("items", [file])


def test_items_imported_after_the_build_are_asked_for_a_build(shop: Workspace, tmp_path: Path):
    assert len(loaded_release(shop.workbench()).items) == 3
    imported(shop, tmp_path, "b", 2)
    with pytest.raises(
        NotReadyError, match=r"lexical covers 3 items, the catalogue has 5; run `bowerbird build`"
    ):
        loaded_release(shop.workbench())
    shop.build(["lexical"])
    assert len(loaded_release(shop.workbench()).items) == 5


def test_a_workspace_is_not_made_over_a_file(tmp_path: Path):
    (tmp_path / "shop").write_text("a file")
    with pytest.raises(InputError, match="a file is in the way"):
        Workspace.create(tmp_path / "shop")


def test_nothing_built_is_said(tmp_path: Path):
    with pytest.raises(NotReadyError, match="nothing is built yet"):
        loaded_release(Workspace.create(tmp_path / "empty").workbench())


def test_a_build_as_of_another_time_is_another_build(shop: Workspace):
    one, other, newest = (shop.workbench(as_of).inputs()["events"] for as_of in (10, 20, None))
    assert len({one, other, newest}) == 3


def test_an_index_that_was_not_built_is_named(tmp_path: Path):
    workspace = Workspace.create(tmp_path / "shop")
    imported(workspace, tmp_path, "a", 3)
    workspace.build(["text_vector"])
    assert (
        loaded_release(workspace.workbench()).lacks["search"].startswith("lexical, text_index not built yet")
    )
    workspace.build()
    assert "search" not in loaded_release(workspace.workbench()).lacks
