"""The verdict on two pictures: the same, seen to differ, or no telling.

Three looks, from cheap to dear. *In place*: plain or mirrored, nothing moved, they differ nowhere by more than a
limit. *Photos* are laid on each other by their local features and asked where they agree; the answers are weighed by
a logistic rule. *Drawings*, which share most of their places with others of their style, are laid on each other
with great care and must agree everywhere (:mod:`bowerbird.content.picture_alignment`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from bowerbird.content.encoder import side_by_side
from bowerbird.content.local_features import LocalFeatures, local_features, no_features
from bowerbird.content.picture_alignment import (
    SIDE,
    Thumbnails,
    aligned_difference,
    in_place_difference,
    structure,
    thumbnail,
)
from bowerbird.content.picture_matching import Movement, shared_movements
from bowerbird.content.picture_overlay import Agreement, agreement, small_picture, texture
from bowerbird.content.pictures import decoded

__all__ = ["PHOTO_FROM", "REVISION", "CopyVerifier", "copy_logit"]

REVISION = "3"
"""Raised by hand when a verdict may change; kept verdicts of another revision are not used."""
PHOTO_FROM = 0.01
"""Pictures with less :func:`~bowerbird.content.picture_overlay.texture` are drawings."""
SURELY_PHOTO = 0.16
"""Pictures with less texture may be drawings: what their local features say counts for less."""
DRAWING_IN_PLACE = 12.0
"""Grey levels a whole or mirrored drawing may differ by, in the sixth by sixth where it differs most."""
PHOTO_IN_PLACE = 5.0
"""The same for photos; those over it are asked in detail."""
CROPPED_LIMIT = 7.2
"""Grey levels that a cropped drawing may differ by after it is laid on the original, where it differs most.

Only pictures that are not mirrored are taken for crops of each other: a simple shape, stretched and mirrored,
fits too many others.
"""
LEAST_STRUCTURE = 0.15
"""Drawings that show less (:func:`~bowerbird.content.picture_alignment.structure`) are not taken for crops."""
CONTRADICTS_FROM = 12
"""Features that lie right on two photos and yet the photos differ: then one is seen not to be the other."""
CONTRADICTS_BELOW = 0.2
"""Probability of a copy under which two photos are said to differ."""
STILL = 0.03
"""Largest change of size, turn or shift, in shares of the longer side, of pictures that were not moved."""
KEPT_PICTURES = 4096
"""Pictures whose features are held at a time, about 80 kB each."""
_ASKED = 1024
"""Pairs whose pictures are looked at before any is judged: at most half of those that are kept."""
_BLOCK = 256
_OTHERS = 12


@dataclass(frozen=True)
class _Seen:
    """What is kept of one picture."""

    squeezed: UInt8[np.ndarray, "96 96 3"]
    small: UInt8[np.ndarray, "high wide 3"]
    structure: float
    texture: float
    features: LocalFeatures
    """None are sought in drawings."""


class CopyVerifier:
    """Looks at pairs of pictures.

    Args:
        picture_of: gives the bytes of an item's picture by row; must be readable.
        place: each row's place in an order that does not depend on where items stand: it decides which of two
            pictures is laid on which, so that the verdict does not depend on their order.
        threads: workers side by side.
    """

    def __init__(
        self, picture_of: Callable[[int], bytes], place: Int64[np.ndarray, "item"], threads: int = 1
    ) -> None:
        self._picture_of = picture_of
        self._place = place
        self._threads = threads
        self._seen: OrderedDict[int, _Seen] = OrderedDict()

    def scores(self, pairs: Int64[np.ndarray, "pair 2"]) -> Float32[np.ndarray, "pair"]:
        """A verdict for each pair, in [-1, 1]: above 0 the same, below 0 seen to differ, 0 no telling.

        Args:
            pairs: rows; pairs that share pictures are best asked in a row.

        Cost: five CPU-milliseconds for each new picture, then two thirds of one for each pair.
        """
        parts = [self._together(pairs[start : start + _ASKED]) for start in range(0, len(pairs), _ASKED)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _together(self, pairs: Int64[np.ndarray, "pair 2"]) -> Float32[np.ndarray, "pair"]:
        self._look_at(np.unique(pairs).tolist())
        blocks = (pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK))
        return np.concatenate(list(side_by_side(self._block, blocks, self._threads)))

    def _look_at(self, rows: list[int]) -> None:
        """Have these pictures, and forget those that were not asked for the longest."""
        new = [row for row in rows if row not in self._seen]
        for row in rows:
            if row in self._seen:
                self._seen.move_to_end(row)
        self._seen.update(zip(new, side_by_side(self._looked, new, self._threads), strict=True))
        while len(self._seen) > KEPT_PICTURES:
            self._seen.popitem(last=False)

    def _looked(self, row: int) -> _Seen:
        picture = decoded(self._picture_of(row), at_least=2 * SIDE)
        pixels, squeezed = picture.pixels, thumbnail(picture)
        shown = texture(pixels)
        small = np.rint(small_picture(pixels)).astype(np.uint8)
        features = local_features(pixels) if shown >= PHOTO_FROM else no_features()
        return _Seen(squeezed, small, float(structure(squeezed[None])[0]), shown, features)

    def _block(self, pairs: Int64[np.ndarray, "pair 2"]) -> Float32[np.ndarray, "pair"]:
        swap = self._place[pairs[:, 0]] > self._place[pairs[:, 1]]
        first, second = np.where(swap[:, None], pairs[:, ::-1], pairs).T
        rows, places = np.unique(np.stack([first, second]), return_inverse=True)
        seen = [self._seen[row] for row in rows.tolist()]
        first, second = places.reshape(2, -1)
        thumbnails = Thumbnails(np.stack([one.squeezed for one in seen]))
        in_place = in_place_difference(thumbnails, first, second)
        photo = np.array([one.texture >= PHOTO_FROM for one in seen])
        photos = photo[first] & photo[second]
        scores = np.zeros(len(pairs), np.float32)
        limit = np.where(photos, PHOTO_IN_PLACE, DRAWING_IN_PLACE).astype(np.float32)
        alike = in_place <= limit
        scores[alike] = 1 - 0.5 * in_place[alike] / limit[alike]
        left = np.flatnonzero(photos & ~alike)
        scores[left] = _photo_scores(seen, first[left], second[left])
        left = np.flatnonzero(~photos & ~alike)
        if len(left):
            shown = np.array([one.structure for one in seen], np.float32)
            scores[left] = _drawing_scores(thumbnails, shown, photo, first[left], second[left])
        return scores


def _drawing_scores(
    thumbnails: Thumbnails,
    shown: Float32[np.ndarray, "item"],
    photo: Bool[np.ndarray, "item"],
    first: Int64[np.ndarray, "pair"],
    second: Int64[np.ndarray, "pair"],
) -> Float32[np.ndarray, "pair"]:
    """Crops of drawings, and clean drawings that cannot be laid on each other at all: those are seen to differ.

    A picture that looks like a photo beside a drawing may be the drawing, badly saved: nothing speaks against it.
    """
    scores = np.zeros(len(first), np.float32)
    asked = np.flatnonzero(np.minimum(shown[first], shown[second]) >= LEAST_STRUCTURE)
    differ = ~photo[first] & ~photo[second]
    # a crop lies well on the whole where the whole, squeezed into the crop, would not
    for moved, still in ((first, second), (second, first)):
        if not len(asked):
            break
        laid = aligned_difference(thumbnails, moved[asked], still[asked])
        cropped = laid.zoomed & ~laid.mirrored & (laid.worst <= CROPPED_LIMIT)
        scores[asked[cropped]] = 1 - 0.5 * laid.worst[cropped] / CROPPED_LIMIT
        differ[asked] &= np.isinf(laid.worst)
        asked = asked[~cropped]
    scores[asked[differ[asked]]] = -1
    return scores


def _photo_scores(
    seen: list[_Seen], first: Int64[np.ndarray, "pair"], second: Int64[np.ndarray, "pair"]
) -> Float32[np.ndarray, "pair"]:
    scores = np.zeros(len(first), np.float32)
    order = np.argsort(first, kind="stable")
    for start in _runs(first[order]):
        group = order[start]
        for at in range(0, len(group), _OTHERS):
            asked = group[at : at + _OTHERS]
            one = seen[first[asked[0]]]
            others = [seen[row] for row in second[asked]]
            found = shared_movements(one.features, [other.features for other in others])
            scores[asked] = [
                _photo_score(one, other, move) for other, move in zip(others, found, strict=True)
            ]
    return scores


def _runs(values: Int64[np.ndarray, "n"]) -> list[slice]:
    """Slices of equal neighbouring values."""
    bounds = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [slice(a, b) for a, b in pairwise(bounds) if b > a]


def _photo_score(one: _Seen, other: _Seen, movement: Movement | None) -> float:
    if movement is None:
        return 0.0
    agrees = agreement(one.small.astype(np.float32), other.small.astype(np.float32), movement)
    if agrees is None:
        return 0.0
    probability = 1 / (1 + np.exp(-copy_logit(agrees, (one.texture, other.texture), _unmoved(movement))))
    if probability >= 0.5:
        return float(probability)
    # little that agrees by chance says nothing; much that lies right and yet differs says no
    return -1.0 if movement.agreeing >= CONTRADICTS_FROM and probability < CONTRADICTS_BELOW else 0.0


def _unmoved(movement: Movement) -> bool:
    """Whether the pictures lie on each other as they are, or only mirrored."""
    return bool(np.abs(movement.matrix - np.eye(2)).max() < STILL and np.abs(movement.shift).max() < STILL)


def copy_logit(agrees: Agreement, textures: tuple[float, float], unmoved: bool) -> float:
    """Log-odds that two photos laid on each other are the same.

    A logistic rule fitted to altered copies of fashion photos beside their hardest look-alikes, which are the next
    photos of a series: how the weights came about is in the log of experiments. Drawings of one style share outlines
    and not what fills them. So where either may be a drawing, colours must agree nearly everywhere the pattern does; and
    where both may be, and nothing was moved, they must agree everywhere.

    Args:
        agrees: where they agree.
        textures: the two pictures' :func:`~bowerbird.content.picture_overlay.texture`.
        unmoved: whether they lie on each other as they are, or only mirrored.
    """
    either = max(0.0, 1 - min(textures) / SURELY_PHOTO)
    both = max(0.0, 1 - max(textures) / SURELY_PHOTO)
    return (
        3.6 * agrees.both
        + 8.9 * agrees.colour_of_pattern
        + 2.4 * agrees.pattern_of_colour
        - 0.034 * min(agrees.typical, 20.0)
        - 3.1 * agrees.recoloured
        + 15.1 * agrees.covered
        - 25.7
        - min(1.0, 4 * either) * (0.5 + 50 * (1 - agrees.colour_of_pattern))
        - (38 * both * (1 - agrees.both) if unmoved else 0.0)
    )
