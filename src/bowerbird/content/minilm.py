"""all-MiniLM-L6-v2 as an ONNX graph, built by hand from the weights: no torch, no exporter.

A BERT encoder of 6 layers, 12 heads and width 384, then the mean over the real tokens, then unit
length::

    token_ids (batch, length) int32, mask (batch, length) int32
      -> embeddings -> 6 x (attention -> add & norm -> feed-forward -> add & norm)
      -> mean over mask -> vector (batch, 384), L2-normalised

onnxruntime's fused operators (``com.microsoft`` EmbedLayerNormalization, Attention,
SkipLayerNormalization, BiasGelu) do in one pass what the exporter writes as dozens of nodes.

Source: Devlin et al. 2019, arXiv:1810.04805 (encoder); Reimers & Gurevych 2019, arXiv:1908.10084
section 3 (mean pooling); weights: sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bowerbird.content.torch_file import Weights
from bowerbird.errors import InputError

VECTOR_DIM = 384
LAYERS = 6
HEADS = 12
OPSET = 17
_NORM_EPSILON = 1e-12


class _Graph:
    """Nodes and constants under construction."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def weight(self, name: str, *, transposed: bool = False) -> str:
        values = self.weights[name]
        return self.constant(name, values.T if transposed else values)

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def fused(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        return self.node(kind, inputs, output, domain="com.microsoft", **attributes)


def minilm_graph(weights: Weights) -> onnx.ModelProto:
    """The encoder with these weights, as an ONNX model with free batch size and length.

    Args:
        weights: the tensors of ``MINILM.read()``.

    Raises:
        InputError: the weights are of another network.
    """
    graph = _Graph(weights)
    try:
        hidden = _embedding(graph)
        for number in range(LAYERS):
            hidden = _layer(graph, hidden, f"encoder.layer.{number}")
    except KeyError as error:
        raise InputError(
            f"weights of minilm-l6: tensor {error} is missing; are they of another network?"
        ) from error
    _pooling(graph, hidden)
    inputs = [
        helper.make_tensor_value_info("token_ids", TensorProto.INT32, ["batch", "length"]),
        helper.make_tensor_value_info("mask", TensorProto.INT32, ["batch", "length"]),
    ]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", VECTOR_DIM])]
    made = helper.make_graph(graph.nodes, "minilm-l6", inputs, outputs, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def _embedding(graph: _Graph) -> str:
    # every text is a single sentence: segment 0 everywhere, so its row is added to each position
    positions = graph.weights["embeddings.position_embeddings.weight"]
    segment = graph.weights["embeddings.token_type_embeddings.weight"][0]
    inputs = [
        "token_ids",
        "",
        graph.weight("embeddings.word_embeddings.weight"),
        graph.constant("positions_and_segment", positions + segment),
        "",
        graph.weight("embeddings.LayerNorm.weight"),
        graph.weight("embeddings.LayerNorm.bias"),
        "mask",
    ]
    node = helper.make_node(
        "EmbedLayerNormalization",
        inputs,
        ["embedded", "real_tokens"],
        name="embedded",
        domain="com.microsoft",
        epsilon=_NORM_EPSILON,
    )
    graph.nodes.append(node)
    return "embedded"


def _layer(graph: _Graph, hidden: str, prefix: str) -> str:
    parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
    weight = np.concatenate([graph.weights[f"{part}.weight"].T for part in parts], axis=1)
    bias = np.concatenate([graph.weights[f"{part}.bias"] for part in parts])
    attended = graph.fused(
        "Attention",
        [
            hidden,
            graph.constant(f"{prefix}.qkv.weight", weight),
            graph.constant(f"{prefix}.qkv.bias", bias),
            "real_tokens",
        ],
        f"{prefix}.attended",
        num_heads=HEADS,
    )
    name = f"{prefix}.attention.output"
    mixed = graph.node(
        "MatMul", [attended, graph.weight(f"{name}.dense.weight", transposed=True)], f"{name}.mixed"
    )
    hidden = _add_and_norm(graph, mixed, hidden, name)
    name = f"{prefix}.intermediate.dense"
    wide = graph.node("MatMul", [hidden, graph.weight(f"{name}.weight", transposed=True)], f"{name}.wide")
    wide = graph.fused("BiasGelu", [wide, graph.weight(f"{name}.bias")], f"{name}.gelu")
    name = f"{prefix}.output"
    narrow = graph.node(
        "MatMul", [wide, graph.weight(f"{name}.dense.weight", transposed=True)], f"{name}.narrow"
    )
    return _add_and_norm(graph, narrow, hidden, name)


def _add_and_norm(graph: _Graph, x: str, skip: str, name: str) -> str:
    inputs = [
        x,
        skip,
        graph.weight(f"{name}.LayerNorm.weight"),
        graph.weight(f"{name}.LayerNorm.bias"),
        graph.weight(f"{name}.dense.bias"),
    ]
    return graph.fused("SkipLayerNormalization", inputs, f"{name}.normed", epsilon=_NORM_EPSILON)


def _pooling(graph: _Graph, hidden: str) -> None:
    graph.constant("last_axis", np.array([2], dtype=np.int64))
    graph.constant("length_axis", np.array([1], dtype=np.int64))
    real = graph.node("Cast", ["mask"], "real", to=TensorProto.FLOAT)
    column = graph.node("Unsqueeze", [real, "last_axis"], "real_column")
    kept = graph.node("Mul", [hidden, column], "kept")
    total = graph.node("ReduceSum", [kept, "length_axis"], "total", keepdims=0)
    # dividing by the number of tokens is left out: unit length undoes any positive factor
    graph.node("LpNormalization", [total], "vector", axis=1, p=2)
