"""The verdict on two pictures: the same, seen to differ, or no telling.

Three looks, from cheap to dear. *In place*: plain or mirrored, nothing moved, they differ nowhere by more than a
limit. *Photos* are laid on each other by their local features and asked where they agree; the answers are weighed by a
rule learnt from altered copies (:mod:`bowerbird.content.copy_rule`). *Drawings*, which share most of their places with
others of their style, are laid on each other with great care and must agree everywhere
(:mod:`bowerbird.content.picture_alignment`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from bowerbird.content.copy_rule import Evidence, copy_log_odds, evidence, rule_fingerprint
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
from bowerbird.content.picture_overlay import agreement, small_picture, texture
from bowerbird.content.pictures import decoded

__all__ = ["PHOTO_FROM", "CopyVerifier", "verdict_revision"]

_REVISION = 4
"""Raised by hand when the code or a limit here changes a verdict."""
PHOTO_FROM = 0.01
"""Pictures with less :func:`~bowerbird.content.picture_overlay.texture` are drawings."""
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
KEPT_PICTURES = 4096
"""Pictures whose features are held at a time, about 80 kB each."""
_ASKED = 1024
"""Pairs whose pictures are looked at before any is judged: at most half of those that are kept."""
_BLOCK = 256
_OTHERS = 12


def verdict_revision() -> str:
    """Which code and which fitted rule verdicts are of; kept verdicts of another revision are not used."""
    return f"{_REVISION}.{rule_fingerprint()}"


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
    laid, known = [], []
    order = np.argsort(first, kind="stable")
    for start in _runs(first[order]):
        group = order[start]
        for at in range(0, len(group), _OTHERS):
            asked = group[at : at + _OTHERS]
            one = seen[first[asked[0]]]
            others = [seen[row] for row in second[asked]]
            found = shared_movements(one.features, [other.features for other in others])
            for pair, other, movement in zip(asked.tolist(), others, found, strict=True):
                shown = _photo_evidence(one, other, movement)
                if shown is not None:
                    laid.append((pair, movement.agreeing if movement is not None else 0))
                    known.append(shown)
    if laid:
        pairs, places = np.array(laid, np.int64).T
        probability = 1 / (1 + np.exp(-copy_log_odds(known)))
        # little that agrees by chance says nothing; much that lies right and yet differs says no
        differ = (places >= CONTRADICTS_FROM) & (probability < CONTRADICTS_BELOW)
        scores[pairs] = np.where(probability >= 0.5, probability, np.where(differ, -1, 0))
    return scores


def _photo_evidence(one: _Seen, other: _Seen, movement: Movement | None) -> Evidence | None:
    """What the rule reads; None for photos that cannot be laid on each other."""
    if movement is None:
        return None
    agrees = agreement(one.small.astype(np.float32), other.small.astype(np.float32), movement)
    return None if agrees is None else evidence(agrees, movement, (one.texture, other.texture))


def _runs(values: Int64[np.ndarray, "n"]) -> list[slice]:
    """Slices of equal neighbouring values."""
    bounds = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [slice(a, b) for a, b in pairwise(bounds) if b > a]
