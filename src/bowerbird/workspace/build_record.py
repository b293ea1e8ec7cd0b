"""How long each step of the live build took: a report beside the registry, for summaries."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bowerbird.evaluation.outcome import SignalLine
from bowerbird.records.signal import SignalCard
from bowerbird.stores.atomic import write_atomically
from bowerbird.stores.layout import Layout
from bowerbird.workspace.plan import StepResult

FILE = "build.json"


def record_build(layout: Layout, results: Sequence[StepResult]) -> None:
    """Keep the seconds of the steps that were built; those of unchanged steps stay as they are."""
    built = {
        one.name: {"version": one.card.version, "seconds": round(one.seconds, 3)}
        for one in results
        if one.outcome == "built" and one.card is not None
    }
    if built:
        document = {**_recorded(layout), **built}
        write_atomically(layout.reports / FILE, json.dumps(document, indent=1).encode())


def recorded_seconds(layout: Layout) -> dict[str, float]:
    """What each step took when it was last built, by name."""
    return {name: one["seconds"] for name, one in _recorded(layout).items()}


def signal_lines(layout: Layout, cards: Sequence[SignalCard]) -> tuple[SignalLine, ...]:
    """The live signals and models with what their build took; a step's second product has no time of its own."""
    recorded = _recorded(layout)
    lines = []
    for card in cards:
        known = recorded.get(card.name)
        seconds = known["seconds"] if known is not None and known["version"] == card.version else None
        lines.append(SignalLine(card.name, card.kind, card.rows, card.coverage, seconds, card.note))
    return tuple(lines)


def _recorded(layout: Layout) -> dict:
    path = layout.reports / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
