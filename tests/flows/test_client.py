"""The typed client: made from the server's own description, and asked against a server on a socket."""

from __future__ import annotations

import importlib.util
import json
import re
import threading
import time
from contextlib import closing

import pytest
import uvicorn

from bowerbird.client import connect, connection
from bowerbird.errors import BusyError, InputError, NotFoundError, NotReadyError, StorageError
from bowerbird.serving import ApiKey, KeyRing, ServingSettings, make_app
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.wire import SlateReply
from bowerbird.testing.servers import free_port

KEY = "sixteen-or-longer"


@pytest.fixture(scope="module")
def document(tiny_workspace):
    return json.loads(json.dumps(make_app(tiny_workspace).openapi()))


@pytest.fixture
def address(own_workspace):
    """A server on a socket that asks for a key."""
    ring = KeyRing((ApiKey.of("shop", KEY),))
    app = make_app(own_workspace, ServingSettings(require_key=True), ring)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_the_client_is_what_the_servers_description_makes(repository, document):
    spec = importlib.util.spec_from_file_location("client_text", repository / "docs" / "client_text.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    for name, text in made.texts(document).items():
        assert (made.FOLDER / name).read_text() == text, "run python docs/client_text.py WORKSPACE"


def test_every_route_has_an_example_of_what_it_takes_and_answers_and_no_reference_leads_nowhere(document):
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            (answer,) = operation["responses"]["200"]["content"].values()
            assert answer["example"] is not None, (method, path)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            assert body is None or body["example"], (method, path)
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert {one.rpartition("/")[2] for one in references} <= set(schemas)
    SlateReply.model_validate(
        document["paths"]["/v1/homefeed"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    )


@pytest.fixture
def server(address):
    with closing(connect(address, KEY)) as client:
        yield client


def test_the_client_asks_sends_explains_and_forgets(server):
    slate = server.homefeed(user="u3", n=5)
    assert len(slate["entries"]) == 5
    assert server.explain(slate["request_id"])["entries"] == slate["entries"]
    first = slate["entries"][0]["item_id"]
    others = [one["item_id"] for one in slate["entries"][1:3]]
    assert server.why_not("homefeed", first, user="u3", n=5, exclude=others)["stage"] == "shown"
    category = slate["entries"][0]["category"]
    related = server.related(item=first, n=5, only=[f"category={category}"])
    assert {one["category"] for one in related["entries"]} <= {category}
    hide = {"event_id": "h", "user_id": "u3", "item_id": first, "action": "hide"}
    assert server.send_events(events=[hide, hide])["accepted"] == 1
    assert first not in [one["item_id"] for one in server.homefeed(user="u3", n=5)["entries"]]
    assert server.understanding("u3")["user_id"] == "u3"
    assert server.readyz() == {"status": "ready", "version": slate["release"], "degraded": []}
    assert server.forget_user("u3")["left"] == []


def test_what_the_server_refuses_is_raised_as_our_own_errors(server, address, monkeypatch):
    with pytest.raises(NotFoundError, match="nobody"):
        server.user("nobody/at all?")
    with pytest.raises(InputError, match="n: Input should be greater"):
        server.homefeed(user="u3", n=0)
    with closing(connect(address)) as stranger, pytest.raises(InputError, match="an API key is needed"):
        stranger.homefeed(user="u3")
    with pytest.raises(InputError, match="expected http://HOST:PORT"):
        connect("localhost:8080")
    with pytest.raises(StorageError, match="does not answer"):
        connect(f"http://127.0.0.1:{free_port()}").homefeed(user="u3")
    monkeypatch.setattr(connection, "MOST_WAIT_S", 0.01)
    asked = []

    def busy(self, rows):
        asked.append(rows)
        raise NotReadyError("later")

    monkeypatch.setattr(LiveWorkspace, "take", busy)
    with pytest.raises(BusyError, match="later"):
        server.send_events(events=[{"user_id": "u3", "action": "visit"}])
    assert len(asked) == connection.TRIES
