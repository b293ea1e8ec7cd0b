from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from bowerbird.content.copy_candidates import candidate_pairs, content_order
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.near_duplicates import Verdicts, near_duplicate_groups
from bowerbird.content.perceptual_hash import PictureHashes, frequency_hash
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors


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


def groups(
    encoder: ImageEncoder, files: list[bytes], *, look: bool = True, verdicts: Verdicts | None = None
) -> list[int]:
    chunks = list(encoder.encode_chunks(files))
    vectors = Vectors(
        encoder.space,
        np.concatenate([chunk.vectors.matrix for chunk in chunks]),
        np.concatenate([chunk.vectors.present for chunk in chunks]),
    )
    words = np.concatenate([chunk.hashes.words() for chunk in chunks if chunk.hashes is not None])
    hashes = PictureHashes.from_words(words)
    return near_duplicate_groups(
        hashes, vectors, vectors.present, files.__getitem__ if look else None, verdicts
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


class Kept:
    """Verdicts kept in memory by what the pictures are, and how many there were to find out."""

    def __init__(self) -> None:
        self.scores: dict[frozenset[bytes], float] = {}
        self.files: list[bytes] = []

    def _key(self, pair: np.ndarray) -> frozenset[bytes]:
        return frozenset(self.files[row] for row in pair)

    def known(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = [self._key(pair) for pair in pairs]
        scores = np.array([self.scores.get(key, 0.0) for key in keys], np.float32)
        return scores, np.array([key in self.scores for key in keys], dtype=bool)

    def keep(self, pairs: np.ndarray, scores: np.ndarray) -> None:
        self.scores.update(zip([self._key(pair) for pair in pairs], scores.tolist(), strict=True))


@pytest.mark.parametrize("seed", [0])
def test_items_that_arrive_in_any_batches_end_in_the_groups_of_one_batch(
    small_encoder: ImageEncoder, world: list[bytes], seed: int
) -> None:
    draw = np.random.Generator(np.random.PCG64(seed))
    order = [world[row] for row in draw.permutation(len(world))]
    at_once = groups(small_encoder, order)
    verdicts, known = Kept(), 0
    for cut in (*sorted(draw.choice(np.arange(1, len(order)), size=3, replace=False).tolist()), len(order)):
        verdicts.files = order[:cut]
        step_by_step = groups(small_encoder, order[:cut], verdicts=verdicts)
        known = len(verdicts.scores)
    assert step_by_step == at_once
    groups(small_encoder, order, verdicts=verdicts)
    assert len(verdicts.scores) == known  # nothing was asked again


def test_a_picture_that_changed_leaves_its_group(small_encoder: ImageEncoder, world: list[bytes]) -> None:
    verdicts = Kept()
    verdicts.files = list(world)
    before = groups(small_encoder, world, verdicts=verdicts)
    changed = [*world[:6], world[4], *world[7:]]  # what repeated 0 now repeats 4
    verdicts.files = changed
    after = groups(small_encoder, changed, verdicts=verdicts)
    assert (before[6], after[6]) == (0, 4)
    assert after == groups(small_encoder, changed)


def test_fifty_thousand_identical_pictures_are_one_group_and_cost_no_comparison() -> None:
    count = 50_000
    hashes = PictureHashes.from_words(np.tile(np.arange(10, dtype=np.uint64), (count, 1)))
    vectors = Vectors.full(Space("image", "test", 16), np.full((count, 16), 0.25, np.float32))
    looked: list[int] = []

    def picture_of(row: int) -> bytes:
        looked.append(row)
        return b""

    found = near_duplicate_groups(hashes, vectors, vectors.present, picture_of)
    assert found.max() == 0
    assert looked == []


def test_thousands_of_nearly_identical_pictures_are_compared_with_a_few_each() -> None:
    draw = np.random.Generator(np.random.PCG64(5))
    words = np.zeros((6000, 10), np.uint64)
    words[:, 1] = draw.integers(0, 2**16, size=6000).astype(np.uint64)  # within 16 of 256 bits
    matrix = np.float32(0.25) + draw.normal(0, 1e-3, size=(6000, 16)).astype(np.float32)
    hashes = PictureHashes.from_words(words)
    vectors = Vectors.full(Space("image", "test", 16), matrix)
    rows = content_order(hashes, vectors)
    assert len(candidate_pairs(hashes, vectors, rows)) <= 6000 * 18
    assert near_duplicate_groups(hashes, vectors, vectors.present).max() == 0


def test_a_turned_copy_comes_into_question_by_its_hash_alone() -> None:
    """Vectors that have nothing in common, as a network's of a picture that lies on its side."""
    draw = np.random.Generator(np.random.PCG64(2))
    pictures = draw.integers(0, 256, size=(40, 16, 16)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    codes = frequency_hash(np.concatenate([pictures, np.rot90(pictures[:10], axes=(1, 2))]))
    words = np.zeros((50, 10), np.uint64)
    words[:, 1:5] = codes
    hashes = PictureHashes.from_words(words)
    vectors = Vectors.full(Space("image", "test", 64), np.eye(50, 64, dtype=np.float32))
    pairs = {
        tuple(pair) for pair in candidate_pairs(hashes, vectors, content_order(hashes, vectors)).tolist()
    }
    assert {(row, 40 + row) for row in range(10)} <= pairs
    assert len(pairs) < 50


def test_an_empty_catalogue_has_no_groups(small_encoder: ImageEncoder) -> None:
    none = PictureHashes.from_words(np.zeros((0, 10), dtype=np.uint64))
    vectors = small_encoder.encode([])
    assert near_duplicate_groups(none, vectors, vectors.present).tolist() == []


def test_unequal_numbers_of_rows_are_refused(small_encoder: ImageEncoder) -> None:
    hashes = PictureHashes.from_words(np.zeros((2, 10), dtype=np.uint64))
    vectors = small_encoder.encode([])
    with pytest.raises(InputError, match="2 hashes, 0 vectors and 0 flags"):
        near_duplicate_groups(hashes, vectors, vectors.present)
