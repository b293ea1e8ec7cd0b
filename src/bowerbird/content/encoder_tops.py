"""Where the built-in encoders are cut so that their last layers can be tuned to a catalogue, and put together again.

Everything below the cut is computed once for each input and kept; only the last block of the picture network and
the last layer of the text network are trained (:mod:`bowerbird.training.tuning`). A tuned network is the built-in graph with
other weights on top, so it runs where the built-in one runs, without torch, in a space of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from jaxtyping import Float16, Float32, Int32, Int64, UInt8
from onnx import TensorProto, helper
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from bowerbird.content.efficientnet_lite import LiteVariant, efficientnet_lite_graph, folded
from bowerbird.content.graph_cache import session
from bowerbird.content.minilm import LAYERS, VECTOR_DIM, minilm_graph
from bowerbird.content.torch_file import Weights
from bowerbird.content.weights import MINILM, MINILM_TOKENIZER
from bowerbird.errors import InputError
from bowerbird.telemetry import SILENT, Progress

__all__ = [
    "EncoderTops",
    "PicturePlaces",
    "TextTokens",
    "TokenStates",
    "picture_network",
    "picture_top",
    "text_network",
    "text_top",
]

PICTURE_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
_NORM_EPSILON = 1e-3
TEXT_PREFIX = f"encoder.layer.{LAYERS - 1}."
_BATCH = 16
MOST_TOKENS = 64
"""Longer texts are cut when they are tuned on: their ends cost more than they teach."""


def _picture_names(variant: LiteVariant) -> dict[str, tuple[str, str]]:
    """Convolution and normalisation of each part of the top."""
    last = f"_blocks.{len(variant.block_strides()) - 1}."
    names = {part: (last + conv, last + norm) for part, (conv, norm) in PICTURE_PARTS.items()}
    return {**names, "head": ("_conv_head", "_bn1")}


def picture_top(variant: LiteVariant) -> dict[str, Float32[np.ndarray, "..."]]:
    """The weights of a picture network above the cut, normalisation folded into kernels and biases."""
    weights = variant.weights.read()
    top = {}
    for part, (conv, norm) in _picture_names(variant).items():
        kernel, bias = folded(weights[f"{conv}.weight"], *(weights[f"{norm}.{name}"] for name in _NORM_PARTS))
        top[f"{part}.weight"], top[f"{part}.bias"] = kernel, bias
    return top


def text_top() -> dict[str, Float32[np.ndarray, "..."]]:
    """The weights of the text network's last layer."""
    weights = MINILM.read()
    return {name.removeprefix(TEXT_PREFIX): weights[name] for name in weights if name.startswith(TEXT_PREFIX)}


@dataclass(frozen=True)
class EncoderTops:
    """The tuned layers of a picture network and of the text network.

    Args:
        picture: what :func:`picture_top` gives, tuned.
        text: what :func:`text_top` gives, tuned.
    """

    picture: Mapping[str, Float32[np.ndarray, "..."]]
    text: Mapping[str, Float32[np.ndarray, "..."]]

    @cached_property
    def version(self) -> str:
        """A fingerprint of the weights: part of the space of every vector they make."""
        digest = hashlib.blake2b(digest_size=6)
        for part in (self.picture, self.text):
            for name in sorted(part):
                digest.update(name.encode() + np.ascontiguousarray(part[name]).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write both as one safetensors file."""
        named = {"picture": self.picture, "text": self.text}
        save_file(
            {
                f"{side}/{name}": np.ascontiguousarray(values)
                for side, part in named.items()
                for name, values in part.items()
            },
            path,
        )

    @staticmethod
    def load(path: Path) -> EncoderTops:
        """What :meth:`save` wrote.

        Raises:
            InputError: the file is absent, damaged or holds something else.
        """
        try:
            held = load_file(path)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{path}: not saved encoder layers: {error}; run `bowerbird build tuned_encoders` to make them anew"
            ) from error
        sides: dict[str, dict[str, np.ndarray]] = {"picture": {}, "text": {}}
        for key, values in held.items():
            side, _, name = key.partition("/")
            sides.setdefault(side, {})[name] = values
        return EncoderTops(sides["picture"], sides["text"])


def picture_network(variant: LiteVariant, tops: EncoderTops | None = None) -> onnx.ModelProto:
    """A picture network, pixels to ``vector``; with other weights above the cut where tuned ones are given."""
    weights: Weights = dict(variant.weights.read())
    tuned = {} if tops is None else tops.picture
    for part, (conv, norm) in _picture_names(variant).items() if tuned else ():
        bias = tuned[f"{part}.bias"]
        weights[f"{conv}.weight"] = tuned[f"{part}.weight"]
        # a normalisation that adds the bias and changes nothing else
        none, one = np.zeros_like(bias), np.ones_like(bias)
        for name, values in zip(_NORM_PARTS, (one, bias, none, one - _NORM_EPSILON), strict=True):
            weights[f"{norm}.{name}"] = values
    return efficientnet_lite_graph(variant, weights)


def text_network(tops: EncoderTops | None = None) -> onnx.ModelProto:
    """The text network, tokens to ``vector``; with another last layer where a tuned one is given."""
    tuned = {} if tops is None else tops.text
    return minilm_graph({**MINILM.read(), **{TEXT_PREFIX + name: values for name, values in tuned.items()}})


class PicturePlaces:
    """Runs a picture network up to the cut, and to its end.

    Args:
        variant: the network.
    """

    def __init__(self, variant: LiteVariant) -> None:
        graph = efficientnet_lite_graph(variant, variant.weights.read())
        expand = f"_blocks.{len(variant.block_strides()) - 1}._expand_conv.out"
        self._cut = next(node.input[0] for node in graph.graph.node if node.output[0] == expand)
        graph.graph.output.append(helper.make_tensor_value_info(self._cut, TensorProto.FLOAT, None))
        self._session = session(graph.SerializeToString())

    def run(
        self, pixels: UInt8[np.ndarray, "picture size size 3"]
    ) -> tuple[Float32[np.ndarray, "picture dim"], Float16[np.ndarray, "picture y x width"]]:
        """Pooled features, not of unit length, and the places below the cut."""
        features, places = self._session.run(["vector", self._cut], {"pixels": pixels})
        return np.asarray(features), np.moveaxis(np.asarray(places), 1, 3).astype(np.float16)


@dataclass(frozen=True)
class TokenStates:
    """Tokens of many texts below the cut; text ``i`` has ``states[starts[i]:starts[i + 1]]``."""

    states: Float16[np.ndarray, "token width"]
    starts: Int64[np.ndarray, "bound"]

    @staticmethod
    def joined(parts: Sequence[TokenStates]) -> TokenStates:
        """Several sets of texts, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        sizes = np.cumsum([0, *(len(part.states) for part in parts)])
        starts = [part.starts[:-1] + size for part, size in zip(parts, sizes[:-1], strict=True)]
        return TokenStates(
            np.concatenate([part.states for part in parts]), np.concatenate([*starts, sizes[-1:]])
        )

    def padded(self, rows: Int64[np.ndarray, "n"]) -> tuple[Float32[np.ndarray, "n token width"], np.ndarray]:
        """Some texts side by side, and which tokens are real."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        real = np.arange(int(lengths.max()))[None, :] < lengths[:, None]
        tokens = np.zeros((*real.shape, self.states.shape[1]), dtype=np.float32)
        bounds = zip(self.starts[rows].tolist(), self.starts[rows + 1].tolist(), strict=True)
        tokens[real] = self.states[np.concatenate([np.arange(start, stop) for start, stop in bounds])]
        return tokens, real


class TextTokens:
    """Runs the text network up to the cut."""

    def __init__(self) -> None:
        graph = minilm_graph(MINILM.read())
        attended = next(node for node in graph.graph.node if node.name == f"{TEXT_PREFIX}attended")
        self._cut = attended.input[0]
        del graph.graph.output[:]
        graph.graph.output.append(helper.make_tensor_value_info(self._cut, TensorProto.FLOAT, None))
        self._session = session(graph.SerializeToString())
        self._tokenizer = Tokenizer.from_file(str(MINILM_TOKENIZER.checked()))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)

    def states(self, texts: Sequence[str], progress: Progress = SILENT) -> TokenStates:
        """Tokens of texts; an empty text has the two marks around it."""
        progress.start("read tokens of texts", len(texts), "texts")
        clean = [text[:4096].encode("utf-8", "replace").decode("utf-8") for text in texts]
        tokens = [one.ids for one in self._tokenizer.encode_batch(clean)]
        lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        states = np.zeros((int(starts[-1]), VECTOR_DIM), dtype=np.float16)
        for rows in self._batches(lengths):
            ids = np.zeros((len(rows), int(lengths[rows].max())), dtype=np.int32)
            for place, row in enumerate(rows):
                ids[place, : lengths[row]] = tokens[row]
            for place, values in enumerate(self._run(ids, lengths[rows])):
                row = rows[place]
                states[starts[row] : starts[row + 1]] = values[: lengths[row]]
            progress.advance(len(rows))
        progress.finish()
        return TokenStates(states, starts)

    def _run(
        self, ids: Int32[np.ndarray, "text token"], lengths: Int64[np.ndarray, "text"]
    ) -> Float32[np.ndarray, "text token width"]:
        mask = (np.arange(ids.shape[1])[None, :] < lengths[:, None]).astype(np.int32)
        (states,) = self._session.run([self._cut], {"token_ids": ids, "mask": mask})
        return np.asarray(states)

    @staticmethod
    def _batches(lengths: Int64[np.ndarray, "text"]) -> Iterator[Int64[np.ndarray, "n"]]:
        """Texts of like length together, so that little is padding."""
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), _BATCH):
            yield order[start : start + _BATCH]
