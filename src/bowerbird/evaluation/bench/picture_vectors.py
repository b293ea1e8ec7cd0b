"""Pictures to features for benches: one or several views of each, every failure counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int64, UInt8

from bowerbird.arrays import normalise
from bowerbird.content.encoder import chunks, side_by_side
from bowerbird.content.encoder_tops import PicturePlaces
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.picture_features import colour_features
from bowerbird.content.pictures import decoded, square, whole
from bowerbird.datasets.import_batch import Picture
from bowerbird.datasets.picture_source import PictureSource
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors
from bowerbird.telemetry import SILENT, Progress

__all__ = ["VIEWS", "PictureFeatures", "picture_features"]

VIEWS = ("centre", "whole")
"""What is encoded of each picture; the first is what a build encodes."""
MOST_PLACES = 25_000
"""Views of pictures of which the places below the cut are kept, 33 kB each."""
_CHUNK = 8
_SPAN = 512
"""Pictures whose results are kept in one file."""
_KEPT = ("features", "places", "colours")
"""What is kept of each."""


@dataclass(frozen=True)
class PictureFeatures:
    """Features of the pictures that could be read.

    Args:
        features: by picture and view, not of unit length.
        present: which pictures could be read.
        note: how many could not, and why the first; empty when all could.
        encoder: what made them.
        places: what the views are below the encoder's last block; None where it was not asked for or there are too many.
        colours: of each picture (:func:`~bowerbird.content.picture_features.colour_features`); None where places are.
    """

    features: Float32[np.ndarray, "picture view dim"]
    present: Bool[np.ndarray, "picture"]
    note: str
    encoder: ImageEncoder
    places: Float16[np.ndarray, "picture view y x width"] | None = None
    colours: Float32[np.ndarray, "picture colour"] | None = None

    def vectors(self, views: int = 1) -> Vectors:
        """Unit vectors: the mean over the first few views of each picture's features."""
        return Vectors(self.encoder.space, normalise(self.features[:, :views].mean(axis=1)), self.present)

    def logits(self, views: int = 1) -> Float32[np.ndarray, "picture label"]:
        """Scores of the ImageNet classes, mean over the first few views."""
        mean = self.features[:, :views].mean(axis=1)
        lengths = np.linalg.norm(mean, axis=1).astype(np.float32)
        return self.encoder.class_logits(self.vectors(views), lengths)

    @cached_property
    def beside(self) -> dict[str, Vectors]:
        """What the pooled vector forgets, by name; nothing where places were not kept.

        ``early`` are the mean and the spread over all places below the last block, means over views: textures and parts, which the
        last block trades for kinds of things. ``colours`` are those of what is not background.
        """
        if self.places is None or self.colours is None:
            return {}
        early = [_early(self.places[start : start + _SPAN]) for start in range(0, len(self.places), _SPAN)]
        found = {"early": np.concatenate(early), "colours": self.colours}
        version = self.encoder.space.version
        return {
            name: Vectors(Space(f"image_{name}", version, values.shape[1]), values, self.present)
            for name, values in found.items()
        }


def _early(
    places: Float16[np.ndarray, "picture view y x width"],
) -> Float32[np.ndarray, "picture wide"]:
    flat = places.astype(np.float32).reshape(*places.shape[:2], -1, places.shape[-1])
    return np.concatenate([flat.mean(axis=2), flat.std(axis=2)], axis=2).mean(axis=1)


def picture_features(
    source: PictureSource,
    places: Int64[np.ndarray, "picture"],
    encoder: ImageEncoder,
    views: Sequence[str] = VIEWS,
    *,
    below: bool = False,
    kept: Path | None = None,
    progress: Progress = SILENT,
) -> PictureFeatures:
    """Features of some pictures of a source.

    Args:
        source: where they are.
        places: their places in the source, in any order, each once.
        encoder: makes them; pictures run side by side on its threads.
        views: the first one or more of :data:`VIEWS`.
        below: keep the places below the encoder's last block and the colours too, of at most :data:`MOST_PLACES` views.
        kept: a folder where results stay, so that a bench that was killed, or another of the same pictures, goes on from there.
        progress: shows pictures.

    Raises:
        InputError: not one picture could be read.
    """
    row_of = {int(place): row for row, place in enumerate(places)}
    features = np.zeros((len(places), len(views), encoder.space.dim), dtype=np.float32)
    present = np.zeros(len(places), dtype=bool)
    cut = PicturePlaces(encoder.variant) if below and len(places) * len(views) <= MOST_PLACES else None
    grids: np.ndarray | None = None
    colours: np.ndarray | None = None
    reasons: list[str] = []
    progress.start("encode pictures", len(places), "pictures")
    spans = _Spans(encoder, tuple(views), cut, kept)
    for found in spans.encoded(source.pictures(row_of)):
        for one in found:
            if one.features is None:
                reasons.append(one.reason)
                continue
            row = row_of[one.place]
            features[row], present[row] = one.features, True
            if one.places is not None and one.colours is not None:
                if grids is None or colours is None:
                    grids = np.zeros((len(places), *one.places.shape), dtype=np.float16)
                    colours = np.zeros((len(places), len(one.colours)), dtype=np.float32)
                grids[row], colours[row] = one.places, one.colours
        progress.advance(len(found))
    progress.finish()
    if not present.any():
        raise InputError(f"{source.place}: none of {len(places):,} pictures could be read: {reasons[0]}")
    note = f"{len(reasons):,} pictures could not be read ({reasons[0]})" if reasons else ""
    return PictureFeatures(features, present, note, encoder, grids, colours)


@dataclass(frozen=True)
class _Encoded:
    """One picture: its features by view, or why there are none."""

    place: int
    features: np.ndarray | None = None
    places: np.ndarray | None = None
    colours: np.ndarray | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Spans:
    """Encodes a stream of pictures; what a folder holds of them already is read from there."""

    encoder: ImageEncoder
    views: tuple[str, ...]
    cut: PicturePlaces | None
    kept: Path | None

    def encoded(self, pictures: Iterator[tuple[int, Picture]]) -> Iterator[list[_Encoded]]:
        """A few pictures at a time, in order."""
        if self.kept is None:
            yield from self._worked(pictures)
            return
        self.kept.mkdir(parents=True, exist_ok=True)
        for span in chunks(pictures, _SPAN):
            path = self.kept / f"{self._key(span)}.npz"
            if path.is_file():
                yield _read(path, [place for place, _ in span])
                continue
            made: dict[int, _Encoded] = {}
            for some in self._worked(iter(span)):
                made.update({one.place: one for one in some})
                yield some
            _write(path, [made[place] for place, _ in span])

    def _worked(self, pictures: Iterator[tuple[int, Picture]]) -> Iterator[list[_Encoded]]:
        def work(some: list[tuple[int, Picture]]) -> list[_Encoded]:
            return _encoded(some, self.encoder, len(self.views), self.cut)

        yield from side_by_side(work, chunks(pictures, _CHUNK), self.encoder.threads)

    def _key(self, span: list[tuple[int, Picture]]) -> str:
        """Of the bytes of the pictures and of everything that is made of them."""
        asked = f"{self.encoder.space.key} {' '.join(self.views)} {'places colours' if self.cut else ''}"
        digest = hashlib.blake2b(asked.encode(), digest_size=12)
        for _, picture in span:
            digest.update(hashlib.blake2b(picture.data or b"", digest_size=12).digest())
        return digest.hexdigest()


def _write(path: Path, found: list[_Encoded]) -> None:
    """Keep a span; a file of half a span never has its name."""
    good = [number for number, one in enumerate(found) if one.features is not None]
    parts = {name: [getattr(found[number], name) for number in good] for name in _KEPT}
    arrays = {name: np.stack(values) for name, values in parts.items() if values and values[0] is not None}
    draft = path.with_suffix(".draft.npz")
    arrays |= {"good": np.array(good, np.int64), "reasons": np.array([one.reason for one in found])}
    np.savez(draft, **arrays)  # pyright: ignore[reportArgumentType] - names that are none of its arguments
    draft.replace(path)


def _read(path: Path, places: Sequence[int]) -> list[_Encoded]:
    """A span that was kept, for pictures at these places."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    row_of = {int(number): row for row, number in enumerate(arrays["good"])}
    found = []
    for number, place in enumerate(places):
        row = row_of.get(number)
        if row is None:
            found.append(_Encoded(place, reason=str(arrays["reasons"][number])))
        else:
            found.append(_Encoded(place, **{name: arrays[name][row] for name in _KEPT if name in arrays}))
    return found


def _encoded(
    some: list[tuple[int, Picture]], encoder: ImageEncoder, views: int, cut: PicturePlaces | None
) -> list[_Encoded]:
    size = encoder.variant.size
    found: list[_Encoded] = []
    pixels: list[UInt8[np.ndarray, "size size 3"]] = []
    read: list[int] = []
    colours: list[np.ndarray | None] = []
    for place, picture in some:
        if picture.data is None:
            found.append(_Encoded(place, reason=picture.reason or "no bytes"))
            continue
        try:
            read_picture = decoded(picture.data, at_least=size + 32)
        except InputError as error:
            found.append(_Encoded(place, reason=str(error)))
            continue
        pixels += [square(read_picture, size), whole(read_picture, size)][:views]
        read.append(place)
        colours.append(None if cut is None else colour_features(read_picture.pixels))
    if not read:
        return found
    places: np.ndarray | None = None
    if cut is None:
        features = encoder.pixel_features(np.stack(pixels))
    else:
        features, places = cut.run(np.stack(pixels))
    made = features.reshape(len(read), views, -1)
    grids = None if places is None else places.reshape(len(read), views, *places.shape[1:])
    for number, place in enumerate(read):
        grid = None if grids is None else grids[number]
        found.append(_Encoded(place, made[number], grid, colours[number]))
    return found
