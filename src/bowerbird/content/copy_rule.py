"""Are two photos that were laid on each other the same? Boosted trees over what agrees.

What speaks for a copy is no single share: a sticker or large words leave less of a picture than a shop changes from one
shirt to the next on the same model. But under them the copy is exact, and its local features agree. Such rules are learnt
from altered copies beside their hardest look-alikes (``benchmarks/fit_copy_rule.py``, on pictures that no table reports),
with one thing held fixed: more agreement never counts against two pictures.

Source: Friedman 2001, "Greedy function approximation", section 5 (boosted trees, logistic loss); fitted with LightGBM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.content.picture_matching import Movement
from bowerbird.content.picture_overlay import Agreement

__all__ = [
    "NAMES",
    "STEADY",
    "Evidence",
    "Trees",
    "copy_log_odds",
    "evidence",
    "fitted_trees",
    "rule_fingerprint",
    "table_of",
]

STILL = 0.03
"""Largest change of size, turn or shift, in shares of the longer side, of pictures that were not moved."""
STRICTER = 1.5
"""Log-odds taken off: a false copy hides an item, a missed one shows it twice. Chosen by cross-validation."""
SAME_EVERYWHERE = 0.8
RECOLOURED_BELOW = 0.7
"""Photos with the same pattern nearly everywhere and other colours in so much of it are one product in two colours."""
DRAWN_BELOW = 0.3
"""Photos have more that is faint; two pictures with less, neither with much texture, may be drawings of one style."""
SOME_TEXTURE = 0.25
AGREE_EVERYWHERE = 0.92
"""Share of both pattern and colour that such pictures must have where nothing was moved, less their texture."""
_DIFFERS = -3.0


@dataclass(frozen=True)
class Evidence:
    """What is known of two photos that were laid on each other."""

    agrees: Agreement
    places: float
    """Logarithm of the places whose local features agree on the movement."""
    matched: float
    """Share of the matches that agree on it."""
    flatter: float
    """:func:`~bowerbird.content.picture_overlay.texture` of the picture with less of it."""
    richer: float
    """The same of the other."""
    unmoved: float
    """1 where the pictures lie on each other as they are, or only mirrored."""

    def columns(self) -> dict[str, float]:
        """What the rule reads, by name: everything known, counts of cells as ``log(1 + count)``."""
        known = {**vars(self.agrees), **vars(self)}
        del known["agrees"]
        return known | {name: float(np.log1p(known[name])) for name in ("agreeing", "exact")}


NAMES = tuple(one.name for kind in (Agreement, Evidence) for one in fields(kind) if one.name != "agrees")
"""The columns of the rule."""
STEADY = {
    **dict.fromkeys(("agreeing", "exact", "both", "same_pattern", "clear", "colour_of_pattern"), 1),
    **dict.fromkeys(("covered", "places", "matched"), 1),
    **dict.fromkeys(("typical", "least", "recoloured"), -1),
}
"""Evidence that only ever speaks for a copy (1) or against one (-1)."""


def evidence(agrees: Agreement, movement: Movement, textures: tuple[float, float]) -> Evidence:
    """What the rule reads.

    Args:
        agrees: where the two agree.
        movement: how one lies on the other.
        textures: the two pictures' :func:`~bowerbird.content.picture_overlay.texture`.
    """
    turned, shifted = np.abs(movement.matrix - np.eye(2)).max(), np.abs(movement.shift).max()
    return Evidence(
        agrees,
        places=float(np.log(movement.agreeing)),
        matched=movement.agreeing / movement.matches,
        flatter=min(textures),
        richer=max(textures),
        unmoved=float(turned < STILL and shifted < STILL),
    )


@dataclass(frozen=True)
class Trees:
    """Boosted trees. A node asks whether a column is at most a limit; numbers below 0 are leaves, from -1 on."""

    column: Int64[np.ndarray, "tree node"]
    limit: Float32[np.ndarray, "tree node"]
    at_most: Int64[np.ndarray, "tree node"]
    above: Int64[np.ndarray, "tree node"]
    leaf: Float32[np.ndarray, "tree leaf"]

    def log_odds(self, known: Float32[np.ndarray, "pair column"]) -> Float32[np.ndarray, "pair"]:
        """The sum of the leaves that each row falls into."""
        trees = np.arange(len(self.leaf))
        at = np.zeros((len(known), len(trees)), dtype=np.int64)
        while (inner := at >= 0).any():
            node = np.maximum(at, 0)
            small = np.take_along_axis(known, self.column[trees, node], axis=1) <= self.limit[trees, node]
            step = np.where(small, self.at_most[trees, node], self.above[trees, node])
            at = np.where(inner, step, at)
        return self.leaf[trees, -1 - at].sum(axis=1, dtype=np.float32)

    @staticmethod
    def read(text: str) -> Trees:
        """The trees of a table ``tree, node, column, limit, at_most, above`` (the last two: a node, or ``=`` and a leaf)."""
        rows = [line.split("\t") for line in text.splitlines()[1:]]
        trees, nodes = int(rows[-1][0]) + 1, 1 + max(int(row[1]) for row in rows)
        column, at_most, above = (np.zeros((trees, nodes), np.int64) for _ in range(3))
        limit, leaf = np.zeros((trees, nodes), np.float32), np.zeros((trees, nodes + 1), np.float32)
        leaves = [0] * trees
        for tree, node, name, most, *branches in rows:
            place = int(tree), int(node)
            column[place], limit[place] = NAMES.index(name), float(most)
            for side, branch in zip((at_most, above), branches, strict=True):
                if branch.startswith("="):
                    leaf[place[0], leaves[place[0]]] = float(branch[1:])
                    leaves[place[0]] += 1
                    side[place] = -leaves[place[0]]
                else:
                    side[place] = int(branch)
        return Trees(column, limit, at_most, above, leaf)


def _table() -> str:
    return files("bowerbird.content").joinpath("copy_rule.tsv").read_text(encoding="utf-8")


@cache
def fitted_trees() -> Trees:
    """The trees that come with the package."""
    return Trees.read(_table())


@cache
def rule_fingerprint() -> str:
    """A hash of the trees that come with the package: a rule that is fitted again gives other verdicts."""
    return hashlib.blake2b(_table().encode(), digest_size=4).hexdigest()


def table_of(pairs: Sequence[Evidence]) -> Float32[np.ndarray, "pair column"]:
    """A row of :data:`NAMES` for each pair."""
    rows = [[columns[name] for name in NAMES] for columns in (one.columns() for one in pairs)]
    return np.array(rows, np.float32).reshape(len(rows), len(NAMES))


def copy_log_odds(pairs: Sequence[Evidence]) -> Float32[np.ndarray, "pair"]:
    """Log-odds that two photos laid on each other are the same, less :data:`STRICTER`.

    Two kinds of pairs are told apart by limits of their own, since too few of them are there to learn from. A photo given
    another colour in part, as shops do for variants, has its whole pattern in common with itself. And badly saved
    drawings, which pass for photos, share outlines and not what fills them.

    Cost: 20 CPU-microseconds a pair.
    """
    odds = fitted_trees().log_odds(table_of(pairs)) - np.float32(STRICTER)
    others = [_recoloured(one) or _drawn_otherwise(one) for one in pairs]
    return np.where(others, np.minimum(odds, np.float32(_DIFFERS)), odds)


def _recoloured(one: Evidence) -> bool:
    agrees = one.agrees
    return agrees.same_pattern >= SAME_EVERYWHERE and agrees.colour_of_pattern < RECOLOURED_BELOW


def _drawn_otherwise(one: Evidence) -> bool:
    drawn = one.unmoved > 0 and one.agrees.faint < DRAWN_BELOW and one.richer < SOME_TEXTURE
    return drawn and one.agrees.both < AGREE_EVERYWHERE - one.richer
