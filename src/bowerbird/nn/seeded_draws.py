"""Torch's own draws, seeded for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded_draws"]


@contextmanager
def seeded_draws(seed: int) -> Iterator[None]:
    """What torch draws while the block runs is decided by a seed; the program's own stream goes on afterwards.

    First weights and torch's dropout draw from one stream of the whole process. Seeding that for good would change
    what somebody else's program draws after it has called us.

    Args:
        seed: the seed of the block.

    Example:
        >>> _ = torch.manual_seed(5)
        >>> with seeded_draws(1):
        ...     ours = torch.rand(1)
        >>> theirs = torch.rand(1)
        >>> _ = torch.manual_seed(5)
        >>> bool(torch.rand(1) == theirs)
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
