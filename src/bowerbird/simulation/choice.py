"""The user model: what a simulated person does with an item shown to them.

A person looks at position ``k`` with probability ``b(k) = (k + 1) ** -eta`` (``b(0) = 1``). Someone who looks
opens the item with probability ``p * f``, where ``p = sigmoid(utility)`` is the true preference and
``f = exp(-fatigue * exposures)``. An opened item may be clicked, saved and, if it is a product, bought,
independently of each other. A looked-at item that was not opened may be hidden, the more so the less it is liked.

Opening is the positive action, because clicks, saves and purchases imply it; so ``p`` is the probability
of a positive action at position 0 for somebody who has not seen the item before.

Source: the examination hypothesis of the position-based model (Craswell et al., "An experimental comparison of click
position-bias models", WSDM 2008); the fatigue factor and the action chain are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from bowerbird.simulation.settings import ChoiceSettings

__all__ = ["ActionProbabilities", "action_probabilities", "examination", "fatigue", "preference"]


def examination(position: Int[np.ndarray, "*n"], settings: ChoiceSettings) -> Float32[np.ndarray, "*n"]:
    """Probability that a position (from 0) is looked at: ``(position + 1) ** -eta``.

    Example:
        >>> examination(np.array([0, 3]), ChoiceSettings(examination=0.5)).tolist()
        [1.0, 0.5]
    """
    return np.power(position + 1.0, -settings.examination).astype(np.float32)


def fatigue(exposures: Float32[np.ndarray, "*n"], settings: ChoiceSettings) -> Float32[np.ndarray, "*n"]:
    """Factor on the response after earlier exposures: ``exp(-fatigue * exposures)``.

    Args:
        exposures: how often the picture was shown to the person before, forgetting included (>= 0).
        settings: the user model.

    Example:
        >>> seen = np.array([0.0, 2.0], dtype=np.float32)
        >>> fatigue(seen, ChoiceSettings(fatigue=float(np.log(2)))).round(4).tolist()
        [1.0, 0.25]
    """
    return np.exp(-settings.fatigue * exposures).astype(np.float32)


def preference(utility: Float32[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """Probability of opening at position 0 when fresh: the sigmoid of the utility in logits.

    Example:
        >>> preference(np.zeros(1, dtype=np.float32)).tolist()
        [0.5]
    """
    return (1.0 / (1.0 + np.exp(-utility))).astype(np.float32)


@dataclass(frozen=True)
class ActionProbabilities:
    """What may happen to one shown item.

    ``opened`` and ``hidden`` are per impression; ``clicked``, ``saved`` and ``bought`` are given opening.
    """

    opened: Float32[np.ndarray, "*n"]
    hidden: Float32[np.ndarray, "*n"]
    clicked: Float32[np.ndarray, "*n"]
    saved: Float32[np.ndarray, "*n"]
    bought: Float32[np.ndarray, "*n"]


def action_probabilities(
    liked: Float32[np.ndarray, "*n"],
    interest: Float32[np.ndarray, "*n"],
    *,
    position: Int[np.ndarray, "*n"],
    exposures: Float32[np.ndarray, "*n"],
    affordable: Float32[np.ndarray, "*n"],
    settings: ChoiceSettings,
) -> ActionProbabilities:
    """Probabilities of each action on shown items.

    ``opened = b(k) p f``; ``hidden = b(k) (1 - p f) hide (1 - p)^4``; given opening ``clicked = click``,
    ``saved = save + save_interest * interest`` and ``bought = purchase * affordable``, each at most 1.

    Args:
        liked: true preference ``p``, from :func:`preference`.
        interest: weight of the person's interest in the item's category, 0 to about 1.
        position: place in the slate, from 0.
        exposures: earlier exposures to the same picture, forgetting included.
        affordable: 0 for what is not for sale; 1 at the median price, more below it.
        settings: the user model.

    Example:
        >>> one = np.ones(1, dtype=np.float32)
        >>> model = ChoiceSettings(click=0.6)
        >>> free = {"position": np.array([3]), "exposures": 0 * one, "affordable": 0 * one}
        >>> chance = action_probabilities(0.5 * one, 0 * one, settings=model, **free)
        >>> chance.opened.tolist(), chance.bought.tolist()
        ([0.25], [0.0])
    """
    looked = examination(position, settings)
    responded = liked * fatigue(exposures, settings)
    disliked = (1.0 - liked) ** 4
    return ActionProbabilities(
        opened=looked * responded,
        hidden=(looked * (1.0 - responded) * settings.hide * disliked).astype(np.float32),
        clicked=np.full(liked.shape, settings.click, dtype=np.float32),
        saved=np.minimum(settings.save + settings.save_interest * interest, 1.0).astype(np.float32),
        bought=np.minimum(settings.purchase * affordable, 1.0).astype(np.float32),
    )
