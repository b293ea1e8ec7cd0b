"""Build steps that look at pictures themselves: which show the same, how good they are, what is in them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from bowerbird.content.copy_verifier import verdict_revision
from bowerbird.content.near_duplicates import near_duplicate_groups
from bowerbird.content.perceptual_hash import PictureHashes
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.workspace.content_steps import ENCODER_THREADS, HASH_SPACE, lacks_pictures
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench


def picture_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps over pictures, in order."""
    verdicts = verdict_revision()
    return [Step("near_duplicates", ("image_vector",), 3, verdicts, make_near_duplicates, lacks_pictures)]


def verdict_space() -> Space:
    """Verdicts on pairs of pictures in the cache of vectors, a number each."""
    return Space("same_picture", verdict_revision(), 1, "dot")


class KeptVerdicts:
    """Verdicts on pairs of items, kept by what their pictures are: a picture that changed has none.

    Args:
        cache: where they are kept.
        names: content hash of each item's picture.
    """

    def __init__(self, cache: VectorCache, names: list[str]) -> None:
        self._cache = cache
        self._names = names

    def known(
        self, pairs: Int64[np.ndarray, "pair 2"]
    ) -> tuple[Float32[np.ndarray, "pair"], Bool[np.ndarray, "pair"]]:
        """The verdict on each pair, and which pairs have one."""
        kept = self._cache.get(self._keys(pairs))
        return kept.matrix[:, 0], kept.present

    def keep(self, pairs: Int64[np.ndarray, "pair 2"], scores: Float32[np.ndarray, "pair"]) -> None:
        """Keep verdicts."""
        self._cache.append(self._keys(pairs), scores[:, None])

    def _keys(self, pairs: Int64[np.ndarray, "pair 2"]) -> list[str]:
        return ["-".join(sorted((self._names[a], self._names[b]))) for a, b in pairs.tolist()]


def make_near_duplicates(bench: Workbench, version: str) -> SignalCard:
    """Group items that show the same picture; the first of a group is canonical."""
    names = [name or "" for name in bench.items.column("image")]
    cached = VectorCache(bench.layout, HASH_SPACE).get(names)
    bench.progress.start("compare pictures", None, "pairs")
    canonical = near_duplicate_groups(
        _hashes(cached),
        bench.item_vectors("image_vector"),
        cached.present,
        lambda row: bench.media.get(names[row]),
        KeptVerdicts(VectorCache(bench.layout, verdict_space()), names),
        bench.progress.advance,
        ENCODER_THREADS,
    )
    bench.progress.finish()
    ids = bench.items.vocabulary.ids
    groups = len(np.unique(canonical))
    card = bench.card(
        "near_duplicates",
        ("item", "group"),
        version,
        "nearest by vector and hash, laid on each other",
        counted=(int(cached.present.sum()), len(bench.items)),
        inputs=("catalogue", "image_vector"),
        note=f"{len(ids) - groups:,} items repeat another's picture",
    )
    table = pa.table({"item_id": list(ids), "canonical": [ids[row] for row in canonical]})
    bench.signals.put_table(card, table)
    return card


def _hashes(cached: Vectors) -> PictureHashes:
    words = np.ascontiguousarray(cached.matrix.astype(np.uint8)).view(np.uint64)
    return PictureHashes.from_words(words)
