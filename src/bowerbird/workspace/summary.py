"""The summary a person reads at the end of a demo: plain rows, made from an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from bowerbird.evaluation.outcome import Estimate, Evaluation, Measure, SurfaceOutcome


@dataclass(frozen=True)
class SurfaceRow:
    """One surface in the summary."""

    surface: str
    metric: str
    ours: str
    baseline: str
    difference: str
    latency: str
    note: str = ""


@dataclass(frozen=True)
class TruthRow:
    """One number against the truth."""

    what: str
    n: str
    ours: str
    popularity: str
    random: str


def surface_rows(evaluation: Evaluation) -> list[SurfaceRow]:
    """Each surface with its first metric, or why it has none."""
    return [_surface_row(one) for one in evaluation.surfaces]


def _surface_row(outcome: SurfaceOutcome) -> SurfaceRow:
    latency = outcome.latency
    times = f"{latency.p50_ms:.0f} / {latency.p99_ms:.0f} ms" if latency is not None else ""
    if outcome.surface == "growth" and latency is not None:
        times = f"{latency.p50_ms / 1000:.1f} s a plan"
    if not outcome.measures:
        return SurfaceRow(outcome.surface, "", "", "", "", times, f"not measured: {outcome.missing}")
    first = outcome.measures[0]
    name, other = next(iter(first.others.items()))
    difference = brief(first.difference, signed=True)
    return SurfaceRow(
        outcome.surface,
        first.metric,
        brief(first.ours),
        f"{name} {brief(Estimate(other.value))}",
        difference,
        times,
    )


def truth_rows(evaluation: Evaluation) -> list[TruthRow]:
    """Each number against the truth."""
    return [_truth_row(one) for one in evaluation.truth]


def _truth_row(measure: Measure) -> TruthRow:
    popularity, random = (brief(measure.others.get(name)) for name in ("popularity", "random"))
    return TruthRow(measure.metric, f"{measure.n:,}", brief(measure.ours), popularity, random)


def brief(estimate: Estimate | None, *, signed: bool = False) -> str:
    """A value and half the width of its 95 % interval, in few characters.

    Example:
        >>> brief(Estimate(0.1234, 0.1, 0.15)), brief(Estimate(0.5), signed=True)
        ('.123 ±.025', '+.500')
    """
    if estimate is None:
        return ""
    value = _short(estimate.value, signed=signed)
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ±{_short((estimate.high - estimate.low) / 2, signed=False)}"


def _short(value: float, *, signed: bool) -> str:
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


__all__ = ["SurfaceRow", "TruthRow", "brief", "surface_rows", "truth_rows"]
