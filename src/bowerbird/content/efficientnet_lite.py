"""EfficientNet-Lite as an ONNX graph, built by hand from the weights: no torch, no exporter.

The graph takes decoded pictures as they are (``uint8``, height x width x RGB) and gives the
1280-d average-pooled feature and the 1000 ImageNet logits::

    pixels (batch, size, size, 3) uint8
      -> (x - 127) / 128 -> stem -> blocks without squeeze-excitation -> head
      -> vector (batch, 1280) -> logits (batch, 1000)

Source: Tan & Le 2019, arXiv:1905.11946 (network); google tensorflow/tpu ``efficientnet/lite``
(ReLU6 instead of swish, no squeeze-excitation, fixed stem and head). Batch normalisation is folded
into the convolutions: w' = w g / sqrt(v + e), b' = b - m g / sqrt(v + e).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from jaxtyping import Float32
from onnx import TensorProto, helper, numpy_helper

from bowerbird.content.torch_file import Weights
from bowerbird.content.weights import LITE0, LITE2, WeightFile
from bowerbird.errors import InputError

OPSET = 17
"""Version of the standard ONNX operators: the newest that every supported onnxruntime runs."""

_EPSILON = 1e-3
_STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_STAGE_REPEATS = (1, 2, 2, 3, 3, 4, 1)


@dataclass(frozen=True, slots=True)
class LiteVariant:
    """One member of the family: where its weights are, how deep it is, how large its input."""

    name: str
    weights: WeightFile
    size: int
    """Height and width of the input in pixels."""
    depth: float
    """Depth coefficient: the middle stages repeat ``ceil(depth x repeats)`` times."""

    def block_strides(self) -> list[int]:
        """Stride of every block, in order.

        Example:
            >>> LITE0_VARIANT.block_strides()
            [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
        """
        last = len(_STAGE_REPEATS) - 1
        strides: list[int] = []
        for stage, (stride, repeats) in enumerate(zip(_STAGE_STRIDES, _STAGE_REPEATS, strict=True)):
            # the Lite family keeps the first and the last stage as they are
            count = repeats if stage in (0, last) else int(np.ceil(repeats * self.depth))
            strides += [stride] + [1] * (count - 1)
        return strides


LITE0_VARIANT = LiteVariant("efficientnet-lite0", LITE0, size=224, depth=1.0)
LITE2_VARIANT = LiteVariant("efficientnet-lite2", LITE2, size=260, depth=1.2)

VECTOR_DIM = 1280
CLASSES = 1000


@dataclass(frozen=True, slots=True)
class _Flow:
    """An intermediate picture: its name in the graph, and its side in pixels."""

    name: str
    side: int


@dataclass
class _GraphUnderConstruction:
    weights: Weights
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(values.copy(order="C"), name)
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def efficientnet_lite_graph(variant: LiteVariant, weights: Weights) -> onnx.ModelProto:
    """The network of a variant with these weights, as a checked ONNX model with a free batch size.

    Args:
        variant: which network.
        weights: its state dict, e.g. ``variant.weights.read()``.

    Raises:
        InputError: the weights are of another network.
    """
    graph = _GraphUnderConstruction(weights)
    try:
        _body(graph, variant)
    except KeyError as error:
        raise InputError(
            f"weights of {variant.name}: tensor {error} is missing; are they of another network?"
        ) from error
    spare = {name.split(".")[1] for name in weights if name.startswith("_blocks.")}
    if len(spare) != len(variant.block_strides()):
        raise InputError(
            f"weights of {variant.name}: {len(spare)} blocks, expected {len(variant.block_strides())}"
        )
    pixels = helper.make_tensor_value_info(
        "pixels", TensorProto.UINT8, ["batch", variant.size, variant.size, 3]
    )
    outputs = [
        helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", VECTOR_DIM]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES]),
    ]
    made = helper.make_graph(graph.nodes, variant.name, [pixels], outputs, list(graph.constants.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _body(graph: _GraphUnderConstruction, variant: LiteVariant) -> None:
    graph.constant("pixel_scale", np.array(1 / 128, dtype=np.float32))
    graph.constant("pixel_zero", np.array(127, dtype=np.uint8))
    graph.constant("zero", np.array(0, dtype=np.float32))
    graph.constant("six", np.array(6, dtype=np.float32))
    planes = graph.node("Transpose", ["pixels"], "planes", perm=[0, 3, 1, 2])
    # dequantising with zero point 127 and scale 1/128 is exactly (x - 127) / 128, and lets an
    # int8 network read the bytes themselves
    start = graph.node("DequantizeLinear", [planes, "pixel_scale", "pixel_zero"], "normalised")
    flow = _relu6(graph, _convolution(graph, _Flow(start, variant.size), "_conv_stem", "_bn0", stride=2))
    for number, stride in enumerate(variant.block_strides()):
        flow = _block(graph, flow, f"_blocks.{number}", stride)
    flow = _relu6(graph, _convolution(graph, flow, "_conv_head", "_bn1"))
    pooled = graph.node("GlobalAveragePool", [flow.name], "pooled")
    graph.node("Flatten", [pooled], "vector", axis=1)
    graph.constant("_fc.weight", graph.weights["_fc.weight"])
    graph.constant("_fc.bias", graph.weights["_fc.bias"])
    graph.node("Gemm", ["vector", "_fc.weight", "_fc.bias"], "logits", transB=1)


def _block(graph: _GraphUnderConstruction, entry: _Flow, prefix: str, stride: int) -> _Flow:
    """Expand, filter each channel, project; add the input where shapes allow."""
    flow, channels_in = entry, 0
    if f"{prefix}._expand_conv.weight" in graph.weights:
        channels_in = graph.weights[f"{prefix}._expand_conv.weight"].shape[1]
        flow = _relu6(graph, _convolution(graph, flow, f"{prefix}._expand_conv", f"{prefix}._bn0"))
    flow = _relu6(graph, _convolution(graph, flow, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride))
    flow = _convolution(graph, flow, f"{prefix}._project_conv", f"{prefix}._bn2")
    if stride == 1 and channels_in == graph.weights[f"{prefix}._project_conv.weight"].shape[0]:
        return _Flow(graph.node("Add", [flow.name, entry.name], f"{prefix}.sum"), flow.side)
    return flow


def _relu6(graph: _GraphUnderConstruction, flow: _Flow) -> _Flow:
    return _Flow(graph.node("Clip", [flow.name, "zero", "six"], f"{flow.name}.relu6"), flow.side)


def _convolution(graph: _GraphUnderConstruction, flow: _Flow, name: str, norm: str, stride: int = 1) -> _Flow:
    parts = [
        f"{name}.weight",
        *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
    ]
    kernel, bias = folded(*(graph.weights[part] for part in parts))
    width = kernel.shape[2]
    out_side = -(-flow.side // stride)
    # TensorFlow's SAME padding: the odd pixel goes to the end
    padding = max((out_side - 1) * stride + width - flow.side, 0)
    before, after = padding // 2, padding - padding // 2
    made = graph.node(
        "Conv",
        [flow.name, graph.constant(f"{name}.weight", kernel), graph.constant(f"{name}.bias", bias)],
        f"{name}.out",
        kernel_shape=[width, width],
        strides=[stride, stride],
        pads=[before, before, after, after],
        group=kernel.shape[0] if name.endswith("_depthwise_conv") else 1,
    )
    return _Flow(made, out_side)


def folded(
    kernel: Float32[np.ndarray, "out in height width"],
    gain: Float32[np.ndarray, "out"],
    shift: Float32[np.ndarray, "out"],
    mean: Float32[np.ndarray, "out"],
    variance: Float32[np.ndarray, "out"],
) -> tuple[Float32[np.ndarray, "out in height width"], Float32[np.ndarray, "out"]]:
    """A convolution and the batch normalisation behind it as one convolution with a bias.

    Example:
        >>> one = np.ones(1, dtype=np.float32)
        >>> kernel, bias = folded(np.ones((1, 1, 1, 1), np.float32), 2 * one, one, 3 * one, 0 * one + 0.999)
        >>> float(kernel[0, 0, 0, 0]), float(bias[0])
        (2.0, -5.0)
    """
    factor = gain.astype(np.float64) / np.sqrt(variance.astype(np.float64) + _EPSILON)
    bias = shift.astype(np.float64) - mean.astype(np.float64) * factor
    return (kernel * factor[:, None, None, None]).astype(np.float32), bias.astype(np.float32)
