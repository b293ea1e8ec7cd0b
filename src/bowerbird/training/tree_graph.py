"""Boosted trees as an ONNX graph that decides exactly as LightGBM does on float32 input.

LightGBM compares in double, the graph in single precision. For a float32 ``x``,
``x <= t`` in double is ``x <= floor32(t)``, the largest float32 not above ``t``, so thresholds are
rounded down and every row takes the same path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper

from bowerbird.errors import InputError

OPSET_ML = 3


def tree_graph(boosters: Sequence[lightgbm.Booster], n_features: int) -> bytes:
    """One graph that gives every booster's raw score (logit).

    Args:
        boosters: binary models over the same numeric features.
        n_features: columns of the input.

    Returns:
        A serialized model: ``features`` (n, n_features) float32 -> ``logits`` (n, booster) float32.

    Raises:
        InputError: a tree splits on a categorical feature.
    """
    nodes = _Nodes()
    for target, booster in enumerate(boosters):
        for tree in booster.dump_model()["tree_info"]:
            nodes.add_tree(tree["tree_structure"], target)
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["logits"],
        domain="ai.onnx.ml",
        n_targets=len(boosters),
        aggregate_function="SUM",
        post_transform="NONE",
        **nodes.attributes(),
    )
    graph = helper.make_graph(
        [node],
        "ranker",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, len(boosters)])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def floor32(value: float) -> float:
    """The largest float32 not above a double.

    Example:
        >>> floor32(0.1) <= 0.1 < float(np.nextafter(np.float32(floor32(0.1)), np.float32(1)))
        True
    """
    limit = float(np.finfo(np.float32).max)
    if value > limit:  # LightGBM parts missing values from all others at a threshold beyond any number
        return limit
    single = np.float32(value)
    if float(single) > value:
        single = np.nextafter(single, np.float32(-np.inf))
    return float(single)


class _Nodes:
    """Collects the flat node table of an ensemble."""

    def __init__(self) -> None:
        self._columns: dict[str, list] = {
            name: []
            for name in (
                "nodes_treeids",
                "nodes_nodeids",
                "nodes_featureids",
                "nodes_modes",
                "nodes_values",
                "nodes_truenodeids",
                "nodes_falsenodeids",
                "nodes_missing_value_tracks_true",
                "target_treeids",
                "target_nodeids",
                "target_ids",
                "target_weights",
            )
        }
        self._trees = 0

    def add_tree(self, root: Mapping[str, Any], target: int) -> None:
        """Add a tree of LightGBM's dump, breadth first."""
        tree = self._trees
        self._trees += 1
        waiting = [root]
        number = 0
        next_id = 1
        while number < len(waiting):
            node = waiting[number]
            if "split_feature" in node:
                self._branch(tree, number, node, next_id)
                waiting += [node["left_child"], node["right_child"]]
                next_id += 2
            else:
                self._row(tree, number, 0, "LEAF", 0.0, 0, 0, 0)
                for name, value in (
                    ("target_treeids", tree),
                    ("target_nodeids", number),
                    ("target_ids", target),
                    ("target_weights", float(node["leaf_value"])),
                ):
                    self._columns[name].append(value)
            number += 1

    def _branch(self, tree: int, number: int, node: Mapping[str, Any], first_child: int) -> None:
        if node["decision_type"] != "<=":
            raise InputError(f"tree graph: split {node['decision_type']!r} is not numeric; expected '<='")
        threshold = floor32(float(node["threshold"]))
        # without missing values in training LightGBM reads NaN as 0, with them it goes the learnt way
        to_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
        self._row(
            tree,
            number,
            int(node["split_feature"]),
            "BRANCH_LEQ",
            threshold,
            first_child,
            first_child + 1,
            int(bool(to_left)),
        )

    def _row(self, *values: Any) -> None:
        for name, value in zip(list(self._columns)[:8], values, strict=True):
            self._columns[name].append(value)

    def attributes(self) -> dict[str, Any]:
        """The node's attributes."""
        return self._columns
