"""A ranker's card: its kind, what it predicts, how that is calibrated, and the numbers it had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bowerbird.errors import NotReadyError, StorageError
from bowerbird.ranking.calibration import ActionCalibrations, Calibration
from bowerbird.ranking.features import FEATURES

__all__ = ["CARD_FILE", "RankerCard", "RankerKind"]

CARD_FILE = "ranker.json"
RankerKind = Literal["trees", "neural"]


@dataclass(frozen=True)
class RankerCard:
    """What stands beside a ranker's weights.

    Args:
        kind: which scorer reads the weights.
        calibrations: of each action.
        report: per action, AUC, log loss, ECE-15, base rate and examples on the newest part, which nothing saw.
        choice: the loss of each kind that was tried, where there was a choice.
        features: the columns it was trained on.
    """

    kind: RankerKind
    calibrations: ActionCalibrations
    report: Mapping[str, Mapping[str, float]]
    choice: Mapping[str, float] = field(default_factory=dict)
    features: tuple[str, ...] = FEATURES

    def save(self, directory: Path) -> None:
        """Write it beside the weights."""
        (directory / CARD_FILE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @staticmethod
    def load(directory: Path) -> RankerCard:
        """Read it.

        Raises:
            StorageError: it is missing or damaged.
            NotReadyError: the ranker was trained on other features than this version computes.
        """
        try:
            held: dict[str, Any] = json.loads((directory / CARD_FILE).read_text(encoding="utf-8"))
            known = held["calibrations"]
            maps = tuple(
                Calibration(tuple(one["logits"]), tuple(one["probabilities"])) for one in known["maps"]
            )
            calibrations = ActionCalibrations(tuple(known["actions"]), maps, tuple(known["cold"]))
            card = RankerCard(
                held["kind"], calibrations, held["report"], held["choice"], tuple(held["features"])
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{directory}: the ranker cannot be read ({error}); run `bowerbird build ranker`"
            ) from error
        if card.features != FEATURES:
            raise NotReadyError(
                f"{directory}: the ranker was trained on {len(card.features)} features, this version computes "
                f"{len(FEATURES)} others; run `bowerbird build ranker`"
            )
        return card
