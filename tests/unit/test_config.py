"""Settings: files, overrides, and errors that name the place."""

from __future__ import annotations

import pytest
from pydantic import Field

from bowerbird.config import Settings, read_toml, validated, with_overrides
from bowerbird.errors import SettingsError


class Inner(Settings):
    half_life_days: float = 3.0


class Outer(Settings):
    seed: int = 7
    inner: Inner = Inner()
    many: dict[str, Inner] = Field(default_factory=dict)


def test_a_misspelt_field_names_the_table_and_the_closest_field():
    with pytest.raises(
        SettingsError,
        match=r"x.toml \[inner\]: unknown field 'half_life_dayz'; did you mean 'half_life_days'",
    ):
        validated(Outer, {"inner": {"half_life_dayz": 1}}, "x.toml")
    with pytest.raises(
        SettingsError, match=r"x.toml \[many.a\]: unknown field 'half_life_dayz'; did you mean"
    ):
        validated(Outer, {"many": {"a": {"half_life_dayz": 1}}}, "x.toml")


def test_a_wrong_type_names_the_value():
    with pytest.raises(SettingsError, match=r"x.toml: seed = 'seven': Input should be a valid integer"):
        validated(Outer, {"seed": "seven"}, "x.toml")


def test_every_mistake_is_told_at_once():
    with pytest.raises(SettingsError, match=r"(?s)seed = 'seven'.*unknown field 'sead'"):
        validated(Outer, {"seed": "seven", "sead": 1}, "x.toml")


def test_equal_settings_have_equal_fingerprints_and_others_not():
    assert Outer().fingerprint() == Outer(seed=7).fingerprint() != Outer(seed=8).fingerprint()


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="no such file; run `bowerbird init"):
        read_toml(tmp_path / "bowerbird.toml")


@pytest.mark.parametrize("content", [b"seed = = 3", b'name = "\xff\xfe"'])
def test_a_file_that_is_no_toml_is_refused(tmp_path, content):
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"x.toml: not a TOML file"):
        read_toml(tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ('"3"', "3"),
        ("efficientnet-lite0", "efficientnet-lite0"),
        ("[1, 2]", [1, 2]),
        ("", ""),
    ],
)
def test_the_right_side_of_an_override_is_toml_or_else_text(text, value):
    assert with_overrides({}, [f"a.b={text}"]) == {"a": {"b": value}}


def test_overrides_leave_the_given_values_alone():
    given = {"a": {"b": 1}}
    assert with_overrides(given, ["a.b=2"]) == {"a": {"b": 2}}
    assert given == {"a": {"b": 1}}


def test_an_override_without_an_equals_sign_is_refused():
    with pytest.raises(SettingsError, match=r"--set a.b: expected section.field=value"):
        with_overrides({}, ["a.b"])


def test_an_override_below_a_plain_value_is_refused():
    with pytest.raises(SettingsError, match=r"--set seed.x=1: 'seed' is 7, not a table"):
        with_overrides({"seed": 7}, ["seed.x=1"])
