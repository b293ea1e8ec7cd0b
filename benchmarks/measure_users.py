"""Measures the numbers about people and writes them into docs/numbers-users.md.

Example::

    make numbers-users                                          # everything; hours on two cores
    python benchmarks/measure_users.py --only beauty,retail     # some parts again
    python benchmarks/measure_users.py --missing                # go on where it was stopped
    python benchmarks/measure_users.py --render                 # only write the page from numbers/users/

Each part is one ``bowerbird bench`` command in a process of its own. Parts on public data sets need them in
the folder that BOWERBIRD_DATA names, else in ``../shared/data``; a part whose data is absent says so and
keeps its last result. A part is one entry of :data:`PARTS`; ``{data}`` stands for that folder, ``{out}`` for
the folder of results.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
from attempts import write_attempts
from bench_page import ROOT, Page, Part, data_folder

from bowerbird.datasets.amazon2018 import unrolled

OUT = ROOT / "numbers" / "users"
NEIGHBOURS = "neighbours,seqknn,ease,ease-recency,itemknn-recency,pop"
NEXT_ITEM = ("hr@10", "ndcg@10")
_SALES = ["invoice", "stock_code", "customer_id", "ts", "unit_price", "quantity", "description"]
COLD = ("recall@10", "ndcg@10", "recall@50", "full recall@10", "warm loss")
RETURNS = ("auc", "ece", "p / y", "brier", "log loss")
BEAUTY = ("--events", "{data}/amazon2014_seq/beauty_sequences.parquet")
BEAUTY_ITEMS = ("--items", "{data}/amazon2014_seq/beauty_items.parquet")
ML_100K = ("--events", "{data}/ml_100k/interactions.parquet")
OFFICE_ITEMS = ("--items", "{data}/amazon2018_text/office_products_items.parquet")
SEEDS = 5
"""Of every row whose training takes minutes; the page says which have fewer."""


def _next_item(*arguments: str, models: str, seeds: int) -> tuple[str, ...]:
    kept = ("--checkpoints", "{out}/checkpoints")
    return ("next-item", "--models", models, "--seeds", str(seeds), *kept, *arguments)


def _cold(events: str) -> tuple[str, ...]:
    return ("next-item", "--protocol", "cold", "--events", events, *OFFICE_ITEMS, "--seeds", str(SEEDS))


PARTS = (
    Part(
        "beauty",
        "Amazon Beauty, next item, ids only: leave-one-out, full ranking, seen out, train only",
        _next_item(*BEAUTY, models=f"ours,sasrec,{NEIGHBOURS}", seeds=SEEDS),
        NEXT_ITEM,
    ),
    Part(
        "beauty-items",
        "Amazon Beauty, the same where ours also reads titles and attributes",
        _next_item(*BEAUTY, *BEAUTY_ITEMS, models="ours,seqknn", seeds=SEEDS),
        NEXT_ITEM,
    ),
    Part(
        "beauty-refit",
        "The same, and fitted on train and validation (refit)",
        _next_item(*BEAUTY, *BEAUTY_ITEMS, "--refit", models="ours,seqknn", seeds=1),
        NEXT_ITEM,
    ),
    Part(
        "ml-100k",
        "MovieLens-100K, next item: leave-one-out, full ranking, seen out, train only",
        _next_item(*ML_100K, models=f"ours,{NEIGHBOURS}", seeds=SEEDS),
        NEXT_ITEM,
    ),
    Part(
        "ml-100k-refit",
        "The same, and fitted on train and validation (refit)",
        _next_item(*ML_100K, "--refit", models="ours,seqknn,ease-recency", seeds=1),
        NEXT_ITEM,
    ),
    Part(
        "ml-1m",
        "MovieLens-1M (99.4 % copy), next item: leave-one-out, full ranking, seen out, train only",
        _next_item("--events", "{data}/ml_1m/sequences.parquet", models=f"ours,{NEIGHBOURS}", seeds=1),
        NEXT_ITEM,
    ),
    Part(
        "ml-1m-whole",
        "The same without the 5,528 last rows that stand behind a missing one: every target follows its history",
        _next_item("--events", "{out}/ml-1m-whole.parquet", models=f"ours,{NEIGHBOURS}", seeds=1),
        NEXT_ITEM,
    ),
    Part(
        "retail",
        "Online Retail, next item: global time split, both target rules, seen kept, train only, quick effort",
        _next_item(
            *("--protocol", "time", "--events", "{out}/retail.parquet", "--effort", "quick"),
            models=f"ours,{NEIGHBOURS}",
            seeds=SEEDS,
        ),
        NEXT_ITEM,
    ),
    Part(
        "journey",
        "The Complete Journey (75,000 rows of a grocer), next item: leave-one-out, seen kept, train only",
        _next_item("--events", "{out}/journey.parquet", models=f"ours,{NEIGHBOURS}", seeds=SEEDS),
        NEXT_ITEM,
    ),
    Part(
        "journey-time",
        "The same, global time split, both target rules",
        _next_item(
            "--protocol",
            "time",
            "--events",
            "{out}/journey.parquet",
            models=f"ours,{NEIGHBOURS}",
            seeds=SEEDS,
        ),
        NEXT_ITEM,
    ),
    Part(
        "retrotech",
        "Retrotech, the next click of a search session (no times): leave-one-out, quick effort",
        _next_item(
            *("--events", "{out}/retrotech.parquet", "--effort", "quick"),
            models=f"ours,{NEIGHBOURS}",
            seeds=SEEDS,
        ),
        NEXT_ITEM,
    ),
    Part(
        "citeulike",
        "CiteULike, the next article of a library (the order of the file): leave-one-out, quick effort",
        _next_item(
            *("--events", "{data}/citeulike_a/interactions.parquet", "--effort", "quick"),
            models=f"ours,{NEIGHBOURS}",
            seeds=1,
        ),
        NEXT_ITEM,
    ),
    Part(
        "office-cold",
        "Amazon Office, targets never seen in training: those of the data's own split",
        _cold("{data}/amazon2018_text/office_products_windows.parquet"),
        COLD,
    ),
    Part(
        "office-cold-hidden",
        "The same with a random fifth of the items hidden, others for each seed, which gives more targets",
        _cold("{out}/office.parquet"),
        COLD,
    ),
    Part(
        "pinterest20",
        "Pinterest-20, random tenth of the given rows held out, full ranking",
        (
            *("collaborative", "--events", "{data}/pinterest20/interactions.parquet", "--holdout", "0.1"),
            *("--models", "blend,ease,gfcf,ials,itemknn,pop", "--seeds", "3"),
        ),
        ("recall@20", "ndcg@20"),
    ),
    Part(
        "retail-probe",
        "Online Retail, one frozen vector per person graded by fixed probes, 14 days",
        ("user-probe", "--events", "{out}/retail.parquet", "--horizon-days", "14", "--seeds", "3"),
        ("churn auc", "category auc", "product auc", "spend r2"),
    ),
    Part(
        "retail-returns",
        "Online Retail, who buys again within 7 days: probabilities asked at four moments",
        ("returns", "--events", "{out}/retail.parquet", "--horizon-days", "7"),
        RETURNS,
    ),
    Part(
        "retail-returns-28",
        "The same within 28 days, three moments",
        ("returns", "--events", "{out}/retail.parquet", "--horizon-days", "28", "--windows", "3"),
        RETURNS,
    ),
    Part(
        "journey-returns",
        "The Complete Journey, who buys again within 7 days: four moments",
        ("returns", "--events", "{out}/journey.parquet", "--horizon-days", "7"),
        RETURNS,
    ),
    Part(
        "retail-staleness",
        "Online Retail, how good a vector still is when it is days old, 7 days",
        ("staleness", "--events", "{out}/retail.parquet", "--seeds", "3"),
        ("recall@10 0d", "recall@10 7d", "recall@10 14d", "loss@14d"),
    ),
)


def main(
    only: Annotated[str, typer.Option(help="Parts by comma; all when empty.")] = "",
    missing: Annotated[bool, typer.Option("--missing", help="Leave out parts that have a result.")] = False,
    render: Annotated[bool, typer.Option("--render", help="Measure nothing, only write the page.")] = False,
) -> None:
    """Measure the numbers about people."""
    if not render and (not only or "retail" in only):  # any part of that shop
        _retail_events(data_folder() / "online_retail" / "transactions.parquet")
    if not render and (not only or "ml-1m-whole" in only):
        _without_gaps(data_folder() / "ml_1m" / "sequences.parquet")
    if not render and (not only or "journey" in only):
        _groceries(data_folder() / "completejourney" / "transactions_sample.parquet")
    if not render and (not only or "retrotech" in only):
        _clicks(data_folder() / "retrotech_search" / "sessions.parquet")
    if not render and (not only or "office-cold-hidden" in only):
        _purchases(data_folder() / "amazon2018_text" / "office_products_windows.parquet")
    page = ROOT / "docs" / "numbers-users.md"
    Page("numbers-users", OUT, page, PARTS).run(only, render=render, missing=missing)
    write_attempts(page)


def _without_gaps(sequences: Path) -> None:
    """The copy of MovieLens-1M without rows whose predecessor is missing in it."""
    if not sequences.exists():
        return
    table = pq.read_table(sequences)
    OUT.mkdir(parents=True, exist_ok=True)
    kept = table.filter(pc.invert(table["one_item_missing_before"])).drop_columns("one_item_missing_before")
    pq.write_table(kept, OUT / "ml-1m-whole.parquet")


def _groceries(transactions: Path) -> None:
    """Purchases of households in the standard columns."""
    if not transactions.exists():
        return
    table = pq.read_table(transactions, columns=["household_id", "product_id", "transaction_timestamp"])
    OUT.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.rename_columns(["user_id", "item_id", "at"]), OUT / "journey.parquet")


def _clicks(sessions: Path) -> None:
    """What was clicked in each search session, in the order of the results."""
    if not sessions.exists():
        return
    table = pq.read_table(sessions, columns=["sess_id", "doc_id", "clicked"])
    clicked = table.filter(table["clicked"]).drop_columns("clicked")
    OUT.mkdir(parents=True, exist_ok=True)
    pq.write_table(clicked.rename_columns(["user_id", "item_id"]), OUT / "retrotech.parquet")


def _purchases(windows: Path) -> None:
    """Purchases of office products without the split of their windows."""
    if not windows.exists():
        return
    OUT.mkdir(parents=True, exist_ok=True)
    pq.write_table(unrolled(pq.read_table(windows)).drop_columns("split"), OUT / "office.parquet")


def _retail_events(transactions: Path) -> None:
    """Sales to known customers in the standard columns; cancellations are left out."""
    if not transactions.exists():
        return
    table = pq.read_table(transactions, columns=_SALES)
    sold = pc.and_(pc.is_valid(table["customer_id"]), pc.invert(pc.starts_with(table["invoice"], "C")))
    kept = table.filter(sold)
    events = {
        "user_id": kept["customer_id"].cast(pa.int64()),
        "item_id": kept["stock_code"],
        "at": kept["ts"],
        "price": kept["unit_price"],
        "quantity": kept["quantity"],
        "title": kept["description"],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(events), OUT / "retail.parquet")


if __name__ == "__main__":
    typer.run(main)
