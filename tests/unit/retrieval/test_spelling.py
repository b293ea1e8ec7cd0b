"""Misspelt words are read as the known word one slip away, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.retrieval.spelling import Speller, one_slip_apart
from bowerbird.retrieval.text_index import LexicalIndex

LETTERS = st.text(alphabet="abcd", min_size=0, max_size=7)


def distance(one: str, other: str) -> int:
    """The slow twin: optimal string alignment, every cell of the table."""
    table = [[max(i, j) if min(i, j) == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            change = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, change)
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


@given(LETTERS, LETTERS)
def test_one_slip_is_one_edit_of_the_full_table(one, other):
    assert one_slip_apart(one, other) == (distance(one, other) == 1)


@given(st.sets(st.text(alphabet="abcdef", min_size=4, max_size=7), min_size=1, max_size=20), st.data())
def test_every_known_word_one_slip_away_is_found(known, data):
    word = data.draw(st.text(alphabet="abcdef", min_size=4, max_size=8))
    read = Speller(dict.fromkeys(known, 1)).read_as(word)
    near = {other for other in known if distance(word, other) == 1}
    assert (read in near) if near and word not in known else read is None


@pytest.mark.parametrize("word", ["flower", "flw", "fl0wer", "sunset"])
def test_known_short_coded_and_unlike_words_stay(word):
    assert Speller({"flower": 1}).read_as(word) is None


def test_a_query_with_a_slip_finds_what_was_meant():
    index = LexicalIndex.build(["red flowers", "blue lamp", "sunflower"])
    assert index is not None
    assert index.corrections("red flwoers 2x") == {"flwoer": "flower"}
    assert index.scores("flwoers").argmax() == 0
    assert index.scores("🌸 ...").tolist() == [0, 0, 0]
    assert index.having_all("Red flowers").tolist() == [True, False, False]
    assert index.having_all("").tolist() == [False] * 3
