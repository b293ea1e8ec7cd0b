"""Curves as pictures, drawn without a plotting library: latency at each rate, memory in a soak."""

from __future__ import annotations

import math

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 320, 64, 44
GOAL_MS = 60.0
SHEET = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
)


def curve_svg(found: dict) -> str:
    """An SVG of median and 99th percentile over requests per second, milliseconds on a logarithmic axis.

    Args:
        found: ``most_per_s`` and ``rows`` of measure_serving.py's ``saturation``.
    """
    rows = found["rows"]
    most = found["most_per_s"]
    right = max(row["rate_per_s"] for row in rows) * 1.05
    low, high = 5.0, 10 ** math.ceil(math.log10(max(row["p99_ms"] for row in rows) + 1))

    def x(rate: float) -> float:
        return LEFT + rate / right * (WIDTH - LEFT - 20)

    def y(ms: float) -> float:
        share = math.log(max(ms, low) / low) / math.log(high / low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 20)

    parts = [SHEET]
    for ms in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000):
        if low <= ms <= high:
            parts.append(f'<path d="M{LEFT} {y(ms):.1f}H{WIDTH - 20}" stroke="#ddd"/>')
            parts.append(
                f'<text x="{LEFT - 6}" y="{y(ms) + 4:.1f}" text-anchor="end" fill="#555">{ms} ms</text>'
            )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        rate = most * share
        label = f"{rate:.0f}"
        parts.append(
            f'<text x="{x(rate):.1f}" y="{HEIGHT - 24}" text-anchor="middle" fill="#555">{label}</text>'
        )
    parts.append(
        f'<path d="M{x(most):.1f} 20V{HEIGHT - BOTTOM}" stroke="#999" stroke-dasharray="4 4"/>'
        f'<text x="{x(most) - 5:.1f}" y="32" text-anchor="end" fill="#555">full at {most:.0f}/s</text>'
        f'<path d="M{LEFT} {y(GOAL_MS):.1f}H{WIDTH - 20}" stroke="#c60" stroke-dasharray="2 4"/>'
        f'<text x="{LEFT + 5}" y="{y(GOAL_MS) - 5:.1f}" fill="#c60">goal at half of that: {GOAL_MS:.0f} ms</text>'
        f'<text x="{LEFT}" y="13" fill="#555">latency</text>'
    )
    for name, colour in (("p50_ms", "#1f77b4"), ("p99_ms", "#d62728")):
        points = " ".join(f"{x(row['rate_per_s']):.1f},{y(row[name]):.1f}" for row in rows)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        last = rows[-1]
        parts.append(
            f'<text x="{x(last["rate_per_s"]) + 6:.1f}" y="{y(last[name]) + 4:.1f}" '
            f'fill="{colour}">{name.removesuffix("_ms")}</text>'
        )
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">requests per second</text></svg>'
    )
    return "\n".join(parts) + "\n"


def memory_svg(samples: list[dict], disturbed: dict[str, float]) -> str:
    """An SVG of the memory of all workers over a soak, from zero.

    Args:
        samples: ``second`` and ``together`` (MB) of each look.
        disturbed: what was done, and at which second.
    """
    right = max(sample["second"] for sample in samples)
    high = max(sample["together"] for sample in samples) * 1.25

    def x(second: float) -> float:
        return LEFT + second / right * (WIDTH - LEFT - 20)

    def y(mb: float) -> float:
        return HEIGHT - BOTTOM - mb / high * (HEIGHT - BOTTOM - 20)

    parts = [SHEET]
    parts += [
        f'<path d="M{LEFT} {y(mb):.1f}H{WIDTH - 20}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y(mb) + 4:.1f}" text-anchor="end" fill="#555">{mb:,} MB</text>'
        for mb in range(0, int(high), 250)
    ]
    parts += [
        f'<text x="{x(minute * 60):.1f}" y="{HEIGHT - 24}" text-anchor="middle" fill="#555">{minute}</text>'
        for minute in range(0, int(right / 60) + 1, 5)
    ]
    parts += [
        f'<path d="M{x(second):.1f} 20V{HEIGHT - BOTTOM}" stroke="#c60" stroke-dasharray="2 4"/>'
        f'<text x="{x(second) + 4:.1f}" y="30" fill="#c60">{what}</text>'
        for what, second in disturbed.items()
    ]
    points = " ".join(f"{x(sample['second']):.1f},{y(sample['together']):.1f}" for sample in samples)
    parts.append(
        f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="2"/>'
        f'<text x="{LEFT}" y="13" fill="#555">memory of both workers, each page counted once</text>'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">minutes</text></svg>'
    )
    return "\n".join(parts) + "\n"
