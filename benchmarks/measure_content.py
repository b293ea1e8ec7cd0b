"""Measures the content numbers and writes them into docs/numbers-content.md.

Example::

    make numbers-content                                        # everything
    python benchmarks/measure_content.py --only flickr8k,knn    # some parts again
    python benchmarks/measure_content.py --missing               # go on after a run that was stopped
    python benchmarks/measure_content.py --render               # only write the page from numbers/content/

Each part is one ``bowerbird bench`` command in a process of its own. Parts on public data sets need them in
the folder that BOWERBIRD_DATA names, else in ``../shared/data``; a part whose data is absent says so and
keeps its last result. A part is one entry of :data:`PARTS`; ``{data}`` stands for that folder.
"""

from __future__ import annotations

from typing import Annotated

import typer
from bench_page import ROOT, Page, Part

FLICKR = ("--images", "{data}/flickr8k_224", "--captions", "{data}/flickr8k_224/captions.parquet")
MYNTRA = ("--images", "{data}/myntra_fashion", "--captions", "{data}/myntra_fashion/styles.parquet")
CLOTHING = ("--images", "{data}/clothing_small", "--captions", "{data}/clothing_small/labels.parquet")

KEPT = ("--kept", "{out}/kept")
"""Pictures encoded for one part serve the others, and a run that was stopped."""

IMAGE_TEXT = ("t2i r@1", "t2i r@10", "i2t r@1", "i2t r@10", "t2i r@10, 64 numbers", "t2i r@10, int8")

PARTS = (
    Part(
        "image-text",
        "Texts and pictures that find each other, Flickr8k (dev)",
        ("image-text", *FLICKR, *KEPT),
        IMAGE_TEXT,
    ),
    Part(
        "image-text-joint",
        "One model of three sets beside each set's own: Flickr8k (dev), Myntra titles, clothing classes (drawn test)",
        ("image-text", *FLICKR, *MYNTRA, *CLOTHING, *KEPT),
        IMAGE_TEXT,
    ),
    Part(
        "knn",
        "Clothing classes (validation) by neighbours, by a probe and by names alone",
        (
            *("knn", "--images", "{data}/clothing_small"),
            *("--labels", "{data}/clothing_small/labels.parquet", "--columns", "label", *KEPT),
        ),
        ("knn-20", "probe", "zero-shot"),
    ),
    Part(
        "attributes",
        "Eight label columns read off Myntra's pictures (drawn test)",
        (
            *(
                "attributes",
                "--images",
                "{data}/myntra_fashion",
                "--labels",
                "{data}/myntra_fashion/styles.parquet",
            ),
            *("--columns", "gender,masterCategory,subCategory,articleType,baseColour,season,year,usage"),
        ),
        ("macro-f1", "ece", "p@1"),
    ),
    Part(
        "looks",
        "Products of a room among all, IKEA (5 folds by scene)",
        (
            *("looks", "--scenes", "{data}/ikea_rooms/room_images-*.parquet"),
            *("--products", "{data}/ikea_rooms/product_images-*.parquet"),
            *("--pairs", "{data}/ikea_rooms/item_in_room.parquet"),
        ),
        ("recall@10", "recall@50"),
    ),
    *(
        Part(
            f"near-duplicates-{name}",
            f"Altered copies found among {name}'s pictures",
            ("near-duplicates", "--images", f"{{data}}/{folder}", "--limit", "1000", "--copies", "200"),
        )
        for name, folder in (("flickr8k", "flickr8k_224"), ("myntra", "myntra_fashion"))
    ),
    Part("encode", "Pictures and texts to vectors", ("encode",)),
    Part(
        "search",
        "Words find products, judged by sessions (retrotech)",
        (
            *("search", "--items", "{data}/retrotech_search/products.parquet"),
            *("--labels", "{data}/retrotech_search/sessions.parquet"),
        ),
    ),
    Part(
        "search-speed",
        "A hybrid search of 100,000 drawn items",
        ("search", "--size", "100000"),
        ("p50 ms", "p99 ms", "cpu ms"),
    ),
    Part(
        "graph",
        "From one article of a library to another, CiteULike",
        (
            *("graph", "--events", "{data}/citeulike_a/interactions.parquet"),
            *("--items", "{data}/citeulike_a/items.parquet", "--seeds", "2"),
        ),
    ),
    Part(
        "neighbour-loss",
        "Items nobody has met, with and without the neighbour loss: Office",
        (
            *("neighbour-loss", "--events", "{data}/amazon2018_text/office_products_windows.parquet"),
            *("--items", "{data}/amazon2018_text/office_products_items.parquet", "--seeds", "2"),
        ),
        ("recall@10", "ndcg@10", "lift over content", "lift over no neighbour loss"),
    ),
    Part(
        "neighbour-loss-hidden",
        "The same with a fifth of Office's items hidden, which gives more targets",
        (
            *("neighbour-loss", "--events", "{data}/amazon2018_text/office_products_windows.parquet"),
            *("--items", "{data}/amazon2018_text/office_products_items.parquet", "--hide", "--seeds", "2"),
        ),
        ("recall@10", "ndcg@10", "lift over content", "lift over no neighbour loss"),
    ),
    Part(
        "neighbour-loss-demo",
        "The same on the demo world (`make demo` first)",
        (
            *("neighbour-loss", "--events", f"{ROOT}/demo/raw/events.parquet"),
            *("--items", f"{ROOT}/demo/raw/items.parquet", "--seeds", "2"),
        ),
        ("recall@10", "ndcg@10", "lift over content", "lift over no neighbour loss"),
    ),
)


def main(
    only: Annotated[str, typer.Option(help="Parts by comma; all when empty.")] = "",
    missing: Annotated[bool, typer.Option("--missing", help="Leave out parts that have a result.")] = False,
    render: Annotated[bool, typer.Option("--render", help="Measure nothing, only write the page.")] = False,
) -> None:
    """Measure the content numbers."""
    page = Page("numbers-content", ROOT / "numbers" / "content", ROOT / "docs" / "numbers-content.md", PARTS)
    page.run(only, render=render, missing=missing)


if __name__ == "__main__":
    typer.run(main)
