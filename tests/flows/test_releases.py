"""A new build is checked beside the one that answers; a bad one is refused, and there is a way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient

from bowerbird.errors import NotFoundError, NotReadyError
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.serving import make_app, release_check
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.release_check import checked, recall_probe
from bowerbird.serving.wire import Question
from bowerbird.workspace.releases import releases


def turned(workspace):
    """New item vectors beside the old index, as a half-done rollout leaves them: the same space, turned."""
    signals, ids = workspace.workbench().signals, workspace.workbench().items.vocabulary
    vectors = signals.vectors("item_vector", ids)
    turn = np.linalg.qr(generator(0, "turn").normal(size=(vectors.space.dim,) * 2))[0].astype(np.float32)
    card = signals.card("item_vector")
    signals.put_vectors(card, ids, Vectors(vectors.space, vectors.matrix @ turn, vectors.present))


def test_the_naive_rollout_loses_recall_and_the_guarded_one_loses_none(own_workspace):
    naive, guarded = LiveWorkspace(own_workspace), LiveWorkspace(own_workspace)
    before = guarded.ask("related", Question(item="i3", n=5))[0]
    turned(own_workspace)
    naive.reload(unchecked=True)
    with pytest.raises(NotReadyError, match=r"finds .* of its nearest items"):
        guarded.reload()
    assert recall_probe(naive.edition.release, "item") < 0.5
    assert recall_probe(guarded.edition.release, "item") == 1.0
    assert guarded.ask("related", Question(item="i3", n=5))[0].entries == before.entries


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
