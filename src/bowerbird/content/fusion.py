"""The fused item vector, version 1: look and words in one space of 256 numbers.

Each modality is centred and turned to its main axes on the catalogue (PCA, 128 of them), brought to
unit length and weighted; the two halves stand side by side and the whole is brought to unit length
again::

    v = unit( sqrt(1 - w) unit(P_image (x_image - m_image)) , sqrt(w) unit(P_text (x_text - m_text)) )

so the cosine of two items that have both is ``(1 - w) cos_image + w cos_text``. A missing modality is
zeros before the last step: an item of words only, a picture only or a composed query are embedded by
the same projection and compare on what they share.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from safetensors import SafetensorError, safe_open

from bowerbird.arrays import normalise
from bowerbird.content.tensor_file import write_tensors
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

__all__ = ["HALF_DIM", "Fusion", "Projection", "fitted_fusion", "fitted_projection"]

HALF_DIM = 128
"""Width of one modality's half."""
_FIT_ROWS = 100_000
"""Rows the axes are fitted on: more change them by less than they move between builds."""
_LEAST_VARIANCE = 1e-7
"""Axes with less than this share of the largest variance are rounding, and are left out."""


@dataclass(frozen=True)
class Projection:
    """One modality's centring and main axes."""

    space: Space
    """Where the input vectors live."""
    mean: Float32[np.ndarray, "dim"]
    axes: Float32[np.ndarray, "dim half"]
    """Columns are orthonormal; columns beyond the rank of the data are zero."""

    def project(self, vectors: Vectors) -> Float32[np.ndarray, "row half"]:
        """Unit vectors on the main axes; absent rows are zero.

        Raises:
            SpaceMismatchError: the vectors live in another space than the one fitted on.
        """
        self.space.require(vectors.space, "fusion")
        turned = normalise((vectors.matrix - self.mean) @ self.axes)
        return np.where(vectors.present[:, None], turned, np.float32(0))


@dataclass(frozen=True)
class Fusion:
    """Projects vectors of single modalities into the fused item space.

    Args:
        image: projection of the picture space, or None when the catalogue has no pictures.
        text: projection of the text space, or None when the catalogue has no words.
        text_weight: share of the words in the cosine of two items that have both, in [0, 1].
    """

    image: Projection | None
    text: Projection | None
    text_weight: float = 0.5

    @cached_property
    def space(self) -> Space:
        """The fused space; its version is a fingerprint of the axes, so a refit is another space."""
        digest = hashlib.blake2b(f"1/{self.text_weight!r}".encode(), digest_size=6)
        for part in (self.image, self.text):
            if part is None:
                digest.update(b"-")
            else:
                digest.update(part.space.key.encode() + part.mean.tobytes() + part.axes.tobytes())
        return Space("item", f"fused.1.{digest.hexdigest()}", 2 * HALF_DIM)

    def project(self, image: Vectors | None, text: Vectors | None) -> Vectors:
        """Fused vectors, one row per input row; a row is absent when both modalities are.

        Args:
            image: picture vectors, or None when there are none.
            text: text vectors of the same rows, or None when there are none.

        Raises:
            InputError: neither is given, or they have different numbers of rows.
            SpaceMismatchError: the vectors live in other spaces than the ones fitted on.
        """
        given = [vectors for vectors in (image, text) if vectors is not None]
        if not given:
            raise InputError("fusion: neither picture nor text vectors were given; expected at least one")
        if len({len(vectors) for vectors in given}) > 1:
            raise InputError(
                f"fusion: {len(given[0])} picture rows and {len(given[1])} text rows; expected equal"
            )
        rows = len(given[0])
        matrix = np.zeros((rows, 2 * HALF_DIM), dtype=np.float32)
        present = np.zeros(rows, dtype=bool)
        halves = (
            (self.image, image, 1.0 - self.text_weight, 0),
            (self.text, text, self.text_weight, HALF_DIM),
        )
        for projection, vectors, weight, left in halves:
            if projection is not None and vectors is not None:
                matrix[:, left : left + HALF_DIM] = projection.project(vectors) * np.float32(np.sqrt(weight))
                present |= vectors.present
        return Vectors(self.space, normalise(matrix), present)

    def save(self, path: Path) -> None:
        """Write the projections as one safetensors file."""
        tensors: dict[str, np.ndarray] = {}
        facts = {"text_weight": repr(self.text_weight)}
        for name, part in (("image", self.image), ("text", self.text)):
            if part is not None:
                tensors[f"{name}.mean"] = part.mean
                tensors[f"{name}.axes"] = part.axes
                facts[f"{name}.space"] = part.space.key
        write_tensors(path, tensors, facts)

    @staticmethod
    def load(path: Path) -> Fusion:
        """The fusion :meth:`save` wrote.

        Raises:
            InputError: the file is absent, damaged or holds something else.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                parts = {
                    name: Projection(
                        Space.from_key(facts[f"{name}.space"]),
                        file.get_tensor(f"{name}.mean"),
                        file.get_tensor(f"{name}.axes"),
                    )
                    for name in ("image", "text")
                    if f"{name}.space" in facts
                }
                return Fusion(parts.get("image"), parts.get("text"), float(facts["text_weight"]))
        except (OSError, KeyError, SafetensorError) as error:
            raise InputError(
                f"{path}: not a saved fusion: {error}; run `bowerbird build` to make it anew"
            ) from error


def fitted_fusion(image: Vectors | None, text: Vectors | None, text_weight: float = 0.5) -> Fusion:
    """The fusion of a catalogue: each modality's axes fitted on the rows that have it.

    Args:
        image: picture vectors of the catalogue; None or without present rows leaves the half empty.
        text: text vectors of the catalogue, likewise.
        text_weight: share of the words in the cosine of two items that have both, in [0, 1].

    Raises:
        InputError: the weight is outside [0, 1].
    """
    if not 0.0 <= text_weight <= 1.0:
        raise InputError(f"fusion: text_weight is {text_weight}, expected a share in [0, 1]")
    parts = [
        fitted_projection(vectors) if vectors is not None and bool(vectors.present.any()) else None
        for vectors in (image, text)
    ]
    return Fusion(parts[0], parts[1], text_weight)


def fitted_projection(vectors: Vectors) -> Projection:
    """Mean and main axes of the present rows; the same rows give the same axes on every run.

    The axes are the eigenvectors of the covariance with the largest eigenvalues; the largest
    coordinate of each is made positive, because an eigenvector's sign is arbitrary.

    Args:
        vectors: at least one present row. One row alone is not centred: nothing would be left.
    """
    rows = np.flatnonzero(vectors.present)
    rows = rows[:: max(1, -(-len(rows) // _FIT_ROWS))]
    values = vectors.matrix[rows].astype(np.float64)
    mean = values.mean(axis=0) if len(rows) > 1 else np.zeros(values.shape[1])
    axes = np.zeros((values.shape[1], HALF_DIM))
    found = _main_axes(values - mean)
    axes[:, : found.shape[1]] = found
    return Projection(vectors.space, mean.astype(np.float32), axes.astype(np.float32))


def _main_axes(centred: Float[np.ndarray, "row dim"]) -> Float[np.ndarray, "dim axis"]:
    variance, directions = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(-variance, kind="stable")[:HALF_DIM]
    order = order[variance[order] > _LEAST_VARIANCE * max(float(variance.max()), 0.0)]
    axes = directions[:, order]
    strongest = np.abs(axes).argmax(axis=0)
    signs = np.where(axes[strongest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return axes * signs
