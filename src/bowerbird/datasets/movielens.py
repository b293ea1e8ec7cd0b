"""MovieLens: ratings of films, in the editions 100K, 1M and latest.

Read as published (``u.data`` / ``ratings.dat`` / ``ratings.csv`` with their films and users) or as parquet of the
same tables; ``sequences.parquet`` is the order of ratings without times. A rating becomes the action ``rate``
with the rating as value; free-text tags and links become attributes of the film.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from bowerbird.datasets.columns import texts
from bowerbird.datasets.delimited import separated
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import (
    Published,
    distinct,
    grouped_json,
    joined,
    looked_up,
    shaped,
    source,
    whole,
)
from bowerbird.records.item import CATEGORIES

_NAMES = {
    "userId": "user_id",
    "movieId": "item_id",
    "movie_title": "title",
    "plot": "description",
    "poster_url": "url",
    "timestamp": "at_s",
    "rating": "value",
}
_GENRES_100K = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
_RATING = ("user_id", "item_id", "value", "at_s")


@final
@dataclass(frozen=True)
class MovieLens:
    """Importer of the MovieLens editions."""

    name: str = "movielens"
    summary: str = "film ratings with times; titles, genres, tags"
    licence: str = "GroupLens: research use; no commercial use; cite Harper and Konstan, 2015"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Films, people, then ratings.

        Raises:
            NotFoundError: no edition is there.
        """
        files = Published(path, self.name)
        ratings = files.need(
            "sequences.parquet",
            "interactions.parquet",
            "ratings.parquet",
            "ratings.csv",
            "ratings.dat",
            "u.data",
        )
        yield from _items(files, ratings)
        yield from _users(files)
        for table in _rating_tables(ratings):
            yield source("events", shaped(table, _NAMES, {"action": "rate"}), ratings)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the sets hold no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> MovieLens:
    """The plugin's factory."""
    return MovieLens()


def _rating_tables(ratings: Path) -> Iterator[pa.Table]:
    if ratings.suffix == ".dat":
        return separated(ratings, _RATING, "::")
    if ratings.suffix == ".data":
        return separated(ratings, _RATING, "\t")
    return whole(ratings)


def _items(files: Published, ratings: Path) -> Iterator[SourceTable]:
    film = files.first("items.parquet", "movies.parquet", "movies.csv", "movies.dat", "u.item")
    if film is None:  # the sequences come without films: the ids that occur are the catalogue
        yield source("items", distinct(joined(_rating_tables(ratings)), "item_id", "item_id"), ratings)
        return
    table = _films(film)
    added = _categories(table.column("genres"))
    tags = files.first("tags.parquet", "tags.csv")
    if tags is not None:
        found = grouped_json(joined(whole(tags)), "movieId", "tag")
        added["tags"] = looked_up(table.column("item_id"), found)
    links = files.first("links.parquet", "links.csv")
    if links is not None:
        linked = joined(whole(links))
        keys = texts(linked.column("movieId")).to_pylist()
        for name, kept in (("imdbId", "imdb_id"), ("tmdbId", "tmdb_id")):
            ids = texts(linked.column(name)).to_pylist()
            pairs = {key: value for key, value in zip(keys, ids, strict=True) if key and value}
            added[kept] = looked_up(table.column("item_id"), pairs)
    yield source("items", shaped(table, {}, added), film)


def _films(film: Path) -> pa.Table:
    if film.suffix == ".dat":
        return joined(separated(film, ("item_id", "title", "genres"), "::"))
    if film.suffix != ".item":
        return shaped(joined(whole(film)), _NAMES)
    given = ("item_id", "title", "release_date", "video_release_date", "url")
    table = joined(separated(film, (*given, *_GENRES_100K), "|"))
    marks = [table.column(name).to_pylist() for name in _GENRES_100K]
    genres = [
        "|".join(name for name, mark in zip(_GENRES_100K, row, strict=True) if mark == "1")
        for row in zip(*marks, strict=True)
    ]
    return shaped(table.select(given), {}, {"genres": pa.array(genres, pa.string())})


def _categories(genres: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Of ``A|B`` or ``A B`` the first as the film's place in the category tree, and all where there are several."""
    named = [
        [one for one in re.split(r"[| ]", text or "") if one and one != "unknown"]
        if text != "(no genres listed)"
        else []
        for text in texts(genres).to_pylist()
    ]
    several = ["|".join(one) if len(one) > 1 else None for one in named]
    return {
        "category": pa.array([one[0] if one else None for one in named], pa.string()),
        CATEGORIES: pa.array(several, pa.string()),
    }


def _users(files: Published) -> Iterator[SourceTable]:
    people = files.first("users.parquet", "users.dat", "u.user")
    if people is None:
        return
    if people.suffix == ".dat":
        table = joined(separated(people, ("user_id", "gender", "age", "occupation", "zip_code"), "::"))
    elif people.suffix == ".user":
        table = joined(separated(people, ("user_id", "age", "gender", "occupation", "zip_code"), "|"))
    else:
        table = joined(whole(people))
    yield source("users", table, people)
