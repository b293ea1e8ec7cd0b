"""Build steps of the long-term vector: an encoder trained on what people do in weeks, and everybody's vector by it.

The encoder is trained on what was done until the last Monday, UTC. So a week of daily builds reads people with one
encoder and redoes only those with new events; it is trained anew when the week turns, and when the catalogue or its
vectors change. A vector knows everything up to its build and stands still until the next one, which is what it is
trained for.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace

import numpy as np

from bowerbird.clock import DAY_US, format_time
from bowerbird.errors import NotReadyError
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.sequence_model import FittedSequence, too_small
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.retrieval.index import build_index
from bowerbird.retrieval.next_item import INDEX
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interests import popularity_moment
from bowerbird.users.long_term_settings import LongTermSettings
from bowerbird.users.next_item import NextItemReader
from bowerbird.workspace.kept_people import KeptPeople, each_person, person_key
from bowerbird.workspace.people_steps import lacks_times_or_torch
from bowerbird.workspace.plan import Step
from bowerbird.workspace.sequence_steps import exported, training_sequences
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["ENCODER", "LONG_TERM", "long_term_steps"]

ENCODER, LONG_TERM = "long_term_encoder", "user_long_term"
"""The model, and the signal of people."""
REVISION = 1
"""Of the vectors of people; raised by hand when the code changes what it makes of a person."""
PRODUCER = "gated encoder of the weeks to come"
MOST_ACTIONS = 4_000_000
"""Actions learnt from in all epochs together, about four CPU-minutes; a larger log has fewer epochs."""
LEAST_DAYS = 14.0
"""With fewer days until the last Monday there are no weeks to come to learn from."""


def long_term_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The encoder, then the vectors by it."""
    sequence = settings.sequence.fingerprint()
    chosen = f"{sequence} {settings.seed} {LongTermSettings().fingerprint()}"
    reads = ("catalogue", "events", "item_vector")
    return [
        Step(ENCODER, reads, 1, chosen, make_encoder, lacks_times_or_torch),
        Step(LONG_TERM, ("events", ENCODER), REVISION, sequence, make_vectors, lacks_encoder),
    ]


def lacks_encoder(bench: Workbench) -> str | None:
    """Why nobody can have a vector; None when people can."""
    return None if bench.has(ENCODER) else f"there is no {ENCODER}"


def make_encoder(bench: Workbench, version: str) -> SignalCard:
    """Train the encoder; one that was trained on the very same before is kept, and with it its space."""
    until = popularity_moment(bench.sequences, bench.as_of)
    train = training_sequences(bench, until)
    _require_enough(train, until)
    settings = LongTermSettings()
    fewer = max(1, min(settings.epochs, MOST_ACTIONS // len(train)))
    settings = settings.model_copy(update={"epochs": fewer})
    made_of = _fingerprint(train, f"{settings.fingerprint()} {bench.settings.seed}")
    space = Space("long_term", made_of, settings.dim, "dot")
    before = bench.models.card(ENCODER)
    if before is not None and before.space == space:
        card = replace(before, version=version, as_of=bench.as_of)
        with bench.models.writing(card) as directory:
            shutil.copytree(bench.models.directory(ENCODER), directory, dirs_exist_ok=True)
        return card
    reader = _trained(bench, train, settings, space)
    card = bench.card(
        ENCODER,
        ("model", "model"),
        version,
        PRODUCER,
        counted=(int(reader.items.present.sum()), len(bench.items)),
        inputs=("catalogue", "events", "item_vector"),
        space=space,
        note=f"learnt from {len(train):,} actions until {format_time(until)}",
    )
    with bench.models.writing(card) as directory:
        reader.save(directory)
        build_index(reader.items, seed=bench.settings.seed).save(directory / INDEX)
    return card


def _require_enough(train: Interactions, until: int) -> None:
    """Refuse to learn from too little.

    Raises:
        NotReadyError: there are too few actions, or they cover too few days.
    """
    why = too_small(train)
    days = (until - int(train.at.min())) / DAY_US if train.at is not None and len(train) else 0.0
    if why is None and days < LEAST_DAYS:
        why = f"actions cover {days:.0f} days until the last Monday; {LEAST_DAYS:.0f} are needed"
    if why is not None:
        raise NotReadyError(f"long-term vector: {why}")


def _fingerprint(train: Interactions, stated: str) -> str:
    """A hash of what an encoder is made of; who came after it was trained plays no part."""
    digest = hashlib.blake2b(stated.encode(), digest_size=8)
    digest.update("\n".join(train.item_ids.tolist()).encode())
    users = np.unique(train.users, return_inverse=True)[1].astype(np.int32)
    for column in (users, train.items, train.at, train.content):
        digest.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _trained(
    bench: Workbench, train: Interactions, settings: LongTermSettings, space: Space
) -> NextItemReader:
    """An encoder trained from nothing, or from where a killed build left it."""
    from bowerbird.training.long_term import fit_long_term  # loads torch

    assert train.at is not None  # the step applies where the log has times
    past = Behaviour.of(train.users, train.items, train.at, (train.users_total, train.items_total))
    checkpoint = bench.layout.cache / f"long-term-{space.version}.checkpoint"
    encoder = fit_long_term(
        past,
        bench.settings.seed,
        settings,
        bench.progress,
        content=train.content,
        checkpoint=checkpoint,
    )
    checkpoint.unlink()
    return exported(FittedSequence(encoder.model, settings.length), train, settings.heads, space)


def make_vectors(bench: Workbench, version: str) -> SignalCard:
    """Read everybody's history with the encoder; who did nothing since keeps their vector while the encoder is the same."""
    reader = NextItemReader.load(bench.models.directory(ENCODER))
    people, as_of = bench.people, bench.as_of
    histories = [bench.sequences.history(row, as_of) for row in range(len(people))]
    keys = [person_key(user_id, [one]) for user_id, one in zip(people.ids, histories, strict=True)]
    world = f"{REVISION} {reader.space.key} {bench.settings.sequence.fingerprint()}"
    kept = KeptPeople(bench, LONG_TERM, world, keys)
    matrix, present = kept.vectors(reader.space)

    def make(row: int, user_id: str) -> None:
        own = reader.question(histories[row], as_of)
        matrix[row], present[row] = own.matrix[0], own.present[0]

    each_person(bench, kept.redo, "long-term vectors", make)
    vectors = Vectors(reader.space, matrix, present)
    card = bench.card(
        LONG_TERM,
        ("user", "vector"),
        version,
        PRODUCER,
        counted=(int(present.sum()), len(people)),
        inputs=("events", ENCODER),
        space=reader.space,
    )
    bench.signals.put_vectors(card, people, vectors)
    kept.written(version)
    return card
