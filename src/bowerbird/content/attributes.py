"""Attributes of items: several labels read off one feature row, each with a calibrated confidence.

A few networks with one shared hidden layer score every column's classes; the labelled items nearest to the one
asked about vote beside them; the mixture is brought to calibrated probabilities on items that taught neither::

    q_c = softmax(mean over members of (z L_c + relu(z U + a) H_c + b_c))
    p_c = unit_sum( (w q_c + (1 - w) votes_c) ** (1 / T) )
    predicted = argmax log p_c - tau log prior_c,   confidence = p_c[predicted]

``tau`` above 0 lets rare classes be said (macro-F1), and the confidence stays the probability of what is said.
Below :attr:`AttributeSettings.least_confidence` the prediction is kept and marked as abstained.

Source: post-hoc logit adjustment, Menon et al., ICLR 2021; temperature scaling, Guo et al., ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64
from pydantic import Field

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.config import Settings

__all__ = ["AttributeHeads", "AttributeSettings", "ColumnHead", "Member", "Prediction", "Voters", "votes_of"]

_BLOCK = 1024
_FLOOR = 1e-6
"""Added to each probability: an item whose neighbours never have a class may still have it."""


class AttributeSettings(Settings):
    """How predictions are made from trained heads."""

    neighbours: int = Field(default=15, ge=1, le=1000)
    """Labelled items that vote."""
    sharpness: float = Field(default=12.0, gt=0)
    """Power of the similarity in a vote."""
    least_confidence: float = Field(default=0.5, ge=0.0, le=1.0)
    """Below it a prediction is marked as abstained."""


@dataclass(frozen=True)
class Member:
    """One trained network: weights of the hidden layer, then each column's own."""

    hidden: Float32[np.ndarray, "dim hidden"]
    offset: Float32[np.ndarray, " hidden"]
    direct: tuple[Float32[np.ndarray, "dim _"], ...]
    through: tuple[Float32[np.ndarray, "hidden _"], ...]
    bias: tuple[Float32[np.ndarray, "_"], ...]

    def logits(self, z: Float32[np.ndarray, "n dim"]) -> list[Float32[np.ndarray, "n _"]]:
        """Scores of each column's classes."""
        middle = np.maximum(z @ self.hidden + self.offset, 0)
        parts = zip(self.direct, self.through, self.bias, strict=True)
        return [z @ direct + middle @ through + bias for direct, through, bias in parts]


@dataclass(frozen=True)
class Voters:
    """Labelled items that vote for items like them.

    Args:
        rows: unit feature rows.
        codes: class of each in each column; -1 where not known.
    """

    rows: Float32[np.ndarray, "voter dim"]
    codes: Int64[np.ndarray, "column voter"]


@dataclass(frozen=True)
class ColumnHead:
    """What was chosen for one column on validation."""

    name: str
    classes: tuple[str, ...]
    prior: Float32[np.ndarray, " class_"]
    """Share of each class in training, above 0."""
    mix: float
    """Weight of the networks beside the votes."""
    temperature: float
    tau: float


@dataclass(frozen=True)
class Prediction:
    """One column's predictions."""

    name: str
    classes: tuple[str, ...]
    probability: Float32[np.ndarray, "item class_"]
    code: Int64[np.ndarray, " item"]
    confidence: Float32[np.ndarray, " item"]
    abstained: Bool[np.ndarray, " item"]


@dataclass(frozen=True)
class AttributeHeads:
    """Trained and calibrated heads over one feature matrix.

    Args:
        mean: of each feature in training.
        scale: deviation of each feature in training, above 0.
        members: networks; their mean is taken.
        columns: what was chosen for each column.
        voters: labelled items.
        settings: the dials.
    """

    mean: Float32[np.ndarray, " dim"]
    scale: Float32[np.ndarray, " dim"]
    members: tuple[Member, ...]
    columns: tuple[ColumnHead, ...]
    voters: Voters
    settings: AttributeSettings

    def standardised(self, features: Float32[np.ndarray, "item dim"]) -> Float32[np.ndarray, "item dim"]:
        """Features with the training's mean 0 and deviation 1."""
        return (features - self.mean) / self.scale

    def predictions(self, features: Float32[np.ndarray, "item dim"]) -> list[Prediction]:
        """Every column's prediction for every item, in blocks of bounded memory."""
        starts = range(0, max(len(features), 1), _BLOCK)
        blocks = [self._block(features[start : start + _BLOCK]) for start in starts]
        return [_joined([block[at] for block in blocks]) for at in range(len(self.columns))]

    def evidence(
        self,
        features: Float32[np.ndarray, "item dim"],
        column: int,
        code: Int64[np.ndarray, " item"],
        k: int = 3,
    ) -> tuple[Int64[np.ndarray, "item k"], Float32[np.ndarray, "item k"]]:
        """The nearest voters that have the predicted class, and how near; -1 where there are fewer.

        Args:
            features: of the items.
            column: which column.
            code: what was predicted.
            k: voters an item.
        """
        unit = normalise(self.standardised(features))
        rows = np.full((len(features), k), -1, dtype=np.int64)
        near = np.zeros((len(features), k), dtype=np.float32)
        for said in np.unique(code).tolist():
            having = np.flatnonzero(self.voters.codes[column] == said)
            asking = np.flatnonzero(code == said)
            if having.size:
                similarity = unit[asking] @ self.voters.rows[having].T
                best = top_k_rows(similarity, min(k, having.size))
                rows[asking, : best.shape[1]] = having[best]
                near[asking, : best.shape[1]] = np.take_along_axis(similarity, best, axis=1)
        return rows, near

    def _block(self, features: Float32[np.ndarray, "item dim"]) -> list[Prediction]:
        z = self.standardised(features)
        logits = [member.logits(z) for member in self.members]
        near, weight = votes_of(normalise(z), self.voters, self.settings)
        found = []
        for at, head in enumerate(self.columns):
            scores = np.mean([one[at] for one in logits], axis=0)
            votes = voted(near, weight, self.voters.codes[at], len(head.classes), head.prior)
            p = calibrated(_softmax(scores), votes, head.mix, head.temperature)
            code = (np.log(p) - np.float32(head.tau) * np.log(head.prior)).argmax(axis=1).astype(np.int64)
            confidence = np.take_along_axis(p, code[:, None], axis=1)[:, 0]
            abstained = confidence < self.settings.least_confidence
            found.append(Prediction(head.name, head.classes, p, code, confidence, abstained))
        return found


def votes_of(
    unit: Float32[np.ndarray, "item dim"],
    voters: Voters,
    settings: AttributeSettings,
    own: Int64[np.ndarray, " item"] | None = None,
) -> tuple[Int64[np.ndarray, "item k"], Float32[np.ndarray, "item k"]]:
    """The voters nearest to each item and the weight of each vote.

    Args:
        unit: unit feature rows.
        voters: who votes.
        settings: how many, and how similarity weighs.
        own: each item's own place among the voters, who then does not vote; None when none is.
    """
    similarity = unit @ voters.rows.T
    if own is not None:
        similarity[np.arange(len(unit)), own] = -1.0
    near = top_k_rows(similarity, min(settings.neighbours, len(voters.rows)))
    weight = np.maximum(np.take_along_axis(similarity, near, axis=1), 0) ** np.float32(settings.sharpness)
    return near, weight.astype(np.float32)


def voted(
    near: Int64[np.ndarray, "item k"],
    weight: Float32[np.ndarray, "item k"],
    codes: Int64[np.ndarray, " voter"],
    classes: int,
    prior: Float32[np.ndarray, " class_"],
) -> Float32[np.ndarray, "item class_"]:
    """Shares of the votes per class; the prior where nobody near has a label."""
    cast = codes[near]
    items = np.broadcast_to(np.arange(len(near))[:, None], near.shape)
    table = np.zeros((len(near), classes), dtype=np.float32)
    np.add.at(table, (items[cast >= 0], cast[cast >= 0]), weight[cast >= 0])
    total = table.sum(axis=1, keepdims=True)
    return np.where(total > 0, table / np.where(total > 0, total, 1), prior).astype(np.float32)


def calibrated(
    networks: Float32[np.ndarray, "item class_"],
    votes: Float32[np.ndarray, "item class_"],
    mix: float,
    temperature: float,
) -> Float32[np.ndarray, "item class_"]:
    """``unit_sum((w q + (1 - w) v) ** (1 / T))``."""
    mixed = np.float32(mix) * networks + np.float32(1 - mix) * votes + np.float32(_FLOOR)
    sharp = mixed ** np.float32(1 / temperature)
    return (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32)


def _softmax(logits: Float32[np.ndarray, "item class_"]) -> Float32[np.ndarray, "item class_"]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _joined(parts: list[Prediction]) -> Prediction:
    return Prediction(
        parts[0].name,
        parts[0].classes,
        *(
            np.concatenate([getattr(part, field) for part in parts])
            for field in ("probability", "code", "confidence", "abstained")
        ),
    )
