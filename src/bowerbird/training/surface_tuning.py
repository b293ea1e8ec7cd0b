"""Training for one surface, from scratch or from a pretrained model, with items in mind that nobody knows yet."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64
from torch import Tensor
from torch.nn import functional

from bowerbird.clock import DAY_US
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.foundation import (
    PRETRAINED,
    FoundationModel,
    FoundationSettings,
    Reader,
    new_model,
    train_task,
)
from bowerbird.training.losses import sampled_softmax
from bowerbird.training.negatives import Negatives
from bowerbird.training.surface_log import SurfaceCases, SurfaceLog, next_on

__all__ = ["SurfaceTuning", "altered", "fit_surface"]


class SurfaceTuning:
    """Batches and loss of training for one surface: from every place, the next item liked there.

    Scored items may have another's learnt part, or none while they are young; read items keep theirs.

    Source: PinFM, sections on cold start (candidate item randomisation, item-age dependent dropout). There a candidate
    stands in the sequence; here it is compared with what the sequence asks, so it is the compared vector that is altered.

    Args:
        reader: the model and what it reads.
        surface: code of the surface.
        for_new: whether learnt parts are exchanged and left out, for the sake of new items.
    """

    def __init__(self, reader: Reader, surface: int, *, for_new: bool) -> None:
        self._reader, self._for_new = reader, for_new
        self._next = next_on(reader.log, surface)
        self._first_met = reader.log.first_met

    @property
    def model(self) -> FoundationModel:
        """What is trained."""
        return self._reader.model

    def batches(self, epoch: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Windows after some place of which somebody comes to like an item on the surface."""
        return self._reader.batches(epoch, self._next >= 0)

    def validation(self) -> float | None:
        """See :meth:`~bowerbird.training.foundation.Reader.validation`."""
        return self._reader.validation()

    def loss(self, batch: tuple[np.ndarray, np.ndarray], step: int) -> Tensor:
        """The mean loss over the places that have a next item on the surface."""
        reader = self._reader
        starts, stops, width = reader.framed(batch)
        reader.model.encoder.masks.restart(reader.seed, step)
        random = generator(reader.seed, "surface loss", step)
        here = starts[:, None] + np.arange(width)
        inside = here < stops[:, None]
        coming = np.where(inside, self._next[np.where(inside, here, 0)], -1)
        targets = coming[coming >= 0]
        table = reader.model.items()
        hidden = reader.hidden(starts, stops, width, table)[reader.tensor(coming >= 0)]
        target = reader.log.items[targets].astype(np.int64)
        drawn = reader.negatives.draw(target, random)
        scored = self._scored(target, reader.log.at[targets], drawn, table, random).to(hidden.dtype)
        return sampled_softmax(hidden, scored, reader.tensor(target), drawn)

    def _scored(
        self,
        target: Int64[np.ndarray, "pair"],
        at: Int64[np.ndarray, "pair"],
        drawn: Negatives,
        table: Tensor,
        random: np.random.Generator,
    ) -> Tensor:
        """Vectors of targets and negatives, altered where new items are to be learnt for."""
        tensor, items = self._reader.tensor, np.concatenate([target, drawn.items])
        if not self._for_new:
            return functional.embedding(tensor(items), table)
        moments = np.concatenate([at, random.choice(at, drawn.items.size)])
        ids, kept = altered(items, moments, self._first_met, self._reader.settings, random)
        return self._reader.model.items.candidates(tensor(items), tensor(ids), tensor(kept))


def altered(
    items: Int64[np.ndarray, "item"],
    at: Int64[np.ndarray, "item"],
    first_met: Int64[np.ndarray, "catalogue"],
    settings: FoundationSettings,
    random: np.random.Generator,
) -> tuple[Int64[np.ndarray, "item"], Bool[np.ndarray, "item"]]:
    """Whose learnt part each scored item has, and whether it has one.

    Args:
        items: what is scored.
        at: the moment each is scored at, microseconds UTC.
        first_met: of the catalogue.
        settings: how often.
        random: decides.
    """
    others = random.integers(0, first_met.size, items.size)
    ids = np.where(random.random(items.size) < settings.other_ids, others, items)
    young = at - first_met[items].clip(max=np.iinfo(np.int64).max // 2) < settings.young_days * DAY_US
    return ids, ~(young & (random.random(items.size) < settings.young_dropout))


def fit_surface(
    log: SurfaceLog,
    surface: int,
    settings: FoundationSettings,
    cases: SurfaceCases | None,
    seed: int,
    *,
    pretrained: FoundationModel | None = None,
    for_new: bool = False,
    progress: Progress = SILENT,
) -> FoundationModel:
    """A model for one surface: from scratch, or tuned with what was pretrained learning at a tenth of the rate.

    Raises:
        InputError: the loss is not finite.
    """
    model = new_model(log, settings, seed) if pretrained is None else copy.deepcopy(pretrained)
    task = SurfaceTuning(Reader(model, log, settings, cases, seed), surface, for_new=for_new)
    slowed = () if pretrained is None else PRETRAINED
    shares: dict[str, float] = dict.fromkeys(slowed, settings.tuned_share)
    train_task(task, settings, "from scratch" if pretrained is None else "tuning", progress, shares)
    return model
