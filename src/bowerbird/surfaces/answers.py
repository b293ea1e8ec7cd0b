"""All item surfaces of one release behind one call."""

from __future__ import annotations

from collections.abc import Mapping

from bowerbird.errors import NotFoundError, did_you_mean
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.runner import Pipeline
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.records.request import Request
from bowerbird.records.slate import Slate
from bowerbird.surfaces.ads import Auction
from bowerbird.surfaces.budgets import BudgetLedger
from bowerbird.surfaces.growth import GrowthPlanner
from bowerbird.surfaces.shopping import with_complements


class Answers:
    """The six surfaces over one release. Made once per release; safe to call from many threads.

    Args:
        release: what is read.
        surfaces: the declarations.
        ledger: what campaigns have spent; shared by every process that serves ads.
    """

    def __init__(
        self, release: Release, surfaces: Mapping[str, SurfaceSettings], ledger: BudgetLedger
    ) -> None:
        self.release = release
        self._pipelines = {name: Pipeline(name, settings, release) for name, settings in surfaces.items()}
        self._auction = Auction(self._pipelines["ads"], release.campaigns, ledger)
        self.growth = GrowthPlanner(release, self._pipelines["homefeed"])

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Names a request may use; ``growth`` is asked through :attr:`growth`."""
        return tuple(self._pipelines)

    def pipeline(self, surface: str) -> Pipeline:
        """One surface's pipeline.

        Raises:
            NotFoundError: there is no such surface.
        """
        if surface not in self._pipelines:
            raise NotFoundError(
                f"surface {surface!r} does not exist; {did_you_mean(surface, [*self._pipelines, 'growth'])}"
            )
        return self._pipelines[surface]

    def answer(self, request: Request) -> Slate:
        """The slate for a request.

        Raises:
            NotFoundError: the surface or the item is not known.
            InputError: the request lacks what the surface needs, or its picture cannot be read.
        """
        pipeline = self.pipeline(request.surface)
        if request.surface == "ads":
            return self._auction.answer(request)
        if request.surface == "shopping":
            return with_complements(pipeline, request)
        return pipeline.answer(request)
