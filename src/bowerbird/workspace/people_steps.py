"""Build steps that read behaviour: neighbours by co-visitation, and signals about people."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.content.interests import ItemInterests
from bowerbird.errors import NotReadyError
from bowerbird.extras import lacks
from bowerbird.records.event import ACTION_CODE
from bowerbird.records.history import History
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.retrieval.cooccurrence import CooccurrenceSettings, SequentialCooccurrence
from bowerbird.signals.joined import JoinedItems
from bowerbird.signals.sequences import vocabulary_rows
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interest_clusters import ClusterSettings, interest_clusters
from bowerbird.users.interests import (
    Exposure,
    InterestSettings,
    interest_profile,
    last_visit,
    node_popularity,
    popularity_moment,
)
from bowerbird.users.long_term import track_means
from bowerbird.users.returns import ReturnModel, ReturnSettings
from bowerbird.users.states import STATES, activity_states
from bowerbird.users.universal import UniversalSettings
from bowerbird.workspace.kept_people import KeptPeople, each_person, person_key
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

NO_EVENTS = "no events were imported"
REVISIONS = {"user_vector": 1, "user_clusters": 1, "user_interests": 2}
"""Raised by hand when the code changes what it makes of a person: the step runs again, and for everybody."""


def people_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps over events, in order."""
    sequence = settings.sequence.fingerprint()
    pairs = f"{sequence} {CooccurrenceSettings().fingerprint()}"
    universal = f"{sequence} {settings.seed} {UniversalSettings().fingerprint()}"
    names = ("user_vector", "user_clusters", "user_interests")
    vector, clusters, interests = (_made_by(settings, name) for name in names)
    together, on_vectors = ("catalogue", "events", "near_duplicates"), ("events", "item_vector")
    on_interests, returns = ("events", "item_interests"), ReturnSettings().fingerprint()
    return [
        Step("cooccurrence", together, 2, pairs, make_cooccurrence, lacks_events),
        Step("user_vector", on_vectors, *vector, make_user_vectors, lacks_events_or_vectors),
        Step("user_clusters", on_vectors, *clusters, make_clusters, lacks_events_or_vectors),
        Step("user_interests", on_interests, *interests, make_interests, lacks_events_or_interests),
        Step("user_state", ("events",), 2, returns, make_states, lacks_times),
        Step("user_universal", ("catalogue", "events"), 1, universal, make_universal, lacks_times_or_torch),
    ]


def _made_by(settings: WorkspaceSettings, name: str) -> tuple[int, str]:
    """The revision of a signal's code and its dials: of the step, and of what it keeps of people."""
    dials = {"user_clusters": ClusterSettings(), "user_interests": InterestSettings()}.get(name)
    own = f" {dials.fingerprint()}" if dials is not None else ""
    return REVISIONS[name], settings.sequence.fingerprint() + own


def _world(bench: Workbench, name: str, read: str) -> str:
    """What everybody's value of a signal depends on: how it is made, and the signal of items it reads."""
    card = bench.signals.card(read)
    assert card is not None  # the step applies
    return f"{_made_by(bench.settings, name)} {card.version}"


def lacks_events(bench: Workbench) -> str | None:
    """Why nothing can be learnt from behaviour here; None when it can."""
    return None if len(bench.events) else NO_EVENTS


def lacks_events_or_vectors(bench: Workbench) -> str | None:
    """Events and item vectors are both needed."""
    return lacks_events(bench) or (None if bench.has("item_vector") else "no item has a vector")


def lacks_events_or_interests(bench: Workbench) -> str | None:
    """Events and item interests are both needed."""
    return lacks_events(bench) or (None if bench.has("item_interests") else "no item has a category")


def lacks_times(bench: Workbench) -> str | None:
    """Events with real times are needed."""
    if bench.log.logical_time:
        return "events have an order but no times"
    return lacks_events(bench)


def lacks_times_or_torch(bench: Workbench) -> str | None:
    """What is learnt of the days after needs times, and torch to learn it."""
    return lacks("torch", "train") or lacks_times(bench)


def make_cooccurrence(bench: Workbench, version: str) -> SignalCard:
    """Count what follows what in everybody's sequence; what followed a copy followed its original."""
    track, joined = bench.sequences.positives, JoinedItems(bench.canonical_rows())
    fitted = SequentialCooccurrence.fit(
        track.owners(), joined.canonical[track.rows], items_total=len(bench.items)
    )
    table = SequentialCooccurrence(joined.table(fitted.table), fitted.settings)
    reached = int(np.count_nonzero(np.diff(table.table.indptr)))
    card = bench.card(
        "cooccurrence",
        ("item", "graph"),
        version,
        "sequential co-occurrence",
        counted=(reached, len(bench.items)),
        inputs=("catalogue", "events", "near_duplicates"),
        note=f"{table.table.nnz:,} pairs",
    )
    with bench.models.writing(card) as directory:
        table.save(directory / "cooccurrence.npz")
    return card


def make_user_vectors(bench: Workbench, version: str) -> SignalCard:
    """The decayed mean of each person's actions in the fused space."""
    items, track = bench.item_vectors("item_vector"), bench.sequences.histories(bench.as_of)
    histories = [bench.sequences.history(row, bench.as_of) for row in range(len(bench.people))]
    keys = [person_key(user_id, [one]) for user_id, one in zip(bench.people.ids, histories, strict=True)]
    kept = KeptPeople(bench, "user_vector", _world(bench, "user_vector", "item_vector"), keys)
    made = track_means(track.of_many(np.flatnonzero(kept.redo)), items)
    matrix, present = kept.vectors(items.space)
    matrix[kept.redo], present[kept.redo] = made.matrix, made.present
    vectors = Vectors(items.space, matrix, present)
    card = bench.card(
        "user_vector",
        ("user", "vector"),
        version,
        "decayed mean",
        counted=(int(present.sum()), len(keys)),
        inputs=("events", "item_vector"),
        space=vectors.space,
    )
    bench.signals.put_vectors(card, bench.people, vectors)
    kept.written(version)
    return card


def make_clusters(bench: Workbench, version: str) -> SignalCard:
    """Ward clusters of each person's items: medoid, importance, members."""
    vectors, ids = bench.item_vectors("item_vector"), bench.items.vocabulary.ids
    columns: dict[str, list] = {name: [] for name in CLUSTERS.names}
    histories = [bench.sequences.history(row, bench.as_of) for row in range(len(bench.people))]
    keys = [person_key(user_id, [one]) for user_id, one in zip(bench.people.ids, histories, strict=True)]
    kept = KeptPeople(bench, "user_clusters", _world(bench, "user_clusters", "item_vector"), keys)

    def make(row: int, user_id: str) -> None:
        for place, cluster in enumerate(interest_clusters(histories[row], vectors, bench.as_of)):
            columns["user_id"].append(user_id)
            columns["place"].append(place)
            columns["medoid"].append(ids[cluster.medoid])
            columns["importance"].append(cluster.importance)
            columns["members"].append([ids[member] for member in cluster.members])

    each_person(bench, kept.redo, "interest clusters", make)
    table = kept.table(pa.table(columns, schema=CLUSTERS))
    return _put(bench, kept, table, ("user_clusters", "group"), version, "Ward clusters with medoids")


def _put(
    bench: Workbench,
    kept: KeptPeople,
    table: pa.Table,
    what: tuple[str, Literal["group", "label"]],
    version: str,
    producer: str,
) -> SignalCard:
    """Store a table with several rows a person, and note whom it holds as of now."""
    name, kind = what
    people_with = len(pc.unique(table.column("user_id")))
    read = {"user_clusters": "item_vector", "user_interests": "item_interests"}
    card = bench.card(
        name,
        ("user", kind),
        version,
        producer,
        counted=(people_with, len(bench.people)),
        inputs=("events", read[name]),
        note=f"{len(table) / max(people_with, 1):.1f} interests each",
    )
    bench.signals.put_table(card, table)
    kept.written(version)
    return card


CLUSTERS = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("place", pa.int32()),
        pa.field("medoid", pa.string()),
        pa.field("importance", pa.float32()),
        pa.field("members", pa.list_(pa.string())),
    ]
)

INTERESTS = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("interest", pa.string()),
        pa.field("weight", pa.float32()),
        pa.field("lift", pa.float32()),
        pa.field("evidence_items", pa.list_(pa.string())),
        pa.field("evidence_at", pa.list_(pa.int64())),
    ]
)


def make_interests(bench: Workbench, version: str) -> SignalCard:
    """Readable interests of each person as of their last visit, every one with the events it rests on."""
    labels: Any = ItemInterests.from_table(
        bench.signals.table("item_interests")
    )  # an ItemLabels by cached_property
    settings, sequences = InterestSettings(), bench.sequences
    popularity = node_popularity(sequences, labels, popularity_moment(sequences, bench.as_of), settings)
    ids, columns = bench.items.vocabulary.ids, {name: [] for name in INTERESTS.names}
    read_at = [last_visit(sequences.times(row, bench.as_of), bench.as_of) for row in range(len(bench.people))]

    def read(row: int) -> tuple[History, Exposure]:
        at = read_at[row]
        return sequences.history(row, at), Exposure.of(sequences, row, at, settings)

    def key(row: int, user_id: str) -> int:
        history, exposure = read(row)
        return person_key(
            f"{user_id} {read_at[row]}", [history, exposure.impressions, exposure.answers, exposure.hides]
        )

    shared = hashlib.blake2b(popularity.tobytes(), digest_size=8).hexdigest()
    world = f"{_world(bench, 'user_interests', 'item_interests')} {shared}"
    keys = [key(row, user_id) for row, user_id in enumerate(bench.people.ids)]
    kept = KeptPeople(bench, "user_interests", world, keys)

    def make(row: int, user_id: str) -> None:
        history, exposure = read(row)
        for one in interest_profile(history, labels, read_at[row], popularity, exposure, settings=settings):
            columns["user_id"].append(user_id)
            columns["interest"].append(one.node)
            columns["weight"].append(one.weight)
            columns["lift"].append(one.lift)
            columns["evidence_items"].append([ids[item] for item in one.evidence.rows])
            columns["evidence_at"].append(one.evidence.at.tolist())

    each_person(bench, kept.redo, "interests of people", make)
    table = kept.table(pa.table(columns, schema=INTERESTS))
    return _put(bench, kept, table, ("user_interests", "label"), version, "decayed roll-up with evidence")


def make_states(bench: Workbench, version: str) -> SignalCard:
    """Each person's activity state and the probability of coming back within seven days."""
    states = activity_states(bench.sequences, bench.as_of)
    try:
        model = ReturnModel.fitted(bench.sequences, bench.as_of)
    except NotReadyError as error:
        p_return: list[float | None] = [None] * len(bench.people)
        note = f"no return probability: {error}"
    else:
        p_return = model.probabilities(bench.sequences, bench.as_of).tolist()
        note = f"return AUC {model.auc:.3f} on the newest week"
    names = [STATES[code] if code >= 0 else None for code in states.tolist()]
    card = bench.card(
        "user_state",
        ("user", "label"),
        version,
        "active days; logistic return model",
        counted=(int((states >= 0).sum()), len(bench.people)),
        inputs=("events",),
        note=note,
    )
    table = pa.table(
        {
            "user_id": pa.array(bench.people.ids, pa.string()),
            "state": pa.array(names, pa.string()),
            "p_return": pa.array(p_return, pa.float32()),
        }
    )
    bench.signals.put_table(card, table)
    return card


def make_universal(bench: Workbench, version: str) -> SignalCard:
    """One vector per person for any task: counts, history and what a network expects of the weeks to come."""
    from bowerbird.training.universal import fit_universal  # loads torch

    behaviour = behaviour_of(bench)
    encoder = fit_universal(behaviour, bench.as_of, bench.settings.seed)
    matrix = encoder.vectors(behaviour, bench.as_of).astype(np.float32)
    space = Space("user_universal", version, matrix.shape[1], "dot")
    vectors = Vectors(space, matrix, behaviour.before(bench.as_of).counts() > 0)
    card = bench.card(
        "user_universal",
        ("user", "vector"),
        version,
        "counts, history, futures",
        counted=(int(vectors.present.sum()), len(bench.people)),
        inputs=("catalogue", "events"),
        space=space,
    )
    bench.signals.put_vectors(card, bench.people, vectors)
    return card


def behaviour_of(bench: Workbench) -> Behaviour:
    """Everybody's positive actions, with what they paid for purchases and the category of each item."""
    table = bench.events.table
    actions = bench.events.action_codes
    liked = np.isin(actions, bench.settings.sequence.codes)
    users = vocabulary_rows(table.column("user_id"), bench.people)
    items = vocabulary_rows(table.column("item_id"), bench.items.vocabulary)
    kept = liked & (users >= 0) & (items >= 0)
    bought = actions == ACTION_CODE["purchase"]
    price = bench.items.table.column("price").to_numpy().astype(np.float64)
    value = table.column("value").to_numpy().astype(np.float64)
    money = np.where(np.isnan(value), price[items], value) if len(price) else value
    paths = bench.items.column("category")
    names = sorted({path for path in paths if path})
    code = {path: number for number, path in enumerate(names)}
    kinds = np.array([code.get(path, -1) for path in paths], dtype=np.int32) if names else None
    return Behaviour.of(
        users[kept],
        items[kept],
        bench.events.at[kept],
        (len(bench.people), len(bench.items)),
        np.where(bought, money, 0.0)[kept] if bought.any() else None,
        kinds,
    )
