"""The network learns what a linear model can't, is the same in numpy, and sees nothing of the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.errors import InputError, NotReadyError, StorageError
from bowerbird.metrics.calibration import auc
from bowerbird.pipeline.queries import QueryEncoder
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.randomness import generator
from bowerbird.ranking.calibration import fitted_calibrations
from bowerbird.ranking.card import RankerCard
from bowerbird.ranking.features import FEATURES, are_cold
from bowerbird.ranking.neural import NeuralScorer
from bowerbird.records.event import Events
from bowerbird.records.item import Items
from bowerbird.records.request import Request
from bowerbird.records.signal import Space, Vectors
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.sequences import Sequences
from bowerbird.training import ranker
from bowerbird.training.impressions import LABELS
from bowerbird.training.logistic import fitted_logistic
from bowerbird.training.loop import LoopSettings
from bowerbird.training.neural_ranker import FittedNetwork, NeuralRankerSettings, fit_network
from bowerbird.training.ranker import (
    RankerData,
    TrainedRanker,
    calibrated,
    cross_fitted_loss,
    fitted_kind,
    labels_of,
    ranker_data,
    reported,
    train_ranker,
)
from bowerbird.training.ranker_batches import NOTHING, Hidden, RankerRows
from bowerbird.training.ranker_examples import contexts, examples, predicted

pytest.importorskip("torch")

ITEMS, PEOPLE, REQUESTS, SHOWN = 24, 40, 700, 8
SPACE = Space("item", "drawn", 4)
QUICK = NeuralRankerSettings(
    token=16,
    dropout=0.0,
    hidden=NOTHING,
    requests=16,
    loop=LoopSettings(epochs=6, learning_rate=5e-3, warmup_steps=20, patience=3, average=0.9),
)


def world(requests: int = REQUESTS) -> tuple[Release, Events]:
    """Cheap items are hidden on homefeed, dear ones in search: neither price nor surface alone says anything."""
    rng = generator(5, "planted interaction")
    start, rows = 20_000 * DAY_US, []
    prices = np.where(np.arange(ITEMS) % 2 == 0, 5.0, 50.0)
    for person in range(1, PEOPLE):  # the first has no history
        for number in range(person):
            at = start - (number + 2) * HOUR_US
            rows.append((at, person, int(rng.integers(ITEMS)), "closeup", None, None, "homefeed"))
    for number in range(requests):
        at, person = start + number * HOUR_US, int(rng.integers(PEOPLE))
        surface = ("homefeed", "search")[int(rng.integers(2))]
        for position, item in enumerate(rng.choice(ITEMS, SHOWN, replace=False).tolist()):
            rows.append((at, person, item, "impression", f"q{number}", position, surface))
            disliked = (prices[item] < 10) == (surface == "homefeed")
            if rng.random() < (0.6 if disliked else 0.05):
                rows.append((at + 1000, person, item, "hide", f"q{number}", position, surface))
    names = ("at", "user_id", "item_id", "action", "request_id", "position", "surface")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    columns["user_id"] = [f"u{one}" for one in columns["user_id"]]
    columns["item_id"] = [f"i{one}" for one in columns["item_id"]]
    events = Events(pa.table({"event_id": [str(one) for one in range(len(rows))], **columns}))
    items = Items(pa.table({"item_id": [f"i{one}" for one in range(ITEMS)], "price": prices}))
    people = Vocabulary("user", tuple(f"u{one}" for one in range(PEOPLE)))
    matrix = rng.normal(size=(ITEMS, SPACE.dim)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    release = Release(
        version="planted",
        as_of=start + requests * HOUR_US,
        items=items,
        people=people,
        sequences=Sequences.from_events(events, people, items.vocabulary),
        counts=EventCounts.from_events(events, items.vocabulary),
        vectors={"item": Vectors.full(SPACE, matrix)},
        indexes={},
        cooccurrence=None,
        lexical=None,
        duplicate_of=np.arange(ITEMS, dtype=np.int32),
        interests=None,
        queries=QueryEncoder(None, None, None),
    )
    return release, events


@pytest.fixture(scope="module")
def data() -> RankerData:
    return ranker_data(*world(), seed=7)


@pytest.fixture(scope="module")
def fitted(data: RankerData) -> FittedNetwork:
    return fit_network(data.release, data.train, data.calibrate, data.actions, 7, QUICK)


@pytest.fixture(scope="module")
def trained(data: RankerData, fitted: FittedNetwork) -> TrainedRanker:
    calibrations = calibrated(fitted, data)
    return TrainedRanker(
        fitted, RankerCard("neural", calibrations, reported(fitted, calibrations, data.report))
    )


@pytest.fixture
def scorer(trained: TrainedRanker, data: RankerData, tmp_path) -> NeuralScorer:
    trained.save(tmp_path)
    return NeuralScorer.load(tmp_path, data.release)


def context_of(release: Release, person: int = 1, as_of: int | None = None):
    as_of = release.as_of if as_of is None else as_of
    request = Request("homefeed", as_of, user_id=release.people.id(person))
    return person_context(release, request, person, with_interests=False)


ALL = np.arange(ITEMS, dtype=np.int32)


def test_a_planted_interaction_that_a_linear_model_cannot_learn_is_learnt_and_calibrated(data, trained):
    assert data.actions == ("hide",)
    table, fresh = (np.nan_to_num(one.features) for one in (data.train, data.report))
    scale = table.std(axis=0) + np.float32(1e-6)
    table, fresh = table / scale, fresh / scale
    linear = fitted_logistic(table, data.train.labels[:, LABELS.index("hide")].astype(np.int64), 2)
    straight = np.diff(linear.logits(fresh), axis=1)[:, 0]
    truth = labels_of(data.report, ("hide",))[:, 0]
    found = trained.card.report["hide"]
    assert auc(truth, 1 / (1 + np.exp(-straight))) < 0.6
    assert found["auc"] > 0.75
    assert found["ece"] < 0.05  # 1,080 fresh impressions: the noise of a perfect forecast is about .02


def test_the_export_says_what_torch_says(data, fitted, scorer):
    torch_says = fitted.logits(data.report)
    requests = np.unique(data.report.requests)
    numpy_says = predicted(data.release, scorer, data.log, requests)["hide"]
    expected = scorer.calibrations.probabilities(torch_says, np.zeros(len(torch_says), bool))["hide"]
    np.testing.assert_allclose(numpy_says, expected, atol=1e-5)
    shown, context = next(contexts(data.release, data.log, requests[:1]))
    raw = scorer.network.logits(
        scorer._encoded(context),
        scorer._tokens[shown.rows],
        scorer.features(context, shown.rows),
        context.user_vectors.matrix[0],
        scorer._nearest(context, shown.rows),
        shown.positions,
    )
    np.testing.assert_allclose(raw, torch_says[: len(raw)], atol=1e-5)


def test_batch_mates_change_nothing(data, scorer):
    context = context_of(data.release)
    together = scorer.probabilities(context, ALL)["hide"]
    alone = [scorer.probabilities(context, ALL[[row]])["hide"][0] for row in range(ITEMS)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(scorer.probabilities(context, ALL[::-1])["hide"], together[::-1], atol=1e-5)


def test_the_future_changes_nothing(data):
    release, events = world()
    middle = int(events.at[len(events) // 2])
    early = np.flatnonzero(data.log.request_at < middle)[-40:].astype(np.int64)
    past = replace(
        release,
        sequences=Sequences.from_events(events.before(middle), release.people, release.items.vocabulary),
        counts=EventCounts.from_events(events.before(middle), release.items.vocabulary),
    )
    now, then = examples(release, data.log, early), examples(past, data.log, early)
    np.testing.assert_array_equal(now.features, then.features)
    np.testing.assert_array_equal(now.asked.rows, then.asked.rows)
    np.testing.assert_array_equal(now.asked.persons, then.asked.persons)
    np.testing.assert_array_equal(now.nearest.similarity, then.nearest.similarity)
    assert (now.asked.at < np.repeat(now.asked.as_of, np.diff(now.asked.bounds))).all()


def test_saved_and_loaded_it_says_the_same_and_a_damaged_file_is_refused(trained, data, tmp_path):
    trained.save(tmp_path)
    once, twice = NeuralScorer.load(tmp_path, data.release), NeuralScorer.load(tmp_path, data.release)
    context = context_of(data.release)
    assert (
        once.probabilities(context, ALL)["hide"].tobytes()
        == twice.probabilities(context, ALL)["hide"].tobytes()
    )
    narrow = replace(
        data.release, vectors={"item": Vectors.full(Space("item", "1", 2), np.ones((ITEMS, 2), np.float32))}
    )
    with pytest.raises(NotReadyError, match=r"reads item vectors of 4 numbers, found 2"):
        NeuralScorer.load(tmp_path, narrow)
    (tmp_path / "ranker.safetensors").write_bytes(b"x")
    with pytest.raises(StorageError, match="not a neural ranker"):
        NeuralScorer.load(tmp_path, data.release)


def test_a_history_is_encoded_once_until_the_next_event(data, scorer):
    context = context_of(data.release)
    first = scorer._encoded(context)
    assert scorer._encoded(context_of(data.release, as_of=data.release.as_of + HOUR_US)) is first
    later = replace(context, history=context.history.last(len(context.history) - 1))
    assert scorer._encoded(later) is not first
    assert len(scorer.histories) == 1


def test_a_stopped_training_goes_on_to_the_same_weights(data, tmp_path):
    file = tmp_path / "ranker.checkpoint"
    short = QUICK.model_copy(update={"loop": QUICK.loop.model_copy(update={"epochs": 1})})
    two = QUICK.model_copy(update={"loop": QUICK.loop.model_copy(update={"epochs": 2})})
    arguments = (data.release, data.report, data.calibrate, data.actions, 7)
    whole = fit_network(*arguments, two)

    class StoppedError(Exception):
        pass

    from bowerbird.training import neural_ranker

    def stops(task, settings, **rest):
        task.batches, real = (lambda epoch: _stop() if epoch else real(epoch)), task.batches
        return TRAIN(task, settings, **rest)

    def _stop():
        raise StoppedError

    TRAIN, neural_ranker.train = neural_ranker.train, stops
    try:
        with pytest.raises(StoppedError):
            fit_network(*arguments, two, checkpoint=file)
    finally:
        neural_ranker.train = TRAIN
    resumed = fit_network(*arguments, two, checkpoint=file)
    for name, one in whole.network().weights.items():
        np.testing.assert_array_equal(one, resumed.network().weights[name])
    with pytest.raises(InputError, match="the checkpoint is of the run"):
        fit_network(*arguments, short, checkpoint=file)


def test_what_training_hides_is_hidden_and_decided_by_seed_and_step(data, fitted):
    rows = RankerRows(data.report, fitted.quantiles, fitted.actions, fitted.matrix, fitted.hashed)
    some = np.arange(20)
    all_hidden = Hidden(id_share=1.0, age_share=1.0, window_hours=10_000.0, window_share=1.0)
    open_, shut = rows.batch(some), rows.batch(some, all_hidden, seed=1, step=2)
    assert open_.keep_id.min() == 1
    assert shut.keep_id.max() == 0
    assert shut.lengths.sum() < open_.lengths.sum()
    fate = FEATURES.index("item_impressions_7d")
    assert (shut.bins[:, fate] == shut.bins.max()).all()
    assert (shut.bins[:, FEATURES.index("item_price")] == open_.bins[:, FEATURES.index("item_price")]).all()
    again = rows.batch(some, all_hidden, seed=1, step=2)
    assert again.lengths.tolist() == shut.lengths.tolist()


def test_auto_keeps_the_kind_with_the_smaller_loss(data, fitted):
    trees = fitted_kind("trees", data, 7)
    losses = {one.kind: cross_fitted_loss(one, data) for one in (trees, fitted)}
    assert all(0.1 < loss < 0.7 for loss in losses.values())


def test_without_item_vectors_ids_and_features_are_read(data, tmp_path):
    bare = replace(data.release, vectors={})
    some = examples(bare, data.log, np.arange(40))
    once = QUICK.model_copy(update={"loop": QUICK.loop.model_copy(update={"epochs": 1})})
    fitted = fit_network(bare, some, some, data.actions, 7, once)
    logits = fitted.logits(some)[:, [0]]
    calibrations = fitted_calibrations(
        ("hide",), logits, labels_of(some, ("hide",)), np.zeros(len(some), bool)
    )
    TrainedRanker(fitted, RankerCard("neural", calibrations, {})).save(tmp_path)
    scorer = NeuralScorer.load(tmp_path, bare)
    said = predicted(bare, scorer, data.log, np.arange(40))["hide"]
    expected = calibrations.probabilities(logits, are_cold(some.features))["hide"]
    np.testing.assert_allclose(said, expected, atol=1e-5)


def test_without_torch_a_network_is_refused_and_auto_takes_trees(data, monkeypatch):
    monkeypatch.setattr(ranker, "installed", lambda name: False)
    with pytest.raises(NotReadyError, match=r"torch is not installed; `pip install 'bowerbird\[train\]'`"):
        fitted_kind("neural", data, 7)
    release, events = world(400)
    assert train_ranker(release, events, 7, "auto").card.kind == "trees"
