from __future__ import annotations

import pytest

from bowerbird.clock import parse_time
from bowerbird.datasets.open_bandit import importer
from bowerbird.errors import NotFoundError

FEATURES = ",".join(f"user_feature_{number}" for number in range(4))
LOG = (
    f",timestamp,item_id,position,click,propensity_score,{FEATURES},user-item_affinity_0,user-item_affinity_1\n"
    "0,2019-11-24 00:00:34.762830+00:00,14,3,0,0.0125,aaaaaaaaaa,b,c,d,0.0,1.5\n"
    "1,2019-11-24 00:01:00.000000+00:00,13,1,1,0.25,aaaaaaaaaa,b,c,d,0.0,\n"
)
CONTEXT = ",item_id,item_feature_0\n0,13,-0.5\n1,14,0.25\n"


def test_csv_as_published(imported, write) -> None:
    files = {
        f"{policy}/men/{name}.csv": text
        for policy in ("bts", "random")
        for name, text in (("men", LOG), ("item_context", CONTEXT))
    }
    found = imported(importer(), write(files))
    assert found.column("items", "item_id") == ["men-13", "men-14"]
    assert found.attributes("items") == {"item_feature_0": "-0.5", "campaign": "men"}
    assert found.rows["events"] == 2 * (2 + 1)
    shown, clicked = found.stored["events"][0], found.stored["events"][2]
    assert (shown["action"], shown["item_id"], shown["position"], shown["surface"]) == (
        "impression",
        "men-14",
        2,
        "men",
    )
    assert shown["propensity"] == pytest.approx(0.0125)
    assert shown["at"] == parse_time("2019-11-24T00:00:34.762830")
    assert shown["user_id"] == "aaaaaaaa-b-c-d"
    assert found.attributes("events")["user_item_affinity"] == "[0.0,1.5]"
    assert found.attributes("events", 1)["user_item_affinity"] == "[0.0,null]"
    assert (clicked["action"], clicked["item_id"], clicked["position"]) == ("click", "men-13", 0)
    assert [found.attributes("events", row)["policy"] for row in (0, 3)] == ["bts", "random"]


def test_parquet_form(imported, parquet) -> None:
    log = {
        "policy": ["random"],
        "campaign": ["all"],
        "timestamp": ["2019-11-24"],
        "item_id": [1],
        "position": [1],
    }
    log |= {"click": [1], "propensity_score": [0.5], "user_item_affinity": [[0.0, 1.0]]}
    log |= {f"user_feature_{number}": ["f"] for number in range(4)}
    folder = parquet(
        {"log": log, "item_context": {"campaign": ["all"], "item_id": [1], "item_feature_1": ["x"]}}
    )
    found = imported(importer(), folder)
    assert found.column("items", "item_id") == ["all-1"]
    assert found.column("events", "action") == ["impression", "click"]
    assert found.column("events", "position") == [0, 0]
    assert not found.logical


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"open_bandit: .* has none of log\.parquet"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
