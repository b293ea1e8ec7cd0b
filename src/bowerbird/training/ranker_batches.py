"""Batches for the neural ranker: whole requests, with what is hidden from the network while it learns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int32, Int64
from pydantic import Field

from bowerbird.clock import HOUR_US
from bowerbird.config import Settings
from bowerbird.nn.ranker import RankerBatch
from bowerbird.randomness import fast_generator
from bowerbird.ranking.features import FEATURES
from bowerbird.ranking.network import position_buckets
from bowerbird.ranking.network_inputs import ACTION_ROWS, BINS, MISSING, Quantiles, age_buckets
from bowerbird.training.batches import padded
from bowerbird.training.impressions import LABELS
from bowerbird.training.ranker_examples import Examples

__all__ = ["NOTHING", "Hidden", "LabelMatrix", "RankerRows", "label_weights"]

LabelMatrix = Mapping[str, Mapping[str, float]]
"""Per head, how much an example weighs whose label was another action; 1 where nothing is said."""
STAT_COLUMNS = tuple(
    place
    for place, name in enumerate(FEATURES)
    if name.startswith("item_") and name not in ("item_price", "item_is_ad")
)
"""Features that tell how long an item has been there and how it fared."""


class Hidden(Settings):
    """What training hides, so that the network does not lean on it."""

    id_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of items whose id is hidden: what is learnt must hold for items never met."""
    age_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of items whose id, age and record are hidden, as of an item that came today."""
    window_hours: float = Field(default=24.0, ge=0.0)
    """Longest time window before the request in which the history is hidden; its length is drawn."""
    window_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of requests with such a window: what was done a minute ago must not be all that counts."""


NOTHING = Hidden(id_share=0.0, age_share=0.0, window_hours=0.0, window_share=0.0)
"""Nothing is hidden: how a network is asked."""


def label_weights(
    labels: Bool[np.ndarray, "n label"], actions: tuple[str, ...], matrix: LabelMatrix
) -> Float32[np.ndarray, "n action"]:
    """Weight of each example in each head's loss.

    Args:
        labels: in the order of :data:`~bowerbird.training.impressions.LABELS`.
        actions: the heads.
        matrix: what weighs more or less than 1, e.g. that what somebody hid is a surer no to a save.

    Source: the label matrix of TransAct's loss (arXiv:2306.00248).

    Example:
        >>> hidden_and_nothing = np.array([[0, 0, 0, 1, 0], [0, 0, 0, 0, 0]], bool)
        >>> label_weights(hidden_and_nothing, ("save", "hide"), {"save": {"hide": 2.0}}).tolist()
        [[2.0, 1.0], [1.0, 1.0]]
    """
    weights = np.ones((len(labels), len(actions)), np.float32)
    for head, action in enumerate(actions):
        for other, weight in matrix.get(action, {}).items():
            weights[labels[:, LABELS.index(other)], head] = weight
    return weights


class RankerRows:
    """Examples made ready: features read once, batches cut from them.

    Args:
        examples: what was shown, and to whom.
        quantiles: how features are read.
        actions: the heads.
        matrix: item vectors.
        hashed: hashed rows of item ids and categories.
        label_matrix: see :func:`label_weights`.
    """

    def __init__(
        self,
        examples: Examples,
        quantiles: Quantiles,
        actions: tuple[str, ...],
        matrix: Float32[np.ndarray, "item dim"],
        hashed: tuple[Int32[np.ndarray, "item hash"], Int32[np.ndarray, "item hash"]],
        label_matrix: LabelMatrix | None = None,
    ) -> None:
        self.examples, self.actions = examples, actions
        self._matrix, (self._ids, self._kinds) = matrix, hashed
        self._places, self._bins = quantiles.read(examples.features[:, :-1])
        places = [LABELS.index(action) for action in actions]
        self._labels = examples.labels[:, places].astype(np.float32)
        self._weights = label_weights(examples.labels, actions, label_matrix or {})
        requests = len(examples.asked.as_of)
        self._first = np.searchsorted(examples.owners, np.arange(requests + 1)).astype(np.int64)

    def __len__(self) -> int:
        return len(self.examples.asked.as_of)

    @property
    def labels(self) -> Float32[np.ndarray, "n action"]:
        """What followed, one column per head."""
        return self._labels

    @property
    def rates(self) -> Float32[np.ndarray, "action"]:
        """How often each head's action follows."""
        return self._labels.mean(axis=0)

    def batches(
        self, size: int, random: np.random.Generator | None = None
    ) -> list[Int64[np.ndarray, "member"]]:
        """The requests in batches, those with like histories together; mixed where a generator is given."""
        lengths = np.diff(self.examples.asked.bounds).astype(np.float64)
        if random is not None:
            lengths += random.random(len(lengths)) * 8
        order = np.argsort(lengths, kind="stable").astype(np.int64)
        cut = [order[start : start + size] for start in range(0, len(order), size)]
        return cut if random is None else [cut[place] for place in random.permutation(len(cut))]

    def rows_of(self, requests: Int64[np.ndarray, "member"]) -> Int64[np.ndarray, "n"]:
        """Places of the rows of some requests, in the order of :meth:`batch`."""
        starts, stops = self._first[requests], self._first[requests + 1]
        spans = zip(starts.tolist(), stops.tolist(), strict=True)
        return np.concatenate([np.arange(start, stop) for start, stop in spans])

    def batch(
        self, requests: Int64[np.ndarray, "member"], hidden: Hidden = NOTHING, seed: int = 0, step: int = 0
    ) -> RankerBatch:
        """Some requests as tensors.

        Args:
            requests: places of requests.
            hidden: what the network may not see.
            seed: with ``step``, decides what is hidden.
            step: of training.
        """
        random = fast_generator(seed, "ranker batch", step)
        places, asked = self.rows_of(requests), self.examples.asked
        stops = self._visible(requests, hidden, random)
        starts = asked.bounds[requests]
        step_items = padded(asked.rows, starts, stops)
        rows = self.examples.rows[places]
        items, inverse = np.unique(np.concatenate([rows, step_items.ravel()]), return_inverse=True)
        cold = random.random(len(items)) < hidden.age_share
        keep_id = (random.random(len(items)) >= hidden.id_share) & ~cold
        candidates = inverse[: len(rows)]
        levels, bins = self._places[places], self._bins[places]
        if cold.any():
            unmet = np.ix_(np.flatnonzero(cold[candidates]), np.array(STAT_COLUMNS))
            levels[unmet], bins[unmet] = BINS / 2, MISSING
        sizes = self._first[requests + 1] - self._first[requests]
        nearest = self.examples.nearest.take(places)
        actions, ages = self._steps(starts, stops)
        return RankerBatch(
            items=torch.from_numpy(self._matrix[items]),
            ids=torch.from_numpy(self._ids[items]),
            kinds=torch.from_numpy(self._kinds[items]),
            keep_id=torch.from_numpy(keep_id.astype(np.float32)),
            steps=torch.from_numpy(inverse[len(rows) :].reshape(step_items.shape)),
            actions=torch.from_numpy(actions),
            ages=torch.from_numpy(ages),
            lengths=torch.from_numpy(stops - starts),
            persons=torch.from_numpy(asked.persons[requests]),
            owners=torch.from_numpy(np.repeat(np.arange(len(requests)), sizes)),
            seats=torch.from_numpy(np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)),
            candidates=torch.from_numpy(candidates),
            places=torch.from_numpy(levels),
            bins=torch.from_numpy(bins.astype(np.int64)),
            nearest_actions=torch.from_numpy(
                np.where(nearest.actions < 0, ACTION_ROWS - 1, nearest.actions).astype(np.int64)
            ),
            nearest_ages=torch.from_numpy(age_buckets(nearest.age_days * 24).astype(np.int64)),
            nearest_similarity=torch.from_numpy(nearest.similarity),
            positions=torch.from_numpy(position_buckets(self.examples.positions[places]).astype(np.int64)),
            labels=torch.from_numpy(self._labels[places]),
            weights=torch.from_numpy(self._weights[places]),
        )

    def _visible(
        self, requests: Int64[np.ndarray, "member"], hidden: Hidden, random: np.random.Generator
    ) -> Int64[np.ndarray, "member"]:
        """Where each visible history ends: before the window that is hidden."""
        asked = self.examples.asked
        starts, stops = asked.bounds[requests], asked.bounds[requests + 1]
        width = random.random(len(requests)) * hidden.window_hours
        width *= random.random(len(requests)) < hidden.window_share
        before = asked.as_of[requests] - (width * HOUR_US).astype(np.int64)
        seen = [
            start + int(np.searchsorted(asked.at[start:stop], until))
            for start, stop, until in zip(starts.tolist(), stops.tolist(), before.tolist(), strict=True)
        ]
        return np.array(seen, np.int64)

    def _steps(
        self, starts: Int64[np.ndarray, "member"], stops: Int64[np.ndarray, "member"]
    ) -> tuple[Int64[np.ndarray, "member step"], Int64[np.ndarray, "member step"]]:
        """Action and age bucket of each step, ages counted to the last visible one."""
        asked = self.examples.asked
        at = padded(asked.at, starts, stops)
        newest = (
            np.where(stops > starts, asked.at[np.maximum(stops - 1, 0)], 0)
            if len(asked.at)
            else np.zeros(len(starts))
        )
        hours = np.maximum(newest[:, None] - at, 0) / HOUR_US
        actions = padded(asked.actions, starts, stops)
        return actions.astype(np.int64), age_buckets(hours.astype(np.float32)).astype(np.int64)
