"""Build steps that read behaviour: neighbours by co-visitation, and signals about people."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pyarrow as pa

from bowerbird.content.interests import ItemInterests
from bowerbird.errors import NotReadyError
from bowerbird.records.event import ACTION_CODE
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.signals.sequences import vocabulary_rows
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interest_clusters import interest_clusters
from bowerbird.users.interests import Exposure, InterestSettings, interest_profile, node_popularity
from bowerbird.users.long_term import decayed_means
from bowerbird.users.returns import ReturnModel
from bowerbird.users.states import STATES, activity_states
from bowerbird.users.universal import UniversalSettings
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

NO_EVENTS = "no events were imported"


def people_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps over events, in order."""
    sequence = settings.sequence.fingerprint()
    return [
        Step("cooccurrence", ("catalogue", "events"), 1, sequence, make_cooccurrence, lacks_events),
        Step(
            "user_vector", ("events", "item_vector"), 1, sequence, make_user_vectors, lacks_events_or_vectors
        ),
        Step("user_clusters", ("events", "item_vector"), 1, sequence, make_clusters, lacks_events_or_vectors),
        Step(
            "user_interests",
            ("events", "item_interests"),
            1,
            sequence,
            make_interests,
            lacks_events_or_interests,
        ),
        Step("user_state", ("events",), 1, "", make_states, lacks_times),
        Step(
            "user_universal",
            ("catalogue", "events"),
            1,
            f"{sequence} {settings.seed} {UniversalSettings().fingerprint()}",
            make_universal,
            lacks_times_or_torch,
        ),
    ]


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
    return torch_missing() or lacks_times(bench)


def torch_missing() -> str | None:
    """Why nothing can be trained here; None when torch is installed."""
    found = importlib.util.find_spec("torch")
    return None if found is not None else "torch is not installed; install bowerbird[train]"


def make_cooccurrence(bench: Workbench, version: str) -> SignalCard:
    """Count what follows what in everybody's sequence."""
    track = bench.sequences.positives
    table = SequentialCooccurrence.fit(track.owners(), track.rows, items_total=len(bench.items))
    reached = int(np.count_nonzero(np.diff(table.table.indptr)))
    card = bench.card(
        "cooccurrence",
        ("item", "graph"),
        version,
        "sequential co-occurrence",
        counted=(reached, len(bench.items)),
        inputs=("catalogue", "events"),
        note=f"{table.table.nnz:,} pairs",
    )
    with bench.models.writing(card) as directory:
        table.save(directory / "cooccurrence.npz")
    return card


def make_user_vectors(bench: Workbench, version: str) -> SignalCard:
    """The decayed mean of each person's actions in the fused space."""
    vectors = decayed_means(bench.sequences, bench.item_vectors("item_vector"), bench.as_of)
    card = bench.card(
        "user_vector",
        ("user", "vector"),
        version,
        "decayed mean",
        counted=(int(vectors.present.sum()), len(bench.people)),
        inputs=("events", "item_vector"),
        space=vectors.space,
    )
    bench.signals.put_vectors(card, bench.people, vectors)
    return card


def make_clusters(bench: Workbench, version: str) -> SignalCard:
    """Ward clusters of each person's items: medoid, importance, members."""
    vectors, ids = bench.item_vectors("item_vector"), bench.items.vocabulary.ids
    columns: dict[str, list] = {name: [] for name in ("user_id", "place", "medoid", "importance", "members")}
    people_with = 0
    bench.progress.start("interest clusters", len(bench.people), "people")
    for row, user_id in enumerate(bench.people.ids):
        clusters = interest_clusters(bench.sequences.history(row, bench.as_of), vectors, bench.as_of)
        people_with += bool(clusters)
        for place, cluster in enumerate(clusters):
            columns["user_id"].append(user_id)
            columns["place"].append(place)
            columns["medoid"].append(ids[cluster.medoid])
            columns["importance"].append(cluster.importance)
            columns["members"].append([ids[member] for member in cluster.members])
        bench.progress.advance()
    bench.progress.finish()
    card = bench.card(
        "user_clusters",
        ("user", "group"),
        version,
        "Ward clusters with medoids",
        counted=(people_with, len(bench.people)),
        inputs=("events", "item_vector"),
        note=f"{len(columns['user_id']) / max(people_with, 1):.1f} interests each",
    )
    bench.signals.put_table(card, pa.table(columns, schema=CLUSTERS))
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
    """Readable interests of each person, every one with the events it rests on."""
    labels: Any = ItemInterests.from_table(
        bench.signals.table("item_interests")
    )  # an ItemLabels by cached_property
    settings = InterestSettings()
    popularity = node_popularity(bench.sequences, labels, bench.as_of, settings)
    ids, sequences = bench.items.vocabulary.ids, bench.sequences
    columns: dict[str, list] = {name: [] for name in INTERESTS.names}
    people_with = 0
    bench.progress.start("interests of people", len(bench.people), "people")
    for row, user_id in enumerate(bench.people.ids):
        exposure = Exposure.of(sequences, row, bench.as_of, settings)
        history = sequences.history(row, bench.as_of)
        profile = interest_profile(history, labels, bench.as_of, popularity, exposure, settings=settings)
        people_with += bool(profile)
        for one in profile:
            columns["user_id"].append(user_id)
            columns["interest"].append(one.node)
            columns["weight"].append(one.weight)
            columns["lift"].append(one.lift)
            columns["evidence_items"].append([ids[item] for item in one.evidence.rows])
            columns["evidence_at"].append(one.evidence.at.tolist())
        bench.progress.advance()
    bench.progress.finish()
    card = bench.card(
        "user_interests",
        ("user", "label"),
        version,
        "decayed roll-up with evidence",
        counted=(people_with, len(bench.people)),
        inputs=("events", "item_interests"),
        note=f"{len(columns['user_id']) / max(people_with, 1):.1f} interests each",
    )
    bench.signals.put_table(card, pa.table(columns, schema=INTERESTS))
    return card


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
