"""What people refuse is on the disk when the call returns, and everybody who answers reads it."""

from __future__ import annotations

import pytest

from bowerbird.errors import InputError, StorageError
from bowerbird.stores.preferences import Preferences, Refusal


def test_a_refusal_is_read_by_another_process_and_can_be_taken_back(tmp_path):
    mine, theirs = Preferences(tmp_path / "p.sqlite"), Preferences(tmp_path / "p.sqlite")
    assert theirs.of("u") == ()
    mine.refuse("u", "food/bread", "mute", 5)
    mine.refuse("u", "food/bread", "delete", 6)
    mine.refuse("v", "art", "mute", 7)
    assert theirs.of("u") == (Refusal("food/bread", "delete", 6),)
    assert theirs.of(None) == ()
    assert theirs.allow("u", "food/bread")
    assert not mine.allow("u", "food/bread")
    assert mine.of("u") == ()
    assert mine.forget("v") == 1
    assert not any(b"art" in path.read_bytes() for path in tmp_path.iterdir())


def test_reading_makes_no_file(tmp_path):
    Preferences(tmp_path / "p.sqlite").of("u")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_interest_is_refused(tmp_path):
    with pytest.raises(InputError, match="the interest is empty"):
        Preferences(tmp_path / "p.sqlite").refuse("u", " ", "mute", 1)


def test_a_file_that_is_no_database_is_an_error_of_storage(tmp_path):
    path = tmp_path / "p.sqlite"
    path.write_bytes(b"not a database, not at all" * 100)
    with pytest.raises(StorageError, match="could not be read or written"):
        Preferences(path).of("u")
