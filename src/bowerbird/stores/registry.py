"""The registry: which version of each signal and model is live, in one file replaced at once."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bowerbird.errors import InputError, NotFoundError, NotReadyError, StorageError, did_you_mean
from bowerbird.records import SignalCard, Space
from bowerbird.stores.atomic import storage_errors, write_atomically
from bowerbird.stores.layout import Layout

Section = Literal["signals", "models"]

VERSIONS_KEPT = 3
"""How many versions of a signal or model stay on the disk, the live one included."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Entry:
    """One version: what it is and where its data lies."""

    card: SignalCard
    place: str
    """A Lance version number, or the name of a folder."""


class Registry:
    """Names to versions, oldest first; the last one is live.

    The file is ``state/registry.json``. A build flips to its result by replacing it, after the data
    are on the disk; a reader sees the version before or the version after.

    A **draft** is a second file beside it, ``state/draft.json``: versions that are made and not live yet.
    Who opens the registry as a draft reads those over the live ones and publishes among them; everybody
    else does not see them. :meth:`promote` makes all of them live in one stroke.

    Args:
        layout: the workspace; its folders exist.
        draft: read and publish the draft.
    """

    def __init__(self, layout: Layout, *, draft: bool = False) -> None:
        self._path = layout.state / "registry.json"
        self._draft = layout.state / "draft.json"
        self._drafting = draft

    def versions(self, section: Section, name: str) -> list[Entry]:
        """The versions of a name, oldest first; empty when there is none."""
        return self._read(section).get(name, [])

    def live(self, section: Section, name: str) -> Entry:
        """The live version of a name.

        Raises:
            NotReadyError: it has not been built.
        """
        entries = self._read(section)
        if not entries.get(name):
            hint = did_you_mean(name, entries) if entries else "nothing is built yet"
            raise NotReadyError(
                f"{section.removesuffix('s')} {name!r} is not built ({hint}); run `bowerbird build`"
            )
        return entries[name][-1]

    def live_cards(self, section: Section) -> list[SignalCard]:
        """The live card of each name, by name."""
        return [entries[-1].card for _, entries in sorted(self._read(section).items())]

    def publish(self, section: Section, entry: Entry) -> list[Entry]:
        """Make a version live, or the draft's.

        Returns:
            The versions whose data must be kept, the draft's among them.

        Raises:
            StorageError: the system refused; the version before stays live.
        """
        name = entry.card.name
        with self._changing():
            live, draft = self._of(self._path, section), self._of(self._draft, section)
            if self._drafting:
                draft[name] = [entry]
                self._store(self._draft, section, draft)
            else:
                live[name] = [*live.get(name, []), entry][-VERSIONS_KEPT:]
                self._store(self._path, section, live)
        return [*live.get(name, []), *draft.get(name, [])]

    def begin_draft(self, purpose: str) -> bool:
        """Open a draft for a purpose, or carry on with the one there is; one for something else is given up.

        Returns:
            Whether there was one to carry on with.

        Raises:
            StorageError: the system refused.
        """
        with self._changing():
            if self._all(self._draft).get("purpose") == purpose:
                return True
            self._replace(self._draft, {"purpose": purpose})
        return False

    def promote(self) -> dict[Section, list[str]]:
        """Make every version of the draft live, all in one stroke, and end the draft.

        Killed in between, it is done or not begun; done again, it changes nothing.

        Returns:
            The names that changed, per section.

        Raises:
            StorageError: the system refused; what was live stays so.
        """
        changed: dict[Section, list[str]] = {"signals": [], "models": []}
        with self._changing():
            document = self._all(self._path)
            for section, names in changed.items():
                live, draft = self._of(self._path, section), self._of(self._draft, section)
                for name, (entry,) in draft.items():
                    before = live.get(name, [])
                    if not before or before[-1] != entry:
                        live[name] = [*before, entry][-VERSIONS_KEPT:]
                        names.append(name)
                document[section] = _plain(live)
            self._replace(self._path, document)
            self.drop_draft()
        return changed

    def drop_draft(self) -> bool:
        """Give the draft up; returns whether there was one. Its data go when the next version is written."""
        there = self._draft.exists()
        with storage_errors(self._draft, "remove the draft"):
            self._draft.unlink(missing_ok=True)
        return there

    def keep_live(self, section: Section, name: str) -> list[Entry]:
        """Give up every version but the live one, so that nothing leads back behind it.

        Returns:
            The versions whose data must be kept: that one, and the draft's if there is one.

        Raises:
            NotReadyError: it has not been built.
        """
        with self._changing():
            live = self.live(section, name)
            entries = self._read(section)
            entries[name] = [live]
            self._write(section, entries)
        return [live, *self._of(self._draft, section).get(name, [])]

    def restore(self, wanted: Mapping[Section, Mapping[str, str]]) -> None:
        """Make named versions live again, all in one stroke; what came after them is given up.

        Args:
            wanted: per section, the version of each name.

        Raises:
            NotFoundError: a version is not kept any more; nothing was changed.
        """
        with self._changing():
            everything: dict[Section, dict[str, list[Entry]]] = {name: self._read(name) for name in wanted}
            for section, versions in wanted.items():
                for name, version in versions.items():
                    kept = everything[section].get(name, [])
                    places = [place for place, entry in enumerate(kept) if entry.card.version == version]
                    if not places:
                        raise NotFoundError(
                            f"{section.removesuffix('s')} {name!r}: version {version!r} is not kept any more "
                            f"({len(kept)} are); build again"
                        )
                    everything[section][name] = kept[: places[-1] + 1]
            document = self._all(self._path)
            document |= {section: _plain(entries) for section, entries in everything.items()}
            self._replace(self._path, document)

    def remove(self, section: Section, name: str) -> None:
        """Give up a name: it is not built any more."""
        with self._changing():
            entries = self._read(section)
            entries.pop(name, None)
            self._write(section, entries)

    def rollback(self, section: Section, name: str) -> SignalCard:
        """Make the version before live again; the one that was live is given up.

        Returns:
            The card that is live now.

        Raises:
            NotReadyError: it has not been built.
            NotFoundError: there is no older version.
        """
        with self._changing():
            live = self.live(section, name)
            entries = self._read(section)
            if len(entries[name]) < 2:
                raise NotFoundError(
                    f"{section.removesuffix('s')} {name!r}: there is no version before {live.card.version!r}; "
                    f"up to {VERSIONS_KEPT} are kept"
                )
            entries[name] = entries[name][:-1]
            self._write(section, entries)
        return entries[name][-1].card

    def impact(self, name: str) -> list[str]:
        """The signals and models made from a name, directly or through others, sorted."""
        return impacted(name, [*self.live_cards("signals"), *self.live_cards("models")])

    @staticmethod
    def _all(path: Path) -> dict[str, Any]:
        with storage_errors(path, "read"):
            if not path.exists():
                return {}
            text = path.read_bytes()
        try:
            return json.loads(text)
        except ValueError as error:
            raise StorageError(
                f"{path}: not readable as JSON ({error}); delete the file and run `bowerbird build`"
            ) from error

    def _of(self, path: Path, section: Section) -> dict[str, list[Entry]]:
        return {
            name: [Entry(_card(entry["card"]), entry["place"]) for entry in entries]
            for name, entries in self._all(path).get(section, {}).items()
        }

    def _read(self, section: Section) -> dict[str, list[Entry]]:
        """The versions of every name, the draft's last for who drafts."""
        entries = self._of(self._path, section)
        if self._drafting:
            for name, versions in self._of(self._draft, section).items():
                entries[name] = [*entries.get(name, []), *versions]
        return entries

    def _write(self, section: Section, entries: dict[str, list[Entry]]) -> None:
        assert not self._drafting, "only publish changes a draft"
        self._store(self._path, section, entries)

    def _store(self, path: Path, section: Section, entries: dict[str, list[Entry]]) -> None:
        self._replace(path, self._all(path) | {section: _plain(entries)})

    @staticmethod
    def _replace(path: Path, document: dict[str, Any]) -> None:
        write_atomically(path, json.dumps(document, indent=1, ensure_ascii=False).encode())

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Read, change and replace as one step, among threads and processes."""
        path = self._path.with_suffix(".lock")
        with storage_errors(path, "open the lock"):
            file = path.open("wb")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def checked_name(name: str) -> str:
    """The name, if it can name a folder on every system.

    Raises:
        InputError: it holds other characters than letters, digits, dot, dash and underscore.

    Example:
        >>> checked_name("image-vectors")
        'image-vectors'
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"signal name {name!r}: expected up to 100 letters, digits, '.', '-' or '_', beginning with a letter or digit"
        )
    return name


def impacted(name: str, cards: list[SignalCard]) -> list[str]:
    """The names that depend on a name through any chain of inputs, sorted."""
    found: set[str] = set()
    reached = {name}
    while reached:
        reached = {card.name for card in cards if reached & set(card.inputs)} - found
        found |= reached
    return sorted(found - {name})


def _plain(entries: dict[str, list[Entry]]) -> dict:
    """Entries as JSON keeps them."""
    return {name: list(map(dataclasses.asdict, versions)) for name, versions in entries.items()}


def _card(values: dict) -> SignalCard:
    space = Space(**values["space"]) if values["space"] is not None else None
    return SignalCard(**{**values, "space": space, "inputs": tuple(values["inputs"])})
