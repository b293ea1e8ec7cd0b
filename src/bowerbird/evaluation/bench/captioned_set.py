"""A set of pictures and texts, read and encoded: everything a contender of ``bench image-text`` may read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from bowerbird.content.conse import ConSE
from bowerbird.content.encoder_tops import TextTokens, TokenStates
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.item_parts import Block, ItemParts
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.evaluation.bench.both_ways import Right
from bowerbird.evaluation.bench.captioned import Captioned
from bowerbird.evaluation.bench.picture_vectors import PictureFeatures, picture_features
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import Progress

__all__ = ["CaptionedSet", "SetEncoding"]


@dataclass(frozen=True)
class CaptionedSet:
    """One set, encoded: everything a contender may read."""

    captioned: Captioned
    pictures: PictureFeatures
    said: Vectors
    conse: Vectors
    tokens: TokenStates | None
    """Of each distinct text; None where encoders are not tuned."""
    token_row: Int64[np.ndarray, "text"]

    def seen(self, rows: Int64[np.ndarray, "n"], views: int) -> ItemParts:
        """The picture side of some pictures."""
        image, guess = self.pictures.vectors(views).take(rows), self.conse.take(rows)
        beside = {name: Block.of(one.take(rows)) for name, one in self.pictures.beside.items()}
        return ItemParts({"image": Block.of(image), "conse": Block.of(guess), **beside})

    def texts_of(self, pictures: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "text"]:
        """Rows of the texts of some pictures."""
        chosen = np.isin(self.captioned.picture_of, pictures) & self.said.present
        return np.flatnonzero(chosen)

    def readable(self, part: int) -> Int64[np.ndarray, "n"]:
        """Pictures of a part that could be read and of which something is said."""
        spoken = np.zeros(len(self.captioned.part), dtype=bool)
        spoken[self.captioned.picture_of[self.said.present]] = True
        return np.flatnonzero((self.captioned.part == part) & self.pictures.present & spoken)

    @cached_property
    def right(self) -> Right:
        """Which text belongs to which picture of what is reported, equal texts to all of their pictures."""
        pictures = self.readable(self.captioned.reported)
        texts = self.texts_of(pictures)
        number: dict[str, list[int]] = {}
        of = np.searchsorted(pictures, self.captioned.picture_of[texts])
        for row, text in enumerate(texts):
            number.setdefault(self.captioned.captions[text], []).append(row)
        pairs = {(row, int(of[other])) for rows in number.values() for row in rows for other in rows}
        return Right(np.array(sorted(pairs), dtype=np.int64), len(texts), len(pictures))


@dataclass(frozen=True)
class SetEncoding:
    """Encodes sets.

    Args:
        image: encodes pictures.
        text: encodes texts.
        bridge: says what the classifier sees.
        tune: keep what lies below the encoders' last layers too.
        kept: a folder where encoded pictures stay.
        progress: shows encoding.
    """

    image: ImageEncoder
    text: TextEncoder
    bridge: ConSE
    tune: bool
    kept: Path | None
    progress: Progress

    def __call__(self, captioned: Captioned) -> CaptionedSet:
        """The set of what was read."""
        pictures = picture_features(
            captioned.source,
            captioned.places,
            self.image,
            below=self.tune,
            kept=self.kept,
            progress=self.progress,
        )
        distinct = list(dict.fromkeys(captioned.captions))
        place = {caption: row for row, caption in enumerate(distinct)}
        token_row = np.array([place[caption] for caption in captioned.captions], dtype=np.int64)
        said = self._said(distinct).take(token_row)
        tokens = None if pictures.places is None else TextTokens().states(distinct, self.progress)
        views = pictures.features.shape[1]
        conse = self.bridge.project(pictures.logits(views), pictures.vectors(views))
        return CaptionedSet(captioned, pictures, said, conse, tokens, token_row)

    def _said(self, distinct: list[str]) -> Vectors:
        self.progress.start("encode texts", len(distinct), "texts")
        parts = []
        for chunk in self.text.encode_chunks(distinct):
            parts.append(chunk.vectors)
            self.progress.advance(len(chunk.vectors))
        self.progress.finish()
        return Vectors(
            self.text.space,
            np.concatenate([part.matrix for part in parts]),
            np.concatenate([part.present for part in parts]),
        )
