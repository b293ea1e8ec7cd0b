"""What a trained sequence encoder asks with, read without torch: the serving side of the next-item model.

The encoder is trained elsewhere (:mod:`bowerbird.nn`, :mod:`bowerbird.training`). Its weights are files of plain arrays,
and what it computes of one history is a few small products, so serving needs NumPy alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import expit

from bowerbird.errors import StorageError
from bowerbird.records.history import History
from bowerbird.records.signal import Space, Vectors
from bowerbird.users.calendar import calendar_values
from bowerbird.users.item_topics import engaged_topics

__all__ = ["GAP_BUCKETS", "NextItemReader", "ReaderShape", "TopicQuestions", "first_meetings", "gap_buckets"]

_WEIGHTS, _SHAPE = "encoder.safetensors", "encoder.json"
_EPSILON = np.float32(1e-5)
GAP_BUCKETS = 32
"""Buckets of time spans an encoder is trained with."""


@dataclass(frozen=True)
class ReaderShape:
    """What the weights do not say of themselves."""

    heads: int
    """Heads of attention."""
    length: int
    """Newest actions that are read."""


def gap_buckets(
    gap_us: Int64[np.ndarray, "*shape"], buckets: int = GAP_BUCKETS
) -> Int64[np.ndarray, "*shape"]:
    """Buckets of time spans: 0 for none at all, then one per factor of 2 from a second on.

    Training and reading both come through here.

    Args:
        gap_us: microseconds; a negative span is none.
        buckets: how many there are; the last holds everything longer.

    Example:
        >>> gap_buckets(np.array([0, 1_000_000, 4_000_000])).tolist()
        [0, 2, 4]
    """
    seconds = np.maximum(gap_us, 0) / 1e6
    bucket = np.where(seconds > 0, 2 + np.floor(np.log2(np.maximum(seconds, 0.5))), 0)
    return np.clip(bucket, 0, buckets - 1).astype(np.int64)


def first_meetings(
    users: Int32[np.ndarray, "step"], rows: Int32[np.ndarray, "step"]
) -> Bool[np.ndarray, "step"]:
    """True where a person meets an item for the first time: the steps the encoder learns from and reads.

    Opening an item, following it and keeping it are one meeting; what comes next is another item.

    Args:
        users: whose step it is; each person's steps are in order of time.
        rows: the item.

    Example:
        >>> first_meetings(np.array([0, 0, 0, 1], np.int32), np.array([7, 7, 8, 7], np.int32)).tolist()
        [True, False, True, True]
    """
    keys = users.astype(np.int64) * (int(rows.max(initial=0)) + 1) + rows
    first = np.zeros(len(rows), dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


@dataclass(frozen=True, eq=False)
class TopicQuestions:
    """What a person asks with about each of their topics."""

    vectors: Vectors
    """One row a topic, the weightiest first; none where nothing is known of the person."""
    shares: Float32[np.ndarray, "topic"]
    """How much of the person's newest actions each topic has; together 1."""
    newest: Int32[np.ndarray, "topic"]
    """The newest item of each topic that the person met."""


@dataclass(frozen=True, eq=False)
class NextItemReader:
    """A trained encoder of gated blocks, as arrays.

    Args:
        shape: heads and length.
        weights: the encoder's parameters by the names torch gives them.
        items: vectors of the catalogue, to read with and to be compared with, in a dot space of their own.
        topics: topic of each item that the encoder can be asked about, from 1 on, 0 for none; zeros where it cannot.
    """

    shape: ReaderShape
    weights: Mapping[str, Float32[np.ndarray, "..."]]
    items: Vectors
    topics: Int32[np.ndarray, "item"]

    @property
    def space(self) -> Space:
        """Where its questions and the items live."""
        return self.items.space

    def question(self, history: History, as_of: int) -> Vectors:
        """What a person's newest actions ask with at a time: one row, absent without actions.

        Args:
            history: the person's actions, all before ``as_of``.
            as_of: microseconds UTC.

        Cost: O(length * dim * (dim + length)); about a CPU-millisecond for 50 actions.
        """
        state, _ = self._state(history, as_of)
        if state is None:
            nothing = np.zeros((1, self.space.dim), dtype=np.float32)
            return Vectors(self.space, nothing, np.zeros(1, dtype=bool))
        return Vectors(self.space, self._asked(state, np.zeros(1, np.int32)), np.ones(1, dtype=bool))

    def topic_questions(self, history: History, as_of: int, most: int) -> TopicQuestions:
        """What a person's newest actions ask with about each topic they engaged with; the history is read once.

        Args:
            history: the person's actions, all before ``as_of``.
            as_of: microseconds UTC.
            most: topics.

        Cost: that of :meth:`question`, and a few operations on vectors a topic.
        """
        state, rows = self._state(history, as_of)
        own = self.topics[rows]
        topics, shares = engaged_topics(own, most)
        if state is None or not topics.size:
            nothing = Vectors(self.space, np.zeros((0, self.space.dim), np.float32), np.zeros(0, dtype=bool))
            return TopicQuestions(nothing, np.zeros(0, np.float32), np.zeros(0, np.int32))
        newest = np.array([rows[np.flatnonzero(own == topic)[-1]] for topic in topics], dtype=np.int32)
        vectors = Vectors(self.space, self._asked(state, topics), np.ones(topics.size, dtype=bool))
        return TopicQuestions(vectors, shares, newest)

    def _state(
        self, history: History, as_of: int
    ) -> tuple[Float32[np.ndarray, "dim"] | None, Int32[np.ndarray, "step"]]:
        """What the blocks made of the newest actions, and the items that were read; None where none is known."""
        first = first_meetings(np.zeros(len(history), dtype=np.int32), history.rows)
        rows, at = history.rows[first], history.at[first]
        gap = np.diff(at, prepend=at[:1])  # before the cut: the first action read has one too
        rows, gap = rows[-self.shape.length :], gap[-self.shape.length :]
        known = self.items.present[rows]
        if not known.any():
            return None, rows[:0]
        return self._read(rows[known], gap[known], int(at[-1]), as_of), rows[known]

    def _asked(
        self, state: Float32[np.ndarray, "dim"], topics: Int32[np.ndarray, "topic"]
    ) -> Float32[np.ndarray, "topic dim"]:
        """:meth:`bowerbird.nn.sequence_encoder.SequenceEncoder.asked` as it is when nothing is learnt."""
        w = self.weights
        states = np.broadcast_to(state, (topics.size, state.size))
        if "encoder.topic_scale" in w:
            states = states * (1.0 + w["encoder.topic_scale"][topics]) + w["encoder.topic_shift"][topics]
        return _normed(states, w["encoder.norm.weight"], w["encoder.norm.bias"]).astype(np.float32)

    def _read(
        self, rows: np.ndarray, gap_us: np.ndarray, newest: int, as_of: int
    ) -> Float32[np.ndarray, "dim"]:
        w, dim = self.weights, self.space.dim
        x = self.items.matrix[rows] * np.float32(np.sqrt(dim))
        if "encoder.gaps" in w:
            x = x + w["encoder.gaps"][gap_buckets(gap_us, len(w["encoder.gaps"]))]
        blocks = sum(name.endswith(".first.weight") for name in w)
        for block in range(blocks):
            x = self._block(x, f"encoder.blocks.{block}.")
        last = x[-1]
        if "encoder.waits" in w:
            wait = np.array([as_of - newest], dtype=np.int64)
            last = last + w["encoder.waits"][gap_buckets(wait, len(w["encoder.waits"]))[0]]
        if "encoder.calendar" in w:
            last = last + w["encoder.calendar"][calendar_values(np.array(as_of, dtype=np.int64))].sum(axis=0)
        return last

    def _block(self, x: Float32[np.ndarray, "step dim"], name: str) -> Float32[np.ndarray, "step dim"]:
        """One :class:`bowerbird.nn.causal_blocks.GatedBlock` as it is when nothing is learnt."""
        w = self.weights
        y = _normed(x, w[name + "first.weight"], w[name + "first.bias"])
        read = self._attended(y, name + "attention.") + _filtered(y, w[name + "filter"]) * np.exp(
            w[name + "share"]
        )
        x = x + read * expit(_linear(x, w, name + "gate"))
        wide = _linear(_normed(x, w[name + "second.weight"], w[name + "second.bias"]), w, name + "widen")
        signal, gate = np.split(wide, 2, axis=1)
        return x + _linear(signal * expit(signal) * gate, w, name + "narrow") * expit(
            _linear(x, w, name + "second_gate")
        )

    def _attended(self, y: Float32[np.ndarray, "step dim"], name: str) -> Float32[np.ndarray, "step dim"]:
        steps, dim = y.shape
        heads, width = self.shape.heads, dim // self.shape.heads
        query, key, value = (
            _linear(y, self.weights, name + "project").reshape(steps, 3, heads, width).transpose(1, 2, 0, 3)
        )
        logits = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(width))
        place = np.arange(steps)
        distance = place[:, None] - place[None, :]
        bias = self.weights[name + "bias"]
        logits = logits + bias[:, np.clip(distance, 0, bias.shape[1] - 1)]
        logits = np.where(distance >= 0, logits, -np.inf)
        mass = np.exp(logits - logits.max(axis=2, keepdims=True))
        mass = mass / mass.sum(axis=2, keepdims=True)
        return _linear((mass @ value).transpose(1, 0, 2).reshape(steps, dim), self.weights, name + "out")

    def save(self, directory: Path) -> None:
        """Write the encoder and its items.

        Raises:
            StorageError: the system refused.
        """
        try:
            arrays = {name: np.ascontiguousarray(one) for name, one in self.weights.items()}
            arrays |= {"items": self.items.matrix, "present": self.items.present, "topics": self.topics}
            save_file(arrays, directory / _WEIGHTS)
            stated = {**asdict(self.shape), "space": self.space.key}
            (directory / _SHAPE).write_text(json.dumps(stated), encoding="utf-8")
        except (OSError, SafetensorError) as error:
            raise StorageError(f"{directory}: cannot write the sequence encoder ({error})") from error

    @staticmethod
    def load(directory: Path) -> NextItemReader:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: a file is missing or damaged.
        """
        try:
            arrays = load_file(directory / _WEIGHTS)
            stated = json.loads((directory / _SHAPE).read_text(encoding="utf-8"))
            space = Space.from_key(stated["space"])
            items = Vectors(space, arrays.pop("items"), arrays.pop("present"))
            topics = arrays.pop("topics", np.zeros(len(items), np.int32))  # builds before topics have none
            return NextItemReader(ReaderShape(stated["heads"], stated["length"]), arrays, items, topics)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise StorageError(
                f"{directory}: the sequence encoder is missing or damaged ({error}); run `bowerbird build`"
            ) from error


def _normed(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON) * weight + bias


def _linear(x: np.ndarray, weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def _filtered(y: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """``sum_d k_d y_(t-d)``."""
    found = np.zeros_like(y)
    for back in range(min(len(y), len(kernel))):
        found[back:] += kernel[back] * y[: len(y) - back]
    return found
