"""TalkingData: clicks on mobile ads, and the installs that followed some, with their delay.

Read as ``clicks.parquet`` or as Kaggle publishes it, ``train_sample.csv`` or ``train.csv``. A line is a ``click`` of
an address-device-system on an app's ad and, where it was attributed, a ``purchase`` (the install) at its time.
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
from bowerbird.datasets.published import Published, distinct, joined, shaped, source, whole


@final
@dataclass(frozen=True)
class TalkingData:
    """Importer of the TalkingData clicks."""

    name: str = "talkingdata"
    summary: str = "ad clicks with delayed installs"
    licence: str = "Kaggle competition rules: competition and academic use only"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Apps, then clicks and installs.

        Raises:
            NotFoundError: no form of the set is there.
        """
        file = Published(path, self.name).need("clicks.parquet", "train_sample.csv", "train.csv")
        apps = joined(distinct(table, "app", "item_id") for table in whole(file))
        apps = distinct(apps, "item_id", "item_id")
        yield source("items", shaped(apps, {}, {"is_ad": "true"}), file)
        for table in whole(file):
            clicks, installs = _events(table)
            yield source("events", clicks, file)
            yield source("events", installs, file, part="installs")

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the set holds no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> TalkingData:
    """The plugin's factory."""
    return TalkingData()


def _events(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    person = [texts(table.column(name)) for name in ("ip", "device", "os")]
    user = pc.binary_join_element_wise(*person, "-")
    installed = pa.array(mask(pc.equal(integers(table.column("is_attributed"))[0], 1)))
    names = {"app": "item_id"}
    kept = shaped(table, names, {"user_id": user, "surface": "ads"})
    clicks = shaped(kept.drop_columns(["attributed_time"]), {"click_time": "at"}, {"action": "click"})
    installs = shaped(
        kept.filter(installed), {"attributed_time": "at"}, {"action": "purchase", "conversion": "install"}
    )
    return clicks, installs
