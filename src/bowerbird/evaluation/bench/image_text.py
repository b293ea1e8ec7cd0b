"""``bench image-text``: texts find their pictures among all pictures of the set, and pictures their texts.

The baselines are the classifier alone (ConSE, which needs no pairs), linear heads on the same frozen
vectors, and the tower on them; ours are two towers in one space (:mod:`bowerbird.content.joined_spaces`), one of which also tunes
the last layers of the encoders while it learns. The second line of each takes off what hubs score with any question, measured
on questions of the train part (:mod:`bowerbird.content.hubs`). With several sets towers trained on all of them at once
stand beside each set's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bowerbird.content.conse import conse_bridge
from bowerbird.content.image_encoder import efficientnet_lite2
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.both_ways import Embedded, chance_metrics, retrieval_metrics
from bowerbird.evaluation.bench.captioned import TRAIN, captioned_pictures
from bowerbird.evaluation.bench.captioned_contenders import (
    MOST_BANK,
    Contender,
    Joined,
    Kind,
    Trained,
)
from bowerbird.evaluation.bench.captioned_set import CaptionedSet, SetEncoding
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.labelled import PART_NAMES
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
)
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.tower_effort import LEAST_TUNED

__all__ = ["run_image_text"]


def run_image_text(
    sets: Sequence[tuple[Path, Path]],
    seeds: int = 3,
    *,
    fit: tuple[Path, Path] | None = None,
    epochs: int | None = None,
    tune: bool | None = None,
    threads: int = 2,
    kept: Path | None = None,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure retrieval both ways on one or more sets of captioned pictures.

    Args:
        sets: pictures and captions of each set.
        seeds: trainings of each trained contender.
        fit: train on this set's train part instead of each set's own, e.g. to measure transfer.
        epochs: of each training; the default when None.
        tune: let the last layers of the encoders learn too, which takes about ten times as long; None does so
            where there are at least 3,000 pictures to train on.
        threads: workers that encode.
        kept: a folder where encoded pictures stay for the next run.
        progress: shows encoding and training.

    Raises:
        NotFoundError: a file is not there.
        InputError: a set cannot be read or has nothing to train or report on.
        MissingDependencyError: torch or weights are not installed.
    """
    found = [captioned_pictures(*one, 0, "both" if fit is None else "ask") for one in sets]
    taught = [] if fit is None else [captioned_pictures(*fit, 0, "fit")]
    image, text = efficientnet_lite2(threads=threads), TextEncoder(threads=threads)
    encode = SetEncoding(image, text, conse_bridge(image, text), tune is not False, kept, progress)
    read, fitted = [encode(one) for one in found], [encode(one) for one in taught]
    for one in read:
        _check_reported(one)
    rows: list[BenchRow] = []
    notes: list[str] = []
    together: list[Trained] = []
    if len(read) > 1 and not fitted:
        together += _ours("ours, trained on all sets", read, _kind(read, read, tune))[-1:]
    for one in read:
        where = f"{one.captioned.name}: " if len(read) > 1 else ""
        rows += _untrained(one, where)
        own = fitted or [one]
        contenders = [Contender("linear heads", own, "plain"), *_ours("ours", own, _kind(own, [one], tune))]
        trained, lacking = _trained_rows([*contenders, *together], one, where, seeds, epochs, progress)
        rows += trained
        notes += lacking
    return _report(read, fitted, rows, notes)


def _check_reported(one: CaptionedSet) -> None:
    """Refuses a set of which nothing is left to report on."""
    part = one.captioned.reported
    if not len(one.readable(part)):
        count = int((one.captioned.part == part).sum())
        raise InputError(
            f"{one.captioned.name}: none of {count:,} {PART_NAMES[part]} pictures has a text and can be read "
            f"({one.pictures.note}); expected some to report on"
        )


def _trained_rows(
    contenders: Sequence[Trained],
    one: CaptionedSet,
    where: str,
    seeds: int,
    epochs: int | None,
    progress: Progress,
) -> tuple[list[BenchRow], list[str]]:
    """Lines of the trained contenders, and what is said of those with too little to learn from."""
    rows, notes = [], []
    for contender in contenders:
        try:
            rows += contender.rows(one, where, seeds, epochs, progress)
        except NotReadyError as error:
            notes.append(f"no line for {where}{contender.name}: {error}")
    return rows, notes


def _ours(name: str, fitted: Sequence[CaptionedSet], kind: Kind) -> list[Trained]:
    """Two towers, and the space of both: on frozen encoders and on tuned ones, or else from two draws."""
    if kind == "tuned":
        second = Contender(f"{name}, tuned encoders", fitted, kind)
    else:
        second = Contender(f"{name}, the other tower", fitted, draw=1)
    first = Contender(f"{name}, {'frozen encoders' if kind == 'tuned' else 'one tower'}", fitted)
    return [first, second, Joined(name, fitted, [first, second])]


def _kind(fitted: Sequence[CaptionedSet], asked: Sequence[CaptionedSet], tune: bool | None) -> Kind:
    """Whether encoders learn too: where that was asked for or there is enough to learn from, and places were kept."""
    enough = sum(len(one.readable(TRAIN)) for one in fitted) >= LEAST_TUNED
    possible = all(one.tokens is not None for one in (*fitted, *asked))
    return "tuned" if possible and (enough if tune is None else tune) else "frozen"


def _untrained(one: CaptionedSet, where: str) -> list[BenchRow]:
    """Chance, and the classifier alone."""
    pictures = one.readable(one.captioned.reported)
    said, right = one.said.take(one.texts_of(pictures)).matrix, one.right
    with row_cost() as cost:
        chance = chance_metrics(right)
    rows = [BenchRow(where + "random", chance, cost.cpu_s, cost.peak_mb)]
    with row_cost() as cost:
        metrics = retrieval_metrics(right, [Embedded(one.conse.take(pictures).matrix, said)])
    rows.append(BenchRow(where + "ConSE, no training", metrics, cost.cpu_s, cost.peak_mb))
    return rows


def _report(
    read: Sequence[CaptionedSet], fitted: Sequence[CaptionedSet], rows: list[BenchRow], lacking: Sequence[str]
) -> BenchReport:
    digest = hashlib.blake2b("".join(one.captioned.hash for one in (*read, *fitted)).encode(), digest_size=8)
    pictures = sum(len(one.captioned.places) for one in read)
    notes = [
        "equal texts count as one; ties stand before the right answer; se over queries",
        f"hubs levelled: less what an answer scores on {MOST_BANK:,} questions of the train part at most",
    ]
    for one in (*read, *fitted):
        name, counts = one.captioned.name, [len(one.readable(part)) for part in range(3)]
        part = "test" if one.captioned.reported == 2 else "dev"
        notes.append(f"{name}: {counts[0]:,} pictures to train on, {part} reported")
        notes += [f"{name}: {note}" for note in (*one.captioned.notes, one.pictures.note) if note]
    if fitted:
        notes.append(f"trained on {fitted[0].captioned.name} only")
    texts = sum(len(one.captioned.captions) for one in read)
    data = BenchData(0, pictures, texts, digest.hexdigest())
    return BenchReport(
        "image-text",
        "both ways, whole part as gallery",
        data,
        rows,
        [*notes, *lacking],
    )
