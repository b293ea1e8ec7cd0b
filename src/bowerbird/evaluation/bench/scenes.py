"""Scenes, products and which product is in which scene, from files; and the vectors a bench of looks reads.

A scene may be known without a picture: what is in it still tells which products are used together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from bowerbird.content.encoder import ContentEncoder
from bowerbird.content.pictures import decoded
from bowerbird.content.regions import RegionProposer, cut
from bowerbird.datasets.columns import texts
from bowerbird.datasets.picture_source import PictureSource, cells_of, picture_source
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.labelled import SPLIT_COLUMN
from bowerbird.evaluation.splits import SPLIT_WORDS
from bowerbird.randomness import generator
from bowerbird.telemetry import Progress

__all__ = ["SceneVectors", "ScenesAndProducts", "encoded_scenes", "scenes_and_products"]

SCENE_COLUMNS = ("scene", "scene_id", "scene_image", "room", "room_id", "room_image")
LEAST_SCENES = 4
PRODUCT_COLUMNS = ("product", "product_id", "product_image", "item", "item_id")


@dataclass(frozen=True)
class ScenesAndProducts:
    """What is in which scene.

    Args:
        scenes: where the scenes' pictures are.
        products: where the products' pictures are; their places are the product rows.
        places: place of each pictured scene that has a product.
        within: product rows of each of them.
        unseen: product rows of each scene without a picture.
        tested: the file's own test scenes; None without a split column.
        notes: what was left out.
        hash: fingerprint of names and pairs.
    """

    scenes: PictureSource
    products: PictureSource
    places: Int64[np.ndarray, " scene"]
    within: tuple[Int64[np.ndarray, "_"], ...]
    unseen: tuple[Int64[np.ndarray, "_"], ...]
    tested: Bool[np.ndarray, " scene"] | None
    notes: tuple[str, ...]
    hash: str


@dataclass(frozen=True)
class SceneVectors:
    """Frozen vectors of everything; a product or scene that could not be read has none.

    Args:
        regions: vectors of the scenes' regions; the first of each scene is the whole.
        bounds: scene ``s`` owns regions ``bounds[s]:bounds[s + 1]``.
        products: vectors of products; zero where not readable.
        readable: which products could be read.
    """

    regions: Float32[np.ndarray, "region dim"]
    bounds: Int64[np.ndarray, " bound"]
    products: Float32[np.ndarray, "product dim"]
    readable: Bool[np.ndarray, " product"]


def scenes_and_products(
    scenes: Path, products: Path, pairs: Path, limit: int, seed: int = 0
) -> ScenesAndProducts:
    """Read the three inputs and join them.

    Args:
        scenes: pictures of scenes; see :func:`~bowerbird.datasets.picture_source.picture_source`.
        products: pictures of products.
        pairs: a table with a scene column and a product column, and perhaps ``split``.
        limit: most pictured scenes; more are drawn from.
        seed: draws them.

    Raises:
        NotFoundError: a file is not there.
        InputError: no column names scenes or products, or too few scenes can be used.
    """
    table = read_table(pairs)
    sources = picture_source(scenes), picture_source(products)
    scene_cells, product_cells = _pair_cells(table, sources, pairs.name)
    place_of = dict(zip(scene_cells, sources[0].resolve(scene_cells), strict=True))
    rows = sources[1].resolve(product_cells)
    groups: dict[str | None, set[int]] = {}
    for cell, row in zip(scene_cells, rows, strict=True):
        if cell is not None and row >= 0:
            groups.setdefault(cell, set()).add(row)
    sets = {cell: np.array(sorted(found), dtype=np.int64) for cell, found in groups.items()}
    pictured = [cell for cell in sets if place_of[cell] >= 0]
    if len(pictured) < LEAST_SCENES:
        raise InputError(
            f"{pairs.name}: {len(pictured)} scenes have a picture and a product with one; expected at least {LEAST_SCENES} "
            f"(scenes are called e.g. {sources[0].all_names[0]!r}, products {sources[1].all_names[0]!r})"
        )
    notes = []
    if len(pictured) > limit:
        kept = np.sort(generator(seed, "bench", "scenes").permutation(len(pictured))[:limit])
        notes.append(f"{limit:,} of {len(pictured):,} scenes drawn")
        pictured = [pictured[at] for at in kept]
    lost = sum(row < 0 for row in rows)
    if lost:
        notes.append(f"{lost:,} of {len(rows):,} pairs whose product has no picture left out")
    digest = hashlib.blake2b(digest_size=8)
    for cell in pictured:
        digest.update(str(cell).encode() + sets[cell].tobytes())
    return ScenesAndProducts(
        *sources,
        np.array([place_of[cell] for cell in pictured], dtype=np.int64),
        tuple(sets[cell] for cell in pictured),
        tuple(found for cell, found in sets.items() if place_of[cell] < 0),
        _tested(table, scene_cells, pictured),
        tuple(notes),
        digest.hexdigest(),
    )


def encoded_scenes(
    data: ScenesAndProducts, encoder: ContentEncoder[bytes], proposer: RegionProposer, progress: Progress
) -> tuple[ScenesAndProducts, SceneVectors]:
    """The scenes that can be looked at, and vectors of their regions and of every product.

    A scene whose picture cannot be read is left out with a note, and learnt from like one without a picture.

    Raises:
        InputError: fewer than 4 scenes can be read.
    """
    counts: list[int] = []
    reasons: list[str] = []
    progress.start("encode scenes", len(data.places), "scenes")

    def regions() -> Iterator[bytes]:
        for _, file in data.scenes.pictures(data.places.tolist()):
            progress.advance()
            try:
                if file.data is None:
                    raise InputError(str(file.reason))
                picture = decoded(file.data)
            except InputError as error:
                reasons.append(f"{file.file}: {error}")
                counts.append(0)
                continue
            boxes = proposer.boxes(picture.pixels)
            counts.append(len(boxes))
            yield from (cut(picture, box) for box in boxes)

    found = [chunk.vectors.matrix for chunk in encoder.encode_chunks(regions())]
    progress.finish()
    if len(counts) - len(reasons) < LEAST_SCENES:
        raise InputError(
            f"{data.scenes.place}: {len(counts) - len(reasons)} of {len(counts)} scenes can be read ({reasons[0]}); "
            f"expected at least {LEAST_SCENES}"
        )
    order = np.argsort(data.places, kind="stable")  # pictures come in reading order
    starts = np.concatenate([[0], np.cumsum(counts)])
    stacked = np.concatenate(found)
    parts: list[Float32[np.ndarray, "_ dim"]] = [stacked[:0]] * len(data.places)
    for at, scene in enumerate(order.tolist()):
        parts[scene] = stacked[starts[at] : starts[at + 1]]
    progress.start("encode products", len(data.products), "pictures")
    chunks = []
    for chunk in encoder.encode_chunks(file.data for _, file in data.products.pictures()):
        chunks.append(chunk.vectors)
        progress.advance(len(chunk.vectors))
    progress.finish()
    kept = np.flatnonzero([len(part) > 0 for part in parts])
    lengths = [len(parts[scene]) for scene in kept]
    return _looked_at(data, kept, reasons), SceneVectors(
        np.concatenate(parts),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([one.matrix for one in chunks]),
        np.concatenate([one.present for one in chunks]),
    )


def _looked_at(
    data: ScenesAndProducts, kept: Int64[np.ndarray, " kept"], reasons: Sequence[str]
) -> ScenesAndProducts:
    if not reasons:
        return data
    lost = np.setdiff1d(np.arange(len(data.places)), kept)
    tested = None if data.tested is None else data.tested[kept]
    return replace(
        data,
        places=data.places[kept],
        within=tuple(data.within[scene] for scene in kept),
        unseen=(*data.unseen, *(data.within[scene] for scene in lost)),
        tested=tested if tested is not None and tested.any() and not tested.all() else None,
        notes=(*data.notes, f"{len(lost):,} scenes cannot be read and are left out (e.g. {reasons[0]})"),
    )


def _pair_cells(
    table: pa.Table, sources: tuple[PictureSource, PictureSource], file: str
) -> tuple[list[str | None], list[str | None]]:
    """The cells that name scenes and products: of the usual columns, else of those that match most pictures."""
    cells = cells_of(table, (SPLIT_COLUMN,))
    taken: list[str] = []
    for source, usual in zip(sources, (SCENE_COLUMNS, PRODUCT_COLUMNS), strict=True):
        best = source.naming({name: cells[name] for name in cells if name not in taken}, usual)
        if best is None:
            raise InputError(
                f"{file}: no column names pictures of {source.place}; found {', '.join(cells)}; expected cells "
                f"like {source.all_names[0]!r} in a column such as {usual[0]!r}"
            )
        taken.append(best)
    return cells[taken[0]], cells[taken[1]]


def _tested(
    table: pa.Table, scene_cells: Sequence[str | None], pictured: Sequence[str | None]
) -> Bool[np.ndarray, " scene"] | None:
    if SPLIT_COLUMN not in table.column_names:
        return None
    words = texts(table.column(SPLIT_COLUMN)).to_pylist()
    part_of = {
        cell: SPLIT_WORDS.get((word or "").lower(), 0) for cell, word in zip(scene_cells, words, strict=True)
    }
    parts = np.array([part_of[cell] for cell in pictured])
    tested = parts == (2 if (parts == 2).any() else 1)
    return tested if tested.any() and not tested.all() else None
