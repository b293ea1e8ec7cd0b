"""Boosts, spacing, rules and exploration in a slate: terms add up, and everything says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.clock import DAY_US
from bowerbird.config import validated
from bowerbird.content.eligibility import Eligibility
from bowerbird.errors import InputError, SettingsError
from bowerbird.pipeline.runner import Pipeline
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.pipeline.why_not import why_not
from bowerbird.records.request import Request, boosts_of


def surface(**fields: object) -> SurfaceSettings:
    plain = {
        "sources": {"trending": {}, "fresh": {}},
        "value": {"retrieval": 1.0},
        "filters": (),
        "eligible": "all",
    }
    return validated(SurfaceSettings, {**plain, "diversity": {"method": "none"}, **fields}, "test")


def ask(release, **known):
    return Request("homefeed", release.as_of, **known)


def answer(release, request=None, **fields):
    slate = Pipeline("homefeed", surface(**fields), release).answer(request or ask(release))
    for entry in slate.entries:
        assert sum(entry.terms.values()) == pytest.approx(entry.score, abs=1e-6)
    return slate


def test_a_boost_is_a_term_and_moves_what_meets_it(small):
    plain = answer(small)
    lamps = answer(small, ask(small, boosts=(("category=lamps", 3.0),)))
    first = lamps.entries[0]
    assert first.item_id in ("i2", "i3")
    assert first.terms["boost"] > 0
    assert {entry.item_id for entry in lamps.entries} == {entry.item_id for entry in plain.entries}
    assert all("boost" not in entry.terms for entry in plain.entries)


def test_a_boost_out_of_range_or_not_understood_is_refused(small):
    with pytest.raises(InputError, match=r"boost 'brand=x' = 99: expected a strength from -10 to 10"):
        ask(small, boosts=(("brand=x", 99),))
    with pytest.raises(InputError, match="is not understood"):
        answer(small, ask(small, boosts=(("nonsense", 1.0),)))


def test_boosts_are_written_as_a_condition_and_a_strength():
    assert boosts_of(["price<=50:-1"]) == (("price<=50", -1.0),)
    with pytest.raises(InputError, match="expected CONDITION:STRENGTH"):
        boosts_of(["category=home"])
    with pytest.raises(InputError, match="boost: found 21; at most 20 are read"):
        boosts_of(["brand=a:1"] * 21)


def test_a_guarantee_brings_forward_and_a_limit_passes_over_with_the_reason(small):
    rules = {"dear": {"reason": "dear things too", "first": 1, "least": 1, "of": "price>=20"}}
    slate = answer(small, rules=rules)
    assert slate.item_ids[0] in ("i2", "i3")
    assert "rule dear: 1 brought forward (dear things too)" in slate.notes
    rules = {"each": {"reason": "not all alike", "first": 2, "most": 1, "each": "group"}}
    plain, limited = answer(small, ask(small, n=2)), answer(small, ask(small, n=2), rules=rules)
    groups = small.groups[[small.row_of[name] for name in limited.item_ids]]
    assert len(set(groups.tolist())) == 2
    if plain.item_ids != limited.item_ids:
        assert any(drop.stage == "rule each" and drop.reason == "not all alike" for drop in limited.dropped)


def test_new_items_can_be_guaranteed(small):
    rules = {"new": {"reason": "the new need a chance", "first": 1, "least": 1, "of": "new"}}
    slate = answer(small, rules=rules)
    assert small.created_at[small.row_of[slate.item_ids[0]]] >= small.as_of - 7 * DAY_US


def test_spacing_is_a_term_of_its_own(small):
    slate = answer(small, spacing={"by": "group", "strength": 5.0, "window": 3})
    groups = [int(small.groups[small.row_of[name]]) for name in slate.item_ids]
    assert groups[0] != groups[1]
    assert any(entry.terms.get("spacing", 0) < 0 for entry in slate.entries)


def test_an_exploration_slot_logs_its_propensity_and_a_shorter_slate_is_a_prefix(small):
    how = {"exploration": {"share": 0.5, "place": 1}}
    seen = set()
    for seed in range(30):
        longer = answer(small, ask(small, seed=seed, n=5), **how)
        shorter = answer(small, ask(small, seed=seed, n=3), **how)
        assert shorter.item_ids == longer.item_ids[:3]
        assert all(0 < entry.propensity <= 1 for entry in longer.entries)
        seen.add(any(note.startswith("exploration: place 1") for note in longer.notes))
    assert seen == {True, False}
    assert answer(small).entries[0].propensity is None


def test_a_draw_breaks_no_rule_and_a_slate_is_shorter_rather(small):
    rules = {"dear": {"reason": "nothing dear", "first": 10, "most": 0, "of": "price>=20"}}
    dear = {
        name
        for name, price in zip(small.items.vocabulary.ids, small.items.column("price"), strict=True)
        if price and price >= 20
    }
    assert dear & set(answer(small).item_ids)
    for seed in range(20):
        slate = answer(small, ask(small, seed=seed), rules=rules, exploration={"share": 0.9, "place": 0})
        assert slate.entries
        assert not dear & set(slate.item_ids)
        assert any(drop.stage == "rule dear" for drop in slate.dropped)


@pytest.mark.parametrize("exploration", [{}, {"share": 0.9, "place": 1}])
@pytest.mark.parametrize("method", ["none", "mmr", "ssd"])
def test_what_the_policy_limits_has_its_places_and_a_shorter_slate_is_a_prefix(small, exploration, method):
    decision = np.array([1, 1, 1, 1, 0, 0], dtype=np.int8)
    under = Eligibility(
        (("few", "few of them"),),
        {"homefeed": decision},
        {"homefeed": np.where(decision, 0, -1).astype(np.int16)},
    )
    release = replace(small, eligibility=under)
    how = {"diversity": {"method": method}, "exploration": exploration}
    for seed in range(10):
        longest = answer(release, ask(release, n=6, seed=seed), **how)
        assert sum(name in ("i0", "i1", "i2", "i3") for name in longest.item_ids) == 1
        assert len(longest.entries) == 3
        for n in range(1, 4):
            shorter = answer(release, ask(release, n=n, seed=seed), **how)
            assert shorter.item_ids == longest.item_ids[:n]
    dropped = [drop for drop in longest.dropped if drop.stage == "limited"]
    (row, *_) = (int(one) for drop in dropped for one in drop.rows)
    plain = Pipeline("homefeed", surface(), release)
    why = why_not(plain, ask(release), f"i{row}")
    assert (why.stage, why.reason) == (
        "filter limited",
        "the policy limits it to one place in 10: few of them (policy.few)",
    )


def test_what_was_read_off_items_counts_in_boosts_and_rules(small):
    read = replace(small, facets={"colour": {"red": np.array([small.row_of["i2"]], dtype=np.int32)}})
    boosted = answer(read, ask(read, boosts=(("color=red", 5.0),)))
    assert boosted.item_ids[0] == "i2"
    assert boosted.entries[0].terms["boost"] > 0
    rules = {"red": {"reason": "red things first", "first": 1, "least": 1, "of": "colour=red"}}
    assert answer(read, rules=rules).item_ids[0] == "i2"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"most": 1}, "names either `of`"),
        ({"each": "group", "least": 1}, "`each` goes with `most` alone"),
        ({"of": "new"}, "a rule says `least` or `most`"),
        ({"of": "new", "least": 3, "first": 2}, "least = 3 of the first 2 places"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_when_read(rule, message):
    with pytest.raises(SettingsError, match=message):
        surface(rules={"r": {"reason": "why", **rule}})


def test_a_rule_whose_condition_is_not_understood_is_refused_at_the_start(small):
    with pytest.raises(InputError, match="is not understood"):
        Pipeline("homefeed", surface(rules={"r": {"reason": "x", "of": "what?", "most": 1}}), small)


def test_an_unbuilt_ranker_gives_way_to_retrieval_and_is_named(small):
    lacking = replace(small, lacks={"ranker": "its file is gone; run `bowerbird build ranker`"})
    slate = answer(lacking, value={"save": 1.0})
    assert any(note.startswith("no ranker") for note in slate.notes)
    assert any("its file is gone" in note for note in slate.notes)
    assert np.isfinite([entry.score for entry in slate.entries]).all()
