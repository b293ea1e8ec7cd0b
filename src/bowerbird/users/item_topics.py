"""Topics of a catalogue: items that the same people meet, and that are alike by content, in a few dozen groups.

What a person's several interests are named by where no taxonomy is at hand; the groups are found, not declared.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int32
from scipy.cluster.vq import kmeans2

from bowerbird.arrays import normalise
from bowerbird.randomness import generator
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interaction_svd import ItemBasis

__all__ = ["engaged_topics", "item_topics"]

DIRECTIONS = 32
LEAST_TOPICS, MOST_TOPICS = 4, 128
ROUNDS = 20
STEP_DECAY = 0.95


def item_topics(
    past: Behaviour, content: Float32[np.ndarray, "item width"] | None, seed: int
) -> Int32[np.ndarray, "item"]:
    """The topic of each item, from 1 on; 0 for items that nobody met and nothing is known of.

    Items are told apart by the leading directions of who met what and by their content, which weigh the same; half
    as many topics as the square root of the items.

    Args:
        past: who met what.
        content: a vector for each item, zeros where nothing is known; None: behaviour alone.
        seed: decides where the groups begin.

    Cost: a sparse decomposition, and 20 rounds of items x topics x width products.
    """
    met = ItemBasis.fitted(past, DIRECTIONS, seed)
    # nearness is how alike the people are who met two items
    parts = [normalise(met.basis * met.strengths**2)]
    if content is not None:
        parts.append(normalise(content))
    place = normalise(np.concatenate(parts, axis=1))
    known = np.flatnonzero(place.any(axis=1))
    topics = np.zeros(past.items_total, dtype=np.int32)
    wanted = min(int(np.clip(round(np.sqrt(known.size) / 2), LEAST_TOPICS, MOST_TOPICS)), known.size)
    if wanted:
        random = generator(seed, "item topics")
        _, labels = kmeans2(place[known], wanted, iter=ROUNDS, minit="++", rng=random)
        topics[known] = labels + 1
    return topics


def engaged_topics(
    topics: Int32[np.ndarray, "step"], most: int
) -> tuple[Int32[np.ndarray, "topic"], Float32[np.ndarray, "topic"]]:
    """The topics a person engaged with, the weightiest first, and the share of each.

    A step weighs ``.95**age``, so that about the newest twenty count.

    Args:
        topics: of each step's item, oldest first; 0 for none.
        most: topics that are kept.

    Example:
        >>> topics, shares = engaged_topics(np.array([3, 5, 5, 0], np.int32), most=2)
        >>> topics.tolist(), [f"{share:.2f}" for share in shares]
        ([5, 3], ['0.68', '0.32'])
    """
    weights = STEP_DECAY ** np.arange(topics.size - 1, -1, -1, dtype=np.float64)
    totals = np.bincount(topics, weights)
    totals[:1] = 0.0
    order = np.argsort(-totals, kind="stable")[:most].astype(np.int32)
    order = order[totals[order] > 0]
    shares = totals[order] / max(float(totals[order].sum()), 1e-12)
    return order, shares.astype(np.float32)
