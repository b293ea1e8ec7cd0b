"""Online state and event streams: embedded, Redis and Kafka, each through the one contract of its kind.

The servers are real: ``redis-server`` of the system, started here on a free port, and librdkafka's own broker.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bowerbird.errors import MissingDependencyError, SettingsError, StorageError
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.event_stream import LogStream, MemoryStream
from bowerbird.stores.event_wire import events_of
from bowerbird.stores.layout import Layout
from bowerbird.stores.online_state import MemoryOnlineState
from bowerbird.stores.sqlite_state import SqliteOnlineState
from bowerbird.testing.contracts import event_stream, online_state
from bowerbird.testing.contracts.examples import numbered_events
from bowerbird.testing.servers import DURABLE, RedisServer

NUMBERS = itertools.count()


def name_of(thing: object) -> str:
    return getattr(thing, "__name__", str(thing))


def started(folder: Path, options: tuple[str, ...] = DURABLE) -> RedisServer:
    """A Redis server, or a skip that says what is missing."""
    try:
        return RedisServer(folder, options)
    except MissingDependencyError as error:
        pytest.skip(f"NO REDIS: {error}")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory) -> Iterator[str]:
    server = started(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.kill()


@pytest.fixture(scope="module")
def redis_client(redis_url):
    from bowerbird.stores.redis_store import connected

    client = connected(redis_url)
    yield client
    client.close()


@pytest.fixture(scope="module")
def kafka_servers() -> Iterator[str]:
    """librdkafka's broker, inside a producer of this process."""
    kafka = pytest.importorskip("confluent_kafka", reason="NO KAFKA CLIENT: pip install 'bowerbird[kafka]'")
    owner = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    yield ",".join(  # noqa: PT022 - the broker lives as long as its owner
        f"{one.host}:{one.port}" for one in owner.list_topics(timeout=10).brokers.values()
    )


@pytest.fixture
def making(request, tmp_path) -> Callable[[str], Callable]:
    """A maker of fresh, empty things of a kind."""

    def log() -> LogStream:
        layout = Layout(tmp_path / str(next(NUMBERS)))
        layout.create()
        return LogStream(SqliteEventLog(layout))

    def kafka() -> object:
        from bowerbird.stores.kafka_log import KafkaStream

        stream = KafkaStream(request.getfixturevalue("kafka_servers"), f"events-{next(NUMBERS)}")
        request.addfinalizer(stream.close)
        return stream

    def redis_state() -> object:
        from bowerbird.stores.redis_store import RedisOnlineState

        return RedisOnlineState(request.getfixturevalue("redis_client"), f"state-{next(NUMBERS)}")

    def redis_stream() -> object:
        from bowerbird.stores.redis_store import RedisStream

        return RedisStream(request.getfixturevalue("redis_client"), f"stream-{next(NUMBERS)}")

    makers = {
        "memory state": MemoryOnlineState,
        "embedded state": lambda: SqliteOnlineState(tmp_path / f"{next(NUMBERS)}.sqlite"),
        "redis state": redis_state,
        "memory stream": MemoryStream,
        "embedded stream": log,
        "redis stream": redis_stream,
        "kafka stream": kafka,
    }
    return makers.__getitem__


@pytest.mark.parametrize("kind", ["memory state", "embedded state", "redis state"])
@pytest.mark.parametrize("law", online_state.LAWS, ids=name_of)
def test_online_state(law, kind, making):
    law(making(kind))


@pytest.mark.parametrize("kind", ["memory stream", "embedded stream", "redis stream", "kafka stream"])
@pytest.mark.parametrize("law", event_stream.LAWS, ids=name_of)
def test_event_stream(law, kind, making):
    law(making(kind))


def test_a_redis_that_would_lose_what_it_acknowledged_is_refused(tmp_path):
    from bowerbird.stores.redis_store import connected

    server = started(tmp_path, ())
    try:
        with pytest.raises(SettingsError, match="keeps no append-only file"):
            connected(server.url)
    finally:
        server.kill()
    with pytest.raises(StorageError, match="Redis failed"):
        connected(server.url)


def test_a_redis_killed_and_started_again_has_what_it_acknowledged(tmp_path):
    from bowerbird.stores.redis_store import RedisOnlineState, RedisStream, connected

    server = started(tmp_path)
    client = connected(server.url)
    RedisStream(client).publish(numbered_events(0, 5))
    RedisOnlineState(client).apply(numbered_events(0, 5), "here")
    server.kill()
    with pytest.raises(StorageError, match="Redis failed"):
        RedisStream(client).publish(numbered_events(5, 1))
    server.start_again()
    try:
        client = connected(server.url)
        assert len(RedisStream(client).read("")[0]) == 5
        state = RedisOnlineState(client)
        assert (len(state.steps()), state.position) == (5, "here")
        assert RedisStream(client).forget(user_id="u").removed == 5
    finally:
        server.kill()


def test_a_line_that_is_no_event_is_refused():
    with pytest.raises(StorageError, match="a line is no event"):
        events_of([b"not json"])


def test_a_damaged_state_file_says_what_to_do(tmp_path):
    (tmp_path / "s.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match="not an online state"):
        SqliteOnlineState(tmp_path / "s.sqlite")
