"""Splits of interactions into train, validation and test: the protocols the field compares under.

Models fit on ``train``, hyper-parameters are chosen on ``valid``, and ``test`` is looked at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.recommenders.interactions import Interactions

__all__ = [
    "SPLIT_WORDS",
    "Split",
    "WarmSplit",
    "given_split",
    "global_time",
    "leave_one_out",
    "per_item_stratified",
    "random_holdout",
    "warm_split",
]


SPLIT_WORDS = {
    "train": 0,
    "training": 0,
    "restval": 0,
    "dev": 1,
    "val": 1,
    "valid": 1,
    "validation": 1,
    "eval": 1,
    "test": 2,
    "testing": 2,
}
"""Words of a split column: 0 train, 1 validation, 2 test. ``restval`` is of Karpathy's captions."""


@dataclass(frozen=True)
class Split:
    """Three disjoint parts of one set of interactions; ``valid`` may be empty."""

    train: Interactions
    valid: Interactions
    test: Interactions
    boundaries: tuple[int, int] | None = None
    """Where validation and test begin, microseconds UTC; only a split by time has them."""


@dataclass(frozen=True)
class WarmSplit:
    """A split without cold users and items, and how many events that cost."""

    split: Split
    cold_events: int
    """Test events whose user or item train does not know."""


def leave_one_out(interactions: Interactions) -> Split:
    """Each user's last event is test, the last but one validation, the rest train.

    A user with fewer than 3 events has nothing to learn and to check from: all of theirs are train.

    Source: the protocol of SASRec (Kang & McAuley, ICDM 2018). It lets train hold events later than
    another user's test event; :func:`global_time` does not.

    Example:
        >>> import pyarrow as pa
        >>> split = leave_one_out(Interactions.from_table(pa.table({"user_id": [1] * 4, "item_id": [5, 6, 7, 8]})))
        >>> split.train.items.tolist(), split.valid.items.tolist(), split.test.items.tolist()
        ([0, 1], [2], [3])
    """
    ages = interactions.ages()
    long_enough = np.bincount(interactions.users, minlength=interactions.users_total)[interactions.users] >= 3
    return _parts(interactions, long_enough & (ages == 1), long_enough & (ages == 0))


def global_time(interactions: Interactions, test_share: float = 0.1) -> Split:
    """Everything from one moment on is test: nobody's future is in anybody's train.

    Test begins at the ``1 - test_share`` quantile of the event times, validation at the
    ``1 - 2 * test_share`` quantile; an event at the very moment belongs to the later part.

    Args:
        interactions: with times.
        test_share: share of events in test, in (0, 0.5).

    Raises:
        InputError: there are no times, or all events before the moment would be gone.

    Source: Time to Split, arXiv 2507.16289 (T = 0.9 quantile).
    """
    if interactions.at is None:
        raise InputError(
            "protocol time: the events have no 'at' column; expected times, or say which column they are "
            "(--columns time=NAME), or use the protocol loo"
        )
    if not 0 < test_share < 0.5:
        raise InputError(f"protocol time: test_share = {test_share}; expected a share in (0, 0.5)")
    valid_from, test_from = np.quantile(
        interactions.at, [1 - 2 * test_share, 1 - test_share], method="higher"
    ).tolist()
    test = interactions.at >= test_from
    valid = (interactions.at >= valid_from) & ~test
    if (test | valid).all():
        raise InputError(
            f"protocol time: no event lies before validation begins at {valid_from} us; "
            "expected times that spread; do all events carry the same time?"
        )
    parts = _parts(interactions, valid, test)
    return Split(parts.train, parts.valid, parts.test, (int(valid_from), int(test_from)))


def warm_split(split: Split, core: int) -> WarmSplit:
    """The part of a split that models of behaviour can answer for: users and items well known from train.

    Train is cut until every user and item has ``core`` events; validation and test keep only those
    users and items. The item vocabulary shrinks with it, so the ranking is over known items.

    Args:
        split: any split.
        core: least number of train events of a user and of an item, at least 1.

    Raises:
        InputError: nothing is left of train or of test.

    Source: Time to Split, arXiv 2507.16289: k-core on train only, cold ones counted apart.
    """
    train = split.train
    while len(train):
        users = np.bincount(train.users, minlength=train.users_total)
        enough = (users[train.users] >= core) & (train.popularity()[train.items] >= core)
        if enough.all():
            break
        train = train.where(enough)
    known_users = np.bincount(train.users, minlength=train.users_total) > 0
    known_items = train.popularity() > 0
    valid, test = (
        part.where(known_users[part.users] & known_items[part.items]) for part in (split.valid, split.test)
    )
    if len(train) == 0 or len(test) == 0:
        raise InputError(
            f"split: {len(train)} train and {len(test)} test events are left of {len(split.train)} and "
            f"{len(split.test)} when users and items need {core} train events; expected denser data or the protocol loo"
        )
    parts = (part.with_items(known_items) for part in (train, valid, test))
    return WarmSplit(Split(*parts, boundaries=split.boundaries), len(split.test) - len(test))


def random_holdout(interactions: Interactions, share: float, seed: int) -> Split:
    """Random events are test, as many random others validation.

    Args:
        interactions: in any order.
        share: share of events in test, and again in validation, in (0, 0.5).
        seed: decides which.

    Raises:
        InputError: the share is out of range.
    """
    if not 0 < share < 0.5:
        raise InputError(f"holdout = {share}; expected a share in (0, 0.5), e.g. 0.1")
    place = generator(seed, "random_holdout").permutation(len(interactions))
    size = max(1, round(share * len(interactions)))
    return _parts(interactions, (place >= size) & (place < 2 * size), place < size)


def per_item_stratified(interactions: Interactions, ratio: float = 0.75, seed: int = 42) -> Split:
    """Of each item's ``n`` events ``floor(ratio * n)`` random ones are train, the rest test; no validation.

    The only event of an item is therefore test, where no model can know the item. Numbers are drawn in
    order of the ids, so that copies of one data set in different row orders are split alike; the board
    draws in the row order of its file, which is another draw of the same split.

    Args:
        interactions: in any order.
        ratio: share of train, in (0, 1).
        seed: the public board uses 42.

    Raises:
        InputError: the ratio is out of range.

    Source: Microsoft Recommenders, ``python_stratified_split(filter_by="item")``, re-implemented.
    """
    if not 0 < ratio < 1:
        raise InputError(f"ratio = {ratio}; expected a share in (0, 1), 0.75 is usual")
    # numpy's old generator is what the board's seed means
    draw = np.empty(len(interactions))
    by_id = np.lexsort(
        (
            _id_ranks(interactions.item_ids)[interactions.items],
            _id_ranks(interactions.user_ids)[interactions.users],
        )
    )
    draw[by_id] = np.random.RandomState(seed).rand(len(interactions))
    order = np.lexsort((draw, interactions.items))
    count = interactions.popularity()
    starts = np.cumsum(count) - count
    place = np.empty(len(interactions), dtype=np.int64)
    place[order] = np.arange(len(interactions)) - starts[interactions.items[order]]
    test = (place + 1) / count[interactions.items] > ratio
    return _parts(interactions, np.zeros_like(test), test)


def given_split(interactions: Interactions) -> Split:
    """The split the data came with, in its ``split`` column: train, valid (or val, dev) and test.

    Raises:
        InputError: there is no such column, it has other values, or train or test is empty.
    """
    if interactions.split is None:
        raise InputError("events: no column 'split'; expected train | valid | test, or pass --holdout 0.1")
    codes = np.array([SPLIT_WORDS.get(word, -1) for word in interactions.split.tolist()], dtype=np.int64)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise InputError(
            f"events: split {str(interactions.split[row])!r} ({int((codes < 0).sum())} such rows); "
            f"expected one of {', '.join(SPLIT_WORDS)}"
        )
    parts = _parts(interactions, codes == 1, codes == 2)
    for name, part in (("train", parts.train), ("test", parts.test)):
        if len(part) == 0:
            raise InputError(f"events: the column 'split' marks no row as {name!r}; expected some")
    return parts


def _id_ranks(ids: Shaped[np.ndarray, " id"]) -> Int64[np.ndarray, " id"]:
    """Places of the ids in order: as numbers when all are whole numbers, else as text."""
    keys = ids.astype(np.int64) if np.char.isdecimal(ids).all() and np.char.str_len(ids).max() < 19 else ids
    ranks = np.empty(ids.size, dtype=np.int64)
    ranks[np.argsort(keys, kind="stable")] = np.arange(ids.size)
    return ranks


def _parts(
    interactions: Interactions, valid: Bool[np.ndarray, " event"], test: Bool[np.ndarray, " event"]
) -> Split:
    return Split(interactions.where(~(valid | test)), interactions.where(valid), interactions.where(test))
