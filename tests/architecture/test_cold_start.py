"""``import bowerbird`` and ``bowerbird --help`` load nothing heavy: checked by what is imported, not by time."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bowerbird

HEAVY = {
    "torch",
    "numpy",
    "scipy",
    "pyarrow",
    "lance",
    "onnx",
    "onnxruntime",
    "faiss",
    "lightgbm",
    "implicit",
    "bm25s",
    "tokenizers",
    "PIL",
    "fastapi",
    "uvicorn",
    "pandas",
    "polars",
    "sklearn",
}


def loaded_after(code: str) -> set[str]:
    """Top-level packages in ``sys.modules`` of a fresh interpreter after running the code."""
    report = "\nimport sys; print('LOADED', *{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("LOADED")[2].split())


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import bowerbird") & HEAVY == set()


@pytest.mark.parametrize("arguments", ["--help", "ask --help", "bench --help", "version"])
def test_the_help_of_the_command_line_loads_nothing_heavy(arguments):
    pytest.importorskip("bowerbird.cli", reason="the command line does not exist yet")
    code = f"""
import sys
sys.argv = ["bowerbird", *{arguments.split()!r}]
from bowerbird.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert loaded_after(code) & HEAVY == set()


def test_the_check_sees_a_heavy_import():
    assert "numpy" in loaded_after("import bowerbird.arrays") & HEAVY


def test_the_root_exports_at_most_20_names():
    assert len(bowerbird.__all__) <= 20
    assert [name for name in bowerbird.__all__ if not hasattr(bowerbird, name)] == []
