"""What the neural ranker reads: features as quantiles and bins, ids hashed, histories as steps.

Training and serving both come through here, so that the network meets what it was trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8, Int32

from bowerbird.clock import HOUR_US
from bowerbird.records.event import ACTIONS
from bowerbird.records.history import History
from bowerbird.records.request import Context
from bowerbird.records.signal import Vectors

__all__ = [
    "ACTION_ROWS",
    "AGE_BUCKETS",
    "BINS",
    "HASHES",
    "ID_ROWS",
    "Quantiles",
    "age_buckets",
    "hashed_ids",
    "item_matrix",
    "step_codes",
]

BINS = 16
"""Quantile bins of a feature, between ``BINS + 1`` rows of its table."""
MISSING = BINS + 1
"""The row for what is missing."""
BIN_ROWS = BINS + 2
"""Rows of a feature's table."""
DECIMALS = 5
"""Digits of a feature that are read."""
ID_ROWS = 1 << 13
"""Rows of a hashed table."""
ACTION_ROWS = len(ACTIONS) + 1
"""Rows of a table by action; the last is for no action."""
HASHES = 2
"""Rows an id owns; two ids seldom share both."""
STEPS = 64
"""Newest steps of a history that the transformer reads."""
AGE_BUCKETS = 24
"""Buckets of a step's age, each about 1.7 times the one before."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Each feature's distribution in training, to which values are held.

    Args:
        values: per feature its distinct quantiles, ascending; the last one repeated to the common width.
        levels: the share of training values below each.
    """

    values: Float32[np.ndarray, "feature knot"]
    levels: Float32[np.ndarray, "feature knot"]

    @staticmethod
    def fitted(features: Float32[np.ndarray, "n feature"], knots: int = 65) -> Quantiles:
        """The quantiles of a table of features; a feature that is always missing is level .5 everywhere.

        Example:
            >>> held = Quantiles.fitted(np.array([[1.0], [2.0], [np.nan], [4.0]], np.float32), knots=3)
            >>> held.levelled(np.array([[2.0], [9.0], [np.nan]], np.float32)).tolist()
            [[0.5], [1.0], [nan]]
        """
        shares = np.linspace(0.0, 1.0, knots)
        values, levels = [], []
        for column in features.T:
            known = column[~np.isnan(column)]
            found = (
                np.quantile(np.round(known, DECIMALS), shares).astype(np.float32)
                if len(known)
                else np.zeros(knots)
            )
            distinct, first = np.unique(found, return_index=True)
            last = np.append(first[1:], knots) - 1
            middle = (shares[first] + shares[last]) / 2  # a value many rows share stands at their middle
            pad = (0, knots - len(distinct))
            values.append(np.pad(distinct, pad, mode="edge"))
            levels.append(np.pad(middle, pad, mode="edge"))
        return Quantiles(np.array(values, np.float32), np.array(levels, np.float32))

    def levelled(self, features: Float32[np.ndarray, "n feature"]) -> Float32[np.ndarray, "n feature"]:
        """Each value as the share of training values below it, in [0, 1]; missing stays NaN."""
        found = np.empty(features.shape, np.float32)
        for place, (values, levels) in enumerate(zip(self.values, self.levels, strict=True)):
            found[:, place] = np.interp(features[:, place], values, levels)
        return found

    def read(
        self, features: Float32[np.ndarray, "n feature"]
    ) -> tuple[Float32[np.ndarray, "n feature"], Int32[np.ndarray, "n feature"]]:
        """What the network reads of features: places between bins, and the bin below each.

        A value stands between two bins and reads a share of both, so that a last digit, which depends on how many
        candidates a product of matrices is worked out for, moves a score by a last digit too. Values are rounded for
        the same reason: a cosine of 1 is one value and not two.

        Returns:
            Places in ``[0, BINS]`` (the middle where missing), and bins in ``[0, BINS)``, :data:`MISSING` where missing.
        """
        levels = self.levelled(np.round(features, DECIMALS))
        missing = np.isnan(levels)
        places = np.where(missing, np.float32(0.5), levels) * np.float32(BINS)
        bins = np.minimum(places, BINS - 1).astype(np.int32)
        return places, np.where(missing, np.int32(MISSING), bins)


def hashed_ids(ids: Sequence[str | None], what: str) -> Int32[np.ndarray, "id hash"]:
    """Rows of a hashed table for some ids; the same everywhere and for ever, and apart for other kinds of ids.

    Args:
        ids: external identifiers; None has no rows of its own and gets those of nothing.
        what: the kind of id.

    Example:
        >>> hashed_ids(["a", "b", "a"], "item")[[0, 2]].tolist() == hashed_ids(["a", "a"], "item").tolist()
        True
    """
    size = 4 * HASHES
    text = b"".join(
        hashlib.blake2b(f"{what}\x1f{'' if one is None else one}".encode(), digest_size=size).digest()
        for one in ids
    )
    drawn = np.frombuffer(text, dtype="<u4").reshape(len(ids), HASHES)
    return (drawn % ID_ROWS).astype(np.int32)


def age_buckets(hours: Float32[np.ndarray, "*shape"]) -> Int32[np.ndarray, "*shape"]:
    """Buckets of ages: 0 within three minutes, then each about 1.7 times the one before, to over half a year.

    Example:
        >>> age_buckets(np.array([0.0, 1.0, 24.0, 100_000.0], np.float32)).tolist()
        [0, 5, 11, 23]
    """
    grown = np.log(np.maximum(hours, 0) * 20 + 1) / np.float32(np.log(1.7))
    return np.minimum(grown, AGE_BUCKETS - 1).astype(np.int32)


def step_codes(history: History) -> tuple[Int8[np.ndarray, "step"], Int32[np.ndarray, "step"]]:
    """Action and age bucket of each step.

    Ages count to the newest step and not to the request: what a history is encoded to then holds until the person's
    next event. How long ago the newest step was is a feature.
    """
    if len(history) == 0:
        return np.empty(0, np.int8), np.empty(0, np.int32)
    hours = ((history.at[-1] - history.at) / HOUR_US).astype(np.float32)
    return history.actions, age_buckets(hours)


def item_matrix(items: Vectors | None, total: int) -> Float32[np.ndarray, "item dim"]:
    """Item vectors as the network reads them: one number, 0, for each item of a catalogue without vectors."""
    return np.zeros((total, 1), np.float32) if items is None else items.matrix


def long_term_vector(context: Context, items: Vectors | None) -> Float32[np.ndarray, "dim"]:
    """The person's long-term vector as of the request; zeros where there is none.

    It is the registry's ``user_vector`` (the decayed mean), read at the request's own time.

    Raises:
        SpaceMismatchError: it lives in another space than the items.
    """
    if items is None:
        return np.zeros(1, np.float32)
    person = context.user_vectors
    if person is None or not person.present[0]:
        return np.zeros(items.space.dim, np.float32)
    items.space.require(person.space, "long-term vector")
    return person.matrix[0]
