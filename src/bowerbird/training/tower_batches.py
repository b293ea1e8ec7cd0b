"""What the item tower is fed while it is trained: standardised inputs and bags of words, as tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from bowerbird.arrays import group_offsets
from bowerbird.content.item_parts import ItemParts, WordVocabulary
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.nn.item_tower import ItemTower, Modality, WordBags
from bowerbird.training.tuning import LiveInput

Batch = tuple[dict[str, Tensor], WordBags | None, Tensor]
"""Blocks, bags and presence, as :meth:`ItemTower.forward` takes them."""

_LEAST_SPREAD = 1e-3
"""Floor of a column's deviation, as a share of the mean deviation: constant columns are noise otherwise."""


class Standard:
    """Mean and scale of each group's columns, over the rows that are there.

    Args:
        inputs: the modalities.
        sides: what they are measured on.
    """

    def __init__(self, inputs: Sequence[TowerInput], sides: Sequence[ItemParts]) -> None:
        self._of: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for group in dict.fromkeys(one.group for one in inputs):
            names = [one.name for one in inputs if one.group == group]
            blocks = [side.blocks[name] for side in sides for name in names if name in side.blocks]
            rows = np.concatenate([block.values[block.present] for block in blocks])
            spread = rows.std(axis=0)
            floor = _LEAST_SPREAD * float(spread.mean()) or 1.0
            self._of[group] = rows.mean(axis=0), np.maximum(spread, floor)

    def applied(self, group: str, values: Float32[np.ndarray, "row dim"]) -> Float32[np.ndarray, "row dim"]:
        """Standardised rows."""
        mean, scale = self._of[group]
        return (values - mean) / scale

    def live(self, group: str, values: Tensor) -> Tensor:
        """Standardised rows that keep their gradient."""
        mean, scale = (torch.from_numpy(part.astype(np.float32)) for part in self._of[group])
        return (values - mean) / scale

    def folded(
        self, group: str, weight: Float32[np.ndarray, "width dim"]
    ) -> tuple[Float32[np.ndarray, "width dim"], Float32[np.ndarray, "dim"]]:
        """The projection of raw rows that equals ``weight`` on standardised ones: a matrix and a shift."""
        mean, scale = self._of[group]
        raw = weight / scale[:, None]
        return raw.astype(np.float32), -(mean @ raw).astype(np.float32)

    def unfolded(
        self, group: str, raw: Float32[np.ndarray, "width dim"]
    ) -> tuple[Float32[np.ndarray, "width dim"], Float32[np.ndarray, "dim"]]:
        """The projection of standardised rows that equals ``raw`` on raw ones: a matrix and a shift."""
        mean, scale = self._of[group]
        return (raw * scale[:, None]).astype(np.float32), (mean @ raw).astype(np.float32)


class TowerData:
    """One side of the items, ready to be cut into batches.

    Args:
        parts: the modalities.
        inputs: those the tower reads, in order.
        standard: how their columns are scaled.
        live: modalities whose vectors are made anew for each batch.
    """

    def __init__(
        self,
        parts: ItemParts,
        inputs: Sequence[TowerInput],
        standard: Standard,
        live: Mapping[str, LiveInput] | None = None,
    ) -> None:
        names = [one.name for one in inputs]
        self._standard = standard
        self._live = {
            one.name: (one.group, live[one.name])
            for one in inputs
            if live and one.name in live and one.name in parts.blocks
        }
        self._blocks = {
            one.name: torch.from_numpy(
                standard.applied(one.group, parts.blocks[one.name].values).astype(np.float32)
            )
            for one in inputs
            if one.name in parts.blocks and one.name not in self._live
        }
        self.present = torch.from_numpy(parts.present([*names, "words"]))
        self._words = parts.words

    def batch(
        self, rows: Int64[np.ndarray, "n"], word_dropout: float = 0.0, draw: np.random.Generator | None = None
    ) -> Batch:
        """Blocks, bags and presence of some rows.

        Args:
            rows: which.
            word_dropout: share of words left out.
            draw: decides which; needed with dropout.
        """
        chosen = torch.from_numpy(rows)
        bags = None
        if self._words is not None and self._words.shape[1]:
            cut = self._words[rows]
            weights = cut.data.astype(np.float32)
            if draw is not None and word_dropout > 0:
                weights = np.where(draw.random(len(weights)) >= word_dropout, weights, np.float32(0))
            bags = WordBags(
                torch.from_numpy(cut.indices.astype(np.int64)),
                torch.from_numpy(cut.indptr.astype(np.int64)),
                torch.from_numpy(weights),
            )
        blocks = {name: values[chosen] for name, values in self._blocks.items()}
        for name, (group, live) in self._live.items():
            blocks[name] = self._standard.live(group, live.vectors(rows))
        return blocks, bags, self.present[chosen]


class TextsOfItems:
    """Which texts belong to which item.

    Args:
        item_of: item row of each text.
        items: number of items.

    Example:
        >>> texts = TextsOfItems(np.array([0, 2, 2]), 3)
        >>> texts.counts.tolist(), [rows.tolist() for rows in texts.drawn(np.array([0, 1]), 1, np.random.default_rng(0))]
        ([1, 0, 2], [[0, 0]])
    """

    def __init__(self, item_of: Int64[np.ndarray, "text"], items: int) -> None:
        self._order = np.argsort(item_of, kind="stable")
        self._starts = group_offsets(item_of[self._order], items)[:-1]
        self.counts = np.bincount(item_of, minlength=items)

    def drawn(
        self, rows: Int64[np.ndarray, "n"], times: int, draw: np.random.Generator
    ) -> list[Int64[np.ndarray, "n"]]:
        """Text rows of items, several times; different ones as far as the item has them. Row 0 for an item without."""
        counts = np.maximum(self.counts[rows], 1)
        first = draw.integers(counts)
        places = [self._starts[rows] + (first + shift) % counts for shift in range(times)]
        spoken = self.counts[rows] > 0
        return [np.where(spoken, self._order[np.minimum(at, len(self._order) - 1)], 0) for at in places]


class SidesOfItems:
    """Both sides of items: what is seen, what is said, and both at once.

    Args:
        inputs: the modalities.
        seen: a row per item.
        said: a row per text.
        texts: which texts belong to which item.
        live: modalities whose vectors are made anew for each batch.
    """

    def __init__(
        self,
        inputs: Sequence[TowerInput],
        seen: ItemParts,
        said: ItemParts,
        texts: TextsOfItems,
        live: Mapping[str, LiveInput] | None = None,
    ) -> None:
        self._names = (*(one.name for one in inputs), "words")
        self.standard = Standard(inputs, (seen, said))
        self.seen = TowerData(seen, inputs, self.standard, live)
        self.said = TowerData(said, inputs, self.standard, live)
        self._spoken = texts.counts > 0
        spoken = [said.blocks[one.name].values for one in inputs if one.name in said.blocks]
        self._meaning = spoken[0] if spoken else None
        self._seen_key, self._said_key = _row_keys(seen), _row_keys(said)

    @property
    def paired(self) -> Bool[np.ndarray, "item"]:
        """Items that have both sides."""
        return self.seen.present.any(dim=1).numpy() & self._spoken

    def same(self, rows: Int64[np.ndarray, "n"], texts: Int64[np.ndarray, "n"]) -> Tensor:
        """Pairs with equal pictures or equal texts: they belong together as much as a row with itself."""
        seen, said = self._seen_key[rows], self._said_key[texts]
        return torch.from_numpy((seen[:, None] == seen[None, :]) | (said[:, None] == said[None, :]))

    def meaning(self, texts: Int64[np.ndarray, "n"]) -> Tensor | None:
        """Vectors of texts as their encoder gave them, untouched by the training; None where texts are words only."""
        return None if self._meaning is None else torch.from_numpy(self._meaning[texts])

    def joint(
        self,
        rows: Int64[np.ndarray, "n"],
        texts: Int64[np.ndarray, "n"],
        word_dropout: float,
        draw: np.random.Generator,
        drop: float = 0.0,
    ) -> Batch:
        """Whole items: the modalities of both sides.

        Args:
            rows: item rows.
            texts: a text of each; ignored for an item without text.
            word_dropout: share of words left out.
            draw: decides what is left out.
            drop: chance of each modality to be left out; one of an item always stays.
        """
        both = self.together(rows, self.seen.batch(rows), self.said.batch(texts, word_dropout, draw))
        present = both[2]
        if drop > 0:
            lots = torch.from_numpy(draw.random(tuple(present.shape))) * present
            present = present & ((lots > drop) | (lots == lots.max(dim=1, keepdim=True).values))
        return both[0], both[1], present

    def as_asked(self, said: Batch, names: Sequence[str], share: float, draw: np.random.Generator) -> Batch:
        """Texts of which some are seen as a query is: with a few modalities alone, where they have any of them.

        Args:
            said: a batch of texts.
            names: the modalities of a query.
            share: of the texts.
            draw: decides which.
        """
        if share <= 0:
            return said
        chosen = torch.from_numpy(draw.random(len(said[2])) < share)
        left = said[2] & torch.tensor([name in names for name in self._names])
        return said[0], said[1], torch.where((chosen & left.any(dim=1))[:, None], left, said[2])

    def together(self, rows: Int64[np.ndarray, "n"], seen: Batch, said: Batch) -> Batch:
        """Whole items from batches of their sides, of which they are the first."""
        count = len(rows)
        blocks = {name: values[:count] for side in (seen, said) for name, values in side[0].items()}
        spoken = said[2][:count] & torch.from_numpy(self._spoken[rows])[:, None]
        bags = said[1]
        if bags is not None and len(bags.offsets) > count + 1:
            end = int(bags.offsets[count])
            bags = WordBags(bags.rows[:end], bags.offsets[: count + 1], bags.weights[:end])
        return blocks, bags, seen[2][:count] | spoken


def _row_keys(parts: ItemParts) -> Int64[np.ndarray, "row"]:
    """Equal numbers for rows with equal content."""
    keys = np.zeros(len(parts), dtype=np.int64)
    rows: dict[bytes, int] = {}
    blocks = list(parts.blocks.values())
    for row in range(len(parts)):
        digest = hashlib.blake2b(digest_size=12)
        for block in blocks:
            digest.update(block.values[row].tobytes())
        keys[row] = rows.setdefault(digest.digest(), len(rows))
    return keys


def new_tower(inputs: Sequence[TowerInput], words: int, dim: int, dropout: float) -> ItemTower:
    """An untrained tower for some inputs."""
    modalities = tuple(Modality(one.name, one.group, one.space.dim) for one in inputs)
    return ItemTower(modalities, words, dim, dropout)


def restored(tower: ItemTower, trained: UnifiedTower, standard: Standard) -> None:
    """Give a tower the weights of a trained one with the same inputs and words: the inverse of :func:`exported`.

    Args:
        tower: what :func:`new_tower` made.
        trained: where the weights come from.
        standard: how columns are scaled from now on.
    """
    tensors, state, shifts = trained.tensors, {}, {}
    for group in dict.fromkeys(one.group for one in trained.inputs):
        weight, shifts[group] = standard.unfolded(group, tensors[f"projection.{group}"])
        state[f"projections.{group}.weight"] = weight.T
    for one in trained.inputs:
        state[f"kinds.{one.name}"] = tensors[f"kind.{one.name}"] + shifts[one.group]
    if trained.vocabulary.words:
        state["kinds.words"], state["bag.weight"] = tensors["kind.words"], tensors["words"]
    state["question"] = tensors["question"]
    for layer in ("token_norm", "norm", "key_value", "attended", "wide", "narrow"):
        state[f"{layer}.weight"] = tensors[f"{layer}.weight"].T
        state[f"{layer}.bias"] = tensors[f"{layer}.bias"]
    arrays = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in state.items()}
    tower.load_state_dict({name: torch.from_numpy(values) for name, values in arrays.items()})


def exported(
    tower: ItemTower, inputs: Sequence[TowerInput], standard: Standard, vocabulary: WordVocabulary
) -> UnifiedTower:
    """The tower without torch; its projections take raw inputs."""
    state = {name: values.detach().numpy().copy() for name, values in tower.state_dict().items()}
    tensors: dict[str, np.ndarray] = {"question": state["question"]}
    shifts = {}
    for group in dict.fromkeys(one.group for one in inputs):
        weight, shift = standard.folded(group, state[f"projections.{group}.weight"].T)
        tensors[f"projection.{group}"], shifts[group] = weight, shift
    for one in inputs:
        tensors[f"kind.{one.name}"] = state[f"kinds.{one.name}"] + shifts[one.group]
    if vocabulary.words:
        tensors["kind.words"], tensors["words"] = state["kinds.words"], state["bag.weight"]
    for layer in ("token_norm", "norm"):
        tensors[f"{layer}.weight"], tensors[f"{layer}.bias"] = (
            state[f"{layer}.weight"],
            state[f"{layer}.bias"],
        )
    for layer in ("key_value", "attended", "wide", "narrow"):
        tensors[f"{layer}.weight"] = state[f"{layer}.weight"].T.copy()
        tensors[f"{layer}.bias"] = state[f"{layer}.bias"]
    return UnifiedTower(tuple(inputs), vocabulary, tensors)
