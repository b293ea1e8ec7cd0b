"""Bad input: each kind ends in a clear error or a stated, counted degradation; nothing is lost, the next run carries on."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bowerbird.clock import parse_time
from bowerbird.errors import BusyError, InputError, NotFoundError, NotReadyError
from bowerbird.stores.lock import workspace_lock
from bowerbird.workspace import Workspace
from bowerbird.workspace.importing import ImportOptions, ImportReport

LITE = ("content.image_encoder=efficientnet-lite0",)
NOW = parse_time("2026-06-01")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


def taken(workspace: Workspace, kind: str, text: str | bytes, **options: object) -> ImportReport:
    """The report of importing a csv; rows in must be rows stored + rows rejected, each with a line in the report."""
    path = workspace.layout.root.parent / f"{kind}.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    report = workspace.import_files(kind, [path], ImportOptions(as_of=NOW, **options))  # type: ignore[arg-type]
    for of, rows in report.rows.items():
        assert rows == report.stored[of] + report.rejected[of]
    if report.report is not None:
        with report.report.open(newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == sum(report.rejected.values())
    return report


def test_a_csv_with_the_wrong_columns_says_which_is_missing(workspace) -> None:
    with pytest.raises(
        InputError, match=r"items\.csv: .*'item_id'.* say which column it is: --columns item_id=NAME"
    ):
        taken(workspace, "items", "code,name\n1,Mug\n")
    with pytest.raises(InputError, match=r"events\.csv: .*'user_id'"):
        taken(workspace, "events", "who,item_id\n1,2\n")


def test_columns_may_have_other_names(workspace) -> None:
    taken(workspace, "items", "code,name\n1,Mug\n", columns={"item_id": "code", "title": "name"})
    assert workspace.workbench().items.column("title") == ["Mug"]
    report = taken(workspace, "events", "Customer ID,sku,timestamp\nann,1,1767225600\n")
    assert report.stored["events"] == 1
    assert workspace.workbench().events.table["at"].to_pylist() == [1767225600 * 10**6]


def test_a_column_may_name_an_item_and_its_picture(workspace) -> None:
    folder = workspace.layout.root.parent / "photos"
    folder.mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "a.png")
    report = taken(
        workspace, "items", "image,title\na.png,Mug\n", images=folder, columns={"item_id": "image"}
    )
    assert (report.pictures, workspace.workbench().items.vocabulary.ids) == (1, ("a.png",))


def test_broken_utf8_says_where_and_what_to_do(workspace) -> None:
    with pytest.raises(InputError, match=r"items\.csv.*not utf-8.*iconv"):
        taken(workspace, "items", "item_id,title\n1,Café\n".encode("latin-1"))
    assert len(workspace.workbench().items) == 0


def test_a_kind_or_a_word_that_does_not_exist_is_refused(workspace) -> None:
    with pytest.raises(InputError, match=r"import item: a workspace keeps no item; did you mean 'items'"):
        workspace.import_files("item", [Path("x.csv")])
    with pytest.raises(InputError, match=r"unknown = 'creat'; did you mean 'create'"):
        ImportOptions(unknown="creat")
    with pytest.raises(InputError, match="no file was named"):
        workspace.import_files("events", [])


def test_repeated_ids_and_prices_that_are_no_number_are_rejected_and_counted(workspace) -> None:
    report = taken(workspace, "items", "item_id,price\na,1\na,2\nb,nan\nc,cheap\nd,-4\ne,5\n")
    assert report.rows["items"] == 6
    assert workspace.workbench().items.vocabulary.ids == ("a", "e")
    assert report.reasons["items"]["item_id is repeated"] == 1
    assert report.rejected["items"] == 4


def test_unknown_items_and_times_out_of_range_are_rejected_and_counted(workspace) -> None:
    taken(workspace, "items", "item_id,title\na,Mug\n")
    rows = "u1,a,2026-01-01\nu1,zz,2026-01-02\nu1,a,2030-01-01\nu1,a,-5\nu1,a,soon\nu1,a,\n"
    report = taken(workspace, "events", "user_id,item_id,at\n" + rows)
    assert (report.stored["events"], report.rejected["events"]) == (1, 5)
    assert report.reasons["events"]["item_id is not known"] == 1
    assert len(workspace.workbench().events) == 1


def test_what_is_unknown_may_be_dropped_or_created(workspace) -> None:
    taken(workspace, "items", "item_id,title\na,Mug\n")
    rows = "user_id,item_id,at\nu1,zz,2026-01-02\n"
    assert taken(workspace, "events", rows, unknown="drop").reasons["events"] == {
        "dropped: item_id is not known": 1
    }
    assert taken(workspace, "events", rows, unknown="create").created == 1


def test_times_and_a_mere_order_are_not_mixed(workspace) -> None:
    taken(workspace, "events", "user_id,item_id,at\nu1,a,2026-01-02\n")
    with pytest.raises(InputError, match=r"events\.csv: its events have only an order, .* `at`"):
        taken(workspace, "events", "user_id,item_id\nu1,a\n")
    assert len(workspace.workbench().events) == 1


def test_an_empty_catalogue_builds_to_nothing_and_every_surface_says_so(workspace) -> None:
    results = workspace.build()
    assert {result.outcome for result in results} == {"skipped"}
    assert all(result.why for result in results)
    with pytest.raises(NotReadyError, match=r"nothing is built yet|catalogue is empty"):
        workspace.ask("homefeed")
    with pytest.raises(NotReadyError, match=r"nothing is built yet|catalogue is empty"):
        workspace.plan_notifications(3)


def test_a_person_without_events_and_an_item_without_anything_are_no_trouble(workspace) -> None:
    taken(workspace, "items", "item_id,title\na,red mug\nb,blue mug\nbare,\n")
    taken(workspace, "users", "user_id\nu1\nquiet\n")
    taken(workspace, "events", "user_id,item_id,at\nu1,a,2026-01-01\nu1,b,2026-01-02\nu2,b,2026-01-02\n")
    results = {result.name: result for result in workspace.build()}
    assert results["text_vector"].card is not None
    assert results["text_vector"].card.rows == 2
    quiet = workspace.ask("homefeed", user="quiet")
    assert quiet.entries
    assert any("'quiet' has no history" in note for note in quiet.notes)
    workspace.ask("related", item="bare")
    with pytest.raises(NotFoundError, match="item 'nowhere' is not in the catalogue"):
        workspace.ask("related", item="nowhere")
    with pytest.raises(NotFoundError, match="surface 'homefed' does not exist; did you mean 'homefeed'"):
        workspace.ask("homefed")


def saved(image: Image.Image, form: str, **how: object) -> bytes:
    held = io.BytesIO()
    image.save(held, form, **how)
    return held.getvalue()


def odd_pictures() -> dict[str, bytes]:
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    plain = Image.fromarray(noise)
    frames = [plain, Image.new("RGB", (96, 96), "red")]
    deep = Image.fromarray(np.linspace(0, 65535, 96 * 96).astype(np.uint16).reshape(96, 96))
    jpeg = saved(plain, "JPEG")
    return {
        "good.jpg": jpeg,
        "cmyk.jpg": saved(plain.convert("CMYK"), "JPEG"),
        "sixteen.png": saved(deep, "PNG"),
        "animated.gif": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "truncated.jpg": jpeg[: len(jpeg) // 8],
        "huge.png": saved(Image.new("1", (30_000, 30_000)), "PNG"),
        "words.jpg": b"not a picture at all",
        "empty.jpg": b"",
    }


def test_odd_pictures_are_read_or_counted_and_the_build_goes_on(tmp_path) -> None:
    Workspace.create(tmp_path / "ws")
    workspace = Workspace.open(tmp_path / "ws", LITE)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in odd_pictures().items():
        (folder / name).write_bytes(data)
    report = workspace.import_files("items", [folder])
    assert report.stored["items"] == 8
    assert report.without_picture == {"file is empty": 1}
    card = next(result.card for result in workspace.build() if result.name == "image_vector")
    assert card is not None
    with (workspace.layout.reports / "unreadable-pictures.csv").open(newline="", encoding="utf-8") as file:
        unread = {row["item_id"]: row["reason"] for row in csv.DictReader(file)}
    assert all(unread.values())
    assert {"huge", "words"} <= set(unread)
    assert set(unread) <= {"huge", "words", "truncated"}
    assert card.rows == 7 - len(unread)
    assert f"{len(unread)} pictures could not be read" in card.note
    found = workspace.ask("search", image=odd_pictures()["good.jpg"])
    assert found.item_ids[0] == "good"
    with pytest.raises(InputError, match="could not be read as an image"):
        workspace.ask("search", image=b"not a picture at all")


def test_two_builds_at_once_is_a_clear_error(workspace) -> None:
    with (
        workspace_lock(workspace.layout, "build"),
        pytest.raises(
            BusyError, match=r"process \d+ \(build, since .*\) holds the workspace; wait until it ends"
        ),
    ):
        workspace.build()
    with (
        workspace_lock(workspace.layout, "build"),
        pytest.raises(BusyError, match="run `import items` again"),
    ):
        taken(workspace, "items", "item_id\na\n")


# --- killed, and out of disk: in a process of its own -------------------------------------------------

KILL = """
import os, signal, sys
import bowerbird.workspace.importing as importing
from bowerbird.datasets.standard import sources
from bowerbird.stores.{module} import {owner}
importing.sources = lambda kind, path, given: sources(kind, path, 20, given)   # many batches of a small file
real, calls = {owner}.{method}, []
def dies(self, *given):
    calls.append(1)
    if len(calls) == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *given)
{owner}.{method} = dies
from bowerbird.cli import main
main()
"""

LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from bowerbird.cli import main
main()
"""


def run(repository: Path, code: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*_inherited(), str(repository / "src")])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _inherited() -> list[str]:
    return [
        part
        for part in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if part and Path(part).is_absolute()
    ]


def write_events(path: Path, rows: int) -> Path:
    lines = [f"u{row % 9},i{row * 7 % 13},click,{1767225600 + 3600 * row}" for row in range(rows)]
    path.write_text("\n".join(["user_id,item_id,action,at", *lines]) + "\n")
    return path


def made(root: Path, events: Path) -> Workspace:
    workspace = Workspace.create(root)
    workspace.import_files("events", [events])
    items = root.parent / "titles.csv"
    items.write_text("item_id,title\n" + "".join(f"i{n},thing number {n}\n" for n in range(13)))
    workspace.import_files("items", [items])
    return workspace


def versions(workspace: Workspace) -> dict[str, tuple]:
    """What is live: every card, and the content of the signals."""
    bench = workspace.workbench()
    cards = {
        card.name: (card.version, card.rows, card.as_of)
        for card in (*bench.signals.cards(), *bench.models.cards())
    }
    vectors = bench.item_vectors("item_vector").matrix.tobytes()
    return {**cards, "bytes": (vectors, bench.log.fingerprint(), bench.catalogue.fingerprint())}


@pytest.mark.slow
def test_an_import_killed_midway_is_run_again_and_ends_the_same(repository, tmp_path) -> None:
    events = write_events(tmp_path / "events.csv", 100)
    whole, killed = Workspace.create(tmp_path / "whole"), Workspace.create(tmp_path / "killed")
    whole.import_files("events", [events])
    code = KILL.format(module="event_log", owner="SqliteEventLog", method="append", at=3)
    ended = run(repository, code, ["import", "events", str(events), "-w", str(killed.layout.root)])
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(killed.workbench().events) == 40  # two batches were acknowledged
    again = killed.import_files("events", [events])
    assert again.rejected["events"] == 0
    for one, other in ((killed.workbench(), whole.workbench()),):
        assert one.log.fingerprint() == other.log.fingerprint()
        assert one.catalogue.fingerprint() == other.catalogue.fingerprint()
        assert one.items.vocabulary.ids == other.items.vocabulary.ids


@pytest.mark.slow
def test_a_build_killed_midway_carries_on_to_the_same_bytes(repository, tmp_path) -> None:
    events = write_events(tmp_path / "events.csv", 60)
    whole, killed = made(tmp_path / "whole", events), made(tmp_path / "killed", events)
    whole.build()
    code = KILL.format(module="signals", owner="LocalSignals", method="put_vectors", at=2)
    ended = run(repository, code, ["build", "-w", str(killed.layout.root)])
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    outcomes = {result.name: result.outcome for result in killed.build()}
    assert outcomes["text_vector"] == "unchanged"  # what was done is not done again
    assert outcomes["item_vector"] == "built"
    assert versions(killed) == versions(whole)


@pytest.mark.slow
def test_a_full_disk_is_a_clear_error_and_the_old_state_stays(repository, tmp_path) -> None:
    workspace = made(tmp_path / "ws", write_events(tmp_path / "few.csv", 10))
    before = (workspace.workbench().log.fingerprint(), workspace.workbench().catalogue.fingerprint())
    many = write_events(tmp_path / "many.csv", 5_000)
    ended = run(repository, LIMIT, ["import", "events", str(many), "-w", str(workspace.layout.root)])
    assert ended.returncode == 1
    assert "Error:" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (workspace.workbench().log.fingerprint(), workspace.workbench().catalogue.fingerprint()) == before
    assert workspace.import_files("events", [many]).stored["events"] == 5_000
