"""What every catalogue promises."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.records import CAMPAIGN_SCHEMA, ITEM_SCHEMA, Campaign, Items
from bowerbird.stores.protocol import Catalogue
from bowerbird.testing.contracts.examples import AWKWARD_TEXTS, item_rows, items, users

Make = Callable[[], Catalogue]


def a_new_catalogue_is_empty(make: Make) -> None:
    """No items, users, campaigns; putting in nothing changes nothing."""
    catalogue = make()
    assert len(catalogue.items()) == len(catalogue.users()) == len(catalogue.campaigns()) == 0
    before = catalogue.fingerprint()
    assert catalogue.upsert_items(items()) == 0
    assert catalogue.fingerprint() == before


def items_keep_their_rows(make: Make) -> None:
    """A known item is changed in place, a new one appended."""
    catalogue = make()
    assert catalogue.upsert_items(items("a", "b", "c")) == 3
    assert catalogue.upsert_items(items("d", "b", title="new")) == 2
    live = catalogue.items()
    assert live.vocabulary.ids == ("a", "b", "c", "d")
    assert live.column("title") == [None, "new", None, "new"]


def putting_the_same_in_again_changes_nothing(make: Make) -> None:
    """Upserts are idempotent: no rows counted, same table, same fingerprint."""

    @settings(max_examples=6)
    @given(st.lists(item_rows(), max_size=8, unique_by=lambda row: row["item_id"]))
    def check(rows: list[dict]) -> None:
        batch = Items(pa.Table.from_pylist(rows, ITEM_SCHEMA))
        catalogue = make()
        assert catalogue.upsert_items(batch) == len(rows)
        table, fingerprint = catalogue.items().table, catalogue.fingerprint()
        assert table.column("item_id").to_pylist() == [row["item_id"] for row in rows]
        assert table.column("attributes").to_pylist() == [row.get("attributes") for row in rows]
        assert catalogue.upsert_items(batch) == 0
        assert catalogue.items().table.equals(table) or "nan" in str(rows)  # Arrow's NaN is unequal to itself
        assert catalogue.fingerprint() == fingerprint

    check()


def the_order_of_upserts_leaves_the_fingerprint(make: Make) -> None:
    """Equal content has one fingerprint; a changed title another."""
    forward, backward = make(), make()
    for name in AWKWARD_TEXTS:
        forward.upsert_items(items(name))
        backward.upsert_items(items(*AWKWARD_TEXTS[::-1]))
    assert forward.fingerprint() == backward.fingerprint()
    backward.upsert_items(items("a", title="other"))
    assert forward.fingerprint() != backward.fingerprint()
    forward.upsert_users(users("a"))
    backward.upsert_items(items("a"))
    assert forward.fingerprint() != backward.fingerprint()


def users_and_campaigns_are_kept_beside_items(make: Make) -> None:
    """Three tables that know nothing of one another."""
    catalogue = make()
    assert catalogue.upsert_users(users(*AWKWARD_TEXTS)) == len(AWKWARD_TEXTS)
    assert (
        catalogue.upsert_campaigns(pa.table({"campaign_id": ["c"], "bid": [0.5], "daily_budget": [9.0]})) == 1
    )
    assert (
        catalogue.upsert_campaigns(pa.table({"campaign_id": ["c"], "bid": [0.7], "daily_budget": [9.0]})) == 1
    )
    assert catalogue.users().vocabulary.ids == AWKWARD_TEXTS
    assert catalogue.campaigns() == [Campaign("c", bid=0.7, daily_budget=9.0)]
    assert catalogue.upsert_campaigns(CAMPAIGN_SCHEMA.empty_table()) == 0
    assert len(catalogue.items()) == 0


def a_repeated_or_empty_id_is_refused(make: Make) -> None:
    """Nothing of such a batch is kept."""
    catalogue = make()
    with pytest.raises(InputError, match=r"'a' occurs twice"):
        catalogue.upsert_items(items("a", "b", "a"))
    with pytest.raises(InputError, match=r"row 1 has an empty item_id"):
        catalogue.upsert_items(items("a", ""))
    assert len(catalogue.items()) == 0


LAWS = (
    a_new_catalogue_is_empty,
    items_keep_their_rows,
    putting_the_same_in_again_changes_nothing,
    the_order_of_upserts_leaves_the_fingerprint,
    users_and_campaigns_are_kept_beside_items,
    a_repeated_or_empty_id_is_refused,
)
