"""What a build leaves of the next-item model: a trained encoder and an index over its items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bowerbird.retrieval.index import VectorIndex, load_index
from bowerbird.users.next_item import NextItemReader

__all__ = ["INDEX", "NextItemHoldings"]

INDEX = "index"
"""Folder of the index beside the encoder's files."""


@dataclass(frozen=True)
class NextItemHoldings:
    """What a build left of the next-item model: the encoder, and an index over the items of its space."""

    reader: NextItemReader
    index: VectorIndex

    @staticmethod
    def load(directory: Path) -> NextItemHoldings:
        """Both, from the model's folder.

        Raises:
            StorageError: a file is missing or damaged.
        """
        return NextItemHoldings(NextItemReader.load(directory), load_index(directory / INDEX))
