from __future__ import annotations

import shutil
import sqlite3
import threading

import numpy as np
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import BusyError, StorageError
from bowerbird.stores import event_log as event_log_module
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.layout import Layout
from bowerbird.stores.segments import day_cuts, read_segment
from bowerbird.testing.contracts.examples import events, numbered_events


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    made.create()
    return made


def segment_files(layout: Layout) -> list[str]:
    return sorted(path.name for path in layout.events.glob("*.parquet"))


def test_a_log_opened_again_is_the_same_log(layout):
    log = SqliteEventLog(layout)
    log.append(numbered_events(0, 20))
    log.logical_time = True
    log.close()
    again = SqliteEventLog(layout)
    assert again.count() == 20
    assert again.logical_time
    assert again.append(numbered_events(10, 20)) == 10
    assert again.fingerprint() == SqliteEventLog(layout).fingerprint()


def test_sealing_keeps_the_newest_days_in_sqlite(layout):
    log = SqliteEventLog(layout)
    log.append(numbered_events(0, 10, step_us=DAY_US // 2))  # five days, two events each
    assert log.seal(keep_days=2) == 6
    assert log.seal(keep_days=2) == 0
    assert log.seal(keep_days=1) == 2
    assert segment_files(layout) == ["000000-1-6.parquet", "000003-7-8.parquet"]
    assert log.read().at.tolist() == [n * DAY_US // 2 for n in range(10)]


def test_the_newest_day_of_all_decides_what_is_sealed_not_that_of_sqlite(layout, monkeypatch):
    log = SqliteEventLog(layout)
    monkeypatch.setattr(event_log_module, "BULK_ROWS", 2)
    log.append(numbered_events(0, 10, step_us=DAY_US))
    log.append(events({"event_id": "late", "at": 0}))
    assert log.seal(keep_days=2) == 1
    assert len(log.read()) == 11


def test_a_bulk_append_keeps_events_already_in_sqlite_and_in_segments_once(layout, monkeypatch):
    log = SqliteEventLog(layout)
    log.append(numbered_events(5, 3))
    monkeypatch.setattr(event_log_module, "BULK_ROWS", 2)
    assert log.append(numbered_events(0, 10)) == 7
    assert log.append(numbered_events(0, 12)) == 2
    assert log.count() == len(log.read()) == 12


def test_segments_are_cut_between_days():
    at = np.repeat(np.arange(5, dtype=np.int64) * DAY_US, 3)
    assert day_cuts(at, at_least=4) == [(0, 6), (6, 12), (12, 15)]
    assert day_cuts(at, at_least=100) == [(0, 15)]
    assert day_cuts(at[:0]) == []


def test_files_no_manifest_names_are_removed_by_the_next_writer(layout, monkeypatch):
    log = SqliteEventLog(layout)
    monkeypatch.setattr(event_log_module, "BULK_ROWS", 2)
    log.append(numbered_events(0, 5))
    kept = segment_files(layout)
    shutil.copy(layout.events / kept[0], layout.events / "000009-8-9.parquet")
    (layout.events / "ids-77.npy").write_bytes(b"")
    log.seal()
    assert segment_files(layout) == kept
    assert not (layout.events / "ids-77.npy").exists()


def test_threads_append_without_losing_or_doubling(layout):
    log = SqliteEventLog(layout)
    new: list[int] = []

    def work(start: int) -> None:
        new.extend(log.append(numbered_events(n, 4)) for n in range(start, start + 8, 2))

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 4, 8, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == log.count() == len(log.read()) == 18


def test_another_writer_that_does_not_end_makes_the_log_busy(layout, monkeypatch):
    monkeypatch.setattr(event_log_module, "BUSY_TIMEOUT_S", 0.01)
    log = SqliteEventLog(layout)
    other = sqlite3.connect(layout.events / "log.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match=r"another process has been writing.*try again"):
        log.append(numbered_events(0, 1))
    assert log.count() == 0  # readers are not kept waiting
    other.execute("ROLLBACK")
    other.close()
    assert log.append(numbered_events(0, 1)) == 1


def test_a_damaged_log_or_segment_says_where_and_what_to_do(layout, monkeypatch):
    monkeypatch.setattr(event_log_module, "BULK_ROWS", 2)
    log = SqliteEventLog(layout)
    log.append(numbered_events(0, 5))
    (name,) = segment_files(layout)
    (segment,) = log._segments()
    whole = (layout.events / name).read_bytes()
    (layout.events / name).write_bytes(whole[:100])
    with pytest.raises(StorageError, match=rf"{name}: segment of 5 events cannot be read.*restore the file"):
        log.read()
    other = SqliteEventLog(Layout(layout.root / "other"))
    other.append(numbered_events(0, 4))
    shutil.copy(
        layout.events.parent / "other" / "events" / segment_files(Layout(layout.root / "other"))[0],
        layout.events / name,
    )
    with pytest.raises(StorageError, match="segment has 4 events, expected 5"):
        read_segment(layout.events, segment, None)
    broken = Layout(layout.root / "broken")
    broken.create()
    (broken.events / "log.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="the file is damaged: restore it from a copy"):
        SqliteEventLog(broken)


def test_a_log_that_cannot_be_opened_is_a_storage_error(tmp_path):
    (tmp_path / "events").write_text("")
    with pytest.raises(StorageError, match="could not open the event log"):
        SqliteEventLog(Layout(tmp_path))
    (tmp_path / "b" / "events" / "log.sqlite").mkdir(parents=True)
    with pytest.raises(StorageError, match="could not open the event log: unable to open database file"):
        SqliteEventLog(Layout(tmp_path / "b"))
