"""Optional packages: whether one is there, and how to get it where it is needed and is not."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from bowerbird.errors import MissingDependencyError

__all__ = ["installed", "lacks", "needed"]


def installed(package: str) -> bool:
    """Whether a top-level package can be imported; it is not imported.

    Example:
        >>> installed("numpy"), installed("no_such_package")
        (True, False)
    """
    return importlib.util.find_spec(package) is not None


def lacks(package: str, extra: str) -> str | None:
    """Why what needs a package is left out, and how to get it; None where it is installed.

    Example:
        >>> lacks("numpy", "train") is None, lacks("no_such_package", "train")
        (True, 'no_such_package is not installed; install bowerbird[train]')
    """
    return None if installed(package) else f"{package} is not installed; install bowerbird[{extra}]"


def needed(module: str, extra: str, asker: str, instead: str = "") -> Any:
    """A module of an optional package.

    Args:
        module: its name, dotted where it lies in a package.
        extra: of ours, which brings it.
        asker: who needs it and for what; begins the error.
        instead: what can be done without it, e.g. ``set [content] nsfw = "off"``.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        otherwise = f", or {instead}" if instead else ""
        raise MissingDependencyError(
            f"{asker}: the package {module.partition('.')[0]} is not installed; "
            f"pip install 'bowerbird[{extra}]'{otherwise}"
        ) from error
