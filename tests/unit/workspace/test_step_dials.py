"""A default that changes makes the step it belongs to run again, and no other of its room."""

from __future__ import annotations

import pytest

from bowerbird.config import Settings
from bowerbird.content.tower_settings import CATALOGUE_SETTINGS, NEIGHBOUR_SETTINGS
from bowerbird.workspace import graph_steps, interest_steps, long_term_steps, people_steps, tower_steps
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.steps import build_steps

OTHER_DIALS = [
    (long_term_steps, "LongTermSettings", {"epochs": 3}, "long_term_encoder"),
    (people_steps, "InterestSettings", {"most": 3}, "user_interests"),
    (people_steps, "ClusterSettings", {"most": 3}, "user_clusters"),
    (people_steps, "CooccurrenceSettings", {"window": 3}, "cooccurrence"),
    (people_steps, "ReturnSettings", {"horizon_days": 3}, "user_state"),
    (interest_steps, "ItemInterestSettings", {"neighbours": 3}, "item_interests"),
    (graph_steps, "GraphVectorSettings", {"near": 3}, "graph_vector"),
    (tower_steps, CATALOGUE_SETTINGS, {"epochs": 3}, "unified"),
    (tower_steps, NEIGHBOUR_SETTINGS, {"epochs": 3}, "neighbour_tower"),
]


@pytest.mark.parametrize(
    ("room", "dials", "change", "step"), OTHER_DIALS, ids=[one[3] for one in OTHER_DIALS]
)
def test_a_changed_default_is_part_of_its_steps_version(
    monkeypatch: pytest.MonkeyPatch, room, dials: str | Settings, change: dict[str, int], step: str
):
    before = {one.name: one.settings for one in build_steps(WorkspaceSettings())}
    if isinstance(dials, str):
        other = getattr(room, dials)(**change)
        monkeypatch.setattr(room, dials, lambda: other)
    else:
        (name,) = (name for name, value in vars(room).items() if value is dials)
        monkeypatch.setattr(room, name, dials.model_copy(update=change))
    after = {one.name: one.settings for one in build_steps(WorkspaceSettings())}
    assert {name for name in before if before[name] != after[name]} == {step}
