"""Open Bandit (ZOZOTOWN): what two logging policies showed at which position, and what was clicked.

Read as ``log.parquet`` with ``item_context.parquet``, or as published: ``<policy>/<campaign>/<campaign>.csv`` with
``item_context.csv``. Each line is an ``impression`` with position and propensity and, where it was clicked, a
``click`` too. The set names no people: ``user_id`` stands for all visitors of the same four hashed features.
Item ids count anew in each campaign, so they get the campaign's name in front.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import integers, mask, texts
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, shaped, source, whole

_FEATURES = tuple(f"user_feature_{number}" for number in range(4))
_LOGS = ("log.parquet", "*/*/*.csv", "*/*.csv", "*.csv")
_CONTEXT = "item_context"


@final
@dataclass(frozen=True)
class OpenBandit:
    """Importer of the Open Bandit Dataset."""

    name: str = "open_bandit"
    summary: str = "impressions with positions, propensities and clicks, of two policies"
    licence: str = "CC BY 4.0, Saito et al., 2021"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Items, then impressions and clicks.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        logs = [file for file in files.all(*_LOGS) if not file.name.startswith(_CONTEXT)]
        if not logs:
            raise files.nothing(*_LOGS)
        yield from _items(files)
        for file in [log for log in logs if log.suffix == ".parquet"] or logs:
            for table in whole(file):
                shown, clicked = _events(_named(table, file))
                label = f"impressions of {file.parent.parent.name}" if file.suffix == ".csv" else ""
                yield source("events", shown, file, part=label)
                yield source("events", clicked, file, part=f"clicks{label.removeprefix('impressions')}")

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the set holds no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> OpenBandit:
    """The plugin's factory."""
    return OpenBandit()


def _items(files: Published) -> Iterator[SourceTable]:
    """Item contexts; policies repeat a campaign's, whose repeats are left to the import to reject."""
    found = files.all(f"{_CONTEXT}.parquet", f"*/*/{_CONTEXT}.csv", f"*/{_CONTEXT}.csv", f"{_CONTEXT}.csv")
    seen: set[str] = set()
    for file in found:
        if file.suffix == ".csv" and file.parent.name in seen:
            continue  # random/all and bts/all describe the same items
        seen.add(file.parent.name)
        for table in whole(file):
            named = _named(table, file)
            ids = _item_ids(named)
            yield source("items", shaped(named.drop_columns(["item_id"]), {}, {"item_id": ids}), file)


def _named(table: pa.Table, file: Path) -> pa.Table:
    """The table with policy and campaign, which the published form says by its folders only."""
    if "" in table.column_names:  # the number of the row, written by pandas
        table = table.drop_columns([""])
    if "campaign" in table.column_names:
        return table
    affinity = [name for name in table.column_names if name.startswith("user-item_affinity")]
    added: dict[str, pa.Array | str] = {"campaign": file.parent.name}
    if not file.name.startswith(_CONTEXT):
        added["policy"] = file.parent.parent.name
    if affinity:
        cells = [pc.coalesce(texts(table.column(name)), "null") for name in affinity]
        listed = pc.binary_join_element_wise(*cells, ",")
        added["user_item_affinity"] = pc.binary_join_element_wise("[", listed, "]", "")
    return shaped(table.drop_columns(affinity), {}, added)


def _item_ids(table: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(texts(table.column("campaign")), texts(table.column("item_id")), "-")


def _events(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    clicked = pc.equal(integers(table.column("click"))[0], 1)
    features = [pc.utf8_slice_codeunits(texts(table.column(name)), 0, 8) for name in _FEATURES]
    position = integers(table.column("position"))[0]
    added = {
        "item_id": _item_ids(table),
        "user_id": pc.binary_join_element_wise(*features, "-", null_handling="replace", null_replacement=""),
        "position": pc.subtract(position, 1),  # counted from 1 in the log
        "surface": texts(table.column("campaign")),
        "action": "impression",
    }
    shown = shaped(table, {"timestamp": "at", "propensity_score": "propensity"}, added)
    clicks = shown.filter(pa.array(mask(clicked)))
    return shown, shaped(clicks.select([*_KEPT, *_FEATURES]), {}, {"action": "click"})


_KEPT = ("at", "item_id", "user_id", "position", "surface", "propensity", "policy")
