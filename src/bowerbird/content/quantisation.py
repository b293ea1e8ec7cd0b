"""Networks in eight-bit integers: static ranges, so a vector never depends on its batch.

A layer's input x is stored as bytes, ``x ~ (q - zero) scale``, with a range fixed once by running the
float network on made-up inputs (the smallest and largest value seen). A weight matrix has one
symmetric scale for each output channel. Ranges measured on the batch at hand ("dynamic" int8) are
simpler and would make a text's vector depend on its neighbours, which no encoder here may do.

Convolutions are written as QuantizeLinear / DequantizeLinear pairs around the float operators, which
onnxruntime turns into its integer kernels; matrix products use its fused operators directly.

Source: Jacob et al. 2018, arXiv:1712.05877, sections 2.1 and 2.3 (affine scheme, integer bias);
Krishnamoorthi 2018, arXiv:1806.08342, section 3.1 (a scale per output channel).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from jaxtyping import Float32, Int8
from onnx import TensorProto, helper, numpy_helper

from bowerbird.content.encoder import side_by_side
from bowerbird.content.graph_cache import session

__all__ = ["ActivationRange", "activation_ranges", "int8_convolutions", "int8_products", "int8_weight"]

_LEVELS = 255


@dataclass(frozen=True, slots=True)
class ActivationRange:
    """The values a layer's input takes, and the bytes they become.

    Example:
        >>> found = ActivationRange(-1.0, 3.0)
        >>> round(float(found.scale), 5), int(found.zero)
        (0.01569, 64)
    """

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        """The step between two bytes; zero is always one of the values."""
        width = max(self.high, 0.0) - min(self.low, 0.0)
        return np.float32(width / _LEVELS if width > 0 else 1.0)

    @property
    def zero(self) -> np.uint8:
        """The byte that stands for zero."""
        return np.uint8(np.clip(round(-min(self.low, 0.0) / float(self.scale)), 0, _LEVELS))


def activation_ranges(
    model: onnx.ModelProto,
    names: Iterable[str],
    feeds: Iterable[Mapping[str, np.ndarray]],
    threads: int = 1,
) -> dict[str, ActivationRange]:
    """The smallest and largest value of inner results over some inputs.

    Args:
        model: the float network; it is not changed.
        names: inner results to watch.
        feeds: inputs of the network, a batch at a time.
        threads: batches side by side.
    """
    watched = list(dict.fromkeys(names))
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    known = {output.name for output in open_model.graph.output}
    open_model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in watched if name not in known
    )
    running = session(open_model.SerializeToString())

    def extremes(feed: Mapping[str, np.ndarray]) -> np.ndarray:
        results = [np.asarray(result) for result in running.run(watched, dict(feed))]
        return np.array([[result.min() for result in results], [result.max() for result in results]])

    found = np.array(list(side_by_side(extremes, feeds, threads)))
    low, high = found[:, 0].min(axis=0), found[:, 1].max(axis=0)
    return {
        name: ActivationRange(float(least), float(most))
        for name, least, most in zip(watched, low, high, strict=True)
    }


def int8_weight(
    weight: Float32[np.ndarray, "channel *rest"],
) -> tuple[Int8[np.ndarray, "channel *rest"], Float32[np.ndarray, "channel"]]:
    """A weight in bytes, and the scale of each output channel (the first axis).

    Example:
        >>> whole, scale = int8_weight(np.array([[1.0, -0.5], [0.0, 0.0]], np.float32))
        >>> whole.tolist(), [round(float(one), 5) for one in scale]
        ([[127, -64], [0, 0]], [0.00787, 1.0])
    """
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)))
    scale = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    shape = (len(scale), *[1] * (weight.ndim - 1))
    return np.clip(np.round(weight / scale.reshape(shape)), -127, 127).astype(np.int8), scale


class _Rewrite:
    """A model whose nodes are written anew one by one; constants nobody reads any more are dropped."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.old = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self._made: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: Any) -> str:
        self._made[name] = numpy_helper.from_array(np.asarray(values), name)
        return name

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def finished(self) -> onnx.ModelProto:
        graph = self.model.graph
        used = {name for node in self.nodes for name in node.input}
        kept = [one for one in graph.initializer if one.name in used]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend([*kept, *self._made.values()])
        return self.model


def int8_convolutions(model: onnx.ModelProto, ranges: Mapping[str, ActivationRange]) -> onnx.ModelProto:
    """A network whose convolutions, sums and poolings run on bytes.

    Args:
        model: the float network.
        ranges: the range of every inner result that is to be stored as bytes.
    """
    rewrite = _Rewrite(model)
    scale_of: dict[str, float] = {}
    renamed: dict[str, str] = {}
    for node in model.graph.node:
        inputs = [renamed.get(name, name) for name in node.input]
        if node.op_type == "DequantizeLinear":  # the picture's own bytes
            scale_of[node.output[0]] = float(rewrite.old[node.input[1]])
        if node.op_type == "Conv":
            source, weight, bias = node.input
            inputs[1:] = _int8_kernel(rewrite, weight, bias, scale_of[source])
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        del copied.input[:]
        copied.input.extend(inputs)
        rewrite.nodes.append(copied)
        for name in node.output:
            if name in ranges:
                scale = rewrite.constant(f"{name}.scale", ranges[name].scale)
                zero = rewrite.constant(f"{name}.zero", ranges[name].zero)
                stored = rewrite.node("QuantizeLinear", [name, scale, zero], f"{name}.bytes")
                renamed[name] = rewrite.node("DequantizeLinear", [stored, scale, zero], f"{name}.values")
                scale_of[name] = float(ranges[name].scale)
    return rewrite.finished()


def _int8_kernel(rewrite: _Rewrite, weight: str, bias: str, input_scale: float) -> list[str]:
    """A kernel in bytes and its bias in the products' own scale, as nodes that give both back."""
    kernel, scale = int8_weight(rewrite.old[weight])
    steps = (scale.astype(np.float64) * input_scale).astype(np.float32)
    whole = np.round(rewrite.old[bias].astype(np.float64) / steps)
    limits = np.iinfo(np.int32)
    made = []
    for name, values, one_scale in (
        (weight, kernel, scale),
        (bias, np.clip(whole, limits.min, limits.max).astype(np.int32), steps),
    ):
        zeros = rewrite.constant(f"{name}.zero", np.zeros(len(one_scale), values.dtype))
        inputs = [
            rewrite.constant(f"{name}.int", values),
            rewrite.constant(f"{name}.scale", one_scale),
            zeros,
        ]
        made.append(rewrite.node("DequantizeLinear", inputs, f"{name}.values", axis=0))
    return made


def int8_products(model: onnx.ModelProto, ranges: Mapping[str, ActivationRange]) -> onnx.ModelProto:
    """A transformer whose matrix products run on bytes; attention, norms and gates stay in float.

    Args:
        model: the float network, of onnxruntime's fused operators.
        ranges: the range of the input of every ``MatMul`` and ``Attention``.
    """
    rewrite = _Rewrite(model)
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Attention"):
            rewrite.nodes.append(node)
            continue
        source, weight, output = node.input[0], node.input[1], node.output[0]
        by_channel, scale = int8_weight(rewrite.old[weight].T)
        whole = rewrite.constant(f"{weight}.int", np.ascontiguousarray(by_channel.T))
        scales = rewrite.constant(f"{weight}.scale", scale)
        step = rewrite.constant(f"{output}.scale", ranges[source].scale)
        zero = rewrite.constant(f"{output}.zero", ranges[source].zero)
        stored = rewrite.node("QuantizeLinear", [source, step, zero], f"{output}.bytes")
        if node.op_type == "MatMul":
            inputs = [stored, whole, step, scales, zero]
            rewrite.node("MatMulIntegerToFloat", inputs, output, domain="com.microsoft")
        else:
            zeros = rewrite.constant(f"{weight}.zero", np.zeros(len(scale), np.int8))
            inputs = [stored, whole, node.input[2], step, scales, node.input[3], zero, zeros]
            heads = next(one.i for one in node.attribute if one.name == "num_heads")
            rewrite.node("QAttention", inputs, output, domain="com.microsoft", num_heads=heads)
    return rewrite.finished()
