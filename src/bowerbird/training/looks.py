"""Learning which products are in a scene from pairs, without boxes.

For each scene of a batch a softmax over products puts its own products against everybody else's in the batch
(in-batch negatives), against random ones, and against those that frozen similarity takes for its own (hard
negatives)::

    loss = -mean_s mean_{p in s} log softmax_p(g score(s, p)) + l / 2 (|A - I|^2 + |B - I|^2)

``A`` and ``B`` are the maps of :class:`~bowerbird.content.looks.LooksModel`; they begin as the identity and
the penalty holds them near it, because a hundred scenes cannot carry half a million free numbers.

Source: in-batch and hard negatives as in Complete the Look (Kang et al., CVPR 2019, arXiv 1812.01748); the
pooling over regions in place of attention, and the penalty towards frozen similarity, are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Int64
from pydantic import Field

from bowerbird.config import Settings
from bowerbird.content.looks import POOL_T, LooksModel, pooled
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.losses import require_finite

__all__ = ["LooksSettings", "ScenePairs", "trained_looks"]


class LooksSettings(Settings):
    """How the maps are trained. Chosen by cross-validation on 85 scenes of one set."""

    steps: int = Field(default=60, ge=0, le=100_000)
    """Batches."""
    scenes: int = Field(default=16, ge=1, le=4096)
    """Scenes in a batch."""
    rate: float = Field(default=1e-3, gt=0, le=1)
    """Adam's learning rate."""
    penalty: float = Field(default=1e-2, ge=0)
    """``l``: pull towards frozen similarity."""
    random_negatives: int = Field(default=400, ge=1)
    """Products drawn at random for each batch."""
    hard_negatives: int = Field(default=0, ge=0)
    """Products most alike to each scene before training: on few scenes many of them are unlisted truths, and hurt."""


@dataclass(frozen=True)
class ScenePairs:
    """Scenes with regions and the products that are in them.

    Args:
        regions: vectors of all regions.
        bounds: scene ``s`` owns regions ``bounds[s]:bounds[s + 1]``.
        products: vectors of the catalogue.
        within: product rows of each scene; empty where none is known.
    """

    regions: Float32[np.ndarray, "region dim"]
    bounds: Int64[np.ndarray, " bound"]
    products: Float32[np.ndarray, "product dim"]
    within: Sequence[Int64[np.ndarray, "_"]]


def trained_looks(
    frozen: LooksModel,
    pairs: ScenePairs,
    train: Int64[np.ndarray, " scene"],
    settings: LooksSettings | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> LooksModel:
    """The model after training on some scenes.

    Args:
        frozen: where it begins; see :func:`~bowerbird.content.looks.frozen_looks`.
        pairs: scenes and their products.
        train: scenes to learn from; those without products are passed over.
        settings: the dials.
        seed: draws batches and negatives.
        progress: shows steps.

    Raises:
        InputError: no training scene has a product.

    Cost: per step one product of (regions of the batch, axis) and (sampled products, axis).
    """
    dials = settings or LooksSettings()
    known = np.array([scene for scene in train.tolist() if len(pairs.within[scene])], dtype=np.int64)
    if known.size == 0:
        raise InputError(f"trained_looks: none of {train.size} scenes has a product; expected pairs")
    draws = generator(seed, "training", "looks")
    regions = frozen.region.project(pairs.regions)
    products = frozen.product.project(pairs.products)
    hard = _hardest(regions, pairs, products, known, dials.hard_negatives)
    axes = regions.shape[1]
    identity = torch.eye(axes)
    maps = [torch.eye(axes, requires_grad=True) for _ in range(2)]
    gain = torch.tensor(2.5, requires_grad=True)
    adam = torch.optim.Adam([{"params": maps, "lr": dials.rate}, {"params": [gain], "lr": 0.02}])
    every = torch.from_numpy(products)
    progress.start("train looks", dials.steps, "steps")
    for step in range(dials.steps):
        batch = draws.choice(known, min(dials.scenes, known.size), replace=False)
        columns = _columns(batch, pairs, hard, draws, min(dials.random_negatives, len(products)))
        there = torch.nn.functional.normalize(every[columns] @ maps[1], dim=1)
        losses = []
        for scene in batch.tolist():
            part = torch.from_numpy(regions[pairs.bounds[scene] : pairs.bounds[scene + 1]])
            similarity = torch.nn.functional.normalize(part @ maps[0], dim=1) @ there.T
            score = POOL_T * torch.logsumexp(similarity / POOL_T, dim=0)
            own = torch.from_numpy(np.searchsorted(columns, pairs.within[scene]))
            losses.append(-torch.log_softmax(gain.exp() * score, dim=0)[own].mean())
        far = sum(((one - identity) ** 2).sum() for one in maps)
        loss = torch.stack(losses).mean() + dials.penalty / 2 * far
        require_finite(loss, f"looks, step {step + 1} of {dials.steps}", f"rate ({dials.rate:g})")
        adam.zero_grad()
        loss.backward()
        adam.step()
        progress.advance()
    progress.finish()
    turned = [one.detach().numpy() for one in maps]
    return replace(
        frozen,
        region=replace(frozen.region, turn=frozen.region.turn @ turned[0]),
        product=replace(frozen.product, turn=frozen.product.turn @ turned[1]),
    )


def _hardest(
    regions: Float32[np.ndarray, "region axis"],
    pairs: ScenePairs,
    products: Float32[np.ndarray, "product axis"],
    known: Int64[np.ndarray, " scene"],
    most: int,
) -> dict[int, Int64[np.ndarray, "_"]]:
    """Products each scene is most alike to and does not hold."""
    found = {}
    for scene in known.tolist():
        span = pairs.bounds[scene : scene + 2]
        score = pooled(regions[span[0] : span[1]], span - span[0], products)[0]
        score[pairs.within[scene]] = -np.inf
        found[scene] = np.argsort(-score, kind="stable")[:most]
    return found


def _columns(
    batch: Int64[np.ndarray, " scene"],
    pairs: ScenePairs,
    hard: dict[int, Int64[np.ndarray, "_"]],
    draws: np.random.Generator,
    random: int,
) -> Int64[np.ndarray, " column"]:
    """Products of a batch's softmax, sorted: everybody's own, the hard ones and random ones."""
    parts = [draws.choice(len(pairs.products), random, replace=False)]
    for scene in batch.tolist():
        parts += [pairs.within[scene], hard[scene]]
    return np.unique(np.concatenate(parts)).astype(np.int64)
