"""Shared-history scoring: a person's history is encoded once, and every candidate attends to it alone.

A transformer over ``[history, candidate]`` in which candidates don't see each other gives each candidate the
score it would get by itself. The history's keys and values are then the same for all of them and are
computed once per request (and kept until the person's next event); a candidate costs one row per layer
instead of a whole sequence. Plain numpy: serving needs no torch.

Source: the deduplicated cross-attention of Pinterest's PinFM (arXiv:2507.12704, section 4.2, DCAT) and
candidate isolation of generative recommenders; the layer is the ordinary pre-norm block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bowerbird.errors import StorageError
from bowerbird.randomness import generator

EPSILON = 1e-6


@dataclass(frozen=True)
class Block:
    """One pre-norm layer: ``x += attend(norm x); x += W2 relu(W1 norm x)``."""

    query: Float32[np.ndarray, "dim dim"]
    key_value: Float32[np.ndarray, "dim two_dims"]
    out: Float32[np.ndarray, "dim dim"]
    widen: Float32[np.ndarray, "dim hidden"]
    narrow: Float32[np.ndarray, "hidden dim"]


@dataclass(frozen=True)
class EncodedHistory:
    """What candidates read of a history: keys and values per layer."""

    keys: tuple[Float32[np.ndarray, "head step part"], ...]
    values: tuple[Float32[np.ndarray, "head step part"], ...]


@dataclass(frozen=True)
class SharedHistoryScorer:
    """Scores candidates against a history, one logit per action.

    Args:
        blocks: the layers.
        heads: attention heads; they divide ``dim``.
        head: from a candidate's last state to logits of actions.
    """

    blocks: tuple[Block, ...]
    heads: int
    head: Float32[np.ndarray, "dim action"]

    @staticmethod
    def drawn(dim: int, layers: int, heads: int, actions: int, seed: int) -> SharedHistoryScorer:
        """A scorer with weights from a seed: what training starts from, and enough to measure cost."""
        draw = generator(seed, "shared history")

        def matrix(rows: int, columns: int) -> np.ndarray:
            return (draw.normal(size=(rows, columns)) / math.sqrt(rows)).astype(np.float32)

        blocks = tuple(
            Block(
                matrix(dim, dim),
                matrix(dim, 2 * dim),
                matrix(dim, dim),
                matrix(dim, 2 * dim),
                matrix(2 * dim, dim),
            )
            for _ in range(layers)
        )
        return SharedHistoryScorer(blocks, heads, matrix(dim, actions))

    def encoded(self, history: Float32[np.ndarray, "step dim"]) -> EncodedHistory:
        """Keys and values of a history, in which each step sees itself and the ones before it.

        Cost: O(layers * (step * dim^2 + step^2 * dim)), once per person and event.
        """
        state, keys, values = history, [], []
        hidden = np.triu(np.full((len(history),) * 2, -np.inf, dtype=np.float32), k=1)
        for block in self.blocks:
            query, key, value = self._projected(block, state)
            keys.append(key)
            values.append(value)
            scores = query @ key.transpose(0, 2, 1)
            state = _after(block, state, _softmax(scores + hidden) @ value)
        return EncodedHistory(tuple(keys), tuple(values))

    def scores(
        self, history: EncodedHistory, candidates: Float32[np.ndarray, "candidate dim"]
    ) -> Float32[np.ndarray, "candidate action"]:
        """Logits of candidates, each as if it alone came after the history."""
        return self.states(history, candidates) @ self.head

    def states(
        self, history: EncodedHistory, candidates: Float32[np.ndarray, "candidate dim"]
    ) -> Float32[np.ndarray, "candidate dim"]:
        """What each candidate became by reading the history, of root mean square 1.

        Cost: O(candidate * layers * (dim^2 + step * dim)).
        """
        state = candidates
        for block, keys, values in zip(self.blocks, history.keys, history.values, strict=True):
            query, key, value = self._projected(block, state)
            # one softmax over the history's steps and the candidate itself, without joining them
            before = query @ keys.transpose(0, 2, 1)
            own = np.einsum("hcp,hcp->hc", query, key)[:, :, None]
            top = np.maximum(
                before.max(axis=2, keepdims=True, initial=-np.inf), own
            )  # of no history: its own
            np.subtract(before, top, out=before)
            np.exp(before, out=before)
            itself = np.exp(own - top)
            mixed = (before @ values + itself * value) / (before.sum(axis=2, keepdims=True) + itself)
            state = _after(block, state, mixed)
        return _normed(state)

    def scores_naively(
        self, history: Float32[np.ndarray, "step dim"], candidates: Float32[np.ndarray, "candidate dim"]
    ) -> Float32[np.ndarray, "candidate action"]:
        """The slow twin: the whole sequence again for each candidate."""
        return np.stack([self._of_one(np.vstack([history, one])) for one in candidates])

    def scores_in_batches(
        self,
        history: Float32[np.ndarray, "step dim"],
        candidates: Float32[np.ndarray, "candidate dim"],
        size: int = 16,
    ) -> Float32[np.ndarray, "candidate action"]:
        """The naive way as well as it goes: each candidate behind its own copy of the history, in batches.

        The last layer is worked out at the candidate's place only, because nothing reads the others.

        Args:
            history: the steps.
            candidates: one row each.
            size: candidates of a batch.
        """
        found = [
            self._of_batch(history, candidates[start : start + size])
            for start in range(0, len(candidates), size)
        ]
        return np.concatenate(found)

    def save(self, path: Path) -> None:
        """Write the weights as safetensors."""
        tensors = {"head": self.head, "heads": np.array([self.heads], dtype=np.int64)}
        for number, block in enumerate(self.blocks):
            tensors |= {
                f"{number}.{name}": np.ascontiguousarray(value) for name, value in vars(block).items()
            }
        save_file(tensors, path)

    @staticmethod
    def load(path: Path) -> SharedHistoryScorer:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: the file is missing or damaged.
        """
        try:
            held = load_file(path)
            layers = 1 + max(int(name.partition(".")[0]) for name in held if "." in name)
            names = Block.__dataclass_fields__
            blocks = tuple(Block(**{name: held[f"{n}.{name}"] for name in names}) for n in range(layers))
            return SharedHistoryScorer(blocks, int(held["heads"][0]), held["head"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise StorageError(f"{path}: not a shared-history scorer ({error}); build it again") from error

    def _of_one(self, sequence: Float32[np.ndarray, "step dim"]) -> Float32[np.ndarray, "action"]:
        state = sequence
        hidden = np.triu(np.full((len(sequence),) * 2, -np.inf, dtype=np.float32), k=1)
        for block in self.blocks:
            query, key, value = self._projected(block, state)
            state = _after(block, state, _softmax(query @ key.transpose(0, 2, 1) + hidden) @ value)
        return (_normed(state[-1:]) @ self.head)[0]

    def _of_batch(self, history: np.ndarray, candidates: np.ndarray) -> Float32[np.ndarray, "batch action"]:
        count, (steps, dim) = len(candidates), history.shape
        length = steps + 1
        state = np.empty((count, length, dim), np.float32)
        state[:, :steps], state[:, steps] = history, candidates
        hidden = np.triu(np.full((length, length), -np.inf, dtype=np.float32), k=1)
        for number, block in enumerate(self.blocks):
            last = number == len(self.blocks) - 1
            rows = state.reshape(count * length, dim)
            # heads x rows x part, and back to heads x batch x place x part
            query, key, value = (
                one.reshape(self.heads, count, length, dim // self.heads)
                for one in self._projected(block, rows)
            )
            if last:
                query, hidden = query[:, :, -1:], hidden[-1:]
                rows = np.ascontiguousarray(state[:, -1])
            mixed = _softmax(query @ key.transpose(0, 1, 3, 2) + hidden) @ value
            state = _after(block, rows, mixed.reshape(self.heads, len(rows), dim // self.heads))
            state = state.reshape(count, 1 if last else length, dim)
        return _normed(state[:, -1]) @ self.head

    def _projected(self, block: Block, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries (scaled), keys and values, split into heads."""
        normed = _normed(state)
        part = state.shape[1] // self.heads
        query = (normed @ block.query) / np.float32(math.sqrt(part))
        key, value = np.split(normed @ block.key_value, 2, axis=1)
        return self._split(query), self._split(key), self._split(value)

    def _split(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(
            rows.reshape(len(rows), self.heads, rows.shape[1] // self.heads).transpose(1, 0, 2)
        )


def _after(block: Block, state: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """The state after attention and the feed-forward part."""
    joined = mixed.transpose(1, 0, 2).reshape(state.shape)
    state = state + joined @ block.out
    return state + np.maximum(_normed(state) @ block.widen, 0.0) @ block.narrow


def _normed(state: np.ndarray) -> np.ndarray:
    """Rows divided by their root mean square."""
    return state / np.sqrt(np.mean(np.square(state), axis=1, keepdims=True) + np.float32(EPSILON))


def _softmax(scores: np.ndarray) -> np.ndarray:
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
    return shifted / shifted.sum(axis=-1, keepdims=True)
