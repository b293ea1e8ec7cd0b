"""Decoding in processes of its own: a picture that crashes or hangs a decoder costs itself, not the run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast, final

import numpy as np
from jaxtyping import UInt8, UInt64

from bowerbird.content.decoding_worker import READY, read_frame, write_frame
from bowerbird.content.pictures import LIMITS
from bowerbird.errors import InputError, StorageError

__all__ = ["IsolatedDecoding", "PreparedPicture"]

LIMIT_S = 30.0
"""Seconds a picture may take; the largest that is allowed takes under two."""
_HASH_BYTES = 80


@dataclass(frozen=True)
class PreparedPicture:
    """What an encoder needs of a picture."""

    pixels: UInt8[np.ndarray, "size size 3"]
    """The centre at the network's input size."""
    hash_words: UInt64[np.ndarray, "10"]
    """Perceptual hashes; see :meth:`~bowerbird.content.perceptual_hash.PictureHashes.words`."""
    traits: tuple[str, ...]


@final
class IsolatedDecoding:
    """Workers that prepare pictures, one picture each at a time; a worker that dies is replaced.

    Safe to call from several threads: each call takes a free worker or starts one, so there are as many
    workers as threads. They end with this object.

    Args:
        size: side of the network's input in pixels.
        limit_s: seconds a picture may take.
        command: starts a worker; a test may start one that misbehaves.
    """

    def __init__(self, size: int, limit_s: float = LIMIT_S, command: Sequence[str] = ()) -> None:
        self._size = size
        self._limit_s = limit_s
        self._command = [*command] or [sys.executable, "-m", "bowerbird.content.decoding_worker", str(size)]
        self._free: list[subprocess.Popen[bytes]] = []
        self._guard = threading.Lock()
        self._ended = weakref.finalize(self, _end_all, self._free)

    def close(self) -> None:
        """End the workers."""
        self._ended()

    def prepared(self, file: bytes) -> PreparedPicture:
        """A picture's pixels, hashes and traits.

        Raises:
            InputError: it cannot be read, took too long, or ended the process that read it.
        """
        where = f"picture ({len(file):,} bytes)"
        if len(file) > LIMITS.max_bytes:
            raise InputError(f"{where}: more than the limit of {LIMITS.max_bytes:,} bytes; make it smaller")
        worker = self._taken()
        try:
            body = self._asked(worker, file, where)
        except BaseException:
            _end(worker)
            raise
        with self._guard:
            self._free.append(worker)
        if body[:1] != b"+":
            raise InputError(body[1:].decode())
        cut = 1 + 3 * self._size**2
        pixels = np.frombuffer(body[1:cut], np.uint8).reshape(self._size, self._size, 3)
        words = np.frombuffer(body[cut : cut + _HASH_BYTES], "<u8").astype(np.uint64)
        traits = body[cut + _HASH_BYTES :].decode()
        return PreparedPicture(pixels, words, tuple(traits.split(",")) if traits else ())

    def _taken(self) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._free:
                return self._free.pop()
        inherited = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        worker = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=inherited)
        if read_frame(cast("BinaryIO", worker.stdout)) != READY:
            _end(worker)
            raise StorageError(
                f"decoding worker: {' '.join(self._command)[:80]!r} did not start; "
                "what it said is above; is there memory left?"
            )
        return worker

    def _asked(self, worker: subprocess.Popen[bytes], file: bytes, where: str) -> bytes:
        late = threading.Event()

        def end_it() -> None:
            late.set()
            worker.kill()  # also frees a write to a worker that does not read

        timer = threading.Timer(self._limit_s, end_it)
        timer.start()
        try:
            write_frame(cast("BinaryIO", worker.stdin), file)
            body = read_frame(cast("BinaryIO", worker.stdout))
        except BrokenPipeError:
            body = None
        finally:
            timer.cancel()
        if body:
            return body
        reason = (
            f"decoding took longer than {self._limit_s:g} s"
            if late.is_set()
            else f"the decoder crashed (exit code {worker.wait()})"
        )
        raise InputError(f"{where}: {reason}; left out")


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        with suppress(BrokenPipeError):  # what was not sent is lost with the worker
            cast("BinaryIO", pipe).close()


def _end_all(workers: list[subprocess.Popen[bytes]]) -> None:
    while workers:
        _end(workers.pop())
