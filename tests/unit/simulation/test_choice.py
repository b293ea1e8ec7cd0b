from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.simulation.choice import action_probabilities, examination, fatigue, preference
from bowerbird.simulation.settings import ChoiceSettings

MODEL = ChoiceSettings()


def _one(value: float) -> np.ndarray:
    return np.array([value], dtype=np.float32)


def test_the_first_position_is_always_looked_at() -> None:
    assert examination(np.array([0]), MODEL)[0] == 1.0


def test_an_item_seen_before_is_opened_less() -> None:
    assert fatigue(_one(3.0), ChoiceSettings(fatigue=0.3))[0] == pytest.approx(np.exp(-0.3 * 3))


def test_preference_is_the_sigmoid_of_utility() -> None:
    assert preference(_one(np.log(3.0)))[0] == pytest.approx(3 / 4)


def test_opening_is_examination_times_preference_times_fatigue() -> None:
    model = ChoiceSettings(examination=0.5, fatigue=float(np.log(2)))
    chance = action_probabilities(
        _one(0.8),
        _one(0.0),
        position=np.array([3]),
        exposures=_one(1.0),
        affordable=_one(0.0),
        settings=model,
    )
    assert chance.opened[0] == pytest.approx((1 / 2) * 0.8 * (1 / 2))


def test_what_is_not_for_sale_is_never_bought() -> None:
    assert (
        action_probabilities(
            _one(1.0),
            _one(1.0),
            position=np.array([0]),
            exposures=_one(0.0),
            affordable=_one(0.0),
            settings=MODEL,
        ).bought[0]
        == 0.0
    )


@given(
    liked=st.floats(0, 1, width=32),
    interest=st.floats(0, 1.5, width=32),
    position=st.integers(0, 50),
    exposures=st.floats(0, 20, width=32),
    affordable=st.floats(0, 3, width=32),
)
def test_every_number_is_a_probability(
    liked: float, interest: float, position: int, exposures: float, affordable: float
) -> None:
    chance = action_probabilities(
        _one(liked),
        _one(interest),
        position=np.array([position]),
        exposures=_one(exposures),
        affordable=_one(affordable),
        settings=MODEL,
    )
    for value in (chance.opened, chance.hidden, chance.clicked, chance.saved, chance.bought):
        assert 0.0 <= value[0] <= 1.0
    assert chance.opened[0] + chance.hidden[0] <= 1.0 + 1e-6
