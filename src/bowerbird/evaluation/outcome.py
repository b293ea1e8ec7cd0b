"""What an evaluation says: numbers with intervals, ours beside the baselines on the same requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from pydantic import TypeAdapter, ValidationError

from bowerbird.errors import StorageError
from bowerbird.metrics.uncertainty import bootstrap_interval, paired_bootstrap


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    @staticmethod
    def of(values: Float64[np.ndarray, "case"], seed: int) -> Estimate:
        """The mean of one value per person, with a bootstrap interval over people.

        Example:
            >>> Estimate.of(np.array([0.0, 1.0]), seed=7).value
            0.5
        """
        interval = bootstrap_interval(values, seed)
        return Estimate(interval.estimate, interval.low, interval.high)

    @staticmethod
    def of_difference(
        ours: Float64[np.ndarray, "case"], theirs: Float64[np.ndarray, "case"], seed: int
    ) -> Estimate:
        """The mean of ours minus theirs over the same people: their own luck cancels."""
        interval = paired_bootstrap(ours, theirs, seed)
        return Estimate(interval.estimate, interval.low, interval.high)

    def apart_from(self, other: Estimate) -> bool:
        """True when the two intervals share no value.

        Example:
            >>> Estimate(0.5, 0.4, 0.6).apart_from(Estimate(0.2, 0.1, 0.3))
            True
        """
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return False
        return self.low > other.high or self.high < other.low


@dataclass(frozen=True)
class Measure:
    """One metric of one question, by us and by the baselines, on the same people."""

    metric: str
    n: int
    """People (or predictions, or pairs) it is measured on."""
    ours: Estimate
    others: dict[str, Estimate]
    """Baselines by name."""
    baseline: str = ""
    """The baseline the difference is taken to; empty when there is none."""
    difference: Estimate | None = None
    """Ours minus the baseline, paired."""
    group: str = "everybody"
    """The cohort."""
    about: str = ""
    """What exactly was counted."""


@dataclass(frozen=True)
class Latency:
    """How long answers took, one after the other, inside this process."""

    requests: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """CPU-milliseconds per request, mean."""


@dataclass(frozen=True)
class SurfaceOutcome:
    """One surface: the question asked of it, the numbers, or why there are none."""

    surface: str
    question: str
    measures: tuple[Measure, ...] = ()
    cohorts: tuple[Measure, ...] = ()
    latency: Latency | None = None
    missing: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignalLine:
    """A signal as a report lists it."""

    name: str
    kind: str
    rows: int
    coverage: float
    seconds: float | None
    """Wall seconds its last build took; None when it was not recorded."""
    note: str


@dataclass(frozen=True)
class Evaluation:
    """Everything one evaluation found. Written as JSON, shown as a page, printed as a table."""

    fingerprint: str
    """Of everything it depends on; equal fingerprints mean equal numbers."""
    workspace: str
    simulated: bool
    credit: str
    items: int
    people: int
    events: int
    split_at: int
    """Where the test begins: models learnt from events before it; microseconds UTC."""
    until: int
    protocol: str
    signals: tuple[SignalLine, ...]
    surfaces: tuple[SurfaceOutcome, ...]
    truth: tuple[Measure, ...]
    """Against what was planted; empty for real people."""
    notes: tuple[str, ...]
    seconds: float

    def to_json(self) -> str:
        """The evaluation as JSON."""
        return _ADAPTER.dump_json(self, indent=1).decode()

    @staticmethod
    def from_json(text: str | bytes) -> Evaluation:
        """The evaluation a file holds.

        Raises:
            StorageError: it is damaged or of another version.
        """
        try:
            return _ADAPTER.validate_json(text)
        except ValidationError as error:
            raise StorageError(
                f"evaluation.json: not an evaluation of this version ({error.error_count()} fields differ); "
                "delete it and run `bowerbird evaluate`"
            ) from error


_ADAPTER: TypeAdapter[Any] = TypeAdapter(Evaluation)
