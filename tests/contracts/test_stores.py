"""Every store, on disk and in memory, through the shipped contracts of its kind."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bowerbird.stores import event_log as event_log_module
from bowerbird.stores import memory as memory_stores
from bowerbird.stores.catalogue import LanceCatalogue
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.layout import Layout
from bowerbird.stores.media import LocalMedia
from bowerbird.stores.models import LocalModels
from bowerbird.stores.signals import LocalSignals
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.testing.contracts import catalogue, event_log, media, signals, vector_cache
from bowerbird.testing.contracts.examples import SPACE


def name_of(thing: object) -> str:
    return getattr(thing, "__name__", str(thing))


@pytest.fixture
def fresh() -> Iterator[Callable[[], Layout]]:
    """Makes new layouts, in memory where the system has such a place: these tests flush thousands of times."""
    numbers = itertools.count()
    memory = Path("/dev/shm")

    def layout() -> Layout:
        made = Layout(Path(folder) / str(next(numbers)))
        made.create()
        return made

    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield layout


@pytest.mark.parametrize("local", [False, True], ids=["memory", "local"])
@pytest.mark.parametrize("law", catalogue.LAWS, ids=name_of)
def test_catalogue(law, local, fresh):
    law((lambda: LanceCatalogue(fresh())) if local else memory_stores.MemoryCatalogue)


@pytest.mark.parametrize("kept", ["memory", "local", "local-bulk"])
@pytest.mark.parametrize("law", event_log.LAWS, ids=name_of)
def test_event_log(law, kept, fresh, monkeypatch):
    if kept == "local-bulk":
        monkeypatch.setattr(event_log_module, "BULK_ROWS", 2)  # nearly every append writes segments
    law(memory_stores.MemoryEventLog if kept == "memory" else lambda: SqliteEventLog(fresh()))


@pytest.mark.parametrize("local", [False, True], ids=["memory", "local"])
@pytest.mark.parametrize("law", media.LAWS, ids=name_of)
def test_media(law, local, fresh):
    law((lambda: LocalMedia(fresh())) if local else memory_stores.MemoryMedia)


@pytest.mark.parametrize("local", [False, True], ids=["memory", "local"])
@pytest.mark.parametrize("law", vector_cache.LAWS, ids=name_of)
def test_vector_cache(law, local, fresh):
    law(lambda: VectorCache(fresh(), SPACE) if local else memory_stores.MemoryVectorCache(SPACE))


@pytest.mark.parametrize("local", [False, True], ids=["memory", "local"])
@pytest.mark.parametrize("law", signals.LAWS, ids=name_of)
def test_signals(law, local, fresh):
    law((lambda: LocalSignals(fresh())) if local else memory_stores.MemorySignals)


@pytest.mark.parametrize("local", [False, True], ids=["memory", "local"])
@pytest.mark.parametrize("law", signals.MODEL_LAWS, ids=name_of)
def test_models(law, local, fresh):
    law(lambda: LocalModels(fresh()) if local else memory_stores.MemoryModels(fresh().models))
