"""Pictures in the space of words, without training: what a classifier sees in them, as a mixture of what its classes are called.

A picture with class probabilities p lands at the mean of the class vectors, weighted by the k largest of them::

    c(x) = unit( sum_{i in top k} p_i (t_i - m) ),  p = softmax(logits / 2)    t_i: text vector of class i, m: their mean

so a text finds pictures before any picture was ever described. The mean is taken out because every text
vector has a part in common, which says nothing and would dominate.

Source: Norouzi et al. 2014, arXiv:1312.5650 (ConSE), equation 3; the class vectors of several texts, the temperature
and taking out their mean are ours (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open

from bowerbird.arrays import normalise
from bowerbird.content.encoder import ContentEncoder
from bowerbird.content.imagenet_classes import imagenet_classes
from bowerbird.content.tensor_file import write_tensors
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

TOP = 200
"""Classes that are mixed; the rest add nothing."""
TEMPERATURE = 2.0
"""Softens the classifier, which is surer than a caption is narrow; chosen on a part of Flickr8k's train."""
PROMPTS = ("{name}: {gloss}", "a photo of a {name}", "{names}: {gloss}", "There is a {name} in the picture.")
"""Each class is the mean of these texts: a gloss tells what it is, a sentence is what people ask with."""


@runtime_checkable
class Classifier(Protocol):
    """A picture encoder whose vectors still tell the 1000 ImageNet classes."""

    @property
    def space(self) -> Space:
        """Where its vectors live."""
        ...

    def class_logits(
        self, vectors: Vectors, lengths: Float32[np.ndarray, "row"]
    ) -> Float32[np.ndarray, "row label"]:
        """Scores of the classes."""
        ...


def class_vectors(text: ContentEncoder[str]) -> Vectors:
    """The text vector of each class: the mean over :data:`PROMPTS`, in the text encoder's space."""
    total = 0.0
    for prompt in PROMPTS:
        texts = [
            prompt.format(name=one.names[0], names=", ".join(one.names), gloss=one.gloss)
            for one in imagenet_classes()
        ]
        total = total + text.encode(texts).matrix
    return Vectors.full(text.space, normalise(np.asarray(total)))


@dataclass(frozen=True)
class ConSE:
    """The bridge from one picture encoder to one text encoder.

    Args:
        image: where the pictures' vectors live.
        text: where they are sent.
        classes: text vectors of the classes.
    """

    image: Space
    text: Space
    classes: Float32[np.ndarray, "label dim"]

    @cached_property
    def _directions(self) -> Float32[np.ndarray, "label dim"]:
        return self.classes - self.classes.mean(axis=0)

    def project(self, logits: Float32[np.ndarray, "row label"], pictures: Vectors) -> Vectors:
        """Pictures as vectors of the text space; absent where the picture is.

        Args:
            logits: class scores of the pictures.
            pictures: their vectors, for the space and for who is there.

        Raises:
            SpaceMismatchError: the pictures were encoded by another encoder.
            InputError: other classes than ours.
        """
        self.image.require(pictures.space, "ConSE")
        if logits.shape != (len(pictures), len(self.classes)):
            raise InputError(
                f"ConSE: logits of shape {logits.shape}, expected ({len(pictures)}, {len(self.classes)})"
            )
        top = min(TOP, logits.shape[1])
        least = np.partition(logits, -top, axis=1)[:, -top][:, None]
        weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / TEMPERATURE) * (logits >= least)
        mixed = normalise(weights.astype(np.float32) @ self._directions)
        return Vectors(self.text, np.where(pictures.present[:, None], mixed, np.float32(0)), pictures.present)

    def save(self, path: Path) -> None:
        """Write the bridge as one safetensors file."""
        write_tensors(path, {"classes": self.classes}, {"image": self.image.key, "text": self.text.key})

    @staticmethod
    def load(path: Path) -> ConSE:
        """The bridge :meth:`save` wrote.

        Raises:
            InputError: the file is absent, damaged or holds something else.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                image, text = (Space.from_key(facts[name]) for name in ("image", "text"))
                return ConSE(image, text, file.get_tensor("classes"))
        except (OSError, KeyError, SafetensorError) as error:
            raise InputError(
                f"{path}: not a saved bridge: {error}; run `bowerbird build` to make it anew"
            ) from error


def conse_bridge(image: Classifier, text: ContentEncoder[str]) -> ConSE:
    """The bridge between two encoders.

    Cost: four short texts of each of 1000 classes are encoded, some seconds; keep the result.
    """
    return ConSE(image.space, text.space, class_vectors(text).matrix)
