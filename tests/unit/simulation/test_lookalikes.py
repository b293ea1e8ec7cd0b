from __future__ import annotations

import io

from PIL import Image

from bowerbird.simulation.lookalikes import lookalikes
from bowerbird.testing.tiny_world import shape_catalogue, tiny_world


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


def test_equal_and_mirrored_pictures_are_found_and_others_are_not() -> None:
    first, other = (Image.open(io.BytesIO(image)) for image in shape_catalogue(2)["image"].to_pylist())
    mirrored = first.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = lookalikes([_png(first), _png(other), _png(first), _png(mirrored)])
    pairs = dict(
        zip(zip(found.first.tolist(), found.second.tolist(), strict=True), found.mirrored, strict=True)
    )
    assert pairs == {(0, 2): False, (0, 3): True, (2, 3): True}


def test_a_planted_copy_is_in_the_group_of_its_original() -> None:
    truth = tiny_world().truth
    group = truth.duplicate_groups()
    copies = truth.item_rows(truth.duplicates["item_id"].to_pylist())
    originals = truth.item_rows(truth.duplicates["original_id"].to_pylist())
    assert (group[copies] == group[originals]).all()
    alone = truth.items.num_rows - len(set(copies) | set(originals)) - 2 * truth.lookalikes.num_rows
    assert len(set(group.tolist())) >= alone
    assert all(difference <= 4.5 for difference in truth.lookalikes["difference"].to_pylist())
