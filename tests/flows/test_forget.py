"""What was forgotten is nowhere: not in a table of any version, not in a byte of any file."""

from __future__ import annotations

import json
import time

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from bowerbird.errors import InputError, MissingDependencyError, NotFoundError
from bowerbird.serving import ServingSettings, make_app
from bowerbird.serving.live import LiveWorkspace
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.testing.servers import RedisServer
from bowerbird.workspace import Workspace
from bowerbird.workspace.forgetting import without
from bowerbird.workspace.leftovers import leftovers
from bowerbird.workspace.picture_steps import verdict_space
from bowerbird.workspace.realtime import StreamConsumer

PERSON = "wanda-the-forgotten"


def raw_places(root, name):
    """Files whose bytes hold the name, the blunt way."""
    return [path for path in root.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]


@pytest.fixture
def lived_in(own_workspace):
    """A workspace a person with a name of her own lived in, with sealed days and an online state."""
    with TestClient(make_app(own_workspace)) as client:
        events = [
            {"user_id": PERSON, "item_id": f"i{n}", "action": "save", "query": PERSON} for n in range(1, 9)
        ]
        early = [{**one, "at": "2025-11-08", "event_id": f"{PERSON}-{n}"} for n, one in enumerate(events)]
        assert client.post("/v1/events", json=[*events, *early]).json()["accepted"] == 16
    own_workspace.workbench().log.seal(keep_days=1)
    consumer = StreamConsumer(
        own_workspace.settings.realtime, own_workspace.layout, own_workspace.workbench().log
    )
    consumer.step()
    own_workspace.build()
    (own_workspace.layout.reports / "rejected.json").write_text(json.dumps({"row": PERSON}))
    return own_workspace


def test_a_person_is_gone_from_every_file_and_what_was_learnt_is_pending_until_a_build(lived_in):
    root = lived_in.layout.root
    assert len(raw_places(root, PERSON)) > 3
    before = lived_in.workbench().log.count()
    with TestClient(make_app(lived_in)) as client:
        slate = client.post("/v1/homefeed", json={"user": PERSON}).json()
        report = client.delete(f"/v1/users/{PERSON}").json()
        assert client.get(f"/v1/users/{PERSON}").status_code == 404
        assert client.get(f"/v1/explain/{slate['request_id']}").status_code == 404
        assert client.delete(f"/v1/users/{PERSON}").status_code == 404
        assert client.post("/v1/homefeed", json={"user": "u3"}).status_code == 200
    assert report["left"] == []
    assert report["removed"]["event log"] == report["removed"]["online state"] == 16
    assert report["removed"]["reports"] == 1
    assert {"signal user_vector", "signal user_clusters"} <= set(report["removed"])
    assert {"cooccurrence", "user_state"} <= set(report["pending"])
    assert leftovers(root, PERSON) == raw_places(root, PERSON) == []
    assert lived_in.workbench().log.count() == before - 16
    lived_in.build()
    assert not (lived_in.layout.state / "pending.json").exists()
    assert lived_in.workbench().models.card("cooccurrence") is not None
    with pytest.raises(NotFoundError, match="no version before"):
        lived_in.workbench().models.rollback("cooccurrence")


@pytest.fixture
def redis_workspace(own_workspace, tmp_path):
    """A workspace whose stream and state are in a Redis of its own."""
    (tmp_path / "redis").mkdir()
    try:
        server = RedisServer(tmp_path / "redis")
    except MissingDependencyError as error:
        pytest.skip(f"NO REDIS: {error}")
    named = [f"realtime.stream={server.url}", f"realtime.state={server.url}"]
    yield Workspace.open(own_workspace.layout.root, named), tmp_path / "redis"
    server.kill()


def test_a_person_is_gone_from_the_stream_and_the_state_of_other_machines_and_from_logged_slates(
    redis_workspace,
):
    space, folder = redis_workspace
    root = space.layout.root
    with TestClient(make_app(space, ServingSettings(record_slates=True), shared=True)) as client:
        saves = [{"user_id": PERSON, "item_id": f"i{n}", "action": "save"} for n in range(1, 5)]
        assert client.post("/v1/events", json=saves).json()["accepted"] == 4
        StreamConsumer(space.settings.realtime, space.layout, space.workbench().log).step()
        slate = client.post(
            "/v1/homefeed", json={"user": PERSON, "n": 6}
        ).json()  # logged as shown, not consumed yet
        assert raw_places(folder, PERSON)
        assert client.get(f"/v1/users/{PERSON}/understanding").json()["user_id"] == PERSON
        report = client.delete(f"/v1/users/{PERSON}").json()
        assert report["removed"]["event log"] == 4 + len(slate["entries"])
        assert report["removed"]["stream"] == report["removed"]["online state"] == 4 + len(slate["entries"])
        assert (report["left"], report["until_retention"]) == ([], {})
        assert leftovers(root, PERSON) == raw_places(root, PERSON) == []
        assert client.get(f"/v1/users/{PERSON}/understanding").status_code == 404
        assert client.get(f"/v1/explain/{slate['request_id']}").status_code == 404
    for _ in range(100):  # the append-only file is rewritten beside the server's work
        if not raw_places(folder, PERSON):
            break
        time.sleep(0.1)
    assert raw_places(folder, PERSON) == []


def test_an_item_is_gone_with_its_picture_and_vectors_and_a_build_goes_on_without_it(own_workspace):
    root, item = own_workspace.layout.root, "i3"
    items = own_workspace.workbench().items
    picture, other, third = (items[row].image for row in (3, 4, 5))
    pairs = ["-".join(sorted(pair)) for pair in ((picture, other), (other, third))]
    VectorCache(own_workspace.layout, verdict_space()).append(pairs, np.ones((2, 1), np.float32))
    report = own_workspace.forget(item=item)
    assert report.left == ()
    assert VectorCache(own_workspace.layout, verdict_space()).missing(pairs) == pairs[:1]
    assert leftovers(root, item) == []
    assert report.removed["catalogue"] == report.removed["media"] == 1
    assert report.removed["vector cache"] >= 2
    assert not own_workspace.workbench().media.has(picture)
    assert {"item_index", "lexical", "cooccurrence"} <= set(report.pending)
    own_workspace.build()
    slate = own_workspace.ask("related", item="i4", n=5)
    assert len(slate.entries) == 5
    with pytest.raises(NotFoundError, match="'i3' is not in the catalogue"):
        own_workspace.ask("related", item="i3")


def test_servers_that_run_take_what_another_process_forgot(lived_in):
    app = make_app(lived_in)
    with TestClient(app) as client:
        assert client.get(f"/v1/users/{PERSON}").status_code == 200
        slate = client.post("/v1/homefeed", json={"user": PERSON}).json()
        Workspace.open(lived_in.layout.root).forget(user=PERSON)  # as `bowerbird forget` does
        deadline = time.monotonic() + 60
        while client.get(f"/v1/users/{PERSON}").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.get(f"/v1/explain/{slate['request_id']}").status_code == 404
        assert not app.state.lifecycle.take_announced()
        assert client.get("/readyz").status_code == 200


def test_a_server_that_forgets_loads_what_is_left_once(lived_in, monkeypatch):
    app = make_app(lived_in)
    loaded = []
    load = LiveWorkspace.reload
    monkeypatch.setattr(LiveWorkspace, "reload", lambda live, **how: loaded.append(how) or load(live, **how))
    with TestClient(app) as client:
        assert client.delete(f"/v1/users/{PERSON}").status_code == 200
        assert not app.state.lifecycle.take_announced()
    assert loaded == [{"unchecked": True}]


def test_an_id_nobody_has_and_a_question_that_names_nothing_are_refused(own_workspace):
    with pytest.raises(NotFoundError, match="is nowhere in"):
        own_workspace.forget(user="nobody-at-all")
    with pytest.raises(InputError, match="name one person"):
        own_workspace.forget()


def test_an_id_leaves_rows_lists_and_maps_of_a_table():
    table = pa.table(
        {
            "id": ["a", "b", "c"],
            "near": [["b", "x"], ["y"], ["a", "a"]],
            "told": pa.array([[("k", "v")], None, [("who", "a")]], pa.map_(pa.string(), pa.string())),
        }
    )
    assert without(table, "a").to_pylist() == [
        {"id": "b", "near": ["y"], "told": None},
        {"id": "c", "near": [], "told": []},
    ]
    assert without(table, "z") is table


@pytest.mark.parametrize("name", ["17", "kitchen"])
def test_a_number_or_a_word_is_an_id_only_where_it_stands_alone(tmp_path, name):
    texts = {
        "params.json": f'{{"rows": 17, "share": 0.17, "note": "a {name} of 17"}}',
        "words.json": f'{{"{name}": 5}}',
        "bowerbird.toml": f'n = 17  # {name}\nreason = "a {name} is shown"',
        "report.html": f"<p>{name} of 17</p>",
        "counts.csv": "id,n\nx,170\n",
        "model.onnx": name,
    }
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    assert leftovers(tmp_path, name) == []
    held = {
        "index.json": f'["a", "{name}"]',
        "page.html": f'<a href="/studio/people/{name}">x</a>',
        "rejected.csv": f"row,id\n1,{name}\n",
    }
    for file, text in held.items():
        (tmp_path / file).write_text(text)
    assert [path.name for path in leftovers(tmp_path, name)] == sorted(held)


def test_an_unknown_number_takes_nothing_with_it(lived_in):
    (lived_in.layout.reports / "build.json").write_text('{"seconds": 17}')
    before = sorted(path.name for path in lived_in.layout.models.iterdir())
    with pytest.raises(NotFoundError, match="'17' is nowhere"):
        lived_in.forget(user="17")
    assert sorted(path.name for path in lived_in.layout.models.iterdir()) == before
    assert (lived_in.layout.reports / "build.json").exists()
