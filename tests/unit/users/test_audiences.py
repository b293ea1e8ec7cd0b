"""Look-alikes on planted lists: people who share one direction among twenty."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.users.audiences import look_alikes


def crowd(people=1500, dim=20, seed=0):
    """Half of a hidden group is the list; loud directions that say nothing drown the centroid."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((people, dim)).astype(np.float32)
    vectors[:, :5] *= 6.0
    member = np.arange(people) < 200
    vectors[member, 10] += 3.0
    return vectors, member


@pytest.mark.parametrize("seeds", [10, 30, 100])
def test_the_rest_of_a_hidden_group_is_found_and_better_than_by_centroid(seeds):
    vectors, member = crowd()
    found = look_alikes(vectors, np.ones(len(vectors), bool), np.arange(seeds), 80, seed=0)
    assert member[found.rows].mean() > (0.3 if seeds == 10 else 0.6)
    assert found.auc >= found.centroid_auc
    assert not set(found.rows.tolist()) & set(range(seeds))


def test_people_without_a_vector_are_neither_seeds_nor_found():
    vectors, _ = crowd(300)
    known = np.arange(300) % 2 == 0
    found = look_alikes(vectors, known, np.arange(40), 500, seed=0)
    assert known[found.rows].all()
    assert len(found.rows) == 150 - 20


def test_the_seed_decides_and_too_few_seeds_are_refused():
    vectors, _ = crowd(200)
    everybody = np.ones(200, bool)
    one, other = (look_alikes(vectors, everybody, np.arange(20), 50, seed=3) for _ in range(2))
    assert one.rows.tolist() == other.rows.tolist()
    with pytest.raises(InputError, match="at least 3 seeds"):
        look_alikes(vectors, everybody, np.array([1, 2]), 5, seed=0)
