"""Backfill: a signal and everything made from it, made beside what is live and switched to in one stroke.

A build switches each step when it is done, so between the first and the last of them items may be in one
space and their index in another. That is no matter while nobody starts a server; a new encoder for a large
catalogue takes hours. A backfill writes into the registry's draft: servers, and those that start meanwhile,
read what is live until all of it is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bowerbird.content.encoder import ContentEncoder, load_encoder
from bowerbird.errors import NotFoundError, did_you_mean
from bowerbird.records.signal import SignalCard
from bowerbird.stores.layout import Layout
from bowerbird.stores.registry import Registry
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.telemetry import SILENT, Progress
from bowerbird.workspace.build_record import recorded_seconds
from bowerbird.workspace.content_steps import ENCODER_THREADS, item_words, text_key
from bowerbird.workspace.plan import Step, StepResult, needed, run, step_version
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.steps import build_steps
from bowerbird.workspace.workbench import Workbench

SAMPLE = 32
"""Inputs an encoder is timed on."""
VALUE_BYTES = 4


@dataclass(frozen=True)
class BackfillLine:
    """What one step of a backfill will take."""

    name: str
    rows: int | None
    """Rows it will have; None where it was never built."""
    new_rows: int | None
    """Rows that must be computed anew: for encoders what the cache lacks."""
    seconds: float | None
    """None where nothing is known of it."""
    bytes: int | None
    """On the disk, beside what is live."""
    basis: str
    """Where the seconds are from."""


def affected(steps: Sequence[Step[Workbench]], signal: str) -> list[Step[Workbench]]:
    """A signal's step, every step that reads it through any chain, and what those read, in order.

    Raises:
        NotFoundError: no step has that name.
    """
    names = [step.name for step in steps]
    if signal not in names:
        raise NotFoundError(f"backfill: no signal {signal!r}; {did_you_mean(signal, names)}")
    reached = {signal}
    for step in steps:  # each after the ones it reads
        if reached & set(step.reads):
            reached.add(step.name)
    return needed(steps, sorted(reached))


def backfilled(
    layout: Layout, settings: WorkspaceSettings, signal: str, progress: Progress = SILENT
) -> list[StepResult]:
    """Make a signal and what follows from it in the draft, then promote the draft. The caller holds the lock.

    Killed anywhere it leaves what was live; the same call carries on with what the draft has, where the
    inputs of a step are still the same, and an encoder carries on with what its cache has.

    Raises:
        NotFoundError: there is no such signal.
        StorageError: the system refused; what was live stays so.
    """
    steps = affected(build_steps(settings), signal)
    registry = Registry(layout)
    registry.begin_draft(f"{signal} {settings.content.fingerprint()} {settings.seed}")
    bench = Workbench(layout, settings, progress=progress, draft=True)
    results = run(steps, bench, bench.inputs(), bench.live_card, progress)
    registry.promote()
    return results


def backfill_estimate(layout: Layout, settings: WorkspaceSettings, signal: str) -> list[BackfillLine]:
    """What a backfill will take, step by step; steps that are up to date are left out. Nothing is written.

    Encoders are timed on a few inputs their cache lacks; other steps take what they took last time.

    Raises:
        NotFoundError: there is no such signal.
    """
    bench = Workbench(layout, settings, draft=True)
    versions = dict(bench.inputs())
    taken = recorded_seconds(layout)
    lines = []
    for step in affected(build_steps(settings), signal):
        version = versions[step.name] = step_version(step, versions)
        card = bench.live_card(step.name)
        if step.applies(bench) is not None or (card is not None and card.version == version):
            continue
        encoding = _encoding(bench, step.name)
        lines.append(encoding if encoding is not None else _as_before(bench, step.name, card, taken))
    return lines


def _encoding(bench: Workbench, name: str) -> BackfillLine | None:
    """An encoder's step, timed on a sample; None for other steps."""
    content, cache = bench.settings.content, bench.layout.cache
    if name == "image_vector":
        encoder = load_encoder(content.image_encoder, cache, ENCODER_THREADS)
        keys = [key for key in bench.items.column("image") if key]
        inputs: dict[str, Any] = {}
    elif name == "text_vector":
        encoder = load_encoder(content.text_encoder, cache, ENCODER_THREADS)
        texts = [text for text in item_words(bench) if text]
        keys = [text_key(text) for text in texts]
        inputs = dict(zip(keys, texts, strict=True))
    else:
        return None
    missing = VectorCache(bench.layout, encoder.space).missing(keys)
    sample = missing[:: max(1, len(missing) // SAMPLE)][:SAMPLE]
    raw = [inputs[key] if key in inputs else bench.media.get(key) for key in sample]
    seconds = _seconds_each(encoder, raw) * len(missing)
    size = (len(keys) + len(missing)) * encoder.space.dim * VALUE_BYTES  # the signal's rows, and the cache's
    return BackfillLine(name, len(keys), len(missing), seconds, size, f"{len(raw)} inputs encoded now")


def _seconds_each(encoder: ContentEncoder, raw: Sequence[Any]) -> float:
    if not raw:
        return 0.0
    _drain(encoder.encode_chunks(raw[:1]))  # loading is paid once, not for each
    began = time.perf_counter()
    _drain(encoder.encode_chunks(raw))
    return (time.perf_counter() - began) / len(raw)


def _drain(chunks: Iterable[object]) -> None:
    for _ in chunks:
        pass


def _as_before(
    bench: Workbench, name: str, card: SignalCard | None, taken: Mapping[str, float]
) -> BackfillLine:
    """A step that takes what it took the last time it was built."""
    if card is None:
        return BackfillLine(name, None, None, taken.get(name), None, "never built")
    if card.kind != "model" and bench.signals.card(name) is not None:
        size = (
            card.rows * card.space.dim * VALUE_BYTES
            if card.space is not None
            else bench.signals.table(name).nbytes
        )
    else:
        size = sum(path.stat().st_size for path in bench.models.directory(name).rglob("*") if path.is_file())
    basis = "its last build" if name in taken else "no build on record"
    return BackfillLine(name, card.rows, card.rows, taken.get(name), size, basis)
