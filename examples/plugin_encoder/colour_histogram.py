"""A picture encoder in thirty lines: the share of each of 64 colours, as a unit vector."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bowerbird.arrays import normalise
from bowerbird.content.encoder import EncodedChunk, EncodingFailure, chunks
from bowerbird.records.signal import Space, Vectors

SIDE_PX, LEVELS = 64, 4


class ColourHistogram:
    """Counts pixels in 4 x 4 x 4 colours."""

    modality = "image"
    space = Space("image", "colour-histogram.1", LEVELS**3)

    def encode(self, raw: list[bytes]) -> Vectors:
        """One row per picture; absent where it could not be read."""
        matrix = np.zeros((len(raw), self.space.dim), np.float32)
        for row, data in enumerate(raw):
            try:
                pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((SIDE_PX, SIDE_PX)))
            except (UnidentifiedImageError, OSError):
                continue
            colour = (pixels.astype(np.int64) * LEVELS // 256) @ [LEVELS**2, LEVELS, 1]
            matrix[row] = np.bincount(colour.ravel(), minlength=self.space.dim)
        return Vectors(self.space, normalise(matrix), matrix.any(axis=1))

    def encode_chunks(self, raw: Iterable[bytes | None]) -> Iterator[EncodedChunk]:
        """A stream of pictures, a hundred at a time; None is an item without a picture, and no failure."""
        start = 0
        for chunk in chunks(raw, 100):
            vectors = self.encode([data or b"" for data in chunk])
            bad = [row for row, data in enumerate(chunk) if data is not None and not vectors.present[row]]
            failures = tuple(EncodingFailure(start + row, "not a picture") for row in bad)
            yield EncodedChunk(start, vectors, failures)
            start += len(chunk)


def make_encoder(model_dir: Path | None = None, threads: int = 1) -> ColourHistogram:
    """The entry point: what ``content.image_encoder = "colour-histogram"`` names."""
    return ColourHistogram()
