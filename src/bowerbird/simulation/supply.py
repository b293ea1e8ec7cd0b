"""What the simulated world offers: items that arrive over time, products, advertisements, planted copies."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int32, Int64

from bowerbird.arrays import normalise
from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.simulation.near_copies import KINDS, near_copy, renamed
from bowerbird.simulation.seasons import season_membership
from bowerbird.simulation.settings import WorldSettings

__all__ = ["Supply", "item_words", "make_supply"]

_NOT_FOR_SALE = re.compile(r"flag|symbol|person|people|hand|face|arrow|smiley|body", re.IGNORECASE)
_BRANDS = ("Satin & Twig", "Bluebower", "Mossline", "Fernhill", "Lyrebird", "Ironbark", "Wattle", "Saltbush")
_FOUNDED_US = 300 * DAY_US
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Supply:
    """All items by row, in the order of ``items``.

    Attributes:
        items: the table in the standard columns.
        topics: category paths; ``topic`` indexes it.
        topic_group: first part of each category path, as a number.
        topic: category of each item.
        look: hidden unit vector a person's taste agrees or disagrees with; made of the item's words.
        quality: logits the item adds for everybody.
        season: seasons it belongs to, by row of ``SEASONS``.
        created_at: when it arrives.
        campaign: row of its campaign; -1 for what is not advertising.
        affordable: 0 for what is not for sale, else about median price / price.
        original: row of the picture it copies; its own row for originals.
        words: words of title and description.
    """

    items: pa.Table
    topics: tuple[str, ...]
    topic_group: Int32[np.ndarray, "topic"]
    topic: Int32[np.ndarray, "item"]
    look: Float32[np.ndarray, "item dim"]
    quality: Float32[np.ndarray, "item"]
    season: Float32[np.ndarray, "item season"]
    created_at: Int64[np.ndarray, "item"]
    campaign: Int32[np.ndarray, "item"]
    affordable: Float32[np.ndarray, "item"]
    original: Int32[np.ndarray, "item"]
    words: tuple[frozenset[str], ...]


def item_words(catalogue: pa.Table) -> list[frozenset[str]]:
    """Lower-case words of each item's title and description."""
    texts = zip(catalogue["title"].to_pylist(), catalogue["description"].to_pylist(), strict=True)
    return [frozenset(_WORD.findall(f"{title or ''} {text or ''}".lower())) for title, text in texts]


def make_supply(settings: WorldSettings, catalogue: pa.Table, start: int) -> Supply:
    """Items of a world from a catalogue of pictures and words.

    The catalogue's ids, titles, descriptions, pictures, categories, attributes and urls stay; arrival times, creators,
    prices, brands, campaigns and planted copies are drawn.

    Args:
        settings: the world.
        catalogue: standard item columns with ``title``, ``description``, ``image`` bytes and ``category``.
        start: first microsecond of the log.

    Raises:
        InputError: a needed column is missing, or there are fewer than two categories.
    """
    missing = [
        name
        for name in ("item_id", "title", "description", "image", "category")
        if name not in catalogue.schema.names
    ]
    if missing:
        raise InputError(
            f"world catalogue: no column {missing[0]!r}; expected item_id, title, description, image, category"
        )
    categories = catalogue["category"].to_pylist()
    topics = tuple(sorted(set(categories)))
    if len(topics) < 2:
        raise InputError(f"world catalogue: {len(topics)} category; the simulator needs at least 2")
    number = {name: row for row, name in enumerate(topics)}
    groups = sorted({name.split("/")[0] for name in topics})
    topic = np.array([number[name] for name in categories], dtype=np.int32)
    words = item_words(catalogue)
    rng = generator(settings.seed, "supply")
    created_at = _arrivals(rng, settings, topic.shape[0], start)
    for_sale = ~np.array([bool(_NOT_FOR_SALE.search(name)) for name in topics])
    product = for_sale[topic] & (rng.random(topic.shape[0]) < settings.products_share)
    campaign = _advertising(rng, settings, product)
    price = np.where(product, np.round(np.exp(rng.normal(3.0, 0.7, size=topic.shape[0])), 2), np.nan)
    originals = _copied(rng, settings, campaign, created_at, start)
    table = _table(settings, catalogue, topics, topic, created_at=created_at, campaign=campaign, price=price)
    table = pa.concat_tables([table, _copies(settings, table, originals, created_at, start)])
    source = np.concatenate([np.arange(topic.shape[0]), originals]).astype(np.int32)
    bags = [words[row] for row in source]
    quality = settings.choice.quality * generator(settings.seed, "quality").standard_normal(topic.shape[0])
    affordable = np.where(product, np.exp(3.0 - np.log(np.where(product, price, 1.0))), 0.0)
    copied_price = np.concatenate([affordable, np.zeros(originals.shape[0])])  # copies are not for sale
    return Supply(
        items=table,
        topics=topics,
        topic_group=np.array([groups.index(name.split("/")[0]) for name in topics], dtype=np.int32),
        topic=topic[source],
        look=_looks(settings, words)[source],
        quality=quality[source].astype(np.float32),
        season=season_membership(bags),
        created_at=table["created_at"].to_numpy().astype(np.int64),
        campaign=np.concatenate([campaign, np.full(originals.shape[0], -1)]).astype(np.int32),
        affordable=np.minimum(copied_price, 3.0).astype(np.float32),
        original=source,
        words=tuple(bags),
    )


def _arrivals(
    rng: np.random.Generator, settings: WorldSettings, items: int, start: int
) -> Int64[np.ndarray, "item"]:
    before = start - rng.integers(HOUR_US, _FOUNDED_US, size=items)
    during = start + rng.integers(0, max(1, settings.days - 1) * DAY_US, size=items)
    return np.where(rng.random(items) < settings.arriving_share, during, before).astype(np.int64)


def _advertising(
    rng: np.random.Generator, settings: WorldSettings, product: Bool[np.ndarray, "item"]
) -> Int64[np.ndarray, "item"]:
    """Some products are advertising: row of the campaign, or -1. Every campaign gets an item while they last."""
    candidates = np.flatnonzero(product)
    count = (
        min(candidates.shape[0], max(1, round(settings.ads_share * product.shape[0])))
        if settings.ads_share
        else 0
    )
    campaign = np.full(product.shape[0], -1, dtype=np.int64)
    chosen = rng.choice(candidates, size=count, replace=False)
    campaign[chosen] = np.arange(count) % settings.campaigns
    return campaign


def _copied(
    rng: np.random.Generator,
    settings: WorldSettings,
    campaign: Int64[np.ndarray, "item"],
    created_at: Int64[np.ndarray, "item"],
    start: int,
) -> Int64[np.ndarray, "copy"]:
    """Rows that somebody posts again: no advertising, and old enough to be copied before the log ends."""
    last = start + (settings.days - 2) * DAY_US
    candidates = np.flatnonzero((campaign < 0) & (created_at < last))
    count = min(candidates.shape[0], round(settings.duplicates_share * campaign.shape[0]))
    return np.sort(rng.choice(candidates, size=count, replace=False)).astype(np.int64)


def _looks(settings: WorldSettings, words: list[frozenset[str]]) -> Float32[np.ndarray, "item dim"]:
    """Unit vectors made of words, rare words first, plus what words do not tell."""
    vocabulary = sorted(set().union(*words))
    row = {word: at for at, word in enumerate(vocabulary)}
    vectors = generator(settings.seed, "words").standard_normal((len(vocabulary), settings.taste_dim))
    count = np.zeros(len(vocabulary))
    for bag in words:
        count[[row[word] for word in bag]] += 1
    weight = np.log1p(len(words) / np.maximum(count, 1))
    mean = np.zeros((len(words), settings.taste_dim))
    for item, bag in enumerate(words):
        rows = sorted(row[word] for word in bag)
        mean[item] = weight[rows] @ vectors[rows]
    own = generator(settings.seed, "looks").standard_normal(mean.shape)
    return normalise(normalise(mean) + 0.5 * normalise(own))


def _table(
    settings: WorldSettings,
    catalogue: pa.Table,
    topics: tuple[str, ...],
    topic: Int32[np.ndarray, "item"],
    *,
    created_at: Int64[np.ndarray, "item"],
    campaign: Int64[np.ndarray, "item"],
    price: np.ndarray,
) -> pa.Table:
    rng = generator(settings.seed, "creators")
    items = topic.shape[0]
    # a few creators per category post most of it
    creator = topic * 4 + np.minimum(rng.geometric(0.45, size=items) - 1, 3)
    brand = rng.integers(len(_BRANDS), size=items)
    sold = ~np.isnan(price)
    empty = pa.array([None] * items, pa.map_(pa.string(), pa.string()))
    attributes = catalogue["attributes"].combine_chunks() if "attributes" in catalogue.schema.names else empty
    url = (
        catalogue["url"].combine_chunks() if "url" in catalogue.schema.names else pa.nulls(items, pa.string())
    )
    return pa.table(
        {
            "item_id": catalogue["item_id"].combine_chunks(),
            "title": catalogue["title"].combine_chunks(),
            "description": catalogue["description"].combine_chunks(),
            "image": catalogue["image"].combine_chunks().cast(pa.binary()),
            "created_at": pa.array(created_at, pa.int64()),
            "creator_id": pa.array([f"c{row}" for row in creator], pa.string()),
            "category": pa.array([topics[row] for row in topic], pa.string()),
            "price": pa.array(price, pa.float64(), mask=~sold),
            "currency": pa.array(["USD" if here else None for here in sold], pa.string()),
            "brand": pa.array(
                [_BRANDS[row] if sold[at] else None for at, row in enumerate(brand)], pa.string()
            ),
            "attributes": attributes,
            "url": url,
            "is_ad": pa.array(campaign >= 0, pa.bool_()),
            "campaign_id": pa.array([f"a{row}" if row >= 0 else None for row in campaign], pa.string()),
        }
    )


def _copies(
    settings: WorldSettings,
    table: pa.Table,
    originals: Int64[np.ndarray, "copy"],
    created_at: Int64[np.ndarray, "item"],
    start: int,
) -> pa.Table:
    """The planted copies as items: own id, slightly changed title, posted 1 to 30 days after the original."""
    rng = generator(settings.seed, "copies")
    rows = table.take(pa.array(originals))
    last = start + (settings.days - 1) * DAY_US
    # somebody finds an old picture: the copy is dated from the original or from shortly before the log
    posted = np.maximum(created_at[originals], start - 40 * DAY_US)
    posted = np.minimum(posted + rng.integers(DAY_US, 30 * DAY_US, size=originals.shape[0]), last)
    count = originals.shape[0]
    images = [near_copy(image.as_py(), KINDS[at % 3], rng) for at, image in enumerate(rows["image"])]
    titles = [renamed(title.as_py() or "", rng) for title in rows["title"]]
    replaced = {
        "item_id": pa.array([f"i{table.num_rows + at}" for at in range(count)], pa.string()),
        "title": pa.array(titles, pa.string()),
        "image": pa.array(images, pa.binary()),
        "created_at": pa.array(posted, pa.int64()),
        "creator_id": pa.array([f"copier{at % 7}" for at in range(count)], pa.string()),
        "price": pa.nulls(count, pa.float64()),
        "currency": pa.nulls(count, pa.string()),
        "brand": pa.nulls(count, pa.string()),
    }
    columns = {name: replaced.get(name, rows[name].combine_chunks()) for name in table.schema.names}
    return pa.table(columns, schema=table.schema)
