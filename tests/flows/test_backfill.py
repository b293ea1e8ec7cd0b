"""A new encoder for the whole catalogue: estimated, made beside what is live, switched to at once, killed anywhere."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import NotFoundError
from bowerbird.serving import make_app
from bowerbird.workspace import Workspace
from bowerbird.workspace.backfilling import affected, backfill_estimate
from bowerbird.workspace.content_steps import item_words
from bowerbird.workspace.releases import releases
from bowerbird.workspace.steps import build_steps

SCRIPT = Path(__file__).with_name("killed_backfill.py")


def live(space):
    """What is live, by name; a version is a fingerprint of everything it was made from."""
    return {card.name: card.version for card in space.signals()}


def other_encoder(space):
    """The workspace with the text encoder's other precision in its settings."""
    path = space.layout.settings
    name = space.settings.content.text_encoder
    other = name.removesuffix(":int8") if name.endswith(":int8") else f"{name}:int8"
    path.write_text(path.read_text(encoding="utf-8").replace(f'"{name}"', f'"{other}"'), encoding="utf-8")
    return Workspace.open(space.layout.root)


@pytest.mark.slow
def test_a_backfill_killed_anywhere_leaves_what_was_live_or_all_of_the_new_and_carries_on(
    own_workspace, tmp_path
):
    before = live(own_workspace)
    space = other_encoder(own_workspace)
    for place in ("item_index", "before the switch"):
        ended = subprocess.run([sys.executable, str(SCRIPT), str(space.layout.root), place], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert live(space) == before
    # a server that starts in between answers from what is live, queries in its space
    with TestClient(make_app(Workspace.open(space.layout.root))) as client:
        assert client.get("/v1/search?query=a&n=3").json()["entries"]
    twin = Workspace.open(shutil.copytree(space.layout.root, tmp_path / "twin"))
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(space.layout.root), "after the switch"], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    after = live(space)
    assert {name for name in after if after[name] != before.get(name)} >= {
        "text_vector",
        "item_vector",
        "item_index",
    }
    results = {one.name: one.outcome for one in space.backfill("text_vector")}
    assert set(results.values()) <= {"unchanged", "skipped"}
    twin.backfill("text_vector")
    assert live(space) == live(twin) == after
    ids = space.workbench().items.vocabulary
    mine, theirs = (one.workbench().signals.vectors("item_vector", ids) for one in (space, twin))
    assert mine.matrix.tobytes() == theirs.matrix.tobytes()
    assert not (space.layout.state / "draft.json").exists()
    left = backfill_estimate(space.layout, space.settings, "text_vector")
    # too few events for either
    assert [(one.name, one.rows) for one in left] == [("long_term_encoder", None), ("ranker", None)]
    assert len(releases(space.layout)) == 2
    space.rollback()
    assert live(space) == before
    assert Workspace.open(space.layout.root).ask("search", query="a", n=3).entries


def test_an_estimate_says_rows_seconds_and_bytes_of_every_step_and_writes_nothing(own_workspace):
    space = other_encoder(own_workspace)
    before = sorted(path for path in space.layout.root.rglob("*") if "cache" not in path.parts)
    lines = {one.name: one for one in backfill_estimate(space.layout, space.settings, "text_vector")}
    words = item_words(space.workbench())
    items, distinct = len(words), len(set(words))
    assert (lines["text_vector"].rows, lines["text_vector"].new_rows) == (items, distinct)
    assert lines["text_vector"].seconds > 0
    assert lines["text_vector"].bytes == (items + distinct) * 384 * 4
    assert lines["item_vector"].basis == "its last build"
    assert "cooccurrence" not in lines
    assert sorted(path for path in space.layout.root.rglob("*") if "cache" not in path.parts) == before
    shown = CliRunner().invoke(app, ["backfill", "text_vector", "--estimate", "-w", str(space.layout.root)])
    assert shown.exit_code == 0
    assert "together" in shown.output


def test_only_what_follows_from_a_signal_is_made_and_an_unknown_one_is_refused(tiny_workspace):
    steps = build_steps(tiny_workspace.settings)
    assert [step.name for step in affected(steps, "cooccurrence")] == [
        step.name for step in steps if step.name in {one.name for one in affected(steps, "cooccurrence")}
    ]
    assert "lexical" not in {step.name for step in affected(steps, "text_vector")}
    with pytest.raises(NotFoundError, match="backfill: no signal 'text_vectors'; did you mean 'text_vector'"):
        affected(steps, "text_vectors")
