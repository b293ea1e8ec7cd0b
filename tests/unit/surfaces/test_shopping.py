"""Shopping: what goes with the best match takes every third place."""

from __future__ import annotations

import numpy as np

from bowerbird.config import validated
from bowerbird.pipeline.queries import QueryEncoder
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.runner import Pipeline
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.records.request import Request
from bowerbird.surfaces.shopping import with_complements


def pipeline(release: Release) -> Pipeline:
    settings = {
        "sources": {"lexical": {}, "complements": {}},
        "value": {"retrieval": 1.0},
        "filters": ("excluded", "near_duplicate_in_slate"),
        "diversity": {"method": "none"},
        "needs": ("item", "query", "image"),
        "eligible": "all",
    }
    return Pipeline("shopping", validated(SurfaceSettings, settings, "test"), release)


def ask(release: Release, **known: object) -> Request:
    return Request("shopping", release.as_of, **{"n": 3, **known})  # type: ignore[arg-type]


def test_the_third_place_completes_the_look_of_the_best_match(small):
    slate = with_complements(pipeline(small), ask(small, query="red cup"))
    assert slate.item_ids[0] == "i0"
    assert slate.item_ids[2] == "i2"  # u1 saved i2 after i0, of another category
    assert [one.source for one in slate.entries[2].because] == ["complements"]
    assert [entry.position for entry in slate.entries] == [0, 1, 2]
    assert slate.notes[-1] == "1 of 3 complete the look of i0"


def test_what_the_caller_excludes_does_not_come_back_as_a_complement(small):
    slate = with_complements(pipeline(small), ask(small, query="red cup", exclude=("i2",)))
    assert "i2" not in slate.item_ids


def test_a_near_duplicate_of_something_shown_is_no_complement(small):
    slate = with_complements(pipeline(small), ask(small, query="cup red lamp again", n=6))
    shown = [small.duplicate_of[small.item_row(one)] for one in slate.item_ids]
    assert len(np.unique(shown)) == len(shown)


def test_an_item_or_a_slate_too_short_gets_no_second_question(small):
    by_item = pipeline(small).answer(ask(small, item_id="i0"))
    assert with_complements(pipeline(small), ask(small, item_id="i0")).item_ids == by_item.item_ids
    short = with_complements(pipeline(small), ask(small, query="red cup", n=2))
    assert not any("complete the look" in note for note in short.notes)


def test_nothing_found_stays_nothing(small):
    assert small.queries.__class__ is QueryEncoder
    assert with_complements(pipeline(small), ask(small, query="zebra")).entries == ()
