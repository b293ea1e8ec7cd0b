"""What a surface's declaration may say."""

from __future__ import annotations

import pytest

from bowerbird.config import validated
from bowerbird.errors import SettingsError
from bowerbird.pipeline.settings import SurfaceSettings

OWN = {"sources": {"trending": {"quota": 5}}, "value": {"retrieval": 1.0}}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"value": {"saev": 1.0}}, "unknown score column 'saev'; did you mean 'save'"),
        ({"value": {}}, "at least 1 item"),
        ({"n": 0}, "n = 0"),
        ({"n": 501}, "n = 501"),
        ({"eligible": "adds"}, "eligible = 'adds'"),
        ({"sources": {"trending": {"quota": 0}}}, "quota = 0"),
        ({"diversity": {"method": "mrr"}}, "method = 'mrr'"),
        ({"needs": ("picture",)}, "picture"),
        ({"filtres": ()}, "unknown field 'filtres'; did you mean 'filters'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changed, message):
    with pytest.raises(SettingsError, match=message):
        validated(SurfaceSettings, {**OWN, **changed}, "shop.toml [surfaces.x]")


def test_a_declaration_needs_only_sources_and_a_value():
    settings = validated(SurfaceSettings, OWN, "x")
    assert (settings.n, settings.eligible, settings.filters) == (25, "organic", ("excluded", "hidden"))
