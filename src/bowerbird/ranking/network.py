"""The neural ranker in numpy: crosses over features and ids beside a history that is encoded once.

A candidate is a token: its vector projected, plus rows of hashed tables for its id and category. The token reads
the person's history (:mod:`bowerbird.ranking.shared_history`); what it becomes stands beside its features, the
person's long-term vector and the person's nearest actions of all time, and goes through crosses and two dense
layers to one logit per action. The transformer's own logits are added, so that the history also speaks directly.

:mod:`bowerbird.nn.ranker` is the same network in torch; a test holds the two together.

Source: TransAct (arXiv:2306.00248) for the parts; DCN-v2 (arXiv:2008.13535), its crosses of low rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int8, Int32
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bowerbird.errors import StorageError
from bowerbird.ranking.lifelong import NearestSteps
from bowerbird.ranking.network_inputs import BINS, MISSING, Quantiles, age_buckets
from bowerbird.ranking.shared_history import Block, EncodedHistory, SharedHistoryScorer

__all__ = ["POSITIONS", "RankerNetwork", "position_buckets"]

POSITIONS = 14
"""Buckets of a position, two to each doubling."""
_BLOCK_PARTS = tuple(Block.__dataclass_fields__)
_QUANTILES = ("quantiles.values", "quantiles.levels")


def position_buckets(positions: np.ndarray) -> np.ndarray:
    """Bucket of each position; 0 is the top alone.

    Example:
        >>> position_buckets(np.array([0, 1, 3, 200])).tolist()
        [0, 2, 4, 13]
    """
    return np.minimum(2 * np.log2(1.0 + positions), POSITIONS - 1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class RankerNetwork:
    """A trained network. The names of its weights are those of :class:`bowerbird.nn.ranker.RankerModule`.

    Args:
        weights: every weight by name, inputs along the first axis.
        quantiles: how features are read.
        heads: attention heads of the history.
    """

    weights: Mapping[str, np.ndarray]
    quantiles: Quantiles
    heads: int

    @cached_property
    def history(self) -> SharedHistoryScorer:
        """The transformer over the history, whose head gives logits of its own."""
        layers = 1 + max(int(name.split(".")[1]) for name in self.weights if name.startswith("blocks."))
        blocks = tuple(
            Block(**{part: self.weights[f"blocks.{layer}.{part}"] for part in _BLOCK_PARTS})
            for layer in range(layers)
        )
        return SharedHistoryScorer(blocks, self.heads, self.weights["head"])

    def item_tokens(
        self,
        matrix: Float32[np.ndarray, "item dim"],
        ids: Int32[np.ndarray, "item hash"],
        kinds: Int32[np.ndarray, "item hash"],
    ) -> Float32[np.ndarray, "item token"]:
        """The token of every item, worked out once per release.

        Args:
            matrix: item vectors; zeros where an item has none.
            ids: hashed rows of item ids.
            kinds: hashed rows of categories.
        """
        own = self.weights
        token = matrix @ own["item_project"]
        return token + own["id_table"][ids].sum(axis=1) + own["kind_table"][kinds].sum(axis=1)

    def encoded(
        self,
        tokens: Float32[np.ndarray, "step token"],
        actions: Int8[np.ndarray, "step"],
        ages: Int32[np.ndarray, "step"],
    ) -> EncodedHistory:
        """A history as candidates read it: once per person and event."""
        own = self.weights
        return self.history.encoded(tokens + own["action_table"][actions] + own["age_table"][ages])

    def logits(
        self,
        history: EncodedHistory,
        tokens: Float32[np.ndarray, "n token"],
        features: Float32[np.ndarray, "n feature"],
        person: Float32[np.ndarray, "dim"],
        nearest: NearestSteps,
        positions: Int32[np.ndarray, "n"],
    ) -> Float32[np.ndarray, "n action"]:
        """One logit per candidate and action; a candidate's do not depend on the others.

        Args:
            history: what :meth:`encoded` gave.
            tokens: the candidates' rows of :meth:`item_tokens`.
            features: as :class:`bowerbird.ranking.features.FeatureMaker` computes them.
            person: the person's long-term vector; zeros where there is none.
            nearest: the candidates' nearest actions of all time.
            positions: where each is shown, 0 the top.

        Cost: about 100,000 multiplications a candidate and what the history takes.
        """
        own = self.weights
        states = self.history.states(history, tokens + own["candidate"])
        read = self._read(tokens, states, features, person, nearest)
        state = read
        for layer in range(sum(name.endswith(".down") for name in own)):
            crossed = (state @ own[f"cross.{layer}.down"]) @ own[f"cross.{layer}.up"]
            crossed += own[f"cross.{layer}.bias"]
            crossed *= read
            crossed += state
            state = crossed
        hidden = np.maximum(state @ own["deep.0.weight"] + own["deep.0.bias"], 0.0)
        hidden = np.maximum(hidden @ own["deep.1.weight"] + own["deep.1.bias"], 0.0)
        logits = hidden @ own["out.weight"] + own["out.bias"] + states @ own["head"]
        return logits + own["position_table"][position_buckets(positions)]

    def _read(
        self,
        tokens: Float32[np.ndarray, "n token"],
        states: Float32[np.ndarray, "n token"],
        features: Float32[np.ndarray, "n feature"],
        person: Float32[np.ndarray, "dim"],
        nearest: NearestSteps,
    ) -> Float32[np.ndarray, "n input"]:
        """What crosses begin with: levels, bins, token, history, person, nearest actions."""
        own = self.weights
        places, bins = self.quantiles.read(features)
        n, columns = bins.shape
        share = np.where(bins < MISSING, places - bins, np.float32(0))[:, :, None]
        at = bins + np.arange(columns, dtype=np.int32) * (MISSING + 1)
        binned = self._steps_up.take(at, axis=0)  # n x feature x width
        binned *= share
        binned += self._flat_bins.take(at, axis=0)
        dense = places * np.float32(2 / BINS) - np.float32(1)
        taste = np.broadcast_to(person @ own["person_project"], tokens.shape)
        parts = (
            dense,
            binned.reshape(n, columns * binned.shape[2]),
            tokens,
            states,
            taste,
            self._pooled(nearest),
            nearest.similarity,
        )
        return np.concatenate(parts, axis=1)

    @cached_property
    def _flat_bins(self) -> Float32[np.ndarray, "row width"]:
        """The bins of all features below each other."""
        table = self.weights["bin_table"]
        return np.ascontiguousarray(table.reshape(-1, table.shape[2]))

    @cached_property
    def _steps_up(self) -> Float32[np.ndarray, "row width"]:
        """What each bin lacks of the next one; nothing for what is missing."""
        table = self.weights["bin_table"]
        steps = np.zeros_like(table)
        steps[:, :BINS] = table[:, 1 : BINS + 1] - table[:, :BINS]
        return steps.reshape(-1, table.shape[2])

    def _pooled(self, nearest: NearestSteps) -> Float32[np.ndarray, "n pool"]:
        """What a candidate's nearest actions were and how long ago, the nearer the more."""
        own = self.weights
        there = nearest.actions >= 0
        focus = np.where(there, nearest.similarity * own["nearest_focus"], np.float32(-1e9))
        focus = np.exp(focus - focus.max(axis=1, keepdims=True)) * there
        focus /= np.maximum(focus.sum(axis=1, keepdims=True), np.float32(1e-6))
        said = (
            own["nearest_actions"][nearest.actions] + own["nearest_ages"][age_buckets(nearest.age_days * 24)]
        )
        return np.einsum("nk,nkp->np", focus, said).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write the weights as safetensors."""
        tensors = {name: np.ascontiguousarray(one) for name, one in self.weights.items()}
        tensors |= dict(zip(_QUANTILES, (self.quantiles.values, self.quantiles.levels), strict=True))
        save_file({**tensors, "heads": np.array([self.heads], np.int64)}, path)

    @staticmethod
    def load(path: Path) -> RankerNetwork:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: the file is missing or damaged.
        """
        try:
            held = load_file(path)
            heads = int(held.pop("heads")[0])
            quantiles = Quantiles(*(held.pop(name) for name in _QUANTILES))
        except (OSError, SafetensorError, KeyError) as error:
            raise StorageError(
                f"{path}: not a neural ranker ({error}); run `bowerbird build ranker`"
            ) from error
        return RankerNetwork(held, quantiles, heads)
