"""Boosted trees per action: the ranker that needs little data and no torch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
from jaxtyping import Float32

from bowerbird.ranking.card import RankerKind
from bowerbird.ranking.features import FEATURES, POSITION
from bowerbird.ranking.trees import GRAPH_FILE, one_thread_session
from bowerbird.training.impressions import LABELS
from bowerbird.training.ranker_examples import Examples
from bowerbird.training.tree_graph import tree_graph

__all__ = ["FittedTrees", "fit_trees"]

TREES = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 16,
    "min_data_in_leaf": 80,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # two of its threads spin on a busy machine: five times the CPU; actions run side by side
    "verbosity": -1,
}
ROUNDS = 150
PATIENCE = 15
ACTIONS_AT_ONCE = 2


@dataclass(frozen=True)
class FittedTrees:
    """Trees of several actions as one graph."""

    graph: bytes
    session: onnxruntime.InferenceSession
    kind: RankerKind = "trees"

    def logits(self, examples: Examples) -> Float32[np.ndarray, "n action"]:
        """Raw scores at the positions the examples had."""
        (logits,) = self.session.run(None, {"features": examples.features})
        return logits

    def save(self, directory: Path) -> None:
        """Write the graph."""
        (directory / GRAPH_FILE).write_bytes(self.graph)


def fit_trees(train: Examples, held_out: Examples, actions: tuple[str, ...], seed: int) -> FittedTrees:
    """Trees for each action, stopped when the held-out loss no longer falls.

    Args:
        train: what they learn from.
        held_out: what stops them.
        actions: what is predicted.
        seed: of bagging.
    """
    with ThreadPoolExecutor(ACTIONS_AT_ONCE) as pool:
        places = [LABELS.index(action) for action in actions]
        boosters = list(pool.map(lambda place: _booster(train, held_out, place, seed), places))
    graph = tree_graph(boosters, len(FEATURES) + 1)
    return FittedTrees(graph, one_thread_session(graph))


def _booster(train: Examples, held_out: Examples, place: int, seed: int) -> lightgbm.Booster:
    names = [*FEATURES, POSITION]
    data = lightgbm.Dataset(train.features, train.labels[:, place].astype(np.int32), feature_name=names)
    valid = data.create_valid(held_out.features, held_out.labels[:, place].astype(np.int32))
    booster = lightgbm.train(
        {**TREES, "seed": seed},
        data,
        num_boost_round=ROUNDS,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return lightgbm.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))
