"""All that is known of an item: the same in Python, in the terminal and over HTTP, whatever signals there are."""

import json

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import NotFoundError
from bowerbird.serving.app import make_app


def by_name(portrait):
    return {signal.name: signal for signal in portrait.signals}


def test_every_live_item_signal_is_there_with_its_version(tiny_workspace):
    portrait = tiny_workspace.portrait("i3")
    live = {card.name: card.version for card in tiny_workspace.signals() if card.entity == "item"}
    found = {signal.name: signal.version for signal in portrait.signals}
    assert found == {name: version for name, version in live.items() if name in found}
    assert {"image_vector", "item_vector", "near_duplicates", "item_interests"} <= set(found)


def test_a_vector_is_shown_by_its_nearest_items_and_not_by_itself(tiny_workspace):
    (fact,) = by_name(tiny_workspace.portrait("i3"))["item_vector"].facts
    near = [one.similarity for one in fact.evidence]
    assert near == sorted(near, reverse=True)
    assert "i3" not in [one.item_id for one in fact.evidence]


def test_a_parent_interest_is_at_least_as_sure_as_its_child(tiny_workspace):
    facts = by_name(tiny_workspace.portrait("i3"))["item_interests"].facts
    sure = {fact.value: fact.confidence for fact in facts}
    assert sure
    assert all(sure[path.rpartition("/")[0]] >= score for path, score in sure.items() if "/" in path)


def test_a_signal_nobody_here_knows_is_shown_without_code(own_workspace):
    bench = own_workspace.workbench()
    long = bench.card("moods", ("item", "label"), "v1", "a plugin", counted=(1, 1))
    bench.signals.put_table(
        long,
        pa.table(
            {
                "item_id": ["i3", "i3", "i4"],
                "attribute": ["mood", "style", "mood"],
                "value": ["calm", "plain", "loud"],
                "confidence": [0.75, 0.25, 0.5],
                "abstained": [False, True, False],
                "evidence": [["i4"], [], []],
                "similarity": [[0.5], [], []],
            }
        ),
    )
    wide = bench.card("sizes", ("item", "label"), "v1", "a plugin", counted=(1, 1))
    bench.signals.put_table(wide, pa.table({"item_id": ["i3"], "width": [40], "blurred": [False]}))
    signals = by_name(own_workspace.portrait("i3"))
    mood, style = signals["moods"].facts
    assert (mood.name, mood.value, mood.confidence, mood.abstained) == ("mood", "calm", 0.75, False)
    assert [(one.item_id, one.similarity) for one in mood.evidence] == [("i4", 0.5)]
    assert style.abstained
    assert [(fact.name, fact.value) for fact in signals["sizes"].facts] == [
        ("width", "40"),
        ("blurred", "no"),
    ]
    assert by_name(own_workspace.portrait("i5"))["moods"].facts == ()


def test_terminal_and_http_show_the_same_signals(tiny_workspace):
    directory = str(tiny_workspace.layout.root)
    shown = CliRunner().invoke(app, ["ask", "item", "i3", "-w", directory, "--json"])
    assert shown.exit_code == 0, shown.output
    written = CliRunner().invoke(app, ["ask", "item", "i3", "-w", directory])
    assert "item_vector" in written.output
    with TestClient(make_app(tiny_workspace)) as client:
        reply = client.get("/v1/items/i3").json()
    names = [signal["name"] for signal in json.loads(shown.output)["signals"]]
    assert [signal["name"] for signal in reply["signals"]] == names
    vector = next(signal for signal in reply["signals"] if signal["name"] == "item_vector")
    assert all(one["image"] for one in vector["facts"][0]["evidence"])


def test_an_unknown_item_is_an_error_that_says_so(tiny_workspace):
    with pytest.raises(NotFoundError, match="item 'nobody' is not in the catalogue"):
        tiny_workspace.portrait("nobody")
