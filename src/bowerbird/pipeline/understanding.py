"""From a request to a context: who asks, what they did, what they look for, all as of the request."""

from __future__ import annotations

from bowerbird.pipeline.release import Release
from bowerbird.records.history import History
from bowerbird.records.request import Context, Interest, Request
from bowerbird.records.signal import Vectors
from bowerbird.users.interest_clusters import interest_clusters
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
    encoded = release.queries.encode(request.query, request.image)
    user_row = release.people.rows([request.user_id])[0] if request.user_id is not None else -1
    if user_row < 0:
        return Context(request, anchor_row=anchor, query_vectors=encoded)
    as_of = request.as_of
    history = release.sequences.history(int(user_row), as_of)
    return Context(
        request,
        user_row=int(user_row),
        anchor_row=anchor,
        history=history,
        interests=_interests(release, history, as_of),
        shown=release.sequences.shown(int(user_row), as_of),
        hidden=release.sequences.hidden(int(user_row), as_of),
        user_vectors=person_vector(release, history, as_of),
        query_vectors=encoded,
    )


def person_vector(release: Release, history: History, as_of: int) -> Vectors | None:
    """The decayed mean of a history in the fused space; None when there is no fused space."""
    items = release.vectors.get("item")
    return decayed_mean(history, items, as_of) if items is not None else None


def _interests(release: Release, history: History, as_of: int) -> tuple[Interest, ...]:
    items = release.vectors.get("item")
    return interest_clusters(history, items, as_of) if items is not None else ()
