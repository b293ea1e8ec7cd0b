from __future__ import annotations

import pytest

from bowerbird.datasets.citeulike import importer
from bowerbird.errors import InputError, NotFoundError

FILES = {
    "users.dat": "2 0 1\n1 1\n",
    "item-tag.dat": "2 0 1\n0\n",
    "tags.dat": "network\nreview\n",
    "citations.dat": "1 1\n0\n",
}


def test_dat_files_as_published(imported, write) -> None:
    found = imported(importer(), write(FILES))
    events = [
        (row["user_id"], row["item_id"], row["action"], row["collection_id"])
        for row in found.stored["events"]
    ]
    assert events == [
        ("0", "0", "save", "library-0"),
        ("0", "1", "save", "library-0"),
        ("1", "1", "save", "library-1"),
    ]
    assert found.column("items", "description") == ["network, review", None]
    assert found.attributes("items") == {"tags": '["network","review"]', "cites": '["1"]'}
    assert found.logical


def test_titles_and_abstracts_where_they_are(imported, write) -> None:
    raw = '"doc.id","title","citeulike.id","raw.title","raw.abstract"\n1,"t",7,"The Caf\xe9","Words."\n'
    found = imported(importer(), write(FILES | {"raw-data.csv": raw.encode("latin-1")}))
    assert found.column("items", "title") == ["The Caf\xe9", None]
    assert found.column("items", "description") == ["Words.", None]


def test_parquet_form(imported, parquet) -> None:
    folder = parquet(
        {
            "interactions": {"user_id": [0], "item_id": [1]},
            "items": {"item_id": [0, 1], "tags": [["a", "b"], []]},
            "citations": {"item_id": [0], "cites_item_id": [1]},
        }
    )
    found = imported(importer(), folder)
    assert found.attributes("items") == {"tags": '["a","b"]', "cites": '["1"]'}
    assert found.column("events", "collection_id") == ["library-0"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("users.dat", "3 0 1\n", r"users\.dat line 1: says 3 ids and has 2"),
        ("item-tag.dat", "1 9\n", r"a tag of \['9'\] is not a line of tags\.dat"),
    ],
)
def test_files_that_contradict_themselves_are_told(write, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(importer().batches(write(FILES | {name: text})))


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"citeulike: .* has none of"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
