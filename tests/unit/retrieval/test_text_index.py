"""The text index and the source over it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.records.request import Context, Request
from bowerbird.retrieval.lexical import lexical
from bowerbird.retrieval.nearest import Silent
from bowerbird.retrieval.text_index import LexicalIndex, words

ALL = np.ones(6, dtype=bool)


@given(st.text(max_size=40))
def test_words_of_words_are_the_same_words(text):
    assert words(" ".join(words(text))) == [again for word in words(text) for again in words(word)]


def test_words_lose_case_accents_and_plural():
    assert words("Éclairs, GLASS bus & cafés!") == ["eclair", "glass", "bus", "cafe"]


def test_bm25_is_the_lucene_form():
    index = LexicalIndex.build(["red cup", "red", "lamp"])
    assert index is not None
    n, average = 3, 4 / 3
    idf = math.log(1 + (n - 2 + 0.5) / (2 + 0.5))  # "red" is in two of three texts

    def expected(length: int) -> float:
        return idf * 1 / (1 + 1.2 * (1 - 0.75 + 0.75 * length / average))

    np.testing.assert_allclose(index.scores("red"), [expected(2), expected(1), 0.0], rtol=1e-5)


def test_unknown_words_score_nothing_and_the_length_is_kept():
    index = LexicalIndex.build(["red cup", ""])
    assert index is not None
    assert len(index) == 2
    assert index.scores("green").tolist() == [0.0, 0.0]


def test_no_words_no_index():
    assert LexicalIndex.build(["", "!!", ""]) is None


def test_saved_and_loaded_it_scores_the_same(tmp_path):
    index = LexicalIndex.build(["red cup", "blue lamp", "red lamp"])
    assert index is not None
    index.save(tmp_path)
    again = LexicalIndex.load(tmp_path)
    assert again.scores("red lamps").tolist() == index.scores("red lamps").tolist()
    assert len(again) == 3


def test_the_source_finds_items_that_share_words(small):
    found = lexical(small).find(Context(Request("search", 0, query="blue lamps")), 5, ALL)
    assert set(found.rows.tolist()) == {2, 3}
    assert found.rows[0] == 2  # the shorter text


@pytest.mark.parametrize("query", [None, "", "zebra"])
def test_the_source_finds_nothing_without_shared_words(small, query):
    assert len(lexical(small).find(Context(Request("search", 0, query=query)), 5, ALL).rows) == 0


def test_without_words_the_source_is_silent(small):
    assert isinstance(lexical(replace(small, lexical=None)), Silent)
