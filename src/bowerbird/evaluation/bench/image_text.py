"""``bench image-text``: texts find their pictures among all pictures of the set, and pictures their texts.

The baselines are the classifier alone (ConSE, which needs no pairs), linear heads on the same frozen
vectors, and the tower on them; ours also tunes the last layers of the encoders while the tower learns. Its second line takes
off what hubs score with any question, measured on questions of the train part (:mod:`bowerbird.content.hubs`). With several
sets a tower trained on all of them at once stands beside each set's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64

from bowerbird.content.conse import conse_bridge
from bowerbird.content.encoder_tops import TokenStates
from bowerbird.content.image_encoder import efficientnet_lite2
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.both_ways import (
    Embedded,
    chance_metrics,
    compact_metrics,
    retrieval_metrics,
)
from bowerbird.evaluation.bench.captioned import TRAIN, captioned_pictures
from bowerbird.evaluation.bench.captioned_set import CaptionedSet, SetEncoding
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
)
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.tower_effort import LEAST_TUNED, tower_effort

__all__ = ["run_image_text"]

MOST_BANK = 4000
"""Pictures of the train part, and as many of its texts, that levels of hubs are measured with."""
LEVELLED = ", hubs levelled"
Live = Mapping[str, Any]
"""Inputs of :mod:`bowerbird.training.tuning` by modality, which is not imported before it is needed: it loads torch."""


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
    found = [captioned_pictures(*one, 0, "both" if fit is None else "ask") for one in sets]
    taught = [] if fit is None else [captioned_pictures(*fit, 0, "fit")]
    image, text = efficientnet_lite2(threads=threads), TextEncoder(threads=threads)
    encode = SetEncoding(image, text, conse_bridge(image, text), tune is not False, kept, progress)
    read, fitted = [encode(one) for one in found], [encode(one) for one in taught]
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
    one: CaptionedSet,
    where: str,
    seeds: int,
    epochs: int | None,
    progress: Progress,
) -> tuple[list[BenchRow], list[str]]:
    """Lines of the trained contenders, and what is said of those with too little to learn from."""
    rows, notes = [], []
    for contender in contenders:
        try:
            rows += contender.rows(one, where, seeds, epochs, progress)
        except NotReadyError as error:
            notes.append(f"no line for {where}{contender.name}: {error}")
    return rows, notes


def _kind(
    fitted: Sequence[CaptionedSet], asked: Sequence[CaptionedSet], tune: bool | None
) -> Literal["frozen", "tuned"]:
    """Whether encoders learn too: where that was asked for or there is enough to learn from, and places were kept."""
    enough = sum(len(one.readable(TRAIN)) for one in fitted) >= LEAST_TUNED
    possible = all(one.tokens is not None for one in (*fitted, *asked))
    return "tuned" if possible and (enough if tune is None else tune) else "frozen"


class _Contender:
    """A trained contender; what it learnt is kept, so one tower may be measured on several sets."""

    def __init__(
        self,
        name: str,
        fitted: Sequence[CaptionedSet],
        kind: Literal["plain", "frozen", "tuned"] = "frozen",
    ) -> None:
        self.name = name
        self._fitted = fitted
        self._plain, self._tuned = kind == "plain", kind == "tuned"
        self._views = 1 if self._plain else fitted[0].pictures.features.shape[1]
        self._learnt: dict[int, tuple[UnifiedTower, Live]] = {}

    def rows(
        self, one: CaptionedSet, where: str, seeds: int, epochs: int | None, progress: Progress
    ) -> list[BenchRow]:
        """Its lines for a set, trained first where it is not yet."""
        with row_cost() as cost:
            for seed in range(seeds):
                if seed not in self._learnt:
                    self._learnt[seed] = self._trained(seed, epochs, progress)
            learnt = sorted(self._learnt.items())
            embeddings = [self._embedded(one, seed, *found) for seed, found in learnt]
        note = {"trained on": ", ".join(part.captioned.name for part in self._fitted)}
        lines = [("", [found.as_it_is for found in embeddings])]
        if not self._plain:
            lines.append((LEVELLED, embeddings))
        right = one.right
        return [
            BenchRow(
                where + self.name + how,
                {**retrieval_metrics(right, found), **compact_metrics(right, found)},
                cost.cpu_s / seeds,
                cost.peak_mb,
                note,
            )
            for how, found in lines
        ]

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
        live = _live([(one, some, one.texts_of(some)) for one, some in rows]) if self._tuned else {}
        effort = tower_effort(len(pairs.seen), tuned=self._tuned)
        settings = UnifiedSettings(
            plain=self._plain,
            batch=effort.batch,
            epochs=epochs or effort.epochs,
            narrow_weight=1.0 if self._tuned else 0.5,
            soft_share=0.0 if self._plain else UnifiedSettings().soft_share,
        )
        return train_unified(pairs, settings, seed, live=live, progress=progress).tower, live

    def _embedded(self, one: CaptionedSet, seed: int, tower: UnifiedTower, live: Live) -> Embedded:
        """What is reported of a set, and questions of the train part: its own where it was learnt from."""
        pictures = one.readable(one.captioned.reported)
        found = self._projected(one, pictures, one.texts_of(pictures), tower, live)
        if self._plain:
            return Embedded(*found)
        draw, banks = generator(seed, "bench", "bank"), []
        own = any(part is one for part in self._fitted)
        for part in [one] if own else self._fitted:
            asked = _some(part.readable(TRAIN), draw)
            banks.append(self._projected(part, asked, _some(part.texts_of(asked), draw), tower, live))
        seen, said = zip(*banks, strict=True)
        return Embedded(*found, (np.concatenate(seen), np.concatenate(said)))

    def _projected(
        self,
        one: CaptionedSet,
        pictures: Int64[np.ndarray, "picture"],
        texts: Int64[np.ndarray, "text"],
        tower: UnifiedTower,
        live: Live,
    ) -> tuple[np.ndarray, np.ndarray]:
        words = tower.vocabulary.counts([one.captioned.captions[row] for row in texts])
        seen, caption = dict(one.seen(pictures, self._views).blocks), Block.of(one.said.take(texts))
        if live:
            from bowerbird.training.tuning import tuned_vectors  # loads torch

            asked = _live([(one, pictures, texts)], live)
            seen["image"] = Block(tuned_vectors(asked["image"]), seen["image"].present)
            caption = Block(tuned_vectors(asked["caption"]), caption.present)
        said = ItemParts({"caption": caption}, words)
        return tower.project(ItemParts(seen)).matrix, tower.project(said).matrix


def _some(rows: Int64[np.ndarray, "n"], draw: np.random.Generator) -> Int64[np.ndarray, "n"]:
    """At most :data:`MOST_BANK` of some rows, in order."""
    return rows if len(rows) <= MOST_BANK else np.sort(draw.permutation(rows)[:MOST_BANK])


def _live(
    rows: Sequence[tuple[CaptionedSet, Int64[np.ndarray, "picture"], Int64[np.ndarray, "text"]]],
    like: Live | None = None,
) -> Live:
    """Pictures of some sets, and texts of theirs, with layers that learn: new ones, or those of others."""
    from bowerbird.training.tuning import (
        LivePictures,
        LiveTexts,
        new_picture_top,
        new_text_top,
    )  # loads torch

    places, tokens, seen, said = [], [], [], []
    for one, pictures, texts in rows:
        if one.pictures.places is None or one.tokens is None:
            raise InputError(f"{one.captioned.name}: encoded without places; expected them to tune encoders")
        seen.append(sum(map(len, places)) + pictures)
        said.append(sum(len(part.starts) - 1 for part in tokens) + one.token_row[texts])
        places.append(one.pictures.places)
        tokens.append(one.tokens)
    picture_top = like["image"].top if like else new_picture_top()
    word_top = like["caption"].top if like else new_text_top()
    whole = places[0] if len(places) == 1 else np.concatenate(places)
    return {
        "image": LivePictures(whole, np.concatenate(seen), picture_top),
        "caption": LiveTexts(TokenStates.joined(tokens), np.concatenate(said), word_top),
    }


def _stacked(blocks: Sequence[Block]) -> Block:
    return Block(
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.present for block in blocks]),
    )


def _untrained(one: CaptionedSet, where: str) -> list[BenchRow]:
    """Chance, and the classifier alone."""
    pictures = one.readable(one.captioned.reported)
    said, right = one.said.take(one.texts_of(pictures)).matrix, one.right
    with row_cost() as cost:
        chance = chance_metrics(right)
    rows = [BenchRow(where + "random", chance, cost.cpu_s, cost.peak_mb)]
    with row_cost() as cost:
        metrics = retrieval_metrics(right, [Embedded(one.conse.take(pictures).matrix, said)])
    rows.append(BenchRow(where + "ConSE, no training", metrics, cost.cpu_s, cost.peak_mb))
    return rows


def _report(
    read: Sequence[CaptionedSet], fitted: Sequence[CaptionedSet], rows: list[BenchRow], lacking: Sequence[str]
) -> BenchReport:
    digest = hashlib.blake2b("".join(one.captioned.hash for one in (*read, *fitted)).encode(), digest_size=8)
    pictures = sum(len(one.captioned.places) for one in read)
    notes = [
        "equal texts count as one; ties stand before the right answer; se over queries",
        f"hubs levelled: less what an answer scores on {MOST_BANK:,} questions of the train part at most",
    ]
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
