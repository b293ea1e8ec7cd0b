"""Audiences of a workspace: a list of people in, those most like them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from bowerbird.errors import InputError, NotReadyError
from bowerbird.users.audiences import LEAST_SEEDS, look_alikes
from bowerbird.workspace.workbench import Workbench

__all__ = ["FoundAudience", "found_audience"]

VECTORS = ("user_universal", "user_vector", "user_long_term")
"""Global vectors of people. Each that is built is tried on seeds held back: what makes people alike differs from
list to list, how they live (the first), what they like (the second) or what they will do (the third)."""


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
        InputError: too few seeds are known or have a vector, or ``n`` is below 1.
        NotReadyError: no vector of people is built.
    """
    if n < 1:
        raise InputError(f"audience: n = {n}; expected 1 or more people")
    rows = bench.people.rows(list(dict.fromkeys(seeds)))
    known = rows[rows >= 0].astype(np.int64)
    if len(known) < LEAST_SEEDS:
        raise InputError(
            f"audience: of {len(rows):,} different ids on the list {len(known):,} are people here; expected at least {LEAST_SEEDS}"
        )
    built = _person_vectors(bench)
    # a vector that too few of the seeds have says nothing; where that is so of each, the refusal is of the first
    tried = {name: one for name, one in built.items() if one[1][known].sum() >= LEAST_SEEDS} or built
    audiences = {
        name: look_alikes(matrix, present, known, n, bench.settings.seed)
        for name, (matrix, present) in tried.items()
    }
    name = max(audiences, key=lambda one: audiences[one].auc)
    found = audiences[name]
    return FoundAudience(
        tuple(bench.people.names(found.rows.tolist())),
        tuple(found.scores.tolist()),
        len(known),
        len(rows) - len(known),
        name,
        found.method,
        found.auc,
        found.centroid_auc,
    )


def _person_vectors(
    bench: Workbench,
) -> dict[str, tuple[Float32[np.ndarray, "user dim"], Bool[np.ndarray, "user"]]]:
    """Vectors of people by name and version, of mean square 1, and who has them."""
    found = {}
    for name in VECTORS:
        card = bench.signals.card(name)
        if card is not None:
            vectors = bench.signals.vectors(name, bench.people)
            size = (
                float(np.sqrt(np.mean(vectors.matrix[vectors.present] ** 2)))
                if vectors.present.any()
                else 0.0
            )
            found[f"{name} {card.version}"] = (vectors.matrix / np.float32(size or 1.0), vectors.present)
    if not found:
        raise NotReadyError(
            "audience: no vector of people is built; run `bowerbird build users` on a workspace with events"
        )
    return found
