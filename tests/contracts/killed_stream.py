"""Runs by itself (see test_stream_killed.py): kill ingest and its consumer with SIGKILL at random moments.

Each life is a fork that appends batches to the log, says which it acknowledged, and brings the online state
up to the log after some of them. Between lives: every acknowledged event is in the log once. At the end:
the state is what one batch over the log gives, byte for byte.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path

import bowerbird.stores.lance_table  # noqa: F401 - imported before the forks, not in each
from bowerbird.randomness import generator
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.event_stream import LogStream, advance
from bowerbird.stores.layout import Layout
from bowerbird.stores.online_state import MemoryOnlineState, state_fingerprint
from bowerbird.stores.sqlite_state import SqliteOnlineState
from bowerbird.testing.contracts.examples import numbered_events

BATCH = 7


def live(layout: Layout, first: int, say: int) -> None:
    """One life: batches from a number on, until killed."""
    log, state = SqliteEventLog(layout), SqliteOnlineState(layout.state / "online.sqlite")
    for number in range(first, first + 10_000):
        log.append(numbered_events(number * BATCH, BATCH))
        os.write(say, b"%d\n" % number)
        if number % 3 == 0:
            advance(LogStream(log), state)
        if number % 50 == 49:
            log.seal(keep_days=1)


def lived(layout: Layout, first: int, wait_s: float) -> int:
    """Let one life be and kill it some time after its first word; the number of batches acknowledged by then."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hear)
        try:
            live(layout, first, say)
        finally:
            os._exit(3)
    os.close(say)
    select.select([hear], [], [], 30)
    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said = b""
    while part := os.read(hear, 1 << 16):
        said += part
    os.close(hear)
    return int(said.split()[-1]) + 1


def main() -> None:
    layout, kills = Layout(Path(sys.argv[1])), int(sys.argv[2])
    layout.create()
    draw = generator(0, "killed stream")
    acknowledged = 0
    for _ in range(kills):
        acknowledged = lived(layout, acknowledged, draw.uniform(0.0, 0.06))
        log = SqliteEventLog(layout)
        ids = log.read().table.column("event_id").to_pylist()
        log.close()
        if len(ids) != len(set(ids)) or not {f"e{n}" for n in range(acknowledged * BATCH)} <= set(ids):
            sys.exit(
                f"{acknowledged} batches were acknowledged; the log has {len(ids)} events, {len(set(ids))} ids"
            )
    log, state = SqliteEventLog(layout), SqliteOnlineState(layout.state / "online.sqlite")
    while advance(LogStream(log), state):
        pass
    batch = MemoryOnlineState()
    batch.apply(log.read(), "")
    if state_fingerprint(state) != state_fingerprint(batch):
        sys.exit("the online state is not what one batch over the log gives")
    print(kills, acknowledged)


if __name__ == "__main__":  # the tests' collector imports every file
    main()
