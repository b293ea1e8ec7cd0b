"""The ranker of interests: calibrated on items it never saw, parents at least as likely, evidence under the node."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.content.interest_ranking import AskedItems, fitted_ranker
from bowerbird.content.interests import ItemInterests, NodeWords, item_interests
from bowerbird.content.taxonomy import Taxonomy
from bowerbird.records import Space, Vectors

SPACE, WORDS = Space("item", "1", 16), Space("text", "1", 16)
PATHS = [f"{top}/{leaf}" for top in "abc" for leaf in "xyz"]


def world(items: int, seed: int, noise: float):
    """Items around their leaf's place; a third has no category. Words say the leaf less clearly than looks."""
    rng = np.random.default_rng(seed)
    places = np.random.default_rng(1).normal(size=(len(PATHS), 16))
    leaf = rng.integers(len(PATHS), size=items)
    look = (places[leaf] + noise * rng.normal(size=(items, 16))).astype(np.float32)
    said = (places[leaf] + 2 * noise * rng.normal(size=(items, 16))).astype(np.float32)
    hidden = rng.random(items) < 1 / 3
    categories = [None if gone else PATHS[one] for gone, one in zip(hidden, leaf, strict=True)]
    tree = Taxonomy.from_paths(PATHS)
    own = {path: places[PATHS.index(path)] for path in PATHS}
    names = np.stack([own.get(path, np.zeros(16)) for path in tree.paths]).astype(np.float32)
    texts = Vectors.full(WORDS, said / np.linalg.norm(said, axis=1, keepdims=True))
    words = NodeWords(
        texts, Vectors.full(WORDS, names / np.maximum(np.linalg.norm(names, axis=1, keepdims=True), 1e-9))
    )
    vectors = Vectors.full(SPACE, look)
    teachers = np.flatnonzero(~hidden)
    known = AskedItems(teachers, vectors.take(teachers), texts.take(teachers))
    return categories, tree, vectors, words, known, leaf, hidden


@pytest.fixture(scope="module")
def placed():
    categories, tree, vectors, words, known, leaf, hidden = world(1500, 3, noise=1.6)
    labels = item_interests(categories, tree, vectors, words=words, known=known)
    return labels, leaf, hidden, item_interests(categories, tree, vectors)


def calibration_error(labels: ItemInterests, leaf: np.ndarray, hidden: np.ndarray) -> float:
    own = labels.inferred
    paths = [labels.taxonomy.paths[node] for node in labels.nodes[own]]
    true = np.array(
        [
            f"{PATHS[leaf[row]]}/".startswith(f"{path}/")
            for row, path in zip(labels.rows[own], paths, strict=True)
        ]
    )
    scores = labels.scores[own]
    assert set(labels.rows[own].tolist()) <= set(np.flatnonzero(hidden).tolist())
    bins = np.clip((scores * 10).astype(int), 0, 9)
    return sum(
        (bins == one).mean() * abs(scores[bins == one].mean() - true[bins == one].mean())
        for one in np.unique(bins)
    )


def test_probabilities_hold_for_items_that_truly_have_no_category(placed):
    labels, leaf, hidden, votes = placed
    assert calibration_error(labels, leaf, hidden) < 0.05
    assert calibration_error(labels, leaf, hidden) < calibration_error(votes, leaf, hidden)


def test_a_parent_is_at_least_as_likely_as_its_child(placed):
    labels = placed[0]
    scores = labels.matrix().toarray()
    for node, parent in enumerate(labels.node_parents.tolist()):
        if parent >= 0:
            assert (scores[:, parent] >= scores[:, node]).all()


def test_a_label_rests_on_items_of_its_node_and_the_table_names_them(placed):
    labels, leaf, hidden, _ = placed
    table = labels.to_table([f"i{row}" for row in range(labels.items)])
    guessed = [line for line in table.to_pylist() if line["inferred"]]
    rested = [line for line in guessed if line["evidence"]]
    assert len(rested) > 0.9 * len(guessed)
    for line in rested[:200]:
        for name in line["evidence"]:
            row = int(name[1:])
            assert not hidden[row]
            assert f"{PATHS[leaf[row]]}/".startswith(f"{line['path']}/")
        assert line["similarity"] == sorted(line["similarity"], reverse=True)
    again = ItemInterests.from_table(table)
    assert (again.scores == labels.scores).all()


def test_a_node_that_no_neighbour_has_comes_into_question_by_its_name():
    tree = Taxonomy.from_paths(["a", "b"])
    names = Vectors.full(WORDS, np.eye(2, 16, dtype=np.float32))
    items = Vectors.full(WORDS, np.eye(2, 16, dtype=np.float32)[[0, 0, 0, 1]])
    looks = Vectors.full(SPACE, np.ones((4, 16), np.float32))
    known = AskedItems(np.array([0, 1, 2]), looks.take(np.arange(3)), items.take(np.arange(3)))
    labels = item_interests(["a", "a", "a", None], tree, looks, words=NodeWords(items, names), known=known)
    found = dict(labels.of_item(3))
    assert found.get("b", 0) > 0 or found.get("a", 0) < 1  # words speak against what all neighbours are


def test_the_mean_probability_is_the_share_of_true_candidates():
    rng = np.random.default_rng(0)
    features = np.stack([np.ones(500), rng.normal(size=500), np.zeros(500)], axis=1)
    true = rng.random(500) < 1 / (1 + np.exp(-features[:, 1]))
    found = fitted_ranker(features, true).probabilities(features)
    assert found.mean() == pytest.approx(true.mean(), abs=1e-4)
