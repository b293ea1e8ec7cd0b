"""A real server of two workers: a release switched in all of them, one killed, the whole drained under load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from bowerbird.testing.servers import ServeProcess

PERSON = "wanda-of-the-logs"


@pytest.mark.slow
def test_workers_share_releases_and_explanations_survive_a_kill_and_drain_without_a_failed_request(
    own_workspace, tmp_path
):
    root = own_workspace.layout.root
    text = own_workspace.layout.settings.read_text()
    own_workspace.layout.settings.write_text(text + "\n[serving]\ndrain_s = 1.0\nlog_requests = true\n")
    server = ServeProcess(root, tmp_path / "log", workers=2)
    try:
        server.until_ready(2)
        first = server.ask("/readyz")[1]["version"]
        events = [{"user_id": PERSON, "item_id": f"i{n}", "action": "save"} for n in range(1, 8)]
        assert server.ask("/v1/events", "POST", events)[1]["accepted"] == 7
        own_workspace.build()
        second = server.ask("/v1/reload", "POST")[1]["version"]
        assert second != first
        server.until(lambda: all(server.ask("/healthz")[1]["version"] == second for _ in range(12)))

        asked = server.ask(f"/v1/homefeed?user={PERSON}&n=3")[1]
        for _ in range(8):  # whichever worker is asked
            assert server.ask(f"/v1/explain/{asked['request_id']}")[1]["entries"] == asked["entries"]

        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        server.until_ready(3)
        server.until(lambda: all(server.ask("/healthz")[1]["version"] == second for _ in range(12)))
        assert len(server.workers()) == 2
        assert before[0] not in server.workers()
        assert _sent_while_ending(server) == {200}
        assert server.process.wait(30) == 0
        ended = [line for line in server.lines() if line["event"] in ("draining", "ended")]
        assert len(ended) == 4
        assert PERSON not in (tmp_path / "log").read_text()
        assert any(line.get("route") == "/v1/homefeed" for line in server.lines())
    finally:
        server.end()


def _sent_while_ending(server: ServeProcess) -> set[int]:
    """Ask as a balancer does, only who is ready, from before SIGTERM until nobody is; the statuses of the answers."""
    found, gone = set(), threading.Event()

    def caller() -> None:
        while not gone.is_set():
            if server.ask("/readyz")[0] != 200:
                gone.set()
                return
            found.add(server.ask("/v1/homefeed?user=u3&n=5")[0])

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for one in callers:
        one.start()
    time.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    for one in callers:
        one.join(30)
    return found


def test_what_is_wrong_with_the_settings_is_said_before_anything_listens(own_workspace):
    root, path = own_workspace.layout.root, own_workspace.layout.settings
    text = path.read_text()
    command = [sys.executable, "-m", "bowerbird", "serve", "-w", str(root), "--port", "0", "--workers", "2"]
    for wrong, said in (
        ("[serving]\ndrain = 3", "bowerbird.toml [serving]: unknown field 'drain'; did you mean 'drain_s'?"),
        ('[realtime]\nstream = "disk"', "[realtime] stream = 'disk': expected log, redis://"),
    ):
        path.write_text(f"{text}\n{wrong}\n")
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert said in ended.stderr
