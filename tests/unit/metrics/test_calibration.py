from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.metrics import calibration

pairs = st.lists(st.tuples(st.integers(0, 1), st.floats(0.01, 0.99)), min_size=2, max_size=60)
mixed = pairs.filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))


def arrays(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([y for y, _ in rows]), np.array([p for _, p in rows])


@given(mixed)
def test_every_metric_equals_a_loop(rows: list[tuple[int, float]]):
    y, p = arrays(rows)
    n, rate = len(rows), sum(y for y, _ in rows) / len(rows)
    loss = -sum(math.log(q) if o else math.log(1 - q) for o, q in rows) / n
    reference = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0 for o, a in rows if o == 1 for other, b in rows if other == 0
    ]
    assert calibration.log_loss(y, p) == pytest.approx(loss)
    assert calibration.brier(y, p) == pytest.approx(sum((q - o) ** 2 for o, q in rows) / n)
    assert calibration.normalised_entropy(y, p) == pytest.approx(loss / reference)
    assert calibration.pcoc(y, p) == pytest.approx(sum(q for _, q in rows) / n / rate)
    assert calibration.auc(y, p) == pytest.approx(sum(wins) / len(wins))


@given(pairs, st.integers(1, 15))
def test_equal_width_bins_equal_a_loop(rows: list[tuple[int, float]], bins: int):
    y, p = arrays(rows)
    total = 0.0
    for b in range(bins):
        inside = [(o, q) for o, q in rows if min(int(q * bins), bins - 1) == b]
        if inside:
            gap = sum(q for _, q in inside) / len(inside) - sum(o for o, _ in inside) / len(inside)
            total += len(inside) / len(rows) * abs(gap)
    assert calibration.ece_equal_width(y, p, bins) == pytest.approx(total, abs=1e-12)


@given(pairs, st.integers(1, 15))
def test_equal_mass_bins_equal_a_loop(rows: list[tuple[int, float]], bins: int):
    y, p = arrays(rows)
    ordered = sorted(rows, key=lambda row: row[1])
    total = 0.0
    for b in range(bins):
        inside = [row for place, row in enumerate(ordered) if place * bins // len(rows) == b]
        total += abs(sum(q - o for o, q in inside)) / len(rows)
    assert calibration.ece_equal_mass(y, p, bins) == pytest.approx(total, abs=1e-12)


def test_equal_mass_bins_hold_equally_many():
    # 4 predictions, 2 bins: |.1 + .3 - 0| / 4 + |.7 + .9 - 2| / 4
    y, p = np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.7, 0.3])
    assert calibration.ece_equal_mass(y, p, bins=2) == pytest.approx(0.4 / 4 + 0.4 / 4)


def test_a_sure_mistake_costs_much_but_not_everything():
    assert calibration.log_loss(np.array([1]), np.array([0.0])) == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([], [], "at least one"),
        ([1, 0], [0.5], "equally many"),
        ([2], [0.5], "expected 0 or 1"),
        ([1], [1.5], "not a logit"),
        ([1], [float("nan")], "not a logit"),
    ],
)
def test_wrong_input_is_refused(y: list[int], p: list[float], message: str):
    with pytest.raises(InputError, match=message):
        calibration.brier(np.array(y, dtype=np.int64), np.array(p, dtype=np.float64))


def test_one_kind_of_outcome_has_no_auc():
    with pytest.raises(InputError, match="auc: all 2 outcomes are 1"):
        calibration.auc(np.array([1, 1]), np.array([0.1, 0.2]))
    with pytest.raises(InputError, match="normalised_entropy: all 1 outcomes are 0"):
        calibration.normalised_entropy(np.array([0]), np.array([0.1]))


def test_pcoc_needs_a_positive_outcome():
    with pytest.raises(InputError, match="none of the 1 outcomes"):
        calibration.pcoc(np.array([0]), np.array([0.1]))


def test_no_bins_are_refused():
    with pytest.raises(InputError, match="bins = 0"):
        calibration.ece_equal_width(np.array([0]), np.array([0.1]), bins=0)
