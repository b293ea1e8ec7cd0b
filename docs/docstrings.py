"""Griffe extension: our docstrings are written for ``help()`` first; this turns them into good Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|mod|data|meth|attr|exc):`~?([^`]+)`")


class PlainDocstrings(griffe.Extension):
    """Sphinx roles become code, ``Example:`` the section griffe knows, a ``::`` line goes."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute it has read."""
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """The docstring with its Sphinx-isms replaced."""
    text = ROLE.sub(r"`\1`", text)
    text = re.sub(r"^(\s*)Example:[ \t]*$", r"\1Examples:", text, flags=re.MULTILINE)
    return re.sub(r"(?m)^[ \t]*::[ \t]*$\n|(?<=:):[ \t]*$", "", text)
