"""The build step of declared audiences: who is in each, and what put them there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from bowerbird.datasets.columns import texts
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError, NotFoundError
from bowerbird.records.signal import SignalCard
from bowerbird.users.audiences import AudienceSettings
from bowerbird.workspace.audiences import VECTORS, found_audience
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["audience_steps", "loaded_audiences", "make_audiences", "people_listed"]

SEED_SCORE = 1.0
"""What is said of a person who is in an audience by name, interest or state alone; of others, their log odds."""
AUDIENCES = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("audience", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("because", pa.string()),
    ]
)


def audience_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The step that makes every declared audience; none where none is declared."""
    if not settings.audiences:
        return []
    reads = ("events", "audience lists", *VECTORS, "user_interests", "user_state")
    stated = hashlib.blake2b(digest_size=8)
    for name, one in sorted(settings.audiences.items()):
        stated.update(f"{name} {one.fingerprint()} {settings.seed} ".encode())
    return [Step("user_audiences", reads, 2, stated.hexdigest(), make_audiences)]


def make_audiences(bench: Workbench, version: str) -> SignalCard:
    """Everybody who meets all that is said of each audience."""
    columns: dict[str, list] = {name: [] for name in AUDIENCES.names}
    sizes = []
    for name, declared in sorted(bench.settings.audiences.items()):
        found, lacking = _members(bench, name, declared)
        members: dict[str | None, tuple[float, str]] = {**found}
        sizes.append(f"{name} {len(members):,}" + (f" ({lacking})" if lacking else ""))
        members[None] = (0.0, "made")  # so that an audience of nobody is told from one that was not made
        for user_id, (score, because) in members.items():
            for column, value in zip(columns.values(), (user_id, name, score, because), strict=True):
                column.append(value)
    card = bench.card(
        "user_audiences",
        ("user", "group"),
        version,
        "declared audiences",
        counted=(len(set(columns["user_id"]) - {None}), len(bench.people)),
        inputs=("events",),
        note=", ".join(sizes),
    )
    bench.signals.put_table(card, pa.table(columns, schema=AUDIENCES))
    return card


def loaded_audiences(bench: Workbench) -> dict[str, dict[str, float]]:
    """Per built audience, the score of everybody in it; one that was declared after the build is absent."""
    if bench.signals.card("user_audiences") is None:
        return {}
    table = bench.signals.table("user_audiences")
    found: dict[str, dict[str, float]] = {}
    for user_id, name, score in zip(*(table[one].to_pylist() for one in AUDIENCES.names[:3]), strict=True):
        own = found.setdefault(name, {})
        if user_id is not None:
            own[user_id] = score
    return found


def people_listed(file: Path, named: str) -> list[str]:
    """The ids of a file with a list of people.

    Args:
        file: a text file with an id a line, or a table with ``user_id``.
        named: what to call it in a message.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is a table without ``user_id``, or holds no id.
    """
    if not file.is_file():
        raise NotFoundError(f"{named}: no such file")
    if file.suffix in {".txt", ""}:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        found = [line.strip() for line in lines if line.strip()]
    else:
        table = read_table(file)
        if "user_id" not in table.column_names:
            raise InputError(f"{file.name}: no column 'user_id'; found {', '.join(table.column_names)}")
        found = [name for name in texts(table["user_id"]).to_pylist() if name is not None]
    if not found:
        raise InputError(f"{file.name}: found no id of a person; expected at least three")
    return found


Members = Mapping[str, tuple[float, str]]
"""Score of each person, and why they are in."""


def _members(bench: Workbench, name: str, declared: AudienceSettings) -> tuple[Members, str]:
    """Who is in an audience, and what it lacks."""
    parts, lacking = [], ""
    if declared.seeds is not None:
        listed, lacking = _like_the_list(bench, name, declared.seeds, declared.people)
        parts.append(listed)
    if declared.interest is not None:
        parts.append(_interested(bench, declared.interest))
    if declared.states:
        parts.append(_in_states(bench, declared.states))
    first, *others = parts
    members = {
        user_id: (score, "; ".join([why, *(part[user_id][1] for part in others)]))
        for user_id, (score, why) in first.items()
        if all(user_id in part for part in others)
    }
    return members, lacking


def _like_the_list(bench: Workbench, name: str, seeds: str, people: int) -> tuple[Members, str]:
    """The people of a list and those like them; too short a list has nobody like it, which is no reason to stop a build."""
    listed = people_listed(bench.layout.root / seeds, f"[audiences.{name}] seeds = {seeds!r}")
    known = set(bench.people.ids)
    found = {user_id: (SEED_SCORE, "on the list") for user_id in listed if user_id in known}
    if not people:
        return found, ""
    try:
        alike = found_audience(bench, listed, people)
    except InputError as error:
        return found, f"nobody like the list: {error}"
    why = f"like the list, by {alike.method} over {alike.vectors}"
    found |= {user_id: (score, why) for user_id, score in zip(alike.user_ids, alike.scores, strict=True)}
    return found, ""


def _interested(bench: Workbench, interest: str) -> Members:
    if bench.signals.card("user_interests") is None:
        return {}
    table = bench.signals.table("user_interests")
    pairs = zip(table["user_id"].to_pylist(), table["interest"].to_pylist(), strict=True)
    return {
        user_id: (SEED_SCORE, f"interest {path}")
        for user_id, path in pairs
        if f"{path}/".startswith(f"{interest}/")
    }


def _in_states(bench: Workbench, states: tuple[str, ...]) -> Members:
    if bench.signals.card("user_state") is None:
        return {}
    table = bench.signals.table("user_state")
    pairs = zip(table["user_id"].to_pylist(), table["state"].to_pylist(), strict=True)
    return {user_id: (SEED_SCORE, f"state {state}") for user_id, state in pairs if state in states}
