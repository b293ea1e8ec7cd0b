"""Pretraining on all surfaces and tuning to one: what is asked of which place, at which rate, and of which candidates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.training.batches import Ragged
from bowerbird.training.foundation import (
    PRETRAINED,
    FoundationSettings,
    Pretraining,
    Reader,
    new_model,
    pretrain,
    scores,
)
from bowerbird.training.loop import parameter_groups
from bowerbird.training.surface_log import SurfaceCases, SurfaceLog, next_on
from bowerbird.training.surface_tuning import SurfaceTuning, altered, fit_surface

ITEMS = 24
DIALS = FoundationSettings(
    dim=16, blocks=1, length=8, ahead=3, negatives=16, tokens=256, epochs=2, dropout=0.0
)


def log(items, surfaces=None, wanted=None, bounds=None, content=None) -> SurfaceLog:
    items = np.asarray(items, np.int32)
    surfaces = np.zeros(items.size, np.int32) if surfaces is None else np.asarray(surfaces, np.int32)
    wanted = np.ones(items.size, bool) if wanted is None else np.asarray(wanted, bool)
    bounds = np.array([0, items.size] if bounds is None else bounds, np.int64)
    at = np.arange(items.size, dtype=np.int64) * DAY_US
    return SurfaceLog(Ragged(bounds), items, at, surfaces, surfaces, wanted, 2, content, ITEMS)


def walks(people=60, length=9, seed=0, content=None) -> SurfaceLog:
    """Everybody walks through the items from somewhere; every third step is on the second surface."""
    starts = np.random.default_rng(seed).integers(0, ITEMS, people)
    items = (starts[:, None] + np.arange(length)) % ITEMS
    surfaces = np.tile((np.arange(length) % 3 == 2).astype(int), people)
    return log(items.ravel(), surfaces, bounds=np.arange(people + 1) * length, content=content)


def test_the_next_one_wanted_on_a_surface_is_the_persons_own() -> None:
    steps = log([0, 1, 2, 3, 4, 5], [0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 1, 1], bounds=[0, 4, 6])
    assert next_on(steps, 1).tolist() == [
        1,
        -1,
        -1,
        -1,
        -1,
        -1,
    ]  # place 2 is not wanted, 4 is another person's
    assert next_on(steps, 0).tolist() == [3, 3, 3, -1, 5, -1]


def test_the_three_losses_ask_for_the_next_one_soon_and_all_that_follows() -> None:
    steps = log(np.arange(8), wanted=[1, 1, 0, 1, 1, 1, 1, 1])
    reader = Reader(new_model(steps, DIALS, 0), steps, DIALS, None, 0)
    asked, target, weight = Pretraining(reader).pairs(
        np.array([0]), np.array([8]), 8, np.random.default_rng(0)
    )
    following = np.flatnonzero(np.diff(weight, prepend=-1.0))  # where one loss ends and the next begins
    first, second, third = np.split(np.arange(asked.size), following[1:])
    assert list(zip(asked[first].tolist(), target[first].tolist(), strict=True)) == [
        (place, place + 1)
        for place in (0, 2, 3, 4, 5, 6)  # what follows place 1 is not wanted
    ]
    ahead = target[second] - asked[second]
    assert ((ahead >= 1) & (ahead <= DIALS.ahead)).all()
    assert 2 not in target
    assert asked[third].tolist() == [4] * 3
    assert target[third].tolist() == [5, 6, 7]
    for one in (first, second, third):
        assert weight[one].sum() == pytest.approx(1.0)


def test_what_was_pretrained_learns_at_a_tenth_of_the_rate() -> None:
    model = new_model(walks(), DIALS, 0)
    groups = parameter_groups(model, 0.1, dict.fromkeys(PRETRAINED, 0.1))
    share = {id(one): group["share"] for group in groups for one in group["params"]}
    for name, one in model.named_parameters():
        assert share[id(one)] == (1.0 if name.startswith(("widen", "narrow")) else 0.1), name
    assert {group["weight_decay"] for group in groups if group["params"][0].ndim == 1} == {0.0}
    with pytest.raises(InputError, match=r"no parameter begins with 'decoder'; found kinds, items\.ids"):
        parameter_groups(model, 0.0, {"decoder": 0.1})


def test_a_rate_of_nothing_leaves_what_was_pretrained_as_it_was() -> None:
    before = new_model(walks(), DIALS, 0)
    still = DIALS.model_copy(update={"tuned_share": 0.0})
    after = fit_surface(walks(), 1, still, None, 0, pretrained=before)
    moved = {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert moved == {"widen.weight", "widen.bias", "narrow.weight", "narrow.bias"}


def test_only_scored_items_are_altered_young_ones_most() -> None:
    items = np.repeat(np.array([3, 4]), 4000)
    first_met = np.zeros(ITEMS, np.int64)
    first_met[4] = 95 * DAY_US
    ids, kept = altered(items, np.full(8000, 100 * DAY_US), first_met, DIALS, np.random.default_rng(0))
    assert np.mean(ids != items) == pytest.approx(DIALS.other_ids * (1 - 1 / ITEMS), abs=0.015)
    assert kept[:4000].all()  # a hundred days old
    assert np.mean(~kept[4000:]) == pytest.approx(DIALS.young_dropout, abs=0.03)


def test_what_is_read_keeps_its_learnt_part(monkeypatch) -> None:
    content = np.eye(ITEMS, dtype=np.float32)
    steps = walks(content=content)
    model = new_model(steps, DIALS, 0)
    read = []
    monkeypatch.setattr(
        Reader,
        "hidden",
        lambda self, starts, stops, width, table: (
            read.append(table) or table[:width].repeat(len(starts), 1, 1)
        ),
    )
    monkeypatch.setattr(
        "bowerbird.training.surface_tuning.altered",
        lambda items, *_: (np.zeros_like(items), np.zeros(items.size, bool)),
    )
    task = SurfaceTuning(Reader(model, steps, DIALS, None, 0), 1, for_new=True)
    task.loss(task.batches(0)[0], 0).backward()
    with torch.no_grad():
        assert torch.equal(read[0], model.items())
    assert model.items.ids.grad.abs().sum() > 0  # through what is read; nothing scored has a learnt part


@pytest.mark.slow
def test_a_walk_is_learnt_and_a_new_item_goes_by_its_content() -> None:
    dials = DIALS.model_copy(update={"epochs": 30})
    content = np.eye(ITEMS, dtype=np.float32)
    steps = walks(200, content=content)
    cases = SurfaceCases(steps, np.arange(200), steps.items[steps.sequences.bounds[1:] - 1])
    common = pretrain(steps, dials, None, 0)
    tuned = fit_surface(steps, 1, dials, None, 0, pretrained=common, for_new=True)
    found = scores(tuned, cases, dials.length, steps.met)
    expected = (steps.items[steps.sequences.bounds[1:] - 1] + 3) % ITEMS  # the next one on the second surface
    first = np.argsort(-found, axis=1)[:, :5]
    assert (first == expected[:, None]).any(axis=1).mean() > 0.6  # by chance .21
    alone = scores(tuned, cases, dials.length, np.zeros(ITEMS, bool))
    assert not np.allclose(alone, found)
