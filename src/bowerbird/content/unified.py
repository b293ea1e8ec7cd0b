"""The unified space: a trained item tower in plain numpy, so that asking and serving need no torch.

Everything that is known of an item, or a picture alone, or words alone, becomes one unit vector of one
space; see :mod:`bowerbird.nn.item_tower` for the formula, of which this is the exact twin. The vector is
ordered like a matryoshka: its first 32, 64 or 128 numbers are vectors of less detail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from safetensors import SafetensorError, safe_open
from scipy.special import erf

from bowerbird.arrays import normalise
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.tensor_file import write_tensors
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

HEAD_DIM = 64
_NORM_EPSILON = np.float32(1e-5)
_ROWS = 4096
"""Items fused at a time: bounds the memory of the tokens."""


@dataclass(frozen=True)
class TowerInput:
    """One modality a tower reads."""

    name: str
    group: str
    """Modalities of one group share a projection."""
    space: Space
    """Where its vectors live; others are refused."""


@dataclass(frozen=True)
class UnifiedTower:
    """A trained tower.

    Args:
        inputs: the modalities it reads.
        vocabulary: the words it knows.
        tensors: its weights: ``projection.<group>`` (width, dim), ``kind.<modality>`` (dim), ``words``
            (word, dim) and the layers of :class:`bowerbird.nn.item_tower.ItemTower`, transposed for
            row vectors; inputs are standardised by the projections themselves.
    """

    inputs: tuple[TowerInput, ...]
    vocabulary: WordVocabulary
    tensors: Mapping[str, Float32[np.ndarray, "..."]]

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.tensors["question"].shape[0])

    @cached_property
    def space(self) -> Space:
        """Where the vectors live; its version is a fingerprint of the weights, so a retrained tower is another space."""
        digest = hashlib.blake2b(repr((self.inputs, self.vocabulary.words)).encode(), digest_size=6)
        for name in sorted(self.tensors):
            digest.update(name.encode() + np.ascontiguousarray(self.tensors[name]).tobytes())
        return Space("item", f"unified.1.{digest.hexdigest()}", self.dim)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of everything it can read, ``words`` last."""
        return (*(one.name for one in self.inputs), "words")

    def project(self, parts: ItemParts) -> Vectors:
        """Vectors of items or queries; a row is absent when nothing of it is known.

        Args:
            parts: blocks by the names of :attr:`modalities`; others are not read. Missing ones may be left out.

        Raises:
            InputError: a block has another width than the tower was trained on.
        """
        rows = len(parts)
        matrix = np.zeros((rows, self.dim), dtype=np.float32)
        for start in range(0, rows, _ROWS):
            piece = parts.take(np.arange(start, min(start + _ROWS, rows)))
            matrix[start : start + len(piece)] = self._fused(*self._tokens(piece))
        present = parts.present(self.modalities)
        return Vectors(self.space, matrix, np.logical_or.reduce(present, axis=1))

    def block(self, name: str, vectors: Vectors) -> Block:
        """Vectors as the block of a modality.

        Raises:
            SpaceMismatchError: they live in another space than the tower was trained on.
            InputError: the tower has no such modality.
        """
        for one in self.inputs:
            if one.name == name:
                one.space.require(vectors.space, f"item tower, {name}")
                return Block.of(vectors)
        raise InputError(f"item tower: no modality {name!r}; it reads {', '.join(self.modalities)}")

    def _tokens(
        self, parts: ItemParts
    ) -> tuple[Float32[np.ndarray, "item token dim"], Bool[np.ndarray, "item token"]]:
        present = parts.present(self.modalities)
        tokens = np.zeros((*present.shape, self.dim), dtype=np.float32)
        for place, one in enumerate(self.inputs):
            block = parts.blocks.get(one.name)
            if block is None:
                continue
            weight = self.tensors[f"projection.{one.group}"]
            if block.values.shape[1] != len(weight):
                raise InputError(
                    f"item tower: {one.name} has {block.values.shape[1]} numbers, expected {len(weight)}"
                )
            tokens[:, place] = block.values @ weight + self.tensors[f"kind.{one.name}"]
        if parts.words is not None and len(self.vocabulary.words):
            tokens[:, -1] = parts.words @ self.tensors["words"] + self.tensors["kind.words"]
        return tokens, present

    def _fused(
        self, tokens: Float32[np.ndarray, "item token dim"], shown: Bool[np.ndarray, "item token"]
    ) -> Float32[np.ndarray, "item dim"]:
        w = self.tensors
        counts = np.maximum(shown.sum(axis=1, keepdims=True), 1).astype(np.float32)
        total = np.where(shown[:, :, None], tokens, np.float32(0)).sum(axis=1) / np.sqrt(counts)
        read = self._read(tokens, shown)
        hidden = total + read @ w["attended.weight"] + w["attended.bias"]
        wide = _normed(hidden, w, "norm") @ w["wide.weight"] + w["wide.bias"]
        hidden = hidden + _gelu(wide) @ w["narrow.weight"] + w["narrow.bias"]
        return normalise(hidden) * shown.any(axis=1, keepdims=True)

    def _read(
        self, tokens: Float32[np.ndarray, "item token dim"], shown: Bool[np.ndarray, "item token"]
    ) -> Float32[np.ndarray, "item dim"]:
        items, count, dim = tokens.shape
        both = (
            _normed(tokens, self.tensors, "token_norm") @ self.tensors["key_value.weight"]
            + self.tensors["key_value.bias"]
        )
        shape = (items, count, dim // HEAD_DIM, HEAD_DIM)
        keys, values = (half.reshape(shape) for half in np.split(both, 2, axis=2))
        question = self.tensors["question"].reshape(dim // HEAD_DIM, HEAD_DIM)
        scores = np.einsum("nthe,he->nth", keys, question) / np.float32(HEAD_DIM**0.5)
        scores = np.where(shown[:, :, None], scores, np.float32(-1e9))
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return np.einsum("nth,nthe->nhe", weights, values).reshape(items, dim)

    def save(self, path: Path) -> None:
        """Write the tower as one safetensors file."""
        facts = {
            "inputs": json.dumps([[one.name, one.group, one.space.key] for one in self.inputs]),
            "words": "\n".join(self.vocabulary.words),
        }
        write_tensors(path, self.tensors, facts)

    @staticmethod
    def load(path: Path) -> UnifiedTower:
        """The tower :meth:`save` wrote.

        Raises:
            InputError: the file is absent, damaged or holds something else.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                inputs = tuple(
                    TowerInput(name, group, Space.from_key(key))
                    for name, group, key in json.loads(facts["inputs"])
                )
                words = tuple(word for word in facts["words"].split("\n") if word)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
                return UnifiedTower(inputs, WordVocabulary(words), tensors)
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise InputError(
                f"{path}: not a saved item tower: {error}; run `bowerbird build unified` to make it anew"
            ) from error


def _normed(
    values: Float32[np.ndarray, "... dim"], tensors: Mapping[str, np.ndarray], name: str
) -> Float32[np.ndarray, "... dim"]:
    """Layer normalisation over the last axis."""
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _NORM_EPSILON)
    return centred / spread * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def _gelu(values: Float32[np.ndarray, "... dim"]) -> Float32[np.ndarray, "... dim"]:
    return values * np.float32(0.5) * (np.float32(1) + erf(values / np.float32(np.sqrt(2))))
