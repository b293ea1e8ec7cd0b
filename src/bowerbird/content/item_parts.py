"""What is known of items before it is one vector: a block of numbers for each modality, any of which may be missing.

The item tower reads these: a picture is an item with nothing but an image block, a query of words one with
nothing but a text block and its words. So items and queries are embedded by one function.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int
from scipy import sparse

from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors

_WORD = re.compile(r"[^\W_]+")
LEAST_COUNT = 2
"""A word that one text alone uses teaches nothing about the others."""
MOST_WORDS = 20_000
_MOST_WORDS_OF_A_TEXT = 256


@dataclass(frozen=True)
class Block:
    """One modality of many items.

    Args:
        values: one row per item; rows that are absent are zero.
        present: which items have it.

    Raises:
        InputError: the lengths disagree.
    """

    values: Float32[np.ndarray, "item dim"]
    present: Bool[np.ndarray, " known"]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.present):
            raise InputError(f"block: {len(self.values)} rows of values, {len(self.present)} of present")

    @staticmethod
    def of(vectors: Vectors) -> Block:
        """A block of the vectors of a signal."""
        return Block(vectors.matrix, vectors.present)

    def take(self, rows: Int[np.ndarray, "n"]) -> Block:
        """The block of some items."""
        return Block(self.values[rows], self.present[rows])


@dataclass(frozen=True)
class ItemParts:
    """The modalities of many items, row by row.

    Args:
        blocks: name of the modality to its block.
        words: items by vocabulary, what :meth:`WordVocabulary.counts` gives; None where no item has words.

    Raises:
        InputError: there is nothing in it, or the blocks are of different numbers of items.

    Example:
        >>> picture = Block(np.ones((2, 3), np.float32), np.array([True, False]))
        >>> parts = ItemParts({"image": picture})
        >>> len(parts), parts.present(("image", "text")).tolist()
        (2, [[True, False], [False, False]])
    """

    blocks: Mapping[str, Block]
    words: sparse.csr_array | None = None

    def __post_init__(self) -> None:
        sizes = {name: len(block.present) for name, block in self.blocks.items()}
        if self.words is not None:
            sizes["words"] = int(self.words.shape[0])
        if not sizes:
            raise InputError("item parts: no modality given; expected at least one block or words")
        if len(set(sizes.values())) > 1:
            raise InputError(f"item parts: blocks of different numbers of items: {sizes}")

    def __len__(self) -> int:
        if self.words is not None:
            return int(self.words.shape[0])
        return len(next(iter(self.blocks.values())).present)

    def present(self, names: Sequence[str]) -> Bool[np.ndarray, "item modality"]:
        """Which items have which of the named modalities; ``words`` counts where a known word occurs."""
        found = np.zeros((len(self), len(names)), dtype=bool)
        for column, name in enumerate(names):
            if name == "words" and self.words is not None:
                found[:, column] = np.diff(self.words.indptr) > 0
            elif name in self.blocks:
                found[:, column] = self.blocks[name].present
        return found

    def take(self, rows: Int[np.ndarray, "n"]) -> ItemParts:
        """The parts of some items."""
        words = None if self.words is None else sparse.csr_array(self.words[rows])
        return ItemParts({name: block.take(rows) for name, block in self.blocks.items()}, words)

    def only(self, names: Iterable[str]) -> ItemParts:
        """The same items with nothing but some modalities.

        Raises:
            InputError: none of them is there.
        """
        kept = set(names)
        blocks = {name: block for name, block in self.blocks.items() if name in kept}
        return ItemParts(blocks, self.words if "words" in kept else None)


@dataclass(frozen=True)
class WordVocabulary:
    """The words a tower has a vector for. Others are left to the text encoder.

    Example:
        >>> vocabulary = WordVocabulary.of(["a red cup", "Red RED lamp", "a lamp"])
        >>> vocabulary.words
        ('a', 'lamp', 'red')
        >>> vocabulary.counts(["red red cup", None]).toarray().round(2).tolist()
        [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """

    words: tuple[str, ...]

    @staticmethod
    def of(texts: Iterable[str | None]) -> WordVocabulary:
        """The words that at least two texts use, the most used ones, in alphabetical order."""
        used = Counter[str]()
        for text in texts:
            used.update(set(split_words(text)))
        common = [word for word, count in used.most_common(MOST_WORDS) if count >= LEAST_COUNT]
        return WordVocabulary(tuple(sorted(common)))

    def counts(self, texts: Sequence[str | None]) -> sparse.csr_array:
        """Which known words each text uses, each row scaled to unit length."""
        place = {word: number for number, word in enumerate(self.words)}
        columns: list[int] = []
        bounds = [0]
        for text in texts:
            columns += sorted({place[word] for word in split_words(text) if word in place})
            bounds.append(len(columns))
        lengths = np.diff(bounds)
        weights = np.repeat(1.0 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32)
        entries = (weights, np.array(columns, np.int64), np.array(bounds, np.int64))
        return sparse.csr_array(entries, shape=(len(texts), len(self.words)))


def split_words(text: str | None) -> list[str]:
    """The words of a text in lower case; the first 256, so that a book is not read for its first page.

    Example:
        >>> split_words("Red-and-blue cup, 2nd!")
        ['red', 'and', 'blue', 'cup', '2nd']
    """
    found = []
    for match in _WORD.finditer(text or ""):
        found.append(match.group().lower())
        if len(found) == _MOST_WORDS_OF_A_TEXT:
            break
    return found
