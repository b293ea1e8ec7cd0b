"""Pictures to features for benches: one or several views of each, every failure counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int64, UInt8

from bowerbird.arrays import normalise
from bowerbird.content.encoder import chunks, side_by_side
from bowerbird.content.encoder_tops import PicturePlaces
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.pictures import decoded, square
from bowerbird.datasets.import_batch import Picture
from bowerbird.datasets.picture_source import PictureSource
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress

__all__ = ["VIEWS", "PictureFeatures", "picture_features"]

VIEWS = ("centre", "mirrored")
"""What is encoded of each picture; the first is what a build encodes."""
MOST_PLACES = 25_000
"""Pictures of which the places below the cut are kept, 33 kB each."""
_CHUNK = 8


@dataclass(frozen=True)
class PictureFeatures:
    """Features of the pictures that could be read.

    Args:
        features: by picture and view, not of unit length.
        present: which pictures could be read.
        note: how many could not, and why the first; empty when all could.
        encoder: what made them.
        places: what the first view is below the encoder's last block; None where it was not asked for or there are too many.
    """

    features: Float32[np.ndarray, "picture view dim"]
    present: Bool[np.ndarray, "picture"]
    note: str
    encoder: ImageEncoder
    places: Float16[np.ndarray, "picture y x width"] | None = None

    def vectors(self, views: int = 1) -> Vectors:
        """Unit vectors: the mean over the first few views of each picture's features."""
        return Vectors(self.encoder.space, normalise(self.features[:, :views].mean(axis=1)), self.present)

    def logits(self, views: int = 1) -> Float32[np.ndarray, "picture label"]:
        """Scores of the ImageNet classes, mean over the first few views."""
        mean = self.features[:, :views].mean(axis=1)
        lengths = np.linalg.norm(mean, axis=1).astype(np.float32)
        return self.encoder.class_logits(self.vectors(views), lengths)


def picture_features(
    source: PictureSource,
    places: Int64[np.ndarray, "picture"],
    encoder: ImageEncoder,
    views: Sequence[str] = VIEWS,
    *,
    below: bool = False,
    progress: Progress = SILENT,
) -> PictureFeatures:
    """Features of some pictures of a source.

    Args:
        source: where they are.
        places: their places in the source, in any order, each once.
        encoder: makes them; pictures run side by side on its threads.
        views: the first one or more of :data:`VIEWS`.
        below: keep the places below the encoder's last block too, of at most :data:`MOST_PLACES` pictures.
        progress: shows pictures.

    Raises:
        InputError: not one picture could be read.
    """
    row_of = {int(place): row for row, place in enumerate(places)}
    features = np.zeros((len(places), len(views), encoder.space.dim), dtype=np.float32)
    present = np.zeros(len(places), dtype=bool)
    cut = PicturePlaces(encoder.variant) if below and len(places) <= MOST_PLACES else None
    kept: np.ndarray | None = None
    reasons: list[str] = []

    def encoded(some: list[tuple[int, Picture]]) -> list[_Encoded]:
        return _encoded(some, encoder, len(views), cut)

    progress.start("encode pictures", len(places), "pictures")
    stream = chunks(source.pictures(row_of), _CHUNK)
    for found in side_by_side(encoded, stream, encoder.threads):
        for one in found:
            if one.features is None:
                reasons.append(one.reason)
                continue
            row = row_of[one.place]
            features[row], present[row] = one.features, True
            if one.places is not None:
                if kept is None:
                    kept = np.zeros((len(places), *one.places.shape), dtype=np.float16)
                kept[row] = one.places
        progress.advance(len(found))
    progress.finish()
    if not present.any():
        raise InputError(f"{source.place}: none of {len(places):,} pictures could be read: {reasons[0]}")
    note = f"{len(reasons):,} pictures could not be read ({reasons[0]})" if reasons else ""
    return PictureFeatures(features, present, note, encoder, kept)


@dataclass(frozen=True)
class _Encoded:
    """One picture: its features by view, or why there are none."""

    place: int
    features: np.ndarray | None = None
    places: np.ndarray | None = None
    reason: str = ""


def _encoded(
    some: list[tuple[int, Picture]], encoder: ImageEncoder, views: int, cut: PicturePlaces | None
) -> list[_Encoded]:
    size = encoder.variant.size
    found: list[_Encoded] = []
    pixels: list[UInt8[np.ndarray, "size size 3"]] = []
    read: list[int] = []
    for place, picture in some:
        if picture.data is None:
            found.append(_Encoded(place, reason=picture.reason or "no bytes"))
            continue
        try:
            middle = square(decoded(picture.data, at_least=size + 32), size)
        except InputError as error:
            found.append(_Encoded(place, reason=str(error)))
            continue
        pixels += [middle, middle[:, ::-1]][:views]
        read.append(place)
    if not read:
        return found
    places: np.ndarray | None = None
    if cut is None:
        features = encoder.pixel_features(np.stack(pixels))
    else:
        features, places = cut.run(np.stack(pixels))
    made = features.reshape(len(read), views, -1)
    for number, place in enumerate(read):
        found.append(_Encoded(place, made[number], None if places is None else places[number * views]))
    return found
