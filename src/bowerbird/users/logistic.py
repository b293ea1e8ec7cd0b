"""Ridge logistic regression of one outcome, by Newton's method: no randomness, no torch, equal bytes for equal examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

__all__ = ["Logistic", "logistic_weights"]


@dataclass(frozen=True)
class Logistic:
    """A fitted model of one outcome.

    Args:
        mean: of each input over the examples.
        scale: standard deviation of each input; 1 for one that never varies.
        weights: of the standardised inputs; the intercept is the last.
    """

    mean: Float64[np.ndarray, "input"]
    scale: Float64[np.ndarray, "input"]
    weights: Float64[np.ndarray, "input_and_one"]

    @staticmethod
    def fitted(
        inputs: Float64[np.ndarray, "n input"], outcomes: Bool[np.ndarray, "n"], l2: int | float
    ) -> Logistic:
        """The model of some examples; see :func:`logistic_weights`.

        Args:
            inputs: as they are; they are standardised here.
            outcomes: what happened.
            l2: penalty on the standardised weights, above 0.

        Example:
            >>> model = Logistic.fitted(np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([False, True, True, False]), 1.0)
            >>> model.probabilities(np.array([[7.0]])).round(3).tolist()
            [0.5]
        """
        scale = inputs.std(axis=0)
        mean, scale = inputs.mean(axis=0), np.where(scale > 1e-9, scale, 1.0)
        return Logistic(mean, scale, logistic_weights((inputs - mean) / scale, outcomes, l2))

    def probabilities(self, inputs: Float64[np.ndarray, "n input"]) -> Float64[np.ndarray, "n"]:
        """The probability of the outcome for each row."""
        return _sigmoid((inputs - self.mean) / self.scale @ self.weights[:-1] + self.weights[-1])


def logistic_weights(
    inputs: Float64[np.ndarray, "n input"], outcomes: Bool[np.ndarray, "n"], l2: int | float
) -> Float64[np.ndarray, "input_and_one"]:
    """Ridge logistic regression by iteratively reweighted least squares (Newton's method).

    Minimises ``sum log(1 + exp(-(2y - 1)(x w + b))) + l2 / 2 ||w||^2``; the intercept is not penalised.

    Args:
        inputs: standardised.
        outcomes: what happened.
        l2: penalty, above 0, which keeps the system solvable for separable outcomes.

    Returns:
        Weights, the intercept last.

    Source: Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", 4.4.1, with a ridge term.
    """
    design = np.concatenate([inputs, np.ones((inputs.shape[0], 1))], axis=1)
    penalty = np.full(design.shape[1], float(l2))
    penalty[-1] = 1e-9  # only against a singular system
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        chance = _sigmoid(design @ weights)
        gradient = design.T @ (chance - outcomes) + penalty * weights
        # a product with itself costs half of one with another
        half = design * np.sqrt(chance * (1 - chance))[:, None]
        curvature = half.T @ half + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 5.0 / float(np.abs(step).max() + 1e-300))  # long steps overshoot
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def _sigmoid(logits: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    return 0.5 * (1.0 + np.tanh(0.5 * logits))
