"""The item tower learns, is the same in numpy, and a killed training ends in the same weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.neighbour_pairs import Neighbours
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import InputError, NotReadyError, SpaceMismatchError
from bowerbird.records.signal import Space, Vectors

torch = pytest.importorskip("torch")

from bowerbird.content.tower_settings import NEIGHBOUR_SETTINGS, UnifiedSettings  # noqa: E402
from bowerbird.training import unified  # noqa: E402
from bowerbird.training.kept_together import trained_on_neighbours  # noqa: E402
from bowerbird.training.tower_batches import (  # noqa: E402
    SidesOfItems,
    Standard,
    TextsOfItems,
    TowerData,
    exported,
    new_tower,
)
from bowerbird.training.unified import Pairs, train_unified  # noqa: E402

INPUTS = (
    TowerInput("image", "image", Space("image", "toy", 24)),
    TowerInput("conse", "text", Space("text", "toy", 16)),
    TowerInput("title", "text", Space("text", "toy", 16)),
)
NAMES = ("red cup", "blue cup", "red lamp", "blue lamp", "green bowl")
QUICK = UnifiedSettings(dim=64, epochs=6, batch=64, dropout=0.1, held_out=0.2, learning_rate=5e-3)


def toy_pairs(items: int = 240, neighbours: int = 0) -> Pairs:
    """Items of hidden tastes: pictures and titles are two noisy views of one."""
    draw = np.random.default_rng(3)
    hidden = draw.normal(size=(items, 6)).astype(np.float32)
    picture = hidden @ draw.normal(size=(6, 24)).astype(np.float32)
    title = hidden @ draw.normal(size=(6, 16)).astype(np.float32)
    conse = title + draw.normal(size=title.shape).astype(np.float32)
    everywhere = np.ones(items, dtype=bool)
    seen = ItemParts({"image": Block(picture, everywhere), "conse": Block(conse, everywhere)})
    names = [NAMES[row % 5] for row in range(items)]
    vocabulary = WordVocabulary.of(NAMES)
    said = ItemParts({"title": Block(title, everywhere)}, vocabulary.counts(names))
    near = np.argsort(((hidden[:, None] - hidden[None]) ** 2).sum(axis=2), axis=1)[:, 1]
    ways = np.stack([np.arange(items), near], axis=1)[:neighbours].astype(np.int64)
    return Pairs(INPUTS, seen, said, np.arange(items), vocabulary, Neighbours(ways))


@pytest.fixture(scope="module")
def trained():
    return train_unified(toy_pairs(), QUICK, seed=1)


def whole(pairs: Pairs) -> ItemParts:
    return ItemParts({**pairs.seen.blocks, **pairs.said.blocks}, pairs.said.words)


def test_words_find_their_pictures_after_training(trained):
    pairs, tower = toy_pairs(), trained.tower
    scores = tower.project(pairs.said).similarity(tower.project(pairs.seen))
    ranks = (scores > np.diagonal(scores)[:, None]).sum(axis=1)
    assert (ranks < 10).mean() > 0.5 > 10 / len(ranks) * 5
    assert trained.history[trained.best_epoch - 1] == max(trained.history)


def test_the_tower_in_numpy_is_the_tower_in_torch():
    pairs = toy_pairs(40)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        tower = new_tower(INPUTS, len(pairs.vocabulary.words), 128, 0.3)
        for parameter in tower.parameters():  # untrained residuals are zero and would hide a mistake
            torch.nn.init.normal_(parameter, std=0.2)
    standard = Standard(INPUTS, (pairs.seen, pairs.said))
    tower.eval()
    parts = whole(pairs)
    gone = np.arange(40) % 3 == 0
    parts = ItemParts({**parts.blocks, "image": Block(parts.blocks["image"].values, ~gone)}, parts.words)
    with torch.no_grad():
        slow = tower(*TowerData(parts, INPUTS, standard).batch(np.arange(40))).numpy()
    fast = exported(tower, INPUTS, standard, pairs.vocabulary).project(parts).matrix
    np.testing.assert_allclose(fast, slow, atol=1e-5)


class KilledError(RuntimeError):
    pass


class Impatient:
    """Shows nothing, and kills the training after so many epochs."""

    def __init__(self, epochs: int) -> None:
        self._left = epochs

    def start(self, task, total, unit="rows"):
        pass

    def advance(self, amount=1):
        self._left -= amount
        if self._left == 0:
            raise KilledError

    def finish(self, note=""):
        pass


def test_a_killed_training_resumes_to_the_same_weights(trained, tmp_path):
    path = tmp_path / "unified.safetensors"
    with pytest.raises(KilledError):
        train_unified(toy_pairs(), QUICK, seed=1, checkpoint=path, progress=Impatient(4))
    assert path.exists()
    resumed = train_unified(toy_pairs(), QUICK, seed=1, checkpoint=path)
    assert resumed.tower.space == trained.tower.space
    assert resumed.history == trained.history
    assert not path.exists()


def test_the_checkpoint_of_another_training_is_not_read(trained, tmp_path):
    class Stopped:
        def start(self, task, total, unit="rows"):
            self.left = 3

        def advance(self, amount=1):
            self.left -= amount
            if self.left == 0:
                raise KeyboardInterrupt

        def finish(self, note=""):
            pass

    path = tmp_path / "unified.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train_unified(toy_pairs(), QUICK, seed=2, checkpoint=path, progress=Stopped())
    assert train_unified(toy_pairs(), QUICK, seed=1, checkpoint=path).tower.space == trained.tower.space


def test_a_damaged_checkpoint_is_started_over(trained, tmp_path):
    path = tmp_path / "unified.safetensors"
    path.write_bytes(b"half a file")
    assert train_unified(toy_pairs(), QUICK, seed=1, checkpoint=path).tower.space == trained.tower.space


def test_order_batch_and_company_change_no_vector(trained):
    parts, tower = whole(toy_pairs(50)), trained.tower
    all_at_once = tower.project(parts).matrix
    turned = tower.project(parts.take(np.arange(50)[::-1])).matrix[::-1]
    alone = tower.project(parts.take(np.array([7]))).matrix[0]
    np.testing.assert_allclose(turned, all_at_once, atol=1e-6)
    np.testing.assert_allclose(alone, all_at_once[7], atol=1e-6)


def test_a_missing_modality_is_not_a_modality_of_zeros(trained):
    parts, tower = whole(toy_pairs(20)), trained.tower
    picture = parts.only(["image", "conse"])
    absent = Block(np.zeros_like(parts.blocks["title"].values), np.zeros(20, dtype=bool))
    same = tower.project(ItemParts({**picture.blocks, "title": absent})).matrix
    np.testing.assert_allclose(tower.project(picture).matrix, same, atol=1e-6)
    nothing = tower.project(ItemParts({"title": absent}))
    assert not nothing.present.any()
    assert not nothing.matrix.any()


def test_saved_and_loaded_towers_give_equal_vectors(trained, tmp_path):
    trained.tower.save(tmp_path / "tower.safetensors")
    loaded = UnifiedTower.load(tmp_path / "tower.safetensors")
    parts = whole(toy_pairs(20))
    assert loaded.space == trained.tower.space
    np.testing.assert_array_equal(loaded.project(parts).matrix, trained.tower.project(parts).matrix)


def test_towers_of_other_seeds_are_other_spaces(trained):
    other = train_unified(toy_pairs(), QUICK.model_copy(update={"epochs": 1}), seed=9).tower
    parts = whole(toy_pairs(4))
    with pytest.raises(SpaceMismatchError, match="cannot meet"):
        other.project(parts).similarity(trained.tower.project(parts))


def test_vectors_of_another_encoder_are_refused(trained):
    with pytest.raises(SpaceMismatchError, match="item tower, title"):
        trained.tower.block("title", Vectors.full(Space("text", "other", 16), np.ones((1, 16), np.float32)))
    with pytest.raises(InputError, match="no modality 'smell'"):
        trained.tower.block("smell", Vectors.full(Space("text", "other", 16), np.ones((1, 16), np.float32)))
    with pytest.raises(InputError, match="title has 3 numbers, expected 16"):
        trained.tower.project(ItemParts({"title": Block(np.ones((1, 3), np.float32), np.ones(1, bool))}))


def test_kept_together_items_come_closer():
    pairs, settings = toy_pairs(neighbours=240), QUICK.model_copy(update={"held_out": 0.0})
    alone = Pairs(INPUTS, pairs.seen, pairs.said, pairs.item_of, pairs.vocabulary)
    ways = pairs.neighbours.pairs

    def closeness(one: Pairs) -> float:
        matrix = train_unified(one, settings, seed=1).tower.project(whole(pairs)).matrix
        return float((matrix[ways[:, 0]] * matrix[ways[:, 1]]).sum(axis=1).mean())

    assert closeness(pairs) > closeness(alone)


def test_a_tower_that_goes_on_begins_where_the_other_ended(trained):
    pairs, parts = toy_pairs(), whole(toy_pairs())
    still = QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    again = train_unified(pairs, still, seed=5, start=trained.tower).tower
    np.testing.assert_allclose(again.project(parts).matrix, trained.tower.project(parts).matrix, atol=1e-3)
    fresh = train_unified(pairs, still, seed=5).tower
    assert np.abs(fresh.project(parts).matrix - trained.tower.project(parts).matrix).max() > 0.1


def test_going_on_with_neighbours_brings_them_closer_and_keeps_words_and_pictures_together(trained):
    ways = np.stack([np.arange(240), (np.arange(240) + 120) % 240], axis=1)  # unlike each other, and yet
    pairs = replace(toy_pairs(), neighbours=Neighbours(ways))
    dials = NEIGHBOUR_SETTINGS.model_copy(
        update={"epochs": 8, "batch": 64, "learning_rate": 2e-3, "neighbour_weight": 1.0}
    )
    tower = trained_on_neighbours(trained.tower, pairs, 1, dials).tower

    def closeness(one: UnifiedTower) -> float:
        matrix = one.project(whole(pairs)).matrix
        return float((matrix[ways[:, 0]] * matrix[ways[:, 1]]).sum(axis=1).mean())

    assert closeness(tower) > closeness(trained.tower) + 0.1
    scores = tower.project(pairs.said).similarity(tower.project(pairs.seen))
    assert ((scores > np.diagonal(scores)[:, None]).sum(axis=1) < 10).mean() > 0.2 > 10 / 240 * 4
    hard = trained_on_neighbours(
        trained.tower, pairs, 1, dials.model_copy(update={"hard_negatives": 0.5})
    ).tower
    assert hard.space != tower.space


def test_a_killed_training_on_neighbours_resumes_to_the_same_weights(trained, tmp_path):
    pairs, dials = toy_pairs(neighbours=240), NEIGHBOUR_SETTINGS.model_copy(update={"batch": 64})
    expected = trained_on_neighbours(trained.tower, pairs, 1, dials).tower.space

    path = tmp_path / "neighbours.safetensors"
    with pytest.raises(KilledError):
        trained_on_neighbours(trained.tower, pairs, 1, dials, checkpoint=path, progress=Impatient(3))
    assert path.exists()
    assert trained_on_neighbours(trained.tower, pairs, 1, dials, checkpoint=path).tower.space == expected


def test_texts_seen_as_asked_keep_what_a_query_has_and_never_become_empty():
    pairs = toy_pairs(40)
    texts = TextsOfItems(pairs.item_of, 40)
    data = SidesOfItems(INPUTS, pairs.seen, pairs.said, texts)
    batch, draw = data.said.batch(np.arange(40)), np.random.default_rng(0)
    words_alone = data.as_asked(batch, ("words",), 1.0, draw)[2]
    spoken = batch[2][:, 3]
    assert 0 < int(spoken.sum()) < 40
    assert not words_alone[spoken][:, :3].any()
    assert torch.equal(words_alone[~spoken], batch[2][~spoken])
    nothing_left = data.as_asked(batch, ("smell",), 1.0, draw)[2]
    assert torch.equal(nothing_left, batch[2])
    some = data.as_asked(batch, ("words",), 0.5, draw)[2]
    assert 0 < int(some[:, 2].sum()) < 40


def test_a_new_tower_can_stay_comparable_with_the_old(trained):
    pairs = toy_pairs()
    old = trained.tower.project(whole(pairs))

    def agreement(toward: Vectors | None) -> float:
        new = train_unified(pairs, QUICK, seed=4, toward=toward).tower.project(whole(pairs))
        return float((new.matrix * old.matrix).sum(axis=1).mean())

    assert agreement(old) > 0.5 > agreement(None)


def test_too_few_pairs_and_sides_that_do_not_fit_are_told():
    with pytest.raises(NotReadyError, match="a tower needs 64"):
        train_unified(toy_pairs(30), QUICK)
    pairs = toy_pairs(80)
    with pytest.raises(InputError, match="on both sides"):
        train_unified(Pairs(INPUTS, pairs.seen, pairs.seen, pairs.item_of), QUICK)
    with pytest.raises(InputError, match="item rows"):
        train_unified(Pairs(INPUTS, pairs.seen, pairs.said, pairs.item_of[:5]), QUICK)
    other = train_unified(toy_pairs(), QUICK.model_copy(update={"dim": 128, "epochs": 1})).tower
    with pytest.raises(InputError, match=r"128 numbers to go on from; expected .* and 64 numbers"):
        train_unified(pairs, QUICK, start=other)
    with pytest.raises(InputError, match="to train toward"):
        train_unified(pairs, QUICK, toward=Vectors.full(Space("item", "x", 3), np.ones((80, 3), np.float32)))


def test_a_loss_that_is_no_number_stops_with_the_place_and_leaves_the_last_whole_epoch(tmp_path, monkeypatch):
    pairs, kept = toy_pairs(), tmp_path / "tower.checkpoint"
    expected = train_unified(pairs, QUICK, seed=1).history
    steps = iter(range(10_000))
    whole_loss = unified.info_nce

    def broken(*sides, **options):
        return whole_loss(*sides, **options) * (float("nan") if next(steps) > 30 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(unified, "info_nce", broken)
        with pytest.raises(
            InputError, match=r"unified space, epoch \d+, step .*: the loss is nan.*lower learning_rate"
        ):
            train_unified(pairs, QUICK, seed=1, checkpoint=kept)
    assert kept.exists()
    assert train_unified(pairs, QUICK, seed=1, checkpoint=kept).history == expected


def test_a_file_that_is_no_tower_is_told(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"no")
    with pytest.raises(InputError, match="not a saved item tower"):
        UnifiedTower.load(path)
