"""What is understood of a person: on the command line, over HTTP, and what they may say to it."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import InputError, NotFoundError
from bowerbird.serving import make_app
from bowerbird.workspace import Workspace


@pytest.fixture
def busiest(tiny_workspace):
    """The person with the most interests."""
    people = tiny_workspace.answers.release.people.ids
    return max(people, key=lambda name: len(tiny_workspace.understanding(name).interests))


def under(workspace: Workspace, interest: str, item_ids) -> list[str]:
    release = workspace.answers.release
    mask = release.under(interest)
    return [item_id for item_id in item_ids if mask[release.item_row(item_id)]]


def test_every_interest_is_traced_to_three_events_of_the_person(tiny_workspace, busiest):
    release = tiny_workspace.answers.release
    for name in release.people.ids[:20]:
        portrait = tiny_workspace.understanding(name)
        history = release.sequences.history(release.people.row(name), release.as_of)
        facts = set(zip(history.rows.tolist(), history.at.tolist(), strict=True))
        for interest in portrait.interests:
            assert len(interest.evidence) + interest.searches >= 3
            assert {(release.item_row(one.item_id), one.at) for one in interest.evidence} <= facts
    assert tiny_workspace.understanding(busiest).interests


def test_the_portrait_has_state_vectors_people_alike_and_a_timeline(tiny_workspace, busiest):
    portrait = tiny_workspace.understanding(busiest)
    assert portrait.state is not None
    assert sum(portrait.next_states.values()) == pytest.approx(1.0) or not portrait.next_states
    assert any(one.name == "user_vector" and one.present for one in portrait.vectors)
    assert busiest not in [one.user_id for one in portrait.nearest]
    assert sum(sum(one.counts.values()) for one in portrait.timeline) == portrait.events


def test_the_future_changes_nothing_of_a_portrait(tiny_workspace, busiest):
    release = tiny_workspace.answers.release
    middle = int(release.sequences.times(release.people.row(busiest), release.as_of)[-5])
    portrait = tiny_workspace.understanding(busiest, middle)
    assert all(proof.at < middle for one in portrait.interests for proof in one.evidence)
    assert portrait.events < tiny_workspace.understanding(busiest).events


def test_the_command_line_shows_and_mutes(own_workspace, busiest):
    place = ["-w", str(own_workspace.layout.root)]
    interest = own_workspace.understanding(busiest).interests[0].interest
    shown = CliRunner().invoke(app, ["ask", "user", busiest, *place])
    assert shown.exit_code == 0, shown.output
    for part in ("Interests", interest, "People alike", "user_vector"):
        assert part in shown.output
    before = own_workspace.ask("homefeed", user=busiest, n=100).item_ids
    assert under(own_workspace, interest, before)
    muted = CliRunner().invoke(app, ["mute", busiest, interest, *place])
    assert muted.exit_code == 0, muted.output
    assert not under(own_workspace, interest, own_workspace.ask("homefeed", user=busiest, n=100).item_ids)
    CliRunner().invoke(app, ["mute", busiest, interest, "--undo", *place])
    assert own_workspace.ask("homefeed", user=busiest, n=100).item_ids == before


def test_a_deleted_interest_is_no_longer_one(own_workspace, busiest):
    interest = own_workspace.understanding(busiest).interests[0].interest
    own_workspace.refuse_interest(busiest, interest, "delete")
    again = own_workspace.understanding(busiest)
    assert interest not in [one.interest for one in again.interests]
    assert again.refused == {interest: "delete"}
    assert not under(own_workspace, interest, own_workspace.ask("homefeed", user=busiest, n=100).item_ids)


def test_an_interest_nobody_knows_is_refused(own_workspace, busiest):
    with pytest.raises(InputError, match="no item is under it"):
        own_workspace.refuse_interest(busiest, "no/such/thing", "mute")
    with pytest.raises(NotFoundError, match="nobody"):
        own_workspace.refuse_interest("nobody at all", "art", "mute")


def test_http_gives_the_same_and_the_next_slate_obeys(own_workspace, busiest):
    client = TestClient(make_app(own_workspace))
    reply = client.get(f"/v1/users/{busiest}/understanding").json()
    portrait = own_workspace.understanding(busiest)
    assert [one["interest"] for one in reply["interests"]] == [one.interest for one in portrait.interests]
    assert set(reply["items"]) >= {
        proof["item_id"] for one in reply["interests"] for proof in one["evidence"]
    }
    interest = reply["interests"][0]["interest"]
    said = client.post(f"/v1/users/{busiest}/interests/mute", json={"interest": interest})
    assert said.json()["refused"] == {interest: "mute"}
    slate = client.post("/v1/homefeed", json={"user": busiest, "n": 60}).json()
    assert not under(own_workspace, interest, [one["item_id"] for one in slate["entries"]])
    assert client.post(f"/v1/users/{busiest}/interests/mute", json={"interest": "x"}).status_code == 422
    assert client.get("/v1/users/no-such/understanding").status_code == 404
    client.post(f"/v1/users/{busiest}/interests/allow", json={"interest": interest})
    assert json.loads(client.get(f"/v1/users/{busiest}/understanding").text)["refused"] == {}


def test_an_audience_is_found_from_a_list_in_a_file(tiny_workspace, tmp_path):
    people = tiny_workspace.answers.release.people.ids
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("\n".join([*people[:10], "nobody at all"]))
    place = ["-w", str(tiny_workspace.layout.root)]
    reply = CliRunner().invoke(app, ["ask", "audience", "--seeds", str(seeds), "--n", "5", "--json", *place])
    assert reply.exit_code == 0, reply.output
    found = json.loads(reply.output)
    assert len(found["user_ids"]) == 5
    assert not set(found["user_ids"]) & set(people[:10])
    assert (found["seeds_known"], found["seeds_unknown"]) == (10, 1)
    assert found["vectors"].split()[0] in {"user_universal", "user_vector"}
    seeds.write_text("who\nu1\n")
    table = seeds.rename(tmp_path / "seeds.csv")
    refused = CliRunner().invoke(app, ["ask", "audience", "--seeds", str(table), *place])
    assert isinstance(refused.exception, InputError)
    assert "no column 'user_id'" in str(refused.exception)
