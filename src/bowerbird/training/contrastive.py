"""Contrastive losses: what belongs together scores higher than what stands beside it by chance."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

MOST_SCALE = 100.0
"""The learnt temperature never gets sharper than 1 / 100: beyond, one noisy pair decides the gradient."""


def info_nce(
    left: Float[Tensor, "pair dim"],
    right: Float[Tensor, "pair dim"],
    scale: Float[Tensor, ""],
    *,
    same: Bool[Tensor, "pair pair"] | None = None,
    log_popularity: Float[Tensor, "pair"] | None = None,
    target: Float[Tensor, "pair pair"] | None = None,
    beside: Float[Tensor, "negative dim"] | None = None,
    same_beside: Bool[Tensor, "pair negative"] | None = None,
) -> Float[Tensor, ""]:
    """Each left vector should find its right vector among all of the batch, and the other way round.

    ``loss = mean_i ( CE(scale l_i R^T - log q, i) + CE(scale r_i L^T, i) ) / 2``, R with the rows beside it

    Args:
        left: unit vectors.
        right: unit vectors; row ``i`` belongs to row ``i`` of the left.
        scale: inverse temperature.
        same: pairs that belong together too and must not count as negatives, e.g. equal captions.
        log_popularity: logarithm of how likely each right row is to be in a batch; without it what is
            popular is pushed away for being drawn often (logQ correction).
        target: how much of each pair's target lies on each other pair, see :func:`softened`; all on its own when None.
        beside: unit vectors of more negatives of the left vectors, hard ones for instance.
        same_beside: pairs of a left vector and one beside that belong together and must not count as negatives.

    Source: van den Oord et al. 2018, arXiv:1807.03748; symmetric as in CLIP (arXiv:2103.00020); logQ as in Yi et al.,
    RecSys 2019, section 4.
    """
    scores = left @ right.T * scale.clamp(max=MOST_SCALE)
    own = torch.arange(len(left))
    if same is not None:
        scores = scores.masked_fill(same & (own[:, None] != own[None, :]), -1e4)
    ahead = scores if log_popularity is None else scores - log_popularity[None, :]
    wanted = own if target is None else target
    back = functional.cross_entropy(scores.T, wanted)
    if beside is not None:
        more = left @ beside.T * scale.clamp(max=MOST_SCALE)
        if same_beside is not None:
            more = more.masked_fill(same_beside, -1e4)
        ahead = torch.cat([ahead, more], dim=1)
        wanted = own if target is None else functional.pad(target, (0, len(beside)))
    return (functional.cross_entropy(ahead, wanted) + back) / 2


def softened(
    meaning: Float[Tensor, "pair width"],
    share: float,
    *,
    same: Bool[Tensor, "pair pair"] | None = None,
    temperature: float = 0.1,
) -> Float[Tensor, "pair pair"]:
    """Targets that admit that some negatives are nearly right: two texts that mean the same describe both pictures.

    ``target = (1 - share) I + share softmax_j(u_i . u_j / temperature)``

    Args:
        meaning: unit vectors of the texts, by an encoder that knew their meaning before.
        share: of the target that is spread, in [0, 1].
        same: pairs that are left out of the softmax as they are left out of the loss.
        temperature: how quickly the share falls with the cosine.

    Source: soft targets of a teacher as in Hinton et al. 2015, arXiv:1503.02531; between texts as in PyramidCLIP
    (arXiv:2204.14095) and SoftCLIP (arXiv:2303.17561), here by the frozen text encoder.
    """
    near = meaning @ meaning.T / temperature
    own = torch.eye(len(meaning), dtype=torch.bool)
    if same is not None:
        near = near.masked_fill(same & ~own, -torch.inf)
    return (1 - share) * own.float() + share * near.masked_fill(own, 1 / temperature).softmax(dim=1)
