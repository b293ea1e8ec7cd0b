"""What this processor is fast at."""

from __future__ import annotations

import platform
from pathlib import Path


def int8_is_fast(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bytes faster than floats: VNNI on x86, dot products on ARM.

    Without them onnxruntime's int8 is hardly faster than float, and sums of products may saturate.

    Args:
        cpuinfo: where Linux lists what the processor can do.
    """
    if platform.machine() in ("arm64", "aarch64"):
        return True  # every 64-bit ARM that runs these packages has had them since 2018
    try:
        flags = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags
