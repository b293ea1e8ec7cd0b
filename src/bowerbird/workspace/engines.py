"""Where encoding runs: on threads of this machine, or on a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from bowerbird.content.encoder import ContentEncoder, load_encoder

__all__ = ["ENGINES", "Engine", "running_encoder"]

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


def running_encoder(name: str, model_dir: Path, threads: int, engine: Engine) -> ContentEncoder[Any]:
    """An encoder for batches of strangers' inputs.

    Args:
        name: a plugin with its choice of a model.
        model_dir: where built graphs are kept.
        threads: workers side by side on this machine.
        engine: ``local`` or ``ray``; the vectors are the same to the byte.

    Raises:
        NotFoundError: no installed package offers the encoder.
        MissingDependencyError: its package, or Ray, is not installed.
    """
    if engine == "ray":
        from bowerbird.content.ray_encoder import RayEncoder

        return RayEncoder(name, model_dir, isolated=True)
    return load_encoder(name, model_dir, threads, isolated=True)
