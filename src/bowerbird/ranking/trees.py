"""Boosted trees in serving: one ONNX graph for all actions, then calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from jaxtyping import Float32, Int32

from bowerbird.errors import StorageError
from bowerbird.ranking.calibration import ActionCalibrations
from bowerbird.ranking.card import RankerCard
from bowerbird.ranking.features import FeatureMaker, ItemKnowledge, are_cold
from bowerbird.records.request import Context

GRAPH_FILE = "ranker.onnx"


@dataclass(frozen=True)
class TreeScorer:
    """Calibrated action probabilities from boosted trees. Satisfies ``ranking.scorer.Scorer``.

    Args:
        calibrations: what is predicted, in the order of the graph's outputs.
        features: computes the input.
        session: the graph.
    """

    calibrations: ActionCalibrations
    features: FeatureMaker
    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, directory: Path, items: ItemKnowledge) -> TreeScorer:
        """The scorer a build left.

        Raises:
            StorageError: its files are missing or damaged.
            NotReadyError: it was trained on other features than this version computes.
        """
        card = RankerCard.load(directory)
        try:
            graph = (directory / GRAPH_FILE).read_bytes()
        except OSError as error:
            raise StorageError(
                f"{directory}: the ranker cannot be read ({error}); run `bowerbird build ranker`"
            ) from error
        return cls(card.calibrations, FeatureMaker(items), one_thread_session(graph))

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions it predicts."""
        return self.calibrations.actions

    def probabilities(
        self,
        context: Context,
        rows: Int32[np.ndarray, "n"],
        positions: Int32[np.ndarray, "n"] | None = None,
    ) -> Mapping[str, Float32[np.ndarray, "n"]]:
        """Calibrated probability of each action, were the item shown at a position; the top unless said."""
        return self.of_features(self.features(context, rows), positions)

    def of_features(
        self, features: Float32[np.ndarray, "n feature"], positions: Int32[np.ndarray, "n"] | None = None
    ) -> dict[str, Float32[np.ndarray, "n"]]:
        """Probabilities of rows of features."""
        if len(features) == 0:
            return {action: np.empty(0, np.float32) for action in self.actions}
        place = np.zeros(len(features), np.float32) if positions is None else np.log1p(positions)
        table = np.concatenate([features, place[:, None].astype(np.float32)], axis=1)
        (logits,) = self.session.run(None, {"features": table})
        return self.calibrations.probabilities(logits, are_cold(features))


def one_thread_session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session that never starts threads of its own: requests run side by side instead."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
