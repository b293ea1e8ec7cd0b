"""What of a catalogue is in a photographed scene or goes with what is in it, ready to be asked with one picture."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32
from scipy import sparse

from bowerbird.content.encoder import ContentEncoder
from bowerbird.content.looks import Companions, LooksModel
from bowerbird.content.pictures import decoded
from bowerbird.content.regions import RegionProposer, cut
from bowerbird.errors import StorageError
from bowerbird.records.signal import Vectors

__all__ = ["SavedLooks", "SceneLooks"]

SCENE_SIDE = 800
"""A scene is not decoded larger than this on its shorter side where that is cheaper."""
MODEL, TOGETHER, IDS = "looks.safetensors", "together.npz", "products.json"


@dataclass(frozen=True)
class SavedLooks:
    """What a build keeps: the maps, what goes together, and which products they are about.

    Args:
        model: regions and products in one space.
        companions: over the products, in their order.
        product_ids: item ids of the products.
    """

    model: LooksModel
    companions: Companions
    product_ids: tuple[str, ...]

    def save(self, directory: Path) -> None:
        """Write the three files."""
        self.model.save(directory / MODEL)
        sparse.save_npz(directory / TOGETHER, sparse.csr_matrix(self.companions.together))
        (directory / IDS).write_text(json.dumps(self.product_ids, ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def load(directory: Path) -> SavedLooks:
        """What :meth:`save` wrote.

        Raises:
            InputError: the model is absent or damaged.
            StorageError: one of the other files is.
        """
        model = LooksModel.load(directory / MODEL)
        try:
            together = sparse.csr_array(sparse.load_npz(directory / TOGETHER))
            ids = tuple(json.loads((directory / IDS).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StorageError(
                f"{directory}: found no whole looks model ({error}); run `bowerbird build looks` to make it anew"
            ) from error
        return SavedLooks(model, Companions(together), ids)


@dataclass(frozen=True)
class SceneLooks:
    """Answers which products fit a scene.

    Args:
        saved: what the build kept.
        rows: item row of each product; -1 for one that is gone.
        vectors: picture vectors of all items, of the encoder below.
        encoder: of pictures.
        proposer: finds regions.
    """

    saved: SavedLooks
    rows: Int32[np.ndarray, " product"]
    vectors: Vectors
    encoder: ContentEncoder[bytes]
    proposer: RegionProposer

    def __post_init__(self) -> None:
        self.saved.model.space.require(self.vectors.space, "looks")

    def found(self, image: bytes) -> tuple[Float32[np.ndarray, " item"], Int32[np.ndarray, " item"]]:
        """How well every item fits a scene, in standard units, and which product it goes with.

        Args:
            image: the picture's bytes.

        Returns:
            Scores, ``-inf`` for items that are no products; the row of the scene's product that speaks most for each, -1
            where its own look does alone.

        Raises:
            InputError: the bytes are no picture within the limits.

        Cost: one encoding for each region, some 30.
        """
        picture = decoded(image, at_least=SCENE_SIDE)
        parts = [cut(picture, box) for box in self.proposer.boxes(picture.pixels)]
        regions = self.encoder.encode(parts)
        rows, companions = self._pictured
        scores = np.full(len(self.vectors), -np.inf, dtype=np.float32)
        evidence = np.full(len(self.vectors), -1, dtype=np.int32)
        if rows.size and regions.present.any():
            seen = regions.matrix[regions.present]
            own = self.saved.model.scores(seen, np.array([0, len(seen)]), self.vectors.matrix[rows])
            scores[rows] = companions.added(own)[0]
            because = companions.because(own)[0]
            evidence[rows] = np.where(because >= 0, rows[because], -1)
        return scores, evidence

    @cached_property
    def _pictured(self) -> tuple[Int32[np.ndarray, " product"], Companions]:
        """Products that are still there and have a picture, and what goes together among them."""
        places = np.flatnonzero((self.rows >= 0) & self.vectors.present[np.maximum(self.rows, 0)])
        return self.rows[places], Companions(self.saved.companions.together[places][:, places])
