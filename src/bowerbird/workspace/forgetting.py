"""Forgetting a person or an item: out of every store, file and older version of the workspace."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bowerbird.content.picture_text import READER, PictureText
from bowerbird.errors import InputError, NotFoundError
from bowerbird.records.vocabulary import AnyId, id_text_or_none
from bowerbird.stores.atomic import write_atomically
from bowerbird.stores.catalogue import LanceCatalogue
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.layout import Layout
from bowerbird.stores.mapped_vectors import FOLDER
from bowerbird.stores.media import LocalMedia
from bowerbird.stores.models import LocalModels
from bowerbird.stores.preferences import Preferences
from bowerbird.stores.registry import Registry
from bowerbird.stores.signals import LocalSignals
from bowerbird.stores.text_cache import TextCache
from bowerbird.surfaces.budgets import BudgetLedger
from bowerbird.workspace.content_steps import item_words, text_key
from bowerbird.workspace.item_modalities import texts_of_items
from bowerbird.workspace.kept_people import FOLDER as KEPT_PEOPLE
from bowerbird.workspace.leftovers import holds, leftovers
from bowerbird.workspace.realtime import StreamConsumer, opened_state
from bowerbird.workspace.workbench import Workbench

PENDING = "pending.json"
"""In ``state/``: what was learnt from somebody who is forgotten and is live until the next build."""


@dataclass(frozen=True)
class ForgetReport:
    """What was removed where, and what is not done yet."""

    kind: str
    name: str
    removed: dict[str, int]
    """Store to the number of rows, files or blobs that are gone."""
    pending: tuple[str, ...]
    """Signals and models that were made from what is forgotten: averages and trees without its id, live until a build."""
    left: tuple[str, ...]
    """Files that still hold the id; empty when forgetting is complete."""
    until_retention: dict[str, int] = field(default_factory=dict)
    """Streams that cannot take events out, with how many they hold until their retention ends. None of them comes
    back: the log knows their ids, as hashes."""


def forget(
    bench: Workbench, ledger: BudgetLedger, *, user: AnyId | None = None, item: AnyId | None = None
) -> ForgetReport:
    """Remove a person or an item. The caller holds the workspace's lock; done again, it finishes what was cut off.

    Args:
        bench: the workspace's stores.
        ledger: what ads have spent.
        user: a person's id.
        item: an item's id.

    Raises:
        InputError: neither or both are named.
        NotFoundError: the id is nowhere in the workspace.
    """
    if (user is None) == (item is None):
        raise InputError("forget: name one person (user) or one item (item)")
    user, item = id_text_or_none(user), id_text_or_none(item)
    layout, name = bench.layout, user if user is not None else item
    assert name is not None
    # a backfill that was cut off may hold the id; it begins again
    drafts = int(Registry(layout).drop_draft())
    made = {card.name for card in (*bench.signals.cards(), *bench.models.cards())}
    learnt = sorted(made & set(LocalSignals(layout).impact("events" if user is not None else "catalogue")))
    removed = {} if item is None else _forget_content(bench, item)
    gone, remaining = _forget_stream(bench, user, item)
    removed |= gone | _forget_records(bench, ledger, user, item)
    removed |= _forget_signals(layout, name, afresh=bool(drafts))
    shutil.rmtree(layout.state / KEPT_PEOPLE, ignore_errors=True)  # hashes of what people did: made again
    removed |= _forget_files(layout, name) | _forget_models(layout, name)
    if not any(removed.values()):
        raise NotFoundError(f"forget: {name[:64]!r} is nowhere in {layout.root}; check the id")
    if drafts:
        removed["draft of a backfill"] = drafts
    _note_pending(layout, bench, learnt)
    left = tuple(path.relative_to(layout.root).as_posix() for path in leftovers(layout.root, name))
    return ForgetReport("user" if user is not None else "item", name, removed, tuple(learnt), left, remaining)


def _forget_records(
    bench: Workbench, ledger: BudgetLedger, user: str | None, item: str | None
) -> dict[str, int]:
    """Out of the event log, the catalogue, the online state and what goes by one person or one ad."""
    log, catalogue, layout = bench.log, bench.catalogue, bench.layout
    assert isinstance(log, SqliteEventLog)
    assert isinstance(catalogue, LanceCatalogue)
    removed = {"event log": log.forget(user_id=user, item_id=item)}
    if user is not None:
        removed["users"] = catalogue.forget("users", user)
    elif item is not None:
        removed["catalogue"] = catalogue.forget("items", item)
    removed |= _forget_state(bench, user, item)
    if item is not None:
        removed["ad ledger"] = ledger.forget(item)
    elif user is not None and layout.preferences.exists():
        removed["preferences"] = Preferences(layout.preferences).forget(user)
    return removed


def _forget_models(layout: Layout, name: str) -> dict[str, int]:
    """Older versions and drafts of every model, and the models whose files name the id."""
    models, removed = LocalModels(layout), {}
    for card in models.cards():
        models.keep_live(card.name)
    for path in layout.models.iterdir():
        if path.is_dir() and models.card(path.name) is None:  # only a draft had it
            shutil.rmtree(path)
    for path in leftovers(layout.models, name):
        model = path.relative_to(layout.models).parts[0]
        models.remove(model)
        removed[f"model {model}"] = removed.get(f"model {model}", 0) + 1
    return removed


def _forget_stream(
    bench: Workbench, user: str | None, item: str | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Out of the stream several machines share: what went, and what stays until its retention ends.

    What is on its way is brought into the log first, so that it is forgotten with the rest.
    """
    realtime = bench.settings.realtime
    if realtime.stream == "log":
        return {}, {}
    consumer = StreamConsumer(realtime, bench.layout, bench.log)
    while consumer.step():
        pass
    found = consumer.stream.forget(user_id=user, item_id=item)
    remaining = {realtime.stream: found.remaining} if found.remaining else {}
    return {"stream": found.removed}, remaining


def _forget_state(bench: Workbench, user: str | None, item: str | None) -> dict[str, int]:
    """Out of the online state servers share, and out of the file a consumer left."""
    layout, realtime = bench.layout, bench.settings.realtime
    state = opened_state(realtime, layout)
    if state is None and not (layout.state / "online.sqlite").exists():
        return {}
    state = state or opened_state(realtime.model_copy(update={"state": "file"}), layout)
    assert state is not None
    return {"online state": state.forget(user_id=user, item_id=item)}


def owed(layout: Layout) -> bool:
    """Whether something learnt from a forgotten person or item is still live: what comes next must not be learnt from it."""
    return (layout.state / PENDING).exists()


def settled(layout: Layout) -> list[str]:
    """After a build: give up the versions from before it of what was pending; returns the names settled."""
    path = layout.state / PENDING
    if not path.exists():
        return []
    pending: dict[str, str] = json.loads(path.read_bytes())
    signals, models = LocalSignals(layout), LocalModels(layout)
    done = []
    for name, version in pending.items():
        for store in (signals, models):
            card = store.card(name)
            if card is not None and card.version != version:
                store.keep_live(name)
                done.append(name)
    left = {name: version for name, version in pending.items() if name not in done}
    if left:
        write_atomically(path, json.dumps(left).encode())
    else:
        path.unlink()
    return done


def _note_pending(layout: Layout, bench: Workbench, learnt: list[str]) -> None:
    cards = {card.name: card.version for card in (*bench.signals.cards(), *bench.models.cards())}
    path = layout.state / PENDING
    before = json.loads(path.read_bytes()) if path.exists() else {}
    # a second forgetting before the build must not mistake the version of the first for a new one
    document = {name: before.get(name, cards[name]) for name in learnt if name in cards}
    write_atomically(path, json.dumps({**before, **document}).encode())


def _forget_content(bench: Workbench, item: str) -> dict[str, int]:
    """An item's picture and cached vectors, unless another item has the same picture or words."""
    if item not in bench.items.vocabulary:
        return {}
    row = bench.items.vocabulary.row(item)
    pictures = bench.items.column("image")
    columns: list[list[str | None]] = [[*item_words(bench)], *texts_of_items(bench).values()]
    said = [(column[row], column) for column in columns]
    names = [text_key(text) for text, column in said if text and column.count(text) == 1]
    removed = {}
    if pictures[row] and pictures.count(pictures[row]) == 1:
        names.append(pictures[row])
        names += _forget_read(bench, pictures[row], removed)
        assert isinstance(bench.media, LocalMedia)
        removed["media"] = bench.media.forget([pictures[row]])
    removed["vector cache"] = sum(
        _forget_vectors(path, names) for path in bench.layout.cache.rglob("*.arrow")
    )
    return removed


def _forget_read(bench: Workbench, picture: str, removed: dict[str, int]) -> list[str]:
    """What was read in a picture nobody else has; the name its words' vector is cached under."""
    read = TextCache(bench.layout, READER)
    text = {PictureText.from_json(one).text for one in read.get([picture]).values()}
    removed["words in pictures"] = read.forget([picture])
    read.close()
    return [text_key(one) for one in text if one]


def _forget_vectors(path: Path, names: list[str]) -> int:
    """Rows of a cache under content hashes; what is kept of a pair of pictures has both hashes in its name."""
    if not names:
        return 0
    with pa.OSFile(str(path), "rb") as source:
        table = pa.ipc.open_file(source).read_all()
    left = table.filter(pc.invert(pc.match_substring_regex(table.column("hash"), "|".join(names))))
    if len(left) < len(table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, left.schema) as writer:
            writer.write_table(left.combine_chunks())
        write_atomically(path, sink.getvalue().to_pybytes())
    return len(table) - len(left)


def _forget_signals(layout: Layout, name: str, *, afresh: bool) -> dict[str, int]:
    """Rows that are the entity's, and its place in lists of others'; every older version of every signal.

    Args:
        layout: the workspace.
        name: the id.
        afresh: write every table again: a draft that was given up is a newer version than the live one.
    """
    signals, removed = LocalSignals(layout), {}
    live = {card.name for card in signals.cards()}
    for path in layout.signals.glob("*.lance"):
        if path.stem not in live:  # only a draft had it
            shutil.rmtree(path)
    for card in signals.cards():
        table = signals.table(card.name)
        left = without(table, name)
        if left is table and afresh:
            signals.replace(card.name, table)
        elif left is not table:
            signals.replace(card.name, left)
            removed[f"signal {card.name}"] = max(len(table) - len(left), 1)
        else:
            signals.keep_live(card.name)
    return removed


def without(table: pa.Table, name: str) -> pa.Table:
    """A table without the rows an id is a value of, and without the id in its lists; itself where it is nowhere."""
    found = table
    for column in table.column_names:
        values = found.column(column)
        if not holds(values, name):
            continue
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            found = found.filter(pc.fill_null(pc.not_equal(values, name), True))
        else:
            pruned = [_pruned(value, name) for value in values.to_pylist()]
            place = found.schema.get_field_index(column)
            found = found.set_column(place, found.schema.field(column), pa.array(pruned, values.type))
    return found


def _pruned(value: object, name: str) -> object:
    """A nested value without an id."""
    if isinstance(value, list):
        return [
            _pruned(one, name)
            for one in value
            if one != name and not (isinstance(one, tuple) and name in one)
        ]
    if isinstance(value, dict):
        return {key: (None if one == name else _pruned(one, name)) for key, one in value.items()}
    return value


def _forget_files(layout: Layout, name: str) -> dict[str, int]:
    """Reports and caches that name it go whole, they can be made again; tables of the truth lose its rows."""
    removed = {}
    evaluations = layout.cache / "evaluation"
    if evaluations.exists():
        removed["evaluation cache"] = sum(1 for _ in evaluations.iterdir())
        shutil.rmtree(evaluations)
    shutil.rmtree(layout.cache / FOLDER, ignore_errors=True)
    for unfinished in (*layout.cache.glob("*.checkpoint"), *layout.cache.glob("*.safetensors")):
        unfinished.unlink()  # trainings that were cut off had begun to learn from what is forgotten
    named = leftovers(layout.reports, name)
    for path in named:
        path.unlink(missing_ok=True)
    removed["reports"] = len(named)
    for path in sorted((layout.root / "truth").glob("*.parquet")):
        table = pq.read_table(path)
        left = without(table, name)
        if left is not table:
            sink = pa.BufferOutputStream()
            pq.write_table(left, sink)
            write_atomically(path, sink.getvalue().to_pybytes())
            removed[f"truth {path.stem}"] = len(table) - len(left)
    return removed
