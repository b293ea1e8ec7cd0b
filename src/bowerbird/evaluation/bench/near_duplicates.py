"""``bench near-duplicates``: which pictures are altered copies of a catalogue's? The copies are made here, from a seed.

Every copy is asked against the whole catalogue, and so are altered strangers, whose originals are not in it. Beside
ours stand the perceptual hash and the cosine of frozen vectors; their threshold is the best there is for a precision
of .99, chosen on the very pairs that are counted, which favours them. Ours is what a build does, threshold included.

Source: Douze et al. 2021, "The 2021 Image Similarity Dataset and Challenge", section 4 (micro average precision over
all pairs, queries without an answer); the alterations are :mod:`bowerbird.evaluation.bench.altered_copies`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from bowerbird.arrays import top_k_rows
from bowerbird.content.image_encoder import efficientnet_lite2
from bowerbird.content.near_duplicates import near_duplicate_groups
from bowerbird.content.perceptual_hash import PictureHashes, hamming
from bowerbird.content.pictures import decoded
from bowerbird.datasets.picture_source import picture_source
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.altered_copies import ALTERATIONS, GROUPS, altered
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress

__all__ = ["FoundPairs", "micro_average_precision", "recall_at_precision", "run_near_duplicates"]

LOOKED_UP = 10
"""Nearest originals of each copy that the baselines offer."""
TWIN_BITS = 12
"""Originals whose hashes differ in at most so many of 256 bits are one picture: neither right nor wrong as an answer."""
_FEWEST = 8
_BY_ALTERATION = "by alteration: "


@dataclass(frozen=True)
class FoundPairs:
    """Pairs a contender offers, without those that are neither right nor wrong.

    Args:
        query: the copy of each pair.
        score: higher is surer.
        right: whether the original is the copy's.
        taken: whether the contender says that they are the same; None when a threshold decides.
    """

    query: Int64[np.ndarray, "pair"]
    score: Float32[np.ndarray, "pair"]
    right: Bool[np.ndarray, "pair"]
    taken: Bool[np.ndarray, "pair"] | None = None

    def of(self, queries: Bool[np.ndarray, "query"]) -> FoundPairs:
        """The pairs of some copies."""
        kept = queries[self.query]
        taken = None if self.taken is None else self.taken[kept]
        return FoundPairs(self.query[kept], self.score[kept], self.right[kept], taken)


def micro_average_precision(pairs: FoundPairs, answers: int) -> float:
    """Area under precision over recall, all pairs in one ranking.

    Args:
        pairs: what was found.
        answers: how many copies have their original in the catalogue.

    Example:
        >>> found = FoundPairs(np.array([0, 1, 2]), np.array([.9, .8, .7], np.float32), np.array([True, False, True]))
        >>> round(micro_average_precision(found, 2), 4)
        0.8333
    """
    right = pairs.right[np.argsort(-pairs.score, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].sum() / answers) if answers else 0.0


def recall_at_precision(pairs: FoundPairs, answers: int, floor: float) -> tuple[float, float]:
    """The largest recall with at least this precision, over all thresholds; and the threshold.

    Example:
        >>> found = FoundPairs(np.array([0, 1, 2]), np.array([.9, .8, .7], np.float32), np.array([True, False, True]))
        >>> recall_at_precision(found, 2, 0.9)
        (0.5, 0.8999999761581421)
    """
    order = np.argsort(-pairs.score, kind="stable")
    right, score = pairs.right[order], pairs.score[order]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    # a threshold takes all pairs of one score together
    whole = np.append(score[1:] != score[:-1], True) if len(score) else np.zeros(0, dtype=bool)
    good = np.flatnonzero((precision >= floor) & whole)
    if not len(good) or not answers:
        return 0.0, np.inf
    return float(right[: good[-1] + 1].sum() / answers), float(score[good[-1]])


@dataclass
class _Copies:
    """A catalogue and the altered copies asked against it."""

    files: list[bytes]
    """Originals first, then copies."""
    originals: int
    source: Int64[np.ndarray, "query"]
    """The original of each copy; -1 for strangers."""
    names: list[str]
    groups: list[str]
    vectors: Vectors
    hashes: PictureHashes
    twins: dict[int, set[int]] = field(default_factory=dict)


class _Scores:
    """Keeps every verdict of a run, to rank pairs by."""

    def __init__(self) -> None:
        self.of: dict[tuple[int, int], float] = {}

    def known(
        self, pairs: Int64[np.ndarray, "pair 2"]
    ) -> tuple[Float32[np.ndarray, "pair"], Bool[np.ndarray, "pair"]]:
        """Nothing is known before it is asked."""
        return np.zeros(len(pairs), np.float32), np.zeros(len(pairs), dtype=bool)

    def keep(self, pairs: Int64[np.ndarray, "pair 2"], scores: Float32[np.ndarray, "pair"]) -> None:
        """Remember verdicts."""
        self.of.update(zip(map(tuple, pairs.tolist()), scores.tolist(), strict=True))


def run_near_duplicates(
    images: Path,
    limit: int = 2000,
    copies: int = 300,
    seeds: int = 1,
    *,
    threads: int = 2,
    progress: Progress = SILENT,
) -> BenchReport:
    """Copies found among a catalogue of pictures, ours beside the perceptual hash and the cosine.

    Args:
        images: a folder of pictures, a parquet file of their bytes, or a pattern of such files.
        limit: most pictures of the catalogue.
        copies: pictures of which a light and a strong copy are made, and as many strangers; at most a quarter.
        seeds: times it is all drawn again.
        threads: workers that encode.
        progress: shows reading, encoding and comparing.

    Raises:
        InputError: fewer than eight pictures can be read.
    """
    files, unread = _read(images, limit, progress)
    encoder = efficientnet_lite2(threads=threads)
    encoded = _encoded(encoder, files, progress)
    results: dict[str, list[dict[str, tuple[float, float]]]] = {}
    costs: dict[str, tuple[float, float]] = {}
    for seed in range(seeds):
        drawn = _drawn(files, encoded, encoder, min(copies, len(files) // 4), seed, progress)
        for name, find in (("ours", _ours), ("perceptual hash", _by_hash), ("frozen cosine", _by_cosine)):
            progress.start(f"seed {seed}: {name}", None, "pairs")
            with row_cost() as cost:
                pairs = find(drawn, progress)
            progress.finish()
            results.setdefault(name, []).append(_metrics(pairs, drawn))
            before = costs.get(name, (0.0, 0.0))
            costs[name] = (before[0] + cost.cpu_s / seeds, max(before[1], cost.peak_mb))
    rows = [_row(name, found, costs[name]) for name, found in results.items()]
    digest = hashlib.blake2b(b"".join(hashlib.blake2b(file).digest() for file in files), digest_size=8)
    taken = min(copies, len(files) // 4)
    notes = [
        f"{taken} copies of each group and {taken} altered strangers per seed",
        "baselines take their best threshold for precision .99 on these very pairs; ours takes what a build takes",
        f"ours, recall by alteration: {_in_words(rows[0])}",
    ]
    if unread:
        notes.append(f"{unread} pictures could not be read and were left out")
    data = BenchData(0, len(files) - taken, 3 * taken, digest.hexdigest())
    return BenchReport("near-duplicates", "altered copies", data, rows, notes)


def _read(images: Path, limit: int, progress: Progress) -> tuple[list[bytes], int]:
    """Distinct readable pictures, drawn evenly from the source."""
    source = picture_source(images)
    wanted = generator(0, "bench", "near-duplicates", "pictures").permutation(len(source))[:limit]
    progress.start("read pictures", min(limit, len(source)))
    files: dict[bytes, None] = {}
    unread = 0
    for _, picture in source.pictures(wanted.tolist()):
        progress.advance()
        try:
            if picture.data is None:
                raise InputError("no bytes")
            decoded(picture.data, at_least=64)
        except InputError:
            unread += 1
        else:
            files[picture.data] = None
    progress.finish()
    if len(files) < _FEWEST:
        raise InputError(
            f"{images}: {len(files)} different pictures can be read ({unread} cannot); "
            f"expected at least {_FEWEST} to make copies of"
        )
    return list(files), unread


def _encoded(encoder, files: list[bytes], progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    progress.start("encode pictures", len(files))
    matrix, words = [], []
    for chunk in encoder.encode_chunks(files):
        matrix.append(chunk.vectors.matrix)
        words.append(chunk.hashes.words())
        progress.advance(len(chunk.vectors))
    progress.finish()
    return np.concatenate(matrix), np.concatenate(words)


def _drawn(
    files: list[bytes],
    encoded: tuple[np.ndarray, np.ndarray],
    encoder,
    copies: int,
    seed: int,
    progress: Progress,
) -> _Copies:
    """Copies and strangers of one seed."""
    order = generator(seed, "bench", "near-duplicates").permutation(len(files))
    strangers, kept = order[:copies], np.sort(order[copies:])
    copied = generator(seed, "bench", "near-duplicates", "copied").permutation(len(kept))[:copies]
    asked = [(int(at), group) for at in copied for group in GROUPS]
    asked += [(-1 - int(row), GROUPS[number % 2]) for number, row in enumerate(strangers)]
    queries, source, names, groups = [], [], [], []
    for number, (at, group) in enumerate(asked):
        kinds = [one.name for one in ALTERATIONS if getattr(one, group) is not None]
        name = kinds[(number // 2) % len(kinds)]
        raw = files[kept[at]] if at >= 0 else files[-1 - at]
        image = decoded(raw).image
        queries.append(altered(image, name, group, generator(seed, "bench", "altered", str(number))))
        source.append(max(at, -1))
        names.append(name)
        groups.append(group)
    matrix, words = _encoded(encoder, queries, progress)
    hashes = PictureHashes.from_words(np.concatenate([encoded[1][kept], words]))
    vectors = Vectors.full(encoder.space, np.concatenate([encoded[0][kept], matrix]))
    drawn = _Copies(
        [*(files[row] for row in kept), *queries], len(kept), np.array(source), names, groups, vectors, hashes
    )
    for at in copied.tolist():
        apart = _bits_apart(drawn, at)
        drawn.twins[at] = set(np.flatnonzero(apart <= TWIN_BITS).tolist()) - {at}
    return drawn


def _pairs(
    drawn: _Copies,
    query: np.ndarray,
    original: np.ndarray,
    score: np.ndarray,
    taken: np.ndarray | None = None,
) -> FoundPairs:
    """Offered pairs without the twins of the right answer."""
    source = drawn.source[query]
    fair = np.array(
        [
            row not in drawn.twins.get(of, ())
            for of, row in zip(source.tolist(), original.tolist(), strict=True)
        ],
        dtype=bool,
    )
    return FoundPairs(
        query[fair].astype(np.int64),
        score[fair].astype(np.float32),
        source[fair] == original[fair],
        None if taken is None else taken[fair],
    )


def _ours(drawn: _Copies, progress: Progress) -> FoundPairs:
    scores = _Scores()
    group = near_duplicate_groups(
        drawn.hashes,
        drawn.vectors,
        drawn.vectors.present,
        drawn.files.__getitem__,
        scores,
        progress.advance,
    )
    found = {pair: score for pair, score in scores.of.items() if pair[0] < drawn.originals <= pair[1]}
    together: dict[int, list[int]] = {}
    for row in range(drawn.originals):
        together.setdefault(int(group[row]), []).append(row)
    for row in range(drawn.originals, len(drawn.files)):
        for original in together.get(int(group[row]), ()):
            found[original, row] = 1 + found.get((original, row), 0.0)  # in one group: above all that is not
    pairs = [
        (row - drawn.originals, original, score) for (original, row), score in found.items() if score > 0
    ]
    query, original, score = (
        (np.array(part) for part in zip(*pairs, strict=True)) if pairs else (np.zeros(0, int),) * 3
    )
    return _pairs(drawn, query, original, score, score >= 1)


def _by_hash(drawn: _Copies, progress: Progress) -> FoundPairs:
    apart = [_bits_apart(drawn, row) for row in range(drawn.originals, len(drawn.files))]
    return _nearest(drawn, -np.stack(apart).astype(np.float32))


def _bits_apart(drawn: _Copies, row: int) -> Int64[np.ndarray, "original"]:
    """How far each original's hash, or its mirror image's, is from a picture's."""
    codes, turned = (
        drawn.hashes.frequency[: drawn.originals],
        drawn.hashes.frequency_flipped[: drawn.originals],
    )
    own = np.broadcast_to(drawn.hashes.frequency[row], codes.shape)
    return np.minimum(hamming(codes, own), hamming(turned, own))


def _by_cosine(drawn: _Copies, progress: Progress) -> FoundPairs:
    matrix = drawn.vectors.matrix
    return _nearest(drawn, matrix[drawn.originals :] @ matrix[: drawn.originals].T)


def _nearest(drawn: _Copies, alike: Float32[np.ndarray, "query original"]) -> FoundPairs:
    near = top_k_rows(alike, LOOKED_UP)
    query = np.repeat(np.arange(len(near)), near.shape[1])
    return _pairs(drawn, query, near.ravel(), np.take_along_axis(alike, near, axis=1).ravel())


def _metrics(pairs: FoundPairs, drawn: _Copies) -> dict[str, tuple[float, float]]:
    """Each metric with its standard error."""
    found: dict[str, tuple[float, float]] = {}
    groups, names = np.array(drawn.groups), np.array(drawn.names)
    known = drawn.source >= 0
    threshold = recall_at_precision(pairs, int(known.sum()), 0.99)[1]
    taken = pairs.taken if pairs.taken is not None else pairs.score >= threshold
    hit = np.zeros(len(groups), dtype=bool)
    hit[pairs.query[taken & pairs.right]] = True
    for group in GROUPS:
        mine = groups == group
        ours = mine[pairs.query] & taken
        found[f"precision {group}"] = _proportion(pairs.right[ours], empty=1.0)
        found[f"recall {group}"] = _proportion(hit[mine & known])
    for group in GROUPS:
        mine = groups == group
        part, answers = pairs.of(mine), int((mine & known).sum())
        found[f"muAP {group}"] = (micro_average_precision(part, answers), 0.0)
        for floor in (0.9, 0.99):
            found[f"recall@p{round(100 * floor)} {group}"] = (
                recall_at_precision(part, answers, floor)[0],
                0.0,
            )
        for name in sorted(set(names[mine & known].tolist())):
            found[f"{_BY_ALTERATION}{group} {name}"] = _proportion(hit[mine & known & (names == name)])
    return found


def _proportion(values: Bool[np.ndarray, "n"], empty: float = 0.0) -> tuple[float, float]:
    if not len(values):
        return empty, 0.0
    share = float(values.mean())
    return share, float(np.sqrt(share * (1 - share) / len(values)))


def _row(model: str, found: list[dict[str, tuple[float, float]]], cost: tuple[float, float]) -> BenchRow:
    metrics, by_alteration = {}, {}
    for name in found[0]:
        values = [one[name] for one in found if name in one]
        if name.startswith(_BY_ALTERATION):
            share = float(np.mean([value for value, _ in values]))
            by_alteration[name.removeprefix(_BY_ALTERATION)] = round(share, 4)
            continue
        error = float(np.mean([se for _, se in values])) / np.sqrt(len(values))
        metrics[name] = Estimate(tuple(value for value, _ in values), error or None)
    return BenchRow(model, metrics, cost[0], cost[1], {"recall by alteration": by_alteration})


def _in_words(row: BenchRow) -> str:
    shares = row.settings["recall by alteration"]
    return ", ".join(f"{name} {share:.2f}".replace(" 0.", " .") for name, share in shares.items())
