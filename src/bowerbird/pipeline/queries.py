"""Turning a request's words and picture into vectors of every space they can live in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors


@runtime_checkable
class Fusion(Protocol):
    """Projects vectors of single modalities into the fused item space."""

    def project(self, image: Vectors | None, text: Vectors | None) -> Vectors:
        """Fused vectors; a missing modality is left out."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Encodes one modality."""

    def encode(self, raw: list[bytes] | list[str]) -> Vectors:
        """One row per input; absent where the input could not be read."""
        ...


class QueryEncoder:
    """Encodes queries with the encoders the live release was built with.

    Args:
        image: the picture encoder, or None when no item has a picture.
        text: the text encoder, or None when no item has words.
        fusion: projects into the fused space, or None when it was not built.
    """

    def __init__(self, image: Encoder | None, text: Encoder | None, fusion: Fusion | None) -> None:
        self._image = image
        self._text = text
        self._fusion = fusion

    def encode(self, words: str | None, picture: bytes | None) -> Mapping[str, Vectors]:
        """Query vectors by space name: ``text``, ``image`` and ``item`` as far as they apply.

        Raises:
            InputError: the picture cannot be read.
        """
        found: dict[str, Vectors] = {}
        if words and words.strip() and self._text is not None:
            found["text"] = self._text.encode([words])
        if picture is not None and self._image is not None:
            vectors = self._image.encode([picture])
            if not vectors.present[0]:
                raise InputError(
                    f"the picture ({len(picture):,} bytes) could not be read as an image; "
                    "send a JPEG, PNG, WebP or GIF within the size limits"
                )
            found["image"] = vectors
        if found and self._fusion is not None:
            found["item"] = self._fusion.project(found.get("image"), found.get("text"))
        return found

    def encode_many(self, texts: list[str]) -> Vectors | None:
        """Many texts in the fused space, a row each; None where there is no text encoder or fused space."""
        if self._text is None or self._fusion is None or not texts:
            return None
        return self._fusion.project(None, self._text.encode(texts))
