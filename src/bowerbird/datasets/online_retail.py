"""UCI Online Retail: invoices of a British gift and home shop, 2010-12 to 2011-12.

Each invoice line is a purchase worth quantity x price. What is not one, and what becomes of it:

- a cancellation (invoice ``C...``, or a negative quantity) is the action ``return``, its value negative;
- a guest's line (no customer) is rejected: ``user_id is missing``; it still counts in the item's title and price;
- postage, fees, samples and manual adjustments are rejected: they are no products.

Items are the stock codes: the most frequent description is the title, the median price the price, the first
sale the time of creation. Source: Chen, 2015, UCI Machine Learning Repository, id 352.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import flat, integers, mask, numbers, texts, times
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, joined, lenient_csv, shaped, source, whole

NOT_PRODUCTS = ("POST", "DOT", "D", "M", "m", "S", "B", "C2", "CRUK", "BANK CHARGES", "AMAZONFEE")
"""Stock codes of postage, discounts, manual entries, samples, bad debt, carriage, charity and fees."""

NO_PRODUCT = "not a product: postage, fee or adjustment"

_NAMES = {
    "InvoiceNo": "invoice",
    "Invoice": "invoice",
    "StockCode": "stock_code",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "ts",
    "UnitPrice": "unit_price",
    "Price": "unit_price",
    "CustomerID": "customer_id",
    "Customer ID": "customer_id",
    "Country": "country",
}


@final
@dataclass(frozen=True)
class OnlineRetail:
    """Importer of Online Retail (and of its second edition, which has the same columns)."""

    name: str = "online_retail"
    summary: str = "invoices of a gift shop: titles, prices, quantities, times, customers"
    licence: str = "CC BY 4.0, Daqing Chen, UCI Machine Learning Repository"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Stock codes, customers, then invoice lines.

        Raises:
            NotFoundError: no form of the set is there.
        """
        file = Published(path, self.name).need(
            "transactions.parquet", "*etail*.xlsx", "*etail*.csv", "data.csv", "*.xlsx", "*.csv"
        )
        parts = lenient_csv(file) if file.suffix == ".csv" else whole(file)
        table = _cleaned(joined(parts))
        yield source("items", _items(table), file)
        yield source("users", _users(table), file)
        fee = mask(pc.is_in(table.column("item_id"), value_set=pa.array(NOT_PRODUCTS)))
        refusals = pc.if_else(pa.array(fee), NO_PRODUCT, pa.scalar(None, pa.string()))
        yield source("events", table.drop_columns(["description"]), file, refusals)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the set holds no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> OnlineRetail:
    """The plugin's factory."""
    return OnlineRetail()


def _cleaned(table: pa.Table) -> pa.Table:
    table = shaped(table, _NAMES)
    quantity, price = numbers(table.column("quantity"))[0], numbers(table.column("unit_price"))[0]
    cancelled = pc.or_(pc.starts_with(texts(table.column("invoice")), "C"), pc.less(quantity, 0.0))
    added = {
        "ts": _dates(table.column("ts")),
        "stock_code": texts(table.column("stock_code")),
        "customer_id": _customers(table.column("customer_id")),
        "unit_price": price,
        "action": pc.if_else(pc.fill_null(cancelled, False), "return", "purchase"),
        "value": pc.round(pc.multiply(quantity, price), 4),  # money: no binary dust in the sums
    }
    names = {"ts": "at_us", "stock_code": "item_id", "customer_id": "user_id"}
    return shaped(shaped(table, {}, added), names)


def _customers(column: pa.ChunkedArray) -> pa.Array:
    """Customer numbers as text; files written by way of floats have 17850.0 for 17850."""
    whole_numbers, bad = integers(column)
    return pc.if_else(pa.array(bad), texts(column), whole_numbers.cast(pa.string()))


def _dates(column: pa.ChunkedArray) -> pa.Array:
    """Microseconds of timestamps or of text, where 12/1/2010 8:26 has the month first, as published."""
    if pa.types.is_timestamp(column.type):
        return times(column)[0]
    text = texts(column)
    american = pc.match_substring_regex(text, r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}$")
    parsed = pc.strptime(
        pc.if_else(american, text, pa.scalar(None, pa.string())),
        format="%m/%d/%Y %H:%M",
        unit="us",
        error_is_null=True,
    )
    other = times(pc.if_else(american, pa.scalar(None, pa.string()), text))[0]
    return pc.coalesce(parsed.cast(pa.int64()), other)


def _items(table: pa.Table) -> pa.Table:
    codes = flat(table.column("item_id"))
    fine = mask(pc.invert(pc.is_in(codes, value_set=pa.array(NOT_PRODUCTS)))) & mask(codes.is_valid())
    lines = pa.table(
        {
            "code": codes,
            "title": texts(table.column("description")),
            "price": flat(table.column("unit_price")),
            "at": flat(table.column("at_us")),
        }
    ).filter(pa.array(fine))
    names = pc.unique(lines.column("code")).to_pylist()  # in the order they first occur
    titles, prices = _titles(lines), _prices(lines)
    sold = lines.group_by("code", use_threads=False).aggregate([("at", "min")])
    first = dict(zip(sold.column("code").to_pylist(), sold.column("at_min").to_pylist(), strict=True))
    return pa.table(
        {
            "item_id": pa.array(names, pa.string()),
            "title": pa.array([titles.get(name) for name in names], pa.string()),
            "price": pa.array([prices.get(name) for name in names], pa.float64()),
            "created_at_us": pa.array([first.get(name) for name in names], pa.int64()),
            "currency": pa.array(["GBP"] * len(names), pa.string()),
        }
    )


def _titles(lines: pa.Table) -> dict[str, str]:
    """The most frequent description of each code; of equally frequent ones the last of the alphabet."""
    known = lines.filter(pc.is_valid(lines.column("title")))
    counted = known.group_by(["code", "title"], use_threads=False).aggregate([([], "count_all")])
    rows = sorted(
        zip(*(counted.column(name).to_pylist() for name in ("code", "count_all", "title")), strict=True)
    )
    return {code: title for code, _, title in rows}  # the last of a code wins


def _prices(lines: pa.Table) -> dict[str, float]:
    """The median of each code's prices above zero."""
    priced = lines.filter(pc.greater(lines.column("price"), 0.0))
    encoded = priced.column("code").combine_chunks().dictionary_encode()
    code = encoded.indices.to_numpy()
    price = priced.column("price").to_numpy()
    price = price[np.lexsort((price, code))]
    counts = np.bincount(code, minlength=len(encoded.dictionary))
    start = np.cumsum(counts) - counts
    middle = (price[start + (counts - 1) // 2] + price[start + counts // 2]) / 2
    return dict(zip(encoded.dictionary.to_pylist(), middle.tolist(), strict=True))


def _users(table: pa.Table) -> pa.Table:
    people = pa.table({"user_id": texts(table.column("user_id")), "country": texts(table.column("country"))})
    known = people.filter(pc.is_valid(people.column("user_id")))
    grouped = known.group_by("user_id", use_threads=False).aggregate([("country", "first")])
    return shaped(grouped, {"country_first": "country"})
