"""Scores for items nobody has met: what people did with items, carried over to new ones by their content.

Three ways say how well a new item fits a history, and a blend learnt on hidden items weighs them:

- **content**: how much it resembles the history's items, and **words**: how many of their rare words it shares;
- **learnt**: a bilinear form ``a M x`` of two contents, fitted so that it predicts which item follows which. It
  knows that ink follows a printer, which resemblance alone does not;
- **carried over**: a new item stands for the known items it resembles most, and is scored as they are by
  what was counted. The same mixture turns any table of vectors of known items into vectors of new ones.

Everything is closed-form: one inverse of content's width, no epochs. NumPy in, NumPy out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from pydantic import Field
from scipy import sparse

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.config import Settings

__all__ = ["ColdItemSettings", "ColdItems", "fitted_cold_items", "mixture_of_known"]

BLOCK_ROWS = 1024


class ColdItemSettings(Settings):
    """The dials of the mixture and of the learnt form."""

    near: int = Field(default=20, ge=1)
    """Known items a new item stands for."""
    sharpness: float = Field(default=20.0, gt=0.0)
    """A known item weighs ``exp(sharpness * cosine)`` in the mixture."""
    ridge: float = Field(default=1.0, gt=0.0)
    """Penalty of the learnt form, in units of the mean variance of content."""


@dataclass(frozen=True)
class ColdItems:
    """What is needed to score any item with content for any history, met before or not."""

    content: Float32[np.ndarray, "item dim"]
    """Centred unit vectors; zero rows for items without content."""
    form: Float32[np.ndarray, "dim dim"]
    """``M``."""
    pairs: sparse.csr_array
    """What follows what, counted on known items."""
    mixture: sparse.csr_array
    """Items by known items: a known item is itself, a new one the known items it resembles."""
    words: sparse.csr_array | None = None
    """Items by words, rows of length 1; None: no words are known."""

    def terms(self, histories: sparse.csr_array) -> dict[str, Float32[np.ndarray, "user item"]]:
        """The scores of every item, by name.

        Args:
            histories: users by items, the weights of what each did.
        """
        profile = np.asarray(histories @ self.content, dtype=np.float32)
        counted = histories @ self.pairs
        found = {
            "content": profile @ self.content.T,
            "learnt": (profile @ self.form) @ self.content.T,
            "carried over": np.asarray((counted @ self.mixture.T).toarray(), dtype=np.float32),
        }
        if self.words is not None:
            shared = (histories @ self.words) @ self.words.T
            found["words"] = np.asarray(shared.toarray(), dtype=np.float32)
        return found


def mixture_of_known(
    content: Float32[np.ndarray, "item dim"],
    known: Bool[np.ndarray, " item"],
    settings: ColdItemSettings | None = None,
    words: sparse.csr_array | None = None,
) -> sparse.csr_array:
    """Each item as a mixture of known items; ``mixture @ vectors`` gives vectors of new items too.

    A known item is itself. A new item is the ``near`` known items most like it, weights
    ``exp(sharpness * cosine)`` scaled to add up to 1; one without content is nothing at all. With words, the
    cosine is the mean of content's and theirs.

    Args:
        content: unit vectors; zero rows for items without content.
        known: which items people met.
        settings: the dials; defaults when None.
        words: items by words, rows of length 1; None: content alone says what is alike.

    Example:
        >>> content = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
        >>> mixture_of_known(content, np.array([True, True, False])).toarray().round(2).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    dials = settings or ColdItemSettings()
    described = np.abs(content).sum(axis=1) > 0
    sources = np.flatnonzero(known & described)
    fresh = np.flatnonzero(~known & described)
    same = np.flatnonzero(known)
    rows, columns, values = [same], [same], [np.ones(same.size, dtype=np.float32)]
    near = min(dials.near, sources.size)
    for first in range(0, fresh.size if near else 0, BLOCK_ROWS):
        part = fresh[first : first + BLOCK_ROWS]
        alike = content[part] @ content[sources].T
        if words is not None:
            alike = 0.5 * (alike + (words[part] @ words[sources].T).toarray())
        best = top_k_rows(alike, near)
        weight = np.exp(dials.sharpness * (np.take_along_axis(alike, best, axis=1) - 1.0))
        rows.append(np.repeat(part, near))
        columns.append(sources[best].ravel())
        values.append((weight / weight.sum(axis=1, keepdims=True)).astype(np.float32).ravel())
    shape = (known.size, known.size)
    parts = (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_array((np.concatenate(values), parts), shape=shape).tocsr()


def fitted_cold_items(
    content: Float32[np.ndarray, "item dim"],
    pairs: sparse.csr_array,
    known: Bool[np.ndarray, " item"],
    settings: ColdItemSettings | None = None,
    words: sparse.csr_array | None = None,
) -> ColdItems:
    """Fit the learnt form and the mixture.

    ``M`` minimises ``|C M C' - P|^2 + ridge`` over known items, with ``C`` their content and ``P`` the
    counts of what follows what: ``M = (C'C + r I)^-1 C'PC (C'C + r I)^-1``.

    Args:
        content: vectors of all items, any length; zero rows for items without content.
        pairs: item by item, how strongly the second follows the first; only known items.
        known: which items people met.
        settings: the dials; defaults when None.
        words: items by words, rows of length 1; None: no words are known.

    Cost: ``items dim^2`` and an inverse of ``dim``.

    Source: the closed form is the two-sided ridge regression of a bilinear model (Romera-Paredes & Torr,
    ICML 2015, eq. 4); the use for cold items is in the spirit of DropoutNet (NeurIPS 2017).
    """
    dials = settings or ColdItemSettings()
    described = np.abs(content).sum(axis=1, keepdims=True) > 0
    unit = normalise(content)
    centre = unit[described[:, 0]].mean(axis=0) if described.any() else 0.0
    centred = normalise(np.where(described, unit - centre, 0.0).astype(np.float32))
    warm = centred[known]
    gram = (warm.T @ warm).astype(np.float64)
    gram[np.diag_indices_from(gram)] += dials.ridge * max(float(np.trace(gram)) / gram.shape[0], 1e-6)
    crossed = centred.T @ np.asarray(pairs @ centred, dtype=np.float64)
    half = np.linalg.solve(gram, crossed)
    form = np.linalg.solve(gram, half.T).T
    mixture = mixture_of_known(centred, known, dials, words)
    return ColdItems(centred, form.astype(np.float32), pairs, mixture, words)
