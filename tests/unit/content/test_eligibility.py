"""The policy: the strictest rule decides, what was not measured decides nothing, decisions survive a table."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.config import validated
from bowerbird.content.eligibility import DEFAULT_POLICY, Eligibility, PolicyRule, decided
from bowerbird.errors import SettingsError
from bowerbird.workspace.settings import settings_of

SURFACES = ["homefeed", "search"]
NAN = float("nan")


def rule(**fields: object) -> PolicyRule:
    return validated(PolicyRule, {"reason": "because", **fields}, "test")


def facts(**columns: list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype=np.float32) for name, values in columns.items()}


def test_the_strictest_rule_decides_on_each_surface() -> None:
    policy = {
        "some": rule(when=["spam > 0.5"], action="limit"),
        "worse": rule(when=["spam > 0.8"], action="drop", surfaces=["homefeed"], reason="far too much"),
        "later": rule(when=["spam > 0.1"], action="limit"),
    }
    found = decided(policy, facts(spam=[0.0, 0.6, 0.9]), SURFACES, 3)
    assert found.decisions["homefeed"].tolist() == [0, 1, 2]
    assert found.decisions["search"].tolist() == [0, 1, 1]
    assert found.reason("homefeed", 2) == "far too much (policy.worse)"
    assert found.reason("search", 2) == "because (policy.some)"
    assert found.reason("homefeed", 0) == found.reason("nowhere", 2) == ""


def test_all_conditions_must_hold_and_limits_count_where_said() -> None:
    both = rule(when=["contrast >= 0.5", "width < 10"], action="drop")
    columns = facts(contrast=[0.5, 0.5, 0.4, 0.5], width=[9, 10, 9, NAN])
    assert both.holds(columns, 4).tolist() == [True, False, False, False]
    assert rule(when=["width <= 10"], action="drop").holds(columns, 4).tolist() == [True, True, True, False]
    assert not rule(when=["nsfw > 0.1"], action="drop").holds(columns, 4).any()  # nobody measured it


def test_allow_switches_a_rule_off() -> None:
    found = decided({"off": rule(when=["spam > 0"], action="allow")}, facts(spam=[1.0]), SURFACES, 1)
    assert found.decisions["homefeed"].tolist() == [0]


def test_decisions_are_equal_after_a_table_and_unknown_items_are_allowed() -> None:
    policy = {"a": rule(when=["spam > 0.5"], action="limit", surfaces=["search"], reason="why")}
    found = decided(policy, facts(spam=[0.9, 0.0, 0.7]), SURFACES, 3)
    table = found.to_table(["x", "y", "z"])
    assert {(line["item_id"], line["name"], line["value"]) for line in table.to_pylist()} == {
        ("x", "search", "limit"),
        ("y", "every surface", "allow"),
        ("z", "search", "limit"),
    }
    again = Eligibility.from_table(table, {"z": 0, "new": 1, "x": 2}, 3)
    assert again.limited("search").tolist() == [True, False, True]
    assert again.dropped("homefeed").tolist() == [False] * 3
    assert again.dropped("ads") is None
    assert again.reason("search", 0) == "why (policy.a)"


def test_a_rule_that_cannot_be_read_is_refused_with_the_place() -> None:
    with pytest.raises(SettingsError, match=r"policy\.x\].*'sharpnes'; did you mean 'sharpness'"):
        settings_of({"policy": {"x": {"when": ["sharpnes < 2"], "action": "drop", "reason": "r"}}}, "t.toml")
    with pytest.raises(SettingsError, match=r"'blurred' is not understood; expected e\.g\. 'sharpness < 20'"):
        settings_of({"policy": {"x": {"when": ["blurred"], "action": "drop", "reason": "r"}}}, "t.toml")
    spam = {**DEFAULT_POLICY["spam"], "surfaces": ["homefed"]}
    with pytest.raises(
        SettingsError, match=r"policy\.spam\]: unknown surface 'homefed'; did you mean 'homefeed'"
    ):
        settings_of({"policy": {"spam": spam}}, "t.toml")
    with pytest.raises(SettingsError, match=r"expected a table \[policy.NAME\] for each rule"):
        settings_of({"policy": {"spam": "drop"}}, "t.toml")


def test_a_rule_of_the_file_takes_the_place_of_the_built_in_one() -> None:
    quiet = {"when": ["spam > 0.8"], "action": "allow", "reason": "we sell spam"}
    policy = settings_of({"policy": {"spam": quiet}}, "t.toml").policy
    assert (policy["spam"].action, policy["unsafe"].action) == ("allow", "drop")
