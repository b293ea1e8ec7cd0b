"""Factors of who met what: a person's are the least-squares solution, and nobody's are zeros."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from bowerbird.users.interaction_factors import IalsSettings, InteractionFactors

SETTINGS = IalsSettings(dim=4, iterations=3)


def two_tastes(people: int = 30, items: int = 20) -> sparse.csr_matrix:
    """Half of the people take from either half of the items; the last person takes nothing."""
    random = np.random.default_rng(0)
    met = (random.random((people, items)) < 0.4).astype(np.float32)
    met[: people // 2, items // 2 :] = 0
    met[people // 2 :, : items // 2] = 0
    met[-1] = 0
    return sparse.csr_matrix(met)


def test_a_persons_factors_solve_the_weighted_least_squares_of_what_they_met():
    met = two_tastes()
    factors = InteractionFactors.fitted(met, SETTINGS, 0)
    items = factors.items.astype(np.float64)
    weight = 1.0 / SETTINGS.unobserved_weight
    penalty = SETTINGS.penalty(met.nnz, met.shape) * weight
    own = met[3].toarray().ravel()
    confidence = np.where(own > 0, weight, 1.0)
    left = items.T @ (confidence[:, None] * items) + penalty * np.eye(4)
    expected = np.linalg.solve(left, items.T @ (confidence * own))
    np.testing.assert_allclose(factors.people(met)[3], expected, rtol=1e-3, atol=1e-4)


def test_people_of_one_taste_are_nearer_and_nobody_is_nowhere():
    met = two_tastes()
    people = InteractionFactors.fitted(met, SETTINGS, 0).people(met)
    unit = people[:-1] / np.linalg.norm(people[:-1], axis=1, keepdims=True)
    alike = unit @ unit.T
    same = alike[:15, :15].mean() + alike[15:, 15:].mean()
    assert same > 2 * alike[:15, 15:].mean() + 0.5
    assert not people[-1].any()


def test_later_moments_are_solved_for_without_a_new_fit():
    met = two_tastes()
    factors = InteractionFactors.fitted(met, SETTINGS, 0)
    new = int(np.flatnonzero(met[3].toarray().ravel() == 0)[0])
    more = met.tolil()
    more[3, new] = 1.0
    later = factors.people(sparse.csr_matrix(more))
    np.testing.assert_allclose(
        np.delete(later, 3, axis=0), np.delete(factors.people(met), 3, axis=0), rtol=1e-5
    )
    assert not np.allclose(later[3], factors.people(met)[3])
