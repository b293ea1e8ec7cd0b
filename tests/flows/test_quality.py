"""Quality and safety from a build to slates: measured, decided by the policy, shown with reasons, searched by colour."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import InputError, NotReadyError
from bowerbird.records.request import Wish
from bowerbird.workspace import Workspace
from bowerbird.workspace.policy_counts import policy_counts
from bowerbird.workspace.prevalence import SampleOptions, labelled_prevalence, write_sample

RED_IS_OFF = """
[policy.no_red]
when = ["width > 0"]
action = "drop"
surfaces = ["homefeed"]
reason = "we show no drawings"

[policy.few_drawings]
when = ["width < 500"]
action = "limit"
surfaces = ["search"]
reason = "a small drawing"
"""
GUARDING = ["picture_quality", "colours", "safety", "eligibility"]


def portrait_of(workspace, item):
    return {one.name: one for one in workspace.portrait(item).signals}


def test_every_picture_is_measured_and_its_colour_is_the_drawn_one(tiny_workspace):
    release = tiny_workspace.answers.release
    for row in range(24):
        item = release.items[row]
        signals = portrait_of(tiny_workspace, item.item_id)
        measured = {fact.name: fact.value for fact in signals["picture_quality"].facts}
        assert (measured["width"], measured["height"]) == ("96", "96")
        colours = {fact.value: fact.details for fact in signals["colours"].facts}
        assert item.attributes["colour"] in colours
        assert any(details["background"] == "yes" for details in colours.values())
        (decision,) = signals["eligibility"].facts
        assert (decision.value, decision.name) == ("allow", "every surface")
        assert {fact.name for fact in signals["safety"].facts} == {"spam"}
    notes = {card.name: card.note for card in tiny_workspace.workbench().signals.cards()}
    assert 'nsfw = "off"' in notes["safety"]
    assert "decide nothing: mostly_text, perhaps_unsafe, unsafe" in notes["eligibility"]


def test_a_search_holds_to_a_colour_read_off_pictures(own_workspace, tmp_path):
    items = own_workspace.workbench().items
    bare = items.table.drop_columns(["attributes"])
    pq.write_table(bare, tmp_path / "items.parquet")
    own_workspace.import_files("items", [tmp_path / "items.parquet"])
    own_workspace.build()
    workspace = Workspace.open(own_workspace.layout.root)
    found = workspace.ask("search", query="circle", wish=Wish(only=("color=red",)), n=5)
    assert found.entries
    titles = [items[items.vocabulary.row(one.item_id)].title for one in found.entries]
    assert all((title or "").startswith("red") for title in titles), titles
    assert not workspace.ask("search", query="circle", wish=Wish(only=("colour=beige",)), n=5).entries


def test_what_the_policy_drops_is_never_shown_and_says_why(own_workspace):
    path = own_workspace.layout.settings
    path.write_text(path.read_text(encoding="utf-8") + RED_IS_OFF, encoding="utf-8")
    workspace = Workspace.open(own_workspace.layout.root)
    built = {one.name: one.outcome for one in workspace.build()}
    assert {built[name] for name in ("picture_quality", "colours", "item_vector")} == {"unchanged"}
    assert built["eligibility"] == "built"
    assert not workspace.ask("homefeed", user="u3", n=5).entries
    trace = {stage.stage: stage for stage in workspace.ask("homefeed", user="u3", n=5).trace}
    assert "kept off by [policy]" in trace["policy"].note
    why = workspace.why_not("i3", "homefeed", user="u3")
    assert (why.stage, why.reason) == ("policy", "we show no drawings (policy.no_red)")
    found = workspace.ask("search", query="red circle", n=20)
    assert len(found.entries) == 1  # one place in ten, and at least one
    dropped = next(drop for drop in found.dropped if drop.stage == "limited")
    limited = workspace.answers.release.items.vocabulary.ids[int(dropped.rows[0])]
    why = workspace.why_not(limited, "search", query="red circle", n=20)
    assert why.stage == "filter limited"
    assert why.reason.endswith(": a small drawing (policy.few_drawings)")
    facts = {fact.name: fact for fact in portrait_of(workspace, "i3")["eligibility"].facts}
    assert facts["homefeed"].value == "drop"
    assert facts["homefeed"].details == {"rule": "no_red", "reason": "we show no drawings"}


def test_a_sample_is_written_labelled_and_read_back(tiny_workspace, tmp_path):
    run = CliRunner()
    sample, place = tmp_path / "sample.csv", ["-w", str(tiny_workspace.layout.root)]
    drawn = run.invoke(app, ["quality", "prevalence", "--of", "spam", "--to", str(sample), *place])
    assert drawn.exit_code == 0, drawn.output
    lines = list(csv.DictReader(io.StringIO(sample.read_text(encoding="utf-8"))))
    assert sum(int(line["draws"]) for line in lines) == 200
    assert all(float(line["weight"]) == pytest.approx(1.0) for line in lines)  # no text looks like spam
    for line in lines:
        line["label"] = "1" if line["category"].startswith("circle") else "0"
    lines[0]["label"] = ""
    with sample.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)
    read = run.invoke(app, ["quality", "prevalence", "--labels", str(sample), "--json"])
    found = json.loads(read.output)
    bench = tiny_workspace.workbench()
    seen = bench.counts.totals(("impression",), 0, bench.as_of)
    circles = np.array([(path or "").startswith("circle") for path in bench.items.column("category")])
    truth = seen[circles].sum() / seen.sum()
    assert found["found"]["low"] < truth < found["found"]["high"]
    assert found["unlabelled"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id,draws,label\na,1,1\n", "no column 'weight'"),
        ("draws,weight,label\n1,1,maybe\n", "line 2: label 'maybe'; expected 1 "),
        ("draws,weight,label\nx,1,1\n", "s.csv line 2: draws is 'x'; expected a number"),
        ("draws,weight,label\n1,1,\n", "0 labelled draws; expected at least 2"),
    ],
)
def test_a_sample_that_was_spoilt_says_where(tmp_path, text, message):
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        labelled_prevalence(tmp_path / "s.csv")


def test_without_scores_or_with_both_directions_the_command_says_what_to_do(tiny_workspace, tmp_path):
    bench = tiny_workspace.workbench()
    with pytest.raises(NotReadyError, match="no item has a score of 'nsfw'; run `bowerbird build`"):
        write_sample(bench, tmp_path / "s.csv", SampleOptions())
    (tmp_path / "risk.csv").write_text("item,risk\n1,0.5\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"risk.csv: no column 'item_id'"):
        write_sample(bench, tmp_path / "s.csv", SampleOptions(risk=tmp_path / "risk.csv"))
    known = bench.items.vocabulary.ids[0]
    wrong = {"zzz,.5": "none of its 1 item_ids is in", f"{known},high": "line 2: risk is 'high'; expected"}
    for row, message in wrong.items():
        (tmp_path / "risk.csv").write_text(f"item_id,risk\n{row}\n", encoding="utf-8")
        with pytest.raises(InputError, match=message):
            write_sample(bench, tmp_path / "s.csv", SampleOptions(risk=tmp_path / "risk.csv"))
    with pytest.raises(NotReadyError, match="the policy was not applied yet"):
        policy_counts(Workspace.create(tmp_path / "new").workbench())
    counts = policy_counts(bench)
    assert (counts.items, counts.free, counts.decided) == (len(bench.items), len(bench.items), ())
    refused = CliRunner().invoke(app, ["quality", "prevalence"])
    assert "give --to to draw a sample, or --labels" in str(refused.exception)


@pytest.mark.slow
def test_words_in_pictures_are_found_by_search_and_gone_when_forgotten(tmp_path):
    pytest.importorskip("rapidocr")
    pictures = []
    for words in ("OPENING HOURS", "", "WET PAINT"):
        picture = Image.new("RGB", (360, 160), "white")
        ImageDraw.Draw(picture).text((30, 50), words, fill="black", font_size=34)
        out = io.BytesIO()
        picture.save(out, format="PNG")
        pictures.append(out.getvalue())
    table = pa.table({"item_id": ["door-sign", "nothing-here", "paint-sign"], "image": pictures})
    pq.write_table(table, tmp_path / "items.parquet")
    layout = Workspace.create(tmp_path / "signs").layout
    text = layout.settings.read_text(encoding="utf-8").replace("efficientnet-lite2", "efficientnet-lite0")
    text = text.replace('picture_text = "off"', 'picture_text = "on"').replace('nsfw = "auto"', 'nsfw = "on"')
    layout.settings.write_text(text, encoding="utf-8")
    workspace = Workspace.open(layout.root)
    workspace.import_files("items", [tmp_path / "items.parquet"])
    workspace.build()
    assert [one.item_id for one in workspace.ask("search", query="wet paint", n=1).entries] == ["paint-sign"]
    (words,) = portrait_of(workspace, "door-sign")["picture_text"].facts
    assert (words.value, words.confidence > 0.6) == ("OPENING HOURS", True)
    assert {fact.name for fact in portrait_of(workspace, "door-sign")["safety"].facts} == {"spam", "nsfw"}
    assert not workspace.forget(item="door-sign").left
    held = (workspace.layout.cache / "texts").glob("*.sqlite")
    assert all(b"OPENING" not in path.read_bytes() for path in held)
