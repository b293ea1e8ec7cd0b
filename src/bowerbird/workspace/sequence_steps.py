"""The build step of the next-item model: trained on everybody's sequence, kept as plain arrays with an index."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32

from bowerbird.errors import NotReadyError
from bowerbird.extras import lacks
from bowerbird.recommenders.guidance import Guidance
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.ours import gated_blocks
from bowerbird.recommenders.sequence_model import (
    FittedSequence,
    Recipe,
    SequenceSettings,
    fit_sequence,
    too_small,
)
from bowerbird.recommenders.several import topics_of
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.retrieval.index import build_index
from bowerbird.retrieval.next_item import INDEX
from bowerbird.users.next_item import NextItemReader, ReaderShape, first_meetings
from bowerbird.workspace.model_steps import lacks_impressions
from bowerbird.workspace.people_steps import lacks_events
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["make_next_item", "sequence_steps", "training_sequences"]

SOURCE, BY_TOPIC = "next_item", "next_interests"
"""The sources that read the model; where no surface names one, nothing is trained. The second asks it about topics."""
RANKED_ANYWAY = 5_000
"""With fewer items and impressions to train a ranker on, one more source was measured to change nothing (see the log)."""


def sequence_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The step that trains on sequences."""
    stated = f"{settings.sequence.fingerprint()} {settings.seed} {SequenceSettings().fingerprint()}"
    stated += " by topic" if settings.has_source(BY_TOPIC) else ""
    reads = ("catalogue", "events", "item_vector")
    return [Step("next_item", reads, 2, stated, make_next_item, lacks_sequences)]


def lacks_sequences(bench: Workbench) -> str | None:
    """Why no encoder can be trained here; None when one can."""
    if not bench.settings.has_source(SOURCE, BY_TOPIC):
        return f"no surface has the source {SOURCE!r} or {BY_TOPIC!r}"
    if len(bench.items) < RANKED_ANYWAY and lacks_impressions(bench) is None:
        return f"with {len(bench.items):,} items the other sources bring nearly all a ranker could choose"
    return lacks("torch", "train") or lacks_events(bench)


def training_sequences(bench: Workbench, until: int) -> Interactions:
    """What an encoder is trained on: the meetings in the histories serving reads.

    Args:
        bench: the build.
        until: events at or after this time are not learnt from, microseconds UTC.
    """
    track = bench.sequences.histories(until)
    users = track.owners()
    first = first_meetings(users, track.rows)
    content = None
    if bench.has("item_vector"):
        vectors = bench.item_vectors("item_vector")
        size = np.sqrt(np.mean(np.sum(vectors.matrix[vectors.present] ** 2, axis=1))) or 1.0
        content = (vectors.matrix / np.float32(size)).astype(np.float32)
    return Interactions(
        users[first],
        track.rows[first],
        np.array(bench.people.ids, dtype=str),
        np.array(bench.items.vocabulary.ids, dtype=str),
        None if bench.log.logical_time else track.at[first],
        content=content,
    )


def make_next_item(bench: Workbench, version: str) -> SignalCard:
    """Train the gated encoder on everybody's sequence and export it."""
    train = training_sequences(bench, bench.as_of)
    why = too_small(train)
    if why is not None:
        raise NotReadyError(why)
    settings, seed = SequenceSettings(), bench.settings.seed
    topics = topics_of(train, seed) if bench.settings.has_source(BY_TOPIC) else None
    recipe = Recipe(settings, gated_blocks, times=True, content=train.content, topics=topics)
    fitted = fit_sequence(train, seed, Guidance(effort="quick", progress=bench.progress), recipe, "next item")
    space = Space("next_item", version, settings.dim, "dot")
    reader = exported(fitted, train, settings.heads, space, topics)
    found = fitted.chosen["validation_ndcg@10"]
    card = bench.card(
        "next_item",
        ("model", "model"),
        version,
        "gated sequence encoder",
        counted=(int(reader.items.present.sum()), len(bench.items)),
        inputs=("catalogue", "events", "item_vector"),
        space=reader.space,
        note=f"held-out ndcg@10 {found:.3f}" if found is not None else "",
    )
    with bench.models.writing(card) as directory:
        reader.save(directory)
        build_index(reader.items, seed=seed).save(directory / INDEX)
    return card


def exported(
    fitted: FittedSequence,
    train: Interactions,
    heads: int,
    space: Space,
    topics: Int32[np.ndarray, "item"] | None = None,
) -> NextItemReader:
    """A trained encoder as plain arrays; with the topics it was trained to be asked about, if any.

    An item nobody met has learnt nothing but that it is not what came next; it goes by its content alone, and without
    content it is absent.
    """
    state = {name: one.detach().cpu().numpy() for name, one in fitted.model.state_dict().items()}
    weights = {name: one.astype(np.float32) for name, one in state.items() if name.startswith("encoder.")}
    known = fitted.model.encoder.calendar_known
    if known is not None:
        weights["encoder.calendar"] *= known.numpy()[:, None]
    met = np.bincount(train.items, minlength=train.items_total) > 0
    matrix = fitted.item_vectors()
    matrix[~met] -= state["items.ids"][~met]
    described = np.zeros_like(met) if train.content is None else train.content.any(axis=1)
    present = met | described
    matrix[~present] = 0.0
    if topics is None:
        topics = np.zeros(train.items_total, dtype=np.int32)
    vectors = Vectors(space, matrix, present)
    return NextItemReader(ReaderShape(heads, fitted.length), weights, vectors, topics)
