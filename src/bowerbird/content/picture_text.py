"""Words written in pictures, read by RapidOCR.

Needs the package ``rapidocr`` (extra ``words``); its networks come with it. Reading takes some tenths of a second a
picture, so what was read is kept by the picture's content.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

from bowerbird.extras import installed, needed

__all__ = ["READER", "PictureText", "TextReader", "reader_installed"]

READER = "rapidocr.3"
"""Name and version of what read; part of the key under which results are kept."""
LEAST_SURE = 0.6
"""Confidence of a line below which it is left out."""


@dataclass(frozen=True)
class PictureText:
    """What is written in one picture."""

    lines: tuple[str, ...]
    """From top to bottom."""
    confidence: float
    """Mean over lines, weighted by their length, in [0, 1]; 0 without lines."""
    share: float
    """Part of the picture that text covers, in [0, 1]."""

    @property
    def text(self) -> str:
        """The lines as one text."""
        return " ".join(self.lines)

    def to_json(self) -> str:
        """As one line of JSON, for the cache."""
        return json.dumps([list(self.lines), self.confidence, self.share], ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> PictureText:
        """The inverse of :meth:`to_json`."""
        lines, confidence, share = json.loads(text)
        return PictureText(tuple(lines), confidence, share)


def reader_installed() -> bool:
    """Whether the reader is there."""
    return installed("rapidocr")


@final
class TextReader:
    """Reads what is written in decoded pictures, one at a time.

    Raises:
        MissingDependencyError: the package is not installed.
    """

    def __init__(self) -> None:
        without = 'set [content] picture_text = "off" and go without'
        library = needed("rapidocr", "words", "content.picture_text", without)
        quiet = {
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        self._reader: Any = library.RapidOCR(params=quiet)

    def read(self, pixels: UInt8[np.ndarray, "height width 3"]) -> PictureText:
        """The text of a picture; lines the reader is not sure of are left out."""
        found = self._reader(np.ascontiguousarray(pixels[:, :, ::-1]))  # it takes blue, green, red
        if found.boxes is None or found.txts is None or found.scores is None:
            return PictureText((), 0.0, 0.0)
        height, width, _ = pixels.shape
        kept = [
            (text.strip(), float(sure), _area(np.asarray(box, dtype=np.float64)))
            for box, text, sure in zip(found.boxes, found.txts, found.scores, strict=True)
            if sure >= LEAST_SURE and text.strip()
        ]
        if not kept:
            return PictureText((), 0.0, 0.0)
        weights = [len(text) for text, _, _ in kept]
        sure = float(np.average([one for _, one, _ in kept], weights=weights))
        share = min(1.0, sum(area for _, _, area in kept) / (height * width))
        return PictureText(tuple(text for text, _, _ in kept), round(sure, 4), round(share, 4))


def _area(corners: np.ndarray) -> float:
    """Area of a polygon (the shoelace formula)."""
    x, y = corners[:, 0], corners[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))
