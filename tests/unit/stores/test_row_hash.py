from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.stores.row_hash import digest, string_lanes, table_lanes


def lanes_of(texts: list[str | None]) -> list[tuple[int, int]]:
    return [tuple(row) for row in string_lanes(pa.chunked_array([pa.array(texts, pa.string())])).T.tolist()]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_texts_have_equal_hashes_exactly_when_they_are_equal(texts):
    assert len(set(lanes_of(texts))) == len(set(texts))


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_a_text_hashes_the_same_alone_and_in_company(texts):
    assert [lanes_of([text])[0] for text in texts] == lanes_of(texts)


def test_texts_that_differ_only_in_zero_bytes_or_length_differ():
    texts = ["", "\x00", "\x00\x00", "a", "a\x00", "a" * 8, "a" * 9, "a" * 4096, "a" * 4097, "a" * 5000]
    assert len(set(lanes_of(texts))) == len(texts)


def test_a_hundred_thousand_ids_have_a_hundred_thousand_hashes_in_each_lane():
    lanes = string_lanes(pa.chunked_array([pa.array([f"e{n}" for n in range(100_000)])]))
    assert len(np.unique(lanes[0])) == len(np.unique(lanes[1])) == 100_000


def test_slices_and_chunks_do_not_change_hashes():
    table = pa.table({"a": ["x", "yy", None, "zzz"], "b": [1.0, None, float("nan"), -0.0]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 3)])
    assert np.array_equal(table_lanes(chunked), table_lanes(table))
    assert np.array_equal(table_lanes(table.slice(2, 2)), table_lanes(table)[:, 2:])


def test_null_and_empty_and_zero_and_false_and_columns_differ():
    rows = pa.table(
        {
            "text": pa.array(["", None, "", ""]),
            "number": pa.array([0, 0, None, 0]),
            "truth": pa.array([False, False, False, None]),
        }
    )
    assert len({tuple(row) for row in table_lanes(rows).T.tolist()}) == 4
    one = table_lanes(pa.table({"a": ["x"], "b": ["y"]}))
    other = table_lanes(pa.table({"a": ["y"], "b": ["x"]}))
    assert not np.array_equal(one, other)


def test_the_order_of_a_maps_pairs_does_not_matter():
    kind = pa.map_(pa.string(), pa.string())
    rows = pa.table(
        {
            "m": pa.array(
                [[("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")], [("a", "2"), ("b", "1")], []], kind
            )
        }
    )
    first, second, third, empty = table_lanes(rows).T.tolist()
    assert first == second
    assert len({tuple(first), tuple(third), tuple(empty)}) == 3


def test_minus_zero_is_zero():
    lanes = table_lanes(pa.table({"a": [0.0, -0.0]}))
    assert np.array_equal(lanes[:, 0], lanes[:, 1])


def test_a_digest_tells_count_and_sums_apart():
    assert len({digest(0, (0, 0)), digest(1, (0, 0)), digest(0, (1, 0)), digest(0, (0, 1))}) == 4
