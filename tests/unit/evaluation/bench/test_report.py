from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
    checkout_commit,
    machine_description,
)


def _report(value: float = 0.5) -> BenchReport:
    row = BenchRow("ours", {"hr@10": Estimate((value, value + 0.2), 0.01)}, cpu_seconds=1.5, peak_mb=200.0)
    return BenchReport(
        "next-item", "loo", BenchData(2, 3, 6, "abc"), [row], ("seen out",), "c0ffee", "a machine"
    )


def test_mean_and_sd_are_over_seeds():
    estimate = Estimate((0.5, 0.7))
    assert estimate.mean == pytest.approx((0.5 + 0.7) / 2)
    assert estimate.sd == pytest.approx(((0.1**2 + 0.1**2) / (2 - 1)) ** 0.5)


def test_the_sd_of_one_seed_is_not_defined():
    assert Estimate((0.5,)).sd is None


def test_equal_values_have_no_spread_at_all():
    assert Estimate((0.1, 0.1, 0.1)).sd == 0.0


def test_brackets_in_a_name_are_shown():
    row = BenchRow("ours [new]", {}, 0.0, 0.0)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(BenchReport("t", "p", BenchData(0, 0, 0, ""), [row]).render())
    assert "ours [new]" in console.export_text()


def test_an_estimate_without_a_value_is_refused():
    with pytest.raises(InputError, match="one value per seed"):
        Estimate(())


def test_json_has_the_form_of_the_design_page():
    record = json.loads(_report().to_json())
    assert {"task", "protocol", "data", "commit", "machine", "rows"} <= record.keys()
    assert record["data"] == {"users": 2, "items": 3, "events": 6, "hash": "abc"}
    row = record["rows"][0]
    assert row["model"] == "ours"
    assert row["hr@10"].keys() == {"mean", "sd", "se", "seeds"}
    assert row["cpu_seconds"] == 1.5
    assert row["peak_mb"] == 200.0


def test_json_refuses_nan():
    with pytest.raises(InputError, match="NaN or infinity"):
        _report(float("nan")).to_json()


def test_the_table_shows_mean_sd_and_se():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(_report().render())
    text = console.export_text()
    assert ".6000 ± .1414 (.0100)" in text
    assert "seen out" in text


def test_a_metric_one_model_lacks_is_a_dash():
    rows = [
        BenchRow("a", {"x": Estimate((1.0,))}, 0.0, 0.0),
        BenchRow("b", {"y": Estimate((20.0,))}, 0.0, 0.0),
    ]
    table = BenchReport("t", "p", BenchData(0, 0, 0, ""), rows).render()
    assert [list(column.cells) for column in table.columns][1:3] == [["1.0000", "-"], ["-", "20.0"]]


def test_the_machine_is_described_without_its_name(tmp_path: Path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name : Tiny CPU\n")
    assert machine_description(cpuinfo).startswith("Tiny CPU, ")
    assert "cores" in machine_description(tmp_path / "absent")


def test_the_commit_outside_a_checkout_is_unknown(tmp_path: Path):
    assert checkout_commit(tmp_path) == "unknown"
    assert checkout_commit(tmp_path / "absent") == "unknown"


def test_a_narrow_table_leaves_out_metrics_from_the_right_and_names_them() -> None:
    estimate = Estimate((0.1234,))
    names = ("hr@10", "ndcg@10", "coverage@10")
    row = BenchRow("pop", dict.fromkeys(names, estimate), 1.0, 10.0)
    report = BenchReport("t", "p", BenchData(0, 0, 0, ""), [row])
    narrow, wide = report.render(34), report.render()
    assert [column.header for column in narrow.columns] == ["model", "hr@10", "cpu s", "peak MB"]
    assert "ndcg@10, coverage@10" in str(narrow.caption)
    assert len(wide.columns) == 3 + len(names)
