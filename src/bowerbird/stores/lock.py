"""One writer per workspace: a lock that dies with the process that holds it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bowerbird.clock import SECOND_US, format_time
from bowerbird.errors import BusyError
from bowerbird.stores.atomic import storage_errors
from bowerbird.stores.layout import Layout


@contextmanager
def workspace_lock(layout: Layout, doing: str) -> Iterator[None]:
    """Hold the workspace while changing it; two builds at once would undo each other.

    The lock is the kernel's (``flock``), so a killed process leaves none behind. Readers need no lock.

    Args:
        layout: the workspace.
        doing: what the holder does, for the message the other one gets: ``build``.

    Raises:
        BusyError: another process holds it; the message names the process and what it does.
        StorageError: the lock file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, workspace_lock(Layout(Path(folder)), "build"):
        ...     pass
    """
    path = layout.state / "lock"
    with storage_errors(path, "open the lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"{layout.root}: {_holder(path)} holds the workspace; wait until it ends and run `{doing}` again"
            ) from error
        with storage_errors(path, "write the lock"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"process": os.getpid(), "doing": doing}).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)  # the kernel drops the lock when the descriptor closes
    finally:
        os.close(descriptor)


def _holder(path: Path) -> str:
    """Who holds the lock, in words. The file's own time says since when, so no clock is read."""
    try:
        content, written = path.read_bytes(), path.stat().st_mtime
        holder = json.loads(content)
    except (OSError, ValueError):
        return "another process"  # it was just taken or just let go; the lock itself decides, not this file
    since = format_time(int(written * SECOND_US))
    return f"process {holder['process']} ({holder['doing']}, since {since})"
