"""Looks: which products are in a scene, by two small heads over frozen picture vectors.

A crop of a room and a product on white differ before they differ in content, so each side is centred on its
own mean; both are then turned to shared axes that are damped by their variance, and a learnt square map on
each side (identity before training) brings what belongs together closer. A scene scores a product by its
best regions::

    z(x) = unit(((x - mean_side) Axes) Map_side),   score(s, p) = t log mean_{r in s} exp(z(r) . z(p) / t)

Companions (:class:`Companions`) then add what is used together with the best-scored products elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, Int64
from safetensors import SafetensorError, safe_open
from scipy import sparse

from bowerbird.arrays import normalise
from bowerbird.content.tensor_file import write_tensors
from bowerbird.errors import InputError
from bowerbird.records.signal import Space

__all__ = ["AXES", "Companions", "LooksModel", "Side", "frozen_looks", "pooled", "standardised"]

AXES = 512
"""Most shared axes; fewer where the vectors are narrower."""
DAMPING = 0.35
"""An axis of variance ``v`` is scaled by ``v**-DAMPING``: between plain axes (0) and whitened ones (.5)."""
POOL_T = 0.05
"""Temperature of the pooling over regions: near 0 the best region alone counts."""
COMPANION_T = 0.3
COMPANION_WEIGHT = 0.25


@dataclass(frozen=True)
class Side:
    """How one side's vectors come into the shared space."""

    mean: Float32[np.ndarray, " dim"]
    turn: Float32[np.ndarray, "dim axis"]
    """Axes times the learnt map."""

    def project(self, vectors: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n axis"]:
        """Unit rows in the shared space."""
        return normalise(normalise(vectors - self.mean) @ self.turn)


@dataclass(frozen=True)
class LooksModel:
    """Scene regions and products in one space.

    Args:
        space: where the input vectors live.
        region: the scenes' side.
        product: the products' side.
    """

    space: Space
    region: Side
    product: Side

    def scores(
        self,
        regions: Float32[np.ndarray, "region dim"],
        bounds: Int64[np.ndarray, " bound"],
        products: Float32[np.ndarray, "product dim"],
    ) -> Float32[np.ndarray, "scene product"]:
        """How well each product fits each scene; scene ``s`` owns regions ``bounds[s]:bounds[s + 1]``."""
        return pooled(self.region.project(regions), bounds, self.product.project(products))

    def save(self, path: Path) -> None:
        """Write as one safetensors file."""
        tensors = {}
        for name, side in (("region", self.region), ("product", self.product)):
            tensors[f"{name}.mean"], tensors[f"{name}.turn"] = side.mean, side.turn
        write_tensors(path, tensors, {"space": self.space.key})

    @staticmethod
    def load(path: Path) -> LooksModel:
        """The model :meth:`save` wrote.

        Raises:
            InputError: the file is absent, damaged or holds something else.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                sides = [
                    Side(file.get_tensor(f"{name}.mean"), file.get_tensor(f"{name}.turn"))
                    for name in ("region", "product")
                ]
                return LooksModel(Space.from_key((file.metadata() or {})["space"]), sides[0], sides[1])
        except (OSError, KeyError, SafetensorError) as error:
            raise InputError(
                f"{path}: not a saved looks model: {error}; run `bowerbird build looks` to make it anew"
            ) from error


def pooled(
    regions: Float32[np.ndarray, "region axis"],
    bounds: Int64[np.ndarray, " bound"],
    products: Float32[np.ndarray, "product axis"],
    temperature: float = POOL_T,
) -> Float32[np.ndarray, "scene product"]:
    """Soft maximum over each scene's regions of the similarity to each product.

    Example:
        >>> one = np.eye(2, dtype=np.float32)
        >>> pooled(one, np.array([0, 2]), one[:1], 1e-3).round(2).tolist()
        [[1.0]]
    """
    out = np.zeros((len(bounds) - 1, len(products)), dtype=np.float32)
    for scene in range(len(bounds) - 1):
        similarity = regions[bounds[scene] : bounds[scene + 1]] @ products.T
        if len(similarity):
            top = similarity.max(axis=0)
            out[scene] = top + temperature * np.log(np.exp((similarity - top) / temperature).mean(axis=0))
    return out


def frozen_looks(
    space: Space, regions: Float32[np.ndarray, "region dim"], products: Float32[np.ndarray, "product dim"]
) -> LooksModel:
    """The model before training: centred sides and shared, damped axes; no pairs are needed.

    Args:
        space: where the vectors live.
        regions: regions of scenes to fit the axes on.
        products: products to fit the axes on.
    """
    means = [part.mean(axis=0, dtype=np.float64).astype(np.float32) for part in (regions, products)]
    centred = np.concatenate([normalise(regions - means[0]), normalise(products - means[1])])
    variance, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred / len(centred))
    variance, axes = variance[::-1][:AXES], axes[:, ::-1][:, :AXES]
    signs = np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    turn = (axes * signs * (np.maximum(variance, 0) + 1e-6) ** -DAMPING).astype(np.float32)
    return LooksModel(space, Side(means[0], turn), Side(means[1], turn))


@dataclass(frozen=True)
class Companions:
    """What is used together: pairs of products that share scenes, damped by how often each is used.

    ``M_pq = sum over scenes with both of 1 / log2(2 + size) / sqrt(c_p c_q)``.

    Args:
        together: products by products; an empty diagonal.
    """

    together: sparse.csr_array

    @staticmethod
    def of(scenes: Sequence[Int[np.ndarray, "_"]], products: int) -> Companions:
        """Count the pairs of known scenes.

        Args:
            scenes: product rows of each scene.
            products: size of the catalogue.
        """
        rows = np.concatenate([np.repeat(one, len(one)) for one in scenes]) if scenes else np.empty(0, int)
        columns = np.concatenate([np.tile(one, len(one)) for one in scenes]) if scenes else np.empty(0, int)
        weights = [np.full(len(one) ** 2, 1 / np.log2(2 + len(one)), np.float32) for one in scenes]
        values = np.concatenate(weights) if scenes else np.empty(0, np.float32)
        kept = rows != columns
        table = sparse.coo_array((values[kept], (rows[kept], columns[kept])), shape=(products, products))
        count = np.bincount(np.concatenate(scenes), minlength=products) if scenes else np.zeros(products)
        damp = sparse.diags_array(np.maximum(count, 1.0) ** -0.5)
        return Companions(sparse.csr_array(damp @ table.tocsr() @ damp, dtype=np.float32))

    def added(self, scores: Float32[np.ndarray, "scene product"]) -> Float32[np.ndarray, "scene product"]:
        """Scores with a share for what goes with the products that score best.

        Where nothing is known to go together the order stays as it is.
        """
        base = standardised(scores)
        if not self.together.nnz:
            return base
        return base + np.float32(COMPANION_WEIGHT) * standardised(np.sqrt(_chances(base) @ self.together))

    def because(self, scores: Float32[np.ndarray, "scene product"]) -> Int64[np.ndarray, "scene product"]:
        """The product that speaks most for each by being used with it; -1 where none does.

        Args:
            scores: of looks alone.
        """
        chance = _chances(standardised(scores))
        found = np.full(scores.shape, -1, dtype=np.int64)
        for scene, own in enumerate(chance):
            spoken = sparse.csc_array(sparse.diags_array(own) @ self.together)
            for product in np.flatnonzero(np.diff(spoken.indptr)):
                span = slice(spoken.indptr[product], spoken.indptr[product + 1])
                found[scene, product] = spoken.indices[span][spoken.data[span].argmax()]
        return found


def _chances(base: Float32[np.ndarray, "scene product"]) -> Float32[np.ndarray, "scene product"]:
    """How likely each product is the one meant, from standardised scores."""
    chance = np.exp((base - base.max(axis=1, keepdims=True)) / COMPANION_T)
    return chance / chance.sum(axis=1, keepdims=True)


def standardised(scores: Float32[np.ndarray, "scene product"]) -> Float32[np.ndarray, "scene product"]:
    """Each scene's scores with mean 0 and deviation 1; equal scores become 0."""
    spread = scores.std(axis=1, keepdims=True)
    return ((scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)).astype(
        np.float32
    )
