from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.near_duplicates import groups_of, near_duplicate_groups
from bowerbird.content.perceptual_hash import PictureHashes
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors


@pytest.fixture(scope="module")
def world(small_encoder: ImageEncoder, draw: Any, save: Any) -> list[bytes]:
    """Six drawings; then a JPEG of 0, a mirror image of 1, a crop of 2; then something unreadable."""
    images: list[Image.Image] = [draw(seed, 200, 200, 24) for seed in range(6)]
    copies = [
        save(images[0], "JPEG", quality=40),
        save(ImageOps.mirror(images[1]), "JPEG", quality=60),
        save(images[2].crop((10, 6, 190, 196)), "JPEG", quality=60),
    ]
    return [*(save(image) for image in images), *copies, b"junk"]


def groups(encoder: ImageEncoder, files: list[bytes], *, look: bool = True) -> list[int]:
    chunks = list(encoder.encode_chunks(files))
    vectors = Vectors(
        encoder.space,
        np.concatenate([chunk.vectors.matrix for chunk in chunks]),
        np.concatenate([chunk.vectors.present for chunk in chunks]),
    )
    words = np.concatenate([chunk.hashes.words() for chunk in chunks if chunk.hashes is not None])
    hashes = PictureHashes.from_words(words)
    return near_duplicate_groups(
        hashes, vectors, vectors.present, files.__getitem__ if look else None
    ).tolist()


def test_copies_join_their_original_and_nothing_else_joins(
    small_encoder: ImageEncoder, world: list[bytes]
) -> None:
    assert groups(small_encoder, world) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 9]


def test_hashes_alone_find_re_encoded_and_mirrored_copies(
    small_encoder: ImageEncoder, world: list[bytes]
) -> None:
    assert groups(small_encoder, world, look=False) == [0, 1, 2, 3, 4, 5, 0, 1, 8, 9]


def test_groups_do_not_depend_on_the_order_of_items(small_encoder: ImageEncoder, world: list[bytes]) -> None:
    order = np.random.Generator(np.random.PCG64(3)).permutation(len(world))
    shuffled = groups(small_encoder, [world[row] for row in order])
    sets = {
        frozenset(order[[row for row, one in enumerate(shuffled) if one == name]].tolist())
        for name in shuffled
    }
    assert sets == {frozenset(one) for one in ({0, 6}, {1, 7}, {2, 8}, {3}, {4}, {5}, {9})}


def test_an_empty_catalogue_has_no_groups(small_encoder: ImageEncoder) -> None:
    none = PictureHashes.from_words(np.zeros((0, 10), dtype=np.uint64))
    vectors = small_encoder.encode([])
    assert near_duplicate_groups(none, vectors, vectors.present).tolist() == []


def test_pairs_join_through_others_and_the_smallest_row_is_canonical() -> None:
    assert groups_of(np.array([[4, 5], [2, 4], [0, 1]]), 6).tolist() == [0, 0, 2, 3, 2, 2]


def test_unequal_numbers_of_rows_are_refused(small_encoder: ImageEncoder) -> None:
    hashes = PictureHashes.from_words(np.zeros((2, 10), dtype=np.uint64))
    vectors = small_encoder.encode([])
    with pytest.raises(InputError, match="2 hashes, 0 vectors and 0 flags"):
        near_duplicate_groups(hashes, vectors, vectors.present)
