"""Build steps that make what requests search and score with: indexes and the ranker."""

from __future__ import annotations

from collections.abc import Callable

from bowerbird.records.signal import SignalCard
from bowerbird.retrieval.index import build_index
from bowerbird.retrieval.text_index import LexicalIndex
from bowerbird.workspace.content_steps import item_words
from bowerbird.workspace.loading import loaded_release
from bowerbird.workspace.plan import Step
from bowerbird.workspace.quality_steps import picture_texts
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

INDEXED = ("item_vector", "image_vector", "text_vector", "graph_vector")
"""Vector signals that requests search."""


def model_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps over signals, in order; the ranker last, because it reads what requests read."""
    seed = str(settings.seed)
    indexes = [Step(_index(name), (name,), 1, seed, _index_maker(name), _lacks(name)) for name in INDEXED]
    read = ("catalogue", "events", "item_vector", "near_duplicates", "item_interests", "cooccurrence")
    return [
        *indexes,
        Step("lexical", ("catalogue", "picture_text"), 1, "", make_lexical, lacks_text),
        Step("ranker", read, 3, f"{seed} {settings.ranker.kind}", make_ranker, lacks_impressions),
    ]


def _index(name: str) -> str:
    return name.replace("_vector", "_index")


def _lacks(name: str) -> Callable[[Workbench], str | None]:
    def lacks(bench: Workbench) -> str | None:
        return None if bench.has(name) else f"there is no {name}"

    return lacks


def _index_maker(name: str) -> Callable[[Workbench, str], SignalCard]:
    def make(bench: Workbench, version: str) -> SignalCard:
        vectors = bench.item_vectors(name)
        index = build_index(vectors, seed=bench.settings.seed)
        card = bench.card(
            _index(name),
            ("item", "model"),
            version,
            type(index).__name__,
            counted=(int(vectors.present.sum()), len(vectors)),
            inputs=(name,),
            space=vectors.space,
        )
        with bench.models.writing(card) as directory:
            index.save(directory)
        return card

    return make


def _searched(bench: Workbench) -> list[str]:
    """Each item's words, and then those in its picture."""
    pairs = zip(item_words(bench), picture_texts(bench), strict=True)
    return [" ".join(part for part in pair if part) for pair in pairs]


def lacks_text(bench: Workbench) -> str | None:
    """Why there is nothing to index; None when there is."""
    return None if any(_searched(bench)) else "no item has words"


def make_lexical(bench: Workbench, version: str) -> SignalCard:
    """Index the words of items, and those in their pictures."""
    texts = _searched(bench)
    index = LexicalIndex.build(texts)
    card = bench.card(
        "lexical",
        ("item", "model"),
        version,
        "BM25",
        counted=(sum(bool(text) for text in texts), len(texts)),
        inputs=("catalogue", "picture_text"),
    )
    with bench.models.writing(card) as directory:
        if index is not None:
            index.save(directory)
    return card


def lacks_impressions(bench: Workbench) -> str | None:
    """Impressions with and without a response are what a ranker learns from."""
    if not len(bench.events):
        return "no events were imported"
    if "impression" not in set(bench.events.table.column("action").unique().to_pylist()):
        return "events hold no impressions"
    return None


def make_ranker(bench: Workbench, version: str) -> SignalCard:
    """Train the multi-action ranker point-in-time on the log."""
    from bowerbird.training.ranker import train_ranker  # loads LightGBM: not for those who only ask

    checkpoint = bench.layout.cache / f"ranker-{version}.safetensors"
    trained = train_ranker(
        loaded_release(bench, with_ranker=False),
        bench.events,
        bench.settings.seed,
        bench.settings.ranker.kind,
        checkpoint=checkpoint,
        progress=bench.progress,
    )
    producers = {
        "trees": "boosted trees, calibrated per action",
        "neural": "crosses and a shared history, calibrated per action",
    }
    card = bench.card(
        "ranker",
        ("model", "model"),
        version,
        producers[trained.card.kind],
        counted=(1, 1),
        inputs=("events", "item_vector"),
        note=trained.note,
    )
    with bench.models.writing(card) as directory:
        trained.save(directory)
    checkpoint.unlink(missing_ok=True)
    return card
