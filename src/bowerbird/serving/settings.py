"""The dials of the server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bowerbird.config import Settings


class ServingSettings(Settings):
    """How the HTTP API behaves; what it answers is the workspace's matter."""

    live_clock: bool = False
    """False: requests are asked as of the newest event, so that a finished log answers sensibly. True: as of the wall clock."""
    require_key: bool = False
    """Whether requests need an API key."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names requests may carry; any when empty. A server on this machine only names it, against DNS rebinding."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 12 * 2**20
    """Largest request body, counted while it arrives."""
    max_events: Annotated[int, Field(ge=1)] = 10_000
    """Most events in one batch."""
    max_waiting_events: Annotated[int, Field(ge=1)] = 50_000
    """Events on their way to the disk at the same time; more are told to come again (429), none is dropped."""
    max_budget: Annotated[int, Field(ge=1)] = 1000
    """Most notifications one growth request may plan."""
    threads: Annotated[int, Field(ge=1, le=256)] = 8
    """Questions worked on at the same time."""
    max_waiting: Annotated[int, Field(ge=0)] = 128
    """Questions that may wait for a thread; more are turned away with 503."""
    rate_per_s: Annotated[float, Field(gt=0)] = 200.0
    """Requests per second a key (or an address, without keys) may make for long."""
    rate_burst: Annotated[int, Field(ge=1)] = 1000
    """Requests it may make at once."""
    kept_slates: Annotated[int, Field(ge=1)] = 2000
    """Newest slates that can be explained."""
