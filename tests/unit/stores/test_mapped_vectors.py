"""One copy of large vectors for all processes of a machine."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.records import SignalCard, Space, Vectors, Vocabulary
from bowerbird.stores import mapped_vectors as module
from bowerbird.stores.layout import Layout
from bowerbird.stores.mapped_vectors import mapped_vectors

SPACE = Space("item", "1", 2)


def card(version="v1"):
    return SignalCard("item_vector", "item", "vector", version, "drawn", 3, 1.0, 0, space=SPACE)


def vectors(first=1.0):
    matrix = np.array([[first, 0], [0, 0], [0, 1]], np.float32)
    return Vectors(SPACE, matrix, np.array([True, False, True]))


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 0)
    made = Layout(tmp_path)
    made.create()
    return made


def test_the_second_process_maps_what_the_first_wrote(layout):
    ids = Vocabulary("item", ("a", "b", "c"))
    first = mapped_vectors(layout, card(), ids, vectors)

    def unasked():
        raise AssertionError("read again")

    second = mapped_vectors(layout, card(), ids, unasked)
    for one in (first, second):
        assert one.matrix.tobytes() == vectors().matrix.tobytes()
        assert one.present.tolist() == [True, False, True]
        assert type(one.matrix) is np.ndarray
        assert not one.matrix.flags.writeable


def test_another_version_or_order_is_another_file_and_the_old_one_goes(layout):
    ids = Vocabulary("item", ("a", "b", "c"))
    mapped_vectors(layout, card(), ids, vectors)
    newer = mapped_vectors(layout, card("v2"), ids, lambda: vectors(0.5))
    assert newer.matrix[0, 0] == 0.5
    turned = mapped_vectors(layout, card("v2"), Vocabulary("item", ("c", "b", "a")), lambda: vectors(0.25))
    assert turned.matrix[0, 0] == 0.25
    assert len(list((layout.cache / module.FOLDER).iterdir())) == 2


def test_small_vectors_are_not_written(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    mapped_vectors(layout, card(), Vocabulary("item", ("a", "b", "c")), vectors)
    assert not (layout.cache / module.FOLDER).exists()
