"""From a request to a context: who asks, what they did, what they look for, all as of the request."""

from __future__ import annotations

from collections.abc import Mapping

from bowerbird.pipeline.refusals import refused_items, without_deleted
from bowerbird.pipeline.release import Release
from bowerbird.records.history import History
from bowerbird.records.request import Context, Interest, Request
from bowerbird.records.signal import Vectors
from bowerbird.users.long_term import decayed_mean


def understood(release: Release, request: Request) -> Context:
    """The context of a request.

    A user nobody has seen gets an empty history: sources that need one find nothing and the rest
    answer. An item nobody has seen is an error, because there is nothing to relate to.

    Raises:
        NotFoundError: the request names an item that is not in the catalogue.
        InputError: the request's picture cannot be read.
    """
    anchor = release.item_row(request.item_id) if request.item_id is not None else -1
    encoded = release.queries.encode(request.query, request.image, request.without)
    user_row = int(release.people.rows([request.user_id])[0]) if request.user_id is not None else -1
    return person_context(
        release, request, user_row, anchor_row=anchor, query_vectors=encoded, with_interests=True
    )


def person_context(
    release: Release,
    request: Request,
    user_row: int,
    *,
    anchor_row: int = -1,
    query_vectors: Mapping[str, Vectors] | None = None,
    with_interests: bool,
) -> Context:
    """The context of a person at the request's time; the same for training and serving.

    Args:
        release: what is read.
        request: who asks and when.
        user_row: -1 for nobody or somebody unknown.
        anchor_row: the item it is about; -1 for none.
        query_vectors: the encoded query.
        with_interests: whether to cluster the history; no ranker feature reads the clusters.
    """
    query_vectors = query_vectors or {}
    if user_row < 0:
        return Context(request, anchor_row=anchor_row, query_vectors=query_vectors)
    as_of, sequences = request.as_of, release.sequences
    history = sequences.history(user_row, as_of)
    refusals = release.preferences.of(request.user_id) if release.preferences is not None else ()
    refused = refused_items(release, history, refusals, as_of) if refusals else None
    history = without_deleted(release, history, refusals, as_of) if refusals else history
    return Context(
        request,
        user_row=user_row,
        anchor_row=anchor_row,
        history=history,
        interests=_interests(release, user_row, history, as_of) if with_interests else (),
        shown=sequences.shown(user_row, as_of),
        hidden=sequences.hidden(user_row, as_of),
        refused=refused,
        user_vectors=_vector(release, user_row, history, as_of)
        if with_interests
        else person_vector(release, history, as_of),
        query_vectors=query_vectors,
    )


def person_vector(release: Release, history: History, as_of: int) -> Vectors | None:
    """The decayed mean of a history in the fused space; None when there is no fused space."""
    items = release.vectors.get("item")
    return decayed_mean(history, items, as_of) if items is not None else None


def _vector(release: Release, user_row: int, history: History, as_of: int) -> Vectors | None:
    items = release.vectors.get("item")
    return release.memory.vector(user_row, history, items, as_of) if items is not None else None


def _interests(release: Release, user_row: int, history: History, as_of: int) -> tuple[Interest, ...]:
    items = release.vectors.get("item")
    return release.memory.interests(user_row, history, items, as_of) if items is not None else ()
