"""Randomness as an argument: a seed in, a generator derived from it and from names."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends only on the seed and the names.

    Two parts of a program that use different names draw independent streams, so adding a draw in
    one never changes the other.

    Args:
        seed: the user's seed.
        names: what the stream is for, e.g. ``"world", "people"``.

    Example:
        >>> a = generator(7, "world").integers(100, size=3)
        >>> b = generator(7, "world").integers(100, size=3)
        >>> bool((a == b).all())
        True
    """
    return np.random.Generator(np.random.PCG64(_key(seed, names)))


def fast_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Like :func:`generator`, for streams of many megabytes: SFC64 draws bytes about twice as fast."""
    return np.random.Generator(np.random.SFC64(_key(seed, names)))


def _key(seed: int, names: tuple[str | int, ...]) -> int:
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
