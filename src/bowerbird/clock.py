"""Time as a value: int64 microseconds since 1970-01-01 UTC.

Nothing below the command line and the server calls :func:`now`; everything else takes ``as_of``.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from bowerbird.errors import InputError

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_COMPACT_DATE = re.compile("(?:199|20[0-9])[0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")


def now() -> int:
    """The wall clock, in microseconds UTC. Only ``cli`` and ``serving`` may call it."""
    return time.time_ns() // 1000


def parse_time(text: str) -> int:
    """Microseconds of an ISO date, an ISO date-time or a number of seconds.

    A date alone means its first microsecond; a time without zone is UTC. Eight digits that are a date of 1990 to 2099 are
    one (``20260131``): as seconds they would all lie in 1970.

    Raises:
        InputError: the text is none of these.

    Example:
        >>> parse_time("1970-01-02")
        86400000000
        >>> parse_time("1970-01-01T00:00:01+00:00")
        1000000
        >>> parse_time("20260131") == parse_time("2026-01-31")
        True
    """
    stripped = text.strip()
    try:
        counted = stripped.lstrip("-").replace(".", "", 1).isdigit() and len(stripped) > 4
        if counted and not _COMPACT_DATE.fullmatch(stripped):
            return round(float(stripped) * SECOND_US)
        parsed = datetime.fromisoformat(stripped)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"time {text!r} is not understood; expected an ISO date such as 2026-01-31, "
            "an ISO date-time such as 2026-01-31T12:00:00, or seconds since 1970"
        ) from error
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    delta = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * DAY_US + delta.seconds * SECOND_US + delta.microseconds


def format_time(at: int) -> str:
    """The ISO form of a time, to the second, in UTC.

    Example:
        >>> format_time(86_400_000_000)
        '1970-01-02T00:00:00Z'
    """
    return datetime.fromtimestamp(at / SECOND_US, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
