"""``bowerbird bench encode``: inputs per CPU-second, from the file's bytes to the vector.

Beside ours stand the loops one writes first (torch, a picture or a batch at a time; onnxruntime in
float) and the network alone on pixels that are ready, which no pipeline can beat. The texts' half of
the table is in :mod:`bowerbird.evaluation.bench.encode_texts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bowerbird.content.efficientnet_lite import LITE0_VARIANT, LITE2_VARIANT
from bowerbird.content.encoder import chunks
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.made_up import drawn_pictures, made_up_texts
from bowerbird.content.pictures import decoded, square
from bowerbird.content.precision import PRECISIONS, Precision, precision_check
from bowerbird.datasets.picture_source import picture_source
from bowerbird.errors import InputError, MissingDependencyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.encode_texts import GroupedTexts, text_rows
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.evaluation.bench.torch_lite import torch_lite
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress

__all__ = ["run_encode"]

TORCH_BATCH = 32
ONE_BY_ONE = 100
"""Most pictures of the slow loop that takes them one by one: its rate is the same for more."""


def run_encode(
    images: Path | None = None,
    limit: int = 500,
    seed: int = 0,
    threads: int = 2,
    *,
    texts: Path | None = None,
    small: bool = False,
    model_dir: Path | None = None,
    progress: Progress = SILENT,
) -> BenchReport:
    """Pictures and texts per CPU-second, ours beside the plain loops.

    Args:
        images: a folder of pictures, a parquet file of their bytes or a pattern of such files; pictures
            are drawn when None.
        limit: most pictures; at most ten times as many texts.
        seed: draws which pictures and texts, or draws them.
        threads: workers of ours.
        texts: a table with a column of texts, and of what each is about if recall is wanted.
        small: EfficientNet-Lite0 in place of Lite2.
        model_dir: where built graphs are kept between runs.
        progress: shows each row.

    Raises:
        InputError: a path holds no pictures or no texts.
    """
    files = drawn_pictures(limit, seed) if images is None else _chosen(images, limit, seed)
    grouped = (
        GroupedTexts(tuple(made_up_texts(limit, seed)), None)
        if texts is None
        else GroupedTexts.read(texts, 10 * limit, seed)
    )
    progress.start("bench encode", None, "rows")
    notes = ["per CPU-second, all threads counted; from the file's bytes to the vector"]
    encoders: dict[Precision, ImageEncoder] = {
        precision: ImageEncoder(
            LITE0_VARIANT if small else LITE2_VARIANT, model_dir, threads, precision=precision
        )
        for precision in PRECISIONS
    }
    rows = [*_picture_rows(encoders, files, notes, progress)]
    rows += text_rows(grouped, model_dir, threads, notes, progress)
    progress.finish()
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        digest.update(hashlib.blake2b(file).digest())
    for text in grouped.texts:
        digest.update(hashlib.blake2b(text.encode("utf-8", "replace")).digest())
    data = BenchData(0, len(files), len(grouped.texts), digest.hexdigest())
    notes.append("items are pictures, events are texts")
    return BenchReport("encode", "bytes to vector", data, rows, notes)


def _picture_rows(
    encoders: dict[Precision, ImageEncoder], files: list[bytes], notes: list[str], progress: Progress
) -> list[BenchRow]:
    exact, fast = encoders["float"], encoders["int8"]
    variant, threads = exact.variant, exact.threads
    readable = [file for file, there in zip(files, exact.encode(files).present, strict=True) if there]
    if not readable:
        raise InputError(
            f"bench encode: none of {len(files)} pictures can be read; give JPEG, PNG or WebP files"
        )
    if len(readable) < len(files):
        notes.append(f"{len(files) - len(readable)} pictures could not be read and are left out")
    some = readable[:ONE_BY_ONE]
    loops: list[tuple[str, list[bytes], Callable[[], object]]] = []
    try:
        network = torch_lite(variant)
    except MissingDependencyError as error:
        notes.append(f"torch left out: {error}")
    else:
        loops += [
            ("torch, one by one", some, lambda: _loop(network, some, variant.size, 1)),
            (
                f"torch, batches of {TORCH_BATCH}",
                readable,
                lambda: _loop(network, readable, variant.size, TORCH_BATCH),
            ),
        ]
    pixels = [_pixels(part, variant.size) for part in chunks(readable, 4)]
    loops += [
        ("onnxruntime float, one by one", some, lambda: _loop(exact.pixel_features, some, variant.size, 1)),
        (
            "int8 network alone, pixels ready",
            readable,
            lambda: [fast.pixel_features(part) for part in pixels],
        ),
        (f"ours float, {threads} threads", readable, lambda: exact.encode(readable)),
        (f"ours int8, {threads} threads", readable, lambda: fast.encode(readable)),
    ]
    rows = []
    for name, taken, work in loops:
        rows.append(_row(f"pictures: {name}", len(taken), work))
        progress.advance()
    both = precision_check(exact.encode(some).matrix, fast.encode(some).matrix)
    notes.append(f"{fast.space.version} {both.facts()}")
    return rows


def _row(model: str, count: int, work: Callable[[], object]) -> BenchRow:
    with row_cost() as cost:
        work()
    rate = {"per cpu s": Estimate((count / cost.cpu_s,)), "per wall s": Estimate((count / cost.wall_s,))}
    return BenchRow(model, rate, cost.cpu_s, cost.peak_mb)


def _pixels(files: Sequence[bytes], size: int) -> np.ndarray:
    """Decoded whole and cut to the network's size: what a plain loop does."""
    return np.stack([square(decoded(file), size) for file in files])


def _loop(
    network: Callable[[np.ndarray], np.ndarray], files: list[bytes], size: int, batch: int
) -> np.ndarray:
    return np.concatenate([network(_pixels(part, size)) for part in chunks(files, batch)])


def _chosen(images: Path, limit: int, seed: int) -> list[bytes]:
    source = picture_source(images)
    order = generator(seed, "bench", "encode").permutation(len(source))[:limit]
    found = [picture.data for _, picture in source.pictures(order.tolist()) if picture.data is not None]
    if not found:
        raise InputError(f"{images}: holds no picture; expected files with bytes in them")
    return found
