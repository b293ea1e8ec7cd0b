"""Writing so that a reader sees the old bytes or the new ones, never half of them.

The recipe: write beside the target, flush to the disk, rename over the target, flush the folder. A
process killed in between leaves a file whose name begins with ``.writing-``, which nobody reads.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bowerbird.errors import StorageError

__all__ = [
    "publish",
    "replace_directory",
    "runs",
    "scratch_path",
    "storage_errors",
    "sweep_scratch",
    "sync_folder",
    "sync_tree",
    "write_atomically",
]

_SCRATCH = ".writing-"
_numbers = itertools.count()

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run the command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the command again",
    errno.EFBIG: "the file would pass the size limit of this process (ulimit -f); raise it and run the command again",
    errno.EACCES: "permission denied; check who owns the workspace",
    errno.EPERM: "permission denied; check who owns the workspace",
    errno.EROFS: "the file system is read-only; move the workspace",
    errno.EIO: "the disk reports an error; check it before trying again",
}


@contextmanager
def storage_errors(path: Path, doing: str, needed_bytes: int | None = None) -> Iterator[None]:
    """Turn the system's errors of a block into :class:`StorageError`, with what to do about them.

    Args:
        path: the file or folder the block works on.
        doing: the verb for the message: ``write``, ``read``.
        needed_bytes: how much the block wants to write, when that is known.

    Raises:
        StorageError: the block raised an OSError.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(path, doing, error, needed_bytes) from error


def storage_error(path: Path, doing: str, error: Exception, needed_bytes: int | None = None) -> StorageError:
    """The error that tells a person what failed where, how much was needed and what to do."""
    size = f" ({needed_bytes:,} bytes needed)" if needed_bytes is not None else ""
    number = error.errno if isinstance(error, OSError) else None
    advice = _ADVICE.get(number or 0)
    if advice is None and "space" in str(error).lower():
        advice = _ADVICE[errno.ENOSPC]
    advice = advice or "nothing was changed; check the disk and run the command again"
    return StorageError(f"{path}: could not {doing}{size}: {error}; {advice}")


def scratch_path(target: Path) -> Path:
    """A fresh name beside the target, never read as data."""
    return target.parent / f"{_SCRATCH}{os.getpid()}-{next(_numbers)}-{target.name}"


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path, newer_than_ns: int = -1) -> None:
    """Flush every file below a folder, then the folders, to the disk.

    Args:
        folder: where to begin.
        newer_than_ns: only files changed at or after this file time (``st_mtime_ns``).
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.stat().st_mtime_ns >= newer_than_ns:
                sync_folder(path)  # fsync through a read-only descriptor flushes a file just as well
        sync_folder(Path(parent))


def publish(written: Path, target: Path) -> None:
    """Give a finished file its name: flush it, rename it over the target, flush the folder."""
    sync_folder(written)
    written.replace(target)
    sync_folder(target.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file's content, all or nothing; after return it survives a power cut.

    Args:
        path: the file; its folder exists.
        data: the new content.

    Raises:
        StorageError: the system refused; the old content is intact and nothing half-written is left.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(Path(folder, "a.json"), b"{}")
        ...     Path(folder, "a.json").read_bytes()
        b'{}'
    """
    scratch = scratch_path(path)
    with storage_errors(path, "write", len(data)):
        try:
            scratch.write_bytes(data)
            publish(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)


def replace_directory(written: Path, target: Path) -> None:
    """Give a finished folder its name, flushed to the disk.

    When the target exists it is moved aside first, so for a moment there is neither: readers follow a
    pointer file that is flipped afterwards (see :mod:`bowerbird.stores.registry`), not the name itself.

    Raises:
        StorageError: the system refused; the old folder is back in its place.
    """
    with storage_errors(target, "replace the folder"):
        sync_tree(written)
        aside = scratch_path(target)
        had_one = target.exists()
        if had_one:
            target.rename(aside)
        try:
            written.rename(target)
        except OSError:
            if had_one:
                aside.rename(target)
            raise
        sync_folder(target.parent)
        if had_one:
            shutil.rmtree(aside)


def sweep_scratch(folder: Path) -> int:
    """Remove what killed processes left half-written in a folder.

    Files of processes that still run are left alone.

    Returns:
        How many files and folders were removed.
    """
    removed = 0
    for path in folder.glob(f"{_SCRATCH}*"):
        writer = int(path.name.removeprefix(_SCRATCH).split("-", 1)[0])
        if runs(writer):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return removed


def runs(process: int) -> bool:
    """Whether a process of this machine is alive, by its id."""
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
