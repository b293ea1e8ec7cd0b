"""Texts by content hash: kept, found, forgotten; never under a name that leaves the folder."""

from __future__ import annotations

import pytest

from bowerbird.errors import InputError, StorageError
from bowerbird.stores.layout import Layout
from bowerbird.stores.text_cache import TextCache


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    made.create()
    return made


def test_what_was_put_is_found_again_and_after_forgetting_is_not(layout):
    cache = TextCache(layout, "reader.1")
    cache.put({"a": "one", "b": "two"})
    cache.put({"b": "zwei"})
    again = TextCache(layout, "reader.1")
    assert again.get(["b", "c", "a", "b"]) == {"b": "zwei", "a": "one"}
    assert TextCache(layout, "reader.2").get(["a"]) == {}
    assert again.forget(["a", "c"]) == 1
    assert cache.get(["a"]) == {}
    cache.close()
    assert b"one" not in (layout.cache / "texts" / "reader.1.sqlite").read_bytes()


def test_a_producer_is_a_plain_name(layout):
    with pytest.raises(InputError, match=r"text cache '\.\./x'.*expected a name of letters"):
        TextCache(layout, "../x")


def test_a_damaged_file_says_which(layout):
    (layout.cache / "texts").mkdir()
    (layout.cache / "texts" / "r.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"r\.sqlite: could not open the text cache"):
        TextCache(layout, "r")
