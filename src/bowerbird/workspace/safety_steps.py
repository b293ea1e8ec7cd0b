"""Build steps that judge items: what looks like spam or unsafe, and what the policy lets each surface show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from bowerbird.content.eligibility import Eligibility, decided
from bowerbird.content.nsfw import NSFW_SPACE, NsfwScorer, nsfw_installed
from bowerbird.content.picture_measures import MEASURES, SIDE_PX
from bowerbird.content.spam import spam_verdict
from bowerbird.records.signal import SignalCard
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.workspace.content_steps import item_words, lacks_pictures
from bowerbird.workspace.plan import Step
from bowerbird.workspace.quality_steps import in_parts, lacks_reading, picture_texts, pixels_of, readable
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["safety_steps"]

_NSFW_BATCH = 8


def safety_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """Steps after everything was measured."""
    nsfw = f"{settings.content.nsfw}/{NSFW_SPACE.key if nsfw_installed() else 'absent'}"
    policy = "|".join(f"{name}={rule.fingerprint()}" for name, rule in settings.policy.items())
    policy += "|" + ",".join(settings.surfaces)
    return [
        Step("safety", ("catalogue", "image_vector", "picture_text"), 1, nsfw, make_safety, lacks_items),
        Step(
            "eligibility",
            ("picture_quality", "picture_text", "safety"),
            1,
            policy,
            make_eligibility,
            lacks_items,
        ),
    ]


def lacks_items(bench: Workbench) -> str | None:
    """Why there is nothing to judge; None when there is."""
    return None if len(bench.items) else "the catalogue is empty"


def make_safety(bench: Workbench, version: str) -> SignalCard:
    """Score words as spam and pictures as unsafe; what is not scored is said in the card's note."""
    ids = bench.items.vocabulary.ids
    words = zip(item_words(bench), picture_texts(bench), strict=True)
    spam = [spam_verdict(" ".join(part for part in parts if part)) for parts in words]
    unsafe, note = _nsfw(bench)
    lines: list[tuple[str, str, float, str | None]] = []
    for item, verdict, risk in zip(ids, spam, unsafe.tolist(), strict=True):
        lines.append((item, "spam", verdict.score, ", ".join(verdict.reasons) or None))
        if not np.isnan(risk):
            lines.append((item, "nsfw", round(risk, 4), None))
    items, names, scores, reasons = list(zip(*lines, strict=True)) or [()] * 4
    card = bench.card(
        "safety",
        ("item", "scalar"),
        version,
        "spam by its marks" + ("" if np.isnan(unsafe).all() else ", " + NSFW_SPACE.version),
        counted=(len(ids), len(ids)),
        inputs=("catalogue", "image_vector", "picture_text"),
        note=f"{sum(one.score > 0.6 for one in spam):,} texts look like spam; {note}",
    )
    table = pa.table(
        {
            "item_id": pa.array(items, pa.string()),
            "name": pa.array(names, pa.string()),
            "value": pa.array(scores, pa.float32()),
            "because": pa.array(reasons, pa.string()),
        }
    )
    bench.signals.put_table(card, table)
    return card


def make_eligibility(bench: Workbench, version: str) -> SignalCard:
    """What the policy lets each surface show."""
    settings, ids = bench.settings, bench.items.vocabulary.ids
    facts = _facts(bench)
    found = decided(settings.policy, facts, list(settings.surfaces), len(ids))
    blind = sorted(
        name
        for name, rule in settings.policy.items()
        if rule.action != "allow" and any(np.isnan(facts[one]).all() for one in rule.asks())
    )
    note = "; ".join(_eligibility_notes(found)) or "everything allowed everywhere"
    if blind:
        note += f"; rules without what they ask about, which decide nothing: {', '.join(blind)}"
    card = bench.card(
        "eligibility",
        ("item", "label"),
        version,
        f"{len(settings.policy)} rules of [policy]",
        counted=(len(ids), len(ids)),
        inputs=("picture_quality", "picture_text", "safety"),
        note=note,
    )
    bench.signals.put_table(card, found.to_table(ids))
    return card


def _facts(bench: Workbench) -> dict[str, Float32[np.ndarray, "item"]]:
    """Everything rules may ask about, NaN where it was not measured."""
    facts = {name: np.full(len(bench.items), np.nan, dtype=np.float32) for name in (*MEASURES, "text_share")}
    row_of = bench.items.vocabulary
    if lacks_pictures(bench) is None and bench.has("picture_quality"):
        table = bench.signals.table("picture_quality")
        rows = row_of.rows(table.column("item_id").to_pylist())
        for name in MEASURES:
            facts[name][rows] = table.column(name).to_numpy()
    if lacks_reading(bench) is None and bench.has("picture_text"):
        table = bench.signals.table("picture_text")
        facts["text_share"][~np.isnan(facts["width"])] = 0.0  # read, and nothing found
        rows = row_of.rows(table.column("item_id").to_pylist())
        facts["text_share"][rows] = table.column("text_share").to_numpy()
    facts["shorter_side"] = np.minimum(facts["width"], facts["height"])
    table = bench.signals.table("safety")
    kinds = np.array(table.column("name").to_pylist(), dtype=str)
    rows, values = row_of.rows(table.column("item_id").to_pylist()), table.column("value").to_numpy()
    for name in ("spam", "nsfw"):
        facts[name] = np.full(len(bench.items), np.nan, dtype=np.float32)
        facts[name][rows[kinds == name]] = values[kinds == name]
    return facts


def _eligibility_notes(found: Eligibility) -> Iterator[str]:
    for surface, decision in found.decisions.items():
        limited, dropped = int((decision == 1).sum()), int((decision == 2).sum())
        if limited or dropped:
            yield f"{surface} drops {dropped:,} and limits {limited:,}"


def _nsfw(bench: Workbench) -> tuple[Float32[np.ndarray, "item"], str]:
    """The score of each item's picture, NaN where there is none, and what to say of it."""
    chosen, none = bench.settings.content.nsfw, np.full(len(bench.items), np.nan, dtype=np.float32)
    if chosen == "off":
        return none, 'pictures not judged: [content] nsfw = "off"'
    if chosen == "auto" and not nsfw_installed():
        return none, "pictures NOT JUDGED, unsafe ones are shown: pip install 'bowerbird[safety]'"
    names = readable(bench)
    cache = VectorCache(bench.layout, NSFW_SPACE)
    missing = cache.missing([name for name in names if name])
    if missing or chosen == "on":
        scorer = NsfwScorer()

        def score(part: list[str]) -> dict[str, float]:
            pixels = [pixels_of(bench, name, SIDE_PX) for name in part]
            return dict(zip(part, scorer.scores(pixels).tolist(), strict=True))

        def keep(scores: dict[str, float]) -> None:
            cache.append(list(scores), np.array([*scores.values()], dtype=np.float32)[:, None])

        in_parts(bench, "judge pictures", missing, _NSFW_BATCH, score, keep)
    kept = cache.get(names)
    scores = np.where(kept.present, kept.matrix[:, 0], np.float32(np.nan))
    return scores, f"{int((scores > 0.8).sum()):,} pictures look unsafe, {len(missing):,} judged anew"
