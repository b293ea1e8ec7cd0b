"""Where everything of a workspace lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bowerbird.stores.atomic import storage_errors


@dataclass(frozen=True)
class Layout:
    """The folders and files of one workspace directory. Nothing else spells these names.

    Args:
        root: the workspace directory; it need not exist yet.

    Example:
        >>> Layout(Path("shop")).settings.as_posix()
        'shop/bowerbird.toml'
    """

    root: Path

    @property
    def settings(self) -> Path:
        """The settings file a person edits; its presence makes a directory a workspace."""
        return self.root / "bowerbird.toml"

    @property
    def catalogue(self) -> Path:
        """Items, a Lance dataset."""
        return self.root / "catalogue.lance"

    @property
    def taxonomy(self) -> Path:
        """The tree of categories people keep, with their edits; absent where items' categories are all there is."""
        return self.root / "taxonomy.json"

    @property
    def users(self) -> Path:
        """Users, a Lance dataset."""
        return self.root / "users.lance"

    @property
    def campaigns(self) -> Path:
        """Advertisers' campaigns, a Lance dataset."""
        return self.root / "campaigns.lance"

    @property
    def events(self) -> Path:
        """The event log: a SQLite file, sealed Parquet segments, indexes of known event ids."""
        return self.root / "events"

    @property
    def media(self) -> Path:
        """Pictures by content hash: pack files and their index."""
        return self.root / "media"

    @property
    def signals(self) -> Path:
        """One Lance dataset per signal."""
        return self.root / "signals"

    @property
    def models(self) -> Path:
        """One folder per model, one inside per version."""
        return self.root / "models"

    @property
    def cache(self) -> Path:
        """What can be made again from the rest, at a cost: encoded vectors. Safe to delete."""
        return self.root / "cache"

    @property
    def state(self) -> Path:
        """Small files that say which version of everything is live, and the lock."""
        return self.root / "state"

    @property
    def preferences(self) -> Path:
        """What people said about their own interests, a SQLite file."""
        return self.state / "preferences.sqlite"

    @property
    def reports(self) -> Path:
        """Pages and tables for people: evaluation, rejected rows."""
        return self.root / "reports"

    def create(self) -> None:
        """Make the directory and its folders; those that exist are left alone.

        Raises:
            StorageError: the disk is full, or the place may not be written to.
        """
        folders = (self.events, self.media, self.signals, self.models, self.cache, self.state, self.reports)
        for folder in folders:
            with storage_errors(folder, "make a folder"):
                folder.mkdir(parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Whether the directory is a workspace: it has a settings file."""
        return self.settings.is_file()
