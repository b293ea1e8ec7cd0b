"""The page: everything of the evaluation, nothing from elsewhere, charts true to their numbers."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from tests.unit.evaluation.test_outcome import evaluation

from bowerbird.evaluation.outcome import Estimate, Measure
from bowerbird.evaluation.report_page import chart, number, report_page


class Links(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]
        assert tag not in ("script", "link", "iframe")


def test_the_page_loads_nothing() -> None:
    links = Links()
    links.feed(report_page(evaluation()))
    assert links.found == []


def test_the_page_says_simulated_and_why_something_is_missing_and_whose_the_pictures_are() -> None:
    page = report_page(evaluation())
    assert "Simulated people" in page
    assert "Not measured: no item is an ad" in page
    assert "Pictures: &lt;somebody&gt;" in page  # escaped
    assert "a note" in page


def test_bars_are_as_long_as_their_values_and_whiskers_stand_at_the_interval() -> None:
    ours, theirs = Estimate(0.4, 0.2, 0.6), Estimate(0.2, 0.1, 0.3)
    drawn = chart(Measure("recall", 5, ours, {"popularity": theirs}))
    assert drawn.bars[0].width == pytest.approx(2 * drawn.bars[1].width)
    assert drawn.bars[0].low == pytest.approx(drawn.zero + drawn.bars[0].width * 0.5)
    assert drawn.bars[0].high == pytest.approx(drawn.zero + drawn.bars[0].width * 1.5)


def test_a_value_below_zero_is_drawn_to_the_left() -> None:
    drawn = chart(Measure("lift", 5, Estimate(-0.5, -1.0, 0.5), {}))
    assert drawn.bars[0].x + drawn.bars[0].width == pytest.approx(drawn.zero)


def test_a_chart_of_zeros_is_drawn() -> None:
    assert chart(Measure("recall", 5, Estimate(0.0), {})).bars[0].width == 0.0


def test_no_estimate_is_no_text() -> None:
    assert number(None) == ""
