"""Long-term taste: one vector per person, the decayed mean of what they engaged with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32, Float64
from scipy import sparse

from bowerbird.arrays import normalise
from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records.event import ACTION_CODE, ACTIONS
from bowerbird.records.history import History
from bowerbird.records.signal import Vectors
from bowerbird.signals.sequences import Sequences
from bowerbird.signals.tracks import Track

ACTION_STRENGTH: Mapping[str, float] = MappingProxyType(
    {"closeup": 1.0, "click": 1.0, "rate": 1.0, "save": 2.0, "add_to_cart": 2.0, "purchase": 2.0}
)
"""How much each positive action says: keeping or buying an item says more than opening it."""

HALF_LIFE_DAYS = 30.0


def require_past(history: History, as_of: int) -> None:
    """Refuse a history that reaches into the future.

    Raises:
        InputError: a step is at or after ``as_of``.
    """
    if len(history) and int(history.at[-1]) >= as_of:
        raise InputError(
            f"history: a step at {int(history.at[-1])} is not before as_of {as_of}; read it as of that time"
        )


def action_table(strength: Mapping[str, float]) -> Float64[np.ndarray, "action"]:
    """Weights by action code; actions without one weigh 0.

    Raises:
        InputError: an action is not known.
    """
    table = np.zeros(len(ACTIONS), dtype=np.float64)
    for action, value in strength.items():
        if action not in ACTION_CODE:
            raise InputError(f"action weights: unknown action {action!r}; {did_you_mean(action, ACTIONS)}")
        table[ACTION_CODE[action]] = value
    return table


def decayed_mean(
    history: History,
    item_vectors: Vectors,
    as_of: int,
    half_life_days: int | float = HALF_LIFE_DAYS,
    strength: Mapping[str, float] = ACTION_STRENGTH,
) -> Vectors:
    """One person's vector: ``v = sum_s w_s x_s / sum_s w_s``, ``w = strength(action) * 2^(-age / half_life)``.

    In a cosine space the mean is scaled to unit length. Steps whose item has no vector are left out.

    Args:
        history: the person's actions, all before ``as_of``.
        item_vectors: the catalogue's vectors.
        as_of: the time of reading, microseconds UTC.
        half_life_days: age at which a step counts half, above 0.
        strength: weight per action name.

    Returns:
        One row in the space of the items; absent where nothing can be averaged.

    Raises:
        InputError: a step is at or after ``as_of``, the half-life is not above 0, or an action is not known.
    """
    require_past(history, as_of)
    bounds = np.array([0, len(history)], dtype=np.int64)
    track = Track(bounds, history.rows, history.at, history.actions)
    return track_means(track, item_vectors, half_life_days, strength)


def decayed_means(
    sequences: Sequences,
    item_vectors: Vectors,
    as_of: int,
    half_life_days: int | float = HALF_LIFE_DAYS,
    strength: Mapping[str, float] = ACTION_STRENGTH,
) -> Vectors:
    """Everybody's :func:`decayed_mean`, to the same bytes, as one sparse product.

    Returns:
        One row per user row.

    Cost: O(steps * dim).
    """
    return track_means(sequences.histories(as_of), item_vectors, half_life_days, strength)


def track_means(
    track: Track,
    item_vectors: Vectors,
    half_life_days: int | float = HALF_LIFE_DAYS,
    strength: Mapping[str, float] = ACTION_STRENGTH,
) -> Vectors:
    """:func:`decayed_means` of histories that are cut already: one row per person of the track, each from its own steps."""
    if not half_life_days > 0:
        raise InputError(f"half_life_days = {half_life_days}; expected more than 0")
    lengths = np.diff(track.offsets)
    # ages count from each person's newest step: the mean is the same, and old logs do not underflow to nothing
    newest = np.repeat(track.at[track.offsets[1:][lengths > 0] - 1], lengths[lengths > 0])
    decay = np.exp2(-((newest - track.at) / DAY_US) / half_life_days)
    weights = (action_table(strength)[track.actions] * decay * item_vectors.present[track.rows]).astype(
        np.float32
    )
    sums, total = _sums(weights, track, item_vectors.matrix)
    if item_vectors.space.metric == "cosine":
        means = normalise(sums)
    else:
        means = (sums / np.where(total > 0, total, np.float32(1))[:, None]).astype(np.float32)
    return Vectors(item_vectors.space, means, (total > 0) & (means != 0).any(axis=1))


def _sums(
    weights: Float32[np.ndarray, "step"], track: Track, matrix: Float32[np.ndarray, "item dim"]
) -> tuple[Float32[np.ndarray, "user dim"], Float32[np.ndarray, "user"]]:
    """Weighted sums of each person's vectors, and of the weights.

    One person's steps are added in order, as the sparse product adds them: the same bytes without
    its set-up, which would be most of a request's cost.
    """
    if track.users == 1 and len(weights):
        own = np.add.reduce(weights[:, None] * matrix[track.rows], axis=0, keepdims=True)
        return own, np.cumsum(weights)[-1:]
    steps = sparse.csr_array((weights, track.rows, track.offsets), shape=(track.users, len(matrix)))
    return np.asarray(steps @ matrix, dtype=np.float32), np.asarray(steps.sum(axis=1), dtype=np.float32)
