"""The surfaces as they come, and a file's fields over them."""

from __future__ import annotations

import pytest

from bowerbird import plugins
from bowerbird.errors import SettingsError
from bowerbird.surfaces.declarations import DECLARATIONS, declared


def test_every_built_in_surface_is_complete_and_names_installed_plugins():
    for name, settings in declared({}, "defaults").items():
        assert settings.about, name
        assert set(settings.sources) <= set(plugins.names("sources"))
        assert set(settings.filters) <= set(plugins.names("filters"))


def test_a_field_of_the_file_replaces_the_built_in_field_whole():
    surfaces = declared({"homefeed": {"sources": {"trending": {"quota": 9}}}}, "shop.toml")
    assert list(surfaces["homefeed"].sources) == ["trending"]
    assert surfaces["homefeed"].value == DECLARATIONS["homefeed"]["value"]
    assert surfaces["related"] == declared({}, "defaults")["related"]


def test_a_surface_of_ones_own_needs_sources_and_a_value():
    own = {"sources": {"fresh": {}}, "value": {"retrieval": 1.0}}
    assert declared({"news": own}, "shop.toml")["news"].sources["fresh"].quota == 100
    with pytest.raises(SettingsError, match=r"shop.toml \[surfaces.news\]: sources"):
        declared({"news": {"value": {"retrieval": 1.0}}}, "shop.toml")


def test_an_unknown_field_names_the_surface_and_the_closest_field():
    with pytest.raises(
        SettingsError, match=r"shop.toml \[surfaces.ads\]: unknown field 'needz'; did you mean 'needs'"
    ):
        declared({"ads": {"needz": []}}, "shop.toml")
