"""The build step of looks: which products fit a photographed scene, learnt where the catalogue says what is in which.

A scene is an item whose attribute ``products`` lists item ids, as JSON or with commas; the importer of rooms writes it.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.content.encoder import ContentEncoder
from bowerbird.content.looks import Companions, frozen_looks
from bowerbird.content.pictures import decoded
from bowerbird.content.regions import RegionProposer, cut, load_regions
from bowerbird.content.scene_looks import SCENE_SIDE, SavedLooks, SceneLooks
from bowerbird.errors import InputError, NotReadyError
from bowerbird.extras import lacks
from bowerbird.records.signal import SignalCard, Vectors
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.workspace.content_steps import live_encoder
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["loaded_looks", "looks_steps", "scenes_of"]

LEAST_SCENES = 20
"""Pictured scenes with products from which looks are learnt."""


def looks_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The step that learns from scenes."""
    chosen = f"{settings.seed}/{settings.content.regions}/{settings.content.image_encoder}"
    return [Step("looks", ("catalogue", "image_vector"), 1, chosen, make_looks, lacks_scenes)]


def scenes_of(bench: Workbench) -> dict[int, list[str]]:
    """Item row of each scene, and the ids of what is in it."""
    found = {}
    for row, pairs in enumerate(bench.items.column("attributes")):
        for name, value in pairs or ():
            ids = _listed(value) if name == "products" else []
            if ids:
                found[row] = ids
    return found


def lacks_scenes(bench: Workbench) -> str | None:
    """Scenes with products and pictures, and torch, are needed."""
    pictures = bench.items.column("image")
    scenes = sum(bool(pictures[row]) for row in scenes_of(bench))
    if scenes < LEAST_SCENES:
        return f"{scenes} items with a picture list their products; looks need {LEAST_SCENES}"
    return lacks("torch", "train")


def make_looks(bench: Workbench, version: str) -> SignalCard:
    """Learn which products fit a scene, and count which are used together."""
    from bowerbird.training.looks import ScenePairs, trained_looks  # loads torch: not to ask

    vectors, scenes = bench.item_vectors("image_vector"), scenes_of(bench)
    sale = [("for_sale", "no") not in (pairs or ()) for pairs in bench.items.column("attributes")]
    sold = vectors.present & np.array(sale, dtype=bool)
    sold[list(scenes)] = False
    rows = np.flatnonzero(sold)
    ids = tuple(bench.items.vocabulary.ids[row] for row in rows.tolist())
    place = {name: number for number, name in enumerate(ids)}
    within = {
        row: np.array(sorted({place[one] for one in listed if one in place}), dtype=np.int64)
        for row, listed in scenes.items()
    }
    pictured = [row for row, products in within.items() if products.size and vectors.present[row]]
    regions, bounds, read = _regions(bench, pictured)
    if len(read) < LEAST_SCENES:
        raise NotReadyError(
            f"looks: {len(read)} scenes have a readable picture and a product that is pictured; it needs {LEAST_SCENES}"
        )
    products = vectors.matrix[rows]
    pairs = ScenePairs(regions, bounds, products, [within[row] for row in read])
    frozen = frozen_looks(vectors.space, regions, products)
    model = trained_looks(
        frozen, pairs, np.arange(len(read)), seed=bench.settings.seed, progress=bench.progress
    )
    known = [one for one in within.values() if one.size]
    saved = SavedLooks(model, Companions.of(known, len(rows)), ids)
    card = bench.card(
        "looks",
        ("model", "model"),
        version,
        "scene-product compatibility, learnt from pairs",
        counted=(len(rows), len(bench.items)),
        inputs=("catalogue", "image_vector"),
        space=vectors.space,
        note=f"{len(read):,} scenes with a picture, {sum(one.size for one in known):,} pairs",
    )
    with bench.models.writing(card) as directory:
        saved.save(directory)
    return card


def loaded_looks(bench: Workbench, images: Vectors | None) -> SceneLooks | None:
    """The learnt looks over the live picture vectors; None where there are none."""
    if images is None or bench.models.card("looks") is None:
        return None
    saved = SavedLooks.load(bench.models.directory("looks"))
    rows = bench.items.vocabulary.rows(list(saved.product_ids))
    proposer = load_regions(bench.settings.content.regions)
    return SceneLooks(saved, rows, images, live_encoder(bench, "image_vector"), proposer)


def _regions(
    bench: Workbench, scenes: list[int]
) -> tuple[Float32[np.ndarray, "region dim"], Int64[np.ndarray, " bound"], list[int]]:
    """Vectors of every region of the scenes that can be read, and which those are.

    What is cached is never encoded again, so a killed build carries on where it was.
    """
    encoder = live_encoder(bench, "image_vector")
    proposer = load_regions(bench.settings.content.regions)
    cache = VectorCache(bench.layout, encoder.space)
    names = bench.items.column("image")
    found, read = [], []
    bench.progress.start("look at scenes", len(scenes), "scenes")
    for row in scenes:
        vectors = _scene(bench.media.get(names[row]), encoder, proposer, cache)
        if vectors is not None and len(vectors):
            found.append(vectors)
            read.append(row)
        bench.progress.advance()
    bench.progress.finish()
    stacked = np.concatenate(found) if found else np.empty((0, encoder.space.dim), np.float32)
    return stacked, np.cumsum([0, *map(len, found)]).astype(np.int64), read


def _scene(
    raw: bytes, encoder: ContentEncoder[bytes], proposer: RegionProposer, cache: VectorCache
) -> Float32[np.ndarray, "region dim"] | None:
    """Vectors of one scene's regions; None where the picture cannot be read."""
    try:
        picture = decoded(raw, at_least=SCENE_SIDE)
    except InputError:
        return None
    whole = hashlib.blake2b(raw, digest_size=16).hexdigest()
    boxes = proposer.boxes(picture.pixels)
    keys = [f"{whole}-{box.left}-{box.top}-{box.right}-{box.bottom}" for box in boxes]
    missing = set(cache.missing(keys))
    if missing:
        fresh = [(key, box) for key, box in zip(keys, boxes, strict=True) if key in missing]
        made = encoder.encode([cut(picture, box) for _, box in fresh])
        kept = np.flatnonzero(made.present)
        cache.append([fresh[at][0] for at in kept], made.matrix[kept])
    regions = cache.get(keys)
    return regions.matrix[regions.present]


def _listed(value: str) -> list[str]:
    """Ids of a JSON list, else of words between commas."""
    if value.lstrip().startswith("["):
        try:
            return [str(one) for one in json.loads(value)]
        except json.JSONDecodeError:
            return []
    return [one.strip() for one in value.split(",") if one.strip()]
