"""The neural ranker in serving: numpy only, a person's history encoded once and kept until their next event."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int32

from bowerbird.errors import NotReadyError
from bowerbird.ranking.calibration import ActionCalibrations
from bowerbird.ranking.card import RankerCard
from bowerbird.ranking.features import FeatureMaker, ItemKnowledge, are_cold
from bowerbird.ranking.lifelong import CompactItems, NearestSteps
from bowerbird.ranking.network import RankerNetwork
from bowerbird.ranking.network_inputs import STEPS, hashed_ids, item_matrix, long_term_vector, step_codes
from bowerbird.ranking.shared_history import EncodedHistory
from bowerbird.records.history import History
from bowerbird.records.item import Items
from bowerbird.records.request import Context

__all__ = ["WEIGHTS_FILE", "EncodedHistories", "NamedItems", "NeuralScorer", "hashed_items"]

WEIGHTS_FILE = "ranker.safetensors"
MOST_HISTORIES = 1000
"""People whose encoded history is kept, about 50 KB each; whoever asked longest ago goes first."""


@runtime_checkable
class NamedItems(ItemKnowledge, Protocol):
    """What the network reads of items beyond features: who they are. A release satisfies it."""

    @property
    def items(self) -> Items:
        """The catalogue."""
        ...

    @property
    def category_paths(self) -> tuple[str, ...]:
        """Path of each category code."""
        ...


def hashed_items(items: NamedItems) -> tuple[Int32[np.ndarray, "item hash"], Int32[np.ndarray, "item hash"]]:
    """Hashed rows of every item's id and category."""
    kinds = hashed_ids([*items.category_paths, None], "category")  # code -1 reads the last: no category
    return hashed_ids(items.items.vocabulary.ids, "item"), kinds[items.categories]


class EncodedHistories:
    """Encoded histories of the people who asked last.

    A history is compared whole: what is kept can only be what would be computed.

    Args:
        most: people kept.
    """

    def __init__(self, most: int = MOST_HISTORIES) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._kept: OrderedDict[int, tuple[History, EncodedHistory]] = OrderedDict()

    def get(self, user_row: int, history: History) -> EncodedHistory | None:
        """What a person's history was encoded to; None when it is not known, or they did something since."""
        with self._guard:
            kept = self._kept.get(user_row)
            if kept is None or not kept[0].equals(history):
                return None
            self._kept.move_to_end(user_row)
            return kept[1]

    def put(self, user_row: int, history: History, encoded: EncodedHistory) -> None:
        """Keep one."""
        with self._guard:
            self._kept[user_row] = (history, encoded)
            self._kept.move_to_end(user_row)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True)
class NeuralScorer:
    """Calibrated action probabilities from the network. Satisfies ``ranking.scorer.Scorer``.

    Args:
        calibrations: what is predicted, in the order of the network's outputs.
        features: computes the numbers.
        network: the weights.
        items: who the items are.
        histories: what was encoded already.
    """

    calibrations: ActionCalibrations
    features: FeatureMaker
    network: RankerNetwork
    items: NamedItems
    histories: EncodedHistories = field(default_factory=EncodedHistories, repr=False, compare=False)

    @classmethod
    def load(cls, directory: Path, items: NamedItems) -> NeuralScorer:
        """The scorer a build left.

        Raises:
            StorageError: its files are missing or damaged.
            NotReadyError: it was trained on other features or vectors than there are now.
        """
        card = RankerCard.load(directory)
        network = RankerNetwork.load(directory / WEIGHTS_FILE)
        found, wanted = (
            item_matrix(items.vectors.get("item"), 0).shape[1],
            len(network.weights["item_project"]),
        )
        if found != wanted:
            raise NotReadyError(
                f"{directory}: the ranker reads item vectors of {wanted} numbers, found {found}; "
                "run `bowerbird build ranker`"
            )
        return cls(card.calibrations, FeatureMaker(items), network, items)

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
        if len(rows) == 0:
            return {action: np.empty(0, np.float32) for action in self.actions}
        features = self.features(context, rows)
        logits = self.network.logits(
            self._encoded(context),
            self._tokens[rows],
            features,
            long_term_vector(context, self.items.vectors.get("item")),
            self._nearest(context, rows),
            np.zeros(len(rows), np.int32) if positions is None else positions,
        )
        return self.calibrations.probabilities(logits, are_cold(features))

    def _encoded(self, context: Context) -> EncodedHistory:
        history = context.history.last(STEPS)
        kept = self.histories.get(context.user_row, history)
        if kept is not None:
            return kept
        encoded = self.network.encoded(self._tokens[history.rows], *step_codes(history))
        self.histories.put(context.user_row, history, encoded)
        return encoded

    def _nearest(self, context: Context, rows: Int32[np.ndarray, "n"]) -> NearestSteps:
        compact = self._compact
        if compact is None:
            return NearestSteps.none(len(rows))
        return compact.nearest(context.history, rows, context.as_of)

    @cached_property
    def _compact(self) -> CompactItems | None:
        vectors = self.items.vectors.get("item")
        return None if vectors is None else CompactItems.of(vectors)

    @cached_property
    def _tokens(self) -> Float32[np.ndarray, "item token"]:
        matrix = item_matrix(self.items.vectors.get("item"), len(self.items.items))
        return self.network.item_tokens(matrix, *hashed_items(self.items))
