"""Models on the local disk: a folder of files per version, flipped by the registry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bowerbird.errors import StorageError
from bowerbird.records import SignalCard
from bowerbird.stores.atomic import replace_directory, scratch_path, storage_errors, sweep_scratch
from bowerbird.stores.layout import Layout
from bowerbird.stores.registry import Entry, Registry, checked_name


class LocalModels:
    """Trained models of a workspace: weights, graphs and settings as files.

    Args:
        layout: the workspace; its folders exist.
        draft: write versions that are not live until the registry's draft is promoted.
    """

    def __init__(self, layout: Layout, *, draft: bool = False) -> None:
        self._folder = layout.models
        self._registry = Registry(layout, draft=draft)

    @contextmanager
    def writing(self, card: SignalCard) -> Iterator[Path]:
        """A folder to write a model's files into; it becomes live when the block ends without an error.

        A block that fails, or a process that is killed, changes nothing.

        Args:
            card: what the model is; its version names the folder.

        Yields:
            An empty folder.

        Raises:
            StorageError: the system refused; the version before stays live.

        Example:
            >>> import tempfile
            >>> from bowerbird.stores.layout import Layout
            >>> card = SignalCard("ranker", "model", "model", "v1", "example", 1, 1.0, 0)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     layout = Layout(Path(folder))
            ...     layout.create()
            ...     models = LocalModels(layout)
            ...     with models.writing(card) as place:
            ...         _ = (place / "weights.bin").write_bytes(b"42")
            ...     (models.directory("ranker") / "weights.bin").read_bytes()
            b'42'
        """
        parent = self._folder / checked_name(card.name)
        scratch = scratch_path(parent / checked_name(card.version))
        with storage_errors(parent, "write a model"):
            parent.mkdir(parents=True, exist_ok=True)
            sweep_scratch(parent)
            scratch.mkdir()
        try:
            yield scratch
            target = self._free_place(parent, card.version)
            replace_directory(scratch, target)
            kept = self._registry.publish("models", Entry(card, target.name))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._drop(parent, {entry.place for entry in kept})

    def directory(self, name: str) -> Path:
        """The folder of the live version.

        Raises:
            NotReadyError: the model is not built.
            StorageError: the folder is gone.
        """
        path = self._folder / name / self._registry.live("models", name).place
        if not path.is_dir():
            raise StorageError(f"{path}: the folder of model {name!r} is gone; run `bowerbird build {name}`")
        return path

    def card(self, name: str) -> SignalCard | None:
        """The live card of a model; None when it is not built."""
        entries = self._registry.versions("models", name)
        return entries[-1].card if entries else None

    def cards(self) -> list[SignalCard]:
        """The live card of every model, by name."""
        return self._registry.live_cards("models")

    def rollback(self, name: str) -> SignalCard:
        """Switch to the version before; returns its card.

        Raises:
            NotReadyError: the model is not built.
            NotFoundError: there is no older version.
        """
        return self._registry.rollback("models", name)

    def keep_live(self, name: str) -> None:
        """Give up every version but the live one.

        Raises:
            NotReadyError: the model is not built.
        """
        kept = self._registry.keep_live("models", name)
        self._drop(self._folder / name, {entry.place for entry in kept})

    def remove(self, name: str) -> None:
        """Give up a model with all its versions; a build makes it again."""
        self._registry.remove("models", name)
        shutil.rmtree(self._folder / checked_name(name), ignore_errors=True)

    @staticmethod
    def _free_place(parent: Path, version: str) -> Path:
        """A folder name no version uses: a version built twice gets a number, so live files never change."""
        place, number = parent / version, 1
        while place.exists():
            number += 1
            place = parent / f"{version}~{number}"
        return place

    @staticmethod
    def _drop(parent: Path, keep: set[str]) -> None:
        for path in parent.iterdir():
            if path.is_dir() and path.name not in keep and not path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True)
