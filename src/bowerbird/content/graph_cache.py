"""Built ONNX graphs on disk, so that a graph is built once for each workspace.

A file is named by a hash of everything the graph is made from (weights, builder revision,
precision, calibration), so a name never changes its meaning and a stale file is never read. It is
written beside its place and moved there, so a killed process leaves whole files only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime as ort

from bowerbird.errors import StorageError


def recipe_hash(*parts: str) -> str:
    """A short hash of what a graph is made from.

    Example:
        >>> recipe_hash("weights", "1") == recipe_hash("weights", "2")
        False
    """
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


def cached_graph(
    model_dir: Path | None, name: str, recipe: str, build: Callable[[], onnx.ModelProto]
) -> bytes:
    """The serialised graph of a recipe: from the directory when it is there, else built and kept.

    Args:
        model_dir: where graphs are kept; None builds each time and keeps nothing.
        name: for people: the file is ``<name>-<recipe>.onnx``.
        recipe: see :func:`recipe_hash`.
        build: makes the graph.

    Raises:
        StorageError: the directory cannot be read or written.
    """
    return cached_bytes(model_dir, f"{name}-{recipe}.onnx", lambda: build().SerializeToString())


def cached_bytes(model_dir: Path | None, name: str, build: Callable[[], bytes]) -> bytes:
    """The bytes of a file in the directory, made and kept when it is not there.

    Args:
        model_dir: where files are kept; None makes them each time and keeps nothing.
        name: of the file; it must change whenever the bytes would.
        build: makes the bytes.

    Raises:
        StorageError: the directory cannot be read or written.
    """
    if model_dir is None:
        return build()
    path = model_dir / name
    try:
        if path.is_file():
            return path.read_bytes()
        raw = build()
        model_dir.mkdir(parents=True, exist_ok=True)
        _write_whole(path, raw)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"{path}: the model graph could not be kept: {error}; free space or fix rights"
        ) from error
    return raw


def _write_whole(path: Path, raw: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def session(graph: bytes, intra_threads: int = 1) -> ort.InferenceSession:
    """An onnxruntime session on the processor, quiet.

    One thread inside a run and several runs side by side is faster over many inputs than the other
    way round, and makes results independent of the number of threads.

    Args:
        graph: the serialised model.
        intra_threads: threads inside one operator.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = intra_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
