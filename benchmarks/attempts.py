"""What was tried for the goals about people that are not reached: tables of docs/numbers-users.md and a picture.

``benchmarks/attempts.toml`` holds the facts; ``measure_users.py`` writes both whenever it writes the page.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from html import escape
from itertools import accumulate, count
from pathlib import Path
from typing import Any

from bench_page import ROOT

FACTS = ROOT / "benchmarks" / "attempts.toml"
PICTURE = ROOT / "docs" / "numbers-users.svg"
BEGIN, END = "<!-- attempts: begin (benchmarks/attempts.toml) -->", "<!-- attempts: end -->"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 200, 44, 14, 34, 22


@dataclass(frozen=True)
class Goal:
    """One goal and what was tried for it, in order."""

    name: str
    metric: str
    goal: float
    about: str
    attempts: list[dict[str, Any]]

    @property
    def values(self) -> list[float]:
        """What is drawn: the attempts with a comparable value."""
        return [one["value"] for one in self.attempts if "value" in one]


def write_attempts(page: Path) -> None:
    """Put the tables between the page's markers, and the picture beside the page."""
    goals = [Goal(**one) for one in tomllib.loads(FACTS.read_text(encoding="utf-8"))["goal"]]
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n\n".join(_table(goal) for goal in goals)
    page.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")
    PICTURE.write_text(_picture(goals), encoding="utf-8")


def _table(goal: Goal) -> str:
    numbers = count(1)  # as in the picture, which leaves out what cannot be compared
    rows = [
        f"| {next(numbers) if 'value' in one else ''} | {one['date']} | {one['tried']} | {one['found']} |"
        for one in goal.attempts
    ]
    head = ["| | date | tried | found |", "|---|---|---|---|"]
    return "\n".join([f"### {goal.name}", "", goal.about, "", *head, *rows])


def _picture(goals: list[Goal]) -> str:
    """The attempts of each goal as dots, the best so far as a line, the goal dashed."""
    rows = -(-len(goals) // 2)
    box = f"0 0 {2 * WIDTH} {rows * HEIGHT}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" font-family="sans-serif" font-size="11">',
        f'<rect width="{2 * WIDTH}" height="{rows * HEIGHT}" fill="#fff"/>',
    ]
    for place, goal in enumerate(goals):
        parts.append(f'<g transform="translate({place % 2 * WIDTH} {place // 2 * HEIGHT})">')
        parts += [*_panel(goal), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(goal: Goal) -> list[str]:
    values = goal.values
    low, high = min([*values, goal.goal]), max([*values, goal.goal])
    low, high = low - 0.08 * (high - low), high + 0.08 * (high - low)

    def x(place: int) -> float:
        return LEFT + 8 + place / max(1, len(values) - 1) * (WIDTH - LEFT - RIGHT - 16)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    line = f"M{x(0):.1f} {y(values[0]):.1f}"
    for place, best in enumerate(accumulate(values, max)):
        line += f"H{x(place):.1f}V{y(best):.1f}"
    marks = ((goal.goal, "#c60"), (max(values), "#1f77b4"), (min(values), "#555"))
    return [
        f'<text x="{LEFT}" y="14" font-weight="bold">{escape(goal.name)}</text>',
        f'<text x="{LEFT}" y="27" fill="#555">{escape(goal.metric)} by attempt</text>',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>',
        f'<path d="M{LEFT} {y(goal.goal):.1f}H{WIDTH - RIGHT}" stroke="#c60" stroke-dasharray="4 3"/>',
        *(
            f'<text x="{LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end" fill="{colour}">{value:g}</text>'
            for value, colour in marks
        ),
        *(
            f'<circle cx="{x(place):.1f}" cy="{y(value):.1f}" r="3" fill="#999"/>'
            for place, value in enumerate(values)
        ),
        f'<path d="{line}" fill="none" stroke="#1f77b4" stroke-width="2"/>',
        *(
            f'<text x="{x(place):.1f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#555">{place + 1}</text>'
            for place in range(len(values))
        ),
    ]
