"""An id that is a number in one table and text in the next is one id: from import through training to serving."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.errors import InputError, NotFoundError
from bowerbird.workspace import Workspace

PEOPLE, ITEMS, EVENTS = 20, 30, 400


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """People and items are numbers: integers in one file of events, floats and text in the next."""
    folder = tmp_path_factory.mktemp("numbered")
    random = np.random.default_rng(0)
    users, items = random.integers(0, PEOPLE, EVENTS), random.integers(0, ITEMS, EVENTS)
    at = 1_700_000_000 + np.arange(EVENTS) * 600
    half = EVENTS // 2
    columns = [
        (pa.array(users[:half]), pa.array(items[:half])),
        (pa.array(users[half:].astype(float)), pa.array(items[half:].astype(str))),
    ]
    pq.write_table(pa.table({"item_id": np.arange(ITEMS)}), folder / "items.parquet")
    workspace = Workspace.create(folder / "shop")
    workspace.import_files("items", [folder / "items.parquet"])
    for number, (who, what) in enumerate(columns):
        times = at[number * half : (number + 1) * half]
        pq.write_table(pa.table({"user_id": who, "item_id": what, "at": times}), folder / f"{number}.parquet")
        report = workspace.import_files("events", [folder / f"{number}.parquet"])
        assert report.stored == {"events": half}
    workspace.build(["cooccurrence"])
    return workspace


def test_a_person_trained_as_a_number_is_the_same_person_when_asked_as_text(numbered):
    assert len(numbered.workbench().people) == PEOPLE
    told = numbered.ask("homefeed", user="7", n=5)
    assert "user '7' has no history" not in " ".join(told.notes)
    for same in (7, 7.0, np.int64(7)):
        asked = numbered.ask("homefeed", user=same, n=5)
        assert [one.item_id for one in asked.entries] == [one.item_id for one in told.entries]
        assert asked.notes == told.notes
    assert numbered.understanding(7) == numbered.understanding("7")
    assert numbered.portrait(3).item_id == "3"
    assert numbered.ask("related", item=3, n=5).entries == numbered.ask("related", item="3", n=5).entries
    assert numbered.why_not(3, user=7) == numbered.why_not("3", user="7")


def test_an_unknown_number_is_told_and_what_is_no_id_is_refused(numbered):
    with pytest.raises(NotFoundError, match="user '99' is not known"):
        numbered.understanding(99)
    with pytest.raises(InputError, match=r"id 7\.5: expected text or a whole number"):
        numbered.ask("homefeed", user=7.5)
    with pytest.raises(InputError, match="id True: expected text or a whole number"):
        numbered.ask("homefeed", user=True)
