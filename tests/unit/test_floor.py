"""The floor everyone stands on: errors, clock, randomness, arrays, plugins, telemetry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bowerbird import arrays, errors, extras, plugins
from bowerbird.clock import DAY_US, SECOND_US, format_time, now, parse_time
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress, measured, memory_available

KINDS = {
    "InputError": ValueError,
    "SettingsError": ValueError,
    "NotFoundError": LookupError,
    "SpaceMismatchError": TypeError,
    "NotReadyError": RuntimeError,
    "BusyError": RuntimeError,
    "StorageError": OSError,
    "MissingDependencyError": ImportError,
}


@pytest.mark.parametrize(("name", "builtin"), list(KINDS.items()))
def test_every_error_is_ours_and_the_builtin_a_caller_expects(name, builtin):
    assert issubclass(getattr(errors, name), (errors.BowerbirdError,))
    assert issubclass(getattr(errors, name), builtin)


def test_a_package_that_is_needed_and_absent_is_named_with_the_way_to_it():
    assert extras.needed("json", "train", "anyone").loads("[1]") == [1]
    assert not extras.installed("no_such_package")
    assert extras.lacks("json", "train") is None
    with pytest.raises(
        errors.MissingDependencyError,
        match=r"^here: the package no_such_package is not installed; pip install 'bowerbird\[words\]', or do without$",
    ):
        extras.needed("no_such_package.deep", "words", "here", "do without")


def test_a_hint_is_the_closest_name_or_all_of_them():
    assert errors.did_you_mean("serch", ["search", "ads"]) == "did you mean 'search'?"
    assert errors.did_you_mean("x", ["b", "a"]) == "known: a, b"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01", 0),
        ("1970-01-02T00:00:00", DAY_US),
        ("1970-01-01T01:00:00+01:00", 0),
        ("86400", DAY_US),
        ("86400.5", DAY_US + SECOND_US // 2),
        (" 1969-12-31 ", -DAY_US),
        ("1970-01-01T00:00:00.000001", 1),
    ],
)
def test_times_are_microseconds_utc(text, at):
    assert parse_time(text) == at


@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "31.01.2026", "nan", "1" * 400])
def test_a_time_nobody_understands_says_what_is_expected(text):
    with pytest.raises(errors.InputError, match="is not understood; expected an ISO date"):
        parse_time(text)


@given(st.integers(0, 4_000_000_000))
def test_a_formatted_time_is_read_back(second):
    assert parse_time(format_time(second * SECOND_US)) == second * SECOND_US


def test_the_clock_counts_microseconds_of_this_century():
    assert parse_time("2020-01-01") < now() < parse_time("2200-01-01")


def test_streams_depend_on_the_seed_and_every_name():
    streams = [generator(7), generator(8), generator(7, "a"), generator(7, "a", 1), generator(7, "a1")]
    drawn = [tuple(one.integers(2**62, size=2).tolist()) for one in streams]
    assert len(set(drawn)) == len(drawn)
    assert tuple(generator(7, "a", 1).integers(2**62, size=2).tolist()) == drawn[3]


floats = hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(-5, 5, width=16))


@given(scores=floats, k=st.integers(0, 35))
def test_top_k_is_a_stable_sort_from_the_largest(scores, k):
    slow = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:k]
    assert arrays.top_k(scores, k).tolist() == slow


@given(scores=hnp.arrays(np.float64, (4, 9), elements=st.floats(-5, 5), unique=True), k=st.integers(1, 12))
def test_top_k_of_rows_equals_top_k_of_each_row(scores, k):
    assert arrays.top_k_rows(scores, k).tolist() == [arrays.top_k(row, k).tolist() for row in scores]


def test_minus_infinity_is_never_among_the_best():
    assert arrays.top_k(np.array([-np.inf, 1.0, -np.inf]), 3).tolist() == [1]


@given(st.lists(st.integers(0, 5), max_size=20))
def test_offsets_bound_the_groups(groups):
    values = np.sort(np.array(groups, dtype=np.int64))
    offsets = arrays.group_offsets(values, 6)
    assert np.diff(offsets).tolist() == np.bincount(values, minlength=6).tolist()


@given(st.lists(st.integers(0, 5), max_size=20))
def test_first_occurrences_are_those_not_seen_before(values):
    expected = [value not in values[:place] for place, value in enumerate(values)]
    assert arrays.first_occurrence(np.array(values, dtype=np.int64)).tolist() == expected


def test_rows_become_unit_rows_and_zero_stays_zero():
    rows = arrays.normalise(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[3 / 5, 4 / 5], [0, 0]], rtol=1e-6)
    assert rows.dtype == np.float32


def test_an_unknown_plugin_or_group_is_named_with_a_close_one():
    with pytest.raises(
        errors.NotFoundError, match="sources: no plugin 'trendin' is installed; did you mean 'trending'"
    ):
        plugins.load("sources", "trendin")
    with pytest.raises(
        errors.NotFoundError, match="plugin group 'source' does not exist; did you mean 'sources'"
    ):
        plugins.names("source")


@pytest.mark.parametrize("group", list(plugins.GROUPS))
def test_every_built_in_plugin_loads(group):
    assert plugins.names(group) == sorted(plugins.names(group))
    assert all(
        callable(plugins.load(group, name)) or plugins.load(group, name) for name in plugins.names(group)
    )


def test_silence_is_a_progress():
    assert isinstance(SILENT, Progress)
    SILENT.start("task", 3)
    SILENT.advance()
    SILENT.finish("note")


def test_a_block_that_fails_is_measured_too():
    with pytest.raises(KeyError), measured() as cost:
        raise KeyError
    assert cost.wall_s >= 0
    assert cost.peak_mb > 0


def system(folder: Path, free_kb: int, cgroup: str, **files: str) -> tuple[Path, Path]:
    """What a kernel shows of its memory, of a process's control group and of the group's limits."""
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {free_kb} kB\n")
    (folder / "proc" / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = folder / "groups" / name.replace("__", "/").replace("memory_", "memory.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "proc", folder / "groups"


def test_memory_is_what_the_machine_has_free_or_what_a_containers_limit_leaves(tmp_path):
    alone = system(tmp_path / "alone", 3, "0::/\n")
    assert memory_available(*alone) == 3 * 1024
    ample = system(tmp_path / "ample", 3, "0::/a\n", a__memory_max="max", a__memory_current="5")
    assert memory_available(*ample) == 3 * 1024
    limits = {"memory_max": "1000", "memory_current": "700", "memory_stat": "anon 600\ninactive_file 100"}
    parent = system(
        tmp_path / "parent", 3, "0::/a/b\n", **{f"a__{name}": text for name, text in limits.items()}
    )
    assert memory_available(*parent) == 1000 - 700 + 100
    old = {"memory__memory_limit_in_bytes": "900", "memory__memory_usage_in_bytes": "950"}
    assert memory_available(*system(tmp_path / "old", 3, "7:cpu:/x\n4:memory:/away\n", **old)) == 0


def test_where_the_system_does_not_tell_memory_is_all_there_is(tmp_path):
    assert memory_available(tmp_path / "none", tmp_path / "none") >= memory_available()
