"""What every test may use: the public data sets, one thread, derandomised hypothesis.

Shapes in signatures are checked while testing: ``--jaxtyping-packages`` in pyproject.toml wraps each
function of the package with jaxtyping and beartype as it is imported.
"""

from __future__ import annotations

import os

for _library in ("OMP", "OPENBLAS", "MKL"):  # before numpy loads: small machines, several workers
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from pathlib import Path  # noqa: E402 - the lines above must run first

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "ci",
    derandomize=True,  # the same examples every run: a red build is red for everybody
    max_examples=40,
    deadline=None,  # timings never assert in tests
    suppress_health_check=[HealthCheck.too_slow],  # the first call compiles or loads a library
)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; tests that need it skip, saying so, when it is absent."""
    folder = Path(os.environ.get("BOWERBIRD_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"PUBLIC DATA ABSENT: no folder {folder}; set BOWERBIRD_DATA to where the data sets are")
    return folder
