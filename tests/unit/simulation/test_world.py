from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bowerbird.clock import DAY_US, parse_time
from bowerbird.errors import InputError, NotFoundError
from bowerbird.simulation.choice import examination, fatigue
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.truth import Truth
from bowerbird.simulation.world import World, make_world
from bowerbird.testing.tiny_world import shape_catalogue, tiny_world

START = parse_time("2025-11-03")


@pytest.fixture(scope="module")
def world() -> World:
    """Enough people to see the planted effects."""
    return tiny_world(people=400, days=20)


def _bytes(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return out.getvalue()


def _column(world: World, name: str) -> np.ndarray:
    return world.events[name].to_numpy(zero_copy_only=False)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    catalogue = shape_catalogue(60)
    one, two, other = (
        make_world(WorldSettings(people=20, days=5, seed=seed), catalogue) for seed in (3, 3, 4)
    )
    for name in ("items", "users", "events", "campaigns"):
        assert _bytes(getattr(one, name)) == _bytes(getattr(two, name))
    assert _bytes(one.events) != _bytes(other.events)


def test_nothing_happens_before_its_item_or_its_person_exists(world: World) -> None:
    at = _column(world, "at")
    for table, key in ((world.items, "item_id"), (world.users, "user_id")):
        born = table["created_at"].to_numpy()[
            pc.index_in(world.events[key], table[key].combine_chunks()).to_numpy()
        ]
        assert (at > born).all()


def test_the_log_is_sorted_and_inside_its_days(world: World) -> None:
    at = _column(world, "at")
    assert (np.diff(at) >= 0).all()
    assert at[0] >= START
    assert at[-1] < START + 20 * DAY_US


def test_every_action_follows_an_impression_of_the_same_place(world: World) -> None:
    action = _column(world, "action")
    keys = list(
        zip(_column(world, "request_id"), _column(world, "position"), _column(world, "item_id"), strict=True)
    )
    shown = {key for key, kind in zip(keys, action, strict=True) if kind == "impression"}
    assert set(keys) == shown
    assert len(shown) == int((action == "impression").sum())


def test_only_openings_have_a_dwell_time_only_saves_a_collection_only_searches_a_query(world: World) -> None:
    action = _column(world, "action")
    assert (~np.isnan(_column(world, "dwell_s")) == (action == "closeup")).all()
    saved = np.array([name is not None for name in world.events["collection_id"].to_pylist()])
    assert (saved == (action == "save")).all()
    asked = np.array([text is not None for text in world.events["query"].to_pylist()])
    assert (asked == (_column(world, "surface") == "search")).all()


def test_what_was_planted_is_what_people_do(world: World) -> None:
    """Openings follow b(position) * preference * f(exposures), here with exposures counted from the log."""
    truth, model = world.truth, world.truth.settings.choice
    feed = pc.and_(
        pc.equal(world.events["action"], "impression"), pc.not_equal(world.events["surface"], "ads")
    )
    shown = world.events.filter(feed)
    opened_keys = {
        (row["request_id"], row["item_id"])
        for row in world.events.filter(pc.equal(world.events["action"], "closeup"))
        .select(["request_id", "item_id"])
        .to_pylist()
    }
    keys = zip(shown["request_id"].to_pylist(), shown["item_id"].to_pylist(), strict=True)
    opened = np.array([key in opened_keys for key in keys])
    users = truth.user_rows(shown["user_id"].to_pylist())
    items = truth.item_rows(shown["item_id"].to_pylist())
    moment = truth.model.moment(START + 10 * DAY_US)
    liked = truth.model.preference(users, items, moment)
    position = shown["position"].to_numpy()
    pictures = truth.item_rows(truth.items["original_id"].to_pylist())[items]
    times: dict[tuple[int, int], int] = {}
    seen = np.zeros(len(items), dtype=np.float32)
    for row, key in enumerate(zip(users.tolist(), pictures.tolist(), strict=True)):
        seen[row] = times.get(key, 0)
        times[key] = times.get(key, 0) + 1
    expected = examination(position, model) * liked * fatigue(seen, model)
    assert opened.sum() == pytest.approx(expected.sum(), rel=0.25)  # forgetting and drift are left out here
    # position bias: the openings per unit of preference fall as (k + 1) ** -eta
    unbiased = liked * fatigue(seen, model)
    rate = np.array([opened[position == k].sum() / unbiased[position == k].sum() for k in range(12)])
    slope = np.polyfit(np.log(np.arange(12) + 1.0), np.log(rate), 1)[0]
    assert slope == pytest.approx(-model.examination, abs=0.15)
    # preference: opened items are the preferred ones
    top = liked >= np.quantile(liked, 0.9)
    assert opened[top].mean() > 4 * opened[~top].mean()
    # fatigue: what was shown before is opened less than its preference says
    fresh = opened[seen == 0].sum() / (examination(position, model) * liked)[seen == 0].sum()
    tired = opened[seen >= 3].sum() / (examination(position, model) * liked)[seen >= 3].sum()
    assert tired < 0.7 * fresh


def test_inverse_propensities_count_the_items_there_were_to_choose_from(world: World) -> None:
    surface, action, position = (_column(world, name) for name in ("surface", "action", "position"))
    first = (surface == "homefeed") & (action == "impression") & (position == 0)
    propensity, at = _column(world, "propensity")[first], _column(world, "at")[first]
    midnight = START + (at - START) // DAY_US * DAY_US
    organic = world.items.filter(pc.invert(world.items["is_ad"]))["created_at"].to_numpy()
    eligible = np.array([(organic < day).sum() for day in midnight])
    assert (1 / propensity).sum() == pytest.approx(eligible.sum(), rel=0.1)
    assert (propensity > 0).all()


def test_exploration_reaches_every_item_with_at_least_its_share(world: World) -> None:
    surface, action = _column(world, "surface"), _column(world, "action")
    feed = (surface == "homefeed") & (action == "impression")
    uniform = world.truth.settings.logging.uniform
    assert _column(world, "propensity")[feed].min() >= uniform / world.items.num_rows * (1 - 1e-4)


def test_budgets_hold_on_every_day_and_in_all() -> None:
    settings = WorldSettings(
        people=500, days=15, ads_share=0.1, campaigns=3, activity=2.0, interest_min_items=2
    )
    world = make_world(settings, shape_catalogue(60))
    clicks = world.events.filter(
        pc.and_(pc.equal(world.events["action"], "click"), pc.equal(world.events["surface"], "ads"))
    )
    assert clicks.num_rows > 10
    campaign = dict(
        zip(world.items["item_id"].to_pylist(), world.items["campaign_id"].to_pylist(), strict=True)
    )
    terms = {row["campaign_id"]: row for row in world.campaigns.to_pylist()}
    daily: dict[tuple[str, int], float] = {}
    for item, at, propensity in zip(
        clicks["item_id"].to_pylist(), clicks["at"].to_pylist(), clicks["propensity"].to_pylist(), strict=True
    ):
        name, day = campaign[item], (at - START) // DAY_US
        assert terms[name]["starts_at"] <= at <= terms[name]["ends_at"]
        assert 0 < propensity <= 1
        daily[name, day] = daily.get((name, day), 0.0) + terms[name]["bid"]
    for (name, _), spent in daily.items():
        assert spent <= terms[name]["daily_budget"] + 1e-9
    spending = dict(
        zip(*(world.truth.spending[column].to_pylist() for column in ("campaign_id", "spent")), strict=True)
    )
    for name, row in terms.items():
        total = sum(spent for (other, _), spent in daily.items() if other == name)
        assert total == pytest.approx(spending[name])
        assert total <= row["total_budget"] + 1e-9


def test_some_items_and_people_arrive_during_the_log(world: World) -> None:
    for table in (world.items, world.users):
        share = (table["created_at"].to_numpy() >= START).mean()
        assert 0.12 < share < 0.4


def test_the_truth_survives_storing(world: World, tmp_path: Path) -> None:
    world.truth.write(tmp_path / "truth")
    again = Truth.read(tmp_path / "truth")
    rows = np.arange(10)
    at = START + 5 * DAY_US
    assert (again.preference("u3", rows, at) == world.truth.preference("u3", rows, at)).all()
    assert again.settings == world.truth.settings
    assert again.top_interests("u3", at) == world.truth.top_interests("u3", at)


def test_the_world_is_stored_without_its_truth(tmp_path: Path) -> None:
    tiny_world().write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "campaigns.parquet",
        "events.parquet",
        "items.parquet",
        "users.parquet",
    ]


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no truth of a simulated world here"):
        Truth.read(tmp_path)


def test_unknown_people_are_refused(world: World) -> None:
    with pytest.raises(NotFoundError, match="user_id 'nobody' is not in the simulated world"):
        world.truth.preference("nobody", np.array([0]), START)


def test_a_catalogue_without_categories_is_refused() -> None:
    with pytest.raises(InputError, match="no column 'category'"):
        make_world(WorldSettings(people=2, days=2), shape_catalogue(5).drop_columns(["category"]))


def test_a_catalogue_of_one_category_is_refused() -> None:
    with pytest.raises(InputError, match="1 category; the simulator needs at least 2"):
        make_world(WorldSettings(people=2, days=2), shape_catalogue(1))
