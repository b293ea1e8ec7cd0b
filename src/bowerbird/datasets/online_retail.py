"""UCI Online Retail: invoices of a British gift and home shop, 2010-12 to 2011-12.

Each invoice line is a purchase worth quantity x price. What is not one, and what becomes of it:

- a cancellation (invoice ``C...``, or a negative quantity) is the action ``return``, its value negative;
- a guest's line (no customer) is rejected: ``user_id is missing``; it still counts in the item's title and price;
- postage, fees, samples and manual adjustments are rejected: they are no products.

Items are the stock codes: the most frequent description is the title, the median price the price, the first
sale the time of creation. Source: Chen, 2015, UCI Machine Learning Repository, id 352.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import integers, mask, numbers, texts, times
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
    titles: dict[str, Counter[str]] = {}
    prices: dict[str, list[float]] = {}
    first: dict[str, int] = {}
    rows = zip(
        table.column("item_id").to_pylist(),
        texts(table.column("description")).to_pylist(),
        table.column("unit_price").to_pylist(),
        table.column("at_us").to_pylist(),
        strict=True,
    )
    for code, title, price, at in rows:
        if code is None or code in NOT_PRODUCTS:
            continue
        words = titles.setdefault(code, Counter())
        if title is not None:
            words[title] += 1
        if price is not None and price > 0:
            prices.setdefault(code, []).append(price)
        if at is not None:
            first[code] = min(at, first.get(code, at))
    codes = list(titles)
    return pa.table(
        {
            "item_id": pa.array(codes, pa.string()),
            "title": pa.array([_most_frequent(titles[code]) for code in codes], pa.string()),
            "price": pa.array(
                [median(prices[code]) if code in prices else None for code in codes], pa.float64()
            ),
            "created_at_us": pa.array([first.get(code) for code in codes], pa.int64()),
            "currency": pa.array(["GBP"] * len(codes), pa.string()),
        }
    )


def _most_frequent(words: Counter[str]) -> str | None:
    return max(words, key=lambda title: (words[title], title)) if words else None


def _users(table: pa.Table) -> pa.Table:
    countries: dict[str, str | None] = {}
    people = texts(table.column("user_id")).to_pylist()
    for user, country in zip(people, texts(table.column("country")).to_pylist(), strict=True):
        if user is not None:
            countries.setdefault(user, country)
    return pa.table(
        {
            "user_id": pa.array(list(countries), pa.string()),
            "country": pa.array(list(countries.values()), pa.string()),
        }
    )
