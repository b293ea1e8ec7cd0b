"""The vectors of ``bench ann``: clustered synthetic ones from a seed, or the user's own file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from bowerbird.arrays import normalise
from bowerbird.errors import InputError, NotFoundError
from bowerbird.randomness import generator

__all__ = ["AnnVectors", "clustered_vectors", "read_vectors"]


@dataclass(frozen=True)
class AnnVectors:
    """What is indexed, and held-out queries of the same kind: one half to set knobs, one to report."""

    items: Float32[np.ndarray, "item dim"]
    """Unit rows."""
    tuning: Float32[np.ndarray, "half dim"]
    """Queries on which each contender's knob is set."""
    queries: Float32[np.ndarray, "query dim"]
    """Queries the report is about."""
    origin: str

    @property
    def hash(self) -> str:
        """Tells two sets of one size apart."""
        digest = hashlib.blake2b(digest_size=6)
        for part in (self.items, self.tuning, self.queries):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def clustered_vectors(n: int, dim: int, seed: int, queries: int = 2000) -> AnnVectors:
    """Unit vectors shaped like embeddings: topics of unequal size, each a few directions wide, and noise.

    About ``n / 100`` topics around 40 themes; topic sizes fall as ``1 / sqrt(rank)``; spread within a topic
    falls as ``1 / rank`` over the directions, so few directions carry it; then 5 % white noise. Uniform
    noise would have no neighbours worth finding, and tight balls would make every index look perfect.

    Args:
        n: vectors to index.
        dim: their width.
        seed: decides every value.
        queries: reported queries; as many again set the knobs.
    """
    draw = generator(seed, "bench", "ann", "vectors")
    count = n + 2 * queries
    topics = max(10, n // 100)
    wide = (1.0 + np.arange(dim)) ** -0.5
    narrow = (1.0 + np.arange(dim)) ** -1.0
    narrow *= np.linalg.norm(wide) / np.linalg.norm(narrow)
    themes = draw.standard_normal((40, dim)) * wide
    centres = themes[draw.integers(40, size=topics)] + 0.7 * draw.standard_normal((topics, dim)) * wide
    size = (1.0 + np.arange(topics)) ** -0.5
    turned = np.linalg.qr(draw.standard_normal((dim, dim)))[0]
    matrix = centres[draw.choice(topics, size=count, p=size / size.sum())]
    matrix += 0.8 * (draw.standard_normal((count, dim)) * narrow) @ turned
    matrix += 0.05 * draw.standard_normal((count, dim))
    unit = normalise(matrix)
    return AnnVectors(
        unit[:n], unit[n : n + queries], unit[n + queries :], f"synthetic, clustered, seed {seed}"
    )


def read_vectors(path: Path, seed: int, queries: int = 2000) -> AnnVectors:
    """The user's own vectors, some of them held out as queries; rows of zeros have no direction and are left out.

    Args:
        path: ``.npy`` of shape (rows, dim), or ``.parquet`` with one column of number lists of one length.
        seed: decides which rows become queries.
        queries: reported queries; as many again set the knobs. At most a tenth of the rows each.

    Raises:
        NotFoundError: there is no such file.
        InputError: not a matrix of at least 40 finite rows that are not zero.
    """
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file; expected .npy or .parquet with vectors")
    matrix = _parquet_matrix(path) if path.suffix == ".parquet" else _npy_matrix(path)
    if matrix.ndim != 2 or matrix.shape[0] < 40:
        raise InputError(f"{path}: found shape {matrix.shape}; expected (rows, dim) with at least 40 rows")
    if not np.isfinite(matrix).all():
        bad = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise InputError(f"{path} row {bad}: a value is not finite; expected finite numbers")
    directed = matrix.any(axis=1)
    zeros = int((~directed).sum())
    matrix = matrix[directed]
    if matrix.shape[0] < 40:
        raise InputError(
            f"{path}: {zeros:,} of {directed.size:,} rows are zeros, which have no direction; expected at least 40 others"
        )
    queries = min(queries, matrix.shape[0] // 10)
    order = generator(seed, "bench", "ann", "split").permutation(matrix.shape[0])
    unit = normalise(matrix)
    return AnnVectors(
        unit[np.sort(order[2 * queries :])],
        unit[order[:queries]],
        unit[order[queries : 2 * queries]],
        f"vectors of {path.name}" + (f", {zeros:,} rows of zeros left out" if zeros else ""),
    )


def _npy_matrix(path: Path) -> np.ndarray:
    try:
        matrix = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a .npy matrix ({error}); expected .npy or .parquet") from error
    if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "fiu":
        raise InputError(f"{path}: found {getattr(matrix, 'dtype', type(matrix).__name__)}; expected numbers")
    return matrix.astype(np.float32)


def _parquet_matrix(path: Path) -> np.ndarray:
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a parquet file ({error})") from error
    lists = [
        name
        for name in table.column_names
        if pa.types.is_list(table.schema.field(name).type)
        or pa.types.is_large_list(table.schema.field(name).type)
        or pa.types.is_fixed_size_list(table.schema.field(name).type)
    ]
    if len(lists) != 1:
        raise InputError(f"{path}: columns of lists are {lists}; expected exactly one, the vectors")
    column = table.column(lists[0]).combine_chunks()
    rows = column.to_numpy(zero_copy_only=False)
    lengths = sorted({0 if row is None else len(row) for row in rows})
    if len(lengths) != 1 or lengths == [0]:
        raise InputError(f"{path} column {lists[0]!r}: lists of lengths {lengths[:5]}; expected one length")
    if rows[0].dtype.kind not in "fiu":
        raise InputError(
            f"{path} column {lists[0]!r}: lists of {column.type.value_type}; expected lists of numbers"
        )
    return np.stack(rows).astype(np.float32)
