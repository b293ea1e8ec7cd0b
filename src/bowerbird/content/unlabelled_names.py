"""What a picture shows, among given labels, when no picture was ever labelled.

A classifier knows a thousand classes; each label is spread over those its name is near to, and what the classifier sees in a
picture is added up by label. Then the pictures of a catalogue that look alike put each other's errors right.

Source: Norouzi et al. 2014, arXiv:1312.5650 (classes as a bridge to names); Zhou et al. 2004, "Learning with local and
global consistency" (labels that spread to near points). Ours takes two rounds of the nearest few, and no labels at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64
from scipy.special import softmax

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.content.encoder import ContentEncoder
from bowerbird.content.imagenet_classes import imagenet_classes

__all__ = ["as_neighbours_say", "label_shares"]

NAME_TEMPERATURE = 0.05
"""How narrowly a label is spread over classes; chosen on the train part of a set of clothing photos."""
MOST_NEIGHBOURS = 10
"""Nearest pictures that have a say in what a picture shows; fewer where there are not four times as many for each label."""
_PICTURES_FOR_EACH = 4
_ROUNDS = 2
_BLOCK = 1024


def label_shares(
    text: ContentEncoder[str], labels: Sequence[str]
) -> Float32[np.ndarray, "imagenet_class label"]:
    """How a label is spread over the classes a classifier knows: ``a_il = softmax_i(t_i . u_l / 0.05)``.

    With class probabilities ``p`` a picture's score of label ``l`` is ``sum_i p_i a_il``. Each label has the same weight in all,
    so that a label whose name is near to everything does not win everywhere; ``t_i`` is the vector of all names of class i ("jersey, T-shirt,
    tee shirt": a label is often its second name), ``u_l`` that of "a photo of a <label>".

    Args:
        text: encodes names.
        labels: what pictures may be.
    """
    classes = text.encode([", ".join(one.names) for one in imagenet_classes()]).matrix
    asked = text.encode([f"a photo of a {label}" for label in labels]).matrix
    return softmax(classes @ asked.T / np.float32(NAME_TEMPERATURE), axis=0).astype(np.float32)


def as_neighbours_say(
    scores: Float32[np.ndarray, "row label"],
    vectors: Float32[np.ndarray, "row dim"],
    catalogue: Int64[np.ndarray, "known"],
) -> Float32[np.ndarray, "row label"]:
    """Scores of labels after each picture asked those that look most like it, twice: no label is known of any.

    A classifier errs on single pictures, and the catalogue's other pictures of the same thing put it right. In each round
    the shares of a row are squared, and then averaged with its neighbours', weighted by cosine.

    Args:
        scores: how far each label fits each picture, not negative.
        vectors: of the same pictures.
        catalogue: rows of the pictures that may be asked; a picture is not its own neighbour.

    Returns:
        Shares that add up to 1 in each row.

    Example:
        >>> scores = np.array([[3, 1], [1, 4]], np.float32)
        >>> as_neighbours_say(scores, np.eye(2, dtype=np.float32), np.arange(2)).tolist()  # too few to ask
        [[0.75, 0.25], [0.20000000298023224, 0.800000011920929]]
    """
    shares = scores / np.maximum(scores.sum(axis=1, keepdims=True), np.float32(1e-12))
    count = min(MOST_NEIGHBOURS, len(catalogue) // (_PICTURES_FOR_EACH * scores.shape[1]), len(catalogue) - 1)
    if count < 1:
        return shares
    seen = normalise(vectors - vectors[catalogue].mean(axis=0))
    near = np.zeros((len(seen), count), dtype=np.int64)
    alike = np.zeros((len(seen), count), dtype=np.float32)
    for start in range(0, len(seen), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(seen)))
        similarity = seen[rows] @ seen[catalogue].T
        similarity[rows[:, None] == catalogue[None, :]] = -2
        near[rows] = top_k_rows(similarity, count)
        alike[rows] = np.maximum(np.take_along_axis(similarity, near[rows], axis=1), 0)
    for _ in range(_ROUNDS):
        own = shares * shares / np.maximum((shares * shares).sum(axis=1, keepdims=True), np.float32(1e-12))
        others = np.einsum("nk,nkl->nl", alike, own[catalogue[near]])
        shares = (own + others) / (1 + alike.sum(axis=1, keepdims=True))
    return shares.astype(np.float32)
