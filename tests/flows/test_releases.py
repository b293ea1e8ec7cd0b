"""A new build is checked beside the one that answers; a bad one is refused, and there is a way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from bowerbird.errors import NotFoundError, NotReadyError
from bowerbird.serving import make_app, release_check
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.release_check import checked
from bowerbird.serving.wire import Question
from bowerbird.workspace.releases import releases


def test_a_release_without_change_passes_its_check_without_drift(own_workspace):
    live = LiveWorkspace(own_workspace)
    live.ask("homefeed", Question(user="u3", n=5))
    report = live.reload()
    assert (report.replayed, report.overlap, report.score_drift, report.missing_features) == (
        1,
        1.0,
        0.0,
        0.0,
    )
    assert set(report.recall.values()) == {1.0}


def test_a_release_that_fails_or_empties_what_was_answered_is_refused(own_workspace, monkeypatch):
    live = LiveWorkspace(own_workspace)
    live.ask("related", Question(item="i3", n=5))
    old, asked = live.edition.answers, tuple(live._asked)
    new = LiveWorkspace(own_workspace).edition.answers

    def broken(request):
        raise NotReadyError("broken")

    monkeypatch.setattr(new, "answer", broken)
    with pytest.raises(NotReadyError, match="a request that was answered fails now"):
        checked(old, new, asked)
    monkeypatch.setattr(new, "answer", lambda request: replace(old.answer(request), entries=()))
    with pytest.raises(NotReadyError, match="answers nothing where it did before"):
        checked(old, new, asked)
    monkeypatch.undo()
    monkeypatch.setattr(release_check, "_features", lambda *_: (0.5, 0.5))
    with pytest.raises(NotReadyError, match="inputs went missing"):
        checked(old, new, asked)


def test_a_rollback_makes_all_parts_of_the_release_before_live_at_once(own_workspace):
    with pytest.raises(NotFoundError, match="no release before"):
        own_workspace.rollback()
    first = own_workspace.ask("related", item="i3", n=5).item_ids
    manifest = releases(own_workspace.layout)[-1]
    assert {"item vectors", "index", "user encoder", "taxonomy"} <= set(manifest.stamps)
    with TestClient(make_app(own_workspace)) as client:
        events = [{"user_id": f"u{n}", "item_id": "i3", "action": "save"} for n in range(30)]
        client.post("/v1/events", json=events)
        own_workspace.build()
        assert len(releases(own_workspace.layout)) == 2
        newer = client.post("/v1/reload").json()
        assert newer["version"] != manifest.version
        assert newer["check"]["recall"]["item"] == 1.0
        assert own_workspace.rollback().version == manifest.version
        assert client.post("/v1/reload").json()["version"] == manifest.version
    assert own_workspace.ask("related", item="i3", n=5).item_ids == first
