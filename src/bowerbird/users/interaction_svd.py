"""A basis of items from who met what: the leading directions of the degree-normalised matrix of people and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from scipy import sparse
from scipy.sparse.linalg import svds

from bowerbird.clock import DAY_US
from bowerbird.randomness import generator
from bowerbird.users.behaviour import Behaviour


@dataclass(frozen=True)
class ItemBasis:
    """Directions of items; a history's vector is the sum of its items' rows.

    Args:
        basis: ``V``: right singular vectors of ``D_u^-1/2 X D_i^-1/2``, one row an item.
        damping: ``D_i^-1/2``; 0 for items never met.
        strengths: singular value of each direction, 1 at most; 0 for directions that are not there.
    """

    basis: Float32[np.ndarray, "item dim"]
    damping: Float32[np.ndarray, "item"]
    strengths: Float32[np.ndarray, "dim"]

    @staticmethod
    def fitted(past: Behaviour, dim: int, seed: int) -> ItemBasis:
        """The basis of who met what.

        Frequent items and busy people are damped, so that the leading directions are tastes and not popularity.

        Source: Shen et al., GF-CF, CIKM 2021, eq. 8 (the low-pass filter); only its directions are kept.

        Args:
            past: steps; repeats count once.
            dim: directions; fewer people or items give fewer, the rest are 0.
            seed: of the solver's start.
        """
        table = past.met()
        shape = table.shape
        damping = _damping(np.asarray(table.sum(axis=0)).ravel())
        damped = (
            sparse.diags_array(_damping(np.asarray(table.sum(axis=1)).ravel()))
            @ table
            @ sparse.diags_array(damping)
        )
        rank = min(dim, min(shape) - 1)
        basis = np.zeros((past.items_total, dim), dtype=np.float32)
        strengths = np.zeros(dim, dtype=np.float32)
        if rank >= 1 and table.nnz:
            start = generator(seed, "item basis").standard_normal(min(shape)).astype(np.float32)
            _, values, right = svds(sparse.csr_matrix(damped), k=rank, v0=start)
            order = np.argsort(-values)
            basis[:, :rank] = right[order].T
            strengths[:rank] = values[order]
        return ItemBasis(basis, damping, strengths)

    @staticmethod
    def none() -> ItemBasis:
        """A basis of nothing."""
        return ItemBasis(np.zeros((0, 0), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32))

    def projected(
        self, past: Behaviour, as_of: int, half_life_days: float
    ) -> Float32[np.ndarray, "user dim"]:
        """Decayed histories in the basis: ``sum over steps of 2^(-age / half_life) damping_i V_i / sqrt(steps)``."""
        weights = np.exp2(-((as_of - past.at) / DAY_US) / half_life_days).astype(np.float32)
        table = sparse.csr_array(
            (weights, (past.users, past.items)), shape=(past.users_total, past.items_total)
        )
        lengths = np.sqrt(np.maximum(past.counts(), 1)).astype(np.float32)
        return np.asarray(table @ (self.damping[:, None] * self.basis), np.float32) / lengths[:, None]


def _damping(degrees: np.ndarray) -> Float32[np.ndarray, "n"]:
    return np.where(degrees > 0, 1.0 / np.sqrt(np.maximum(degrees, 1.0)), 0.0).astype(np.float32)
