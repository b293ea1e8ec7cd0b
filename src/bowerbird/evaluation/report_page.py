"""The evaluation as one page: self-contained, its charts drawn from the numbers it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from bowerbird.clock import format_time
from bowerbird.evaluation.outcome import Estimate, Evaluation, Measure

WIDTH, ROW, LABEL, VALUE = 860, 22, 120, 180
"""Chart geometry in pixels: whole width, height of a row, room for names on the left and numbers on the right."""


def report_page(evaluation: Evaluation) -> str:
    """The page as HTML. No scripts, nothing from elsewhere: it can be mailed."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, time=format_time, seconds=_seconds)
    environment.globals.update(chart=chart)
    template = files("bowerbird.evaluation").joinpath("report_page.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(evaluation=evaluation)


def number(estimate: Estimate | None) -> str:
    """A value with its interval, as text.

    Example:
        >>> number(Estimate(0.1234, 0.1, 0.15))
        '0.123 [0.100, 0.150]'
        >>> number(Estimate(0.5))
        '0.500'
    """
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


@dataclass(frozen=True)
class Bar:
    """One row of a chart, in pixels."""

    name: str
    text: str
    ours: bool
    y: int
    x: float
    width: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Chart:
    """A bar per model with its interval as a whisker; bars start at zero."""

    bars: tuple[Bar, ...]
    zero: float
    width: int
    height: int


def chart(measure: Measure) -> Chart:
    """The chart of one measure: ours first, then the baselines.

    Example:
        >>> drawn = chart(Measure("recall@25", 10, Estimate(0.5, 0.4, 0.6), {"popularity": Estimate(0.25, 0.2, 0.3)}))
        >>> drawn.bars[0].width == 2 * drawn.bars[1].width
        True
    """
    rows: Sequence[tuple[str, Estimate]] = [("ours", measure.ours), *measure.others.items()]
    ends = [value for _, one in rows for value in (one.value, one.low, one.high) if value is not None]
    least, most = min(0.0, *ends), max(0.0, *ends)
    scale = (WIDTH - LABEL - VALUE) / ((most - least) or 1.0)

    def x(value: float) -> float:
        return LABEL + (value - least) * scale

    bars = []
    for place, (name, one) in enumerate(rows):
        left, right = sorted((x(0.0), x(one.value)))
        low = x(one.low) if one.low is not None else None
        high = x(one.high) if one.high is not None else None
        bars.append(Bar(name, number(one), name == "ours", place * ROW, left, right - left, low, high))
    return Chart(tuple(bars), x(0.0), WIDTH, len(bars) * ROW)


__all__ = ["chart", "number", "report_page"]
