"""A simulated world with known truth: people whose interests were planted, and the log they leave."""

from __future__ import annotations

from bowerbird.simulation.truth import Truth
from bowerbird.simulation.world import World, WorldSettings, make_world

__all__ = ["Truth", "World", "WorldSettings", "make_world"]
