"""Tensors with facts about them in one safetensors file, the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

__all__ = ["write_tensors"]

_LENGTH = 8
"""Bytes of the header's length at the start of a file."""


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> None:
    """Write a safetensors file whose header is sorted; the package writes facts in an order drawn anew each time.

    Args:
        path: the file.
        tensors: arrays by name.
        facts: texts by name, read as the file's metadata.

    Raises:
        OSError: it cannot be written.

    Source: the format's description, huggingface/safetensors: the length of the header (little-endian, 8 bytes), the
    header (JSON, padded with spaces to a multiple of 8), the bytes of the tensors, offsets counted from their start.
    """
    written = save({name: np.ascontiguousarray(values) for name, values in tensors.items()}, dict(facts))
    end = _LENGTH + int.from_bytes(written[:_LENGTH], "little")
    header = json.dumps(json.loads(written[_LENGTH:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(_LENGTH, "little") + header)
        file.write(memoryview(written)[end:])
