"""Redis (or Valkey): online state and event stream that servers on several machines share.

The server must keep what it acknowledged: an append-only file, flushed ``always`` or at least ``everysec``.
That is asked at the start, and a server without one is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from bowerbird.errors import SettingsError, StorageError
from bowerbird.extras import needed
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.event_stream import Forgotten, belongs
from bowerbird.stores.event_wire import event_lines, events_of
from bowerbird.stores.online_state import KEPT, as_events, kept_columns, tallied, tally_table

if TYPE_CHECKING:
    from redis import Redis

REWRITE_S = 30.0
"""How long a rewrite of the append-only file that is under way is waited for."""
PAGE = 10_000
"""Entries read at a time where a whole stream is looked through."""
_APPLY = """
local p, added = KEYS[1], 0
for place = 3, #ARGV, 4 do
  local id, user, line, tally = ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]
  if redis.call('HSETNX', p .. ':ids', id, user) == 1 then
    redis.call('HSET', p .. ':u:' .. user, id, line)
    redis.call('SADD', p .. ':users', user)
    if tally ~= '' then redis.call('HINCRBY', p .. ':tally', tally, 1) end
    added = added + 1
  end
end
if ARGV[1] ~= '' then redis.call('HSET', p .. ':meta', 'position', ARGV[1]) end
local newest = tonumber(redis.call('HGET', p .. ':meta', 'newest') or '0')
if tonumber(ARGV[2]) > newest then redis.call('HSET', p .. ':meta', 'newest', ARGV[2]) end
return added
"""
_REMOVE = """
local p, user, gone = KEYS[1], ARGV[1], 0
for place = 2, #ARGV, 2 do
  if redis.call('HDEL', p .. ':u:' .. user, ARGV[place]) == 1 then
    redis.call('HDEL', p .. ':ids', ARGV[place])
    gone = gone + 1
    local tally = ARGV[place + 1]
    if tally ~= '' and redis.call('HINCRBY', p .. ':tally', tally, -1) <= 0 then
      redis.call('HDEL', p .. ':tally', tally)
    end
  end
end
if redis.call('EXISTS', p .. ':u:' .. user) == 0 then redis.call('SREM', p .. ':users', user) end
return gone
"""


def connected(url: str) -> Redis:
    """A client of a server that keeps what it acknowledges.

    Args:
        url: ``redis://host:port/database``.

    Raises:
        MissingDependencyError: the client is not installed.
        SettingsError: the server keeps no append-only file.
        StorageError: the server does not answer.
    """
    redis = needed("redis", "redis", url)
    client = redis.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=2.0)
    with _translated(url):
        kept: Any = client.config_get("appendonly")
    if kept.get("appendonly") != "yes":
        raise SettingsError(
            f"{url}: this Redis keeps no append-only file, so a restart would lose acknowledged events; "
            "start it with --appendonly yes --appendfsync always (or everysec: a loss of power then costs a second)"
        )
    return client


@contextmanager
def _translated(where: str) -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        raise StorageError(f"{where}: Redis failed ({error}); nothing was taken, try again") from error


class RedisStream:
    """A Redis stream of events: one entry per event, a batch in one transaction.

    Args:
        client: from :func:`connected`.
        name: key of the stream.
    """

    def __init__(self, client: Redis, name: str = "bowerbird:events") -> None:
        self._client = client
        self._name = name

    def publish(self, events: Events) -> int:
        """Add events, all or none.

        Raises:
            StorageError: the server refused or does not answer.
        """
        lines = event_lines(events)
        with _translated(self._name):
            pipeline = self._client.pipeline(transaction=True)
            for line in lines:
                pipeline.xadd(self._name, {"e": line})
            pipeline.execute()
        return len(lines)

    def read(self, position: str, most: int = 10_000) -> tuple[Events, str]:
        """What arrived after a position."""
        with _translated(self._name):
            found: Any = self._client.xread({self._name: position or "0"}, count=most)
        entries = found[0][1] if isinstance(found, list) and found else _entries(found, self._name)
        if not entries:
            return Events(EVENT_SCHEMA.empty_table()), position
        return events_of(fields[b"e"] for _, fields in entries), entries[-1][0].decode()

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> Forgotten:
        """Delete a person's or an item's entries.

        Their bytes leave the append-only file when the server has rewritten it, which is asked for.
        """
        gone, start = 0, "-"
        with _translated(self._name):
            while True:
                entries: Any = self._client.xrange(self._name, min=start, count=PAGE)
                if not entries:
                    break
                rows = [(name, orjson.loads(fields[b"e"])) for name, fields in entries]
                names = [name for name, row in rows if belongs(row, user_id, item_id)]
                if names:
                    self._client.xdel(self._name, *names)
                gone += len(names)
                start = f"({entries[-1][0].decode()}"
        if gone:
            _rewrite_log(self._client)
        return Forgotten(gone)

    def trim(self, position: str, before: int) -> int:
        """Delete entries up to a position that arrived before a time by the server's clock."""
        if not position:
            return 0
        consumed, oldest = _entry_id(position), (before // 1000, 0)
        least = min((consumed[0], consumed[1] + 1), oldest)
        with _translated(self._name):
            gone: Any = self._client.xtrim(self._name, minid=f"{least[0]}-{least[1]}", approximate=False)
        return int(gone)


def _rewrite_log(client: Redis) -> None:
    """Have the append-only file made anew from what there is; one that is being made is waited for first."""
    from redis.exceptions import ResponseError

    end = time.monotonic() + REWRITE_S
    while True:
        try:
            with _translated("append-only file"):
                client.bgrewriteaof()
        except StorageError as error:
            if not isinstance(error.__cause__, ResponseError) or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def _entry_id(text: str) -> tuple[int, int]:
    """A stream's entry id as numbers: milliseconds and a count within them."""
    ms, _, count = text.partition("-")
    return int(ms), int(count or 0)


def _entries(found: Any, name: str) -> list:
    """The entries of a reply in the form of the third protocol: a mapping of stream to lists of entries."""
    lists = (found or {}).get(name.encode(), [])
    return lists[0] if lists else []


class RedisOnlineState:
    """Online state in Redis: a hash per person, one of tallies; events and position move in one script.

    Args:
        client: from :func:`connected`.
        prefix: of every key.
    """

    def __init__(self, client: Redis, prefix: str = "bowerbird") -> None:
        self._client = client
        self._prefix = prefix
        self._apply = client.register_script(_APPLY)
        self._remove = client.register_script(_REMOVE)

    @property
    def position(self) -> str:
        """How far the stream was consumed."""
        return self._meta("position", "")

    @property
    def newest(self) -> int:
        """Time of the newest event."""
        return int(self._meta("newest", "0"))

    def apply(self, events: Events, position: str) -> int:
        """Take events whose id is new and move the position, in one script.

        Raises:
            StorageError: the server refused or does not answer; nothing was taken.
        """
        table = kept_columns(events, int(self._meta("floor", "0")))
        rows = zip(*(table.column(name).to_pylist() for name in KEPT), strict=True)
        arguments: list[Any] = [position, int(events.at[-1]) if len(events) else 0]
        for row in rows:
            arguments += [row[0], row[2], orjson.dumps(row), _tally(row)]
        with _translated(self._prefix):
            added: Any = self._apply(keys=[self._prefix], args=arguments)
        return int(added)

    def person(self, user_id: str) -> Events:
        """A person's steps."""
        return as_events(self._rows(user_id))

    def tallies(self) -> pa.Table:
        """Events per item, hour and action."""
        with _translated(self._prefix):
            found: Any = self._client.hgetall(f"{self._prefix}:tally")
        counts = {}
        for name, count in found.items():
            item, hour, action = orjson.loads(name)
            counts[item, hour, action] = int(count)
        return tally_table(counts)

    def steps(self) -> Events:
        """Everybody's steps."""
        return as_events([row for user_id in self._users() for row in self._rows(user_id)])

    def trim(self, before: int) -> int:
        """Forget what lies before a time."""
        floor = max(before, int(self._meta("floor", "0")))
        with _translated(self._prefix):
            self._client.hset(f"{self._prefix}:meta", "floor", str(floor))
        return sum(self._gone(user_id, lambda row: row[1] < before) for user_id in self._users())

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person or an item."""
        gone = self._gone(user_id, lambda _: True) if user_id is not None else 0
        if item_id is not None:
            gone += sum(self._gone(name, lambda row: row[3] == item_id) for name in self._users())
        if gone:
            _rewrite_log(self._client)
        return gone

    def _gone(self, user_id: str, chosen) -> int:
        rows = [row for row in self._rows(user_id) if chosen(row)]
        arguments: list[Any] = [user_id]
        for row in rows:
            arguments += [row[0], _tally(row)]
        with _translated(self._prefix):
            gone: Any = self._remove(keys=[self._prefix], args=arguments)
        return int(gone)

    def _rows(self, user_id: str) -> list[tuple]:
        with _translated(self._prefix):
            found: Any = self._client.hvals(f"{self._prefix}:u:{user_id}")
        return [tuple(orjson.loads(line)) for line in found]

    def _users(self) -> list[str]:
        with _translated(self._prefix):
            found: Any = self._client.smembers(f"{self._prefix}:users")
        return sorted(name.decode() for name in found)

    def _meta(self, key: str, default: str) -> str:
        with _translated(self._prefix):
            found: Any = self._client.hget(f"{self._prefix}:meta", key)
        return default if found is None else found.decode()


def _tally(row: tuple) -> bytes:
    """The field of a row's tally; empty where it has no item."""
    return next((orjson.dumps(list(key)) for key in tallied([row])), b"")
