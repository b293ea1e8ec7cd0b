"""The source of products that are in a photographed scene or complete its look."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from bowerbird.arrays import top_k
from bowerbird.content.scene_looks import SceneLooks
from bowerbird.records.candidates import Found
from bowerbird.records.request import Context
from bowerbird.retrieval.nearest import Silent
from bowerbird.retrieval.source import Holdings, Source

__all__ = ["CompletesLook", "completes_look"]


class CompletesLook:
    """Products that fit a picture region by region, and those used together with them in other scenes.

    Source: scene-product compatibility as in Complete the Look (Kang et al., CVPR 2019); see
    :mod:`bowerbird.content.looks` for ours.
    """

    name = "completes_look"

    def __init__(self, looks: SceneLooks) -> None:
        self._looks = looks

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """The best fitting products; evidence is a product of the scene that each goes with, where one speaks for it."""
        image = context.request.image
        if image is None:
            return Found.nothing(self.name)
        scores, evidence = self._looks.found(image)
        rows = np.flatnonzero(allowed & np.isfinite(scores))
        rows = rows[top_k(scores[rows], n)]
        return Found.of(self.name, rows, scores[rows], evidence[rows])


def completes_look(holdings: Holdings) -> Source:
    """Plugin ``completes_look``."""
    return CompletesLook(holdings.looks) if holdings.looks is not None else Silent("completes_look")
