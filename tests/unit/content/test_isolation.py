"""A decoder that crashes or hangs costs one picture; what comes through is what comes without isolation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowerbird.content.efficientnet_lite import LITE0_VARIANT
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.isolation import IsolatedDecoding
from bowerbird.errors import InputError, StorageError

MISBEHAVING = """
import ctypes, sys, time
from bowerbird.content import decoding_worker
honest = decoding_worker.answer
def answer(file, size):
    if file == b"segfault":
        ctypes.string_at(0)
    if file == b"hang":
        time.sleep(600)
    return honest(file, size)
decoding_worker.answer = answer
decoding_worker.serve(sys.stdin.buffer, sys.stdout.buffer, 224)
"""


@pytest.fixture(scope="module")
def risky() -> Iterator[IsolatedDecoding]:
    workers = IsolatedDecoding(224, limit_s=8, command=[sys.executable, "-c", MISBEHAVING])
    yield workers
    workers.close()


def test_a_crash_and_a_hang_cost_one_picture_each(
    risky: IsolatedDecoding, small_encoder: ImageEncoder, draw: Any, save: Any, tmp_path: Path
) -> None:
    good = save(draw(1))
    files = [good, b"segfault", b"junk", b"hang", good]
    encoder = ImageEncoder(LITE0_VARIANT, threads=2)
    encoder._isolated = risky
    (first, second) = encoder.encode_chunks(files)
    assert first.vectors.present.tolist() == [True, False, False, False]
    assert second.vectors.present.tolist() == [True]
    reasons = {failure.position: failure.reason for failure in first.failures}
    assert "the decoder crashed (exit code -11); left out" in reasons[1]
    assert "not a readable picture" in reasons[2]
    assert "decoding took longer than 8 s; left out" in reasons[3]
    (plain,) = small_encoder.encode_chunks([good])
    np.testing.assert_array_equal(second.vectors.matrix, plain.vectors.matrix)
    assert second.hashes is not None
    assert plain.hashes is not None
    np.testing.assert_array_equal(second.hashes.words(), plain.hashes.words())
    assert second.traits == plain.traits


def test_a_picture_over_the_limit_never_reaches_a_worker(
    risky: IsolatedDecoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bowerbird.content import isolation
    from bowerbird.content.pictures import PictureLimits

    monkeypatch.setattr(isolation, "LIMITS", PictureLimits(max_bytes=3))
    with pytest.raises(InputError, match="more than the limit of 3 bytes"):
        risky.prepared(b"four")


def test_a_worker_that_does_not_start_is_told() -> None:
    with pytest.raises(StorageError, match="did not start"):
        IsolatedDecoding(224, command=[sys.executable, "-c", ""]).prepared(b"x")
