"""The task "which item comes next", every position a target: what the loop trains sequence encoders on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int, Int32, Int64
from torch import Tensor, nn

from bowerbird.metrics import target_rank
from bowerbird.nn.precision import fast_type, in_type
from bowerbird.nn.sequence_encoder import ItemVectors, SequenceEncoder
from bowerbird.randomness import generator
from bowerbird.training.batches import Ragged, padded, rung, token_batches, windows
from bowerbird.training.loop import best_device
from bowerbird.training.losses import full_cross_entropy, sampled_softmax
from bowerbird.training.negatives import MixedNegatives, counted
from bowerbird.users.calendar import calendar_values
from bowerbird.users.next_item import gap_buckets

__all__ = [
    "NextItemModel",
    "NextItemTask",
    "SequenceData",
    "ValidationCases",
    "distinct_rows",
    "filled_windows",
    "query_vectors",
    "time_inputs",
    "topic_vectors",
]

QUERY_TOKENS = 8192
"""Places of a padded batch when nothing is learnt."""
ASKED_SHARE = 0.5
"""Share of training positions that are told the topic of their target; the others are asked what comes next at all."""


@dataclass(frozen=True)
class SequenceData:
    """Sequences of items as ragged columns."""

    sequences: Ragged
    items: Int32[np.ndarray, " event"]
    gaps: Int64[np.ndarray, " event"] | None = None
    """Bucket of the time since the user's event before; None without times."""
    waits: Int64[np.ndarray, " event"] | None = None
    """Microseconds to the user's next event, -1 for the last; None without times, or where waiting plays no part."""
    at: Int64[np.ndarray, " event"] | None = None
    """Microseconds UTC; None without times, or where waiting plays no part."""


@dataclass(frozen=True)
class ValidationCases:
    """Histories and the item that came next, to choose the epoch by."""

    histories: SequenceData
    target: Int32[np.ndarray, " case"]
    seen_out: bool
    """Whether items of the history leave the ranking."""


class NextItemModel(nn.Module):
    """An encoder and the item vectors it shares between reading and scoring."""

    def __init__(self, items: ItemVectors, encoder: SequenceEncoder) -> None:
        super().__init__()
        self.items, self.encoder = items, encoder


class NextItemTask:
    """Batches, loss and validation of next-item training.

    Args:
        model: what is trained.
        data: the training sequences.
        length: the most positions of a window.
        tokens: places of a padded batch.
        negatives: how many are drawn for the sampled loss; 0: full cross-entropy.
        cases: what the epoch is chosen by; None: the last epoch is kept.
        seed: decides windows, batches, negatives and dropout.
        topics: of each item, from 1 on, 0 for none, when the encoder can be asked about topics.
    """

    def __init__(
        self,
        model: NextItemModel,
        data: SequenceData,
        *,
        length: int,
        tokens: int,
        negatives: int,
        cases: ValidationCases | None,
        seed: int,
        topics: Int32[np.ndarray, " item"] | None = None,
    ) -> None:
        self.device = best_device()
        self.model = model.to(self.device)
        self._data, self._length, self._tokens = data, length, tokens
        self._cases, self._seed, self._topics = cases, seed, topics
        total = self._items_total = model.items.ids.shape[0]
        self._type = fast_type(self.device)
        self._negatives = MixedNegatives(counted(data.items, total), total, negatives) if negatives else None

    def batches(self, epoch: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Windows of like lengths: first events and ends."""
        random = generator(self._seed, "batches", epoch)
        starts, stops = windows(self._data.sequences, self._length, random)
        groups = token_batches(stops - starts - 1, self._tokens, random)
        return [(starts[group], stops[group]) for group in groups]

    def loss(self, batch: tuple[np.ndarray, np.ndarray], step: int) -> Tensor:
        """The mean loss over the targets of a batch."""
        starts, stops = batch
        self.model.encoder.masks.restart(self._seed, step)
        width = rung(int((stops - starts).max()) - 1, self._length)
        starts, stops = filled_windows(starts, stops, self._tokens // width)
        real = np.arange(width) < (stops - starts - 1)[:, None]
        read = padded(self._data.items, starts, stops - 1, width).astype(np.int64)
        target = padded(self._data.items, starts + 1, stops, width).astype(np.int64)
        random = generator(self._seed, "loss", step)
        times = time_inputs(self._data, starts, stops - 1, self.device, random, width)
        inputs = (*times, self._asked_about(target, random))
        counted = self._tensor(real.ravel())
        if self._negatives is None:
            table = self.model.items()
            hidden = self._hidden(nn.functional.embedding(self._tensor(read), table), inputs)
            return full_cross_entropy(hidden.float()[counted], table, self._tensor(target[real]))
        drawn = self._negatives.draw(target[real], random)
        # one look-up for all: an item whose id part is dropped is dropped where it is read and where it is scored
        rows = np.concatenate([read.ravel(), target.ravel(), drawn.items])
        used, places = distinct_rows(rows, self._items_total)
        vectors = self.model.items.rows(self._tensor(used)).to(self._type)
        places = self._tensor(places)
        inputs_in = nn.functional.embedding(places[: read.size].view(read.shape), vectors)
        scored = nn.functional.embedding(places[read.size :], vectors)
        hidden = self._hidden(inputs_in, inputs)
        return sampled_softmax(hidden, scored, self._tensor(target.ravel()), drawn, counted=counted)

    def _asked_about(
        self, target: Int64[np.ndarray, "row position"], random: np.random.Generator
    ) -> Tensor | None:
        """The topic a share of the positions is asked about: their target's own."""
        if self._topics is None:
            return None
        told = random.random(target.shape) < ASKED_SHARE
        return self._tensor(np.where(told, self._topics[target], 0).astype(np.int64))

    def _hidden(self, vectors: Tensor, inputs: tuple[Tensor | None, ...]) -> Tensor:
        """What to ask with, positions of all rows x dim."""
        return in_type(self.model.encoder, self._type, vectors, *inputs).flatten(0, 1)

    def validation(self) -> float | None:
        """NDCG@10 of the cases under full ranking."""
        if self._cases is None:
            return None
        cases = self._cases
        asked = query_vectors(self.model, cases.histories, self._length)
        with torch.no_grad():
            table = self.model.items()
            gains = []
            bounds = cases.histories.sequences.bounds
            size = max(1, 4_000_000 // table.shape[0])
            for start in range(0, cases.target.size, size):
                part = slice(start, start + size)
                scores = (torch.as_tensor(asked[part], device=self.device) @ table.T).cpu().numpy()
                wanted = cases.target[part]
                if cases.seen_out:
                    first = bounds[start : start + wanted.size + 1]
                    rows = np.repeat(np.arange(wanted.size), np.diff(first))
                    scores[rows, cases.histories.items[first[0] : first[-1]]] = -np.inf
                own = scores[np.arange(wanted.size), wanted]
                rank = np.count_nonzero(scores >= own[:, None], axis=1)
                gains.append(target_rank.ndcg(rank.astype(np.float64), 10))
        return float(np.concatenate(gains).mean())

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, device=self.device)


def filled_windows(
    starts: Int64[np.ndarray, " sequence"], stops: Int64[np.ndarray, " sequence"], rows: int
) -> tuple[Int64[np.ndarray, " row"], Int64[np.ndarray, " row"]]:
    """The windows, and empty ones up to one of few numbers of rows, a full batch's the largest."""
    empty = rung(starts.size, rows) - starts.size
    nothing = np.zeros(empty, dtype=np.int64)
    return np.concatenate([starts, nothing]), np.concatenate([stops, nothing + 1])


def distinct_rows(
    rows: Int64[np.ndarray, " place"], items_total: int
) -> tuple[Int64[np.ndarray, " used"], Int64[np.ndarray, " place"]]:
    """The rows that occur, ascending, and where among them each one is."""
    occurs = np.zeros(items_total, dtype=bool)
    occurs[rows] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[rows]


def time_inputs(
    data: SequenceData,
    starts: Int[np.ndarray, " sequence"],
    stops: Int[np.ndarray, " sequence"],
    device: torch.device,
    random: np.random.Generator | None = None,
    width: int | None = None,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Time gaps between events, from each event to the question, and the calendar of the question.

    While training, half of the questions are put right after the event, half at a random moment before
    the next one: so the model learns what having waited says, and both ways of asking are answered.
    """
    if data.gaps is None:
        return None, None, None
    gaps = torch.as_tensor(padded(data.gaps, starts, stops, width), device=device)
    if data.waits is None or data.at is None:
        return gaps, None, None
    waits = padded(data.waits, starts, stops, width)
    if random is not None:
        share = random.random(waits.shape) * (random.random(waits.shape) < 0.5)
        waits = np.maximum(waits, 0) * share
    waits = waits.astype(np.int64)
    asked_at = padded(data.at, starts, stops, width) + waits
    return (
        gaps,
        torch.as_tensor(gap_buckets(waits), device=device),
        torch.as_tensor(calendar_values(asked_at), device=device),
    )


def query_vectors(
    model: NextItemModel, data: SequenceData, length: int
) -> Float32[np.ndarray, "sequence dim"]:
    """What each history asks with: the vector at its last position; zeros for an empty history.

    Args:
        model: in evaluation mode.
        data: histories; ``waits`` of a last event is the time from it to the question.
        length: the latest events that are read.
    """
    nothing = np.zeros((data.sequences.lengths.size, 1), dtype=np.int64)
    return topic_vectors(model, data, length, nothing)[:, 0]


def topic_vectors(
    model: NextItemModel, data: SequenceData, length: int, topics: Int64[np.ndarray, "sequence topic"]
) -> Float32[np.ndarray, "sequence topic dim"]:
    """What each history asks with about each of its topics; the history is read once for all of them.

    Args:
        model: in evaluation mode.
        data: see :func:`query_vectors`.
        length: the latest events that are read.
        topics: from 1 on; 0: what comes next at all.
    """
    device = model.items.ids.device
    stops = data.sequences.bounds[1:]
    starts = np.maximum(data.sequences.bounds[:-1], stops - length)
    found = np.zeros((*topics.shape, model.items.ids.shape[1]), dtype=np.float32)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        table = model.items()
        for batch in token_batches(np.maximum(stops - starts, 1), QUERY_TOKENS):
            chosen = batch[stops[batch] > starts[batch]]
            if chosen.size == 0:
                continue
            read = torch.as_tensor(
                padded(data.items, starts[chosen], stops[chosen]).astype(np.int64), device=device
            )
            inputs = time_inputs(data, starts[chosen], stops[chosen], device)
            states = model.encoder.states(nn.functional.embedding(read, table), *inputs)
            last = torch.as_tensor(stops[chosen] - starts[chosen] - 1, device=device)
            own = states[torch.arange(chosen.size, device=device), last]
            about = torch.as_tensor(topics[chosen], device=device)
            asked = model.encoder.asked(own[:, None].expand(-1, about.shape[1], -1), about)
            found[chosen] = asked.cpu().numpy()
    model.train(was_training)
    return found
