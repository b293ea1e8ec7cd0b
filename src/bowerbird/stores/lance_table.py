"""Tables with versions on the local disk: what catalogue and signals have in common.

Which version is live is not Lance's newest but what a pointer file says, so a table is switched, and
switched back, by replacing one small file. A killed writer leaves a version nobody points to.
"""

from __future__ import annotations

from pathlib import Path

import lance  # slow to import (over a second): only stores that need it import this module
import pyarrow as pa

from bowerbird.errors import StorageError
from bowerbird.stores.atomic import storage_error, storage_errors, sync_tree

FILE_VERSION = "2.2"
"""Lance's file format: the first that keeps maps (our ``attributes``)."""


def write_version(path: Path, table: pa.Table) -> int:
    """Write the table as a new version of a dataset, flushed to the disk.

    Args:
        path: the dataset's folder; made when absent.
        table: the whole content of the new version.

    Returns:
        The version's number.

    Raises:
        StorageError: the system refused; the versions before are intact.
    """
    known = (path / "_versions").is_dir()
    began = path.stat().st_mtime_ns if known else -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset = lance.write_dataset(
            table, str(path), mode="overwrite" if known else "create", data_storage_version=FILE_VERSION
        )
    except (OSError, ValueError) as error:  # Lance reports a full disk as either
        raise storage_error(path, "write a version", error, table.nbytes) from error
    with storage_errors(path, "flush"):
        sync_tree(path, newer_than_ns=began)
    return int(dataset.version)


def read_version(path: Path, version: int) -> pa.Table:
    """The whole table of one version.

    Raises:
        StorageError: the version or one of its files is gone or damaged.
    """
    try:
        return lance.dataset(str(path), version=version).to_table()
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path}: version {version} cannot be read: {error}; restore the folder from a copy, "
            "or delete it and run `bowerbird import` and `bowerbird build`"
        ) from error


def drop_versions(path: Path, keep: set[int]) -> int:
    """Delete all versions but those to keep and Lance's newest.

    Returns:
        How many were deleted.
    """
    with storage_errors(path, "delete old versions"):
        dataset = lance.dataset(str(path))
        old = [entry["version"] for entry in dataset.versions()]
        drop = [version for version in old if version not in keep and version != dataset.version]
        if drop:
            dataset.cleanup_old_versions(versions=drop, delete_unverified=True)
    return len(drop)
