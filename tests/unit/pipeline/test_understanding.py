"""From a request to what is known about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, NotFoundError
from bowerbird.pipeline.queries import QueryEncoder
from bowerbird.pipeline.understanding import person_vector, understood
from bowerbird.records.history import History
from bowerbird.records.request import Request
from bowerbird.records.signal import Space, Vectors

TEXT = Space("text", "1", 2)


class Words:
    """Encodes any text as its length."""

    def encode(self, raw: list[bytes] | list[str]) -> Vectors:
        return Vectors.full(TEXT, np.array([[len(one), 1.0] for one in raw], np.float32))


class Blind:
    """Reads no picture."""

    def encode(self, raw: list[bytes] | list[str]) -> Vectors:
        return Vectors(TEXT, np.zeros((len(raw), 2), np.float32), np.zeros(len(raw), bool))


def test_a_person_is_what_they_did_saw_and_hid_before_the_time(small):
    context = understood(small, Request("homefeed", small.as_of, user_id="u1"))
    assert context.user_row == 1
    assert context.history.rows.tolist() == [0, 2]
    assert context.hidden.tolist() == [2]
    early = understood(small, Request("homefeed", small.as_of - 10 * DAY_US, user_id="u1"))
    assert early.history.rows.tolist() == [0]  # day 4 is not before day 4
    assert early.hidden.tolist() == []


def test_somebody_unknown_and_nobody_have_no_history(small):
    for user in ("stranger", None):
        context = understood(small, Request("homefeed", small.as_of, user_id=user))
        assert (context.user_row, len(context.history), context.user_vectors) == (-1, 0, None)


def test_an_unknown_item_is_an_error(small):
    with pytest.raises(NotFoundError, match="item 'nothing' is not in the catalogue"):
        understood(small, Request("related", small.as_of, item_id="nothing"))


def test_a_person_without_actions_has_no_vector(small):
    vector = person_vector(small, History.empty(), small.as_of)
    assert vector is not None
    assert vector.present.tolist() == [False]
    assert person_vector(replace(small, vectors={}), History.empty(), small.as_of) is None


def test_words_are_encoded_where_there_is_an_encoder(small):
    speaking = replace(small, queries=QueryEncoder(None, Words(), None))
    encoded = understood(speaking, Request("search", 0, query="cup")).query_vectors
    assert {space: one.matrix.tolist() for space, one in encoded.items()} == {"text": [[3.0, 1.0]]}
    assert understood(small, Request("search", 0, query="cup")).query_vectors == {}
    assert understood(speaking, Request("search", 0, query="   ")).query_vectors == {}


def test_a_picture_that_cannot_be_read_is_an_error(small):
    blind = replace(small, queries=QueryEncoder(Blind(), None, None))
    with pytest.raises(InputError, match=r"the picture \(3 bytes\) could not be read as an image"):
        understood(blind, Request("search", 0, image=b"abc"))
