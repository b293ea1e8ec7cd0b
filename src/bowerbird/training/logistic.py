"""Multinomial logistic regression by L-BFGS: the plain classifier every richer one stands beside.

Letters: ``x`` a feature row, ``y`` its class, ``W`` weights, ``b`` biases, ``w`` example weights, ``l`` the penalty.
It needs no torch, so a build can train it wherever it runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int
from scipy.optimize import minimize

from bowerbird.errors import InputError

__all__ = ["Logistic", "fitted_logistic", "softmax"]


def softmax(logits: Float[np.ndarray, "n class_"]) -> Float[np.ndarray, "n class_"]:
    """Probabilities of logits, row by row: ``exp z_c / sum exp z``.

    Example:
        >>> softmax(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Logistic:
    """A fitted linear classifier."""

    weights: Float32[np.ndarray, "dim class_"]
    biases: Float32[np.ndarray, " class_"]

    def logits(self, features: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n class_"]:
        """``x W + b``."""
        return features @ self.weights + self.biases


def fitted_logistic(
    features: Float32[np.ndarray, "n dim"],
    codes: Int[np.ndarray, " n"],
    classes: int,
    penalty: float = 1e-3,
    start: Logistic | None = None,
    iterations: int = 100,
) -> Logistic:
    """The minimiser of ``mean_i -log softmax(x_i W + b)[y_i] + l / 2 |W|^2``.

    Biases carry no penalty. Features should be of comparable scale, e.g. unit rows or standardised columns.

    Args:
        features: one row per example.
        codes: class of each, in ``0 .. classes - 1``.
        classes: number of classes; one that never occurs gets a very negative bias and no example.
        penalty: ``l``, at least 0.
        start: where to begin, e.g. the solution for the next larger penalty.
        iterations: most steps.

    Raises:
        InputError: no examples, or codes out of range.

    Cost: two products of (n, dim) and (dim, class) a step.

    Example:
        >>> side = np.array([[-1.0], [-0.5], [0.5], [1.0]], dtype=np.float32)
        >>> model = fitted_logistic(side, np.array([0, 0, 1, 1]), 2)
        >>> model.logits(side).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    if len(codes) == 0 or codes.min() < 0 or codes.max() >= classes:
        found = f"codes {codes.min()}..{codes.max()}" if len(codes) else "no examples"
        raise InputError(f"fitted_logistic: {found}; expected examples of classes 0..{classes - 1}")
    count, dim = features.shape
    target = np.zeros((count, classes), dtype=np.float32)
    target[np.arange(count), codes] = 1.0
    rows = np.arange(count)

    def loss(flat: Float64[np.ndarray, " parameter"]) -> tuple[float, Float64[np.ndarray, " parameter"]]:
        weights, biases = _unpacked(flat, dim, classes)
        chance = softmax(features @ weights + biases)
        value = (
            -np.log(np.maximum(chance[rows, codes], 1e-30)).mean() + penalty / 2 * np.square(weights).sum()
        )
        error = (chance - target) / np.float32(count)
        slope = features.T @ error + np.float32(penalty) * weights
        return float(value), np.concatenate([slope.ravel(), error.sum(axis=0)]).astype(np.float64)

    if start is None:
        share = (np.bincount(codes, minlength=classes) + 0.1) / (count + 0.1 * classes)
        start = Logistic(np.zeros((dim, classes), np.float32), np.log(share).astype(np.float32))
    first = np.concatenate([start.weights.ravel(), start.biases]).astype(np.float64)
    found = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": 8})
    weights, biases = _unpacked(found.x, dim, classes)
    return Logistic(weights, biases)


def _unpacked(
    flat: Float64[np.ndarray, " parameter"], dim: int, classes: int
) -> tuple[Float32[np.ndarray, "dim class_"], Float32[np.ndarray, " class_"]]:
    weights = flat[: dim * classes].reshape(dim, classes).astype(np.float32)
    return weights, flat[dim * classes :].astype(np.float32)
