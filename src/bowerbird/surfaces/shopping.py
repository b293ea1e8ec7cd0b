"""Shopping: products in or like a picture, and what goes with them.

A picture that is not an item has no behaviour. Its nearest product stands for it, so that
complements (products of other categories that people chose around that one) can be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bowerbird.pipeline.runner import Pipeline
from bowerbird.records.request import Request
from bowerbird.records.slate import Slate, SlateEntry

COMPLEMENT_SHARE = 3
"""One entry in this many completes the look rather than looks like it."""


def with_complements(pipeline: Pipeline, request: Request) -> Slate:
    """Products like the request's picture, words or item, with complements of the best match mixed in.

    With an item, its own complements are among the sources already. Without one, the slate is
    asked for, the best match becomes the anchor, and every third place goes to what is bought with it.
    """
    slate = pipeline.answer(request)
    if request.item_id is not None or not slate.entries or request.n < COMPLEMENT_SHARE:
        return slate
    best, shown = slate.entries[0].item_id, (*request.exclude, *slate.item_ids)
    anchored = replace(request, item_id=best, image=None, query=None, exclude=shown)
    goes_with = [
        entry
        for entry in pipeline.answer(anchored).entries
        if any(one.source == "complements" for one in entry.because)
    ]
    limited = pipeline.release.limited(pipeline.name)  # the first slate has as many of them as it may
    goes_with = [one for one in goes_with if not limited[pipeline.release.item_row(one.item_id)]]
    goes_with = _unlike(pipeline, slate.entries, goes_with)[: request.n // COMPLEMENT_SHARE]
    if not goes_with:
        return slate
    kept = list(slate.entries[: request.n - len(goes_with)])
    for number, entry in enumerate(goes_with, start=1):
        kept.insert(min(number * COMPLEMENT_SHARE - 1, len(kept)), entry)
    entries = tuple(replace(entry, position=position) for position, entry in enumerate(kept))
    note = f"{len(goes_with)} of {len(entries)} complete the look of {best}"
    return replace(slate, entries=entries, notes=(*slate.notes, note))


def _unlike(pipeline: Pipeline, shown: Sequence[SlateEntry], found: Sequence[SlateEntry]) -> list[SlateEntry]:
    """The entries that are near-duplicates of nothing shown."""
    release = pipeline.release
    group = {one.item_id: release.duplicate_of[release.item_row(one.item_id)] for one in (*shown, *found)}
    taken = {group[entry.item_id] for entry in shown}
    return [entry for entry in found if group[entry.item_id] not in taken]
