"""The texts' half of ``bench encode``: texts per CPU-second, and what int8 costs in recall.

Recall is of siblings: texts about the same thing (captions of one picture, titles of one product)
should be each other's nearest. Without such groups the agreement with float is what is left to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from bowerbird.content.hub.loading import library
from bowerbird.content.precision import PRECISIONS, precision_check
from bowerbird.content.text_encoder import MAX_TOKENS, TextEncoder
from bowerbird.content.weights import MINILM
from bowerbird.datasets.tables import as_text, read_table
from bowerbird.errors import InputError, MissingDependencyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import BenchRow, Estimate
from bowerbird.randomness import generator
from bowerbird.telemetry import Progress

__all__ = ["GroupedTexts", "sibling_recall", "text_rows"]

TEXT_COLUMNS = ("text", "caption", "title", "query", "description", "name")
GROUP_COLUMNS = ("group", "image", "item_id", "id", "label")
ONE_BY_ONE = 300
_BATCH = 32


@dataclass(frozen=True)
class GroupedTexts:
    """Texts, and what each is about where that is known."""

    texts: tuple[str, ...]
    groups: tuple[str, ...] | None

    @staticmethod
    def read(path: Path, limit: int, seed: int) -> GroupedTexts:
        """The texts of a table: the first column that holds some; whole groups are drawn.

        Args:
            path: parquet, csv, jsonl; the text in a column text, caption, title, query, description or
                name, what it is about in group, image, item_id, id or label.
            limit: about the most texts.
            seed: draws which groups.

        Raises:
            InputError: there is no such column, or no text in it.
        """
        table = read_table(path)
        column = next((name for name in TEXT_COLUMNS if name in table.column_names), None)
        if column is None:
            found = ", ".join(table.column_names)
            raise InputError(f"{path}: no column of texts ({', '.join(TEXT_COLUMNS)}); found {found}")
        grouping = next((name for name in GROUP_COLUMNS if name in table.column_names), None)
        texts = [as_text(value) or "" for value in table.column(column).to_pylist()]
        keys = (
            [as_text(value) or f"row {row}" for row, value in enumerate(table.column(grouping).to_pylist())]
            if grouping is not None
            else [str(row) for row in range(len(texts))]
        )
        kept = [row for row, text in enumerate(texts) if text.strip()]
        if not kept:
            raise InputError(f"{path}: column {column!r} holds no text; expected words in some rows")
        rows = _drawn_groups(keys, kept, limit, seed)
        groups = tuple(keys[row] for row in rows)
        siblings = len(set(groups)) < len(groups)
        return GroupedTexts(tuple(texts[row] for row in rows), groups if siblings else None)


def _drawn_groups(keys: list[str], kept: list[int], limit: int, seed: int) -> list[int]:
    members: dict[str, list[int]] = {}
    for row in kept:
        members.setdefault(keys[row], []).append(row)
    names = list(members)
    chosen: list[int] = []
    for place in generator(seed, "bench", "texts").permutation(len(names)):
        if len(chosen) >= limit:
            break
        chosen += members[names[place]]
    return sorted(chosen)


def sibling_recall(vectors: Float32[np.ndarray, "text dim"], groups: tuple[str, ...], k: int) -> np.ndarray:
    """For each text with a sibling: is one among its k nearest others?

    Example:
        >>> vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32)
        >>> sibling_recall(vectors, ("a", "a", "b", "c"), 1).tolist()
        [1.0, 0.0]
    """
    _, codes, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    hits = []
    for start in range(0, len(vectors), 512):
        block = slice(start, start + 512)
        rows = np.arange(start, min(start + 512, len(vectors)))
        similarity = vectors[block] @ vectors.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, : min(k, len(vectors) - 1)]
        hits.append((codes[nearest] == codes[rows][:, None]).any(axis=1)[counts[codes[rows]] > 1])
    return np.concatenate(hits).astype(np.float64)


def text_rows(
    grouped: GroupedTexts, model_dir: Path | None, threads: int, notes: list[str], progress: Progress
) -> list[BenchRow]:
    """Ours and the baselines; a note in place of what is not installed."""
    texts = list(grouped.texts)
    try:
        encoders = {precision: TextEncoder(model_dir, threads, precision) for precision in PRECISIONS}
    except MissingDependencyError as error:
        notes.append(f"texts left out: {error}")
        return []
    some = texts[:ONE_BY_ONE]
    exact = encoders["float"]
    work: list[tuple[str, list[str], Callable[[], np.ndarray]]] = []
    try:
        work += _torch_loops(texts, some)
    except MissingDependencyError as error:
        notes.append(f"sentence-transformers left out: {error}")
    work.append(
        (
            "onnxruntime float, one by one, full length",
            some,
            lambda: np.concatenate([exact.padded_vector(text, MAX_TOKENS) for text in some]),
        )
    )
    for precision, encoder in encoders.items():
        encoder.encode(texts[:2])  # the first run allocates
        work.append(
            (f"ours {precision}, {threads} threads", texts, lambda one=encoder: one.encode(texts).matrix)
        )
    rows, vectors = [], {}
    for name, taken, encode in work:
        with row_cost() as cost:
            vectors[name] = encode()
        metrics = {
            "per cpu s": Estimate((len(taken) / cost.cpu_s,)),
            "per wall s": Estimate((len(taken) / cost.wall_s,)),
        }
        if grouped.groups is not None and len(taken) == len(texts):
            metrics.update(_recalls(vectors[name], grouped.groups))
        rows.append(BenchRow(f"texts: {name}", metrics, cost.cpu_s, cost.peak_mb))
        progress.advance()
    two = [vectors[f"ours {precision}, {threads} threads"][:2000] for precision in PRECISIONS]
    if len(texts) > 1:
        notes.append(f"{encoders['int8'].space.version} {precision_check(*two).facts()}")
    return rows


def _recalls(vectors: np.ndarray, groups: tuple[str, ...]) -> dict[str, Estimate]:
    found = {}
    for k in (1, 10):
        hits = sibling_recall(vectors, groups, k)
        error = float(hits.std(ddof=1) / np.sqrt(len(hits))) if len(hits) > 1 else None
        found[f"sibling r@{k}"] = Estimate((float(hits.mean()),), error)
    return found


def _torch_loops(texts: list[str], some: list[str]) -> list[tuple[str, list[str], Callable[[], np.ndarray]]]:
    """The same weights through sentence-transformers, one by one and in its own sorted batches."""
    module, torch = library("sentence_transformers"), library("torch")
    torch.set_num_threads(1)
    model = module.SentenceTransformer(str(MINILM.checked().parent), device="cpu")

    def encoded(taken: list[str], batch: int) -> np.ndarray:
        return model.encode(taken, batch_size=batch, show_progress_bar=False, normalize_embeddings=True)

    encoded(texts[:2], 2)
    return [
        (
            "sentence-transformers (torch), one by one",
            some,
            lambda: np.concatenate([encoded([text], 1) for text in some]),
        ),
        (
            f"sentence-transformers (torch), batches of {_BATCH}",
            texts,
            lambda: encoded(texts, _BATCH),
        ),
    ]
