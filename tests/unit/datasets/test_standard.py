from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US, SECOND_US
from bowerbird.datasets.import_batch import SCHEMAS, ImportBatch, SourceTable, digest
from bowerbird.datasets.standard import Checks, StandardImport, read_standard, standardised
from bowerbird.errors import InputError
from bowerbird.records import EVENT_SCHEMA, Events, Items, Users, Vocabulary


def read(kind: str, rows: list[dict] | pa.Table, checks: Checks | None = None) -> ImportBatch:
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    return StandardImport(checks).read(SourceTable(kind, table, f"{kind}.csv", "s"))


def reasons(batch: ImportBatch) -> list[tuple[int, str]]:
    found = batch.rejections
    return list(zip(found.column("row").to_pylist(), found.column("reason").to_pylist(), strict=True))


def test_items_get_the_types_of_the_record() -> None:
    batch = read(
        "items",
        [{"item_id": 7, "price": "2.50", "created_at": "1970-01-02", "is_ad": "yes", "colour": "red"}],
    )
    assert batch.table.schema == SCHEMAS["items"]
    item = Items(batch.table)[0]
    assert (item.item_id, item.price, item.created_at, item.is_ad) == ("7", 2.5, DAY_US, True)
    assert item.attributes == {"colour": "red"}


def test_each_faulty_item_is_rejected_with_its_reason() -> None:
    rows = [
        {"item_id": "a", "price": "cheap"},
        {"item_id": "a", "price": "NaN"},
        {"item_id": "a", "price": "-1"},
        {"item_id": "a", "price": "inf"},
        {"item_id": " ", "price": None},
        {"item_id": "a", "created_at": "soon"},
        {"item_id": "a", "created_at": "-86400"},
        {"item_id": "a", "created_at": "1970-01-04"},
        {"item_id": "a", "is_ad": "perhaps"},
        {"item_id": "a", "attributes": "[1]"},
        {"item_id": "a", "price": "0"},
        {"item_id": "a", "price": "1"},
    ]
    names = ["item_id", "price", "created_at", "is_ad", "attributes"]
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    batch = read("items", table, Checks(as_of=2 * DAY_US))
    assert reasons(batch) == [
        (0, "price is not a number"),
        (1, "price is NaN"),
        (2, "price is negative"),
        (3, "price is infinite"),
        (4, "item_id is missing"),
        (5, "created_at is not a time"),
        (6, "created_at is before 1970"),
        (7, "created_at is in the future"),
        (8, "is_ad is neither true nor false"),
        (9, "attributes is not a JSON object"),
        (11, "item_id is repeated"),
    ]
    assert batch.table.column("price").to_pylist() == [0.0]
    assert batch.rejections.column("value").to_pylist()[:3] == ["cheap", None, "-1"]


def test_each_faulty_event_is_rejected_with_its_reason() -> None:
    fine = {"user_id": "u", "item_id": "a", "action": "click", "at": "1", "position": "0", "propensity": "1"}
    changes = [
        ({"user_id": None}, "user_id is missing"),
        ({"item_id": None}, "item_id is missing"),
        ({"item_id": None, "action": "search"}, None),
        ({"action": "stare"}, "unknown action"),
        ({"action": None}, "action is missing"),
        ({"at": None}, "at is missing"),
        ({"at": "-5"}, "at is before 1970"),
        ({"at": "11"}, "at is in the future"),
        ({"at": "10"}, None),
        ({"position": "-1"}, "position is negative"),
        ({"position": "1.5"}, "position is not a whole number"),
        ({"position": "2147483648"}, "position is too large"),
        ({"propensity": "0"}, "propensity is outside (0, 1]"),
        ({"propensity": "1.01"}, "propensity is outside (0, 1]"),
        ({"propensity": "nan"}, "propensity is NaN"),
        ({"dwell_s": "-1"}, "dwell_s is negative"),
        ({"value": "-1"}, None),
        ({"item_id": "zz"}, "item_id is not known"),
        ({"user_id": "zz"}, "user_id is not known"),
        ({"action": "CLICK"}, None),
    ]
    rows = [fine | {"dwell_s": None, "value": None} | change for change, _ in changes]
    checks = Checks(10 * SECOND_US, "reject", Vocabulary("item", ("a",)), Vocabulary("user", ("u",)))
    batch = read("events", rows, checks)
    assert reasons(batch) == [(row, reason) for row, (_, reason) in enumerate(changes) if reason]
    assert len(Events(batch.table)) == sum(reason is None for _, reason in changes)


@pytest.mark.parametrize(
    ("unknown", "stored", "reason"),
    [
        ("keep", 2, []),
        ("drop", 1, ["dropped: item_id is not known"]),
        ("reject", 1, ["item_id is not known"]),
    ],
)
def test_the_caller_says_what_becomes_of_unknown_items(unknown: str, stored: int, reason: list[str]) -> None:
    rows = [{"user_id": "u", "item_id": item} for item in ("a", "b")]
    batch = read("events", rows, Checks(unknown=unknown, items=Vocabulary("item", ("a",))))
    assert (batch.table.num_rows, batch.rejections.column("reason").to_pylist()) == (stored, reason)


def test_events_without_time_are_ordered_by_pos_or_by_row() -> None:
    by_pos = read(
        "events", [{"user_id": "u", "item_id": "a", "pos": 3}, {"user_id": "u", "item_id": "b", "pos": 0}]
    )
    by_row = read("events", [{"user_id": "u", "item_id": "a"}, {"user_id": "u", "item_id": "b"}])
    timed = read("events", [{"user_id": "u", "item_id": "a", "at": 1, "pos": 3}])
    assert by_pos.table.column("at").to_pylist() == [3 * SECOND_US, 0]
    assert by_row.table.column("at").to_pylist() == [0, SECOND_US]
    assert (by_pos.logical_time, by_row.logical_time, timed.logical_time) == (True, True, False)
    assert timed.table.column("attributes").to_pylist() == [[("pos", "3")]]


def test_a_faulty_pos_is_rejected() -> None:
    batch = read("events", [{"user_id": "u", "item_id": "a", "pos": pos} for pos in ("-1", "x", None)])
    assert [reason for _, reason in reasons(batch)] == [
        "pos is negative",
        "pos is not a whole number",
        "pos is missing",
    ]


def test_a_file_without_actions_has_the_one_the_caller_names() -> None:
    batch = read("events", [{"user_id": "u", "item_id": "a"}], Checks(action="save"))
    assert batch.table.column("action").to_pylist() == ["save"]


def test_event_ids_come_from_the_file_and_its_rows_unless_given() -> None:
    made = read("events", [{"user_id": "u", "item_id": "a"}] * 2)
    given = read("events", [{"user_id": "u", "item_id": "a", "event_id": name} for name in ("x", None, "x")])
    assert made.table.column("event_id").to_pylist() == ["s-0", "s-1"]
    assert given.table.column("event_id").to_pylist() == ["x", "s-1"]
    assert reasons(given) == [(2, "event_id is repeated")]


def test_users_queries_and_campaigns_are_read() -> None:
    users = read("users", [{"user_id": 1, "age": 30}, {"user_id": 1, "age": 31}])
    queries = read("queries", [{"query": "red", "count": "2"}, {"query": "", "count": "1"}])
    campaigns = read(
        "campaigns",
        [
            {
                "campaign_id": "c",
                "bid": 0.5,
                "daily_budget": 10,
                "starts_at": "1970-01-01",
                "ends_at": "1970-01-02",
            },
            {"campaign_id": "d", "bid": None, "daily_budget": 10, "starts_at": None, "ends_at": None},
            {
                "campaign_id": "e",
                "bid": 1.0,
                "daily_budget": 10,
                "starts_at": "1970-01-02",
                "ends_at": "1970-01-01",
            },
        ],
    )
    assert Users(users.table)[0].attributes == {"age": "30"}
    assert reasons(users) == [(1, "user_id is repeated")]
    assert queries.table.to_pylist() == [{"query": "red", "user_id": None, "at": None, "count": 2}]
    assert campaigns.table.column("ends_at").to_pylist() == [DAY_US]
    assert reasons(campaigns) == [(1, "bid is missing"), (2, "ends_at is before starts_at")]


def test_columns_without_a_place_are_refused_not_dropped() -> None:
    with pytest.raises(InputError, match=r"unknown column 'lang'; expected query, user_id, at, count"):
        read("queries", [{"query": "red", "lang": "en"}])


def test_an_absent_column_is_told_with_a_hint() -> None:
    with pytest.raises(
        InputError, match=r"no column 'item_id'; did you mean 'itemid'\?; found itemid, price"
    ):
        read("items", [{"itemid": "a", "price": 1}])


def test_a_column_twice_is_refused() -> None:
    with pytest.raises(InputError, match="column 'item_id' is there twice"):
        read("items", pa.table([["a"], ["b"]], names=["item_id", "item_id"]))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="unknown kind 'boards'; expected one of items"):
        read("boards", [{"a": 1}])


def test_checks_refuse_unknown_words() -> None:
    with pytest.raises(InputError, match="expected reject, drop or keep"):
        Checks(unknown="guess")
    with pytest.raises(InputError, match="did you mean 'click'"):
        Checks(action="clik")


def test_a_batch_that_lost_a_row_is_refused() -> None:
    batch = read("users", [{"user_id": 1}])
    with pytest.raises(InputError, match="2 rows came in, 1 are to be stored and 0 are rejected"):
        ImportBatch("users", batch.table, batch.rejections, rows=2)


def test_urls_of_pictures_are_kept_and_never_paths() -> None:
    rows = [
        {"item_id": "a", "image": "a.jpg", "url": "https://shop/a"},
        {"item_id": "b", "image": "https://shop/b.jpg", "url": None},
        {"item_id": "c", "image": "https://shop/c.jpg", "url": "https://shop/c"},
    ]
    table = read("items", rows).table
    assert table.column("image").to_pylist() == ["a.jpg", None, None]
    assert table.column("url").to_pylist() == ["https://shop/a", "https://shop/b.jpg", "https://shop/c"]
    assert table.column("attributes").to_pylist() == [None, None, [("image_url", "https://shop/c.jpg")]]


@pytest.mark.parametrize(
    "image", [b"\xff\xd8", {"bytes": b"\xff\xd8", "path": "a.jpg"}, {"bytes": b"\xff\xd8"}]
)
def test_bytes_of_pictures_do_not_become_words(image: object) -> None:
    table = read("items", [{"item_id": "a", "image": image, "jpeg": b"\xff\xd8"}]).table
    assert table.column("image").to_pylist() in ([None], ["a.jpg"])
    assert table.column("attributes").to_pylist() == [None]


def test_a_table_of_no_rows_is_an_empty_catalogue() -> None:
    batch = read("items", pa.table({"item_id": pa.array([], pa.string())}))
    assert (batch.rows, len(Items(batch.table)), batch.rejections.num_rows) == (0, 0, 0)


def test_a_file_read_in_batches_is_the_file_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,price\n" + "".join(f"i{n % 7},{n}\n" for n in range(20)), encoding="utf-8")
    whole = list(read_standard("items", path))
    small = list(read_standard("items", path, rows=3))
    assert whole, len(small) == (1, 7)
    for part in ("table", "rejections"):
        joined = pa.concat_tables([getattr(batch, part) for batch in small]).combine_chunks()
        assert joined.to_pylist() == getattr(whole[0], part).to_pylist()
    assert Counter(reason for batch in small for _, reason in reasons(batch)) == {
        "item_id is repeated": 20 - 7
    }


def test_one_file_of_one_content_has_one_digest(tmp_path: Path) -> None:
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


cells = st.one_of(
    st.none(), st.text(max_size=5), st.sampled_from(["u", "a", "click", "1", "-1", "0.5", "nan", "1e40"])
)
kinds = {
    "items": ["item_id", "price", "created_at", "is_ad", "attributes", "mood"],
    "users": ["user_id", "created_at", "attributes"],
    "events": [
        "user_id",
        "item_id",
        "action",
        "at",
        "position",
        "propensity",
        "value",
        "dwell_s",
        "event_id",
    ],
    "campaigns": ["campaign_id", "bid", "daily_budget", "ends_at"],
    "queries": ["query", "at", "count"],
}


@given(data=st.data(), kind=st.sampled_from(sorted(kinds)))
def test_rows_in_are_rows_stored_plus_rows_rejected(data: st.DataObject, kind: str) -> None:
    names = kinds[kind]
    rows = data.draw(st.lists(st.tuples(*[cells for _ in names]), max_size=12))
    table = pa.table(
        {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)}
    )
    cut = data.draw(st.integers(0, len(rows)))
    parts = [SourceTable(kind, part, "f", "s") for part in (table.slice(0, cut), table.slice(cut))]
    batches = list(standardised(parts, Checks(as_of=DAY_US)))
    assert sum(batch.table.num_rows + batch.rejections.num_rows for batch in batches) == len(rows)
    rejected = [row for batch in batches for row, _ in reasons(batch)]
    assert len(set(rejected)) == len(rejected)
    assert all(0 <= row < len(rows) for row in rejected)
    for batch in batches:
        assert batch.table.schema == SCHEMAS[kind]
        if kind == "events":
            Events(batch.table)
    whole = StandardImport(Checks(as_of=DAY_US)).read(SourceTable(kind, table, "f", "s"))
    assert [row for row, _ in reasons(whole)] == rejected


@given(value=st.floats(allow_nan=True))
def test_a_propensity_is_kept_exactly_when_it_is_a_probability(value: float) -> None:
    batch = read("events", pa.table({"user_id": ["u"], "item_id": ["a"], "propensity": [value]}))
    assert batch.table.num_rows == int(not math.isnan(value) and 0 < value <= 1)


def test_the_schema_of_events_is_the_record() -> None:
    assert read("events", [{"user_id": "u", "item_id": "a"}]).table.schema == EVENT_SCHEMA
