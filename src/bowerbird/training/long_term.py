"""The long-term vector: trained on everything a person does in the weeks after, not on the next step alone.

A vector is made once a day and read until the next; what matters is how good it still is then. So a position of a
sequence is asked for an event drawn from all of the days after it, and everybody counts alike however busy they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from bowerbird.clock import DAY_US
from bowerbird.nn.causal_blocks import GatedBlock
from bowerbird.nn.dropout import MaskStream
from bowerbird.nn.precision import fast_type, in_type
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.nn.sequence_encoder import ItemVectors, SequenceEncoder
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.batches import Ragged, padded, rung, token_batches, windows
from bowerbird.training.loop import LoopSettings, best_device, train
from bowerbird.training.losses import sampled_softmax
from bowerbird.training.memory import TrainingShape, refuse_too_large
from bowerbird.training.negatives import MixedNegatives, counted
from bowerbird.training.next_item import (
    NextItemModel,
    SequenceData,
    distinct_rows,
    filled_windows,
    query_vectors,
    time_inputs,
)
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.long_term_settings import LongTermSettings
from bowerbird.users.next_item import GAP_BUCKETS, gap_buckets

__all__ = ["FutureTask", "LongTermEncoder", "LongTermSettings", "fit_long_term", "reaches"]


def reaches(sequences: Ragged, at: Int64[np.ndarray, "event"], future_us: int) -> Int64[np.ndarray, "event"]:
    """Per event, the last event of its person at most that much later: itself where nothing follows in time.

    Example:
        >>> reaches(Ragged(np.array([0, 3, 4])), np.array([0, 5, 20, 7]), 10).tolist()
        [1, 1, 2, 3]
    """
    last = np.arange(at.size, dtype=np.int64)
    for first, end in zip(sequences.bounds[:-1].tolist(), sequences.bounds[1:].tolist(), strict=True):
        own = at[first:end]
        last[first:end] = first + np.searchsorted(own, own + future_us, side="right") - 1
    return last


class FutureTask:
    """Batches and loss of training for the days after; see :class:`bowerbird.training.loop.Task`.

    ``L = -log exp(u_i . v_p / T - log Q(p)) / (same + sum_n exp(u_i . v_n / T - log Q(n)))`` for random positions ``i``
    of a sequence and one positive ``p`` drawn from the events of the next ``future_days``.

    Source: Pancha et al., "PinnerFormer", arXiv:2205.04507, section 3 (dense all action loss, mixed negatives, logQ).
    With a learnt part of each item beside its content, and one positive per position.

    Args:
        model: what is trained.
        data: everybody's actions.
        at: their times, in the same places.
        settings: the dials.
        seed: decides windows, positions, positives, negatives and dropout.
    """

    def __init__(
        self,
        model: NextItemModel,
        data: SequenceData,
        at: Int64[np.ndarray, "event"],
        settings: LongTermSettings,
        seed: int,
    ) -> None:
        self.device = best_device()
        self.model = model.to(self.device)
        self._data, self._settings, self._seed = data, settings, seed
        ends = np.repeat(data.sequences.bounds[1:] - 1, data.sequences.lengths)
        here = np.arange(at.size, dtype=np.int64)
        if settings.future_days is None:
            self._reach = np.minimum(here + 1, ends)
        else:
            self._reach = reaches(data.sequences, at, round(settings.future_days * DAY_US))
        total = self._items_total = model.items.ids.shape[0]
        self._type = fast_type(self.device)
        self._negatives = MixedNegatives(counted(data.items, total), total, settings.negatives)

    def batches(self, epoch: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Windows of like lengths: first events and ends."""
        random = generator(self._seed, "long term batches", epoch)
        starts, stops = windows(self._data.sequences, self._settings.length, random)
        groups = token_batches(stops - starts, self._settings.tokens, random)
        return [(starts[group], stops[group]) for group in groups]

    def loss(self, batch: tuple[np.ndarray, np.ndarray], step: int) -> Tensor:
        """The mean loss over the positions asked."""
        self.model.encoder.masks.restart(self._seed, step)
        random = generator(self._seed, "long term loss", step)
        length, data, own = self._settings.length, self._data, batch[0].size
        width = rung(int((batch[1] - batch[0]).max()), length + 1)
        starts, stops = filled_windows(*batch, self._settings.tokens // width)
        places = starts[:, None] + np.arange(width)
        asked = places < stops[:, None]
        places = np.where(asked, places, 0)
        asked &= self._reach[places] > places
        asked[own:] = False  # windows that only fill
        asked &= _drawn(asked, self._settings.positions, random)
        if not asked.any():
            return self.model.items.ids.sum() * 0.0
        here = places[asked]
        positive = here + 1 + (random.random(here.size) * (self._reach[here] - here)).astype(np.int64)
        target = data.items[positive].astype(np.int64)
        read = padded(data.items, starts, stops, width).astype(np.int64)
        drawn = self._negatives.draw(target, random)
        rows = np.concatenate([read.ravel(), target, drawn.items])
        used, at = distinct_rows(rows, self._items_total)
        vectors = self.model.items.rows(self._tensor(used)).to(self._type)
        known = nn.functional.embedding(self._tensor(at), vectors)
        gaps, *_ = time_inputs(data, starts, stops, self.device, width=width)
        inside = known[: read.size].unflatten(0, read.shape)
        hidden = in_type(self.model.encoder, self._type, inside, gaps)[self._tensor(asked)]
        return sampled_softmax(hidden, known[read.size :], self._tensor(target), drawn)

    def validation(self) -> float | None:
        """None: every epoch is run, so that two objectives are trained alike."""
        return None

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, device=self.device)


class LongTermEncoder:
    """A trained long-term encoder: vectors of people to be compared with those of items by dot product.

    Args:
        model: the network.
        settings: how it was made.
    """

    def __init__(self, model: NextItemModel, settings: LongTermSettings) -> None:
        self.model, self.settings = model, settings

    def items(self) -> Float32[np.ndarray, "item dim"]:
        """The items' side."""
        with torch.no_grad():
            return self.model.items().cpu().numpy()

    def vectors(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user dim"]:
        """Everybody's vector of the actions strictly before a time; zeros for those without any."""
        past = behaviour.before(as_of)
        return query_vectors(self.model, sequence_data(past), self.settings.length)


def fit_long_term(
    past: Behaviour,
    seed: int,
    settings: LongTermSettings | None = None,
    progress: Progress = SILENT,
    *,
    content: Float32[np.ndarray, "item width"] | None = None,
    checkpoint: Path | None = None,
) -> LongTermEncoder:
    """A long-term encoder trained on these actions.

    Args:
        past: what people did, in order.
        seed: decides everything random.
        settings: the dials.
        progress: shows the epochs.
        content: of the items, of mean squared length 1, zero rows where an item has none: so that an item nobody met
            has a place among the others.
        checkpoint: a file to keep the state in, and to go on from; its name says what is trained on what.

    Raises:
        TooLargeError: it would not fit into memory.
        InputError: the loss is not finite.
    """
    settings = LongTermSettings() if settings is None else settings
    shape = TrainingShape(
        items=past.items_total, dim=settings.dim, blocks=settings.blocks, heads=settings.heads,
        tokens=settings.tokens, length=settings.length, negatives=settings.negatives,
    )  # fmt: skip
    refuse_too_large(shape, "long-term vector")
    with seeded_draws(int(generator(seed, "long term", "weights").integers(2**31))):
        masks = MaskStream()
        reach = settings.length + 1
        blocks = [
            GatedBlock(settings.dim, settings.heads, settings.dropout, reach, masks)
            for _ in range(settings.blocks)
        ]
        known = None if content is None else torch.from_numpy(content)
        model = NextItemModel(
            ItemVectors(past.items_total, settings.dim, masks, known, settings.id_dropout),
            SequenceEncoder(settings.dim, blocks, settings.dropout, masks, gaps=GAP_BUCKETS),
        )
    task = FutureTask(model, sequence_data(past), past.at, settings, seed)
    loop = LoopSettings(epochs=settings.epochs, learning_rate=settings.learning_rate)
    name = "next action" if settings.future_days is None else "long-term vector"
    fingerprint = checkpoint.name if checkpoint is not None else ""
    train(task, loop, name=name, fingerprint=fingerprint, checkpoint=checkpoint, progress=progress)
    return LongTermEncoder(model, settings)


def sequence_data(past: Behaviour) -> SequenceData:
    """Everybody's actions as sequences, with the time between them; the time to the question plays no part, so that
    a vector changes with a person's own actions only.
    """
    bounds = np.searchsorted(past.users, np.arange(past.users_total + 1)).astype(np.int64)
    gap = np.diff(past.at, prepend=past.at[:1])
    gap[bounds[:-1][np.diff(bounds) > 0]] = 0
    return SequenceData(Ragged(bounds), past.items, gap_buckets(gap))


def _drawn(asked: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """At most so many of the marked places of each row, by chance."""
    order = np.argsort(np.where(asked, random.random(asked.shape), 2.0), axis=1)
    drawn = np.zeros(asked.shape, dtype=bool)
    np.put_along_axis(drawn, order[:, :most], values=True, axis=1)
    return drawn
