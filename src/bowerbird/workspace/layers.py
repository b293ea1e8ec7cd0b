"""Two layers of signals: those of behaviour from a folder of one's own, those of content from the workspace.

An evaluation learns from the past only, so it must never read a live signal that saw the future. What
is made from the catalogue alone is the same at every time and need not be made twice.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa

from bowerbird.records import SignalCard, Space, Vectors, Vocabulary
from bowerbird.stores.models import LocalModels
from bowerbird.stores.signals import LocalSignals

CONTENT_SIGNALS = (
    "image_vector",
    "text_vector",
    "near_duplicates",
    "picture_quality",
    "picture_text",
    "colours",
    "language",
    "safety",
    "eligibility",
)
CONTENT_MODELS = (
    "tuned_encoders",
    "unified",
    "looks",
    "image_index",
    "text_index",
    "lexical",
)
"""What is made without events, by any chain of steps; a test holds this against the build plan."""


class LayeredSignals:
    """Signals of content read from the workspace, all others from and into a folder of their own.

    Args:
        own: where signals of behaviour are.
        live: where signals of content are.
    """

    def __init__(self, own: LocalSignals, live: LocalSignals) -> None:
        self._own = own
        self._live = live

    def _of(self, name: str) -> LocalSignals:
        return self._live if name in CONTENT_SIGNALS else self._own

    def put_vectors(self, card: SignalCard, ids: Vocabulary, vectors: Vectors) -> None:
        """Write a vector signal into one's own layer."""
        self._own.put_vectors(card, ids, vectors)

    def put_table(self, card: SignalCard, table: pa.Table) -> None:
        """Write a table into one's own layer."""
        self._own.put_table(card, table)

    def vectors(self, name: str, ids: Vocabulary, space: Space | None = None) -> Vectors:
        """The vectors of a signal, in the order of a vocabulary."""
        return self._of(name).vectors(name, ids, space)

    def table(self, name: str) -> pa.Table:
        """The table of a signal."""
        return self._of(name).table(name)

    def card(self, name: str) -> SignalCard | None:
        """The card of a signal; None when it is not built in its layer."""
        return self._of(name).card(name)

    def cards(self) -> list[SignalCard]:
        """Every signal of both layers, by name."""
        content = [card for card in self._live.cards() if card.name in CONTENT_SIGNALS]
        own = [card for card in self._own.cards() if card.name not in CONTENT_SIGNALS]
        return sorted([*content, *own], key=lambda card: card.name)


class LayeredModels:
    """Models of content read from the workspace, all others from and into a folder of their own.

    Args:
        own: where models of behaviour are.
        live: where models of content are.
    """

    def __init__(self, own: LocalModels, live: LocalModels) -> None:
        self._own = own
        self._live = live

    def _of(self, name: str) -> LocalModels:
        return self._live if name in CONTENT_MODELS else self._own

    def writing(self, card: SignalCard) -> AbstractContextManager[Path]:
        """A folder in one's own layer to write a model's files into."""
        return self._own.writing(card)

    def directory(self, name: str) -> Path:
        """The folder of a model."""
        return self._of(name).directory(name)

    def card(self, name: str) -> SignalCard | None:
        """The card of a model; None when it is not built in its layer."""
        return self._of(name).card(name)

    def cards(self) -> list[SignalCard]:
        """Every model of both layers, by name."""
        content = [card for card in self._live.cards() if card.name in CONTENT_MODELS]
        own = [card for card in self._own.cards() if card.name not in CONTENT_MODELS]
        return sorted([*content, *own], key=lambda card: card.name)
