from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, NotFoundError
from bowerbird.recommenders.ease import Ease, EaseSettings, inverse_of_gram
from bowerbird.recommenders.graph_filter import GraphFilter, GraphFilterSettings
from bowerbird.recommenders.ials import Ials
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_knn import ItemKnn, ItemKnnSettings
from bowerbird.recommenders.popularity import Popularity, last_30_days
from bowerbird.recommenders.random_walk import RandomWalk
from bowerbird.recommenders.recommender import Histories, Recommender, recommender, recommender_names
from bowerbird.recommenders.seq_knn import SeqKnn
from bowerbird.recommenders.user_knn import UserKnn
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.users.interaction_factors import IalsSettings

ITEMS = 5
SMALL_IALS = IalsSettings(dim=4, iterations=3)
MODELS: list[Recommender] = [
    Popularity(),
    ItemKnn(),
    ItemKnn(ItemKnnSettings(history_decay=0.7)),
    SeqKnn(),
    Ease(EaseSettings(regularisation=1.0)),
    Ease(EaseSettings(regularisation=1.0, history_decay=0.7)),
    Ials(SMALL_IALS),
    GraphFilter(GraphFilterSettings(dim=2)),
    RandomWalk(),
    UserKnn(),
]


def interactions(pairs: list[tuple[int, int]]) -> Interactions:
    """Events with the whole catalogue in order: one extra user meets every item once."""
    everything = [(99, item) for item in range(ITEMS)]
    rows = everything + pairs
    return Interactions.from_table(
        pa.table({"user_id": [u for u, _ in rows], "item_id": [i for _, i in rows]})
    )


def histories(*items: list[int]) -> Histories:
    users = np.repeat(np.arange(len(items)), [len(row) for row in items]).astype(np.int32)
    return Histories(users, np.array([i for row in items for i in row], dtype=np.int32), len(items), ITEMS)


TRAIN = interactions([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 3), (3, 0)])


@pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: f"{type(model).__name__}-{model.settings.fingerprint()}"
)
def test_a_batch_equals_one_by_one(model: Recommender):
    fitted = model.fit(TRAIN, seed=1)
    batch = fitted.scores(histories([0, 1], [3], []))
    assert batch.dtype == np.float32
    for place, history in enumerate(([0, 1], [3], [])):
        np.testing.assert_allclose(batch[place], fitted.scores(histories(history))[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: f"{type(model).__name__}-{model.settings.fingerprint()}"
)
def test_the_same_seed_gives_the_same_model(model: Recommender):
    asked = histories([0, 1])
    assert (model.fit(TRAIN, 1).scores(asked) == model.fit(TRAIN, 1).scores(asked)).all()
    other = model.fit(TRAIN, 2).scores(asked)
    assert (other == model.fit(TRAIN, 1).scores(asked)).all() != model.uses_seed


@pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: f"{type(model).__name__}-{model.settings.fingerprint()}"
)
def test_variants_are_of_the_same_kind_and_differ(model: Recommender):
    variants = model.variants()
    assert {type(variant) for variant in variants} == {type(model)}
    assert len({variant.settings.fingerprint() for variant in variants}) == len(variants)


def test_popularity_counts_events():
    assert Popularity().fit(TRAIN, 0).scores(histories([1], []))[1].tolist() == [5, 3, 2, 2, 1]


def test_recent_popularity_forgets_old_events():
    table = pa.table(
        {
            "user_id": [1, 1, 2],
            "item_id": ["old", "new", "new"],
            "at": pa.array([0, 40 * DAY_US, 41 * DAY_US], pa.timestamp("us")),
        }
    )
    assert last_30_days().fit(Interactions.from_table(table), 0).counts.tolist() == [0, 2]


def test_recent_popularity_needs_times():
    with pytest.raises(InputError, match="no 'at' column"):
        last_30_days().fit(TRAIN, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, ITEMS - 1)), max_size=20), st.floats(0, 20))
def test_itemknn_equals_a_loop(pairs: list[tuple[int, int]], shrink: float):
    train = interactions(pairs)
    met = {
        item: {u for u, i in [*pairs, *((99, i) for i in range(ITEMS))] if i == item} for item in range(ITEMS)
    }
    found = (
        ItemKnn(ItemKnnSettings(shrink=shrink, history_decay=0.5)).fit(train, 0).scores(histories([0, 1]))[0]
    )
    for j in range(ITEMS):
        terms = [
            weight * len(met[i] & met[j]) / ((len(met[i]) * len(met[j])) ** 0.5 + shrink) * (i != j)
            for i, weight in ((0, 0.5), (1, 1.0))
        ]
        assert found[j] == pytest.approx(sum(terms), abs=1e-5)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, ITEMS - 1)), max_size=20), st.floats(0.5, 50))
def test_ease_solves_its_own_least_squares(pairs: list[tuple[int, int]], regularisation: float):
    # the slow twin: each column j is a ridge regression on all other items
    train = interactions(pairs)
    X = train.matrix().toarray().astype(np.float64)
    found = Ease(EaseSettings(regularisation=regularisation)).fit(train, 0).weights
    for j in range(ITEMS):
        others = [i for i in range(ITEMS) if i != j]
        A = X[:, others].T @ X[:, others] + regularisation * np.eye(ITEMS - 1)
        np.testing.assert_allclose(found[others, j], np.linalg.solve(A, X[:, others].T @ X[:, j]), atol=1e-4)
        assert found[j, j] == 0


def test_the_inverse_is_mirrored_across_blocks():
    matrix = sparse.random_array((3000, 1500), density=0.004, rng=np.random.default_rng(1), dtype=np.float32)
    gram = (matrix.T @ matrix).toarray() + 10 * np.eye(1500)
    found = inverse_of_gram(sparse.csr_array(matrix), 10.0)
    np.testing.assert_allclose(found @ gram, np.eye(1500), atol=1e-4)
    assert (found == found.T).all()


def test_a_gram_matrix_that_float32_cannot_factor_is_explained():
    heavy = sparse.csr_array(np.full((2, 2), 1e4, dtype=np.float32))
    with pytest.raises(InputError, match="larger regularisation"):
        inverse_of_gram(heavy, 1e-6)


def test_a_catalogue_that_does_not_fit_is_refused_before_the_work():
    # 5 items x 5 items x 4 bytes = 100 bytes
    with pytest.raises(
        InputError,
        match=r"EASE: about 0\.0 GB .* for items x items; .* leave ease out of --models, or keep fewer items \(5\)",
    ):
        Ease(available=lambda: 99).fit(TRAIN, 0)
    Ease(available=lambda: 100).fit(TRAIN, 0)


def test_seqknn_is_the_served_co_occurrence():
    history = np.array([0, 1])
    table = SequentialCooccurrence.fit(TRAIN.users, TRAIN.items, items_total=ITEMS)
    found = SeqKnn().fit(TRAIN, 0).scores(histories([0, 1]))[0]
    assert found.tolist() == table.scores(history).tolist()


def test_ials_prefers_what_alike_people_took():
    # people 0..9 took 0 and 1, people 10..19 took 2 and 3
    pairs = [(u, i) for u in range(10) for i in (0, 1)] + [(u, i) for u in range(10, 20) for i in (2, 3)]
    scores = Ials(SMALL_IALS).fit(interactions(pairs), 0).scores(histories([0]))[0]
    assert scores[1] > scores[2:].max()


def test_itemknn_scores_alike_in_its_sparse_and_its_dense_form():
    # without the user who met everything most pairs are empty
    pairs = [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4)]
    table = pa.table({"user_id": [u for u, _ in pairs], "item_id": [i for _, i in pairs]})
    thin = ItemKnn().fit(Interactions.from_table(table), 0)
    assert sparse.issparse(thin.similarity)
    dense = replace(thin, similarity=thin.similarity.toarray())
    asked = histories([0], [2, 4])
    np.testing.assert_allclose(thin.scores(asked), dense.scores(asked))
    assert not sparse.issparse(ItemKnn().fit(TRAIN, 0).similarity)


def test_the_penalty_of_ials_follows_the_events():
    events, users = len(TRAIN), TRAIN.users_total
    expected = 0.1 * ((events / users) * (events / ITEMS)) ** 0.5
    assert IalsSettings(regularisation=0.1).penalty(events, (users, ITEMS)) == pytest.approx(expected)


def test_a_bag_counts_an_item_once_and_a_decayed_history_every_time():
    twice = histories([2, 2])
    assert twice.weights().toarray()[0, 2] == 1
    assert twice.weights(0.5).toarray()[0, 2] == 1 + 0.5


def test_the_built_ins_are_plugins():
    built_in = {"pop", "pop-30d", "itemknn", "itemknn-recency", "seqknn", "ease", "ease-recency", "ials"}
    assert built_in <= set(recommender_names())
    assert all(recommender(name).summary for name in built_in)


def test_an_unknown_model_is_refused_with_a_hint():
    with pytest.raises(NotFoundError, match="did you mean 'seqknn'"):
        recommender("seqkn")
