"""From an event to the next answer: shared online state, a consumer, backpressure, trending."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
from starlette.testclient import TestClient

from bowerbird.clock import HOUR_US
from bowerbird.errors import SettingsError, StorageError
from bowerbird.records.event import Events
from bowerbird.serving import ServingSettings, live, make_app
from bowerbird.serving.follower import STATE_DOWN
from bowerbird.serving.limits import Intake
from bowerbird.stores.event_stream import MemoryStream
from bowerbird.stores.sqlite_state import SqliteOnlineState
from bowerbird.workspace import Workspace
from bowerbird.workspace.realtime import StreamConsumer, opened_state, opened_stream
from bowerbird.workspace.settings import RealtimeSettings


def event(action, item="i3", user="u3", **more):
    return {"user_id": user, "item_id": item, "action": action, **more}


def slate(client, **question):
    reply = client.post("/v1/homefeed", json={"user": "u3", "n": 10, **question}).json()
    return [entry["item_id"] for entry in reply["entries"]], reply


def test_servers_that_share_a_state_answer_with_each_others_events_and_a_newcomer_is_known(own_workspace):
    space = Workspace.open(own_workspace.layout.root, ["realtime.state=file"])
    with TestClient(make_app(space)) as one, TestClient(make_app(space)) as other:
        first = slate(other)[0][0]
        one.post("/v1/events", json=[event("hide", first), event("save", "i5", user="newcomer")])
        assert first not in slate(other)[0]
        assert not any("no history" in note for note in slate(other, user="newcomer")[1]["notes"])


def test_what_a_stream_delivers_twice_counts_once(own_workspace, monkeypatch):
    stream = MemoryStream()
    monkeypatch.setattr(live, "opened_stream", lambda *_: stream)
    answering = live.LiveWorkspace(own_workspace)
    people, sequences = answering.edition.release.people, answering.edition.release.sequences
    before = len(sequences.history(people.row("u3"), 2**62))
    known = own_workspace.workbench().events.table.slice(0, 5)
    for _ in range(2):
        stream.publish(Events(known))
        answering.take([event("save", event_id="once", at=answering.now)])
    assert len(sequences.history(people.row("u3"), 2**62)) == before + 1


def test_a_state_that_is_down_degrades_the_answer_and_says_so(own_workspace, monkeypatch):
    space = Workspace.open(own_workspace.layout.root, ["realtime.state=file"])

    def down(self, user_id):
        raise StorageError("down")

    with TestClient(make_app(space)) as client:
        monkeypatch.setattr(SqliteOnlineState, "person", down)
        items, reply = slate(client)
        assert len(items) == 10
        assert STATE_DOWN in reply["notes"]
        assert "bowerbird_degraded_answers_total 1.0" in client.get("/metrics").text


def test_the_alerts_ask_for_what_the_server_counts(own_workspace, repository):
    rules = (repository / "docs" / "guides" / "alerts.yml").read_text()
    with TestClient(make_app(own_workspace)) as client:
        client.get("/v1/homefeed?user=u3")
        counted = set(re.findall(r"^(bowerbird_\w+)", client.get("/metrics").text, re.MULTILINE))
    events = {"bowerbird_events_total"}  # has no line before the first event
    assert set(re.findall(r"bowerbird_\w+", rules)) <= counted | events


def test_the_consumer_reads_the_log_once_and_trims_what_the_build_has(own_workspace):
    log = own_workspace.workbench().log
    consumer = StreamConsumer(RealtimeSettings(), own_workspace.layout, log)
    assert consumer.step() == log.count() > 0
    assert consumer.step() == 0
    assert consumer.trim(own_workspace.answers.release.as_of, 2**60) == (log.count(), 0)


def test_an_address_that_is_not_understood_is_refused(own_workspace):
    with pytest.raises(SettingsError, match="expected log, redis"):
        opened_stream(RealtimeSettings(stream="kafka://no-topic"), own_workspace.workbench().log)
    with pytest.raises(SettingsError, match="expected process, file or redis"):
        opened_state(RealtimeSettings(state="disc"), own_workspace.layout)


def test_events_move_trending_when_the_hour_has_ended(own_workspace):
    with TestClient(make_app(own_workspace)) as client:
        release = own_workspace.answers.release
        unloved = int(np.argmin(release.joined_counts.trending(release.as_of)))
        name = release.items.vocabulary.id(unloved)
        start = client.post("/v1/homefeed", json={"n": 1}).json()["as_of_us"]
        saves = [event("save", name, user=f"new{n}", at=start + n) for n in range(200)]
        client.post("/v1/events", json=saves)
        client.post("/v1/events", json=event("visit", user="new0", at=start + 2 * HOUR_US))
        reply = client.post("/v1/homefeed", json={"user": "stranger", "n": 40}).json()
        because = {e["item_id"]: {one["source"] for one in e["because"]} for e in reply["entries"]}
        assert "trending" in because.get(name, set())


def test_a_sender_beyond_what_may_wait_is_told_to_come_again_and_nothing_is_dropped(
    own_workspace, monkeypatch
):
    holding, go_on = threading.Event(), threading.Event()
    with TestClient(make_app(own_workspace, ServingSettings(max_waiting_events=3))) as client:
        from bowerbird.serving.live import LiveWorkspace

        take = LiveWorkspace.take

        def slow(self, rows):
            holding.set()
            assert go_on.wait(30)
            return take(self, rows)

        monkeypatch.setattr(LiveWorkspace, "take", slow)
        replies = []
        first = threading.Thread(
            target=lambda: replies.append(client.post("/v1/events", json=[event("save", event_id="a")] * 2))
        )
        first.start()
        assert holding.wait(30)
        refused = client.post("/v1/events", json=[event("save", event_id="b")] * 2)
        assert (refused.status_code, refused.json()["error"]) == (429, "backpressure")
        assert int(refused.headers["retry-after"]) >= 1
        go_on.set()
        first.join()
        assert replies[0].json()["accepted"] == 1
        assert client.post("/v1/events", json=[event("save", event_id="b")] * 2).json()["accepted"] == 1


def test_a_batch_larger_than_what_may_wait_is_taken_when_it_is_alone():
    intake = Intake(3)
    with intake.taking(10) as welcome, intake.taking(1) as second:
        assert (welcome, second) == (True, False)
    assert intake.waiting == 0
