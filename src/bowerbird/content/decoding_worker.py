"""A process that decodes pictures for another one: what crashes or hangs it costs one picture.

Started as ``python -m bowerbird.content.decoding_worker SIZE``. It reads frames (four bytes of length,
then a file) and answers each with a frame: ``+`` and pixels, perceptual hashes and traits, or ``-``
and the reason. Nothing is unpickled on either side.
"""

from __future__ import annotations

import struct
import sys
from typing import BinaryIO

import numpy as np

from bowerbird.content.perceptual_hash import picture_hashes
from bowerbird.content.pictures import LIMITS, decoded, square
from bowerbird.errors import InputError

__all__ = ["READY", "answer", "read_frame", "serve", "write_frame"]

READY = b"ready"
"""The first frame of a worker: starting is not part of a picture's time."""


def read_frame(source: BinaryIO) -> bytes | None:
    """The next frame; None at the end of the stream."""
    head = source.read(4)
    if len(head) < 4:
        return None
    return source.read(struct.unpack("<I", head)[0])


def write_frame(sink: BinaryIO, body: bytes) -> None:
    """Send a frame."""
    sink.write(struct.pack("<I", len(body)))
    sink.write(body)
    sink.flush()


def answer(file: bytes, size: int) -> bytes:
    """What is read of a picture, as a frame's body."""
    try:
        picture = decoded(file, LIMITS, at_least=size + 32)
        words = picture_hashes([picture]).words().astype("<u8")
    except InputError as error:
        return b"-" + str(error).encode()
    pixels = np.ascontiguousarray(square(picture, size))
    return b"+" + pixels.tobytes() + words.tobytes() + ",".join(picture.traits).encode()


def serve(source: BinaryIO, sink: BinaryIO, size: int) -> None:
    """Say that the worker is ready, then answer frames until the stream ends."""
    write_frame(sink, READY)
    while (file := read_frame(source)) is not None:
        write_frame(sink, answer(file, size))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
