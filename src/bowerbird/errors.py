"""Every error Bowerbird raises on purpose.

::

    BowerbirdError
    +-- InputError            (ValueError)    data from outside is wrong: a file, a row, an argument
    |   +-- TooLargeError                     it would not fit into memory, said before the start
    +-- SettingsError         (ValueError)    bowerbird.toml or --set is wrong
    +-- NotFoundError         (LookupError)   an unknown user, item, surface, signal, file
    +-- SpaceMismatchError    (TypeError)     vectors of two spaces were about to meet
    +-- NotReadyError         (RuntimeError)  something must be built first
    +-- BusyError             (RuntimeError)  another process holds the workspace
    +-- StorageError          (OSError)       the disk is full, a table is damaged
    +-- MissingDependencyError (ImportError)  an optional package is not installed

A message says where, what was found, what was expected and what to do, with names and numbers.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BowerbirdError(Exception):
    """Root of the tree: catch this to catch everything Bowerbird raises on purpose."""


class InputError(BowerbirdError, ValueError):
    """Data from outside is wrong: a file, a row, a command-line argument."""


class TooLargeError(InputError):
    """Work would not fit into memory; the message names the setting to lower."""


class SettingsError(BowerbirdError, ValueError):
    """A setting is unknown, of the wrong type or out of its range."""


class NotFoundError(BowerbirdError, LookupError):
    """Something asked for by name does not exist."""


class SpaceMismatchError(BowerbirdError, TypeError):
    """Vectors of two different spaces were about to meet."""


class NotReadyError(BowerbirdError, RuntimeError):
    """An answer needs something that has not been built yet."""


class BusyError(BowerbirdError, RuntimeError):
    """Another process holds the lock on the workspace."""


class StorageError(BowerbirdError, OSError):
    """Reading or writing the workspace failed: disk full, damaged table, no permission."""


class MissingDependencyError(BowerbirdError, ImportError):
    """An optional package is needed and is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the closest known one, else the list of known ones.

    Example:
        >>> did_you_mean("homefed", ["homefeed", "search"])
        "did you mean 'homefeed'?"
        >>> did_you_mean("zzz", ["a", "b"])
        'known: a, b'
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(names)
