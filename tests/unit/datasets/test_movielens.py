from __future__ import annotations

import pytest

from bowerbird.clock import SECOND_US
from bowerbird.datasets.movielens import importer
from bowerbird.errors import InputError, NotFoundError


def test_the_1m_edition_as_published(imported, write) -> None:
    folder = write(
        {
            "ratings.dat": "1::10::5::978300760\n2::10::3::978300761\n",
            "movies.dat": "10::Am\xe9lie (2001)::Comedy|Romance\n".encode("latin-1"),
            "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
        }
    )
    found = imported(importer(), folder)
    assert found.rows == {"items": 1, "users": 2, "events": 2}
    assert found.stored["items"][0]["title"] == "Am\xe9lie (2001)"
    assert found.stored["items"][0]["category"] == "Comedy"
    assert found.attributes("items") == {"genres": "Comedy|Romance", "categories": "Comedy|Romance"}
    assert found.attributes("users") == {"gender": "F", "age": "1", "occupation": "10", "zip_code": "48067"}
    assert found.column("events", "at") == [978300760 * SECOND_US, 978300761 * SECOND_US]
    assert found.column("events", "value") == [5.0, 3.0]
    assert set(found.column("events", "action")) == {"rate"}


def test_the_100k_edition_as_published(imported, write) -> None:
    marks = "|".join("1" if at in (3, 4) else "0" for at in range(19))  # Animation, Children's
    folder = write(
        {
            "u.data": "196\t1\t3\t881250949\n",
            "u.item": f"1|Toy Story (1995)|01-Jan-1995||http://imdb/1|{marks}\n",
            "u.user": "196|24|M|technician|85711\n",
        }
    )
    found = imported(importer(), folder)
    item = found.stored["items"][0]
    assert (item["title"], item["category"], item["url"]) == (
        "Toy Story (1995)",
        "Animation",
        "http://imdb/1",
    )
    assert found.attributes("items") == {
        "release_date": "01-Jan-1995",
        "genres": "Animation|Children's",
        "categories": "Animation|Children's",
    }
    assert found.attributes("users")["occupation"] == "technician"
    assert found.column("events", "user_id") == ["196"]


def test_the_latest_edition_as_published(imported, write) -> None:
    folder = write(
        {
            "ratings.csv": "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n",
            "movies.csv": 'movieId,title,genres\n31,"American President, The (1995)",Comedy|Drama\n32,X,(no genres listed)\n',
            "tags.csv": "userId,movieId,tag,timestamp\n15,31,dentist,1138537770\n16,31,dentist,1\n16,31,ai,1\n",
            "links.csv": "movieId,imdbId,tmdbId\n31,0112346,9087\n32,,\n",
        }
    )
    found = imported(importer(), folder)
    assert found.column("items", "title") == ["American President, The (1995)", "X"]
    assert found.column("items", "category") == ["Comedy", None]
    kept = found.attributes("items")
    assert (kept["tags"], kept["imdb_id"], kept["tmdb_id"]) == ('["dentist","ai"]', "0112346", "9087")
    assert found.column("events", "value") == [2.5]
    assert not found.logical


def test_parquet_sequences_have_an_order_and_no_time(imported, parquet) -> None:
    folder = parquet({"sequences": {"user_id": [1, 1, 2], "pos": [0, 1, 0], "item_id": [5, 6, 5]}})
    found = imported(importer(), folder)
    assert found.column("items", "item_id") == ["5", "6"]
    assert found.column("events", "at") == [0, SECOND_US, 0]
    assert found.logical


def test_parquet_of_the_100k_edition(imported, parquet) -> None:
    folder = parquet(
        {
            "interactions": {"user_id": [1], "item_id": [2], "rating": [4], "timestamp": [874724710]},
            "items": {
                "item_id": [2],
                "movie_title": ["GoldenEye"],
                "genres": ["Action Adventure"],
                "plot": ["Bond."],
            },
            "users": {"user_id": [1], "age": [24]},
        }
    )
    found = imported(importer(), folder)
    item = found.stored["items"][0]
    assert (item["title"], item["description"], item["category"]) == ("GoldenEye", "Bond.", "Action")
    assert found.attributes("items")["categories"] == "Action|Adventure"
    assert found.column("events", "at") == [874724710 * SECOND_US]


def test_a_line_with_too_few_cells_is_told(write) -> None:
    folder = write({"ratings.dat": "1::10::5::1\n1::10::5\n", "movies.dat": "10::X::Drama\n"})
    with pytest.raises(InputError, match=r"ratings\.dat line 2: found 3 cells, expected 4"):
        list(importer().batches(folder))


def test_a_folder_without_an_edition_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"movielens: .* has none of sequences\.parquet"):
        list(importer().batches(tmp_path))
    with pytest.raises(NotFoundError, match="does not exist"):
        list(importer().pictures(tmp_path / "none"))


def test_there_are_no_pictures(tmp_path) -> None:
    assert list(importer().pictures(tmp_path)) == []
