from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bowerbird.arrays import normalise
from bowerbird.content.graph_network import Neighbourhoods, neighbourhoods, network_vectors
from bowerbird.content.unified import UnifiedTower
from bowerbird.errors import NotReadyError
from bowerbird.randomness import generator
from bowerbird.training.graph_network import GraphNetworkSettings, train_graph_network
from bowerbird.training.loop import LoopSettings

KINDS, ITEMS = 6, 120
QUICK = GraphNetworkSettings(
    dim=64, batch=128, steps=5, loop=LoopSettings(epochs=6, learning_rate=5e-3, warmup_steps=5, average=0.9)
)


def kept_together(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Collections hold kinds k and k + 3, whose content has nothing in common; the last item is in none."""
    draw = generator(seed, "collections")
    owners, items = [], []
    for owner in range(120):
        kinds = int(draw.integers(3)) + 3 * draw.integers(2, size=6)
        owners += [owner] * 6
        items += [int(draw.integers(ITEMS // KINDS) * KINDS + kind) for kind in kinds]
    content = np.eye(KINDS, dtype=np.float32)[np.arange(ITEMS + 1) % KINDS]
    content += 0.2 * draw.standard_normal(content.shape).astype(np.float32)
    return np.array(owners), np.array(items), normalise(content - content.mean(axis=0))


def around_of(owners: np.ndarray, items: np.ndarray, content: np.ndarray) -> Neighbourhoods:
    return neighbourhoods(owners, items, content, seed=1)


def test_the_network_brings_together_what_is_kept_together_also_for_an_item_nobody_keeps():
    owners, items, content = kept_together()
    around = around_of(owners, items, content)
    tower, trained = train_graph_network(owners, items, around, QUICK, seed=3)
    vectors = network_vectors(tower, around)
    assert trained.losses[-1] < trained.losses[0]
    assert vectors.space.name == "graph"
    assert vectors.present.all()
    np.testing.assert_allclose(np.linalg.norm(vectors.matrix, axis=1), 1.0, atol=1e-5)
    alike = vectors.matrix @ vectors.matrix.T
    kinds = np.arange(ITEMS) % KINDS
    partner, stranger = kinds == (kinds[:, None] + 3) % KINDS, (kinds % 3) != (kinds[:, None] % 3)
    assert alike[:ITEMS, :ITEMS][partner].mean() > alike[:ITEMS, :ITEMS][stranger].mean() + 0.5
    new = alike[ITEMS, :ITEMS]  # of kind 0, in no collection
    assert new[kinds == 3].mean() > new[kinds % 3 != 0].mean() + 0.3


def test_a_saved_network_gives_the_same_vectors_and_the_seed_decides(tmp_path: Path):
    owners, items, content = kept_together()
    around = around_of(owners, items, content)
    short = QUICK.model_copy(update={"loop": LoopSettings(epochs=1, warmup_steps=2)})
    tower, _ = train_graph_network(owners, items, around, short, seed=3)
    tower.save(tmp_path / "network.safetensors")
    again = UnifiedTower.load(tmp_path / "network.safetensors")
    assert np.array_equal(network_vectors(tower, around).matrix, network_vectors(again, around).matrix)
    same, _ = train_graph_network(owners, items, around, short, seed=3)
    other, _ = train_graph_network(owners, items, around, short, seed=4)
    assert same.space == tower.space
    assert other.space != tower.space


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path):
    owners, items, content = kept_together()
    around = around_of(owners, items, content)
    three = QUICK.model_copy(update={"loop": LoopSettings(epochs=3, warmup_steps=2)})
    whole, _ = train_graph_network(owners, items, around, three, seed=3)

    class Bar:
        epochs = 0

        def start(self, task: str, total: int | None, unit: str = "items") -> None: ...
        def finish(self, note: str = "") -> None: ...
        def advance(self, by: int = 1) -> None:
            self.epochs += by
            if self.epochs == 2:
                raise KeyboardInterrupt

    checkpoint = tmp_path / "network.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train_graph_network(owners, items, around, three, 3, checkpoint=checkpoint, progress=Bar())
    resumed, _ = train_graph_network(owners, items, around, three, 3, checkpoint=checkpoint)
    assert resumed.space == whole.space


def test_too_few_edges_are_refused_with_what_does_with_less():
    owners, items, content = kept_together()
    around = around_of(owners[:60], items[:60], content)
    with pytest.raises(NotReadyError, match=r"graph network: 60 edges .* the closed form does with less"):
        train_graph_network(owners[:60], items[:60], around, QUICK)


def test_what_nobody_knows_stays_absent():
    owners, items, content = kept_together()
    content[ITEMS] = 0.0
    around = around_of(owners, items, content)
    assert (around.items.rows[ITEMS] == -1).all()
    assert (around.owners[ITEMS] == -1).all()
    parts = around.parts()
    assert not parts.present(("self", "neighbours", "owners"))[ITEMS].any()
