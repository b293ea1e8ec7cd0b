"""Float or eight-bit integers: what suits this processor, and proof that int8 gives the same answers.

An int8 graph is compared with its float twin once, when it is built, on made-up inputs; the result is
kept beside the graph. A graph that fails is not used: the encoder runs in float and says so. Vectors
of the two precisions live in different spaces, since the precision is part of the space's version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from jaxtyping import Float32

from bowerbird.arrays import normalise
from bowerbird.content.graph_cache import cached_bytes, cached_graph
from bowerbird.content.instructions import int8_is_fast
from bowerbird.errors import InputError, did_you_mean

__all__ = [
    "PRECISIONS",
    "Precision",
    "PrecisionCheck",
    "checked_precision",
    "graph_of",
    "precision_check",
]

Precision = Literal["float", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float", "int8")
LEAST_COSINE = 0.94
"""Mean cosine of int8 vectors to float vectors below which int8 is refused. Made-up inputs are alike and
weak in features, so rounding shows more than on real ones: .96 on drawings is .994 on photographs."""
LEAST_NEIGHBOURS = 0.65
"""Share of each input's ten nearest that both agree on, below which int8 is refused."""
_NEAREST = 10


@dataclass(frozen=True, slots=True)
class PrecisionCheck:
    """How close an int8 graph comes to its float twin on inputs neither was fitted to."""

    cosine: float
    """Mean cosine of the two vectors of an input."""
    worst_cosine: float
    neighbours: float
    """Mean share of the ten nearest inputs that both agree on."""
    inputs: int

    @property
    def passed(self) -> bool:
        """Whether int8 may stand in for float."""
        return self.cosine >= LEAST_COSINE and self.neighbours >= LEAST_NEIGHBOURS

    def facts(self) -> str:
        """What was found, for people.

        Example:
            >>> PrecisionCheck(0.995, 0.97, 0.93, 64).facts()
            'cosine to float 0.995, nearest ten 93 % the same'
        """
        return f"cosine to float {self.cosine:.3f}, nearest ten {100 * self.neighbours:.0f} % the same"

    def told(self) -> str:
        """What was found and what follows, as one line for people.

        Example:
            >>> PrecisionCheck(0.90, 0.5, 0.60, 64).told()
            'float: int8 failed its check (cosine to float 0.900, nearest ten 60 % the same)'
        """
        return f"int8: {self.facts()}" if self.passed else f"float: int8 failed its check ({self.facts()})"


def checked_precision(name: str, precision: str) -> Precision:
    """The precision, if it is one.

    Raises:
        InputError: it is none.
    """
    for known in PRECISIONS:
        if precision == known:
            return known
    raise InputError(
        f"encoder '{name}:{precision}': unknown precision {precision!r}; {did_you_mean(precision, PRECISIONS)}"
    )


def precision_check(
    exact: Float32[np.ndarray, "item dim"], rounded: Float32[np.ndarray, "item dim"]
) -> PrecisionCheck:
    """The comparison of two precisions' vectors of the same inputs, of any length.

    Example:
        >>> same = np.eye(3, dtype=np.float32)
        >>> precision_check(same, same)
        PrecisionCheck(cosine=1.0, worst_cosine=1.0, neighbours=1.0, inputs=3)
    """
    exact, rounded = normalise(exact), normalise(rounded)
    cosines = np.einsum("id,id->i", exact, rounded)
    nearest = [_nearest(vectors) for vectors in (exact, rounded)]
    shared = [len(set(one) & set(two)) / max(len(one), 1) for one, two in zip(*nearest, strict=True)]
    return PrecisionCheck(
        round(float(cosines.mean()), 5),
        round(float(cosines.min()), 5),
        float(np.mean(shared)) if len(exact) > 1 else 1.0,
        len(exact),
    )


def _nearest(vectors: np.ndarray) -> list[list[int]]:
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    k = min(_NEAREST, len(vectors) - 1)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k].tolist()


def graph_of(
    model_dir: Path | None,
    name: str,
    recipe: str,
    build: Callable[[], onnx.ModelProto],
    quantised: Callable[[onnx.ModelProto], tuple[onnx.ModelProto, PrecisionCheck]] | None,
) -> tuple[bytes, PrecisionCheck | None]:
    """The graph an encoder runs: float, or int8 where that is asked for and passes its check.

    Args:
        model_dir: where graphs and checks are kept; None keeps nothing.
        name: for people, in the names of the files.
        recipe: see :func:`~bowerbird.content.graph_cache.recipe_hash`.
        build: makes the float graph.
        quantised: makes the int8 graph of it and compares the two; None asks for float.

    Returns:
        The serialised graph, and the check where int8 was asked for.

    Raises:
        StorageError: the directory cannot be read or written.
    """
    if quantised is None:
        return cached_graph(model_dir, name, recipe, build), None
    made: list[onnx.ModelProto] = []

    def checked() -> bytes:
        graph, check = quantised(build())
        made.append(graph)
        return json.dumps(asdict(check), indent=1).encode()

    # sums may saturate on a processor without byte products, so each kind has its own check
    kind = "" if int8_is_fast() else "-plain"
    check = PrecisionCheck(**json.loads(cached_bytes(model_dir, f"{name}-int8-{recipe}{kind}.json", checked)))
    if not check.passed:
        return cached_graph(model_dir, name, recipe, build), check
    graph = cached_graph(
        model_dir, f"{name}-int8", recipe, lambda: made[0] if made else quantised(build())[0]
    )
    return graph, check
