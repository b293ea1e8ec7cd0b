"""Audiences of a workspace: a list of people in, those most like them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bowerbird.errors import InputError, NotReadyError
from bowerbird.users.audiences import look_alikes
from bowerbird.workspace.workbench import Workbench

__all__ = ["FoundAudience", "found_audience"]

VECTORS = ("user_universal", "user_vector")
"""Global vectors of people, best first; the first that is built is read."""


@dataclass(frozen=True)
class FoundAudience:
    """People like a list of seeds, most alike first."""

    user_ids: tuple[str, ...]
    scores: tuple[float, ...]
    """Log odds of being on the list, comparable within this audience only."""
    seeds_known: int
    seeds_unknown: int
    vectors: str
    """The signal that was read, with its version."""
    method: str
    """``classifier`` or ``centroid``, whichever told held-back seeds from others better."""
    auc: float
    """By the method, of held-back seeds against others; it was the better of a few, so a little kind."""
    centroid_auc: float


def found_audience(bench: Workbench, seeds: Sequence[str], n: int) -> FoundAudience:
    """The ``n`` people most like the seeds, the seeds themselves left out.

    Args:
        bench: a built workspace.
        seeds: ids; unknown ones are counted and left out.
        n: most people, 1 or more.

    Raises:
        InputError: too few seeds are known, or ``n`` is below 1.
        NotReadyError: no vector of people is built.
    """
    if n < 1:
        raise InputError(f"audience: n = {n}; expected 1 or more people")
    name = next((one for one in VECTORS if bench.has(one)), None)
    card = bench.signals.card(name) if name is not None else None
    if name is None or card is None:
        raise NotReadyError(
            "audience: no vector of people is built; run `bowerbird build users` on a workspace with events"
        )
    vectors = bench.signals.vectors(name, bench.people)
    rows = bench.people.rows(list(dict.fromkeys(seeds)))
    known = rows[rows >= 0].astype(np.int64)
    found = look_alikes(vectors.matrix, vectors.present, known, n, bench.settings.seed)
    return FoundAudience(
        tuple(bench.people.names(found.rows.tolist())),
        tuple(found.scores.tolist()),
        len(known),
        len(rows) - len(known),
        f"{name} {card.version}",
        found.method,
        found.auc,
        found.centroid_auc,
    )
