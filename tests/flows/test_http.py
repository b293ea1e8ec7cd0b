"""The HTTP API over a built workspace: answers, events, explanations, and what strangers may try."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from bowerbird import clock
from bowerbird.errors import NotReadyError
from bowerbird.serving import ApiKey, KeyRing, ServingSettings, make_app
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.wire import PlanReply, SlateReply
from bowerbird.workspace import Workspace

READ, INGEST, ADMIN = "a-key-that-may-read", "a-key-that-may-send", "a-key-that-may-all"


@pytest.fixture(scope="module")
def client(tiny_workspace):
    """A client of a server nobody changes."""
    with TestClient(make_app(tiny_workspace), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def own(own_workspace):
    """A client of a server of this test's own."""
    with TestClient(make_app(own_workspace), raise_server_exceptions=False) as client:
        yield client


def png(mode="RGB", size=(64, 64), colour=0):
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, format="PNG" if mode != "CMYK" else "JPEG")
    return out.getvalue()


def ids(reply):
    assert reply.status_code == 200, reply.text
    return [entry["item_id"] for entry in reply.json()["entries"]]


@contextmanager
def listening(app):
    """The application behind a real socket; gives the port."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def failed(reply, status, error, match=""):
    assert (reply.status_code, reply.json()["error"]) == (status, error), reply.text
    assert match in reply.json()["message"]
    assert "Traceback" not in reply.text
    assert set(reply.json()) == {"error", "message"}


# --- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("surface", "question"),
    [
        ("homefeed", {"user": "u3", "n": 5}),
        ("related", {"item": "i3", "n": 5}),
        ("search", {"query": "red circle", "n": 5}),
        ("shopping", {"query": "blue", "n": 5}),
        ("ads", {"user": "u3", "n": 5}),
    ],
)
def test_each_surface_answers_the_same_by_query_string_and_by_json_in_the_documented_form(
    client, surface, question
):
    by_json = client.post(f"/v1/{surface}", json=question)
    assert by_json.status_code == 200, by_json.text
    reply = SlateReply.model_validate(by_json.json())
    assert [entry.position for entry in reply.entries] == list(range(len(reply.entries)))
    assert client.get(f"/v1/{surface}", params=question).json() == by_json.json()
    assert reply.entries or surface in ("ads", "shopping")


def test_growth_plans_at_most_the_budget(client):
    plan = PlanReply.model_validate(client.post("/v1/growth", json={"budget": 4}).json())
    assert 0 < len(plan.notifications) <= 4
    assert plan.considered == 60


def test_search_takes_words_and_a_picture_as_a_form_or_in_base64(client):
    red = png(colour=(214, 40, 40))
    by_form = client.post("/v1/search", data={"query": "circle", "n": "4"}, files={"image": ("x.png", red)})
    encoded = base64.b64encode(red).decode()
    by_json = client.post("/v1/search", json={"query": "circle", "n": 4, "image": encoded})
    by_address = client.post(
        "/v1/search", json={"query": "circle", "n": 4, "image": f"data:image/png;base64,{encoded}"}
    )
    assert ids(by_form) == ids(by_json) == ids(by_address)
    assert len(ids(by_form)) == 4


def test_an_explanation_adds_up_and_tells_what_was_dropped_and_what_each_stage_did(client):
    asked = client.post("/v1/homefeed", json={"user": "u3", "n": 6, "exclude": ["i7"]}).json()
    why = client.get(f"/v1/explain/{asked['request_id']}").json()
    assert why["entries"] == asked["entries"]
    for entry in why["entries"]:
        assert sum(entry["terms"].values()) == pytest.approx(entry["score"], abs=1e-6)
        assert entry["because"]
    assert {"source interests", "blend", "score", "diversity"} <= {stage["stage"] for stage in why["stages"]}
    drops = {drop["stage"]: drop for drop in why["dropped"]}
    assert drops["excluded"]["items"] == ["i7"]
    assert all(drop["reason"] and drop["count"] >= 1 for drop in why["dropped"])


def test_a_person_nobody_knows_gets_a_slate_that_says_so(client):
    reply = client.get("/v1/homefeed", params={"user": "nobody", "n": 5}).json()
    assert len(reply["entries"]) == 5
    assert "'nobody' has no history" in " ".join(reply["notes"])


def test_questions_are_asked_just_after_the_newest_event_unless_they_name_a_time(client, tiny_workspace):
    newest = tiny_workspace.answers.release.as_of
    assert client.get("/v1/homefeed", params={"user": "u3"}).json()["as_of_us"] == newest
    early = client.get("/v1/homefeed", params={"user": "u3", "as_of": "2025-11-05"}).json()
    assert early["as_of"] == "2025-11-05T00:00:00Z"


def test_with_the_wall_clock_a_question_is_asked_now(tiny_workspace):
    from bowerbird.clock import now

    with TestClient(make_app(tiny_workspace, ServingSettings(live_clock=True))) as live:
        before = now()
        first = live.get("/v1/homefeed", params={"user": "u3"}).json()
        second = live.get("/v1/homefeed", params={"user": "u3"}).json()
    assert before <= first["as_of_us"] <= now()
    assert first["request_id"] != second["request_id"]


def test_people_items_signals_and_the_workspace_can_be_looked_at(client):
    people = client.get("/v1/users", params={"limit": 10}).json()
    assert people["total"] == people["of"] == 60
    assert [one["actions"] for one in people["people"]] == sorted(
        (one["actions"] for one in people["people"]), reverse=True
    )
    person = client.get(f"/v1/users/{people['people'][0]['user_id']}").json()
    assert person["history"][0]["at"] >= person["history"][-1]["at"]
    assert sum(one["weight"] for one in person["interests"]) == pytest.approx(1.0)
    assert all(one["evidence"] or one["searches"] for one in person["interests"])
    item = client.get("/v1/items/i3").json()
    assert (item["title"], item["category"]) == ("yellow circle with snow", "circle/yellow")
    assert {"item_vector", "near_duplicates"} <= {
        card["name"] for card in client.get("/v1/signals").json()["signals"]
    }
    about = client.get("/v1/workspace").json()
    assert (about["simulated"], about["credit"], about["people"]) == (True, "drawn by the tests", 60)


def test_people_are_found_by_part_of_their_id_and_by_state(client):
    found = client.get("/v1/users", params={"query": "U1", "limit": 200}).json()["people"]
    assert {one["user_id"] for one in found} == {"u1", *(f"u{n}" for n in range(10, 20))}
    states = client.get("/v1/users").json()["states"]
    assert client.get("/v1/users", params={"state": "new"}).json()["total"] == states["new"]
    failed(client.get("/v1/users", params={"state": "sleepy"}), 404, "not_found", "'sleepy'")


def test_a_picture_comes_with_the_type_of_its_bytes_and_is_not_sent_twice(client):
    picture = client.get("/v1/items/i3/image")
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert Image.open(io.BytesIO(picture.content)).size == (96, 96)
    again = client.get("/v1/items/i3/image", headers={"if-none-match": picture.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_health_metrics_and_the_description_of_the_api(client):
    assert client.get("/healthz").json()["status"] == "alive"
    client.get("/v1/nowhere/at/all")
    text = client.get("/metrics").text
    assert 'bowerbird_request_seconds_count{route="/healthz",status="200"}' in text
    assert 'route="other",status="404"' in text
    paths = client.get("/openapi.json").json()["paths"]
    surfaces = ("homefeed", "related", "search", "shopping", "growth", "ads")
    assert {f"/v1/{name}" for name in surfaces} | {"/v1/events", "/v1/explain/{request_id}"} <= set(paths)
    assert client.get("/docs").status_code == 404


def test_an_empty_workspace_cannot_be_served(tmp_path):
    with pytest.raises(NotReadyError, match="nothing is built yet"):
        make_app(Workspace.create(tmp_path / "empty"))


# --- events ----------------------------------------------------------------------------------------


def event(action, item="i3", user="u3", **more):
    return {"user_id": user, "item_id": item, "action": action, **more}


def test_a_saved_item_is_seen_and_a_hidden_item_disappears_in_the_next_slate(own):
    before = ids(own.post("/v1/homefeed", json={"user": "u3", "n": 10}))
    sent = own.post(
        "/v1/events", json={"events": [event("save", before[0]), event("hide", before[1])]}
    ).json()
    assert (sent["accepted"], sent["duplicates"], sent["rejected"]) == (2, 0, [])
    reply = own.post("/v1/homefeed", json={"user": "u3", "n": 10, "explain": True})
    assert not {before[0], before[1]} & set(ids(reply))
    drops = {drop["stage"]: drop["items"] for drop in reply.json()["dropped"]}
    assert before[0] in drops["seen"]
    assert before[1] in drops["hidden"]
    person = own.get("/v1/users/u3").json()
    assert (person["history"][0]["item_id"], person["history"][0]["action"]) == (before[0], "save")
    assert [card["item_id"] for card in person["hidden"]][-1] == before[1]


def test_sending_an_event_again_changes_nothing(own, own_workspace):
    count = own_workspace.workbench().log.count()
    known = event("save", event_id="mine-1")
    assert own.post("/v1/events", json=known).json()["accepted"] == 1
    assert own.post("/v1/events", json=known).json()["duplicates"] == 1
    timed = event("click", at="2025-11-16T22:30:00")
    assert [own.post("/v1/events", json=timed).json()["accepted"] for _ in range(2)] == [1, 0]
    assert own_workspace.workbench().log.count() == count + 2


def test_events_are_on_the_disk_when_the_server_answers_and_a_restart_reads_them(own, own_workspace):
    own.post("/v1/events", json=event("save", "i9", event_id="kept", mood="sunny", nested={"a": 1}))
    table = own_workspace.workbench().log.read().table
    row = table.filter([name == "kept" for name in table["event_id"].to_pylist()]).to_pylist()[0]
    assert dict(row["attributes"]) == {"mood": "sunny", "nested": '{"a":1}'}
    with TestClient(make_app(own_workspace)) as again:
        assert again.get("/v1/users/u3").json()["history"][0]["item_id"] == "i9"


def test_somebody_new_is_known_from_their_first_event_on(own):
    failed(own.get("/v1/users/newcomer"), 404, "not_found")
    assert own.post("/v1/events", json=event("save", "i5", user="newcomer")).json()["accepted"] == 1
    person = own.get("/v1/users/newcomer").json()
    assert (person["state"], person["history"][0]["item_id"]) == ("new", "i5")
    reply = own.post("/v1/homefeed", json={"user": "newcomer", "n": 5}).json()
    assert not any("no history" in note for note in reply["notes"])
    assert any(one["item_id"] == "i5" for entry in reply["entries"] for one in entry["because"])


def test_what_another_server_takes_is_read_from_the_log(own_workspace, monkeypatch):
    monkeypatch.setattr("bowerbird.serving.follower.FOLLOW_S", 0.0)
    with TestClient(make_app(own_workspace)) as one, TestClient(make_app(own_workspace)) as other:
        item = ids(one.post("/v1/homefeed", json={"user": "u3", "n": 3}))[0]
        one.post("/v1/events", json=event("hide", item))
        assert item not in ids(other.post("/v1/homefeed", json={"user": "u3", "n": 10}))


def test_each_bad_event_is_told_why_and_the_good_ones_are_taken(own):
    bad = {
        "unknown action 'savee'; did you mean 'save'": event("savee"),
        "item 'zz' is not in the catalogue": event("save", "zz"),
        "needs an item_id": {"user_id": "u3", "action": "save"},
        "user_id": {"item_id": "i3", "action": "save"},
        "lies in the future": event("save", at="2999-01-01"),
        "not between the years 1970 and 9999": event("save", at="1969-12-31"),
        "is not understood": event("save", at="yesterday"),
        "position": event("impression", position=-1),
        "propensity": event("impression", propensity=1.5),
        "an object of fields, not int": 7,
        "at most 50": event("save", **{f"x{n}": n for n in range(51)}),
        "longer than": event("save", note="x" * 2001),
    }
    reply = own.post("/v1/events", json={"events": [*bad.values(), event("save")]}).json()
    assert (reply["accepted"], reply["duplicates"]) == (1, 0)
    for index, (match, rejection) in enumerate(zip(bad, reply["rejected"], strict=True)):
        assert rejection["index"] == index
        assert match in rejection["reason"]


def test_a_batch_has_a_form_and_a_length(own_workspace):
    with TestClient(make_app(own_workspace, ServingSettings(max_events=2))) as client:
        failed(client.post("/v1/events", json={"events": 3}), 422, "bad_input", "expected an event")
        failed(client.post("/v1/events", json=[event("save")] * 3), 422, "bad_input", "at most 2")
        assert client.post("/v1/events", json=[]).json()["accepted"] == 0


def test_events_cannot_carry_the_server_into_the_future(own):
    day = 24 * 3600 * 1_000_000
    start = own.post("/v1/homefeed", json={"n": 1}).json()["as_of_us"]
    ahead = max(start, clock.now()) + day
    for number in range(3):
        own.post(
            "/v1/events", json=event("save", event_id=f"ahead-{number}", at=ahead - day // 2 + number * day)
        )
    moved = own.post("/v1/homefeed", json={"n": 1}).json()["as_of_us"]
    assert moved == ahead - day // 2 + 1  # the first was taken, those further ahead were not


def test_a_body_that_does_not_say_it_is_json_is_refused(own):
    body = b'{"user_id": "u3", "item_id": "i3", "action": "save"}'
    failed(own.post("/v1/events", content=body), 422, "bad_input", "send application/json")


def test_a_click_on_a_shown_ad_is_charged_once(own_workspace):
    with TestClient(make_app(own_workspace)) as client:
        asked = client.post("/v1/ads", json={"user": "u3", "as_of": None, "n": 3}).json()
        if not asked["entries"]:
            pytest.skip("NO CAMPAIGN RUNS at the end of the tiny world")
        ad = asked["entries"][0]
        click = event("click", ad["item_id"], surface="ads", request_id=asked["request_id"], event_id="c1")
        assert client.post("/v1/events", json=click).json()["charged"] == pytest.approx(ad["click_price"])
        assert client.post("/v1/events", json={**click, "event_id": "c2"}).json()["charged"] == 0
        failed(client.post("/v1/ads", json={"as_of": "2025-11-10"}), 422, "bad_input", "reserves money")


# --- strangers -------------------------------------------------------------------------------------


def test_unknown_things_are_404(client):
    failed(client.get("/v1/homefed"), 404, "not_found")
    failed(
        client.get("/v1/related", params={"item": "nope"}), 404, "not_found", "'nope' is not in the catalogue"
    )
    failed(client.get("/v1/items/nope"), 404, "not_found")
    failed(client.get("/v1/users/nope"), 404, "not_found", "'nope' is not known")
    failed(client.get("/v1/explain/nope"), 404, "not_found", "ask again")


@pytest.mark.parametrize(
    ("surface", "question", "match"),
    [
        ("related", {}, "no item"),
        ("search", {}, "no query or image"),
        ("homefeed", {"user": "u3", "n": 0}, "n: "),
        ("homefeed", {"user": "u3", "n": 501}, "n: "),
        ("homefeed", {"user": "u3", "colour": "red"}, "colour"),
        ("homefeed", {"user": "x" * 600}, "user: "),
        ("homefeed", {"user": "u3", "as_of": "soon"}, "is not understood"),
        ("homefeed", {"user": "u3", "as_of": "1e300"}, "time"),
        ("homefeed", {"user": "u3", "as_of": "99999999999999"}, "between the years"),
        ("search", {"query": "x" * 10_001}, "query: "),
        ("search", {"image": "not base64!"}, "not base64"),
        ("search", {"image": "/etc/passwd"}, ""),
        ("search", {"query": 7}, "query: "),
        ("homefeed", {"user": "u3", "request_id": "<script>"}, "request_id"),
    ],
)
def test_a_wrong_question_is_422_with_the_reason(client, surface, question, match):
    failed(client.post(f"/v1/{surface}", json=question), 422, "bad_input", match)


@pytest.mark.parametrize(
    "query", ["x" * 10_000, "🌹🔴 " * 50, "!!!", "\u0000\u202e", "' OR 1=1 --", "<script>"]
)
def test_odd_words_are_answered(client, query):
    reply = client.post("/v1/search", json={"query": query, "n": 3})
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("query", ["", "   "])
def test_blank_words_ask_for_nothing_and_are_told_so(client, query):
    failed(client.post("/v1/search", json={"query": query, "n": 3}), 422, "bad_input", "no query or image")


def huge_png():
    """A small file that claims 60,000 x 60,000 pixels."""
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "picture",
    [b"", b"hello", png()[:60], huge_png(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a"],
)
def test_what_is_no_picture_is_422(client, picture):
    failed(client.post("/v1/search", files={"image": ("x.png", picture)}), 422, "bad_input")


@pytest.mark.parametrize(
    "picture", [png("CMYK", colour=(0, 255, 255, 0)), png("I;16"), png("RGBA"), png(size=(1, 1))]
)
def test_odd_but_honest_pictures_are_answered(client, picture):
    assert len(ids(client.post("/v1/search", data={"n": "3"}, files={"image": ("x", picture)}))) == 3


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"user": NaN}', b'{"user": "\\ud800"}', b"[" * 100_000]
)
def test_what_is_no_json_is_400(client, body):
    reply = client.post("/v1/homefeed", content=body, headers={"content-type": "application/json"})
    failed(reply, 400, "bad_json")


def test_a_body_of_another_kind_is_refused(client):
    failed(
        client.post("/v1/homefeed", content=b"user=u3", headers={"content-type": "text/plain"}),
        422,
        "bad_input",
    )
    failed(client.post("/v1/homefeed", json=["u3"]), 422, "bad_input")


def test_a_body_over_the_limit_is_413_whether_it_says_so_or_not(tiny_workspace):
    with TestClient(make_app(tiny_workspace, ServingSettings(max_body_bytes=2000))) as client:
        failed(client.post("/v1/search", json={"query": "x" * 3000}), 413, "too_large", "2,000 bytes")

        def chunks():
            for _ in range(5):
                yield b"x" * 1000

        reply = client.post("/v1/search", content=chunks(), headers={"content-type": "application/json"})
        failed(reply, 413, "too_large")
        assert client.post("/v1/search", json={"query": "x"}).status_code == 200


def test_who_sends_far_too_much_gets_to_read_why(tiny_workspace):
    app = make_app(tiny_workspace, ServingSettings(max_body_bytes=1_000_000))
    with listening(app) as port:
        for declared in (True, False):
            sender = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            body = b"x" * 6_000_000
            sender.request("POST", "/v1/search", body if declared else iter([body]), encode_chunked=True)
            reply = sender.getresponse()
            assert reply.status == 413
            assert json.loads(reply.read())["message"].startswith(
                "the request's body is over the limit of 1,000,000"
            )
            sender.close()


def test_no_question_makes_the_server_read_a_file_or_reach_a_host(client):
    for image in ("file:///etc/passwd", "http://169.254.169.254/", "../../bowerbird.toml"):
        failed(client.post("/v1/search", json={"image": image}), 422, "bad_input")
    for path in ("/v1/items/..%2F..%2Fbowerbird.toml/image", "/studio/static/../../../bowerbird.toml"):
        assert client.get(path).status_code == 404


def test_many_questions_at_once_get_the_answers_they_get_alone(client):
    questions = [{"user": f"u{n}", "n": 5} for n in range(20)]
    alone = [ids(client.post("/v1/homefeed", json=question)) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda question: ids(client.post("/v1/homefeed", json=question)), questions))
    assert together == alone


def test_a_caller_that_asks_too_fast_is_told_when_to_come_back(tiny_workspace):
    settings = ServingSettings(rate_per_s=0.01, rate_burst=2)
    with TestClient(make_app(tiny_workspace, settings)) as client:
        replies = [client.get("/v1/workspace") for _ in range(3)]
        failed(replies[2], 429, "rate_limited")
        assert int(replies[2].headers["retry-after"]) >= 90
        assert client.get("/healthz").status_code == 200


def test_a_budget_larger_than_the_server_plans_is_refused(tiny_workspace):
    with TestClient(make_app(tiny_workspace, ServingSettings(max_budget=3))) as client:
        failed(client.post("/v1/growth", json={"budget": 4}), 422, "bad_input", "at most 3")


def test_a_foreign_host_name_is_refused_where_names_are_given(tiny_workspace):
    with TestClient(make_app(tiny_workspace, ServingSettings(allowed_hosts=("localhost",)))) as client:
        assert client.get("/healthz").status_code == 400
        assert client.get("/healthz", headers={"host": "localhost:8080"}).status_code == 200


# --- keys ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tiny_workspace):
    ring = KeyRing(
        (
            ApiKey.of("reader", READ, frozenset({"read"})),
            ApiKey.of("sender", INGEST, frozenset({"ingest"})),
            ApiKey.of("boss", ADMIN),
        )
    )
    with TestClient(make_app(tiny_workspace, ServingSettings(require_key=True), ring)) as client:
        yield client


def test_without_a_key_only_health_and_the_description_are_open(guarded):
    assert guarded.get("/healthz").status_code == guarded.get("/openapi.json").status_code == 200
    for path in ("/v1/homefeed?user=u3", "/v1/users", "/v1/items/i3/image", "/metrics", "/v1/anything"):
        reply = guarded.get(path)
        failed(reply, 401, "unauthorised")
        assert reply.headers["www-authenticate"] == "Bearer"
    failed(guarded.get("/v1/users", headers={"x-api-key": "wrong"}), 401, "unauthorised")


def test_a_key_opens_its_scopes_and_no_other(guarded):
    def status(method, path, key):
        return guarded.request(method, path, headers={"authorization": f"Bearer {key}"}, json={}).status_code

    assert status("GET", "/v1/workspace", READ) == status("GET", "/v1/workspace", ADMIN) == 200
    assert status("POST", "/v1/events", INGEST) == 200
    assert status("POST", "/v1/events", READ) == status("GET", "/v1/workspace", INGEST) == 403
    assert status("GET", "/metrics", READ) == 403
    assert status("GET", "/metrics", ADMIN) == status("POST", "/v1/reload", ADMIN) == 200
    assert guarded.get("/v1/workspace", headers={"x-api-key": READ}).status_code == 200


def test_questions_and_probes_are_answered_while_a_release_is_loaded(tiny_workspace, monkeypatch):
    loading, done = threading.Event(), threading.Event()

    def slow(_: LiveWorkspace, **__: bool) -> None:
        loading.set()
        assert done.wait(60)

    monkeypatch.setattr(LiveWorkspace, "reload", slow)
    settings = ServingSettings(threads=1)
    with (
        TestClient(make_app(tiny_workspace, settings), raise_server_exceptions=False) as client,
        ThreadPoolExecutor(2) as others,
    ):
        reloads = [others.submit(client.post, "/v1/reload") for _ in range(2)]
        try:
            assert loading.wait(60)
            assert client.get("/v1/homefeed?user=u3&n=3").status_code == 200
            assert client.get("/readyz").status_code == 200
            assert not any(one.done() for one in reloads)
        finally:
            done.set()
        assert [one.result().status_code for one in reloads] == [200, 200]
