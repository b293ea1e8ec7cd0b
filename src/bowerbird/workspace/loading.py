"""Loading a release: what the live build left, aligned to the live catalogue."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int32, Int64

from bowerbird.clock import HOUR_US
from bowerbird.content.eligibility import Eligibility
from bowerbird.content.interests import ItemInterests
from bowerbird.errors import NotReadyError, StorageError
from bowerbird.pipeline.queries import QueryEncoder
from bowerbird.pipeline.release import Release
from bowerbird.ranking.card import RankerCard
from bowerbird.ranking.neural import NeuralScorer
from bowerbird.ranking.scorer import Scorer
from bowerbird.ranking.trees import TreeScorer
from bowerbird.records.signal import SignalCard, Vectors
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.retrieval.index import load_index
from bowerbird.retrieval.long_term import LongTermHoldings
from bowerbird.retrieval.next_item import INDEX, NextItemHoldings
from bowerbird.retrieval.text_index import LexicalIndex
from bowerbird.signals.online_counts import OnlineCounts
from bowerbird.stores.mapped_vectors import mapped_vectors
from bowerbird.stores.preferences import Preferences
from bowerbird.workspace.audience_steps import loaded_audiences
from bowerbird.workspace.content_steps import live_encoder
from bowerbird.workspace.looks_steps import loaded_looks
from bowerbird.workspace.space_steps import loaded_space, tuned_for
from bowerbird.workspace.workbench import Workbench

LEAST_COLOUR = 0.2
"""Share of the subject a colour covers where a search for it finds the item."""
SPACES = {"item": "item_vector", "image": "image_vector", "text": "text_vector", "graph": "graph_vector"}
"""Space name to the signal that holds items' vectors of it."""


def loaded_release(bench: Workbench, *, with_ranker: bool = True, shared: bool = False) -> Release:
    """Everything the live build left, read whole.

    Args:
        bench: the workspace's stores.
        with_ranker: False while the ranker itself is being trained.
        shared: several processes of this machine load it: large vectors are mapped from one file.

    Raises:
        NotReadyError: nothing was built yet, or items were imported since.
    """
    require_built(bench)
    cards = _cards(bench)
    live = {space: name for space, name in SPACES.items() if name in cards}
    vectors = {
        space: _mapped(bench, cards[name]) if shared else bench.item_vectors(name)
        for space, name in live.items()
    }
    release = Release(
        version=release_version(cards),
        as_of=bench.as_of,
        items=bench.items,
        people=bench.people,
        sequences=bench.sequences,
        counts=OnlineCounts(bench.counts, bench.items.vocabulary, bench.as_of // HOUR_US),
        vectors=vectors,
        indexes={
            space: load_index(bench.models.directory(f"{space}_index"))
            for space in live
            if f"{space}_index" in cards
        },
        cooccurrence=_cooccurrence(bench),
        lexical=_lexical(bench),
        duplicate_of=bench.canonical_rows(),
        interests=_interests(bench),
        taxonomy=bench.taxonomy,
        eligibility=_eligibility(bench),
        facets=_facets(bench),
        queries=_queries(bench, vectors),
        looks=loaded_looks(bench, vectors.get("image")),
        next_item=_next_item(bench),
        long_term=_long_term(bench),
        campaigns={one.campaign_id: one for one in bench.catalogue.campaigns()},
        audiences=loaded_audiences(bench),
        messages=_messages(bench),
        logical_time=bench.log.logical_time,
        preferences=Preferences(bench.layout.preferences),
        lacks=_lacks(bench, cards),
    )
    if not with_ranker:
        return release
    _require_all_items(release)
    if "ranker" not in cards:
        return release
    try:
        return release.with_scorer(_scorer(bench, release))
    except (
        StorageError,
        NotReadyError,
    ) as error:  # a ranker that cannot be read must not take every surface with it
        return replace(release, lacks={**release.lacks, "ranker": str(error)})


def _mapped(bench: Workbench, card: SignalCard) -> Vectors:
    ids = bench.items.vocabulary
    return mapped_vectors(bench.layout, card, ids, lambda: bench.item_vectors(card.name))


def require_built(bench: Workbench) -> None:
    """Refuse a workspace that has no live build.

    Raises:
        NotReadyError: nothing was built yet.
    """
    if not _cards(bench):
        raise NotReadyError(
            f"{bench.layout.root}: nothing is built yet; run `bowerbird build -w {bench.layout.root}`"
        )


def _require_all_items(release: Release) -> None:
    """Refuse what was built over fewer items than the catalogue has: its rows would not line up.

    Raises:
        NotReadyError: items were imported after the build.
    """
    sizes = {f"{space}_index": len(index) for space, index in release.indexes.items()}
    if release.cooccurrence is not None:
        sizes["cooccurrence"] = release.cooccurrence.items
    if release.next_item is not None:
        sizes["next_item"] = len(release.next_item.index)
    if release.lexical is not None:
        sizes["lexical"] = len(release.lexical)
    if release.interests is not None:
        sizes["item_interests"] = release.interests.items
    for name, size in sizes.items():
        if size != len(release.items):
            raise NotReadyError(
                f"{name} covers {size:,} items, the catalogue has {len(release.items):,}; run `bowerbird build`"
            )


def _cards(bench: Workbench) -> dict[str, SignalCard]:
    """Everything that is live, by name."""
    return {card.name: card for card in (*bench.signals.cards(), *bench.models.cards())}


def release_version(cards: dict[str, SignalCard]) -> str:
    """The fingerprint of everything that is live together."""
    parts = sorted(f"{name}={card.version}" for name, card in cards.items())
    return hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()


def _cooccurrence(bench: Workbench) -> SequentialCooccurrence | None:
    if bench.models.card("cooccurrence") is None:
        return None
    return SequentialCooccurrence.load(bench.models.directory("cooccurrence") / "cooccurrence.npz")


def _next_item(bench: Workbench) -> NextItemHoldings | None:
    if bench.models.card("next_item") is None:
        return None
    return NextItemHoldings.load(bench.models.directory("next_item"))


def _long_term(bench: Workbench) -> LongTermHoldings | None:
    """None where one of both is not built, and where they are of two builds, so that spaces never meet.

    Nor where the encoder is of another catalogue: a build that could not train it again leaves the one before.
    """
    encoder, people = bench.models.card("long_term_encoder"), bench.signals.card("user_long_term")
    if encoder is None or people is None or encoder.space != people.space:
        return None
    index = load_index(bench.models.directory("long_term_encoder") / INDEX)
    if len(index) != len(bench.items):
        return None
    return LongTermHoldings(bench.signals.vectors("user_long_term", bench.people), index, people.as_of)


def _lexical(bench: Workbench) -> LexicalIndex | None:
    card = bench.models.card("lexical")
    return LexicalIndex.load(bench.models.directory("lexical")) if card is not None and card.rows else None


def _eligibility(bench: Workbench) -> Eligibility | None:
    if bench.signals.card("eligibility") is None:
        return None
    row_of = {name: row for row, name in enumerate(bench.items.vocabulary.ids)}
    return Eligibility.from_table(bench.signals.table("eligibility"), row_of, len(row_of))


def _facets(bench: Workbench) -> dict[str, dict[str, Int32[np.ndarray, "holder"]]]:
    """What a search may ask for: colours that cover enough of the subject, and languages told for sure."""
    found: dict[str, dict[str, Int32[np.ndarray, "holder"]]] = {}
    for name, kept in (("colours", _plain_colours), ("language", _sure)):
        if bench.signals.card(name) is not None:
            rows_of: dict[str, set[int]] = {}
            for item, value in kept(bench.signals.table(name)):
                rows_of.setdefault(value, set()).add(bench.items.vocabulary.row(item))
            found["colour" if name == "colours" else name] = {
                value: np.array(sorted(rows), dtype=np.int32) for value, rows in rows_of.items()
            }
    return found


def _plain_colours(table: pa.Table) -> Iterator[tuple[str, str]]:
    """Item and colour, where it covers a fifth of the subject; a picture that is all background is its subject."""
    lines = table.select(["item_id", "value", "shade", "share", "background"]).to_pylist()
    for item, own in itertools.groupby(lines, key=lambda line: line["item_id"]):
        seen = list(own)
        subject = [line for line in seen if not line["background"]] or seen
        whole, shares = sum(line["share"] for line in subject), Counter[str]()
        for line in subject:
            for colour in {line["value"], line["shade"]}:
                shares[colour] += line["share"] / whole
        yield from ((item, colour) for colour, share in shares.items() if share >= LEAST_COLOUR)


def _sure(table: pa.Table) -> Iterator[tuple[str, str]]:
    lines = zip(*(table.column(name).to_pylist() for name in ("item_id", "value", "abstained")), strict=True)
    yield from ((item, value) for item, value, abstained in lines if not abstained)


def _interests(bench: Workbench) -> ItemInterests | None:
    if bench.signals.card("item_interests") is None:
        return None
    return ItemInterests.from_table(bench.signals.table("item_interests"))


def _queries(bench: Workbench, vectors: dict[str, Vectors]) -> QueryEncoder:
    """Encoders of the live build; a query must live where the items live."""
    image = live_encoder(bench, "image_vector") if "image" in vectors else None
    text = live_encoder(bench, "text_vector") if "text" in vectors else None
    for space, encoder in (("image", image), ("text", text)):
        if encoder is not None:
            vectors[space].space.require(encoder.space, f"{space} queries")
    space = loaded_space(bench, vectors.get("item"))
    tuned = tuned_for(bench, space)
    if tuned is None:
        return QueryEncoder(image, text, space)
    return QueryEncoder(image, text, space, tuned.image, tuned.text)


def _messages(bench: Workbench) -> tuple[Int32[np.ndarray, "message"], Int64[np.ndarray, "message"]]:
    """Who was sent a notification, and when."""
    table = bench.events.table
    sent = pc.and_(
        pc.equal(table.column("surface"), "growth"), pc.equal(table.column("action"), "impression")
    )
    kept = table.filter(pc.fill_null(sent, False))
    return bench.people.rows(kept.column("user_id").to_pylist()), kept.column("at").to_numpy()


def _scorer(bench: Workbench, release: Release) -> Scorer:
    directory = bench.models.directory("ranker")
    kind = RankerCard.load(directory).kind
    return _SCORERS[kind](directory, release)  # pyright: ignore[reportArgumentType] - cached_property


_SCORERS = {"trees": TreeScorer.load, "neural": NeuralScorer.load}


def _lacks(bench: Workbench, cards: dict[str, SignalCard]) -> dict[str, str]:
    lacks = {}
    searched = {name.replace("_vector", "_index") for name in SPACES.values() if name in cards} | {"lexical"}
    if absent := sorted(searched - cards.keys()):
        lacks["search"] = (
            f"{', '.join(absent)} not built yet, so little or nothing is found; run `bowerbird build`"
        )
    if not len(bench.events):
        lacks["behaviour"] = "no events were imported, so nothing follows what people do"
    elif bench.log.logical_time:
        lacks["times"] = "events have an order but no times, so nothing is fresh and trending means popular"
    return lacks
