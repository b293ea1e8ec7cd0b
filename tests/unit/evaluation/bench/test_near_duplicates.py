from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bowerbird.errors import InputError, NotFoundError
from bowerbird.evaluation.bench.altered_copies import ALTERATIONS, GROUPS, altered
from bowerbird.evaluation.bench.near_duplicates import (
    FoundPairs,
    micro_average_precision,
    recall_at_precision,
    run_near_duplicates,
)


def noise(seed: int) -> Image.Image:
    draw = np.random.Generator(np.random.PCG64(seed))
    small = draw.integers(256, size=(12, 16, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((160, 120), Image.Resampling.BICUBIC)


def pairs(scores: list[float], right: list[bool]) -> FoundPairs:
    return FoundPairs(np.arange(len(scores)), np.array(scores, np.float32), np.array(right, dtype=bool))


def test_micro_average_precision_is_the_mean_precision_at_each_answer() -> None:
    found = pairs([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    assert micro_average_precision(found, 4) == pytest.approx((1 / 1 + 2 / 3) / 4)


def test_a_threshold_takes_all_pairs_of_one_score_together() -> None:
    found = pairs([0.9, 0.8, 0.8], [True, True, False])
    assert recall_at_precision(found, 2, 0.9)[0] == 0.5
    assert recall_at_precision(found, 2, 0.6)[0] == 1.0


def test_nothing_found_has_no_recall() -> None:
    none = pairs([], [])
    assert micro_average_precision(none, 3) == 0.0
    assert recall_at_precision(none, 3, 0.9)[0] == 0.0


@pytest.mark.parametrize("group", GROUPS)
def test_every_alteration_changes_the_picture_and_the_seed_decides_how(group: str) -> None:
    for one in ALTERATIONS:
        if getattr(one, group) is None:
            continue
        made = [altered(noise(1), one.name, group, np.random.Generator(np.random.PCG64(4))) for _ in range(2)]
        assert made[0] == made[1]
        assert made[0][:2] == b"\xff\xd8"  # a JPEG


def test_an_unknown_alteration_is_refused() -> None:
    with pytest.raises(NotFoundError, match="no light change 'flop'"):
        altered(noise(1), "flop", "light", np.random.Generator(np.random.PCG64(0)))


def test_copies_are_found_on_a_folder_with_a_broken_file(tmp_path: Path) -> None:
    for seed in range(12):
        noise(seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    report = run_near_duplicates(tmp_path, copies=3, threads=1)
    assert [row.model for row in report.rows] == ["ours", "perceptual hash", "frozen cosine"]
    assert report.rows[0].metrics["recall light"].mean > 0
    assert any("1 pictures could not be read" in note for note in report.notes)
    report.to_json()


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    noise(1).save(tmp_path / "one.png")
    with pytest.raises(InputError, match="1 different pictures can be read"):
        run_near_duplicates(tmp_path)
