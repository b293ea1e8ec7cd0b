"""Boosted trees in serving: one ONNX graph for all actions, then calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Float32, Int32

from bowerbird.errors import NotReadyError, StorageError
from bowerbird.ranking.calibration import Calibration
from bowerbird.ranking.features import FEATURES, FeatureMaker, ItemKnowledge
from bowerbird.records.request import Context

GRAPH_FILE = "ranker.onnx"
CARD_FILE = "ranker.json"


@dataclass(frozen=True)
class TreeScorer:
    """Calibrated action probabilities from boosted trees. Satisfies ``ranking.scorer.Scorer``.

    Args:
        actions: what is predicted, in the order of the graph's outputs.
        calibrations: one per action.
        features: computes the input.
        session: the graph.
    """

    actions: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    features: FeatureMaker
    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, directory: Path, items: ItemKnowledge) -> TreeScorer:
        """The scorer a build left.

        Raises:
            StorageError: its files are missing or damaged.
            NotReadyError: it was trained on other features than this version computes.
        """
        try:
            card = json.loads((directory / CARD_FILE).read_text(encoding="utf-8"))
            graph = (directory / GRAPH_FILE).read_bytes()
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{directory}: the ranker cannot be read ({error}); run `bowerbird build ranker`"
            ) from error
        if tuple(card["features"]) != FEATURES:
            raise NotReadyError(
                f"{directory}: the ranker was trained on {len(card['features'])} features, this version computes "
                f"{len(FEATURES)} others; run `bowerbird build ranker`"
            )
        calibrations = tuple(
            Calibration(tuple(one["logits"]), tuple(one["probabilities"])) for one in card["calibrations"]
        )
        return cls(tuple(card["actions"]), calibrations, FeatureMaker(items), one_thread_session(graph))

    def probabilities(
        self, context: Context, rows: Int32[np.ndarray, "n"]
    ) -> Mapping[str, Float32[np.ndarray, "n"]]:
        """Calibrated probability of each action, were the item shown at the top."""
        return self.of_features(self.features(context, rows))

    def of_features(self, features: Float32[np.ndarray, "n feature"]) -> dict[str, Float32[np.ndarray, "n"]]:
        """Probabilities of rows of features; the position every row is judged at is the top."""
        if len(features) == 0:
            return {action: np.empty(0, np.float32) for action in self.actions}
        return self.at_positions(np.concatenate([features, np.zeros((len(features), 1), np.float32)], axis=1))

    def at_positions(self, features: Float32[np.ndarray, "n column"]) -> dict[str, Float32[np.ndarray, "n"]]:
        """Probabilities of rows of features whose last column is ``log1p(position)``, as training makes them."""
        (logits,) = self.session.run(None, {"features": features})
        return {
            action: calibrate(logits[:, place])
            for place, (action, calibrate) in enumerate(zip(self.actions, self.calibrations, strict=True))
        }


def one_thread_session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session that never starts threads of its own: requests run side by side instead."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
