"""Audiences declared in bowerbird.toml: built, named as a campaign's target, obeyed by ads, told by --explain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import InputError, NotFoundError, SettingsError
from bowerbird.records.signal import Vectors
from bowerbird.workspace import Workspace

DECLARED = """
[audiences.listed]
about = "people we know, and people like them"
seeds = "lists/known.txt"
people = 4

[audiences.nobody]
interest = "no such category"
"""


def declared(workspace: Workspace, text: str) -> Workspace:
    path = workspace.layout.settings
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return Workspace.open(workspace.layout.root)


def target(workspace: Workspace, audience: str, tmp_path) -> None:
    """Every campaign aims at one audience."""
    rows = [{**one, "audience": audience} for one in map(vars, workspace.workbench().catalogue.campaigns())]
    import pyarrow as pa

    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "campaigns.parquet")
    workspace.import_files("campaigns", [tmp_path / "campaigns.parquet"])


def test_ads_go_to_their_audience_and_say_so(own_workspace, tmp_path):
    people = own_workspace.answers.release.people.ids
    lists = own_workspace.layout.root / "lists"
    lists.mkdir()
    (lists / "known.txt").write_text("\n".join(people[:5]))
    workspace = declared(own_workspace, DECLARED)
    target(workspace, "listed", tmp_path)
    workspace.build()
    assert workspace.build(["user_audiences"])[-1].outcome == "unchanged"
    audiences = workspace.answers.release.audiences
    assert set(people[:5]) < set(audiences["listed"])
    assert len(audiences["listed"]) == 9
    assert audiences["nobody"] == {}
    later = declared(workspace, '[audiences.later]\ninterest = "no such category"\n')
    assert "later" not in later.answers.release.audiences  # declared and not built is not the same as empty

    place = ["-w", str(workspace.layout.root)]
    told = CliRunner().invoke(
        app, ["ask", "ads", "--user", people[0], "--explain", *place], env={"COLUMNS": "200"}
    )
    assert "audience listed" in " ".join(told.output.split()), told.output
    (first, *_) = workspace.ask("ads", user=people[0]).entries
    assert ("audience listed", 1.0) in {(one.source, one.score) for one in first.because}
    stranger = next(one for one in people if one not in audiences["listed"])
    shown = workspace.ask("ads", user=stranger)
    assert not shown.entries
    assert "the person is not in its audience 'listed'" in {one.reason for one in shown.dropped}
    assert not workspace.ask("ads").entries

    (lists / "known.txt").write_text("\n".join(people[10:14]))  # another list is another audience
    workspace.build(["user_audiences"])
    assert set(people[10:14]) < set(workspace.answers.release.audiences["listed"])
    target(workspace, "elsewhere", tmp_path)
    workspace.build()
    reasons = {one.reason for one in workspace.ask("ads", user=people[10]).dropped}
    assert "its audience 'elsewhere' is not built; declare it under [audiences] and build" in reasons


def test_an_audience_is_those_who_meet_all_that_is_said(own_workspace):
    bench = own_workspace.workbench()
    states = dict(
        zip(
            *(bench.signals.table("user_state")[name].to_pylist() for name in ("user_id", "state")),
            strict=True,
        )
    )
    interests = bench.signals.table("user_interests")
    interest = interests["interest"][0].as_py().split("/")[0]
    workspace = declared(
        own_workspace, f'[audiences.both]\ninterest = "{interest}"\nstates = ["new", "core"]\n'
    )
    workspace.build(["user_audiences"])
    found = workspace.answers.release.audiences["both"]
    liking = {
        user
        for user, path in zip(
            interests["user_id"].to_pylist(), interests["interest"].to_pylist(), strict=True
        )
        if path.split("/")[0] == interest
    }
    assert set(found) == {user for user in liking if states[user] in ("new", "core")}
    assert found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[audiences.x]\npeople = 3\n", "expected seeds, interest or states"),
        ('[audiences.x]\nstates = ["kore"]\n', "unknown state 'kore'; did you mean 'core'"),
    ],
)
def test_an_audience_of_nothing_is_refused(own_workspace, text, message):
    with pytest.raises((SettingsError, InputError), match=message):
        declared(own_workspace, text)


def test_a_list_that_is_not_there_is_named(own_workspace):
    workspace = declared(own_workspace, '[audiences.x]\nseeds = "gone.csv"\n')
    with pytest.raises(NotFoundError, match=r"\[audiences.x\] seeds = 'gone.csv': no such file"):
        workspace.build(["user_audiences"])


def test_a_list_of_strangers_is_an_audience_of_nobody_and_the_build_goes_on(own_workspace):
    (own_workspace.layout.root / "strangers.txt").write_text("nobody-1\nnobody-2\nnobody-3\n")
    workspace = declared(own_workspace, '[audiences.x]\nseeds = "strangers.txt"\npeople = 5\n')
    (made,) = (one for one in workspace.build(["user_audiences"]) if one.name == "user_audiences")
    assert made.card is not None
    assert (
        "x 0 (nobody like the list: audience: of 3 different ids on the list 0 are people here"
        in made.card.note
    )
    assert workspace.answers.release.audiences["x"] == {}


def test_a_vector_that_the_list_lacks_does_not_stop_another_from_answering(own_workspace):
    bench = own_workspace.workbench()
    people = bench.people
    vectors = bench.signals.vectors("user_vector", people)
    seeds = np.flatnonzero(vectors.present)[:4]
    present = vectors.present.copy()
    present[seeds] = False
    card = bench.signals.card("user_vector")
    lacking = Vectors(vectors.space, np.where(present[:, None], vectors.matrix, np.float32(0)), present)
    bench.signals.put_vectors(replace(card, version="lacking"), people, lacking)
    found = own_workspace.audience(people.names(seeds.tolist()), 3)
    assert found.vectors.startswith("user_universal")
    assert len(found.user_ids) == 3
