"""Runs by itself (see test_stores_killed.py): kill writers with SIGKILL wherever they touch the disk, then look.

A scenario has a writer, which says after each step that the step is done, and a look at what is there.
A dry run finds every site of the stores that touches the disk; then fresh writers are killed,
one at each of several sites, before the call, the first or a later time, as a seed decides. Writers and looks run in forks of this process, which itself
opens nothing: so importing is paid for once and no library meets a fork in the middle of its work.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import numpy as np

import bowerbird.stores.lance_table  # noqa: F401 - imported before the forks, not in each
from bowerbird.clock import DAY_US
from bowerbird.errors import StorageError
from bowerbird.randomness import generator
from bowerbird.records import Items, Vectors, Vocabulary
from bowerbird.stores import event_log as event_log_module
from bowerbird.stores.catalogue import LanceCatalogue
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.layout import Layout
from bowerbird.stores.media import LocalMedia
from bowerbird.stores.models import LocalModels
from bowerbird.stores.signals import LocalSignals
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.testing.contracts import examples

Say = Callable[[int], None]


@dataclass(frozen=True)
class Scenario:
    write: Callable[[Layout, Say], None]
    look: Callable[[Layout, int], str]
    """Given how many steps were acknowledged: empty when all is well, else what is wrong."""


# --- event log: small appends, bulk appends and seals in turn ---------------------------------------

BATCH = 6


def append_and_seal(layout: Layout, say: Say) -> None:
    log = SqliteEventLog(layout)
    for step in range(6):
        event_log_module.BULK_ROWS = 2 if step % 3 == 2 else 1000
        log.append(examples.numbered_events(step * BATCH, BATCH, step_us=DAY_US // 4))
        if step % 2:
            log.seal(keep_days=1)
        say(step + 1)


def look_at_events(layout: Layout, acknowledged: int) -> str:
    log = SqliteEventLog(layout)
    ids = log.read().table.column("event_id").to_pylist()
    steps, rest = divmod(len(ids), BATCH)
    if rest or ids != [f"e{n}" for n in range(len(ids))]:
        return f"events are half there, doubled or out of order: {ids}"
    if steps < acknowledged:
        return f"{acknowledged} steps were acknowledged, {steps} are there"
    if log.count() != len(ids) or len(log.read_since(0)[0]) != len(ids):
        return f"count {log.count()}, followed {len(log.read_since(0)[0])}, read {len(ids)}"
    append_and_seal(layout, lambda step: None)  # the same import again carries on
    whole = SqliteEventLog(Layout(layout.root.parent / "0"))  # the dry run's: never killed
    if log.fingerprint() != whole.fingerprint() or not log.read().table.equals(whole.read().table):
        return "carrying on gives another log than never being killed"
    return ""


# --- catalogue --------------------------------------------------------------------------------------


def upsert(layout: Layout, say: Say) -> None:
    catalogue = LanceCatalogue(layout)
    for step in range(4):
        catalogue.upsert_items(titled(step))
        say(step + 1)


def titled(step: int) -> Items:
    return examples.items(*(f"i{n}" for n in range(5 * (step + 1))), title=f"title {step}")


def look_at_items(layout: Layout, acknowledged: int) -> str:
    items = LanceCatalogue(layout).items()
    steps = len(items) // 5
    if steps < acknowledged:
        return f"{acknowledged} upserts were acknowledged, {steps} are there"
    if steps and not items.table.equals(titled(steps - 1).table):
        return "the items are those of no upsert"
    upsert(layout, lambda step: None)
    return (
        ""
        if LanceCatalogue(layout).items().table.equals(titled(3).table)
        else "a second run does not carry on"
    )


# --- media, cache, signals, models ------------------------------------------------------------------


def build(layout: Layout, say: Say) -> None:
    media, cache = LocalMedia(layout), VectorCache(layout, examples.SPACE)
    signals, models = LocalSignals(layout), LocalModels(layout)
    for step in range(4):
        name = media.put(f"picture {step}".encode())
        cache.append([name, f"{name}-flipped"], examples.vectors(2).matrix)
        matrix = np.full((2, 3), step, dtype=np.float32)
        card = examples.card("image", version=f"v{step}", space=examples.SPACE)
        signals.put_vectors(card, Vocabulary("item", ("a", "b")), Vectors.full(examples.SPACE, matrix))
        with models.writing(examples.card("ranker", version=f"v{step}")) as folder:
            (folder / "weights.bin").write_text(str(step))
        say(step + 1)


def look_at_build(layout: Layout, acknowledged: int) -> str:
    media, cache = LocalMedia(layout), VectorCache(layout, examples.SPACE)
    signals, models = LocalSignals(layout), LocalModels(layout)
    names = media.put_many(f"picture {step}".encode() for step in range(acknowledged))
    if any(media.get(name) != f"picture {step}".encode() for step, name in enumerate(names)):
        return "a picture is not what was put"
    if cache.missing(names) or len(media) > acknowledged + 1:
        return "an encoded vector is lost, or a picture is there twice"
    card = signals.card("image")
    if card is not None:
        step = int(card.version[1:])
        found = signals.vectors("image", Vocabulary("item", ("b", "a")), examples.SPACE)
        if step + 1 < acknowledged or not (found.matrix == step).all():
            return (
                f"signal of version {step} holds {found.matrix.tolist()}, {acknowledged} steps acknowledged"
            )
    model = models.card("ranker")
    if model is not None and (models.directory("ranker") / "weights.bin").read_text() != model.version[1:]:
        return "the model's folder is not the one its card names"
    if acknowledged and (card is None or model is None):
        return "an acknowledged signal or model is gone"
    build(layout, lambda step: None)
    return "" if LocalSignals(layout).card("image").version == "v3" else "a second build does not carry on"


SCENARIOS = {
    "events": Scenario(append_and_seal, look_at_events),
    "catalogue": Scenario(upsert, look_at_items),
    "build": Scenario(build, look_at_build),
}


# --- a full disk: the size of files is limited, the state before must stay --------------------------


def fill(layout: Layout) -> None:
    LanceCatalogue(layout).upsert_items(titled(0))
    SqliteEventLog(layout).append(examples.numbered_events(0, BATCH))
    LocalMedia(layout).put(b"bird")
    VectorCache(layout, examples.SPACE).append(["a"], examples.vectors(1).matrix)
    card = examples.card("image", space=examples.SPACE)
    LocalSignals(layout).put_vectors(card, Vocabulary("item", ("a",)), examples.vectors(1))
    with LocalModels(layout).writing(examples.card("ranker")) as folder:
        (folder / "weights.bin").write_text("0")


def refused_when_full(layout: Layout) -> str:
    """Every writer raises StorageError and leaves what was there."""
    random = generator(1, "incompressible")
    words = [random.bytes(40).hex() for _ in range(9000)]
    catalogue, log = LanceCatalogue(layout), SqliteEventLog(layout)
    media, cache = LocalMedia(layout), VectorCache(layout, examples.SPACE)
    signals, models = LocalSignals(layout), LocalModels(layout)
    many = examples.events(*({"event_id": word, "at": 0} for word in words))
    ids = Vocabulary("item", tuple(words))
    card = examples.card("image", version="v2", space=examples.SPACE)

    def bulk() -> None:
        event_log_module.BULK_ROWS = 2
        log.append(many)

    def model() -> None:
        with models.writing(examples.card("ranker", version="v2")) as folder:
            (folder / "weights.bin").write_bytes(random.bytes(300_000))

    attempts = {
        "items": lambda: catalogue.upsert_items(examples.items(*words)),
        "events": lambda: log.append(many),
        "bulk events": bulk,
        "media": lambda: media.put(random.bytes(300_000)),
        "cache": lambda: cache.append(words, examples.vectors(len(words)).matrix),
        "signal": lambda: signals.put_vectors(card, ids, examples.vectors(len(words))),
        "model": model,
    }
    before = whole_state(layout)
    for name, attempt in attempts.items():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
        try:
            attempt()
        except StorageError as error:
            if "could not" not in str(error) or "run the command again" not in str(error):
                return f"{name}: the message does not say what to do: {error}"
        except OSError as error:
            if name != "model":  # the caller's own write failed; the block's error is the caller's
                return f"{name}: {type(error).__name__} instead of StorageError: {error}"
        else:
            return f"{name}: wrote more than the limit without an error"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        after = whole_state(layout)
        if after != before:
            return f"{name}: the state changed from {before} to {after}"
        left = [path.name for path in layout.root.rglob(".writing-*")]
        if left:
            return f"{name}: half-written files are left: {left}"
    return ""


def whole_state(layout: Layout) -> list:
    log = SqliteEventLog(layout)
    signals = LocalSignals(layout)
    return [
        LanceCatalogue(layout).items().table.to_pylist(),
        log.read().table.to_pylist(),
        log.fingerprint(),
        len(LocalMedia(layout)),
        len(VectorCache(layout, examples.SPACE)),
        signals.vectors("image", Vocabulary("item", ("a",))).matrix.tolist(),
        LocalModels(layout).directory("ranker").name,
    ]


# --- forks ------------------------------------------------------------------------------------------


def forked(work: Callable[[], object], answer: Path) -> int:
    """Run work in a fork; its answer goes to a file. Returns the wait status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            answer.write_text(json.dumps(work()))
            status = 0
        except BaseException as error:  # noqa: BLE001 - the parent must hear of any failure
            answer.write_text(json.dumps(f"{type(error).__name__}: {error}"))
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


Site = tuple[tuple[str, int], ...]
"""A place that touches the disk: the file and line of each frame of the stores that led there."""

TOUCHES_DISK = {
    *("execute", "executemany", "fsync", "ftruncate", "pwrite", "write", "open", "close", "flock"),
    *("replace", "rename", "unlink", "mkdir", "rmtree", "write_table", "write_dataset", "save"),
    *("cleanup_old_versions", "new_file"),
}


def site_of(frame: FrameType | None) -> Site:
    lines = []
    while frame is not None:
        place = Path(frame.f_code.co_filename)
        if place.parent.name == "stores":
            lines.append((place.name, frame.f_lineno))
        frame = frame.f_back
    return tuple(lines)


def watched(write: Callable[[], None], kill_at: tuple[Site, int] | None) -> list[tuple[Site, int]]:
    """Run a writer; SIGKILL it before the n-th time it touches the disk at one site.

    Returns:
        Every site it came by and how often, in order.
    """
    seen: dict[Site, int] = {}

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            name, caller = getattr(argument, "__name__", ""), frame
        elif event == "call":
            name, caller = frame.f_code.co_name, frame.f_back
        else:
            return
        site = site_of(caller) if name in TOUCHES_DISK else ()
        if site:
            seen[site] = seen.get(site, 0) + 1
            if kill_at == (site, seen[site]):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    try:
        write()
    finally:
        sys.setprofile(None)
    return list(seen.items())


def run(name: str, folder: Path, most_sites: int, seed: int) -> list[str]:
    """Kill a scenario's writer once at each of so many sites drawn from the seed; returns what went wrong."""
    scenario = SCENARIOS[name]
    problems: list[str] = []
    answer = folder / "answer.json"

    def attempt(number: int, kill_at: tuple[Site, int] | None) -> tuple[Layout, int, int]:
        layout = Layout(folder / str(number))
        layout.create()
        said = layout.root / "said"
        said.write_text("0")
        write = partial(scenario.write, layout, lambda step: said.write_text(str(step)))
        status = forked(partial(watched, write, kill_at), answer)
        return layout, status, int(said.read_text() or "0")

    _, status, _ = attempt(0, None)
    sites = json.loads(answer.read_text())
    if status:
        return [f"dry run: {sites}"]
    random = generator(seed, name)
    ended = 0
    chosen = random.permutation(len(sites))[:most_sites]
    for number, (lines, times) in enumerate((sites[site] for site in sorted(chosen.tolist())), start=1):
        site = tuple((file, line) for file, line in lines)
        when = int(random.integers(1, times + 1))
        layout, status, acknowledged = attempt(number, (site, when))
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            ended += 1  # how often files are flushed depends on their times: that time did not come
            continue
        if not os.WIFSIGNALED(status):
            problems.append(f"{site}, time {when}: the writer failed: {answer.read_text()}")
            continue
        forked(partial(scenario.look, layout, acknowledged), answer)
        found = json.loads(answer.read_text())
        if found:
            problems.append(f"killed at {site}, time {when} of {times}: {found}")
    if ended > len(chosen) // 3:
        problems.append(f"{ended} of {len(chosen)} writers were never killed")
    return problems


def run_full(folder: Path) -> list[str]:
    layout = Layout(folder / "full")
    layout.create()
    answer = folder / "answer.json"

    def work() -> str:
        fill(layout)
        return refused_when_full(layout)

    forked(work, answer)
    found = json.loads(answer.read_text())
    return [found] if found else []


if __name__ == "__main__":
    # True of a process that has used Lance; this one only imports it and leaves the use to its forks.
    warnings.filterwarnings("ignore", message="lance is not fork-safe")
    scenario_name, place = sys.argv[1], Path(sys.argv[2])
    found = (
        run_full(place) if scenario_name == "full" else run(scenario_name, place, int(sys.argv[3]), seed=5)
    )
    sys.stdout.write(json.dumps(found))
