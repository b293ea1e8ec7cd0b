"""Getting torch and a hub's library ready, and a model from a name or a folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from bowerbird.errors import InputError, MissingDependencyError

__all__ = ["library", "loaded"]

T = TypeVar("T")
_INSTALL = "pip install 'bowerbird[hf]'"


@cache
def _torchvision_operators() -> Any:
    """Declare the operators a torchvision built for another torch lacks, so that its import goes through.

    A CUDA build of torchvision beside a CPU build of torch fails on import with "operator
    torchvision::nms does not exist", and takes timm, open_clip and transformers with it. Declaring the
    operators, never called by an encoder, is enough. The declaration lives as long as the returned object.
    """
    torch = importlib.import_module("torch")
    try:
        importlib.import_module("torchvision")
    except ImportError:
        return None
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return None
    operators = torch.library.Library("torchvision", "FRAGMENT")
    boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for name in ("nms", "qnms"):
        operators.define(name + boxes)
    return operators


def library(name: str) -> Any:
    """A library of the hubs, imported on top of a torch that is ready for it.

    Raises:
        MissingDependencyError: it, or torch, is not installed.
    """
    try:
        _torchvision_operators()
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(f"encoder: {name} is not usable ({error}); run `{_INSTALL}`") from error


def loaded(plugin: str, choice: str, load: Callable[[], T]) -> T:
    """What a library makes of a model's name or folder.

    Args:
        plugin: the plugin's name.
        choice: the model's name or a folder.
        load: calls the library.

    Raises:
        InputError: no model was chosen, or the library cannot load it.
    """
    if not choice:
        raise InputError(f"encoder {plugin!r}: names no model; write '{plugin}:MODEL' or '{plugin}:FOLDER'")
    try:
        return load()
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        where = (
            "the folder holds no such model" if Path(choice).is_dir() else "unknown, or no hub can be reached"
        )
        raise InputError(
            f"encoder '{plugin}:{choice}': {where} ({type(error).__name__}: {reason}); "
            "give a model's usual name, or a folder it was saved to"
        ) from error
