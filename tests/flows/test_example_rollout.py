"""The example that rolls a change of vectors out naively and guarded, run as a reader would."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.mark.slow
def test_the_naive_rollout_loses_recall_and_the_guarded_one_loses_none(repository, own_workspace):
    path = repository / "examples" / "rollout.py"
    spec = importlib.util.spec_from_file_location("rollout", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    rows = {
        name: (recall, same, said)
        for name, recall, same, said in example.rolled_out(own_workspace.layout.root)
    }
    naive = rows["naive: new vectors, old index"]
    assert naive[0] < 0.5
    assert naive[1] < 0.8
    for name in ("guarded: the same", "guarded: another encoder, half built"):
        assert rows[name][:2] == (1.0, 1.0)
        assert rows[name][2].startswith("refused")
    assert rows["guarded: backfilled, switched at once"][0] == 1.0
