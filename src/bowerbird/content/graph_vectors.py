"""Vectors of items from content and the graph of who keeps what: one step of neighbourhood pooling, closed form.

An item's features are its own content and the content of its neighbours, pooled by importance. A linear map
of the features is fitted so that products of vectors predict how often walks lead from one item to another.
A new item has no neighbours of its own: it borrows those of the items it resembles, so it gets a
vector in the same space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from bowerbird.arrays import normalise
from bowerbird.config import Settings
from bowerbird.content.graph import WalkNeighbours, propagated, resembled

__all__ = ["GraphVectorSettings", "GraphVectors", "complete_neighbours", "fitted_graph_vectors"]


class GraphVectorSettings(Settings):
    """The dials of the map."""

    dim: int = Field(default=128, ge=1, le=4096)
    """Width of the vectors."""
    ridge: float = Field(default=0.3, gt=0.0)
    """Penalty of the map, in units of the mean variance of the features."""
    near: int = Field(default=10, ge=1)
    """Known items whose neighbours a new item borrows."""


@dataclass(frozen=True)
class GraphVectors:
    """The fitted map from content and pooled content to vectors."""

    centre: Float32[np.ndarray, " width"]
    projection: Float32[np.ndarray, "width dim"]

    def vectors(
        self, content: Float32[np.ndarray, "item half"], neighbours: WalkNeighbours
    ) -> Float32[np.ndarray, "item dim"]:
        """Unit vectors of items.

        Args:
            content: unit vectors of all items; zero rows for items without content.
            neighbours: of all items, see :func:`complete_neighbours`.
        """
        return normalise((_features(content, neighbours) - self.centre) @ self.projection)


def complete_neighbours(
    neighbours: WalkNeighbours, content: Float32[np.ndarray, "item dim"], near: int
) -> WalkNeighbours:
    """The same neighbours, and borrowed ones for every item that has none but has content.

    Args:
        neighbours: from walks.
        content: unit vectors; zero rows for items without content.
        near: how many known items a new one borrows from.
    """
    known = neighbours.rows[:, 0] >= 0
    sources = np.flatnonzero(known & content.any(axis=1))
    fresh = np.flatnonzero(~known & content.any(axis=1))
    rows, weights = neighbours.rows.copy(), neighbours.weights.copy()
    if fresh.size and sources.size:
        borrowed = propagated(*resembled(content, fresh, sources, near), neighbours, rows.shape[1])
        rows[fresh], weights[fresh] = borrowed.rows, borrowed.weights
    return WalkNeighbours(rows, weights)


def fitted_graph_vectors(
    content: Float32[np.ndarray, "item half"],
    neighbours: WalkNeighbours,
    settings: GraphVectorSettings | None = None,
) -> GraphVectors:
    """Fit the map: ``V = F B`` with ``V V'`` close to the walks' weights.

    With features ``F`` of the items that have neighbours, ``W`` the symmetric table of their weights and
    ``G = F'F + r I``, the best form is ``M = G^-1 F'WF G^-1``; ``B`` holds its leading eigenvectors times
    the roots of their eigenvalues.

    Args:
        content: unit vectors; zero rows for items without content.
        neighbours: from walks; items without neighbours teach nothing.
        settings: the dials; defaults when None.

    Source: importance pooling is PinSage's (Ying et al., KDD 2018); the closed form in place of epochs of
    sampled losses is the two-sided ridge regression of Romera-Paredes & Torr, ICML 2015.
    """
    dials = settings or GraphVectorSettings()
    known = neighbours.rows[:, 0] >= 0
    features = _features(content, neighbours)
    centre = features[known].mean(axis=0) if known.any() else np.zeros(features.shape[1], dtype=np.float32)
    centred = np.where(known[:, None], features - centre, 0.0).astype(np.float32)
    walks = neighbours.matrix()
    gram = (centred.T @ centred).astype(np.float64)
    gram[np.diag_indices_from(gram)] += dials.ridge * max(float(np.trace(gram)) / gram.shape[0], 1e-9)
    crossed = centred.T @ np.asarray(walks @ centred, dtype=np.float64)
    half = np.linalg.solve(gram, crossed + crossed.T)
    values, directions = np.linalg.eigh(np.linalg.solve(gram, half.T))
    leading = np.argsort(-values)[: dials.dim]
    projection = directions[:, leading] * np.sqrt(np.maximum(values[leading], 0.0))
    return GraphVectors(centre.astype(np.float32), projection.astype(np.float32))


def _features(
    content: Float32[np.ndarray, "item half"], neighbours: WalkNeighbours
) -> Float32[np.ndarray, "item width"]:
    pooled = np.asarray(neighbours.matrix() @ content, dtype=np.float32)
    return np.concatenate([content, normalise(pooled)], axis=1)
