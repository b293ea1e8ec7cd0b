"""The importers on the real files, where they are: row counts are exact, and so are the reasons."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bowerbird import plugins
from bowerbird.datasets import (
    amazon2014,
    amazon2018,
    citeulike,
    clothing,
    flickr8k,
    ikea,
    movielens,
    myntra,
    online_retail,
    open_bandit,
    pinterest20,
    retrotech,
    talkingdata,
    tate,
)
from bowerbird.datasets.images import tally
from bowerbird.datasets.online_retail import NO_PRODUCT
from bowerbird.datasets.standard import standardised

RETAIL_REASONS = {NO_PRODUCT: 2478, "user_id is missing": 107_186}
SETS = [
    (amazon2014, "amazon2014_seq", {"items": 12_101, "events": 198_502}, {}, True),
    (amazon2018, "amazon2018_text", {"items": 3459, "events": 22_447}, {}, True),
    (citeulike, "citeulike_a", {"items": 16_980, "events": 204_986}, {}, True),
    (clothing, "clothing_small", {"items": 3409}, {}, False),
    (flickr8k, "flickr8k_224", {"items": 7091}, {}, False),
    (ikea, "ikea_rooms", {"items": 2191 + 528}, {}, False),
    (movielens, "ml_1m", {"items": 3416, "events": 994_083}, {}, True),
    (movielens, "ml_100k", {"items": 1682, "users": 943, "events": 100_000}, {}, False),
    (movielens, "ml_latest_small", {"items": 9125, "events": 100_004}, {}, False),
    (myntra, "myntra_fashion", {"items": 7661}, {}, False),
    (online_retail, "online_retail", {"items": 4008, "users": 4010, "events": 431_673}, RETAIL_REASONS, False),
    (open_bandit, "open_bandit_small", {"items": 160, "events": 40_000 + 195}, {}, False),
    (pinterest20, "pinterest20", {"items": 9826, "events": 962_653}, {}, True),
    (retrotech, "retrotech_search", {"items": 48_194, "events": 1_175_000 + 31_178}, {"item_id is repeated": 2038}, True),
    (talkingdata, "talkingdata_100k", {"items": 148, "events": 71_439 + 168}, {}, False),
    (tate, "tate_art", {"items": 69_202}, {}, False),
]  # fmt: skip
PICTURES = [
    (clothing, "clothing_small", 3409),
    (flickr8k, "flickr8k_224", 7091),
    (ikea, "ikea_rooms", 2187 + 148),
    (myntra, "myntra_fashion", 7661),
]


def folder_of(shared_data: Path, name: str) -> Path:
    if not (shared_data / name).is_dir():
        pytest.skip(f"PUBLIC DATA ABSENT: no folder {shared_data / name}")
    return shared_data / name


@pytest.mark.data
@pytest.mark.parametrize(
    ("module", "folder", "rows", "reasons", "logical"),
    SETS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_rows_of_the_real_files_are_counted_exactly(
    shared_data: Path, module, folder, rows, reasons, logical
) -> None:
    found: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    stored = 0
    in_order = False
    for batch in standardised(module.importer().batches(folder_of(shared_data, folder))):
        found[batch.kind] += batch.rows
        stored += batch.table.num_rows
        rejected.update(batch.rejections.column("reason").to_pylist())
        in_order |= batch.logical_time
    assert (found, rejected, in_order) == (rows, reasons, logical)
    assert stored == sum(rows.values()) - sum(reasons.values())


@pytest.mark.data
@pytest.mark.parametrize(
    ("module", "folder", "pictures"), PICTURES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_pictures_of_the_real_files_belong_to_items(shared_data: Path, module, folder, pictures) -> None:
    path = folder_of(shared_data, folder)
    importer = module.importer()
    found = list(importer.pictures(path))
    assert tally(found) == {"pictures": pictures}
    items = (
        {
            name
            for source in importer.batches(path)
            for name in map(str, source.table.column("item_id").to_pylist())
        }
        if module is not myntra
        else None
    )
    if items is not None:
        assert {picture.item_id for picture in found} <= items


def test_every_importer_is_registered_under_its_name() -> None:
    registered = plugins.names("importers")
    if "movielens" not in registered:
        pytest.skip("the package's entry points are older than the importers: pip install -e . again")
    for module in {module for module, *_ in SETS}:
        name = module.importer().name
        assert plugins.load("importers", name) is module.importer
