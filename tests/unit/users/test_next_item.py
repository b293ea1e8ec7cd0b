"""The encoder read without torch says what the trained network says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bowerbird.errors import StorageError
from bowerbird.records.history import History
from bowerbird.records.signal import Space
from bowerbird.users.next_item import NextItemReader, gap_buckets

ITEMS, LENGTH, HOUR = 40, 12, 3_600_000_000


@pytest.fixture(scope="module")
def pair():
    """A network with weights drawn at random, and what is exported of it."""
    torch = pytest.importorskip("torch")
    from bowerbird.recommenders.interactions import Interactions
    from bowerbird.recommenders.ours import gated_blocks
    from bowerbird.recommenders.sequence_model import FittedSequence, Recipe, SequenceSettings, _network
    from bowerbird.workspace.sequence_steps import exported

    random = np.random.default_rng(3)
    rows = random.integers(0, ITEMS - 4, 300).astype(np.int32)  # the last four items were never met
    content = random.standard_normal((ITEMS, 6)).astype(np.float32)
    content[-1] = 0
    train = Interactions(
        np.sort(random.integers(0, 20, 300)).astype(np.int32),
        rows,
        np.arange(20).astype(str),
        np.arange(ITEMS).astype(str),
        np.sort(random.integers(0, 10**12, 300)),
        content=content,
    )
    settings = SequenceSettings(dim=16, calendar=True)
    topics = (np.arange(ITEMS) % 4).astype(np.int32)
    recipe = Recipe(settings, gated_blocks, times=True, content=content, topics=topics)
    model = _network(train, recipe, 0.2, LENGTH, 1)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(torch.randn_like(one) * 0.2)
    fitted = FittedSequence(model.eval(), LENGTH)
    return fitted, exported(fitted, train, settings.heads, Space("next_item", "1", 16, "dot"), topics)


def history(random, length: int) -> History:
    at = np.sort(random.integers(0, 400 * HOUR, length))
    rows = random.permutation(ITEMS - 4)[:length].astype(np.int32)
    return History(rows, at, np.zeros(length, np.int8))


@pytest.mark.parametrize("length", [1, 2, 7, LENGTH, LENGTH + 20])
def test_a_question_is_the_networks_own(pair, length):
    from bowerbird.recommenders.recommender import Histories

    fitted, reader = pair
    one = history(np.random.default_rng(length), length)
    as_of = int(one.at[-1]) + 5 * HOUR
    zeros = np.zeros(length, np.int32)
    asked = Histories(zeros, one.rows, 1, ITEMS, one.at, np.array([as_of]))
    np.testing.assert_allclose(
        reader.question(one, as_of).matrix, fitted.queries(asked), rtol=2e-4, atol=2e-4
    )


def test_each_topic_of_a_person_has_a_question_of_its_own_and_its_newest_item(pair):
    from bowerbird.recommenders.recommender import Histories

    fitted, reader = pair
    one = History(
        np.array([1, 2, 5, 4, 9, 8], np.int32), np.arange(6) * HOUR, np.zeros(6, np.int8)
    )  # topics 1, 2, 1, none, 1, none
    asked = reader.topic_questions(one, 9 * HOUR, most=5)
    assert asked.newest.tolist() == [9, 2]
    assert asked.shares[0] > asked.shares[1]
    histories = Histories(np.zeros(6, np.int32), one.rows, 1, ITEMS, one.at, np.array([9 * HOUR]))
    expected = fitted.topic_queries(histories, np.array([[1, 2]]))[0]
    np.testing.assert_allclose(asked.vectors.matrix, expected, rtol=2e-4, atol=2e-4)
    assert len(reader.topic_questions(one, 9 * HOUR, most=1).vectors) == 1
    assert not len(reader.topic_questions(History.empty(), 9 * HOUR, most=5).vectors)


def test_the_longer_one_waited_the_other_the_question(pair):
    one = history(np.random.default_rng(5), 5)
    soon, late = (pair[1].question(one, int(one.at[-1]) + wait).matrix for wait in (1, 900 * HOUR))
    assert np.abs(soon - late).max() > 1e-3


def test_the_hour_of_a_question_changes_it_and_a_month_of_a_short_log_does_not(pair):
    one = history(np.random.default_rng(5), 5)
    midnight = (
        int(one.at[-1]) // (24 * HOUR) * 24 * HOUR + 7 * 5_000 * 24 * HOUR
    )  # so late that all waits are one
    asked = [pair[1].question(one, midnight + hours * HOUR).matrix for hours in (0, 5, 7 * 24 * 8)]
    assert np.abs(asked[1] - asked[0]).max() > 1e-3
    np.testing.assert_array_equal(asked[2], asked[0])


def test_meeting_an_item_again_asks_nothing_new(pair):
    one = history(np.random.default_rng(8), 4)
    rows, at = np.repeat(one.rows, 2), np.repeat(one.at, 2)
    twice = History(rows, at, np.zeros(8, np.int8))
    asked, again = (pair[1].question(steps, 10**15).matrix for steps in (one, twice))
    np.testing.assert_allclose(again, asked, rtol=1e-5, atol=1e-6)


def test_nobody_asks_nothing(pair):
    assert not pair[1].question(History.empty(), 10).present[0]


def test_an_item_nobody_met_goes_by_its_content_alone(pair):
    fitted, reader = pair
    projected = fitted.model.items.content @ fitted.model.items.project.weight.detach().T
    np.testing.assert_allclose(reader.items.matrix[-2], projected[-2].numpy(), rtol=1e-3, atol=1e-5)
    assert reader.items.present.tolist() == [True] * (ITEMS - 1) + [False]


def test_what_was_saved_asks_the_same(pair, tmp_path):
    one = history(np.random.default_rng(6), 9)
    pair[1].save(tmp_path)
    loaded = NextItemReader.load(tmp_path)
    assert loaded.question(one, 10**15).matrix.tobytes() == pair[1].question(one, 10**15).matrix.tobytes()
    assert dataclasses.astuple(loaded.shape) == dataclasses.astuple(pair[1].shape)
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(
        StorageError, match=r"sequence encoder is missing or damaged .* run `bowerbird build`"
    ):
        NextItemReader.load(tmp_path)


def test_an_encoder_of_before_topics_is_read_and_asks_about_none(pair, tmp_path):
    from safetensors.numpy import load_file, save_file

    pair[1].save(tmp_path)
    arrays = load_file(tmp_path / "encoder.safetensors")
    del arrays["topics"]
    save_file(arrays, tmp_path / "encoder.safetensors")
    one = history(np.random.default_rng(6), 9)
    assert not len(NextItemReader.load(tmp_path).topic_questions(one, 10**15, most=5).vectors)


def test_time_spans_fall_into_buckets_that_double_from_a_second_on():
    second = 1_000_000
    spans = np.array([-5, 0, 1, second - 1, second, 2 * second - 1, 2 * second, 1024 * second, 10**18])
    assert gap_buckets(spans).tolist() == [0, 0, 1, 1, 2, 2, 3, 12, 31]
    assert gap_buckets(spans, 8).max() == 7
