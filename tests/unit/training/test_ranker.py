"""Training on a planted preference, and what is left of it on the disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError, StorageError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.randomness import generator
from bowerbird.ranking.card import CARD_FILE
from bowerbird.ranking.features import FEATURES
from bowerbird.ranking.trees import TreeScorer
from bowerbird.records.event import Events
from bowerbird.records.request import Request
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.sequences import Sequences
from bowerbird.training.ranker import LEAST_POSITIVES, TrainedRanker, train_ranker
from bowerbird.training.tree_ranker import FittedTrees

REQUESTS = 600


@pytest.fixture(scope="module")
def planted(small: Release) -> tuple[Release, Events]:
    """Slates of all six items; cheap items (i0, i4) are saved four times in ten, the others once in fifty."""
    rng = generator(3, "planted")
    start, rows = small.as_of, []
    chances = (0.4, 0.02, 0.02, 0.02, 0.4, 0.02)
    for number in range(REQUESTS):
        at = start + number * DAY_US // 50
        for position, row in enumerate(rng.permutation(6).tolist()):
            user, item = f"u{number % 3}", f"i{row}"
            rows.append((at, user, item, "impression", f"q{number}", position))
            if rng.random() < chances[row]:
                rows.append((at + 1000, user, item, "save", f"q{number}", position))
    names = ("at", "user_id", "item_id", "action", "request_id", "position")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    events = Events(pa.table({"event_id": [str(number) for number in range(len(rows))], **columns}))
    items = small.items.vocabulary
    full = replace(
        small,
        sequences=Sequences.from_events(events, small.people, items),
        counts=EventCounts.from_events(events, items),
        as_of=start + REQUESTS * DAY_US // 50,
    )
    return full, events


@pytest.fixture(scope="module")
def trained(planted: tuple[Release, Events]) -> TrainedRanker:
    return train_ranker(*planted, seed=7)


def probabilities(release: Release, scorer: TreeScorer) -> np.ndarray:
    request = Request("homefeed", release.as_of, user_id="u0")
    context = person_context(release, request, 0, with_interests=False)
    return scorer.probabilities(context, np.arange(6, dtype=np.int32))["save"]


def test_the_planted_preference_is_recovered_and_calibrated(planted, trained, tmp_path):
    trained.save(tmp_path)
    p = probabilities(planted[0], TreeScorer.load(tmp_path, planted[0]))
    liked, others = p[[0, 4]], p[[1, 2, 3, 5]]
    assert liked.min() > 0.25
    assert others.max() < 0.1
    assert trained.card.report["save"]["auc"] > 0.8
    assert trained.card.report["save"]["ece"] < 0.05


def test_only_actions_with_enough_positives_are_predicted(trained):
    assert trained.card.calibrations.actions == ("save",)


def test_the_same_seed_gives_the_same_bytes(planted, trained):
    again = train_ranker(*planted, seed=7)
    assert isinstance(again.model, FittedTrees)
    assert isinstance(trained.model, FittedTrees)
    assert again.model.graph == trained.model.graph
    assert again.card == trained.card


def test_the_numbers_fit_in_one_line(trained):
    assert trained.note.startswith("trees: save AUC 0.")


def test_too_few_positives_are_an_error_that_says_how_many_are_needed(planted):
    release, events = planted
    few = Events(events.table.slice(0, 60))
    with pytest.raises(NotReadyError, match=f"too few of closeup.*at least {LEAST_POSITIVES} of one action"):
        train_ranker(release, few, seed=7)


def test_a_ranker_without_files_or_with_damaged_ones_says_to_build(planted, trained, tmp_path):
    with pytest.raises(StorageError, match=r"the ranker cannot be read .*run `bowerbird build ranker`"):
        TreeScorer.load(tmp_path / "nowhere", planted[0])
    trained.save(tmp_path)
    (tmp_path / CARD_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="the ranker cannot be read"):
        TreeScorer.load(tmp_path, planted[0])


def test_a_ranker_of_other_features_says_to_build(planted, trained, tmp_path):
    trained.save(tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text(encoding="utf-8"))
    card["features"] = card["features"][:-1]
    (tmp_path / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(NotReadyError, match=f"trained on {len(FEATURES) - 1} features"):
        TreeScorer.load(tmp_path, planted[0])


def test_no_candidates_have_no_probabilities(planted, trained, tmp_path):
    trained.save(tmp_path)
    scorer = TreeScorer.load(tmp_path, planted[0])
    assert scorer.of_features(np.empty((0, len(FEATURES)), np.float32))["save"].tolist() == []


def test_a_batch_of_candidates_equals_one_by_one(planted, trained, tmp_path):
    trained.save(tmp_path)
    scorer = TreeScorer.load(tmp_path, planted[0])
    rng = generator(1, "features")
    features = rng.normal(size=(50, len(FEATURES))).astype(np.float32)
    together = scorer.of_features(features)["save"]
    alone = [scorer.of_features(features[[row]])["save"][0] for row in range(50)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
