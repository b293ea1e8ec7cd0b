"""Perceptual hashes: short codes that stay alike when a picture is re-encoded, resized or mirrored.

Two codes of each picture and of its mirror image: a 64-bit difference hash (is each cell brighter
than its right neighbour?) and a 256-bit frequency hash (is each of the lowest 16 x 16 cosine
coefficients above their median?). Their Hamming distance is the number of differing bits.

Source: Krawetz 2013, "Kind of Like That" (difference hash); Zauner 2010, "Implementation and
Benchmarking of Perceptual Image Hash Functions", section 3.2 (frequency hash).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8, UInt64
from PIL import Image
from scipy.fft import dct

from bowerbird.content.pictures import Picture

DIFFERENCE_WORDS = 1
FREQUENCY_WORDS = 4
_FREQUENCY_SIDE = 64
_FREQUENCY_KEPT = 16
_MIRROR = np.where(np.arange(_FREQUENCY_KEPT) % 2, np.float32(-1), np.float32(1))
"""What mirroring a picture does to its cosine coefficients: every second one across changes its sign."""


def _waves(side: int) -> Float32[np.ndarray, "kept side"]:
    """The lowest waves of the orthonormal cosine transform."""
    return dct(np.eye(side, dtype=np.float32), axis=0, norm="ortho")[:_FREQUENCY_KEPT]


_WAVES = _waves(_FREQUENCY_SIDE)


@dataclass(frozen=True)
class PictureHashes:
    """Hashes of many pictures, one row each, in 64-bit words."""

    difference: UInt64[np.ndarray, "item 1"]
    frequency: UInt64[np.ndarray, "item 4"]
    difference_flipped: UInt64[np.ndarray, "item 1"]
    """Difference hash of the mirror image."""
    frequency_flipped: UInt64[np.ndarray, "item 4"]
    """Frequency hash of the mirror image."""

    def __len__(self) -> int:
        return self.difference.shape[0]

    def take(self, rows: Int[np.ndarray, "n"]) -> PictureHashes:
        """The hashes of some rows."""
        return PictureHashes(
            self.difference[rows],
            self.frequency[rows],
            self.difference_flipped[rows],
            self.frequency_flipped[rows],
        )

    def words(self) -> UInt64[np.ndarray, "item 10"]:
        """All words of a row side by side, for storing."""
        return np.concatenate(
            [self.difference, self.frequency, self.difference_flipped, self.frequency_flipped], axis=1
        )

    @staticmethod
    def from_words(words: UInt64[np.ndarray, "item 10"]) -> PictureHashes:
        """The hashes :meth:`words` stored.

        Example:
            >>> hashes = picture_hashes([Picture.of(np.zeros((8, 8, 3), np.uint8))])
            >>> bool((PictureHashes.from_words(hashes.words()).frequency == hashes.frequency).all())
            True
        """
        return PictureHashes(words[:, :1], words[:, 1:5], words[:, 5:6], words[:, 6:10])


def picture_hashes(pictures: Sequence[Picture]) -> PictureHashes:
    """The hashes of decoded pictures, each also mirrored.

    Args:
        pictures: decoded pictures; their shape does not matter, both hashes squeeze them to a square.
    """
    small = np.zeros((len(pictures), 8, 9), dtype=np.uint8)
    small_flipped = np.zeros((len(pictures), 8, 9), dtype=np.uint8)
    large = np.zeros((len(pictures), _FREQUENCY_SIDE, _FREQUENCY_SIDE), dtype=np.uint8)
    for row, picture in enumerate(pictures):
        grey = _grey(picture.image).resize((_FREQUENCY_SIDE, _FREQUENCY_SIDE), Image.Resampling.BILINEAR)
        large[row] = np.asarray(grey)
        small[row] = np.asarray(grey.resize((9, 8), Image.Resampling.BILINEAR))
        small_flipped[row] = small[row, :, ::-1]
    low = _low_frequencies(large)
    return PictureHashes(
        difference_hash(small),
        _above_median(low),
        difference_hash(small_flipped),
        _above_median(low * _MIRROR),
    )


def turned_hashes(codes: UInt64[np.ndarray, "item 4"]) -> UInt64[np.ndarray, "6 item 4"]:
    """Frequency hashes of the same pictures turned by quarters or mirrored, but for the plain left-right mirror image.

    The six are: upside down, turned by half, along the falling diagonal, a quarter left, a quarter right, along the rising
    diagonal. Turning swaps the axes of the coefficients or changes the sign of every second one, and a changed sign is the
    opposite bit, save for the few coefficients so small that neither sign is above the median. So nothing has to be kept
    for it, and the hash of a turned picture is found within a few of its 256 bits (3 in the middle, 22 at most of 160 photos).

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64)).astype(np.uint8)
        >>> quarter_left = frequency_hash(np.rot90(picture, axes=(1, 2)))
        >>> int(hamming(turned_hashes(frequency_hash(picture))[3], quarter_left)[0]) < 30
        True
    """
    kept = _FREQUENCY_KEPT
    bits = np.unpackbits(codes.astype(">u8").view(np.uint8).reshape(len(codes), -1), axis=1).astype(bool)
    plain = bits.reshape(-1, kept, kept)
    across = np.broadcast_to(np.arange(kept) % 2 == 1, (kept, kept))
    down = across.T
    swapped = plain.transpose(0, 2, 1)
    ways = (
        plain ^ down,
        plain ^ down ^ across,
        swapped,
        swapped ^ down,
        swapped ^ across,
        swapped ^ down ^ across,
    )
    return np.stack([_packed(way.reshape(len(codes), -1)) for way in ways])


def _grey(image: Image.Image) -> Image.Image:
    """Without colour, and no larger than the frequency hash needs."""
    factor = min(image.size) // (2 * _FREQUENCY_SIDE)
    return (image.reduce(factor) if factor > 1 else image).convert("L")


def difference_hash(cells: UInt8[np.ndarray, "item 8 9"]) -> UInt64[np.ndarray, "item 1"]:
    """One bit for each cell: is it brighter than its right neighbour?

    Example:
        >>> falling = np.tile(np.arange(9, 0, -1, dtype=np.uint8), (1, 8, 1))
        >>> int(np.bitwise_count(difference_hash(falling))[0, 0])
        64
    """
    return _packed((cells[:, :, :-1] > cells[:, :, 1:]).reshape(cells.shape[0], -1))


def frequency_hash(grey: UInt8[np.ndarray, "item side side"]) -> UInt64[np.ndarray, "item 4"]:
    """One bit for each of the lowest 16 x 16 cosine coefficients: is it above their median?

    The constant coefficient says only how bright the picture is, so it is left out (its bit is 0)
    and the next row and column are taken.
    """
    return _above_median(_low_frequencies(grey))


def _low_frequencies(
    grey: UInt8[np.ndarray, "item side side"],
) -> Float32[np.ndarray, "item kept kept"]:
    """The lowest cosine coefficients, without the constant one: two products with a few waves."""
    waves = _WAVES if grey.shape[1] == _FREQUENCY_SIDE else _waves(grey.shape[1])
    low = waves @ grey.astype(np.float32) @ waves.T
    low[:, 0, 0] = 0
    # flat pictures have coefficients that are zero up to rounding: those bits must be 0, not noise
    low[np.abs(low) < 1e-2] = 0
    return low


def _above_median(low: Float32[np.ndarray, "item kept kept"]) -> UInt64[np.ndarray, "item 4"]:
    flat = low.reshape(len(low), -1)
    return _packed(flat > np.maximum(np.median(flat, axis=1, keepdims=True), 0))


def hamming(
    left: UInt64[np.ndarray, "*rows words"], right: UInt64[np.ndarray, "*rows words"]
) -> Int[np.ndarray, "*rows"]:
    """The number of differing bits between codes of the same rows.

    Example:
        >>> hamming(np.array([[0b1011]], np.uint64), np.array([[0b0010]], np.uint64)).tolist()
        [2]
    """
    return np.bitwise_count(left ^ right).sum(axis=-1, dtype=np.int64)


def _packed(bits: Bool[np.ndarray, "item bits"]) -> UInt64[np.ndarray, "item words"]:
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(">u8").astype(np.uint64)
