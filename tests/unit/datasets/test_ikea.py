from __future__ import annotations

import pytest

from bowerbird.datasets.ikea import importer
from bowerbird.errors import NotFoundError

JPEG = b"\xff\xd8 a picture"
SCENE = "images/room_scenes/ikea-a-cosy-bed__136-s4.jpg"


def test_parquet_form_has_products_rooms_and_pairs(imported, parquet) -> None:
    folder = parquet(
        {
            "products": {
                "item_id": ["1.2", "3.4"],
                "name": ["KURA", "MLA"],
                "type": ["Bed/loft", None],
                "image": ["x", None],
            },
            "rooms": {
                "room_image": [SCENE, "images/room_scenes/ikea-77.jpg"],
                "room_type": ["Bedroom", None],
                "has_image": [True, False],
            },
            "item_in_room": {"item_id": ["1.2", "9.9"], "room_image": [SCENE, SCENE]},
            "product_images-000": {"image": ["1.2"], "jpeg": [JPEG]},
            "room_images-000": {"image": [SCENE], "jpeg": [JPEG]},
        }
    )
    found = imported(importer(), folder)
    assert found.rows == {"items": 4}
    assert found.column("items", "title") == ["KURA Bed/loft", "MLA", "a cosy bed", None]
    assert found.column("items", "category") == ["product/Bed-loft", "product", "room/Bedroom", "room"]
    assert found.column("items", "image") == ["x", None, SCENE, None]
    assert found.attributes("items")["rooms"] == f'["{SCENE}"]'
    assert found.attributes("items", 2)["products"] == '["1.2","9.9"]'
    assert [picture.item_id for picture in importer().pictures(folder)] == ["1.2", SCENE]


def test_folders_as_published(imported, write) -> None:
    scene = "images/room_scenes/Bedroom/ikea-blue-room__12-s4.jpg"
    folder = write({"images/objects/1.2.jpg": JPEG, scene: JPEG, "text_data/products.p": b"cos\nsystem\n"})
    found = imported(importer(), folder)
    assert found.column("items", "item_id") == ["1.2", scene]
    assert found.column("items", "category") == ["product", "room/Bedroom"]
    assert found.column("items", "title") == [None, "blue room"]
    assert [(picture.item_id, picture.data) for picture in importer().pictures(folder)] == [
        ("1.2", JPEG),
        (scene, JPEG),
    ]


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"ikea: .* has none of products\.parquet, images/objects"):
        list(importer().batches(tmp_path))
