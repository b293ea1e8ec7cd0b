"""The text index: BM25 over an item's words, through bm25s."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import bm25s
import numpy as np
from jaxtyping import Bool, Float32

from bowerbird.retrieval.spelling import Speller

_WORD = re.compile(r"\w+", re.UNICODE)
_PLURAL_MIN = 4
MOST_CORRECTED = 8
"""Strange words of one query that are looked up: a pasted page is no search."""


def words(text: str) -> list[str]:
    """Lower-case word tokens, accents removed, a plural ``s`` cut; emoji and punctuation are not words.

    The same function reads items and queries, so they always meet.

    Example:
        >>> words("Red FLOWERS, café!")
        ['red', 'flower', 'cafe']
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return [_singular(word) for word in _WORD.findall(plain)]


def _singular(word: str) -> str:
    if len(word) >= _PLURAL_MIN and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class LexicalIndex:
    """BM25 scores of items for words (Lucene form, k1 = 1.2, b = 0.75)."""

    def __init__(self, index: bm25s.BM25, vocabulary: dict[str, int], n_items: int) -> None:
        self._index = index
        self._vocabulary = vocabulary
        self._n_items = n_items

    def __len__(self) -> int:
        return self._n_items

    @classmethod
    def build(cls, texts: Iterable[str]) -> LexicalIndex | None:
        """An index of texts in row order; None when there is not one word in them."""
        corpus = [words(text) for text in texts]
        vocabulary: dict[str, int] = {}
        for tokens in corpus:
            for token in tokens:
                vocabulary.setdefault(token, len(vocabulary))
        if not vocabulary:
            return None
        index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        token_ids = [[vocabulary[token] for token in tokens] for tokens in corpus]
        index.index((token_ids, vocabulary), show_progress=False, create_empty_token=False)
        return cls(index, vocabulary, len(corpus))

    def scores(self, text: str) -> Float32[np.ndarray, "item"]:
        """BM25 of every item for the words of a text; zero where no word is shared.

        A word no item has is read as the known word one slip away, where there is one.
        """
        read = self.corrections(text)
        known = (self._vocabulary.get(read.get(word, word)) for word in words(text))
        ids = [one for one in known if one is not None]
        if not ids:
            return np.zeros(self._n_items, dtype=np.float32)
        return np.asarray(self._index.get_scores_from_ids(ids), dtype=np.float32)

    def corrections(self, text: str) -> dict[str, str]:
        """Words of a text that no item has, with what each is read as."""
        strange = [word for word in dict.fromkeys(words(text)) if word not in self._vocabulary]
        found = {word: self._speller.read_as(word) for word in strange[:MOST_CORRECTED]}
        return {word: other for word, other in found.items() if other is not None}

    def having_all(self, text: str) -> Bool[np.ndarray, "item"]:
        """Items that have every known word of a text; none where no word is known."""
        known = {self._vocabulary[word] for word in words(text) if word in self._vocabulary}
        having = np.full(self._n_items, bool(known))
        for one in known:
            having &= np.asarray(self._index.get_scores_from_ids([one])) > 0
        return having

    @cached_property
    def _speller(self) -> Speller:
        """Made at the first strange word; words have no counts here, so the longer-known comes first."""
        return Speller(dict.fromkeys(self._vocabulary, 1))

    def save(self, directory: Path) -> None:
        """Write the index as plain arrays and JSON."""
        self._index.save(directory, show_progress=False)
        document = {"vocabulary": self._vocabulary, "n_items": self._n_items}
        (directory / "words.json").write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> LexicalIndex:
        """Read a saved index."""
        document = json.loads((directory / "words.json").read_text(encoding="utf-8"))
        return cls(bm25s.BM25.load(directory, mmap=False), document["vocabulary"], document["n_items"])
