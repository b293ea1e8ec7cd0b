"""``bench foundation``: one encoder pretrained on all surfaces and tuned to each, beside one trained from scratch for each.

Where a surface has few actions, what people do elsewhere is the only teacher; the table says what that is worth, surface
by surface, and what items that nobody has met yet gain from tuning with them in mind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64

from bowerbird.clock import format_time
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import BenchData, BenchReport, BenchRow, Estimate
from bowerbird.evaluation.bench.surfaces import SurfaceData, cases_of, read_surfaces
from bowerbird.extras import needed
from bowerbird.metrics import target_rank
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.surface_log import SurfaceCases, SurfaceLog

if TYPE_CHECKING:
    from bowerbird.training.foundation import FoundationModel, FoundationSettings

__all__ = ["run_foundation"]

VALID_FROM, TEST_FROM = 0.8, 0.9
"""Quantiles of the times of what people liked."""
LEAST_CASES, LEAST_TARGETS = 30, 100
"""A surface with fewer people to ask about, or fewer things liked to learn from, is left out and named."""
LEAST_NEW = 20
"""New items asked for, of all surfaces together, below which they have no column."""

Scores = Callable[[SurfaceCases], Float32[np.ndarray, "case item"]]


@dataclass(frozen=True, eq=False)
class _Surface:
    name: str
    code: int
    valid: SurfaceCases
    test: SurfaceCases


@dataclass(frozen=True, eq=False)
class _Fitted:
    """One way to answer: the scores of each surface's cases, and what it cost to come by them."""

    answers: dict[str, Scores]
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, eq=False)
class _Trial:
    """What is learnt from, and what is asked on each surface."""

    train: SurfaceLog
    surfaces: tuple[_Surface, ...]

    def measured(self, answers: dict[str, Scores]) -> dict[str, Float64[np.ndarray, "case"]]:
        """Metrics of each case, of all surfaces together and of each."""
        met = self.train.met
        found: dict[str, list[np.ndarray]] = {"ndcg@10": [], "hr@10": [], "new hr@10": [], "new hr@50": []}
        apart = {}
        for one in self.surfaces:
            scores = answers[one.name](one.test)
            ranks = one.test.ranks(scores)
            new = ~met[one.test.target]
            among = np.where(met, -np.inf, scores[new]).astype(np.float32)
            among_new = target_rank.pessimistic_ranks(among, one.test.target[new])
            apart[f"ndcg@10 {one.name}"] = target_rank.ndcg(ranks, 10)
            found["ndcg@10"].append(apart[f"ndcg@10 {one.name}"])
            found["hr@10"].append(target_rank.hit_rate(ranks, 10))
            found["new hr@10"].append(target_rank.hit_rate(among_new, 10))
            found["new hr@50"].append(target_rank.hit_rate(ranks[new], 50))
        joined = {name: np.concatenate(parts) for name, parts in found.items()}
        return {
            name: own for name, own in joined.items() if "new" not in name or own.size >= LEAST_NEW
        } | apart


def run_foundation(
    events: pa.Table,
    items: pa.Table | None = None,
    seeds: int = 3,
    *,
    settings: FoundationSettings | None = None,
    where: str = "events",
    progress: Progress = SILENT,
) -> BenchReport:
    """NDCG@10 of the next new item a person likes on a surface, by models of all surfaces and of one.

    Split by time: what is learnt from ends at the 0.8 quantile of the times of what people liked, epochs are chosen on the
    next tenth, and the last is asked about; then histories reach to the 0.9 quantile. Full ranking; what a person met
    before is out. New items are those nobody met in train: ``new hr@10`` ranks them among themselves, ``new hr@50`` among all.

    Args:
        events: see :func:`~bowerbird.evaluation.bench.surfaces.read_surfaces`.
        items: words of the items; without, nothing is known of new ones.
        seeds: runs of each network.
        settings: of the networks; the defaults when None.
        where: what to call the events in a message.
        progress: shows trainings.

    Raises:
        InputError: the events have no times, or no surface has enough of them.
        MissingDependencyError: torch is not installed.
    """
    needed("torch", "train", "bench foundation: training")
    from bowerbird.training.foundation import FoundationSettings

    data = read_surfaces(events, items, where, progress)
    trial, notes = _trial(data, where)
    dials = settings or FoundationSettings()
    rows = [_row(name, [fitted], seeds, trial) for name, fitted in _counted(trial).items()]
    trained: dict[str, list[_Fitted]] = {}
    for seed in range(seeds):
        for name, fitted in _trained(trial, dials, seed, progress, new=items is not None).items():
            trained.setdefault(name, []).append(fitted)
    rows += [_row(name, runs, seeds, trial) for name, runs in trained.items()]
    log = data.log
    people = int((log.sequences.lengths > 0).sum())
    counted = BenchData(people, log.items_total, log.items.size, data.hash)
    return BenchReport("foundation", "time", counted, rows, [*notes, *data.notes, f"seeds 0..{seeds - 1}"])


def _trial(data: SurfaceData, where: str) -> tuple[_Trial, list[str]]:
    log = data.log
    liked = np.sort(log.at[log.wanted])
    if not liked.size:
        raise InputError(
            f"{where}: nobody likes an item: no action among click, save, purchase, rate and the like"
        )
    end = int(log.at.max()) + 1
    valid_from, test_from = (int(liked[int(share * (liked.size - 1))]) for share in (VALID_FROM, TEST_FROM))
    train = log.before(valid_from)
    found, notes = [], []
    for code, name in enumerate(data.surfaces):
        targets = int((train.wanted & (train.surfaces == code)).sum())
        test = cases_of(log, code, test_from, end, 1)
        if test.target.size < LEAST_CASES or targets < LEAST_TARGETS:
            notes.append(
                f"{name} left out: {targets:,} to learn from, {test.target.size} people to ask about"
            )
            continue
        found.append(_Surface(name, code, cases_of(log, code, valid_from, test_from, 0), test))
        notes.append(f"{name}: {targets:,} liked in train, {test.target.size:,} people asked about")
    if not found:
        raise InputError(
            f"{where}: too little to learn a surface from ({'; '.join(notes)}); expected {LEAST_TARGETS} items liked before "
            f"{format_time(valid_from)} and {LEAST_CASES} people who like new ones after {format_time(test_from)}"
        )
    new = sum(int((~train.met[one.test.target]).sum()) for one in found)
    notes.append(f"{new:,} of the items asked for were met by nobody in train")
    return _Trial(train, tuple(found)), notes


def _counted(trial: _Trial) -> dict[str, _Fitted]:
    """The baselines that count: what is liked on the surface, and what follows what on all of them."""
    train = trial.train

    def popular(code: int) -> Scores:
        own = train.items[train.wanted & (train.surfaces == code)]
        counts = np.bincount(own, minlength=train.items_total).astype(np.float32)
        return lambda cases: np.tile(counts, (cases.users.size, 1))

    with row_cost() as counting:
        favourites = {one.name: popular(one.code) for one in trial.surfaces}
    with row_cost() as pairing:
        users, liked = train.sequences.owners.astype(np.int32), train.wanted
        table = SequentialCooccurrence.fit(users[liked], train.items[liked], items_total=train.items_total)

    def following(cases: SurfaceCases) -> Float32[np.ndarray, "case item"]:
        bounds, rows = cases.log.sequences.bounds, []
        for user in cases.users.tolist():
            own = slice(int(bounds[user]), int(bounds[user + 1]))
            rows.append(table.scores(cases.log.items[own][cases.log.wanted[own]]))
        return np.stack(rows)

    everywhere = dict.fromkeys((one.name for one in trial.surfaces), following)
    return {
        "popular on the surface": _Fitted(favourites, counting.cpu_s, counting.peak_mb),
        "seqknn on all surfaces": _Fitted(everywhere, pairing.cpu_s, pairing.peak_mb),
    }


def _trained(
    trial: _Trial, settings: FoundationSettings, seed: int, progress: Progress, *, new: bool
) -> dict[str, _Fitted]:
    """The networks of one seed, by what the row is called.

    Args:
        trial: what is learnt from.
        settings: the dials.
        seed: decides everything random.
        progress: shows trainings.
        new: whether items have content, so that something can be done for new ones.
    """
    from bowerbird.training.foundation import pretrain, scores
    from bowerbird.training.surface_tuning import fit_surface

    train = trial.train

    def answered(model: FoundationModel) -> Scores:
        return lambda cases: scores(model, cases, settings.length, train.met)

    with row_cost() as before:
        common = pretrain(train, settings, _together(trial), seed, progress)
    names = [one.name for one in trial.surfaces]
    found = {"pretrained": _Fitted(dict.fromkeys(names, answered(common)), before.cpu_s, before.peak_mb)}
    ways = {"from scratch": (None, False), "pretrained and tuned": (common, False)}
    if new:
        ways["tuned with new items in mind"] = (common, True)
    for name, (pretrained, for_new) in ways.items():
        with row_cost() as cost:
            answers = {
                one.name: answered(
                    fit_surface(
                        train, one.code, settings, one.valid, seed,
                        pretrained=pretrained, for_new=for_new, progress=progress,
                    )
                )
                for one in trial.surfaces
            }  # fmt: skip
        earlier = 0.0 if pretrained is None else before.cpu_s
        found[name] = _Fitted(answers, earlier + cost.cpu_s, max(cost.peak_mb, before.peak_mb))
    return found


def _together(trial: _Trial) -> SurfaceCases:
    """The validation questions of all surfaces as one."""
    cases = [one.valid for one in trial.surfaces]
    users = np.concatenate([one.users for one in cases])
    return SurfaceCases(cases[0].log, users, np.concatenate([one.target for one in cases]))


def _row(name: str, runs: list[_Fitted], seeds: int, trial: _Trial) -> BenchRow:
    values = [trial.measured(one.answers) for one in runs]
    copies = seeds // len(runs)
    metrics = {}
    for metric in values[0]:
        own = [value[metric] for value in values]
        error = standard_error(np.mean(own, axis=0)) if own[0].size > 1 else None
        metrics[metric] = Estimate(tuple(float(one.mean()) for one in own) * copies, error)
    cpu_s = float(np.mean([one.cpu_s for one in runs]))
    return BenchRow(name, metrics, cpu_s, max(one.peak_mb for one in runs))
