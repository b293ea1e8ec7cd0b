"""What every signal store and every model store promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.errors import InputError, NotFoundError, NotReadyError, SpaceMismatchError
from bowerbird.records import Vectors, Vocabulary
from bowerbird.stores.protocol import ModelStore, SignalStore
from bowerbird.testing.contracts.examples import AWKWARD_TEXTS, OTHER_SPACE, SPACE, card, vectors

Make = Callable[[], SignalStore]
MakeModels = Callable[[], ModelStore]


def a_signal_that_is_not_built_says_so(make: Make) -> None:
    """Reading raises and says what to do; asking for its card does not."""
    signals = make()
    for read in (
        lambda: signals.table("looks"),
        lambda: signals.vectors("looks", Vocabulary("item", ())),
        lambda: signals.rollback("looks"),
    ):
        with pytest.raises(NotReadyError, match="run `bowerbird build`"):
            read()
    assert signals.card("looks") is None
    assert signals.cards() == signals.history("looks") == signals.impact("looks") == []


def vectors_come_back_in_the_order_asked_for(make: Make) -> None:
    """By id, not by row: unknown ids and rows that were absent are absent."""
    signals = make()
    ids = Vocabulary("item", AWKWARD_TEXTS)
    written = vectors(len(ids))
    present = np.arange(len(ids)) != 1
    masked = np.where(present[:, None], written.matrix, np.float32(0))
    signals.put_vectors(card("image", space=SPACE), ids, Vectors(SPACE, masked, present))
    asked = Vocabulary("item", ("new", AWKWARD_TEXTS[1], AWKWARD_TEXTS[3], AWKWARD_TEXTS[0]))
    found = signals.vectors("image", asked, SPACE)
    assert found.present.tolist() == [False, False, True, True]
    assert np.array_equal(found.matrix[2:], written.matrix[[3, 0]])
    assert signals.card("image") == card("image", space=SPACE)


def a_signal_of_nobody_is_a_signal(make: Make) -> None:
    """Zero rows are written and read like any other number."""
    signals = make()
    signals.put_vectors(
        card("image", space=SPACE), Vocabulary("item", ()), Vectors.full(SPACE, np.zeros((0, 3), np.float32))
    )
    assert not signals.vectors("image", Vocabulary("item", ("a",))).present.any()
    empty = pa.table({"id": pa.array([], pa.string())})
    signals.put_table(card("label"), empty)
    assert signals.table("label").equals(empty)


def spaces_never_meet(make: Make) -> None:
    """Neither when written under another space's card nor when read for another space."""
    signals = make()
    ids = Vocabulary("item", ("a", "b"))
    with pytest.raises(SpaceMismatchError, match="write the vectors' space into the card"):
        signals.put_vectors(card("image", space=OTHER_SPACE), ids, vectors(2))
    signals.put_vectors(card("image", space=SPACE), ids, vectors(2))
    with pytest.raises(SpaceMismatchError, match="signal 'image'"):
        signals.vectors("image", ids, OTHER_SPACE)


def what_does_not_fit_is_refused(make: Make) -> None:
    """Vectors without ids, tables without columns, names that are paths, tables read as vectors."""
    signals = make()
    with pytest.raises(InputError, match="2 vectors for 1 ids"):
        signals.put_vectors(card("image", space=SPACE), Vocabulary("item", ("a",)), vectors(2))
    with pytest.raises(InputError, match="no columns"):
        signals.put_table(card("label"), pa.table({}))
    with pytest.raises(InputError, match="signal name"):
        signals.put_table(card("../label"), pa.table({"id": ["a"]}))
    signals.put_table(card("label"), pa.table({"id": ["a"]}))
    with pytest.raises(NotReadyError, match="not vectors"):
        signals.vectors("label", Vocabulary("item", ("a",)))


def tables_come_back_with_their_types(make: Make) -> None:
    """Maps, lists, nulls and texts of other alphabets included."""
    signals = make()
    table = pa.table(
        {
            "id": pa.array(AWKWARD_TEXTS[:3], pa.string()),
            "terms": pa.array([None, [], [("k", 1.5)]], pa.map_(pa.string(), pa.float64())),
            "rows": pa.array([[1, 2], None, []], pa.list_(pa.int32())),
            "group": pa.array([1, None, 3], pa.int32()),
        }
    )
    signals.put_table(card("groups"), table)
    assert signals.table("groups").equals(table)


def a_build_can_be_taken_back(make: Make) -> None:
    """The last three versions are kept; rollback makes the one before live."""
    signals = make()
    for number in range(5):
        signals.put_table(card("label", version=f"v{number}"), pa.table({"id": ["a"], "label": [number]}))
    assert [old.version for old in signals.history("label")] == ["v3", "v2"]
    assert signals.rollback("label").version == "v3"
    assert signals.table("label").column("label").to_pylist() == [3]
    signals.rollback("label")
    assert signals.table("label").column("label").to_pylist() == [2]
    with pytest.raises(NotFoundError, match="no version before 'v2'"):
        signals.rollback("label")
    signals.put_table(card("label", version="v9"), pa.table({"id": ["a"], "label": [9]}))
    assert signals.table("label").column("label").to_pylist() == [9]
    assert [old.version for old in signals.history("label")] == ["v2"]


def impact_follows_inputs_to_the_end(make: Make) -> None:
    """Everything made from a signal, through others too; a circle does not hang."""
    signals = make()
    inputs = {
        "image": (),
        "fused": ("image", "text"),
        "groups": ("fused",),
        "text": (),
        "odd": ("groups", "odd"),
    }
    for name, made_from in inputs.items():
        signals.put_table(card(name, inputs=made_from), pa.table({"id": ["a"]}))
    assert signals.impact("image") == ["fused", "groups", "odd"]
    assert signals.impact("odd") == []
    assert [one.name for one in signals.cards()] == sorted(inputs)


def a_model_is_live_when_its_block_ends(make: MakeModels) -> None:
    """Not before, and not when the block fails."""
    models = make()
    with pytest.raises(NotReadyError, match="run `bowerbird build`"):
        models.directory("ranker")
    with models.writing(card("ranker")) as folder:
        (folder / "weights.bin").write_bytes(b"one")
        assert models.card("ranker") is None

    def fail() -> None:
        with models.writing(card("ranker", version="v2")) as folder:
            (folder / "weights.bin").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (models.directory("ranker") / "weights.bin").read_bytes() == b"one"
    assert models.cards() == [card("ranker")]


def a_model_can_be_taken_back(make: MakeModels) -> None:
    """Also when both versions have the same name."""
    models = make()
    for number, version in enumerate(("v1", "v1", "v2")):
        with models.writing(card("ranker", version=version)) as folder:
            (folder / "weights.bin").write_bytes(bytes([number]))
    assert models.rollback("ranker").version == "v1"
    assert (models.directory("ranker") / "weights.bin").read_bytes() == b"\x01"
    models.rollback("ranker")
    with pytest.raises(NotFoundError, match="no version before"):
        models.rollback("ranker")


LAWS = (
    a_signal_that_is_not_built_says_so,
    vectors_come_back_in_the_order_asked_for,
    a_signal_of_nobody_is_a_signal,
    spaces_never_meet,
    what_does_not_fit_is_refused,
    tables_come_back_with_their_types,
    a_build_can_be_taken_back,
    impact_follows_inputs_to_the_end,
)

MODEL_LAWS = (a_model_is_live_when_its_block_ends, a_model_can_be_taken_back)
