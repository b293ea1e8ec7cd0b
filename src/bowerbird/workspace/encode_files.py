"""``bowerbird encode``: pictures or texts of any files as a parquet of vectors, resumable.

Inputs are taken in blocks. What a block's inputs become is kept by content hash in a folder beside the
result, a whole block at a time, so a run that is killed and started again encodes the same batches and
ends in the same bytes; the folder goes when the result is there.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bowerbird.content.encoder import ContentEncoder, chunks
from bowerbird.content.instructions import int8_is_fast
from bowerbird.datasets.images import IMAGE_ENDINGS, bytes_column
from bowerbird.datasets.picture_source import name_column, picture_source
from bowerbird.datasets.tables import as_text, iter_batches
from bowerbird.errors import InputError, NotFoundError
from bowerbird.stores.atomic import publish, scratch_path, storage_errors, write_atomically
from bowerbird.stores.layout import Layout
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.stores.vector_columns import column_of
from bowerbird.telemetry import SILENT, Progress
from bowerbird.workspace.engines import Engine, running_encoder

__all__ = ["Encoded", "encode_files"]

BLOCK = 256
"""Inputs between writes: what a kill can cost."""
TEXT_COLUMNS = ("text", "caption", "title", "query", "description")
DEFAULTS = {"image": "efficientnet-lite2", "text": "minilm-l6"}


@dataclass(frozen=True)
class Encoded:
    """What became of a run."""

    space: str
    encoder: str
    vectors: int
    reused: int
    """Vectors that an earlier run, or an equal input before, had made."""
    failed: dict[str, int]
    """How many inputs could not be encoded, by reason without their sizes."""
    report: str = ""
    """The file with each failed input and its reason; empty when there is none."""


@dataclass(frozen=True)
class _Input:
    id: str
    raw: Any
    reason: str = ""


def encode_files(
    files: Sequence[Path],
    to: Path,
    encoder: str | None = None,
    precision: str | None = None,
    *,
    threads: int = 2,
    engine: Engine = "local",
    progress: Progress = SILENT,
) -> Encoded:
    """Encode pictures or texts into a parquet file with id, vector, space.

    Args:
        files: folders of pictures, pictures, parquet files of their bytes; or tables with a text column.
        to: the file to write.
        encoder: a plugin; the default of the modality when None.
        precision: ``int8`` or ``float`` of a built-in encoder; what suits this processor when None.
        threads: workers side by side on this machine.
        engine: ``local``, or ``ray``: on every processor of a Ray cluster, to the same bytes.
        progress: shows inputs.

    Raises:
        InputError: the files hold both pictures and texts, or neither, or do not fit the encoder.
        NotFoundError: a file does not exist.
        StorageError: the result cannot be written.
    """
    modalities = {_modality(file) for file in files}
    if len(modalities) != 1:
        raise InputError(
            f"encode: {len(files)} files hold {' and '.join(sorted(modalities)) or 'nothing'}; "
            "encode pictures and texts one after the other, each into a file of its own"
        )
    (modality,) = modalities
    work = Layout(to.parent / f".{to.name}.unfinished")
    work.create()
    name = encoder or DEFAULTS[modality]
    if ":" not in name and name in (*DEFAULTS.values(), "efficientnet-lite0"):
        name += f":{precision or ('int8' if int8_is_fast() else 'float')}"
    elif precision is not None:
        raise InputError(f"encode: encoder {name!r} has its precision in its name; leave out --precision")
    running = running_encoder(name, work.cache, threads, engine)
    if running.modality != modality:
        raise InputError(f"encode: {name!r} encodes {running.modality}s, the files hold {modality}s")
    found = _written(files, modality, to, work, running, progress)
    shutil.rmtree(work.root)
    return Encoded(running.space.key, name, *found)


def _written(
    files: Sequence[Path],
    modality: str,
    to: Path,
    work: Layout,
    encoder: ContentEncoder[Any],
    progress: Progress,
) -> tuple[int, int, dict[str, int], str]:
    cache = VectorCache(work, encoder.space)
    made = reused = 0
    failures: list[tuple[str, str]] = []
    scratch = scratch_path(to)
    schema = pa.schema(
        [("id", pa.string()), ("vector", pa.list_(pa.float32(), encoder.space.dim)), ("space", pa.string())]
    )
    inputs = _each_id_once(
        one for file in files for one in (_pictures(file) if modality == "image" else _texts(file))
    )
    progress.start(f"encode {modality}s", None, "inputs")
    with storage_errors(to, "write"):
        try:
            with pq.ParquetWriter(scratch, schema) as sink:
                for block in chunks(inputs, BLOCK):
                    names, reasons, new = _block(block, cache, encoder)
                    vectors = cache.get(names)
                    there = vectors.present.nonzero()[0]
                    ids = [block[row].id for row in there]
                    columns = [ids, column_of(vectors.matrix[there]), [encoder.space.key] * len(ids)]
                    sink.write_table(pa.table(columns, schema=schema))
                    failures += [(block[row].id, reason) for row, reason in sorted(reasons.items())]
                    made, reused = made + len(ids), reused + len(ids) - new
                    progress.advance(len(block))
            publish(scratch, to)
        finally:
            scratch.unlink(missing_ok=True)
    progress.finish()
    return made, reused, _counted(failures), _reported(failures, to)


def _block(
    block: list[_Input], cache: VectorCache, encoder: ContentEncoder[Any]
) -> tuple[list[str], dict[int, str], int]:
    """Encode a block unless all of it is cached; names of its rows, reasons of failures, how many are new.

    A block is encoded as a whole, its equal inputs once: batches are then the same in every run.
    """
    names = [_content_hash(one.raw) for one in block]
    reasons = {row: one.reason for row, one in enumerate(block) if one.raw is None}
    rows: dict[str, int] = {}
    for row, one in enumerate(block):
        if one.raw is not None:
            rows.setdefault(names[row], row)
    missing = cache.missing(list(rows))
    if not missing:
        return names, reasons, 0
    order, failed = list(rows), {}
    parts = list(encoder.encode_chunks(block[row].raw for row in rows.values()))
    for part in parts:
        failed.update({order[failure.position]: failure.reason for failure in part.failures})
    kept: list[str] = []
    for part in parts:
        here = order[part.start : part.start + len(part.vectors)]
        good = part.vectors.present.nonzero()[0]
        kept += [here[row] for row in good]
    if kept:
        cache.append(kept, np.concatenate([part.vectors.matrix[part.vectors.present] for part in parts]))
    reasons.update({row: failed[name] for row, name in enumerate(names) if name in failed})
    return names, reasons, len(set(missing) & set(kept))


def _content_hash(raw: bytes | str | None) -> str:
    if raw is None:
        return ""
    data = raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _modality(file: Path) -> Literal["image", "text"]:
    """What a file holds, told by its ending and its columns."""
    if not file.exists() and "*" not in file.name:
        raise NotFoundError(f"{file}: no such file or folder")
    if file.is_dir() or "*" in file.name or file.suffix.lower() in IMAGE_ENDINGS:
        return "image"
    if file.suffix.lower() == ".parquet":
        try:
            return "image" if bytes_column(pq.read_schema(file)) is not None else "text"
        except pa.ArrowInvalid as error:
            raise InputError(f"{file}: not a whole parquet file ({error}); write it again") from error
    return "text"


def _pictures(file: Path) -> Iterator[_Input]:
    if file.suffix.lower() in IMAGE_ENDINGS and file.is_file():
        yield _Input(file.name, file.read_bytes())
        return
    source = picture_source(file)
    for place, picture in source.pictures():
        yield _Input(source.all_names[place], picture.data, picture.reason or "")


def _each_id_once(inputs: Iterable[_Input]) -> Iterator[_Input]:
    """The inputs; one whose id came before, or that has none, keeps its place with a reason to leave it out."""
    met: set[str] = set()
    for one in inputs:
        if not one.id:
            yield _Input(one.id, None, "no id")
        elif one.id in met:
            yield _Input(one.id, None, "its id came before; the first is kept")
        else:
            met.add(one.id)
            yield one


def _texts(file: Path) -> Iterator[_Input]:
    row = 0
    for batch in iter_batches(file):
        names = batch.schema.names
        column = next((name for name in TEXT_COLUMNS if name in names), None)
        if column is None:
            raise InputError(
                f"{file}: no column of texts ({', '.join(TEXT_COLUMNS)}); found {', '.join(names)}"
            )
        by = name_column([name for name in names if name != column], ("item_id", "id", "text_id"))
        ids = batch.column(by).to_pylist() if by else range(row, row + batch.num_rows)
        for one, value in zip(ids, batch.column(column).to_pylist(), strict=True):
            text = as_text(value)
            yield _Input(as_text(one) or "", text, "" if text else "no text")
        row += batch.num_rows


def _counted(failures: list[tuple[str, str]]) -> dict[str, int]:
    """Failures by what is wrong, without what differs from input to input."""
    return dict(Counter(reason.partition("): ")[2] or reason for _, reason in failures))


def _reported(failures: list[tuple[str, str]], to: Path) -> str:
    path = to.with_name(f"{to.stem}.failures.csv")
    if not failures:
        path.unlink(missing_ok=True)
        return ""
    text = io.StringIO()
    csv.writer(text).writerows([("id", "reason"), *failures])
    write_atomically(path, text.getvalue().encode())
    return str(path)
