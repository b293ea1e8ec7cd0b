"""Contrastive losses: what belongs together scores higher than what stands beside it by chance."""

from __future__ import annotations

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
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Each left vector should find its right vector among all of the batch, and the other way round.

    ``loss = mean_i ( CE(scale l_i R^T - log q, i) + CE(scale r_i L^T, i) ) / 2``

    Args:
        left: unit vectors.
        right: unit vectors; row ``i`` belongs to row ``i`` of the left.
        scale: inverse temperature.
        same: pairs that belong together too and must not count as negatives, e.g. equal captions.
        log_popularity: logarithm of how likely each right row is to be in a batch; without it what is
            popular is pushed away for being drawn often (logQ correction).
        smoothing: share of the target spread over all, because some negatives are true as well.

    Source: van den Oord et al. 2018, arXiv:1807.03748; symmetric as in CLIP (arXiv:2103.00020); logQ as in Yi et al.,
    RecSys 2019, section 4.
    """
    scores = left @ right.T * scale.clamp(max=MOST_SCALE)
    target = scores.new_tensor(range(len(left))).long()
    if same is not None:
        scores = scores.masked_fill(same & (target[:, None] != target[None, :]), -1e4)
    ahead = scores if log_popularity is None else scores - log_popularity[None, :]
    forward = functional.cross_entropy(ahead, target, label_smoothing=smoothing)
    backward = functional.cross_entropy(scores.T, target, label_smoothing=smoothing)
    return (forward + backward) / 2
