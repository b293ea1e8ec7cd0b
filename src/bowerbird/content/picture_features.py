"""Wide features of a picture, for heads that read attributes: more than what a picture is of.

The pooled last layer knows kinds of things and forgets colours, textures and edges. So beside it stand the pooled
outputs of earlier stages and a histogram of the colours of what is not background. The whole picture is read
(padded to a square with its border's colour), because the centre crop of the frozen vector cuts sleeves and shoes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from jaxtyping import Bool, Float32, UInt8
from onnx import TensorProto, helper
from PIL import Image

from bowerbird.content.efficientnet_lite import (
    LITE2_VARIANT,
    VECTOR_DIM,
    LiteVariant,
    efficientnet_lite_graph,
)
from bowerbird.content.encoder import chunks, side_by_side
from bowerbird.content.graph_cache import session
from bowerbird.content.pictures import Picture, decoded, square
from bowerbird.errors import InputError

__all__ = ["WideChunk", "WideFeatures", "colour_features", "padded_square"]

_BATCH = 4
_SMALL = 64
"""Side of the picture colours are counted on."""
_FOREGROUND = 0.08
"""Difference to the border's colour, in shares of the range, from which a pixel is not background."""
_HUES, _GREYS = 12, 6
_COLOUR_BINS = _GREYS + _HUES * 9


@dataclass(frozen=True)
class WideChunk:
    """Features of consecutive pictures; rows of pictures that could not be read are zero."""

    frozen: Float32[np.ndarray, "picture dim"]
    """The pooled last layer of the centre crop: what the encoder's vector is made of."""
    wide: Float32[np.ndarray, "picture width"]
    present: Bool[np.ndarray, " picture"]


class WideFeatures:
    """Makes wide features of pictures.

    Args:
        variant: the network.
        threads: workers side by side.

    Raises:
        MissingDependencyError: the weights are not installed.
    """

    def __init__(self, variant: LiteVariant = LITE2_VARIANT, threads: int = 1) -> None:
        self.variant = variant
        self.threads = threads
        graph, self._stages = _with_stages(efficientnet_lite_graph(variant, variant.weights.read()), variant)
        self._session = session(graph.SerializeToString())

    @property
    def version(self) -> str:
        """What a feature row means; equal versions can be compared."""
        return f"{self.variant.name}.wide.1"

    def chunks(self, files: Iterable[bytes | None]) -> Iterator[WideChunk]:
        """Features of a stream of pictures, in order, a few at a time. None stands for no picture."""
        yield from side_by_side(self._chunk, chunks(files, _BATCH), self.threads)

    def _chunk(self, files: list[bytes | None]) -> WideChunk:
        pictures = [_read(file, self.variant.size + 32) for file in files]
        present = np.array([picture is not None for picture in pictures])
        readable = [picture for picture in pictures if picture is not None]
        frozen = np.zeros((len(files), VECTOR_DIM), dtype=np.float32)
        if not readable:
            width = VECTOR_DIM + sum(width for _, width in self._stages) + 2 * _COLOUR_BINS + 7
            return WideChunk(frozen, np.zeros((len(files), width), np.float32), present)
        size = self.variant.size
        centre = np.stack([square(picture, size) for picture in readable])
        frozen[present] = self._session.run(["vector"], {"pixels": centre})[0]
        whole = np.stack([padded_square(picture.pixels, size) for picture in readable])
        outputs = ["vector", *(name for name, _ in self._stages)]
        parts = [np.asarray(part) for part in self._session.run(outputs, {"pixels": whole})]
        colours = np.stack([colour_features(picture.pixels) for picture in readable])
        made = np.concatenate([*parts, colours], axis=1).astype(np.float32)
        wide = np.zeros((len(files), made.shape[1]), dtype=np.float32)
        wide[present] = made
        return WideChunk(frozen, wide, present)


def padded_square(pixels: UInt8[np.ndarray, "height width 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The whole picture in a square, its sides filled with the median colour of its border."""
    height, width, _ = pixels.shape
    side = max(height, width)
    colour = tuple(int(value) for value in np.median(_border(pixels), axis=0))
    canvas = Image.new("RGB", (side, side), colour)
    canvas.paste(Image.fromarray(pixels), ((side - width) // 2, (side - height) // 2))
    return np.asarray(canvas.resize((size, size), Image.Resampling.BICUBIC), dtype=np.uint8)


def colour_features(pixels: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, " feature"]:
    """Colours of what is not background: two histograms (all of it, and its middle), mean, share, border.

    A bin is a grey of six, or a hue of twelve in three strengths and three lightnesses; counts are shares under
    a square root, so that a small second colour is seen.

    Example:
        >>> picture = np.full((8, 8, 3), 255, np.uint8)
        >>> picture[2:6, 2:6] = (255, 0, 0)
        >>> int(colour_features(picture)[:114].argmax())  # hue 0, strongest, lightest
        14
    """
    small = np.asarray(Image.fromarray(pixels).resize((_SMALL, _SMALL), Image.Resampling.BOX))
    rgb = small.astype(np.float32) / 255
    background = np.median(_border(rgb), axis=0)
    shown = (np.abs(rgb - background).max(axis=-1) > _FOREGROUND).astype(np.float32)
    away = np.square(np.arange(_SMALL) - (_SMALL - 1) / 2) / (2 * (_SMALL / 4) ** 2)
    middle = shown * np.exp(-(away[:, None] + away[None, :])).astype(np.float32)
    bins = _colour_bins(rgb).ravel()
    parts = []
    for weight in (shown, middle):
        count = np.bincount(bins, weight.ravel(), _COLOUR_BINS)
        parts.append(np.sqrt(count / max(count.sum(), 1e-6)))
    mean = (rgb * middle[..., None]).sum(axis=(0, 1)) / max(float(middle.sum()), 1e-6)
    return np.concatenate([*parts, mean, [shown.mean()], background]).astype(np.float32)


def _colour_bins(rgb: Float32[np.ndarray, "y x 3"]) -> np.ndarray:
    """Number of each pixel's bin."""
    top, span = rgb.max(axis=-1), rgb.max(axis=-1) - rgb.min(axis=-1)
    strength = span / np.maximum(top, 1e-6)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    unit = np.maximum(span, 1e-6)
    hue = np.where(
        top == red,
        ((green - blue) / unit) % 6,
        np.where(top == green, (blue - red) / unit + 2, (red - green) / unit + 4),
    )
    hue_bin = np.minimum((hue * (_HUES / 6)).astype(np.int64), _HUES - 1)
    strong, light = np.digitize(strength, [0.15, 0.4, 0.7]), np.digitize(top, [0.33, 0.66])
    grey = np.minimum((top * _GREYS).astype(np.int64), _GREYS - 1)
    return np.where(strong == 0, grey, _GREYS + hue_bin * 9 + (strong - 1) * 3 + light)


def _border(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _read(file: bytes | None, at_least: int) -> Picture | None:
    if file is None:
        return None
    try:
        return decoded(file, at_least=at_least)
    except InputError:
        return None


def _with_stages(
    graph: onnx.ModelProto, variant: LiteVariant
) -> tuple[onnx.ModelProto, list[tuple[str, int]]]:
    """The network with the mean over places of each stage's last block as further outputs, and their widths.

    A stage ends where the next block halves the picture, and at the end.
    """
    strides = variant.block_strides()
    lasts = [
        block for block in range(1, len(strides)) if block + 1 == len(strides) or strides[block + 1] == 2
    ]
    widths = {one.name: one.dims[0] for one in graph.graph.initializer if one.dims}
    found = []
    for block in lasts:
        last = [node for node in graph.graph.node if node.name.startswith(f"_blocks.{block}.")][-1]
        name = f"stage.{block}"
        graph.graph.node.append(
            helper.make_node("ReduceMean", [last.output[0]], [name], axes=[2, 3], keepdims=0)
        )
        width = widths[f"_blocks.{block}._project_conv.weight"]
        graph.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]))
        found.append((name, width))
    return graph, found
