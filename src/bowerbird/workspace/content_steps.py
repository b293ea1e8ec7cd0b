"""Build steps that read content: vectors of pictures and words, and what is read off them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from bowerbird.content.encoder import ContentEncoder, load_encoder
from bowerbird.content.precision import PrecisionCheck
from bowerbird.errors import NotReadyError
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.stores.atomic import storage_errors
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.workspace.engines import running_encoder
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

ENCODER_THREADS = 2
"""Workers that encode side by side; each runs the network on one thread."""
KEEP_EVERY = 128
"""Encoded inputs between writes to the cache: what a kill can cost."""
HASH_SPACE = Space("picture_hash", "1", 80, "dot")
"""Perceptual hashes in the cache of vectors: ten 64-bit words as eighty bytes."""


def length_space(space: Space) -> Space:
    """Where the lengths of an encoder's features are cached, a number each; needed for its class logits."""
    return Space(f"{space.name}_length", space.version, 1, "dot")


def encoding_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps that turn pictures and words into vectors."""
    image, text = settings.content.image_encoder, settings.content.text_encoder
    return [
        Step("image_vector", ("catalogue",), 2, image, make_image_vectors, lacks_pictures),
        Step("text_vector", ("catalogue",), 1, text, make_text_vectors, lacks_words),
    ]


def live_encoder(bench: Workbench, signal: str) -> ContentEncoder:
    """The encoder a live vector signal was made by, whatever the settings name for the next build.

    Raises:
        NotFoundError: no installed package offers it any more.
        NotReadyError: the signal is not built.
    """
    card = bench.live_card(signal)
    if card is None:
        raise NotReadyError(f"{signal} is not built; run `bowerbird build {signal}`")
    return load_encoder(card.producer, bench.layout.cache)


def lacks_pictures(bench: Workbench) -> str | None:
    """Why pictures cannot be read here; None when they can."""
    return None if any(bench.items.column("image")) else "no item has a picture"


def lacks_words(bench: Workbench) -> str | None:
    """Why words cannot be read here; None when they can."""
    return None if any(item_words(bench)) else "no item has words"


def item_words(bench: Workbench) -> list[str]:
    """Each item's words, as the text encoder and the text index read them."""
    table = bench.items.table
    columns = [table.column(name).to_pylist() for name in ("title", "description", "brand", "category")]
    texts = []
    for title, description, brand, category in zip(*columns, strict=True):
        path = (category or "").replace("/", " ").replace("-", " ").replace("_", " ")
        texts.append(" ".join(part for part in (title, description, brand, path) if part))
    return texts


def _encoded(
    bench: Workbench,
    encoder: ContentEncoder,
    names: Sequence[str],
    inputs: Iterator[bytes] | Iterator[str],
    task: str,
) -> dict[str, str]:
    """Encode inputs into the cache; the reason per name of those that could not be.

    What is cached is never encoded again, and every few inputs are written, so a killed build
    carries on where it was.
    """
    cache = VectorCache(bench.layout, encoder.space)
    beside: dict[Space, VectorCache] = {}
    failed: dict[str, str] = {}
    waiting: list[tuple[list[str], np.ndarray, dict[Space, np.ndarray]]] = []

    def write() -> None:
        if waiting:
            kept = [name for part in waiting for name in part[0]]
            for space in waiting[0][2]:
                if space not in beside:
                    beside[space] = VectorCache(bench.layout, space)
                beside[space].append(kept, np.concatenate([part[2][space] for part in waiting]))
            # last: what has a vector is never encoded again, so a kill in between must leave none
            cache.append(kept, np.concatenate([part[1] for part in waiting]))
            waiting.clear()

    bench.progress.start(task, len(names))
    for chunk in encoder.encode_chunks(inputs):
        here = names[chunk.start : chunk.start + len(chunk.vectors)]
        present = chunk.vectors.present
        failed.update({names[failure.position]: failure.reason for failure in chunk.failures})
        kept = [name for name, there in zip(here, present, strict=True) if there]
        also: dict[Space, np.ndarray] = {}
        if chunk.hashes is not None:
            also[HASH_SPACE] = _as_bytes(chunk.hashes.words()[present])
        if chunk.lengths is not None:
            also[length_space(encoder.space)] = chunk.lengths[present][:, None]
        waiting.append((kept, chunk.vectors.matrix[present], also))
        bench.progress.advance(len(here))
        if sum(len(part[0]) for part in waiting) >= KEEP_EVERY:
            write()
    write()
    bench.progress.finish()
    return failed


def _as_bytes(words: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(words).view(np.uint8).astype(np.float32)


def encoded_pictures(bench: Workbench, encoder: ContentEncoder) -> tuple[Vectors, int, dict[str, str]]:
    """A vector for each item's picture, absent where there is none; how many were not in the cache; and what failed, why."""
    names = bench.items.column("image")
    cache = VectorCache(bench.layout, encoder.space)
    missing = cache.missing(sorted({name for name in names if name}))
    failed = _encoded(bench, encoder, missing, (bench.media.get(name) for name in missing), "encode pictures")
    return cache.get([name or "" for name in names]), len(missing), failed


def make_image_vectors(bench: Workbench, version: str) -> SignalCard:
    """Encode every picture not seen before."""
    content = bench.settings.content
    encoder = running_encoder(content.image_encoder, bench.layout.cache, ENCODER_THREADS, content.engine)
    vectors, new, failed = encoded_pictures(bench, encoder)
    note = f"{new - len(failed):,} encoded"
    note += f", {len(failed)} pictures could not be read" if failed else ""
    note += _precision_note(encoder)
    _report_failures(bench, failed)
    card = bench.card(
        "image_vector",
        ("item", "vector"),
        version,
        bench.settings.content.image_encoder,
        counted=(int(vectors.present.sum()), len(bench.items)),
        inputs=("catalogue",),
        space=encoder.space,
        note=note,
    )
    bench.signals.put_vectors(card, bench.items.vocabulary, vectors)
    return card


def _precision_note(encoder: ContentEncoder) -> str:
    """How close int8 is to float, where an encoder runs in int8 or was asked to."""
    check = getattr(encoder, "check", None)
    return f"; {check.told()}" if isinstance(check, PrecisionCheck) else ""


def _report_failures(bench: Workbench, failed: dict[str, str]) -> None:
    """Keep which items' pictures could not be read, and why."""
    if not failed:
        return
    items = zip(bench.items.vocabulary.ids, bench.items.column("image"), strict=True)
    path = bench.layout.reports / "unreadable-pictures.csv"
    with storage_errors(path, "write"), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "reason"])
        writer.writerows([item_id, failed[name]] for item_id, name in items if name in failed)


def text_key(text: str) -> str:
    """What a text's vector is cached under."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def encoded_texts(
    bench: Workbench, texts: Sequence[str | None], task: str, encoder: ContentEncoder | None = None
) -> tuple[Vectors, int]:
    """A text vector for each text, absent where there is none; and how many were not in the cache.

    Args:
        bench: the workspace's stores.
        texts: what is encoded.
        task: what progress calls it.
        encoder: the one of the settings when None.
    """
    if encoder is None:
        encoder = load_encoder(bench.settings.content.text_encoder, bench.layout.cache, ENCODER_THREADS)
    names = [text_key(text) if text else "" for text in texts]
    text_of = dict(zip(names, texts, strict=True))
    cache = VectorCache(bench.layout, encoder.space)
    missing = cache.missing(sorted({name for name in names if name}))
    if missing:
        _encoded(bench, encoder, missing, (text_of[name] or "" for name in missing), task)
    return cache.get(names), len(missing)


def make_text_vectors(bench: Workbench, version: str) -> SignalCard:
    """Encode every text not seen before."""
    vectors, new = encoded_texts(bench, item_words(bench), "encode texts")
    card = bench.card(
        "text_vector",
        ("item", "vector"),
        version,
        bench.settings.content.text_encoder,
        counted=(int(vectors.present.sum()), len(bench.items)),
        inputs=("catalogue",),
        space=vectors.space,
        note=f"{new:,} encoded",
    )
    bench.signals.put_vectors(card, bench.items.vocabulary, vectors)
    return card
