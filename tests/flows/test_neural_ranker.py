"""A workspace ranked by the network: explained to the last digit, served without torch, and doing without when it is gone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bowerbird.workspace import Workspace

pytest.importorskip("torch")

NEURAL = ("ranker.kind=neural",)


@pytest.fixture(scope="module")
def neural_workspace(ranked_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    copy = tmp_path_factory.mktemp("neural") / "workspace"
    shutil.copytree(ranked_workspace.layout.root, copy)
    workspace = Workspace.open(copy, NEURAL)
    built = {one.name: one for one in workspace.build(["ranker"])}
    assert built["ranker"].outcome == "built"
    assert built["ranker"].card is not None
    assert built["ranker"].card.note.startswith("neural: closeup AUC")
    return workspace


def test_each_head_has_a_probability_and_a_weight_and_the_terms_add_up(neural_workspace):
    slate = neural_workspace.ask("homefeed", user="u3", n=10)
    assert not any("no ranker" in note for note in slate.notes)
    for entry in slate.entries:
        assert sum(entry.terms.values()) == pytest.approx(entry.score, abs=1e-6)
        for action, probability in entry.probabilities.items():
            assert 0 <= probability <= 1
            if action in entry.terms:
                assert entry.terms[action] == pytest.approx(slate.weights[action] * probability, abs=1e-6)
    assert {"closeup", "save"} <= set(slate.entries[0].probabilities)


def test_it_answers_without_torch(neural_workspace):
    code = (
        "import json, sys\n"
        "from bowerbird.workspace import Workspace\n"
        "slate = Workspace.open(sys.argv[1]).ask('homefeed', user='u3', n=10)\n"
        "print(json.dumps([slate.item_ids, 'torch' in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(neural_workspace.layout.root)],
        capture_output=True,
        check=True,
        text=True,
    )
    items, torch_loaded = json.loads(done.stdout)
    assert not torch_loaded
    assert tuple(items) == neural_workspace.ask("homefeed", user="u3", n=10).item_ids


def test_a_ranker_that_cannot_be_read_leaves_the_next_best_and_is_named(neural_workspace, tmp_path):
    copy = tmp_path / "workspace"
    shutil.copytree(neural_workspace.layout.root, copy)
    for weights in Path(copy).glob("models/ranker/*/ranker.safetensors"):
        weights.write_bytes(b"damaged")
    slate = Workspace.open(copy).ask("homefeed", user="u3", n=10)
    assert len(slate.entries) == 10
    assert any(note.startswith("no ranker") for note in slate.notes)
    assert any(note.startswith("ranker: ") and "bowerbird build ranker" in note for note in slate.notes)
