"""Calibration: from what a model says to how often it happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.optimize import isotonic_regression

from bowerbird.errors import InputError

ENOUGH_POSITIVES = 300
"""With fewer positives isotonic steps follow noise, and two parameters are fitted instead."""
FEW_POSITIVES = 30
"""With fewer still a slope follows noise, and only the level is fitted."""
_NEWTON_STEPS = 50
_LOGIT_LIMIT = 15.0


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing map from logits to probabilities, linear between knots, flat outside them.

    Args:
        logits: knots, ascending.
        probabilities: the value at each knot, in [0, 1], non-decreasing.
    """

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, logits: Float[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
        """Calibrated probabilities."""
        return np.interp(logits, self.logits, self.probabilities).astype(np.float32)


COLD_SPREAD = 0.1
"""How far, in logits, cold items are believed to stand from others before any of them was seen. Timid on purpose: on the demo
worlds there is nothing to align, and looser beliefs fitted noise; a planted half is still mostly taken away (docs/log.md)."""


@dataclass(frozen=True)
class ActionCalibrations:
    """Each action's calibration, and what is added for items few people have met.

    A model that leans on how an item fared misjudges items that did not fare yet. So beside the common map there is
    one number per action, in logits, that brings the cold ones' mean prediction part of the way to their mean outcome
    (:data:`COLD_SPREAD`).

    Args:
        actions: what is predicted.
        maps: from logits to probabilities, one per action.
        cold: what is added to the calibrated logit of a cold item, one per action.
    """

    actions: tuple[str, ...]
    maps: tuple[Calibration, ...]
    cold: tuple[float, ...]

    def probabilities(
        self, logits: Float[np.ndarray, "n action"], cold: Bool[np.ndarray, "n"]
    ) -> dict[str, Float32[np.ndarray, "n"]]:
        """Calibrated probabilities of each action.

        Args:
            logits: one column per action.
            cold: which items are cold, see :func:`bowerbird.ranking.features.are_cold`.
        """
        found = {}
        for place, (action, calibrate, shift) in enumerate(
            zip(self.actions, self.maps, self.cold, strict=True)
        ):
            probability = calibrate(logits[:, place])
            if shift and cold.any():
                probability[cold] = shifted(probability[cold], shift)
            found[action] = probability
        return found


def fitted_calibrations(
    actions: tuple[str, ...],
    logits: Float[np.ndarray, "n action"],
    happened: Bool[np.ndarray, "n action"],
    cold: Bool[np.ndarray, "n"],
) -> ActionCalibrations:
    """The calibrations of a model on examples it was not trained on.

    Raises:
        InputError: there are no examples.

    Source: the aim of warm-cold alignment is that of Warmer-for-Less (arXiv:2512.17277), which pulls the two score
        distributions together in training; here one number per action does it afterwards, as a posterior mode under
        a normal prior of spread :data:`COLD_SPREAD`.
    """
    maps, shifts = [], []
    for place in range(len(actions)):
        fitted = fitted_calibration(logits[:, place], happened[:, place])
        maps.append(fitted)
        shifts.append(cold_shift(fitted(logits[cold, place]), happened[cold, place]))
    return ActionCalibrations(actions, tuple(maps), tuple(shifts))


def shifted(probability: Float32[np.ndarray, "n"], shift: float) -> Float32[np.ndarray, "n"]:
    """Probabilities with something added to their logits.

    Example:
        >>> shifted(np.array([0.5], np.float32), np.log(3.0)).tolist()
        [0.75]
    """
    odds = np.exp(shift) * probability.astype(np.float64)
    return (odds / (odds + 1.0 - probability)).astype(np.float32)


def cold_shift(probability: Float32[np.ndarray, "n"], happened: Bool[np.ndarray, "n"]) -> float:
    """What, added to the logits, makes the mean prediction that of the outcomes; 0 for no examples.

    The mode of ``sum log Bernoulli(y; p shifted by s) + log Normal(s; 0, COLD_SPREAD)``, by Newton's method.
    """
    shift = 0.0
    for _ in range(_NEWTON_STEPS):
        p = shifted(probability, shift).astype(np.float64)
        gradient = float((happened - p).sum()) - shift / COLD_SPREAD**2
        step = gradient / (float((p * (1 - p)).sum()) + 1 / COLD_SPREAD**2)
        shift += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-9:
            break
    return shift


def fitted_calibration(logits: Float[np.ndarray, "n"], happened: Bool[np.ndarray, "n"]) -> Calibration:
    """The calibration of a model on examples it was not trained on.

    Isotonic regression where there are at least :data:`ENOUGH_POSITIVES` positives, Platt's sigmoid
    otherwise; of fewer than :data:`FEW_POSITIVES`, with its slope held at 1.

    Raises:
        InputError: there are no examples.

    Source: Zadrozny and Elkan, KDD 2002 (isotonic); Platt 1999, with the prior-smoothed targets.
    """
    if len(logits) == 0:
        raise InputError("calibration: no examples; expected held-out predictions with outcomes")
    positives = int(happened.sum())
    rarer = min(positives, len(happened) - positives)
    if rarer < ENOUGH_POSITIVES:
        return _platt(logits.astype(np.float64), happened, slope=1.0 if rarer < FEW_POSITIVES else None)
    return _isotonic(logits.astype(np.float64), happened)


def _isotonic(logits: np.ndarray, happened: np.ndarray) -> Calibration:
    """Pool adjacent violators; each pooled block becomes one knot at its mean logit."""
    order = np.argsort(logits, kind="stable")
    fit = isotonic_regression(happened[order].astype(np.float64))
    starts, ends = fit.blocks[:-1], fit.blocks[1:]
    sums = np.concatenate([[0.0], np.cumsum(logits[order])])
    knots = (sums[ends] - sums[starts]) / (ends - starts)
    return Calibration(tuple(knots.tolist()), tuple(np.clip(fit.x[starts], 1e-6, 1 - 1e-6).tolist()))


def _platt(logits: np.ndarray, happened: np.ndarray, slope: float | None) -> Calibration:
    """``p = sigmoid(a * logit + b)`` by Newton's method, sampled at knots; ``a`` fitted unless given."""
    positives = happened.sum()
    high, low = (positives + 1) / (positives + 2), 1 / (len(happened) - positives + 2)
    target = np.where(happened, high, low)
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    rate = target.mean()
    weights = np.array(
        [slope or 0.0, np.log(rate / (1 - rate)) - (slope or 0.0) * logits.mean()]
    )  # a flat start: Newton then never overshoots into saturation
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (p - target) + 1e-6 * weights
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = (
            np.linalg.solve(hessian, gradient)
            if slope is None
            else np.array([0.0, gradient[1] / hessian[1, 1]])
        )
        weights = weights - np.clip(step, -_LOGIT_LIMIT, _LOGIT_LIMIT)
        if np.abs(step).max() < 1e-9:
            break
    slope, intercept = max(float(weights[0]), 1e-3), float(weights[1])
    knots = np.linspace(-_LOGIT_LIMIT, _LOGIT_LIMIT, 301)
    values = 1 / (1 + np.exp(-np.clip(slope * knots + intercept, -30, 30)))
    return Calibration(tuple(knots.tolist()), tuple(values.tolist()))
