"""What every encoder from a hub shares: reading inputs, batches, failures, and a space that names its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast, final

import numpy as np

from bowerbird.arrays import normalise
from bowerbird.content.encoder import EncodedChunk, EncodingFailure, chunks
from bowerbird.content.perceptual_hash import PictureHashes, picture_hashes
from bowerbird.content.pictures import LIMITS, Picture, PictureLimits, decoded
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

__all__ = ["HubEncoder", "hub_space"]

Raw = TypeVar("Raw", bytes, str)
_BATCH = 16
_MAX_CHARACTERS = 8192
"""No tokenizer here reads more than a few hundred tokens; the rest of a book is not handed to it."""


def hub_space(name: str, plugin: str, choice: str, weights: Mapping[str, Any], dim: int) -> Space:
    """The space of a model: what it is called and a fingerprint of its weights.

    Two checkpoints of one architecture, or a checkpoint that was trained on, are two spaces.

    Args:
        name: ``image``, ``text``, or ``image-text`` for a model whose modalities meet.
        plugin: the plugin's name.
        choice: the model's name or a folder; only a folder's own name is kept.
        weights: its state dict, name to tensor.
        dim: width of its vectors.
    """
    digest = hashlib.blake2b(digest_size=6)
    for key in sorted(weights):
        digest.update(key.encode())
        digest.update(np.ascontiguousarray(weights[key].detach().cpu().float().numpy()).tobytes())
    called = Path(choice).name if Path(choice).is_dir() else choice.replace("/", "_")
    return Space(name, f"{plugin}:{called}-{digest.hexdigest()}", dim)


@final
class HubEncoder(Generic[Raw]):
    """A model from a hub as an encoder.

    Args:
        space: where its vectors live.
        modality: what it encodes.
        features: vectors, of any length, of a batch of RGB pictures or of texts.
        limits: what is refused before decoding.
    """

    def __init__(
        self,
        space: Space,
        modality: Literal["image", "text"],
        features: Callable[[list[Any]], np.ndarray],
        limits: PictureLimits = LIMITS,
    ) -> None:
        self.space = space
        self.modality: Literal["image", "text"] = modality
        self._features = features
        self._limits = limits

    def encode(self, raw: list[Raw]) -> Vectors:
        """One row per input; absent where it could not be read."""
        parts = [chunk.vectors for chunk in self.encode_chunks(raw)]
        if not parts:
            return Vectors.full(self.space, np.zeros((0, self.space.dim), np.float32))
        return Vectors(
            self.space,
            np.concatenate([part.matrix for part in parts]),
            np.concatenate([part.present for part in parts]),
        )

    def encode_chunks(self, raw: Iterable[Raw | None]) -> Iterator[EncodedChunk]:
        """Vectors of a stream in order, a batch at a time; None stands for an item without this modality."""
        for number, batch in enumerate(chunks(raw, _BATCH)):
            start = number * _BATCH
            if self.modality == "image":
                yield self._pictures(start, cast("list[bytes | None]", batch))
            else:
                yield self._texts(start, cast("list[str | None]", batch))

    def _pictures(self, start: int, files: list[bytes | None]) -> EncodedChunk:
        pictures: dict[int, Picture] = {}
        failures = []
        for place, file in enumerate(files):
            if file is None:
                continue
            try:
                pictures[place] = decoded(file, self._limits)
            except InputError as error:
                failures.append(EncodingFailure(start + place, str(error)))
        words = np.zeros((len(files), 10), np.uint64)
        if pictures:
            words[list(pictures)] = picture_hashes(list(pictures.values())).words()
        vectors = self._placed(len(files), {place: one.image for place, one in pictures.items()})
        traits = tuple(pictures[place].traits if place in pictures else () for place in range(len(files)))
        return EncodedChunk(start, vectors, tuple(failures), traits, PictureHashes.from_words(words))

    def _texts(self, start: int, texts: list[str | None]) -> EncodedChunk:
        spoken: dict[int, str] = {}
        failures = []
        for place, text in enumerate(texts):
            if text is None:
                continue
            if text.strip():
                spoken[place] = text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
            else:
                failures.append(EncodingFailure(start + place, "the text holds no words"))
        return EncodedChunk(start, self._placed(len(texts), spoken), tuple(failures))

    def _placed(self, rows: int, inputs: Mapping[int, Any]) -> Vectors:
        matrix = np.zeros((rows, self.space.dim), np.float32)
        present = np.zeros(rows, dtype=bool)
        if inputs:
            places = list(inputs)
            matrix[places] = normalise(self._features(list(inputs.values())).astype(np.float32))
            present[places] = True
        return Vectors(self.space, matrix, present)
