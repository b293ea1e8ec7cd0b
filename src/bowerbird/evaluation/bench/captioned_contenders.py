"""Contenders of ``bench image-text`` that are trained: a tower, and two towers in one space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from bowerbird.content.encoder_tops import TokenStates
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.joined_spaces import joined_spaces
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.both_ways import Embedded, compact_metrics, retrieval_metrics
from bowerbird.evaluation.bench.captioned import TRAIN
from bowerbird.evaluation.bench.captioned_set import CaptionedSet
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import BenchRow
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import Progress
from bowerbird.training.tower_effort import tower_effort

__all__ = ["MOST_BANK", "Contender", "Joined", "Kind", "Trained"]

MOST_BANK = 4000
"""Pictures of the train part, and as many of its texts, that levels of hubs are measured with."""
_LEVELLED = ", hubs levelled"
Live = Mapping[str, Any]
"""Inputs of :mod:`bowerbird.training.tuning` by modality, which is not imported before it is needed: it loads torch."""
Kind = Literal["plain", "frozen", "tuned"]
_APART = 1000
"""Between the seeds of a tower and of the same one from other draws."""


@runtime_checkable
class Trained(Protocol):
    """Something that is trained and measured."""

    name: str

    def rows(
        self, one: CaptionedSet, where: str, seeds: int, epochs: int | None, progress: Progress
    ) -> list[BenchRow]:
        """Its lines for a set."""
        ...


@dataclass(frozen=True)
class _Shown:
    """One model's vectors of what is reported, and of pictures and texts of the train part."""

    pictures: Vectors
    texts: Vectors
    bank: tuple[Vectors, Vectors] | None = None

    @property
    def embedded(self) -> Embedded:
        """What is measured of them."""
        bank = None if self.bank is None else (self.bank[0].matrix, self.bank[1].matrix)
        return Embedded(self.pictures.matrix, self.texts.matrix, bank)


class Contender:
    """A trained tower; what it learnt is kept, so one tower may be measured on several sets.

    Args:
        name: of its lines.
        fitted: the sets it learns from.
        kind: ``plain`` linear heads on one view, a tower on ``frozen`` encoders, or with their last layers ``tuned``.
        draw: another number is the same tower from other draws.
    """

    def __init__(
        self, name: str, fitted: Sequence[CaptionedSet], kind: Kind = "frozen", draw: int = 0
    ) -> None:
        self.name = name
        self.cpu_s = 0.0
        """CPU-seconds of its lines so far."""
        self._fitted = fitted
        self._draw = draw
        self._plain, self._tuned = kind == "plain", kind == "tuned"
        self._views = 1 if self._plain else fitted[0].pictures.features.shape[1]
        self._learnt: dict[int, tuple[UnifiedTower, Live]] = {}
        self._seen: dict[tuple[int, int], _Shown] = {}

    def rows(
        self, one: CaptionedSet, where: str, seeds: int, epochs: int | None, progress: Progress
    ) -> list[BenchRow]:
        """Its lines for a set, trained first where it is not yet."""
        with row_cost() as cost:
            found = [self.shown(one, seed, epochs, progress).embedded for seed in range(seeds)]
        self.cpu_s += cost.cpu_s
        return _rows(where + self.name, one, found, self._fitted, (cost.cpu_s / seeds, cost.peak_mb))

    def shown(self, one: CaptionedSet, seed: int, epochs: int | None, progress: Progress) -> _Shown:
        """Its vectors of a set: what is reported, and questions of the train part, its own where it was learnt from."""
        if (id(one), seed) not in self._seen:
            if seed not in self._learnt:
                self._learnt[seed] = self._trained(seed, epochs, progress)
            self._seen[id(one), seed] = self._projections(one, seed, *self._learnt[seed])
        return self._seen[id(one), seed]

    def _inputs(self) -> tuple[TowerInput, ...]:
        one = self._fitted[0]
        picture = TowerInput("image", "image", one.pictures.encoder.space)
        caption = TowerInput("caption", "caption" if self._tuned else "text", one.said.space)
        if self._plain:
            return (picture, caption)
        beside = (
            TowerInput(name, name, found.space)
            for name, found in one.pictures.beside.items()
            if all(name in other.pictures.beside for other in self._fitted)
        )
        return (picture, TowerInput("conse", "text", one.said.space), *beside, caption)

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
        drawn = seed + _APART * self._draw
        return train_unified(pairs, settings, drawn, live=live, progress=progress).tower, live

    def _projections(self, one: CaptionedSet, seed: int, tower: UnifiedTower, live: Live) -> _Shown:
        pictures = one.readable(one.captioned.reported)
        found = self._projected(one, pictures, one.texts_of(pictures), tower, live)
        if self._plain:
            return _Shown(*found)
        own = any(part is one for part in self._fitted)
        banks = [
            self._projected(part, *_bank_rows(part, seed), tower, live)
            for part in ([one] if own else self._fitted)
        ]
        seen, said = (
            Vectors.full(tower.space, np.concatenate([side.matrix for side in sides]))
            for sides in zip(*banks, strict=True)
        )
        return _Shown(*found, (seen, said))

    def _projected(
        self,
        one: CaptionedSet,
        pictures: Int64[np.ndarray, "picture"],
        texts: Int64[np.ndarray, "text"],
        tower: UnifiedTower,
        live: Live,
    ) -> tuple[Vectors, Vectors]:
        words = tower.vocabulary.counts([one.captioned.captions[row] for row in texts])
        seen, caption = dict(one.seen(pictures, self._views).blocks), Block.of(one.said.take(texts))
        if live:
            from bowerbird.training.tuning import tuned_vectors  # loads torch

            asked = _live([(one, pictures, texts)], live)
            seen["image"] = Block(tuned_vectors(asked["image"]), seen["image"].present)
            caption = Block(tuned_vectors(asked["caption"]), caption.present)
        said = ItemParts({"caption": caption}, words)
        return tower.project(ItemParts(seen)), tower.project(said)


class Joined:
    """Several towers in one space as wide as one of theirs.

    Args:
        name: of its lines.
        fitted: the sets they learn from.
        members: the towers; those with lines of their own come before this one, and are trained once.
    """

    def __init__(self, name: str, fitted: Sequence[CaptionedSet], members: Sequence[Contender]) -> None:
        self.name = name
        self._fitted, self._members = fitted, members

    def rows(
        self, one: CaptionedSet, where: str, seeds: int, epochs: int | None, progress: Progress
    ) -> list[BenchRow]:
        """Its lines for a set; their cost is that of all its towers."""
        before = sum(member.cpu_s for member in self._members)
        with row_cost() as cost:
            found = [self._joined(one, seed, epochs, progress) for seed in range(seeds)]
        spent = ((before + cost.cpu_s) / seeds, cost.peak_mb)
        return _rows(where + self.name, one, found, self._fitted, spent)

    def _joined(self, one: CaptionedSet, seed: int, epochs: int | None, progress: Progress) -> Embedded:
        parts = [member.shown(one, seed, epochs, progress) for member in self._members]
        seen, said = zip(*(part.bank for part in parts if part.bank is not None), strict=True)
        joined = joined_spaces(seen, said, parts[0].pictures.space.dim)
        pictures, texts = [part.pictures for part in parts], [part.texts for part in parts]
        return _Shown(
            joined.project(pictures), joined.project(texts), (joined.project(seen), joined.project(said))
        ).embedded


def _rows(
    name: str,
    one: CaptionedSet,
    found: Sequence[Embedded],
    fitted: Sequence[CaptionedSet],
    spent: tuple[float, float],
) -> list[BenchRow]:
    """The lines of a model, one run of it for each seed: as it is, and with the levels of hubs taken off where they are known."""
    lines = [("", [each.as_it_is for each in found])]
    if all(each.bank is not None for each in found):
        lines.append((_LEVELLED, list(found)))
    note = {"trained on": ", ".join(part.captioned.name for part in fitted)}
    return [
        BenchRow(
            name + how,
            {**retrieval_metrics(one.right, runs), **compact_metrics(one.right, runs)},
            *spent,
            note,
        )
        for how, runs in lines
    ]


def _bank_rows(
    one: CaptionedSet, seed: int
) -> tuple[Int64[np.ndarray, "picture"], Int64[np.ndarray, "text"]]:
    """Pictures of a set's train part and texts of theirs, at most :data:`MOST_BANK` of each, in order."""
    draw = generator(seed, "bench", "bank")
    pictures = _some(one.readable(TRAIN), draw)
    return pictures, _some(one.texts_of(pictures), draw)


def _some(rows: Int64[np.ndarray, "n"], draw: np.random.Generator) -> Int64[np.ndarray, "n"]:
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
