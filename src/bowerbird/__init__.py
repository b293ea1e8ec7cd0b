"""Bowerbird: content and user understanding, from pictures and behaviour to ranked, explained answers.

Importing this package is cheap and never imports torch. The one entry point is :func:`open`:

    >>> import bowerbird
    >>> bowerbird.__version__
    '0.1.0'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bowerbird.workspace import Workspace

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(path: str | Path) -> Workspace:
    """Open an existing workspace directory.

    Args:
        path: a directory made by ``bowerbird init`` or ``bowerbird demo``.

    Returns:
        The workspace; its verbs are those of the command line (``build``, ``ask``, ``evaluate``).

    Raises:
        NotFoundError: there is no ``bowerbird.toml`` in the directory.
    """
    from bowerbird.workspace import Workspace  # serving and training code loads only when asked for

    return Workspace.open(path)
