"""Releases: which version of every signal and model was live together, and the way back to the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bowerbird.errors import NotFoundError
from bowerbird.records.signal import SignalCard
from bowerbird.stores.atomic import write_atomically
from bowerbird.stores.layout import Layout
from bowerbird.stores.registry import VERSIONS_KEPT, Registry
from bowerbird.workspace.loading import release_version

FILE = "releases.json"
ANNOUNCED = "announced.json"
PARTS: Mapping[str, str] = {
    "item vectors": "item_vector",
    "index": "item_index",
    "user encoder": "user_vector",
    "ranker": "ranker",
    "calibration": "ranker",
    "taxonomy": "item_interests",
}
"""What a release stamps, and the signal or model each is part of (the ranker's file holds its calibration)."""


@dataclass(frozen=True)
class Manifest:
    """One release: every version in it."""

    version: str
    """Fingerprint of all of them: what ``/healthz`` and answers name."""
    as_of: int
    signals: dict[str, str]
    models: dict[str, str]
    stamps: dict[str, str]
    """The parts people ask about, with their versions; a part the workspace lacks is not there."""


@dataclass(frozen=True)
class Announcement:
    """Word to every server process of a workspace: take what is live now."""

    serial: int
    version: str
    """The release that is live at the time."""
    unchecked: bool
    """Whether it must be taken whatever a check says: after forgetting, after a rollback."""


def announced(layout: Layout) -> Announcement | None:
    """The newest announcement; None before the first."""
    path = layout.state / ANNOUNCED
    return Announcement(**json.loads(path.read_bytes())) if path.exists() else None


def announce(layout: Layout, version: str, *, unchecked: bool) -> Announcement:
    """Tell every server process to take what is live; each does within a second and the time of loading it."""
    before = announced(layout)
    word = Announcement(before.serial + 1 if before is not None else 1, version, unchecked)
    write_atomically(layout.state / ANNOUNCED, json.dumps(asdict(word)).encode())
    return word


def releases(layout: Layout) -> list[Manifest]:
    """The releases that can be gone back to, oldest first; the last is live."""
    path = layout.state / FILE
    if not path.exists():
        return []
    return [Manifest(**values) for values in json.loads(path.read_bytes())]


def record_release(layout: Layout, signals: list[SignalCard], models: list[SignalCard]) -> Manifest | None:
    """Note what is live after a build as a release; None when nothing is built.

    A build that changed nothing makes no new one.
    """
    cards = {card.name: card for card in (*signals, *models)}
    if not cards:
        return None
    manifest = Manifest(
        release_version(cards),
        max(card.as_of for card in cards.values()),
        {card.name: card.version for card in signals},
        {card.name: card.version for card in models},
        {part: cards[name].version for part, name in PARTS.items() if name in cards},
    )
    before = releases(layout)
    if not before or before[-1].version != manifest.version:
        _write(layout, [*before, manifest][-VERSIONS_KEPT:])
    return manifest


def rolled_back(layout: Layout) -> Manifest:
    """Make the release before live again, all its parts in one stroke; returns it.

    Raises:
        NotFoundError: there is no release before, or a version of it is not kept any more.
    """
    known = releases(layout)
    if len(known) < 2:
        raise NotFoundError(
            f"{layout.root}: there is no release before this one; up to {VERSIONS_KEPT} are kept"
        )
    target = known[-2]
    Registry(layout).restore({"signals": target.signals, "models": target.models})
    _write(layout, known[:-1])
    announce(layout, target.version, unchecked=True)  # the way back must not depend on the way forward
    return target


def only_live(layout: Layout) -> None:
    """Give up the releases before the live one: nothing leads back to what was forgotten."""
    _write(layout, releases(layout)[-1:])


def leave_behind(layout: Layout) -> None:
    """After forgetting: give up the releases before the live one, and tell every server to take what is left.

    It is not checked: what was forgotten must not answer on, whatever a check says.
    """
    only_live(layout)
    known = releases(layout)
    if known:
        announce(layout, known[-1].version, unchecked=True)


def _write(layout: Layout, manifests: list[Manifest]) -> None:
    text = json.dumps([asdict(one) for one in manifests], indent=1)
    write_atomically(layout.state / FILE, text.encode())
