"""The built-in picture encoder: EfficientNet-Lite features through onnxruntime.

Each worker decodes a few pictures and runs the network on them, so decoding one batch overlaps the
network on another; inside a run one thread works. That is faster over many pictures than several
threads inside one run, and makes the result independent of the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from jaxtyping import Float32, UInt8

from bowerbird.arrays import normalise
from bowerbird.content.efficientnet_lite import (
    LITE0_VARIANT,
    LITE2_VARIANT,
    VECTOR_DIM,
    LiteVariant,
)
from bowerbird.content.encoder import EncodedChunk, EncodingFailure, chunks, side_by_side
from bowerbird.content.encoder_tops import EncoderTops, picture_network
from bowerbird.content.graph_cache import recipe_hash, session
from bowerbird.content.isolation import IsolatedDecoding, PreparedPicture
from bowerbird.content.made_up import drawn_pixels
from bowerbird.content.perceptual_hash import PictureHashes, picture_hashes
from bowerbird.content.pictures import LIMITS, PictureLimits, decoded, square
from bowerbird.content.precision import (
    Precision,
    PrecisionCheck,
    checked_precision,
    graph_of,
    precision_check,
)
from bowerbird.content.quantisation import activation_ranges, int8_convolutions
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

_REVISION = "2"
"""Raised by hand when the graph or the preprocessing changes what a picture's vector is."""
_INT8_REVISION = "1"
"""Raised by hand when the int8 graph changes: the calibration, the layers it covers."""
_CALIBRATION_PICTURES = 64
_CHECK_PICTURES = 64
_BATCH = 4
"""Pictures in one run: larger batches are no faster on a processor and only hold more memory."""


class ImageEncoder:
    """Encodes pictures into one space of unit vectors.

    Args:
        variant: the network.
        model_dir: where the built graph is kept; None builds it each time (under half a second).
        threads: workers side by side.
        limits: what is refused before decoding.
        precision: ``int8`` runs about twice as fast where the processor multiplies bytes; its vectors
            live in a space of their own.
        isolated: decode in processes of their own, so that a picture which crashes or hangs a decoder
            is a failure like any other.
        tops: last layers tuned to a catalogue; their vectors live in a space of their own.

    Raises:
        MissingDependencyError: the weights are not installed.

    Example:
        >>> encoder = ImageEncoder(LITE0_VARIANT)
        >>> encoder.space.key
        'image/efficientnet-lite0.2/1280/cosine'
        >>> encoder.encode([b"not a picture"]).present.tolist()
        [False]
    """

    modality: Literal["image", "text"] = "image"

    def __init__(
        self,
        variant: LiteVariant = LITE2_VARIANT,
        model_dir: Path | None = None,
        threads: int = 1,
        limits: PictureLimits = LIMITS,
        precision: Precision = "float",
        *,
        isolated: bool = False,
        tops: EncoderTops | None = None,
    ) -> None:
        self.variant = variant
        self._tops = tops
        self._isolated = IsolatedDecoding(variant.size) if isolated else None
        self.threads = threads
        self._limits = limits
        tuned = () if tops is None else (tops.version,)
        recipe = recipe_hash(variant.name, variant.weights.sha256, _REVISION, _INT8_REVISION, *tuned)
        graph, self.check = graph_of(
            model_dir,
            variant.name,
            recipe,
            lambda: picture_network(variant, tops),
            self._quantised if precision == "int8" else None,
        )
        self.precision: Precision = "int8" if self.check is not None and self.check.passed else "float"
        self._session = session(graph)

    @property
    def space(self) -> Space:
        """Unit vectors of the network's pooled feature; compared by cosine."""
        tuned = f"-tuned.{self._tops.version}" if self._tops is not None else ""
        precision = f"-int8.{_INT8_REVISION}" if self.precision == "int8" else ""
        return Space("image", f"{self.variant.name}.{_REVISION}{tuned}{precision}", VECTOR_DIM)

    def _prepared(self, file: bytes) -> PreparedPicture:
        if self._isolated is not None:
            return self._isolated.prepared(file)
        picture = decoded(file, self._limits, at_least=self.variant.size + 32)
        return PreparedPicture(
            square(picture, self.variant.size), picture_hashes([picture]).words()[0], picture.traits
        )

    def _quantised(self, graph: onnx.ModelProto) -> tuple[onnx.ModelProto, PrecisionCheck]:
        """The int8 graph with ranges from drawn pictures, compared with float on others."""
        size = self.variant.size
        shown = drawn_pixels(_CALIBRATION_PICTURES, size, seed=0)
        rectified = {node.input[0] for node in graph.graph.node if node.op_type == "Clip"}
        names = [
            node.output[0]
            for node in graph.graph.node
            if node.op_type in ("Conv", "Clip", "Add") and node.output[0] not in rectified
        ]
        feeds = ({"pixels": part} for part in _parts(shown))
        ranges = activation_ranges(graph, names, feeds, self.threads)
        whole = int8_convolutions(graph, ranges)
        fresh = drawn_pixels(_CHECK_PICTURES, size, seed=1)

        def vectors(model: onnx.ModelProto) -> Float32[np.ndarray, "item dim"]:
            running = session(model.SerializeToString())
            found = side_by_side(
                lambda part: running.run(["vector"], {"pixels": part})[0], _parts(fresh), self.threads
            )
            return np.concatenate([np.asarray(one) for one in found])

        return whole, precision_check(vectors(graph), vectors(whole))

    def encode(self, raw: list[bytes]) -> Vectors:
        """One row per picture; absent where it could not be read."""
        parts = [chunk.vectors for chunk in self.encode_chunks(raw)]
        if not parts:
            return Vectors.full(self.space, np.zeros((0, VECTOR_DIM), dtype=np.float32))
        matrix = np.concatenate([part.matrix for part in parts])
        return Vectors(self.space, matrix, np.concatenate([part.present for part in parts]))

    def encode_chunks(self, raw: Iterable[bytes | None]) -> Iterator[EncodedChunk]:
        """Vectors and perceptual hashes of a stream of pictures, in order, a few at a time.

        None stands for an item without a picture. A picture that cannot be read is an
        :class:`EncodingFailure` with the reason; the others of its chunk are not disturbed.
        """
        yield from side_by_side(self._chunk, enumerate(chunks(raw, _BATCH)), self.threads)

    def pixel_features(
        self, pixels: UInt8[np.ndarray, "item size size 3"]
    ) -> Float32[np.ndarray, "item dim"]:
        """The network's features, not of unit length, of pictures that are already cut to its size."""
        (features,) = self._session.run(["vector"], {"pixels": pixels})
        return np.asarray(features)

    def class_logits(
        self, vectors: Vectors, lengths: Float32[np.ndarray, "row"]
    ) -> Float32[np.ndarray, "row label"]:
        """Scores of the 1000 ImageNet classes, from the vectors themselves: no picture is read again.

        The classifier is linear in the feature, so with the feature's length l and unit vector v the
        logits are ``l W v + b``. Rows that are absent give the bias alone.

        Args:
            vectors: of this encoder's space.
            lengths: :attr:`~bowerbird.content.encoder.EncodedChunk.lengths` of the same rows.

        Raises:
            SpaceMismatchError: the vectors are another encoder's.
            InputError: the encoder is tuned: its features no longer tell the classes.
        """
        if self._tops is not None:
            raise InputError(
                f"class logits: {self.space.version} is tuned to a catalogue; expected the encoder as it comes"
            )
        self.space.require(vectors.space, "class logits")
        weight, bias = self._classifier
        return (vectors.matrix @ weight.T) * lengths[:, None] + bias

    @cached_property
    def _classifier(self) -> tuple[Float32[np.ndarray, "label dim"], Float32[np.ndarray, "label"]]:
        weights = self.variant.weights.read()
        return weights["_fc.weight"], weights["_fc.bias"]

    def _chunk(self, numbered: tuple[int, list[bytes | None]]) -> EncodedChunk:
        number, files = numbered
        start = number * _BATCH
        pictures: dict[int, PreparedPicture] = {}
        failures = []
        for place, file in enumerate(files):
            if file is None:
                continue
            try:
                pictures[place] = self._prepared(file)
            except InputError as error:
                failures.append(EncodingFailure(start + place, str(error)))
        matrix = np.zeros((len(files), VECTOR_DIM), dtype=np.float32)
        words = np.zeros((len(files), 10), dtype=np.uint64)
        lengths = np.zeros(len(files), dtype=np.float32)
        present = np.zeros(len(files), dtype=bool)
        if pictures:
            rows = list(pictures)
            features = self.pixel_features(np.stack([picture.pixels for picture in pictures.values()]))
            lengths[rows] = np.linalg.norm(features, axis=1)
            matrix[rows] = normalise(features)
            words[rows] = [picture.hash_words for picture in pictures.values()]
            present[rows] = True
        traits = tuple(pictures[place].traits if place in pictures else () for place in range(len(files)))
        vectors = Vectors(self.space, matrix, present)
        hashes = PictureHashes.from_words(words)
        return EncodedChunk(start, vectors, tuple(failures), traits, hashes, lengths)


def _parts(pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]


def efficientnet_lite2(
    model_dir: Path | None = None, threads: int = 1, choice: str = "float", *, isolated: bool = False
) -> ImageEncoder:
    """The default picture encoder (plugin ``efficientnet-lite2``, or ``efficientnet-lite2:int8``)."""
    precision = checked_precision(LITE2_VARIANT.name, choice)
    return ImageEncoder(LITE2_VARIANT, model_dir, threads, precision=precision, isolated=isolated)


def efficientnet_lite0(
    model_dir: Path | None = None, threads: int = 1, choice: str = "float", *, isolated: bool = False
) -> ImageEncoder:
    """The small picture encoder, about twice as fast (plugin ``efficientnet-lite0[:int8]``)."""
    precision = checked_precision(LITE0_VARIANT.name, choice)
    return ImageEncoder(LITE0_VARIANT, model_dir, threads, precision=precision, isolated=isolated)
