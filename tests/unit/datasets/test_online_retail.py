from __future__ import annotations

from datetime import datetime

import openpyxl
import pytest

from bowerbird.clock import parse_time
from bowerbird.datasets.online_retail import NO_PRODUCT, importer

HEADER = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]
AT = datetime(2010, 12, 1, 8, 26)  # noqa: DTZ001 - the spreadsheet has no zone
LINES = [
    ["536365", "85123A", "WHITE HEART", 6, AT, 2.55, 17850, "United Kingdom"],
    ["536366", "85123A", "WHITE HEART", 2, AT, 2.65, 17850, "United Kingdom"],
    ["536367", "85123A", "?", 1, AT, 5.00, None, "United Kingdom"],
    ["C536379", "85123A", "WHITE HEART", -1, AT, 2.55, 17850, "United Kingdom"],
    ["536370", "POST", "POSTAGE", 3, AT, 18.0, 12583, "France"],
]


def spreadsheet(folder) -> None:
    book = openpyxl.Workbook()
    for line in (HEADER, *LINES):
        book.active.append(line)
    book.save(folder / "Online Retail.xlsx")


def kaggle_csv(folder) -> None:
    lines = [
        [*line[:4], "12/1/2010 8:26", line[5], "" if line[6] is None else f"{line[6]}.0", line[7]]
        for line in LINES
    ]
    text = "\n".join(",".join(map(str, line)) for line in (HEADER, *lines)).replace("POSTAGE", "POSTAGE \xa3")
    (folder / "data.csv").write_bytes(text.encode("latin-1"))


def day_csv(folder) -> None:
    lines = [
        [*line[:4], "2010-12-01 08:26:00", line[5], "" if line[6] is None else f"{line[6]}.0", line[7]]
        for line in LINES
    ]
    (folder / "retail.csv").write_text("\n".join(",".join(map(str, line)) for line in (HEADER, *lines)))


def parquet_form(folder) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["invoice", "stock_code", "description", "quantity", "ts", "unit_price", "customer_id", "country"]
    columns = dict(zip(names, map(list, zip(*LINES, strict=True)), strict=True))
    pq.write_table(pa.table(columns), folder / "transactions.parquet")


@pytest.mark.parametrize("form", [spreadsheet, kaggle_csv, day_csv, parquet_form])
def test_every_form_gives_the_same_purchases(imported, tmp_path, form) -> None:
    form(tmp_path)
    found = imported(importer(), tmp_path)
    assert found.rows == {"items": 1, "users": 2, "events": len(LINES)}
    assert found.rejected == {NO_PRODUCT: 1, "user_id is missing": 1}
    assert found.column("events", "action") == ["purchase", "purchase", "return"]
    assert found.column("events", "value") == [6 * 2.55, 2 * 2.65, -2.55]
    assert found.column("events", "user_id") == ["17850"] * 3
    assert found.column("events", "at") == [parse_time("2010-12-01T08:26:00")] * 3
    assert found.attributes("events") == {
        "invoice": "536365",
        "quantity": "6",
        "unit_price": "2.55",
        "country": "United Kingdom",
    }


def test_items_are_made_of_their_lines(imported, tmp_path) -> None:
    parquet_form(tmp_path)
    found = imported(importer(), tmp_path)
    item = found.stored["items"][0]
    assert (item["item_id"], item["title"], item["currency"]) == ("85123A", "WHITE HEART", "GBP")
    assert item["price"] == sorted([2.55, 2.65, 5.00, 2.55])[1] / 2 + sorted([2.55, 2.65, 5.00, 2.55])[2] / 2
    assert item["created_at"] == parse_time("2010-12-01T08:26:00")
    assert found.column("users", "country") == ["United Kingdom", "France"]


def test_there_are_no_pictures(tmp_path) -> None:
    assert list(importer().pictures(tmp_path)) == []
