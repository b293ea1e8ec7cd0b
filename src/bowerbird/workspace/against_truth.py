"""A simulated workspace against what was planted in it. Nothing else reads the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bowerbird.evaluation.outcome import Estimate, Measure
from bowerbird.evaluation.rankings import Baseline, filtered_top, plain_context, popularity, random
from bowerbird.randomness import generator
from bowerbird.records.request import Request
from bowerbird.simulation.closed_loop import lift, true_value
from bowerbird.simulation.scoring import PairScore, interest_recall, near_duplicate_pairs
from bowerbird.simulation.truth import Truth
from bowerbird.stores.layout import Layout
from bowerbird.surfaces.answers import Answers
from bowerbird.telemetry import SILENT, Progress
from bowerbird.workspace.people_truth import audience_measures, state_measures
from bowerbird.workspace.workbench import Workbench

TRUTH = "truth"
"""Folder with what was planted; only evaluation reads it."""
SLATE = 12
ACTIVE = (40, 20)
"""Positive events from which a person counts as active, strict and wide."""
SESSIONS = 3


def has_truth(layout: Layout) -> bool:
    """Whether the workspace's people are simulated with known truth."""
    return (layout.root / TRUTH / "settings.json").exists()


def truth_measures(
    bench: Workbench, answers: Answers, people: int, seed: int, progress: Progress = SILENT
) -> tuple[Measure, ...]:
    """Near-duplicates, interests, states, audiences, the true preference of homefeed slates and their lift.

    Args:
        bench: the live build.
        answers: the surfaces over it; asked as of the newest event.
        people: how many are asked for slates.
        seed: of the draw of people and of the luck.
        progress: shows slates.
    """
    truth = Truth.read(bench.layout.root / TRUTH)
    found: list[Measure] = []
    if bench.signals.card("near_duplicates") is not None:
        table = bench.signals.table("near_duplicates")
        canonical = dict(zip(table["item_id"].to_pylist(), table["canonical"].to_pylist(), strict=True))
        found += _duplicate_measures(near_duplicate_pairs(canonical, truth))
    if bench.signals.card("user_interests") is not None:
        found += _interest_measures(bench, answers, truth, seed)
    if bench.signals.card("user_state") is not None:
        found += state_measures(bench, truth, seed)
    found += audience_measures(bench, truth, seed)
    return (*found, *_slate_measures(answers, truth, people, seed, progress))


def _duplicate_measures(score: PairScore) -> list[Measure]:
    about = f"{score.found} pairs found, {score.true} planted or alike from the start, {score.both} in both"
    return [
        Measure("near-duplicates: precision", score.found, Estimate(score.precision), {}, about=about),
        Measure("near-duplicates: recall", score.true, Estimate(score.recall), {}, about=about),
    ]


def _interest_measures(bench: Workbench, answers: Answers, truth: Truth, seed: int) -> list[Measure]:
    table = bench.signals.table("user_interests")
    weights = table["weight"].to_numpy()
    users, names = table["user_id"].to_pylist(), table["interest"].to_pylist()
    found: dict[str, list[str]] = {}
    for place in np.argsort(-weights, kind="stable").tolist():
        found.setdefault(users[place], []).append(names[place])
    release = answers.release
    events = np.diff(release.sequences.whole().positives.offsets)
    planted = set(truth.people["user_id"].to_pylist())
    measures = []
    for least in ACTIVE:
        people = [
            name
            for name, n in zip(release.people.ids, events.tolist(), strict=True)
            if n >= least and name in planted
        ]
        shares = interest_recall(found, people, truth, release.as_of)
        shares = shares[~np.isnan(shares)]
        if len(shares):
            about = f"people with {least} positive events or more; their three strongest true interests"
            name = f"top-3 interests: recall, {least}+ events"
            measures.append(Measure(name, len(shares), Estimate.of(shares, seed), {}, about=about))
    return measures


def _slate_measures(
    answers: Answers, truth: Truth, people: int, seed: int, progress: Progress
) -> list[Measure]:
    release = answers.release
    planted = set(truth.people["user_id"].to_pylist())
    known = [
        name
        for row, name in enumerate(release.people.ids)
        if name in planted and len(release.sequences.history(row, release.as_of))
    ]
    if not known:
        return []
    chosen = sorted(generator(seed, "truth").permutation(len(known))[:people].tolist())
    asked = [known[place] for place in chosen]
    progress.start("slates for the truth", len(asked), "people")
    slates = _slates(
        answers, asked, {"popularity": popularity(release), "random": random(release, seed)}, progress
    )
    progress.finish()
    worth = {}
    for model, own in slates.items():
        value = true_value(own, truth, release.as_of, seed)
        worth[model] = Estimate(value.mean, value.low, value.high)
    ours = worth.pop("ours")
    gained = lift(
        slates["ours"].__getitem__,
        slates["popularity"].__getitem__,
        asked,
        truth,
        release.as_of,
        sessions=SESSIONS,
        seed=seed,
    )
    about = (
        f"openings per session, {SESSIONS} sessions each: {gained.actions_a:.2f} with our slates, "
        f"{gained.actions_b:.2f} with popular items"
    )
    return [
        Measure(
            f"homefeed: true preference, n={SLATE}",
            len(asked),
            ours,
            worth,
            "popularity",
            about="probability that the person likes an item of the slate, mean",
        ),
        Measure(
            "homefeed: true lift over popularity",
            len(asked),
            Estimate(gained.lift, gained.low, gained.high),
            {},
            about=about,
        ),
    ]


def _slates(
    answers: Answers, people: Sequence[str], baselines: Mapping[str, Baseline], progress: Progress
) -> dict[str, dict[str, Sequence[str]]]:
    """Per model and person, the item ids of a homefeed slate as of the build."""
    release, settings = answers.release, answers.pipeline("homefeed").settings
    ids = release.items.vocabulary.ids
    slates: dict[str, dict[str, Sequence[str]]] = {name: {} for name in ("ours", *baselines)}
    for user_id in people:
        request = Request("homefeed", release.as_of, user_id=user_id, n=SLATE)
        slates["ours"][user_id] = answers.answer(request).item_ids
        context = plain_context(release, request)
        for name, baseline in baselines.items():
            rows = filtered_top(release, settings, context, baseline(context), SLATE)
            slates[name][user_id] = [ids[row] for row in rows.tolist()]
        progress.advance()
    return slates


__all__ = ["TRUTH", "has_truth", "truth_measures"]
