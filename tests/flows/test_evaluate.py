"""Evaluation through the workspace and the command line: repeatable, blind to the future, clear about what it lacks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.errors import NotReadyError
from bowerbird.evaluation.cases import homefeed_cases, next_cases, search_cases
from bowerbird.evaluation.outcome import Evaluation
from bowerbird.evaluation.window import held_out
from bowerbird.records.event import Events
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.stores.layout import Layout
from bowerbird.testing.tiny_world import tiny_world
from bowerbird.workspace import Workspace
from bowerbird.workspace.against_truth import TRUTH
from bowerbird.workspace.evaluating import EvaluationOptions, LeftOut, learn_from_past
from bowerbird.workspace.importing import ImportOptions
from bowerbird.workspace.workbench import Workbench

FEW = EvaluationOptions(cases=20, truth_people=20)


@pytest.fixture(scope="module")
def evaluated(
    tiny_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Evaluation]:
    """The tiny workspace with its truth beside it, evaluated."""

    root = tmp_path_factory.mktemp("evaluated") / "ws"
    shutil.copytree(tiny_workspace.layout.root, root)
    tiny_world().truth.write(root / TRUTH)
    workspace = Workspace(Layout(root), tiny_workspace.settings)
    return workspace, workspace.evaluate(FEW)


def numbers(found: Evaluation) -> list[object]:
    """Everything but times."""
    return [found.fingerprint, *(replace(one, latency=None) for one in found.surfaces), found.truth]


def test_every_surface_has_numbers_or_says_why_not(evaluated: tuple[Workspace, Evaluation]) -> None:
    _, found = evaluated
    names = [one.surface for one in found.surfaces]
    assert names == ["homefeed", "related", "search", "shopping", "growth", "ads"]
    assert all(bool(one.measures) != bool(one.missing) for one in found.surfaces)
    growth = found.surfaces[4]
    assert growth.missing.startswith("return model: the log covers")


def test_intervals_hold_their_means(evaluated: tuple[Workspace, Evaluation]) -> None:
    _, found = evaluated
    estimates = [
        one
        for surface in found.surfaces
        for measure in (*surface.measures, *surface.cohorts)
        for one in (measure.ours, *measure.others.values(), measure.difference)
        if one is not None and one.low is not None and one.high is not None
    ]
    assert estimates
    assert all(one.low <= one.value + 1e-9 and one.value <= one.high + 1e-9 for one in estimates)


def test_the_truth_is_read_where_there_is_one(evaluated: tuple[Workspace, Evaluation]) -> None:
    _, found = evaluated
    names = {measure.metric for measure in found.truth}
    assert "homefeed: true preference, n=12" in names
    assert "near-duplicates: precision" in names


def test_evaluating_again_changes_nothing(evaluated: tuple[Workspace, Evaluation]) -> None:
    workspace, found = evaluated
    report = workspace.layout.reports / "evaluation.json"
    before = report.stat().st_mtime_ns
    assert workspace.evaluate(FEW) == found
    assert report.stat().st_mtime_ns == before


def test_from_scratch_it_finds_the_same_numbers(evaluated: tuple[Workspace, Evaluation]) -> None:

    workspace, found = evaluated
    (workspace.layout.reports / "evaluation.json").unlink()
    shutil.rmtree(workspace.layout.cache / "evaluation")
    assert numbers(workspace.evaluate(FEW)) == numbers(found)


def test_the_page_says_that_people_are_simulated(evaluated: tuple[Workspace, Evaluation]) -> None:
    workspace, _ = evaluated
    page = (workspace.layout.reports / "report.html").read_text(encoding="utf-8")
    assert "Simulated people" in page
    assert "Against the truth of the simulated people" in page


def test_models_of_the_past_do_not_change_with_the_future(own_workspace: Workspace, tmp_path: Path) -> None:
    window = held_out(own_workspace.workbench().sequences, logical_time=False)

    def learnt(folder: Path) -> np.ndarray:
        own = Layout(folder)
        own.create()
        bench = Workbench(own_workspace.layout, own_workspace.settings, made_in=own)
        learn_from_past(bench, own, window)
        table = SequentialCooccurrence.load(bench.models.directory("cooccurrence") / "cooccurrence.npz")
        return table.table.toarray()

    before = learnt(tmp_path / "before")
    bench = own_workspace.workbench()
    later = bench.events.table.filter(pa.array(bench.events.at >= window.split_at))
    shuffled = np.random.Generator(np.random.PCG64(7)).permutation(len(later))
    names = pa.array([f"new-{row}" for row in range(len(later))])
    items = later.column("item_id").take(pa.array(shuffled))
    later = later.set_column(later.schema.get_field_index("event_id"), "event_id", names)
    later = later.set_column(later.schema.get_field_index("item_id"), "item_id", items)
    assert bench.log.append(Events(later)) == len(later)
    assert np.array_equal(learnt(tmp_path / "after"), before)


def test_no_case_asks_at_a_time_before_the_test_and_no_target_was_engaged_before(
    tiny_workspace: Workspace,
) -> None:
    release = tiny_workspace.answers.release
    bench = tiny_workspace.workbench()
    window = held_out(release.sequences, logical_time=False)
    cases = homefeed_cases(release, window)
    assert cases
    for case in cases:
        assert case.request.as_of >= window.split_at
        before = release.sequences.history(case.user_row, case.request.as_of).rows
        assert not np.isin(case.targets, before).any()
    pairs = next_cases(release, window, "related", "organic", seed=7)
    assert all(case.request.as_of > window.split_at for case in pairs)
    assert all(case.targets[0] != release.item_row(case.request.item_id or "") for case in pairs)
    for case in search_cases(release, window, bench.events, seed=7):
        assert case.request.query
        assert len(case.targets) > 0


def test_a_workspace_that_is_not_built_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="nothing is built yet; run `bowerbird build"):
        Workspace.create(tmp_path / "empty").evaluate()


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Behaviour with an order and no times: everybody walks the same circle of items."""
    root = tmp_path_factory.mktemp("ordered")
    walks = [(f"u{user}", f"i{(user + step) % 12}", step) for user in range(30) for step in range(6)]
    users, items, places = zip(*walks, strict=True)
    pq.write_table(pa.table({"user_id": users, "item_id": items, "pos": places}), root / "events.parquet")
    workspace = Workspace.create(root / "ws")
    workspace.import_files("events", [root / "events.parquet"], ImportOptions(unknown="create"))
    workspace.build()
    return workspace


def test_without_times_the_last_item_of_each_person_is_left_out(ordered: Workspace) -> None:
    found = ordered.evaluate(EvaluationOptions(cases=30))
    assert found.protocol.startswith("leave one out")
    by_name = {one.surface: one for one in found.surfaces}
    hit = next(one for one in by_name["homefeed"].measures if one.metric == "hit@10")
    assert hit.n == 30
    assert hit.ours.value == 1.0  # what follows what is all there is to know
    assert by_name["growth"].missing == "events have an order but no times"
    assert by_name["search"].missing == "no item has words or a picture"
    assert by_name["shopping"].missing == "no item has a price, so nothing is a product"
    assert by_name["ads"].missing == "no item is an ad"
    assert found.truth == ()


def test_the_log_without_the_test_holds_everything_but_the_last_items(ordered: Workspace) -> None:
    bench = ordered.workbench()
    window = held_out(bench.sequences, logical_time=True)
    log = LeftOut(bench.log, bench, window)
    assert log.count() == 30 * 5  # of 6 steps each
    assert log.fingerprint() != bench.log.fingerprint()
    assert len(log.read_since(0)[0]) == 30 * 5
    assert log.seal() == 0
    with pytest.raises(NotReadyError, match="the log of an evaluation is for reading"):
        log.append(bench.events)


def test_the_command_prints_tables_and_json(evaluated: tuple[Workspace, Evaluation]) -> None:
    workspace, _ = evaluated
    options = ["evaluate", "-w", str(workspace.layout.root), "--cases", "5"]
    shown = CliRunner().invoke(app, options)
    assert shown.exit_code == 0, shown.output
    assert "simulated people" in shown.output
    assert "homefeed" in shown.output
    document = json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)
    assert document["simulated"] is True
    assert document["surfaces"][0]["surface"] == "homefeed"
