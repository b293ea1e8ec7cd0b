"""``bench image-text``: texts find their pictures among all pictures of the set, and pictures their texts.

The baselines are the classifier alone (ConSE, which needs no pairs), linear heads on the same frozen
vectors, and the tower on them; ours also tunes the last layers of the encoders while the tower learns. With several sets
a tower trained on all of them at once stands beside each set's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.arrays import normalise
from bowerbird.content.compact import from_bytes, to_bytes
from bowerbird.content.conse import ConSE, conse_bridge
from bowerbird.content.encoder_tops import TextTokens, TokenStates
from bowerbird.content.image_encoder import ImageEncoder, efficientnet_lite2
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.captioned import TRAIN, Captioned, captioned_pictures
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.picture_vectors import PictureFeatures, picture_features
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.metrics.cross_modal import best_ranks
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.tower_effort import LEAST_TUNED, tower_effort

__all__ = ["run_image_text"]

CUTOFFS = (1, 5, 10)
SHORT = 64
Embedding = tuple[Float32[np.ndarray, "picture dim"], Float32[np.ndarray, "text dim"]]
Live = Mapping[str, Any]
"""Inputs of :mod:`bowerbird.training.tuning` by modality, which is not imported before it is needed: it loads torch."""


@dataclass(frozen=True)
class _Set:
    """One set, encoded: everything a contender may read."""

    captioned: Captioned
    pictures: PictureFeatures
    said: Vectors
    conse: Vectors
    tokens: TokenStates | None
    """Of each distinct text; None where encoders are not tuned."""
    token_row: Int64[np.ndarray, "text"]

    def seen(self, rows: Int64[np.ndarray, "n"], views: int) -> ItemParts:
        """The picture side of some pictures."""
        image, guess = self.pictures.vectors(views).take(rows), self.conse.take(rows)
        return ItemParts({"image": Block.of(image), "conse": Block.of(guess)})

    def texts_of(self, pictures: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "text"]:
        """Rows of the texts of some pictures."""
        chosen = np.isin(self.captioned.picture_of, pictures) & self.said.present
        return np.flatnonzero(chosen)

    def readable(self, part: int) -> Int64[np.ndarray, "n"]:
        """Pictures of a part that could be read and of which something is said."""
        spoken = np.zeros(len(self.captioned.part), dtype=bool)
        spoken[self.captioned.picture_of[self.said.present]] = True
        return np.flatnonzero((self.captioned.part == part) & self.pictures.present & spoken)


def run_image_text(
    sets: Sequence[tuple[Path, Path]],
    seeds: int = 3,
    *,
    fit: tuple[Path, Path] | None = None,
    epochs: int | None = None,
    tune: bool | None = None,
    threads: int = 2,
    kept: Path | None = None,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure retrieval both ways on one or more sets of captioned pictures.

    Args:
        sets: pictures and captions of each set.
        seeds: trainings of each trained contender.
        fit: train on this set's train part instead of each set's own, e.g. to measure transfer.
        epochs: of each training; the default when None.
        tune: let the last layers of the encoders learn too, which takes about ten times as long; None does so
            where there are at least 3,000 pictures to train on.
        threads: workers that encode.
        kept: a folder where encoded pictures stay for the next run.
        progress: shows encoding and training.

    Raises:
        NotFoundError: a file is not there.
        InputError: a set cannot be read or has nothing to train or report on.
        MissingDependencyError: torch or weights are not installed.
    """
    image, text = efficientnet_lite2(threads=threads), TextEncoder(threads=threads)
    bridge = conse_bridge(image, text)
    encode = _Encoding(image, text, bridge, tune is not False, kept, progress)
    read = [encode(*one) for one in sets]
    fitted = [encode(*fit)] if fit is not None else []
    rows: list[BenchRow] = []
    notes: list[str] = []
    together: list[_Contender] = []
    if len(read) > 1 and not fitted:
        together.append(_Contender("ours, trained on all sets", read, _kind(read, read, tune)))
    for one in read:
        where = f"{one.captioned.name}: " if len(read) > 1 else ""
        rows += _untrained(one, where)
        own = fitted or [one]
        kind = _kind(own, [one], tune)
        contenders = [_Contender("linear heads", own, "plain"), _Contender("ours", own, kind)]
        if kind == "tuned":
            contenders.insert(1, _Contender("ours, frozen encoders", own))
        trained, lacking = _trained_rows([*contenders, *together], one, where, seeds, epochs, progress)
        rows += trained
        notes += lacking
    return _report(read, fitted, rows, notes)


def _trained_rows(
    contenders: Sequence[_Contender],
    one: _Set,
    where: str,
    seeds: int,
    epochs: int | None,
    progress: Progress,
) -> tuple[list[BenchRow], list[str]]:
    """Lines of the trained contenders, and what is said of those with too little to learn from."""
    rows, notes = [], []
    for contender in contenders:
        try:
            rows.append(contender.row(one, where, seeds, epochs, progress))
        except NotReadyError as error:
            notes.append(f"no line for {where}{contender.name}: {error}")
    return rows, notes


def _kind(fitted: Sequence[_Set], asked: Sequence[_Set], tune: bool | None) -> Literal["frozen", "tuned"]:
    """Whether encoders learn too: where that was asked for or there is enough to learn from, and places were kept."""
    enough = sum(len(one.readable(TRAIN)) for one in fitted) >= LEAST_TUNED
    possible = all(one.tokens is not None for one in (*fitted, *asked))
    return "tuned" if possible and (enough if tune is None else tune) else "frozen"


class _Contender:
    """A trained contender; what it learnt is kept, so one tower may be measured on several sets."""

    def __init__(
        self,
        name: str,
        fitted: Sequence[_Set],
        kind: Literal["plain", "frozen", "tuned"] = "frozen",
    ) -> None:
        self.name = name
        self._fitted = fitted
        self._plain, self._tuned = kind == "plain", kind == "tuned"
        self._views = 1 if self._plain else fitted[0].pictures.features.shape[1]
        self._learnt: dict[int, tuple[UnifiedTower, Live]] = {}

    def row(self, one: _Set, where: str, seeds: int, epochs: int | None, progress: Progress) -> BenchRow:
        """Its line for a set, trained first where it is not yet."""
        with row_cost() as cost:
            for seed in range(seeds):
                if seed not in self._learnt:
                    self._learnt[seed] = self._trained(seed, epochs, progress)
            embeddings = [self._embedded(one, *learnt) for _, learnt in sorted(self._learnt.items())]
            metrics = {**_metrics(one, embeddings), **_compact_metrics(one, embeddings)}
        note = {"trained on": ", ".join(part.captioned.name for part in self._fitted)}
        return BenchRow(where + self.name, metrics, cost.cpu_s / seeds, cost.peak_mb, note)

    def _inputs(self) -> tuple[TowerInput, ...]:
        one = self._fitted[0]
        picture = TowerInput("image", "image", one.pictures.encoder.space)
        caption = TowerInput("caption", "caption" if self._tuned else "text", one.said.space)
        if self._plain:
            return (picture, caption)
        return (picture, TowerInput("conse", "text", one.said.space), caption)

    def _trained(self, seed: int, epochs: int | None, progress: Progress) -> tuple[UnifiedTower, Live]:
        from bowerbird.training.unified import Pairs, UnifiedSettings, train_unified  # loads torch

        rows = [(one, one.readable(TRAIN)) for one in self._fitted]
        seen, blocks, captions, item_of = [], [], [], []
        for one, pictures in rows:
            texts = one.texts_of(pictures)
            start = sum(len(part) for part in seen)
            seen.append(one.seen(pictures, self._views))
            item_of.append(start + np.searchsorted(pictures, one.captioned.picture_of[texts]))
            blocks.append(Block.of(one.said.take(texts)))
            captions += [one.captioned.captions[row] for row in texts]
        vocabulary = WordVocabulary.of([] if self._plain else captions)
        said = ItemParts({"caption": _stacked(blocks)}, vocabulary.counts(captions))
        names = [one.name for one in self._inputs() if one.name != "caption"]
        sides = {name: _stacked([part.blocks[name] for part in seen]) for name in names}
        pairs = Pairs(
            self._inputs(), ItemParts(sides), said, np.concatenate(item_of).astype(np.int64), vocabulary
        )
        live = _live(rows) if self._tuned else {}
        effort = tower_effort(len(pairs.seen), tuned=self._tuned)
        settings = UnifiedSettings(
            plain=self._plain,
            batch=effort.batch,
            epochs=epochs or effort.epochs,
            narrow_weight=1.0 if self._tuned else 0.5,
        )
        return train_unified(pairs, settings, seed, live=live, progress=progress).tower, live

    def _embedded(self, one: _Set, tower: UnifiedTower, live: Live) -> Embedding:
        pictures = one.readable(one.captioned.reported)
        texts = one.texts_of(pictures)
        words = tower.vocabulary.counts([one.captioned.captions[row] for row in texts])
        seen, caption = dict(one.seen(pictures, self._views).blocks), Block.of(one.said.take(texts))
        if live:
            from bowerbird.training.tuning import tuned_vectors  # loads torch

            asked = _live([(one, pictures)], live)
            seen["image"] = Block(tuned_vectors(asked["image"]), seen["image"].present)
            caption = Block(tuned_vectors(asked["caption"]), caption.present)
        said = ItemParts({"caption": caption}, words)
        return tower.project(ItemParts(seen)).matrix, tower.project(said).matrix


def _live(rows: Sequence[tuple[_Set, Int64[np.ndarray, "n"]]], like: Live | None = None) -> Live:
    """Pictures of some sets, and their texts, with layers that learn: new ones, or those of others."""
    from bowerbird.training.tuning import (
        LivePictures,
        LiveTexts,
        new_picture_top,
        new_text_top,
    )  # loads torch

    places, tokens, seen, said = [], [], [], []
    for one, pictures in rows:
        if one.pictures.places is None or one.tokens is None:
            raise InputError(f"{one.captioned.name}: encoded without places; expected them to tune encoders")
        seen.append(sum(map(len, places)) + pictures)
        said.append(sum(len(part.starts) - 1 for part in tokens) + one.token_row[one.texts_of(pictures)])
        places.append(one.pictures.places)
        tokens.append(one.tokens)
    picture_top = like["image"].top if like else new_picture_top()
    word_top = like["caption"].top if like else new_text_top()
    whole = places[0] if len(places) == 1 else np.concatenate(places)
    return {
        "image": LivePictures(whole, np.concatenate(seen), picture_top),
        "caption": LiveTexts(TokenStates.joined(tokens), np.concatenate(said), word_top),
    }


@dataclass(frozen=True)
class _Encoding:
    """Files to sets."""

    image: ImageEncoder
    text: TextEncoder
    bridge: ConSE
    tune: bool
    kept: Path | None
    progress: Progress

    def __call__(self, images: Path, captions: Path) -> _Set:
        captioned = captioned_pictures(images, captions, seed=0)
        pictures = picture_features(
            captioned.source,
            captioned.places,
            self.image,
            below=self.tune,
            kept=self.kept,
            progress=self.progress,
        )
        distinct = list(dict.fromkeys(captioned.captions))
        place = {caption: row for row, caption in enumerate(distinct)}
        token_row = np.array([place[caption] for caption in captioned.captions], dtype=np.int64)
        said = self._said(distinct).take(token_row)
        tokens = None if pictures.places is None else TextTokens().states(distinct, self.progress)
        views = pictures.features.shape[1]
        conse = self.bridge.project(pictures.logits(views), pictures.vectors(views))
        return _Set(captioned, pictures, said, conse, tokens, token_row)

    def _said(self, distinct: list[str]) -> Vectors:
        self.progress.start("encode texts", len(distinct), "texts")
        parts = []
        for chunk in self.text.encode_chunks(distinct):
            parts.append(chunk.vectors)
            self.progress.advance(len(chunk.vectors))
        self.progress.finish()
        return Vectors(
            self.text.space,
            np.concatenate([part.matrix for part in parts]),
            np.concatenate([part.present for part in parts]),
        )


def _stacked(blocks: Sequence[Block]) -> Block:
    return Block(
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.present for block in blocks]),
    )


def _untrained(one: _Set, where: str) -> list[BenchRow]:
    """Chance, and the classifier alone."""
    pictures = one.readable(one.captioned.reported)
    said = one.said.take(one.texts_of(pictures)).matrix
    with row_cost() as cost:
        chance = _chance(one)
    rows = [BenchRow(where + "random", chance, cost.cpu_s, cost.peak_mb)]
    with row_cost() as cost:
        metrics = _metrics(one, [(one.conse.take(pictures).matrix, said)])
    rows.append(BenchRow(where + "ConSE, no training", metrics, cost.cpu_s, cost.peak_mb))
    return rows


def _right(one: _Set) -> tuple[Int64[np.ndarray, "text 2"], int, int]:
    """Which text belongs to which picture, equal texts to all of their pictures; and how many there are."""
    pictures = one.readable(one.captioned.reported)
    texts = one.texts_of(pictures)
    number: dict[str, list[int]] = {}
    of = np.searchsorted(pictures, one.captioned.picture_of[texts])
    for row, text in enumerate(texts):
        number.setdefault(one.captioned.captions[text], []).append(row)
    pairs = {(row, int(of[other])) for rows in number.values() for row in rows for other in rows}
    return np.array(sorted(pairs), dtype=np.int64), len(texts), len(pictures)


def _metrics(one: _Set, embeddings: Sequence[Embedding]) -> dict[str, Estimate]:
    right, _, _ = _right(one)
    found: dict[str, list[np.ndarray]] = {"t2i": [], "i2t": []}
    for pictures, said in embeddings:
        found["t2i"].append(best_ranks(said, pictures, right))
        found["i2t"].append(best_ranks(pictures, said, right[:, ::-1].copy()))
    metrics = {}
    for way, ranks in found.items():
        for k in CUTOFFS:
            hits = [rank <= k for rank in ranks]
            se = float(np.mean(hits, axis=0).std() / np.sqrt(len(hits[0])))
            metrics[f"{way} r@{k}"] = Estimate(tuple(float(hit.mean()) for hit in hits), se)
        metrics[f"{way} median rank"] = Estimate(tuple(float(np.median(rank)) for rank in ranks))
    return metrics


def _compact_metrics(one: _Set, embeddings: Sequence[Embedding]) -> dict[str, Estimate]:
    """The first recall again, with 64 numbers a vector and with a byte a number."""
    right, _, _ = _right(one)
    found: dict[str, list[float]] = {f"t2i r@10, {SHORT} numbers": [], "t2i r@10, int8": []}
    for pair in embeddings:
        short = [normalise(np.ascontiguousarray(matrix[:, :SHORT])) for matrix in pair]
        rough = [from_bytes(*to_bytes(matrix)) for matrix in pair]
        for name, (pictures, said) in zip(found, (short, rough), strict=True):
            found[name].append(float((best_ranks(said, pictures, right) <= 10).mean()))
    return {name: Estimate(tuple(values)) for name, values in found.items()}


def _chance(one: _Set) -> dict[str, Estimate]:
    """What a random order reaches: 1 - C(n - r, k) / C(n, k) for r right of n answers."""
    right, texts, pictures = _right(one)
    metrics = {}
    for way, column, total, answers in (("t2i", 0, texts, pictures), ("i2t", 1, pictures, texts)):
        counts = np.bincount(right[:, column], minlength=total)
        for k in CUTOFFS:
            steps = np.arange(min(k, answers))
            missed = np.maximum(answers - counts[:, None] - steps, 0) / (answers - steps)
            metrics[f"{way} r@{k}"] = Estimate((float(1 - missed.prod(axis=1).mean()),))
    return metrics


def _report(
    read: Sequence[_Set], fitted: Sequence[_Set], rows: list[BenchRow], lacking: Sequence[str]
) -> BenchReport:
    digest = hashlib.blake2b("".join(one.captioned.hash for one in (*read, *fitted)).encode(), digest_size=8)
    pictures = sum(len(one.captioned.places) for one in read)
    notes = ["equal texts count as one; ties stand before the right answer; se over queries"]
    for one in (*read, *fitted):
        name, counts = one.captioned.name, [len(one.readable(part)) for part in range(3)]
        part = "test" if one.captioned.reported == 2 else "dev"
        notes.append(f"{name}: {counts[0]:,} pictures to train on, {part} reported")
        notes += [f"{name}: {note}" for note in (*one.captioned.notes, one.pictures.note) if note]
    if fitted:
        notes.append(f"trained on {fitted[0].captioned.name} only")
    texts = sum(len(one.captioned.captions) for one in read)
    data = BenchData(0, pictures, texts, digest.hexdigest())
    return BenchReport(
        "image-text",
        "both ways, whole part as gallery",
        data,
        rows,
        [*notes, *lacking],
    )
