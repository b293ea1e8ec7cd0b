"""``bowerbird bench encode``: inputs per CPU-second, from the file's bytes to the vector.

Beside ours stands the loop one writes first: decode a picture whole, run the network on it, next.
The same for texts: one at a time, padded to the full length as the tokenizer's own settings say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.pictures import decoded, square
from bowerbird.content.text_encoder import MAX_TOKENS, TextEncoder
from bowerbird.errors import InputError, MissingDependencyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
    checkout_commit,
    machine_description,
)
from bowerbird.randomness import generator

__all__ = ["run_encode"]

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
_WORDS = (
    "red",
    "linen",
    "summer",
    "dress",
    "with",
    "long",
    "sleeves",
    "oak",
    "table",
    "lamp",
    "blue",
    "wool",
)


def run_encode(images: Path | None = None, limit: int = 500, seed: int = 0, threads: int = 2) -> BenchReport:
    """Pictures and texts per CPU-second, ours beside the plain loop.

    Args:
        images: a folder of pictures or a parquet file with a column of their bytes (``jpeg``,
            ``image`` or ``bytes``); pictures are drawn when None.
        limit: most pictures, and as many texts.
        seed: draws which pictures, or draws the pictures; and the texts.
        threads: workers of ours.

    Raises:
        InputError: the path holds no pictures.
    """
    files = _drawn(limit, seed) if images is None else _chosen(_files(images), limit, seed)
    texts = _texts(len(files), seed)
    encoder = ImageEncoder(threads=threads)
    encoder.encode(files[:2])  # the first run allocates
    rows = [
        _row("pictures: one by one", len(files), lambda: _loop(encoder, files)),
        _row(f"pictures: ours, {threads} threads", len(files), lambda: encoder.encode(files)),
    ]
    notes = ["per CPU-second, all threads counted; decode and resize included; " + encoder.space.version]
    try:
        words = TextEncoder(threads=threads)
    except MissingDependencyError as error:
        notes.append(f"texts left out: {error}")
    else:
        words.encode(texts[:2])
        rows.append(_row("texts: one by one, full length", len(texts), lambda: _text_loop(words, texts)))
        rows.append(_row(f"texts: ours, {threads} threads", len(texts), lambda: words.encode(texts)))
    digest = hashlib.blake2b(b"".join(hashlib.blake2b(file).digest() for file in files), digest_size=8)
    data = BenchData(0, len(files), 0, digest.hexdigest())
    return BenchReport(
        "encode", "bytes to vector", data, checkout_commit(), machine_description(), rows, notes
    )


def _row(model: str, count: int, work: Callable[[], object]) -> BenchRow:
    with row_cost() as cost:
        work()
    rate = {"per cpu s": Estimate((count / cost.cpu_s,)), "per wall s": Estimate((count / cost.wall_s,))}
    return BenchRow(model, rate, cost.cpu_s, cost.peak_mb)


def _loop(encoder: ImageEncoder, files: list[bytes]) -> np.ndarray:
    """Decode whole, encode, next; what cannot be read is left out."""
    vectors = []
    for file in files:
        try:
            picture = decoded(file)
        except InputError:
            continue
        vectors.append(encoder.pixel_features(square(picture, encoder.variant.size)[None])[0])
    return np.array(vectors)


def _text_loop(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    return np.concatenate([encoder.padded_vector(text, MAX_TOKENS) for text in texts])


def _files(images: Path) -> list[bytes]:
    if images.is_dir():
        paths = sorted(path for path in images.rglob("*") if path.suffix.lower() in _ENDINGS)
        found = [path.read_bytes() for path in paths]
    elif images.suffix == ".parquet":
        names = pq.read_schema(images).names
        column = next((name for name in ("jpeg", "image", "bytes") if name in names), None)
        if column is None:
            raise InputError(f"{images}: no column 'jpeg', 'image' or 'bytes'; found {', '.join(names)}")
        found = [raw for raw in pq.read_table(images, columns=[column])[column].to_pylist() if raw]
    else:
        raise InputError(f"{images}: expected a folder of pictures or a parquet file of their bytes")
    if not found:
        raise InputError(
            f"{images}: holds no picture; expected files ending in {', '.join(sorted(_ENDINGS))}"
        )
    return found


def _chosen(files: list[bytes], limit: int, seed: int) -> list[bytes]:
    rows = generator(seed, "bench", "encode").permutation(len(files))[:limit]
    return [files[row] for row in np.sort(rows)]


def _drawn(count: int, seed: int) -> list[bytes]:
    """JPEG pictures of coloured shapes, 640 x 480."""
    draws = generator(seed, "bench", "drawn")
    files = []
    for _ in range(count):
        image = Image.new("RGB", (640, 480), tuple(int(value) for value in draws.integers(256, size=3)))
        pen = ImageDraw.Draw(image)
        for _ in range(12):
            left, top = int(draws.integers(560)), int(draws.integers(400))
            box = (left, top, left + int(draws.integers(20, 200)), top + int(draws.integers(20, 200)))
            pen.ellipse(box, fill=tuple(int(value) for value in draws.integers(256, size=3)))
        file = BytesIO()
        image.save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


def _texts(count: int, seed: int) -> list[str]:
    draws = generator(seed, "bench", "texts")
    return [" ".join(draws.choice(_WORDS, size=int(draws.integers(3, 25)))) for _ in range(count)]
