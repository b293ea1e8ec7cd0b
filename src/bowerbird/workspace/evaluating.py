"""Evaluating a workspace: models of the past, asked about what came after."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from bowerbird.errors import NotReadyError
from bowerbird.evaluation.offline import Sampling, ranking_outcomes
from bowerbird.evaluation.outcome import Evaluation, Measure, SurfaceOutcome
from bowerbird.evaluation.report_page import report_page
from bowerbird.evaluation.window import HeldOut, held_out
from bowerbird.records.event import Events
from bowerbird.stores.atomic import write_atomically
from bowerbird.stores.layout import Layout
from bowerbird.stores.lock import workspace_lock
from bowerbird.stores.protocol import EventLog
from bowerbird.surfaces.answers import Answers
from bowerbird.surfaces.budgets import BudgetLedger
from bowerbird.telemetry import SILENT, Progress, measured
from bowerbird.workspace.against_truth import has_truth, truth_measures
from bowerbird.workspace.build_record import signal_lines
from bowerbird.workspace.judging import ads_outcome, growth_outcome
from bowerbird.workspace.loading import loaded_release
from bowerbird.workspace.long_term_steps import ENCODER, LONG_TERM
from bowerbird.workspace.plan import run
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.steps import build_steps
from bowerbird.workspace.workbench import Workbench

REVISION = 4
"""Raised by hand when what an evaluation measures changes."""
LEARNT = (
    *("neighbour_tower", "item_vector", "item_interests", "item_index"),
    *("cooccurrence", "graph_network", "graph_vector", "graph_index"),
    *("next_item", ENCODER, LONG_TERM, "ranker"),
)
"""What requests read that is learnt from events: made again from the past only."""
AUDIENCES_READ = ("user_vector", "user_universal", "user_interests", "user_state", "user_audiences")
"""What ads read besides, where audiences are declared."""
REPORT, PAGE = "evaluation.json", "report.html"


@dataclass(frozen=True)
class EvaluationOptions:
    """How a workspace is evaluated."""

    days: float = 7.0
    """Length of the test, where the log has times."""
    cases: int = 200
    """Most requests per surface."""
    truth_people: int = 250
    """People whose slates are held against the truth, where it is known."""
    seed: int = 7


def stored_evaluation(layout: Layout) -> Evaluation | None:
    """The evaluation the workspace last had; None when there is none."""
    path = layout.reports / REPORT
    return Evaluation.from_json(path.read_bytes()) if path.exists() else None


def evaluation_fingerprint(bench: Workbench, options: EvaluationOptions) -> str:
    """A hash of everything an evaluation depends on; reads no events and no models."""
    cards = [*bench.signals.cards(), *bench.models.cards()]
    versions = sorted(f"{card.name}={card.version}" for card in cards)
    parts = [REVISION, bench.settings.fingerprint(), asdict(options), bench.inputs(), versions]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def evaluate(
    layout: Layout,
    settings: WorkspaceSettings,
    options: EvaluationOptions | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """The evaluation of a workspace's live build; one that is up to date is only read.

    Args:
        layout: the workspace.
        settings: its settings.
        options: how much is asked.
        progress: shows long work.

    Raises:
        NotReadyError: nothing is built.
        BusyError: another process holds the workspace.
    """
    options = options or EvaluationOptions()
    live = Workbench(layout, settings, progress=progress)
    if not live.signals.cards() and not live.models.cards():
        raise NotReadyError(f"{layout.root}: nothing is built yet; run `bowerbird build -w {layout.root}`")
    fingerprint = evaluation_fingerprint(live, options)
    known = stored_evaluation(layout)
    if known is not None and known.fingerprint == fingerprint and (layout.reports / PAGE).exists():
        return known
    with workspace_lock(layout, "evaluate"):
        with measured() as cost:
            found = _evaluated(live, options, fingerprint, progress)
        found = replace(found, seconds=round(cost.wall_s, 2))
        write_atomically(layout.reports / PAGE, report_page(found).encode())
        write_atomically(layout.reports / REPORT, found.to_json().encode())
    return found


def _evaluated(
    live: Workbench, options: EvaluationOptions, fingerprint: str, progress: Progress
) -> Evaluation:
    layout, settings = live.layout, live.settings
    own = _own_folder(live, options)
    whole = Workbench(layout, settings, made_in=own, progress=progress)
    notes: list[str] = []
    window = None
    try:
        window = held_out(whole.sequences, logical_time=whole.log.logical_time, days=options.days)
    except NotReadyError as error:
        surfaces: tuple[SurfaceOutcome, ...] = ()
        notes.append(str(error))
    else:
        surfaces = _surfaces(whole, own, window, options, progress)
    truth: tuple[Measure, ...] = ()
    if has_truth(layout):
        ledger = BudgetLedger(own.state / "budgets.sqlite")
        answers = Answers(loaded_release(live), settings.surfaces, ledger)
        truth = truth_measures(live, answers, options.truth_people, options.seed, progress)
    cards = {card.name: card for card in (*live.signals.cards(), *live.models.cards())}
    order = [step.name for step in build_steps(settings) if step.name in cards]
    return Evaluation(
        fingerprint=fingerprint,
        workspace=settings.name,
        simulated=settings.simulated,
        credit=settings.credit,
        items=len(whole.items),
        people=len(whole.people),
        events=whole.log.count(),
        split_at=window.split_at if window is not None else 0,
        until=window.until if window is not None else 0,
        protocol=window.protocol if window is not None else "",
        signals=signal_lines(layout, [cards[name] for name in order]),
        surfaces=surfaces,
        truth=truth,
        notes=tuple(notes),
        seconds=0.0,
    )


def _own_folder(live: Workbench, options: EvaluationOptions) -> Layout:
    """Where the models of the past are kept: a folder per log and split, so that none outlives its past."""
    parts = [REVISION, live.settings.fingerprint(), live.inputs(), options.days]
    name = hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()
    folder = live.layout.cache / "evaluation"
    for old in folder.glob("*"):
        if old.name != name:
            shutil.rmtree(old)
    own = Layout(folder / name)
    own.create()
    return own


def _surfaces(
    whole: Workbench, own: Layout, window: HeldOut, options: EvaluationOptions, progress: Progress
) -> tuple[SurfaceOutcome, ...]:
    learn_from_past(whole, own, window, progress)
    ledger_file = own.state / "budgets.sqlite"
    for old in own.state.glob(f"{ledger_file.name}*"):  # with its journal, which would bring its rows back
        old.unlink()  # budgets of an earlier evaluation are not this one's
    answers = Answers(loaded_release(whole), whole.settings.surfaces, BudgetLedger(ledger_file))
    sampling = Sampling(options.cases, options.seed)
    return (
        *ranking_outcomes(answers, window, whole.events, sampling, progress),
        growth_outcome(answers, window, options.seed, progress),
        ads_outcome(answers, window, whole.events, options.seed, progress),
    )


def learn_from_past(whole: Workbench, own: Layout, window: HeldOut, progress: Progress = SILENT) -> None:
    """Bring the models of the past up to date in the evaluation's own folder; events of the test play no part.

    Args:
        whole: the workspace with the evaluation's folder on top.
        own: that folder.
        window: the test.
        progress: shows training.
    """
    log = LeftOut(whole.log, whole, window) if window.leave_one_out else None
    until = None if window.leave_one_out else window.split_at
    past = Workbench(whole.layout, whole.settings, as_of=until, made_in=own, progress=progress, log=log)
    content = {card.name: card.version for card in (*past.signals.cards(), *past.models.cards())}
    learnt = {*LEARNT, *(AUDIENCES_READ if whole.settings.audiences else ())}
    steps = [step for step in build_steps(whole.settings) if step.name in learnt]
    run(
        steps,
        past,
        {**content, **past.inputs()},
        past.live_card,
        progress,
    )


class LeftOut:
    """A log without each person's test events, for data whose times are only an order.

    Args:
        log: the whole log.
        bench: knows the people.
        window: where each person's test begins.
    """

    def __init__(self, log: EventLog, bench: Workbench, window: HeldOut) -> None:
        self._log = log
        self._bench = bench
        self._window = window
        self.logical_time = True

    def append(self, events: Events) -> int:
        """Refused: this log is for reading."""
        raise NotReadyError("the log of an evaluation is for reading; append to the workspace's own")

    def read(self, as_of: int | None = None) -> Events:
        """The events before each person's test."""
        events = self._log.read(as_of)
        return Events(events.table.filter(pa.array(events.at < self._begins(events))))

    def read_since(self, sequence: int) -> tuple[Events, int]:
        """The events that arrived after a point, without the test."""
        events, after = self._log.read_since(sequence)
        return Events(events.table.filter(pa.array(events.at < self._begins(events)))), after

    def count(self) -> int:
        """How many events are left."""
        return len(self.read())

    def fingerprint(self, as_of: int | None = None) -> str:
        """That of the whole log, marked: what is left out follows from it."""
        return f"left-out-{self._log.fingerprint(as_of)}"

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Refused: this log is for reading."""
        raise NotReadyError("the log of an evaluation is for reading; forget in the workspace itself")

    def forgotten(self, ids: pa.ChunkedArray) -> Bool[np.ndarray, "row"]:
        """Which event ids are of events that were forgotten."""
        return self._log.forgotten(ids)

    def seal(self, keep_days: int = 2) -> int:
        """Nothing: this log is for reading."""
        return 0

    def _begins(self, events: Events) -> Int64[np.ndarray, "event"]:
        found = pc.index_in(
            events.table.column("user_id"), value_set=pa.array(self._bench.people.ids, pa.string())
        )
        return self._window.begins[found.to_numpy()]
