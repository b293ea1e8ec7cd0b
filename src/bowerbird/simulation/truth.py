"""The truth of a simulated world, stored apart: only evaluation may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from jaxtyping import Float32, Int, Int64
from scipy.sparse.csgraph import connected_components

from bowerbird.errors import NotFoundError
from bowerbird.simulation.people import Interests
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.true_preference import TruePreference

__all__ = ["Truth"]

_TABLES = ("people", "interests", "items", "topics", "activity", "duplicates", "lookalikes", "spending")


@dataclass(frozen=True)
class Truth:
    """What was planted, as Arrow tables, and the true preference made from them.

    Attributes:
        settings: the settings of the world: position bias and fatigue are in ``settings.choice``.
        people: ``user_id, taste, openness``.
        interests: ``user_id, category, begins, ends, weight_start, weight_end``.
        items: ``item_id, topic, look, quality, season, is_ad, original_id``, one row per item, in the order of the world.
        topics: ``category, group``.
        activity: ``user_id, states``: one state per day, by name in ``people.STATES``.
        duplicates: ``item_id, original_id, kind``: the planted copies.
        lookalikes: ``item_id, other_id, difference, mirrored``: catalogue pictures that were nearly equal before.
        spending: ``campaign_id, spent``.
    """

    settings: WorldSettings
    people: pa.Table
    interests: pa.Table
    items: pa.Table
    topics: pa.Table
    activity: pa.Table
    duplicates: pa.Table
    lookalikes: pa.Table
    spending: pa.Table

    def __post_init__(self) -> None:
        """Index the ids once."""
        users = {name: row for row, name in enumerate(self.people["user_id"].to_pylist())}
        items = {name: row for row, name in enumerate(self.items["item_id"].to_pylist())}
        object.__setattr__(self, "_users", users)
        object.__setattr__(self, "_items", items)
        object.__setattr__(self, "_model", self._built(users))

    @property
    def model(self) -> TruePreference:
        """The planted preference by row."""
        return self._model  # type: ignore[attr-defined]

    def user_rows(self, user_ids: Sequence[str]) -> Int64[np.ndarray, "user"]:
        """Rows of people.

        Raises:
            NotFoundError: an id is not in this world.
        """
        return _rows(self._users, user_ids, "user")  # type: ignore[attr-defined]

    def item_rows(self, item_ids: Sequence[str]) -> Int64[np.ndarray, "item"]:
        """Rows of items.

        Raises:
            NotFoundError: an id is not in this world.
        """
        return _rows(self._items, item_ids, "item")  # type: ignore[attr-defined]

    def preference(
        self, user_id: str, item_rows: Int[np.ndarray, "item"], at: int
    ) -> Float32[np.ndarray, "item"]:
        """Probability that a person opens each item at position 0, not having seen it before.

        Args:
            user_id: the person.
            item_rows: rows of items, from :meth:`item_rows`.
            at: microseconds UTC.

        Raises:
            NotFoundError: the person is not in this world.
        """
        return self.model.preference(self.user_rows([user_id]), item_rows, self.model.moment(at))

    def top_interests(self, user_id: str, at: int, k: int = 3) -> list[tuple[str, float]]:
        """The strongest interests of a person at a time: category path and weight, best first."""
        weights = self.model.moment(at).weights[int(self.user_rows([user_id])[0])]
        names = self.topics["category"].to_pylist()
        best = np.argsort(-weights, kind="stable")[:k]
        return [(names[row], float(weights[row])) for row in best if weights[row] > 0]

    def duplicate_groups(self) -> Int64[np.ndarray, "item"]:
        """A group number per item row: items of one group show the same picture, planted or in the catalogue itself."""
        count = self.items.num_rows
        pairs = [(self.duplicates, "original_id"), (self.lookalikes, "other_id")]
        left = np.concatenate([self.item_rows(table["item_id"].to_pylist()) for table, _ in pairs])
        right = np.concatenate([self.item_rows(table[other].to_pylist()) for table, other in pairs])
        links = sp.coo_array((np.ones(left.shape[0], dtype=np.int8), (left, right)), shape=(count, count))
        return connected_components(links, directed=False)[1].astype(np.int64)

    def write(self, folder: Path) -> None:
        """Store the truth as Parquet files and the settings as JSON in a folder of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _TABLES:
            pq.write_table(getattr(self, name), folder / f"{name}.parquet")
        (folder / "settings.json").write_text(self.settings.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Truth:
        """The truth stored in a folder.

        Raises:
            NotFoundError: the folder holds no truth.
        """
        settings = folder / "settings.json"
        if not settings.exists():
            raise NotFoundError(
                f"{folder}: no truth of a simulated world here; only demo workspaces have one"
            )
        tables: Mapping[str, pa.Table] = {name: pq.read_table(folder / f"{name}.parquet") for name in _TABLES}
        return cls(settings=WorldSettings.model_validate_json(settings.read_text(encoding="utf-8")), **tables)

    def _built(self, users: Mapping[str, int]) -> TruePreference:
        category = {name: row for row, name in enumerate(self.topics["category"].to_pylist())}
        spans = self.interests
        interests = Interests(
            user=np.array([users[name] for name in spans["user_id"].to_pylist()], dtype=np.int32),
            topic=np.array([category[name] for name in spans["category"].to_pylist()], dtype=np.int32),
            begins=spans["begins"].to_numpy(),
            ends=spans["ends"].to_numpy(),
            weight_start=spans["weight_start"].to_numpy(),
            weight_end=spans["weight_end"].to_numpy(),
        )
        return TruePreference(
            settings=self.settings.choice,
            interests=interests,
            taste=_matrix(self.people["taste"]),
            openness=self.people["openness"].to_numpy(),
            topic=self.items["topic"].to_numpy(),
            topic_group=self.topics["group"].to_numpy(),
            look=_matrix(self.items["look"]),
            quality=self.items["quality"].to_numpy(),
            season=_matrix(self.items["season"]),
            is_ad=self.items["is_ad"].to_numpy(),
        )


def _rows(rows: Mapping[str, int], names: Sequence[str], kind: str) -> Int64[np.ndarray, "n"]:
    unknown = [name for name in names if name not in rows]
    if unknown:
        raise NotFoundError(
            f"truth: {kind}_id {unknown[0]!r} is not in the simulated world "
            f"({len(unknown)} of {len(names)} unknown); its {len(rows)} {kind}s are named like {next(iter(rows))!r}"
        )
    return np.array([rows[name] for name in names], dtype=np.int64)


def _matrix(column: pa.ChunkedArray) -> Float32[np.ndarray, "n dim"]:
    whole = column.combine_chunks()
    return whole.flatten().to_numpy(zero_copy_only=False).reshape(len(whole), -1).astype(np.float32)
