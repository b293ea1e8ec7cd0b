"""The build step that tunes the last layers of the built-in encoders to this catalogue, and the encoders it leaves.

Tuned encoders serve the space of items only: near-duplicates, interests by sight and the text index keep reading the
encoders as they come. The step runs again when the catalogue has doubled or an item was forgotten, not with each import: a
few new items change the encoders little, and every vector of another version has to be made anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int64, UInt8

from bowerbird.arrays import normalise
from bowerbird.content.efficientnet_lite import LITE0_VARIANT, LITE2_VARIANT, LiteVariant
from bowerbird.content.encoder import ContentEncoder, chunks, side_by_side
from bowerbird.content.encoder_tops import EncoderTops, PicturePlaces, TextTokens
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.isolation import IsolatedDecoding
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.precision import checked_precision
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unified import TowerInput
from bowerbird.errors import InputError, NotReadyError
from bowerbird.extras import installed
from bowerbird.randomness import generator
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.workspace.content_steps import ENCODER_THREADS, encoded_texts, item_words
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["TunedEncoders", "lacks_tuning", "tuned_encoders", "tuning_steps"]

TUNABLE: Mapping[str, LiteVariant] = {one.name: one for one in (LITE0_VARIANT, LITE2_VARIANT)}
TEXT_ENCODER = "minilm-l6"
LEAST_TUNED = {"auto": 3000, "on": 200}
"""Items with a picture and words from which encoders are tuned; with 1,500 nothing was gained (docs/log.md)."""
MOST_TUNED = 8000
"""Items tuned on, drawn from all: their places below the cut take 33 kB each."""
TRAINING_SHARE = 0.15
"""What a picture costs in one pass of the training, as a share of what running it to the cut costs."""
HELD_OUT = 0.1
"""Share of the items whose pairs decide whether the tuned encoders are used."""
_CHUNK = 8
_TOPS = "tops.safetensors"


@dataclass(frozen=True)
class TunedEncoders:
    """The two encoders with tuned last layers, in the precision the settings name."""

    image: ContentEncoder[Any]
    text: ContentEncoder[Any]


@dataclass(frozen=True)
class _Sample:
    """What is tuned on: places and features of pictures, and their words."""

    places: Float16[np.ndarray, "item y x width"]
    features: Float32[np.ndarray, "item dim"]
    words: list[str]
    said: Vectors
    space: Space
    seconds: float
    """What running a picture to the cut took, on average over the threads."""


def tuning_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The one step."""
    content = settings.content
    dials = (content.tune_encoders, content.item_space, content.image_encoder, content.text_encoder)
    chosen = f"{settings.seed}/{'/'.join(dials)}"
    return [Step("tuned_encoders", ("catalogue size",), 1, chosen, make_tuned_encoders, lacks_tuning)]


def lacks_tuning(bench: Workbench) -> str | None:
    """Tuning needs torch, the built-in encoders and many items with a picture and words."""
    content = bench.settings.content
    if content.tune_encoders == "off":
        return 'the settings say [content] tune_encoders = "off"'
    if content.tune_encoders == "auto" and bench.settings.simulated:
        return 'it takes minutes, and this workspace is simulated; [content] tune_encoders = "on" tunes all the same'
    if content.item_space == "fused":
        return 'the settings say [content] item_space = "fused"'
    if not installed("torch"):
        return "torch is not installed; pip install 'bowerbird[train]' tunes encoders, they do as they come"
    for name, known in ((content.image_encoder, TUNABLE), (content.text_encoder, (TEXT_ENCODER,))):
        if name.partition(":")[0] not in known:
            return f"{name} is not built in; {', '.join(known)} can be tuned"
    pairs, needed = int(_paired(bench).sum()), LEAST_TUNED[content.tune_encoders]
    if pairs < needed:
        return f"{pairs:,} items have a picture and words, tuning needs {needed:,}; encoders do as they come"
    return None


def make_tuned_encoders(bench: Workbench, version: str) -> SignalCard:
    """Tune both encoders on pairs of the catalogue, and keep them if held-out pairs find each other better."""
    from bowerbird.training.tower_effort import tower_effort  # loads torch
    from bowerbird.training.tuning import LivePictures, LiveTexts, new_picture_top, new_text_top
    from bowerbird.training.unified import Pairs, UnifiedSettings, train_unified

    variant = TUNABLE[bench.settings.content.image_encoder.partition(":")[0]]
    sample = _sampled(bench, variant)
    count = len(sample.words)
    vocabulary = WordVocabulary.of(sample.words)
    inputs = (
        TowerInput("image", "image", sample.space),
        TowerInput("text", "text", sample.said.space),
    )
    pairs = Pairs(
        inputs,
        ItemParts({"image": Block(normalise(sample.features), np.ones(count, dtype=bool))}),
        ItemParts({"text": Block.of(sample.said)}, vocabulary.counts(sample.words)),
        np.arange(count),
        vocabulary,
    )
    rows = np.arange(count)
    live = {
        "image": LivePictures(sample.places[:, None], rows, new_picture_top(variant)),
        "text": LiveTexts(TextTokens().states(sample.words, bench.progress), rows, new_text_top()),
    }
    found = {}
    for name, learning in (("frozen", {}), ("tuned", live)):
        effort = tower_effort(count, tuned=bool(learning))
        if learning:
            minutes = TRAINING_SHARE * sample.seconds * count * effort.epochs / 60
            bench.progress.start(f"tune encoders, about {minutes:.0f} minutes", None)
            bench.progress.finish()
        trained = train_unified(
            pairs,
            UnifiedSettings(
                texts=1,
                narrow_weight=1.0,
                held_out=HELD_OUT,
                batch=effort.batch,
                epochs=effort.epochs,
            ),
            bench.settings.seed,
            live=learning,
            checkpoint=bench.layout.cache / f"tuned-{name}-{version}.safetensors",
            progress=bench.progress,
        )
        found[name] = max(trained.history, default=0.0)
    tops = EncoderTops(live["image"].top.weights.arrays(), live["text"].top.weights.arrays())
    return _kept(bench, version, tops if _gained(found) else None, found, count)


def _gained(found: Mapping[str, float]) -> bool:
    return found["tuned"] > found["frozen"]


def tuned_encoders(bench: Workbench, *, building: bool = False) -> TunedEncoders | None:
    """The tuned encoders the last build left; None where there are none or tuning gained nothing.

    Args:
        bench: the workspace's stores.
        building: for a catalogue: several workers, pictures decoded in processes of their own; else for queries.
    """
    if bench.models.card("tuned_encoders") is None:
        return None
    path = bench.models.directory("tuned_encoders") / _TOPS
    if not path.exists():
        return None
    tops, content, cache = EncoderTops.load(path), bench.settings.content, bench.layout.cache
    name, _, choice = content.image_encoder.partition(":")
    if name not in TUNABLE or content.text_encoder.partition(":")[0] != TEXT_ENCODER:
        return None
    threads = ENCODER_THREADS if building else 1
    image = ImageEncoder(
        TUNABLE[name],
        cache,
        threads,
        precision=checked_precision(name, choice or "float"),
        isolated=building,
        tops=tops,
    )
    spoken = checked_precision(TEXT_ENCODER, content.text_encoder.partition(":")[2] or "float")
    return TunedEncoders(image, TextEncoder(cache, threads, spoken, tops=tops))


def _kept(
    bench: Workbench, version: str, tops: EncoderTops | None, found: Mapping[str, float], count: int
) -> SignalCard:
    """The model on the disk: the tuned layers, if they are better, and what was found."""
    ranks = f"held-out mean reciprocal rank {found['tuned']:.3f}, as they come {found['frozen']:.3f}"
    note = f"tuned on {count:,} items: {ranks}" if tops is not None else f"nothing gained, not used: {ranks}"
    card = bench.card(
        "tuned_encoders",
        ("model", "model"),
        version,
        f"{bench.settings.content.image_encoder} and {bench.settings.content.text_encoder}",
        counted=(count, len(bench.items)),
        inputs=("catalogue",),
        note=note,
    )
    with bench.models.writing(card) as directory:
        (directory / "held_out.json").write_text(json.dumps(dict(found)), encoding="utf-8")
        if tops is not None:
            tops.save(directory / _TOPS)
    return card


def _paired(bench: Workbench) -> Bool[np.ndarray, "item"]:
    pictures, words = bench.items.column("image"), item_words(bench)
    return np.array([bool(one) and bool(two) for one, two in zip(pictures, words, strict=True)], dtype=bool)


def _sampled(bench: Workbench, variant: LiteVariant) -> _Sample:
    """Some items with a picture and words, run up to the cut; those whose picture cannot be read are left out."""
    rows = np.flatnonzero(_paired(bench))
    if len(rows) > MOST_TUNED:
        drawn = generator(bench.settings.seed, "tuned encoders").permutation(rows)
        rows = np.sort(drawn[:MOST_TUNED])
    began = time.perf_counter()
    kept, features, places = _run_to_the_cut(bench, variant, rows)
    seconds = (time.perf_counter() - began) / max(len(rows), 1)
    needed = LEAST_TUNED["on"]
    if len(kept) < needed:
        raise NotReadyError(
            f"tuned encoders: {len(kept)} of {len(rows)} pictures could be read, tuning needs {needed}"
        )
    every = item_words(bench)
    words = [every[row] for row in kept.tolist()]
    said, _ = encoded_texts(bench, words, "encode texts")
    space = Space("image", f"{variant.name}.below", features.shape[1])
    return _Sample(places, features, words, said, space, seconds)


def _run_to_the_cut(
    bench: Workbench, variant: LiteVariant, rows: Int64[np.ndarray, "n"]
) -> tuple[Int64[np.ndarray, "kept"], Float32[np.ndarray, "kept dim"], Float16[np.ndarray, "kept y x width"]]:
    network, decoding = PicturePlaces(variant), IsolatedDecoding(variant.size)
    names = bench.items.column("image")

    def pixels_of(row: int) -> UInt8[np.ndarray, "size size 3"] | None:
        file = bench.media.get(names[row])
        if file is None:
            return None
        try:
            return decoding.prepared(file).pixels
        except InputError:  # image_vector's step tells which pictures cannot be read, and why
            return None

    def run(some: list[int]) -> tuple[list[int], Any]:
        read = [(row, pixels) for row in some if (pixels := pixels_of(row)) is not None]
        return [row for row, _ in read], network.run(np.stack([one for _, one in read])) if read else None

    kept: list[int] = []
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    bench.progress.start("run pictures to the layers that are tuned", len(rows), "pictures")
    stream: Iterator[list[int]] = chunks(rows.tolist(), _CHUNK)
    try:
        for read, made in side_by_side(run, stream, ENCODER_THREADS):
            bench.progress.advance(_CHUNK)
            if made is not None:
                kept += read
                parts.append(made)
    finally:
        decoding.close()
    bench.progress.finish()
    if not parts:
        return np.zeros(0, np.int64), np.zeros((0, 1), np.float32), np.zeros((0, 1, 1, 1), np.float16)
    return (
        np.array(kept, dtype=np.int64),
        np.concatenate([features for features, _ in parts]),
        np.concatenate([places for _, places in parts]),
    )
