from __future__ import annotations

from datetime import datetime

import pytest

from bowerbird.clock import parse_time
from bowerbird.datasets.talkingdata import importer
from bowerbird.errors import NotFoundError

NAMES = "ip,app,device,os,channel,click_time,attributed_time,is_attributed"
TEXT = (
    f"{NAMES}\n1,8,1,13,259,2017-11-06 16:00:00,,0\n2,8,1,13,259,2017-11-06 16:00:00,2017-11-06 17:00:00,1\n"
)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_line_is_a_click_and_perhaps_an_install(imported, write, parquet, form: str) -> None:
    if form == "csv":
        folder = write({"train_sample.csv": TEXT})
    else:
        at = datetime(2017, 11, 6, 16)  # noqa: DTZ001 - the file has no zone
        lines = [(1, 8, 1, 13, 259, at, None, 0), (2, 8, 1, 13, 259, at, at.replace(hour=17), 1)]
        folder = parquet(
            {"clicks": dict(zip(NAMES.split(","), map(list, zip(*lines, strict=True)), strict=True))}
        )
    found = imported(importer(), folder)
    assert [(row["item_id"], row["is_ad"]) for row in found.stored["items"]] == [("8", True)]
    rows = [(row["action"], row["user_id"], row["at"]) for row in found.stored["events"]]
    clicked, installed = parse_time("2017-11-06T16:00:00"), parse_time("2017-11-06T17:00:00")
    assert rows == [
        ("click", "1-1-13", clicked),
        ("click", "2-1-13", clicked),
        ("purchase", "2-1-13", installed),
    ]
    assert found.attributes("events", 2)["conversion"] == "install"


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"talkingdata: .* has none of clicks\.parquet"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
