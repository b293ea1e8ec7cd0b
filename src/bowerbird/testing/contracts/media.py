"""What every media store promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InputError, NotFoundError
from bowerbird.stores.protocol import MediaStore

Make = Callable[[], MediaStore]


def what_was_put_comes_back(make: Make) -> None:
    """Any bytes, in any batches, each content once, hashes in the order of the blobs."""

    @settings(max_examples=8)
    @given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.binary(max_size=20), max_size=4))
    def check(first: list[bytes], second: list[bytes]) -> None:
        media = make()
        names = media.put_many(first) + [media.put(blob) for blob in second]
        assert [media.get(name) for name in names] == first + second
        assert len(media) == len(set(first + second)) == len(set(names))

    check()


def the_name_is_the_hash_of_the_content(make: Make) -> None:
    """So two stores give the same bytes the same name."""
    media, other = make(), make()
    assert media.put(b"bird") == other.put(b"bird") != media.put(b"bower")
    assert len(media.put(b"")) == 32


def an_unknown_hash_is_not_found(make: Make) -> None:
    """``has`` says no, ``get`` raises; what is no hash at all is refused."""
    media = make()
    assert not media.has("0" * 32)
    with pytest.raises(NotFoundError, match="import the picture again"):
        media.get("0" * 32)
    with pytest.raises(InputError, match="expected 32 hexadecimal digits"):
        media.has("../secret")


LAWS = (what_was_put_comes_back, the_name_is_the_hash_of_the_content, an_unknown_hash_is_not_found)
