"""What is true of the stores on disk beyond their contracts: reopening, damage, what is left behind."""

from __future__ import annotations

import shutil
import sqlite3

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.errors import BusyError, NotReadyError, StorageError
from bowerbird.records import Vectors, Vocabulary
from bowerbird.stores import media as media_module
from bowerbird.stores.catalogue import LanceCatalogue
from bowerbird.stores.lance_table import read_version, write_version
from bowerbird.stores.layout import Layout
from bowerbird.stores.media import LocalMedia
from bowerbird.stores.memory import MemoryCatalogue
from bowerbird.stores.models import LocalModels
from bowerbird.stores.registry import Registry, impacted
from bowerbird.stores.signals import LocalSignals
from bowerbird.stores.vector_cache import VectorCache
from bowerbird.testing.contracts.examples import OTHER_SPACE, SPACE, card, items, users, vectors


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    made.create()
    return made


def put_image(signals: LocalSignals, version: int) -> None:
    matrix = np.full((1, 3), version, dtype=np.float32)
    signals.put_vectors(
        card("image", f"v{version}", space=SPACE), Vocabulary("item", ("a",)), Vectors.full(SPACE, matrix)
    )


# --- catalogue ---


def test_a_catalogue_opened_again_is_the_same_and_that_of_memory_too(layout):
    for catalogue in (LanceCatalogue(layout), memory := MemoryCatalogue()):
        catalogue.upsert_items(items("a", "b"))
        catalogue.upsert_users(users("u"))
        catalogue.upsert_items(items("b", "c", title="t"))
    again = LanceCatalogue(layout)
    assert again.items().table.equals(memory.items().table)
    assert again.fingerprint() == memory.fingerprint()


def test_only_the_last_versions_of_the_catalogue_stay_on_the_disk(layout):
    catalogue = LanceCatalogue(layout)
    for number in range(6):
        catalogue.upsert_items(items("a", title=str(number)))
    assert len(list((layout.catalogue / "data").iterdir())) == 3
    assert catalogue.items().column("title") == ["5"]


def test_a_version_nobody_points_to_is_not_read_and_goes_with_the_next(layout):
    catalogue = LanceCatalogue(layout)
    catalogue.upsert_items(items("a"))
    write_version(layout.catalogue, items("ghost").table)  # a writer was killed before the pointer flipped
    assert catalogue.items().vocabulary.ids == ("a",)
    for number in range(3):
        catalogue.upsert_items(items("a", title=str(number)))
    assert catalogue.items().vocabulary.ids == ("a",)
    assert len(list((layout.catalogue / "data").iterdir())) == 3


def test_a_damaged_catalogue_says_where_and_what_to_do(layout):
    catalogue = LanceCatalogue(layout)
    catalogue.upsert_items(items("a"))
    shutil.rmtree(layout.catalogue)
    with pytest.raises(StorageError, match=r"catalogue\.lance: version 1 cannot be read.*bowerbird import"):
        catalogue.items()
    (layout.state / "catalogue.json").write_text("{")
    with pytest.raises(StorageError, match=r"catalogue\.json: not readable as JSON"):
        catalogue.items()


def test_a_table_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not write a version"):
        write_version(tmp_path / "file" / "t.lance", pa.table({"a": [1]}))
    with pytest.raises(StorageError, match="cannot be read"):
        read_version(tmp_path / "absent.lance", 1)


# --- media ---


def test_media_opened_again_has_everything_and_rolls_over_to_new_packs(layout, monkeypatch):
    monkeypatch.setattr(media_module, "PACK_BYTES", 10)
    monkeypatch.setattr(media_module, "BATCH_BYTES", 8)
    blobs = [bytes([n]) * 6 for n in range(6)]
    names = LocalMedia(layout).put_many(blobs)
    again = LocalMedia(layout)
    assert [again.get(name) for name in names] == blobs
    assert len(list(layout.media.glob("*.pack"))) > 1


def test_bytes_a_killed_writer_left_at_the_end_of_a_pack_are_passed_over(layout):
    media = LocalMedia(layout)
    media.put(b"one")
    with (layout.media / "000001.pack").open("ab") as pack:
        pack.write(b"half a pict")
    name = media.put(b"two")
    assert LocalMedia(layout).get(name) == b"two"


def test_damaged_media_are_found_when_they_are_read(layout):
    media = LocalMedia(layout)
    name = media.put(b"picture")
    (layout.media / "000001.pack").write_bytes(b"pictura")
    with pytest.raises(StorageError, match=f"the bytes of {name} are damaged"):
        media.get(name)
    (layout.media / "000001.pack").unlink()
    with pytest.raises(StorageError, match="could not read"):
        media.get(name)


def test_media_that_cannot_be_opened_or_written_say_so(layout, monkeypatch):
    other = Layout(layout.root / "other")
    other.create()
    (other.media / "index.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="the file is damaged: restore it from a copy"):
        LocalMedia(other)
    shutil.rmtree(other.media)
    (other.media / "index.sqlite").mkdir(parents=True)
    with pytest.raises(StorageError, match="could not open the media store: unable to open"):
        LocalMedia(other)
    monkeypatch.setattr(media_module, "BUSY_TIMEOUT_S", 0.01)
    media = LocalMedia(layout)
    writer = sqlite3.connect(layout.media / "index.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="another process is writing"):
        media.put(b"bird")
    writer.close()
    media.close()


# --- vector cache ---


def test_a_cache_opened_again_has_everything_in_few_files_and_spaces_have_their_own(layout):
    cache = VectorCache(layout, SPACE)
    matrix = vectors(64).matrix
    for n in range(64):
        cache.append([f"h{n}"], matrix[[n]])
    assert len(list((layout.cache / "vectors").rglob("*.arrow"))) <= 7  # 64 = 2^6
    again = VectorCache(layout, SPACE)
    assert np.array_equal(again.get([f"h{n}" for n in range(64)]).matrix, matrix)
    assert VectorCache(layout, OTHER_SPACE).missing(["h0"]) == ["h0"]


def test_a_merge_killed_before_its_parts_were_removed_leaves_the_same_cache(layout):
    cache = VectorCache(layout, SPACE)
    cache.append(["a"], vectors(1).matrix)
    (part,) = (layout.cache / "vectors").rglob("*.arrow")
    kept = part.read_bytes()
    cache.append(["b"], vectors(2).matrix[1:])
    assert not part.exists()
    part.write_bytes(kept)
    again = VectorCache(layout, SPACE)
    assert len(again) == 2
    assert np.array_equal(again.get(["a", "b"]).matrix, vectors(2).matrix)


def test_a_damaged_cache_file_says_what_to_do(layout):
    VectorCache(layout, SPACE).append(["a"], vectors(1).matrix)
    (part,) = (layout.cache / "vectors").rglob("*.arrow")
    part.write_bytes(b"not arrow")
    with pytest.raises(StorageError, match=r"cached vectors cannot be read.*delete the file and build again"):
        VectorCache(layout, SPACE).missing(["a"])


# --- signals, models, registry ---


def test_only_the_last_versions_of_a_signal_stay_on_the_disk(layout):
    signals = LocalSignals(layout)
    for version in range(6):
        put_image(signals, version)
    assert len(list((layout.signals / "image.lance" / "data").iterdir())) == 3
    signals.rollback("image")
    put_image(signals, 9)
    again = LocalSignals(layout)
    assert again.vectors("image", Vocabulary("item", ("a",))).matrix.tolist() == [[9, 9, 9]]
    assert [old.version for old in again.history("image")] == ["v4", "v3"]


def test_impact_follows_signals_into_models(layout):
    signals, models = LocalSignals(layout), LocalModels(layout)
    put_image(signals, 1)
    with models.writing(card("ranker", inputs=("image",))):
        pass
    assert signals.impact("image") == ["ranker"]
    assert impacted("a", [card("b", inputs=("a",)), card("a", inputs=("b",))]) == ["b"]


def test_a_model_built_twice_leaves_the_files_of_the_first_alone(layout):
    models = LocalModels(layout)
    for text in ("one", "two"):
        with models.writing(card("ranker")) as folder:
            (folder / "weights.bin").write_text(text)
    assert models.directory("ranker").name == "v1~2"
    assert (layout.models / "ranker" / "v1" / "weights.bin").read_text() == "one"
    for number in range(3):
        with models.writing(card("ranker", version=f"w{number}")):
            pass
    assert {path.name for path in (layout.models / "ranker").iterdir()} == {"w0", "w1", "w2"}


def test_a_models_folder_that_is_gone_says_what_to_do(layout):
    models = LocalModels(layout)
    with models.writing(card("ranker")):
        pass
    shutil.rmtree(models.directory("ranker"))
    with pytest.raises(StorageError, match="folder of model 'ranker' is gone; run `bowerbird build ranker`"):
        models.directory("ranker")


def test_a_misspelt_signal_gets_a_hint(layout):
    signals = LocalSignals(layout)
    put_image(signals, 1)
    with pytest.raises(NotReadyError, match="did you mean 'image'"):
        signals.table("imgae")


def test_a_damaged_registry_says_what_to_do(layout):
    (layout.state / "registry.json").write_text("[")
    with pytest.raises(StorageError, match=r"registry\.json: not readable as JSON.*bowerbird build"):
        Registry(layout).live_cards("signals")
    shutil.rmtree(layout.state)
    with pytest.raises(StorageError, match="could not open the lock"):
        put_image(LocalSignals(layout), 1)
