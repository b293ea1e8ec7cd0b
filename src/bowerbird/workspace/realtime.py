"""The stream and the online state a workspace's settings name, opened; and the consumer between them."""

from __future__ import annotations

from urllib.parse import urlsplit

from bowerbird.clock import HOUR_US
from bowerbird.errors import SettingsError
from bowerbird.stores.event_stream import EventStream, LogStream, advance
from bowerbird.stores.layout import Layout
from bowerbird.stores.online_state import OnlineState
from bowerbird.stores.protocol import EventLog
from bowerbird.stores.sqlite_state import SqliteOnlineState
from bowerbird.workspace.settings import RealtimeSettings


def opened_stream(settings: RealtimeSettings, log: EventLog) -> EventStream:
    """Where servers put events.

    Raises:
        SettingsError: the address is not understood.
        StorageError: the server does not answer.
    """
    if settings.stream == "log":
        return LogStream(log)
    address = urlsplit(settings.stream)
    if address.scheme in ("redis", "rediss"):
        from bowerbird.stores.redis_store import RedisStream, connected

        return RedisStream(connected(settings.stream))
    if address.scheme == "kafka" and address.netloc and address.path.strip("/"):
        from bowerbird.stores.kafka_log import KafkaStream

        return KafkaStream(address.netloc, address.path.strip("/"))
    raise SettingsError(
        f"[realtime] stream = {settings.stream!r}: expected log, redis://HOST:PORT/DB or kafka://HOST:PORT/TOPIC"
    )


def opened_state(settings: RealtimeSettings, layout: Layout) -> OnlineState | None:
    """The online state servers share; None where each follows the stream by itself.

    Raises:
        SettingsError: the address is not understood.
        StorageError: the server does not answer.
    """
    if settings.state == "process":
        return None
    if settings.state == "file":
        return SqliteOnlineState(layout.state / "online.sqlite")
    if urlsplit(settings.state).scheme in ("redis", "rediss"):
        from bowerbird.stores.redis_store import RedisOnlineState, connected

        return RedisOnlineState(connected(settings.state))
    raise SettingsError(
        f"[realtime] state = {settings.state!r}: expected process, file or redis://HOST:PORT/DB"
    )


class StreamConsumer:
    """Brings a stream into the workspace's log and the online state, in steps that may be killed anywhere.

    Args:
        settings: which stream and which state.
        layout: the workspace.
        log: its log.
    """

    def __init__(self, settings: RealtimeSettings, layout: Layout, log: EventLog) -> None:
        self.stream = opened_stream(settings, log)
        """What is followed."""
        self._keep_us = round(settings.keep_hours * HOUR_US)
        # without a shared state the place in the stream is kept in the file all the same
        self._state = opened_state(settings, layout) or SqliteOnlineState(layout.state / "online.sqlite")
        self._archive = None if settings.stream == "log" else log

    def step(self, most: int = 10_000) -> int:
        """The next events; returns how many were read, 0 when it is up to date."""
        return advance(self.stream, self._state, self._archive, most)

    def trim(self, built_until: int, now: int) -> tuple[int, int]:
        """Leave to the build what it has, and let the stream go of what was read and is old enough.

        Args:
            built_until: the time of the live build, microseconds UTC.
            now: microseconds UTC.

        Returns:
            How many steps the state let go of, and how many events the stream did.
        """
        return self._state.trim(built_until), self.stream.trim(self._state.position, now - self._keep_us)
