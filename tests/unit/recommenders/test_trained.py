from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.errors import InputError, MissingDependencyError
from bowerbird.recommenders import ours, sasrec, sequence_model, several
from bowerbird.recommenders.guidance import Guidance, HeldOut, held_out
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_content import content_vectors, item_words
from bowerbird.recommenders.mixture import SITUATIONS, fitted_mixture, situations
from bowerbird.recommenders.recommender import Histories
from bowerbird.telemetry import SilentProgress

ITEMS = 30


def _walks(users: int, length: int = 10, seed: int = 0) -> Interactions:
    """Everybody walks forwards through the items from somewhere."""
    starts = np.random.default_rng(seed).integers(0, ITEMS, users)
    items = (starts[:, None] + np.arange(length)) % ITEMS
    return Interactions.from_table(
        pa.table(
            {
                "user_id": np.repeat(np.arange(users), length),
                "item_id": items.ravel(),
                "pos": np.tile(np.arange(length), users),
            }
        )
    )


def _histories(*items: list[int]) -> Histories:
    return Histories(
        np.repeat(np.arange(len(items), dtype=np.int32), [len(one) for one in items]),
        np.array([item for one in items for item in one], dtype=np.int32),
        len(items),
        ITEMS,
    )


@pytest.fixture
def one_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence_model, "EPOCHS", {"quick": 2, "standard": 2, "thorough": 2})
    monkeypatch.setattr(sequence_model, "UPDATES", 16)


class FixedScores:
    """Scores that do not depend on the history."""

    def __init__(self, best: int) -> None:
        self.best = best

    def scores(self, histories: Histories) -> np.ndarray:
        found = np.zeros((histories.users_total, ITEMS), dtype=np.float32)
        found[:, self.best] = 1.0
        return found


@pytest.mark.parametrize("model", [ours.plugin(), sasrec.sampled(), sasrec.full(), several.plugin()])
def test_odd_histories_are_answered_and_the_same_alone_as_together(model, one_epoch) -> None:
    fitted = model.fit(_walks(250), seed=0)
    odd = [[], [3], [5] * 4, list(range(20)), (np.arange(20_000) % ITEMS).tolist()]
    together = fitted.scores(_histories(*odd))
    assert np.isfinite(together).all()
    for row, one in enumerate(odd):
        assert np.allclose(fitted.scores(_histories(one))[0], together[row], atol=1e-3)


def test_the_seed_decides(one_epoch) -> None:
    walks, asked = _walks(250), _histories([1, 2, 3])
    first, again, other = (sasrec.sampled().fit(walks, seed).scores(asked) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


class Killed(SilentProgress):
    """Stands for a kill after the first epoch."""

    def advance(self, amount: int = 1) -> None:
        if amount:
            raise KeyboardInterrupt


def test_a_fit_that_was_killed_goes_on_from_its_checkpoint(one_epoch, tmp_path) -> None:
    model, walks, asked = sasrec.sampled(), _walks(250), _histories([1, 2, 3])
    whole = model.fit_guided(walks, 0, Guidance()).scores(asked)
    with pytest.raises(KeyboardInterrupt):
        model.fit_guided(walks, 0, Guidance(checkpoints=tmp_path, progress=Killed()))
    assert [one.name.rsplit("-", 1)[0] for one in tmp_path.iterdir()] == ["sasrec-0"]
    assert np.array_equal(model.fit_guided(walks, 0, Guidance(checkpoints=tmp_path)).scores(asked), whole)
    model.fit_guided(walks, 1, Guidance(checkpoints=tmp_path))  # another run has a file of its own
    assert len(list(tmp_path.iterdir())) == 2


def test_data_too_small_to_train_on_uses_neighbours_and_says_so() -> None:
    fitted = ours.plugin().fit(_walks(20), seed=0)
    assert "too few to train an encoder on" in fitted.chosen["encoder"]
    assert fitted.scores(_histories([4, 5, 6]))[0].argmax() == 7


def test_the_neighbours_alone_are_a_model_of_their_own() -> None:
    fitted = ours.neighbours().fit(_walks(300), seed=0)
    assert "encoder" not in fitted.mixture.models
    assert "not asked for" in fitted.chosen["encoder"]
    assert fitted.scores(_histories([4, 5, 6]))[0].argmax() == 7


def test_a_catalogue_too_large_for_ease_goes_without_and_says_so(monkeypatch) -> None:
    monkeypatch.setattr(ours, "MOST_EASE_ITEMS", 10)
    fitted = ours.plugin().fit(_walks(20), seed=0)
    assert fitted.chosen["ease"] == f"left out: {ITEMS} items, more than 10"
    assert "ease" not in fitted.mixture.models


def test_nobody_with_three_events_still_gets_an_answer() -> None:
    fitted = ours.plugin().fit(_walks(400, length=2), seed=0)
    assert "nobody has three events" in fitted.chosen["weights"]
    assert np.isfinite(fitted.scores(_histories([4]))).all()


def test_one_user_with_half_of_all_events_trains(one_epoch) -> None:
    walks = _walks(200)
    heavy = Interactions.from_table(
        pa.table(
            {
                "user_id": np.concatenate([walks.users, np.full(len(walks), 999)]),
                "item_id": np.concatenate([walks.items, np.arange(len(walks)) % ITEMS]),
            }
        )
    )
    assert np.isfinite(ours.plugin().fit(heavy, seed=0).scores(_histories([1, 2]))).all()


def test_a_cold_item_is_scored_by_its_words(one_epoch) -> None:
    walks = _walks(250)
    content = np.random.default_rng(0).standard_normal((ITEMS, 8)).astype(np.float32)
    from dataclasses import replace

    fitted = ours.plugin().fit(replace(walks, content=content), seed=0)
    vectors = fitted.mixture.models["encoder"].item_vectors()
    assert np.isfinite(vectors).all()


def test_validation_is_asked_for_but_never_learnt_from() -> None:
    walks = _walks(60)
    train, valid = walks.where(walks.ages() > 0), walks.where(walks.ages() == 0)
    learnt, cases = held_out(train, Guidance(valid), seed=0)
    assert learnt is train
    assert cases is not None
    assert sorted(cases.target.tolist()) == sorted(valid.items.tolist())
    assert np.bincount(cases.histories.users).tolist() == [9] * 60


def test_without_a_validation_part_some_last_events_are_held_back() -> None:
    walks = _walks(60)
    learnt, cases = held_out(walks, Guidance(), seed=0)
    assert cases is not None
    assert len(learnt) + cases.target.size == len(walks)


def test_the_moment_of_the_question_is_the_split_or_the_event_before() -> None:
    at = np.array([10, 20, 30, 40])  # seconds, as times of this size are read
    events = Interactions.from_table(pa.table({"user_id": [1] * 4, "item_id": [0, 1, 2, 3], "at": at}))
    later = events.at >= 30_000_000
    _, cases = held_out(events.where(~later), Guidance(events.where(later), valid_from=25_000_000), seed=0)
    assert sorted(cases.histories.asked_at.tolist()) == [25_000_000, 30_000_000]


def test_a_mixture_is_never_worse_on_validation_than_its_best_model() -> None:
    target = np.array([7] * 30 + [3] * 10, dtype=np.int32)
    cases = HeldOut(_histories(*[[1]] * 40), target, seen_out=False)
    models = {"right": FixedScores(7), "half": FixedScores(3), "wrong": FixedScores(9)}
    mixture = fitted_mixture(models, frozenset(), cases)
    best = max(cases.ndcg(model).mean() for model in models.values())
    assert cases.ndcg(mixture).mean() >= best
    assert mixture.scores(_histories([1]))[0].argmax() == 7


def test_situations_tell_short_long_and_long_ago_apart() -> None:
    hour = 3_600_000_000
    histories = Histories(
        np.array([0] * 2 + [1] * 12 + [2] * 2, dtype=np.int32),
        np.zeros(16, dtype=np.int32),
        4,
        ITEMS,
        np.zeros(16, dtype=np.int64),
        np.array([0, 0, 2 * hour, 0]),
    )
    found = [SITUATIONS[row] for row in situations(histories)[:3]]
    assert found == ["short history", "long history", "long ago"]


def test_content_is_read_from_words_and_labels_of_any_columns() -> None:
    items = pa.table(
        {
            "item_id": [1, 2, 3, 4, 9],
            "title": ["red lipstick", "crimson lipstick", "garden hose", None, "unknown"],
            "tags": [["a"], ["a"], ["b"], ["a", "b"], []],
            "image_url": ["x", "y", "z", "u", "v"],
        }
    )
    found = content_vectors(items, np.array(["3", "1", "2", "77"]))
    assert not found[3].any()
    assert found[1] @ found[2] > found[1] @ found[0]


def test_items_of_another_shop_are_refused() -> None:
    with pytest.raises(InputError, match="none of the 1 item_ids is among the 2 of the events"):
        content_vectors(pa.table({"item_id": ["q"], "title": ["x"]}), np.array(["1", "2"]))
    with pytest.raises(InputError, match="no column 'item_id'; found title"):
        content_vectors(pa.table({"title": ["x"]}), np.array(["1"]))


def test_words_are_found_by_the_ids_that_vectors_are_found_by():
    # whole numbers come as floats from a column with gaps, and a gap is no item called "None"
    items = pa.table({"item_id": [2.0, None, 2.0], "title": ["a lamp", "of nothing", "again"]})
    assert item_words(items, np.array(["2", "None", "9"])) == ["a lamp", "", ""]


def test_training_without_torch_says_what_to_install(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        MissingDependencyError,
        match=r"sasrec: training: the package torch is not installed.*bowerbird\[train\]",
    ):
        sasrec.sampled().fit(_walks(20), seed=0)


def test_a_person_has_a_vector_for_each_topic_and_each_gets_its_places(one_epoch) -> None:
    fitted = several.plugin().fit(_walks(250), seed=0)
    asked, shares = fitted.questions(_histories([1, 2, 3], [], list(range(20))))
    assert (asked[:, 0] == 0).all()
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert asked[1].tolist() == [0] * (1 + several.TOPICS)  # nobody is asked about nothing in particular
    assert shares[0, 0] == pytest.approx(several.PLAIN_SHARE)
    places = fitted.scores(_histories([1, 2, 3]))[0]
    vectors = (
        fitted.encoder.topic_queries(_histories([1, 2, 3]), asked[:1])[0] @ fitted.encoder.item_vectors().T
    )
    vectors[:, [1, 2, 3]] = -np.inf  # what was met takes no places
    for question in np.flatnonzero(shares[0]):
        first = int(vectors[question].argmax())
        assert places[first] >= -1.0 / shares[0, question] - 1e-4
    assert fitted.scores(_histories([]))[0].max() == fitted.scores(_histories([]))[0].min()


def test_without_topics_it_is_one_encoder_with_one_vector(one_epoch) -> None:
    fitted = several.one().fit(_walks(250), seed=0)
    assert fitted.queries(_histories([1, 2])).shape == (1, 64)
    assert not any("topic" in name for name, _ in fitted.model.named_parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, of its own settings
def test_two_workers_of_a_cluster_train_an_encoder_together(one_epoch, tmp_path) -> None:
    ray = pytest.importorskip("ray", reason="RAY ABSENT")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        model, walks, asked = sasrec.sampled(), _walks(250), _histories([1, 2, 3], [])
        fitted = model.fit_guided(walks, 0, Guidance(workers=2, checkpoints=tmp_path))
        assert fitted.chosen["workers"] == 2
        assert fitted.chosen["tokens"] < model.fit_guided(walks, 0, Guidance()).chosen["tokens"]
        assert fitted.earlier_cpu_s > 0
        assert len(list(tmp_path.iterdir())) == 1
        scores = fitted.scores(asked)
        again = model.fit_guided(walks, 0, Guidance(workers=2, checkpoints=tmp_path))  # it is done: only read
        assert np.array_equal(again.scores(asked), scores)
        assert not np.array_equal(scores[0], scores[1])
    finally:
        ray.shutdown()


def test_several_workers_without_ray_say_what_to_install(one_epoch, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        MissingDependencyError, match=r"training on 2 workers: .*bowerbird\[ray\].*train on one"
    ):
        sasrec.sampled().fit_guided(_walks(250), 0, Guidance(workers=2))
