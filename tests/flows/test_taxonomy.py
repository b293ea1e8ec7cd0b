"""One's own taxonomy in a workspace: merges keep interests and refusals, an edit in mid-build waits for the next."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import BusyError, InputError, NotFoundError, StorageError
from bowerbird.stores.lock import workspace_lock
from bowerbird.workspace import Workspace
from bowerbird.workspace.taxonomy import import_taxonomy, read_taxonomy


def edits(folder, *lines: str):
    path = folder / "edits.csv"
    path.write_text("action,path,to\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def command(workspace, *arguments):
    return CliRunner().invoke(
        app, ["import", "taxonomy", *map(str, arguments), "-w", str(workspace.layout.root)]
    )


def test_what_people_did_and_refused_survives_a_merge_and_a_rename(own_workspace, tmp_path):
    def interests(space):
        return {one.interest: one for one in space.understanding("u3").interests}

    before = interests(own_workspace)
    top = next(iter(before))
    kind = top.split("/")[0]
    other = next(path for path in ("ring", "cross", "bar") if path != kind)
    own_workspace.refuse_interest("u5", "triangle", "mute")
    found = command(
        own_workspace, "--edits", edits(tmp_path, f"merge,{kind},{other}", "rename,triangle,peaks")
    )
    assert found.exit_code == 0, found.output
    assert "2 edits in all" in found.output
    space = Workspace.open(own_workspace.layout.root)
    outcome = {one.name: one.outcome for one in space.build()}
    assert outcome["image_vector"] == "built"  # every picture from the cache
    release = space.answers.release
    heads = {path.split("/")[0] for path in release.items.column("category") if path}
    assert kind not in heads
    assert "triangle" not in heads
    assert "peaks" in heads
    after = interests(space)
    assert {name.split("/")[0] for name in after} <= heads
    merged = [one for name, one in after.items() if name.split("/")[0] == other]
    old = [one for name, one in before.items() if name.split("/")[0] == kind]
    proofs = {proof.item_id for one in merged for proof in one.evidence}
    assert proofs & {proof.item_id for one in old for proof in one.evidence}
    assert all(release.under(other)[release.item_row(name)] for name in proofs)
    shown = space.ask("homefeed", user="u5", n=20).entries
    assert not any(
        (release.items[release.item_row(one.item_id)].category or "").startswith("peaks") for one in shown
    )
    assert (release.under("triangle") == release.under("peaks")).all()


def test_a_tree_with_aliases_brings_its_own_nodes(own_workspace, tmp_path):
    tree = tmp_path / "tree.csv"
    tree.write_text("path,aliases\nshapes/round,circle/red|Circle/Green\nshapes/angular,\n", encoding="utf-8")
    found = command(own_workspace, tree, "--json")
    assert found.exit_code == 0, found.output
    report = import_taxonomy(own_workspace.layout, tree, None)  # again: nothing is doubled
    assert (report.edits, report.outside > 0) == (2, True)
    bench = own_workspace.workbench()
    assert {"shapes", "shapes/round", "shapes/angular"} <= set(bench.taxonomy.tree([]).paths)
    assert "shapes/round" in bench.items.column("category")


def test_an_edit_while_a_build_runs_is_refused_and_one_behind_its_back_is_the_next_builds(
    own_workspace, tmp_path
):
    path = edits(tmp_path, "rename,circle,discs")
    with workspace_lock(own_workspace.layout, "build"):
        refused = command(own_workspace, "--edits", path)
    assert isinstance(refused.exception, BusyError)
    bench = own_workspace.workbench()
    inputs, names = bench.inputs(), bench.items.column("category")
    import_taxonomy(own_workspace.layout, None, path)
    assert bench.inputs() == inputs  # what a build began with, it ends with
    assert bench.items.column("category") == names
    assert own_workspace.workbench().inputs() != inputs


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("tree", "node\na\n", InputError, "no column 'path'; found node"),
        ("tree", "path,to\na,b\n", InputError, "a column 'to' is of edits.*import it with --edits"),
        ("tree", "path\n \n", InputError, "no path in column 'path'"),
        ("edits", "action,from,to\n", InputError, "no column 'path'"),
        ("edits", "action,path,to\nrename,circel,x\n", InputError, "did you mean 'circle'"),
        ("edits", None, NotFoundError, "no such file"),
    ],
)
def test_files_that_do_not_fit_say_where(tiny_workspace, tmp_path, name, text, error, message):
    path = tmp_path / f"{name}.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    given = {"tree": None, "edits": None, name: path}
    with pytest.raises(error, match=message):
        import_taxonomy(tiny_workspace.layout, **given)


def test_without_a_file_or_with_a_damaged_one_it_says_so(own_workspace):
    with pytest.raises(InputError, match="name a tree"):
        import_taxonomy(own_workspace.layout, None, None)
    own_workspace.layout.taxonomy.write_text("[]", encoding="utf-8")
    with pytest.raises(StorageError, match=r"taxonomy\.json: not a taxonomy"):
        read_taxonomy(own_workspace.layout)
