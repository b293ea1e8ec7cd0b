"""Models say before they are fitted that they would not fit into memory, and what to lower."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from bowerbird import telemetry
from bowerbird.clock import DAY_US
from bowerbird.errors import TooLargeError
from bowerbird.recommenders import memory
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.memory import pairs_sharing_people
from bowerbird.recommenders.ours import neighbours
from bowerbird.recommenders.recommender import recommender
from bowerbird.telemetry import require_memory

PEOPLE, ITEMS, EVENTS = 60, 80, 900


@pytest.fixture
def train() -> Interactions:
    random = np.random.default_rng(0)
    return Interactions(
        np.sort(random.integers(0, PEOPLE, EVENTS)).astype(np.int32),
        random.integers(0, ITEMS, EVENTS).astype(np.int32),
        np.arange(PEOPLE).astype(str),
        np.arange(ITEMS).astype(str),
    )


def test_the_largest_part_decides_the_advice():
    parts = {"tables": (3e9, "lower width (8)"), "rows": (1e9, "keep fewer rows")}
    require_memory("x", parts, lambda: 4_000_000_000)
    with pytest.raises(
        TooLargeError,
        match=r"x: about 4\.0 GB are needed, 3\.0 of them for tables; 2\.0 GB .*: lower width \(8\)",
    ):
        require_memory("x", parts, lambda: 2_000_000_000)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "itemknn",
            r"ItemKNN: .* pairs of items; .* keep fewer items \(80\), or only each person's newest events",
        ),
        ("rp3beta", r"RP3beta: .* pairs of items"),
        ("gfcf", r"GF-CF: .* pairs of items"),
        ("ials", r"iALS: .* lower dim \(64\)"),
        ("seqknn", r"sequential co-occurrence: .* lower window \(10\), or keep fewer items \(80\)"),
        ("ease", r"EASE: .* leave ease out"),
    ],
)
def test_a_model_that_would_not_fit_says_what_to_lower(monkeypatch, train, name, advice):
    model = recommender(name)
    monkeypatch.setattr(telemetry, "memory_available", lambda: 1_000)
    monkeypatch.setattr(memory, "memory_available", lambda: 1_000)
    with pytest.raises(TooLargeError, match=advice):
        model.fit(train, 0)


def test_wide_factors_of_the_graph_filter_say_so(monkeypatch, train):
    pairs = memory.PAIR_BYTES * ITEMS**2
    monkeypatch.setattr(telemetry, "memory_available", lambda: pairs)
    monkeypatch.setattr(memory, "memory_available", lambda: pairs)
    with pytest.raises(TooLargeError, match=r"GF-CF: .* vectors of people and items; .* lower dim \(256\)"):
        recommender("gfcf").fit(train, 0)


def test_the_blend_goes_on_without_what_does_not_fit_and_says_so(monkeypatch, train):
    monkeypatch.setattr(telemetry, "memory_available", lambda: 1_000)
    monkeypatch.setattr(memory, "memory_available", lambda: 1_000)
    fitted = neighbours().fit(train, 0)
    assert "pop" in fitted.mixture.models
    for name in ("seqknn", "itemknn-recency", "ease"):
        assert fitted.chosen[name].startswith("left out: ")
        assert name not in fitted.mixture.models


def test_the_universal_vector_says_what_to_lower(monkeypatch):
    pytest.importorskip("torch")
    from bowerbird.training.universal import fit_universal
    from bowerbird.users.behaviour import Behaviour

    random = np.random.default_rng(1)
    at = np.sort(random.integers(0, 90 * DAY_US, 500))
    past = Behaviour.of(random.integers(0, 40, 500), random.integers(0, 9, 500), at, (40, 9))
    monkeypatch.setattr(telemetry, "memory_available", lambda: 1_000)
    with pytest.raises(
        TooLargeError, match=r"user_universal: .* lower most_moments \(8\) or basis_dim \(96\)"
    ):
        fit_universal(past, 90 * DAY_US, 0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_are_counted_nearly_from_some_of_the_items(seed):
    random = np.random.default_rng(seed)
    share = np.minimum(1.0, 6.0 / np.arange(1, 3001))
    matrix = sparse.csr_array((random.random((400, 3000)) < share).astype(np.float32))
    exact = (matrix.T @ matrix).nnz
    assert pairs_sharing_people(matrix) == pytest.approx(exact, rel=0.1)
    each = np.diff(matrix.indptr)
    assert pairs_sharing_people(matrix, limit=1e12) == min(3000**2, float(each @ each))
