"""Answers that are near to every question: how near they are is measured once and taken off.

In a space of many dimensions a few pictures are among the nearest of very many texts (hubs), and stand before the right
answer. What each answer scores on questions asked before says how much of its score means nothing::

    level_a = log mean_b exp(sharpness  b . a) / sharpness        over a bank of questions b
    score(q, a) = q . a - level_a

It costs one number an answer, and nothing when a question is asked.

Source: Smith et al. 2017, arXiv:1702.03859 (inverted softmax); Bogolin et al. 2022, arXiv:2112.12777 (a bank of questions
from the training part). Both divide; in logarithms that is a level to subtract.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

__all__ = ["SHARPNESS", "hub_levels", "levelled"]

SHARPNESS = 12.0
"""How much nearer questions weigh more than others; from 8 to 20 it made little difference (docs/log.md)."""
_BLOCK = 1024


def hub_levels(
    answers: Float32[np.ndarray, "answer dim"],
    bank: Float32[np.ndarray, "question dim"],
    sharpness: float = SHARPNESS,
) -> Float32[np.ndarray, "answer"]:
    """How much of each answer's score it has from any question; zero everywhere without questions.

    Args:
        answers: unit vectors of what may be answered.
        bank: unit vectors of questions that are not asked now, a thousand or more.
        sharpness: see :data:`SHARPNESS`.

    Example:
        >>> answers = np.eye(2, dtype=np.float32)
        >>> hub_levels(answers, np.array([[1, 0], [1, 0]], dtype=np.float32)).tolist()
        [1.0, 0.0]
    """
    if not len(bank):
        return np.zeros(len(answers), dtype=np.float32)
    total = np.zeros(len(answers), dtype=np.float64)
    for start in range(0, len(bank), _BLOCK):
        total += np.exp(sharpness * (bank[start : start + _BLOCK] @ answers.T)).sum(axis=0)
    return (np.log(total / len(bank)) / sharpness).astype(np.float32)


def levelled(
    asking: Float32[np.ndarray, "query dim"],
    answers: Float32[np.ndarray, "answer dim"],
    bank: Float32[np.ndarray, "question dim"],
) -> tuple[Float32[np.ndarray, "query wide"], Float32[np.ndarray, "answer wide"]]:
    """Queries and answers with one number more, so that their products are the scores less the levels.

    Args:
        asking: unit vectors of queries.
        answers: unit vectors of what may be answered.
        bank: see :func:`hub_levels`.
    """
    ones = np.ones((len(asking), 1), dtype=np.float32)
    return np.hstack([asking, ones]), np.hstack([answers, -hub_levels(answers, bank)[:, None]])
