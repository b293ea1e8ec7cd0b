"""Why an item is not shown, stage by stage; and slates the server notes as shown."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from bowerbird.errors import InputError
from bowerbird.serving import make_app


@pytest.fixture
def client(own_workspace):
    with TestClient(make_app(own_workspace)) as client:
        yield client


def why(client, item, **question):
    reply = client.get(f"/v1/why-not/homefeed/{item}", params={"user": "u3", "n": 5, **question})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_every_item_of_the_catalogue_ends_at_a_stage_with_a_reason(client, own_workspace):
    items = own_workspace.answers.release.items
    shown = client.post("/v1/homefeed", json={"user": "u3", "n": 5}).json()["entries"]
    ends = {name: why(client, name) for name in items.vocabulary.ids[::2]}
    assert all(found["reason"] for found in ends.values())
    stages = {found["stage"].partition(" ")[0] for found in ends.values()}
    assert {"eligible", "rank"} <= stages <= {"eligible", "sources", "filter", "rank", "shown"}
    first = why(client, shown[0]["item_id"])
    assert (first["stage"], first["reason"]) == ("shown", "it is shown, at place 1")
    ranked = next(found for found in ends.values() if found["stage"] == "rank")
    assert sum(ranked["terms"].values()) == pytest.approx(ranked["value"], abs=1e-6)
    assert 1 <= ranked["rank"] <= ranked["candidates"]
    assert {one["source"] for one in ranked["sources"]} >= {"interests", "trending"}


def test_what_the_person_hid_or_the_caller_excluded_says_so(client):
    items = [
        entry["item_id"]
        for entry in client.post("/v1/homefeed", json={"user": "u3", "n": 5}).json()["entries"]
    ]
    client.post("/v1/events", json={"user_id": "u3", "item_id": items[0], "action": "hide"})
    assert why(client, items[0])["stage"] == "filter hidden"
    assert why(client, items[1], exclude=items[1])["reason"] == "the caller excluded it"
    early = why(client, items[2], as_of="1970-01-02")
    assert (early["stage"], early["reason"]) == ("eligible", "it did not exist yet at this time")
    assert client.get("/v1/why-not/ads/i3", params={"user": "u3"}).status_code == 422
    assert client.get("/v1/why-not/homefeed/nope", params={"user": "u3"}).status_code == 404


def test_python_and_http_say_the_same(client, own_workspace):
    found = own_workspace.why_not("i7", user="u3", n=5)
    assert (found.stage, found.reason) == (why(client, "i7")["stage"], why(client, "i7")["reason"])


def test_a_slate_that_is_recorded_is_in_the_log_once_with_positions_and_propensities(client, own_workspace):
    before = own_workspace.workbench().log.count()
    question = {"user": "u3", "n": 4, "record": True, "request_id": "request-one"}
    slate = client.post("/v1/homefeed", json=question).json()
    client.post("/v1/homefeed", json={**question, "as_of": slate["as_of"]})
    log = own_workspace.workbench().log.read()
    rows = [row for row in log.table.to_pylist() if row["request_id"] == "request-one"]
    assert own_workspace.workbench().log.count() == before + 4
    assert [row["item_id"] for row in rows] == [entry["item_id"] for entry in slate["entries"]]
    assert [(row["position"], row["propensity"]) for row in rows] == [(n, 1.0) for n in range(4)]
    assert client.post("/v1/homefeed", json={"record": True}).json()["message"].startswith("record:")
    with pytest.raises(InputError, match="an auction decides there"):
        raise InputError(client.get("/v1/why-not/ads/i3", params={"user": "u3"}).json()["message"])


def test_an_explanation_names_each_heads_weight_and_the_terms_follow_from_it(ranked_workspace):
    slate = ranked_workspace.ask("homefeed", user="u3", n=5)
    assert len(slate.weights) > 1
    for entry in slate.entries:
        for name, probability in entry.probabilities.items():
            if name in slate.weights:
                assert entry.terms[name] == pytest.approx(slate.weights[name] * probability, abs=1e-6)
        assert sum(entry.terms.values()) == pytest.approx(entry.score, abs=1e-6)
