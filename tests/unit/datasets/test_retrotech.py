from __future__ import annotations

import gzip

import pytest

from bowerbird.clock import SECOND_US
from bowerbird.datasets.retrotech import importer
from bowerbird.errors import NotFoundError

PRODUCTS = (
    "upc,name,manufacturer,short_description,long_description\n0096,Dolby DVD,Sony,Short,Long\n97,Kindle,,,\n"
)
SESSIONS = "sess_id,query,rank,doc_id,clicked\n5,dvd,0,97,False\n5,dvd,1,96,True\n"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_each_line_is_an_impression_and_perhaps_a_click(imported, write, parquet, form: str) -> None:
    if form == "csv":
        folder = write({"products.csv": PRODUCTS, "sessions/0.gz": gzip.compress(SESSIONS.encode())})
    else:
        folder = parquet(
            {
                "products": {
                    "upc": ["0096", "97"],
                    "name": ["Dolby DVD", "Kindle"],
                    "manufacturer": ["Sony", None],
                    "long_description": ["Long", None],
                },
                "sessions": {
                    "sess_id": [5, 5],
                    "query": ["dvd"] * 2,
                    "rank": [0, 1],
                    "doc_id": ["97", "96"],
                    "clicked": [False, True],
                },
            }
        )
    found = imported(importer(), folder)
    item = found.stored["items"][0]
    assert (item["item_id"], item["title"], item["brand"], item["description"]) == (
        "96",
        "Dolby DVD",
        "Sony",
        "Long",
    )
    assert found.attributes("items")["upc"] == "0096"
    rows = [
        (row["action"], row["item_id"], row["position"], row["at"] // SECOND_US)
        for row in found.stored["events"]
    ]
    assert rows == [("impression", "97", 0, 0), ("impression", "96", 1, 1), ("click", "96", 1, 1)]
    first = found.stored["events"][0]
    assert (first["user_id"], first["request_id"], first["query"], first["surface"]) == (
        "session-5",
        "5",
        "dvd",
        "search",
    )
    assert found.logical


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"retrotech: .* has none of products\.parquet"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
