"""The build step that fills gaps in items' attributes from items that have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from bowerbird.content.attributes import AttributeHeads, Prediction
from bowerbird.errors import NotReadyError
from bowerbird.extras import installed
from bowerbird.randomness import generator
from bowerbird.records.signal import SignalCard
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["attribute_steps", "make_attributes"]

LEAST_LABELLED = 40
"""Items with a value an attribute needs to be learnt."""
LEAST_PER_CLASS = 4
"""Mean items a value: a code or a name of its own on every item is no attribute to read off a picture."""
VALID_SHARE = 0.2
EVIDENCE = 3
_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("confidence", pa.float32()),
        ("abstained", pa.bool_()),
        ("evidence", pa.list_(pa.string())),
        ("similarity", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class _Gaps:
    """Attributes that some items have and others lack."""

    names: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    codes: Int64[np.ndarray, "column item"]


def attribute_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The step, after the space of items."""
    reads = ("catalogue", "item_vector")
    return [Step("attributes", reads, 1, str(settings.seed), make_attributes, lacks_gaps)]


def lacks_gaps(bench: Workbench) -> str | None:
    """Why there is nothing to fill, or no means to; None when there is."""
    if not _gaps(bench).names:
        return f"no attribute is known of {LEAST_LABELLED} items, repeats on {LEAST_PER_CLASS} and is lacking on any"
    if not installed("torch"):
        return "torch is not installed; pip install 'bowerbird[train]' learns attributes"
    return None


def make_attributes(bench: Workbench, version: str) -> SignalCard:
    """Learn every attribute with gaps together, and predict it where it is lacking."""
    from bowerbird.training.attribute_heads import AttributeTraining, trained_heads  # loads torch

    gaps, vectors = _gaps(bench), bench.item_vectors("item_vector")
    labelled = np.flatnonzero(vectors.present & (gaps.codes >= 0).any(axis=0))
    if labelled.size < LEAST_LABELLED:
        raise NotReadyError(f"only {labelled.size} items with an attribute have a vector")
    order = generator(bench.settings.seed, "attributes").permutation(labelled)
    cut = round(VALID_SHARE * order.size)
    data = AttributeTraining(vectors.matrix, gaps.names, gaps.classes, gaps.codes, one_space=True)
    heads = trained_heads(
        data, np.sort(order[cut:]), np.sort(order[:cut]), seed=bench.settings.seed, progress=bench.progress
    )
    table = _filled(bench, gaps, heads, np.sort(order[cut:]))
    said = len(table) - int(np.asarray(table.column("abstained")).sum())
    card = bench.card(
        "attributes",
        ("item", "label"),
        version,
        "joint heads and neighbours, calibrated",
        counted=(len(set(table.column("item_id").to_pylist())), len(bench.items)),
        inputs=("catalogue", "item_vector"),
        note=f"{said:,} of {len(table):,} gaps filled in {', '.join(gaps.names)}; the rest abstained",
    )
    bench.signals.put_table(card, table)
    return card


def _filled(
    bench: Workbench, gaps: _Gaps, heads: AttributeHeads, voters: Int64[np.ndarray, " voter"]
) -> pa.Table:
    vectors, ids = bench.item_vectors("item_vector"), bench.items.vocabulary.ids
    parts = []
    for column in range(len(gaps.names)):
        asking = np.flatnonzero(vectors.present & (gaps.codes[column] < 0))
        if asking.size == 0:
            continue
        features = vectors.matrix[asking]
        found: Prediction = heads.predictions(features)[column]
        rows, near = heads.evidence(features, column, found.code, EVIDENCE)
        kept = rows >= 0
        parts.append(
            pa.table(
                [
                    [ids[row] for row in asking],
                    [found.name] * len(asking),
                    [found.classes[code] for code in found.code],
                    found.confidence,
                    found.abstained,
                    [[ids[voters[row]] for row in line[here]] for line, here in zip(rows, kept, strict=True)],
                    [line[here].tolist() for line, here in zip(near, kept, strict=True)],
                ],
                schema=_SCHEMA,
            )
        )
    return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()


def _gaps(bench: Workbench) -> _Gaps:
    """Attributes worth learning: known of enough items, with values that repeat, and lacking on some."""
    pairs = [dict(cell or ()) for cell in bench.items.column("attributes")]
    known = Counter(name for cell in pairs for name, value in cell.items() if value)
    names, classes, codes = [], [], []
    for name, count in sorted(known.items()):
        values = tuple(sorted({str(cell[name]) for cell in pairs if cell.get(name)}))
        if not LEAST_LABELLED <= count < len(pairs) or not 2 <= len(values) <= count / LEAST_PER_CLASS:
            continue
        code_of = {value: code for code, value in enumerate(values)}
        names.append(name)
        classes.append(values)
        codes.append([code_of[str(cell[name])] if cell.get(name) else -1 for cell in pairs])
    matrix = np.array(codes, dtype=np.int64).reshape(len(names), len(pairs))
    return _Gaps(tuple(names), tuple(classes), matrix)
