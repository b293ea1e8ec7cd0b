"""Turning a request's words and picture into vectors of every space they can live in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from bowerbird.content.query_space import ItemSpace, away_from
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors


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
        items: embeds queries where the items are, or None when that space was not built.
        item_image: the picture encoder the space of items reads, where it is another one.
        item_text: the text encoder likewise.
    """

    def __init__(
        self,
        image: Encoder | None,
        text: Encoder | None,
        items: ItemSpace | None,
        item_image: Encoder | None = None,
        item_text: Encoder | None = None,
    ) -> None:
        self._image = image
        self._text = text
        self._items = items
        self._item_image = item_image
        self._item_text = item_text

    def encode(
        self, words: str | None, picture: bytes | None, without: str | None = None
    ) -> Mapping[str, Vectors]:
        """Query vectors by space name: ``text``, ``image`` and ``item`` as far as they apply.

        Args:
            words: what is looked for.
            picture: what it should look like.
            without: what it must not be; moves the vector of the space of items away from it.

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
        if found and self._items is not None:
            said = [words] if "text" in found else None
            look, meant = found.get("image"), found.get("text")
            if look is not None and picture is not None and self._item_image is not None:
                look = self._item_image.encode([picture])
            if meant is not None and words and self._item_text is not None:
                meant = self._item_text.encode([words])
            found["item"] = self._items.embed(look, meant, said)
            unwanted = self.encode_many([without]) if without and without.strip() else None
            if unwanted is not None:
                found["item"] = away_from(found["item"], unwanted)
        return found

    def encode_many(self, texts: list[str]) -> Vectors | None:
        """Many texts in the space of items, a row each; None where there is no text encoder or no such space."""
        if self._text is None or self._items is None or not texts:
            return None
        encoder = self._item_text or self._text
        return self._items.embed(None, encoder.encode(texts), texts)
