"""A neural ranker with drawn weights: what an answer costs does not depend on what was learnt."""

from __future__ import annotations

import numpy as np
import torch

from bowerbird.nn.dropout import MaskStream
from bowerbird.nn.ranker import RankerModule
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import understood
from bowerbird.randomness import generator
from bowerbird.ranking.calibration import ActionCalibrations, Calibration
from bowerbird.ranking.features import FeatureMaker
from bowerbird.ranking.network import RankerNetwork
from bowerbird.ranking.network_inputs import Quantiles, item_matrix
from bowerbird.ranking.neural import NeuralScorer
from bowerbird.records.request import Request
from bowerbird.training.neural_ranker import NeuralRankerSettings, ranker_sizes

ACTIONS = ("closeup", "click", "save", "hide", "purchase")
FITTED_ON = 20


def with_drawn_network(release: Release, people: list[str]) -> Release:
    """The release, ranked by a network of the shape that training makes, its quantiles those of some requests."""
    maker = FeatureMaker(release)
    rows = generator(0, "drawn network").choice(
        len(release.items), min(500, len(release.items)), replace=False
    )
    asked = (
        understood(release, Request("homefeed", release.as_of, user_id=one)) for one in people[:FITTED_ON]
    )
    features = np.concatenate([maker(context, rows.astype(np.int32)) for context in asked])
    settings = NeuralRankerSettings()
    item_dim = item_matrix(release.vectors.get("item"), 0).shape[1]
    sizes = ranker_sizes(item_dim, len(ACTIONS), settings.token)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = RankerModule(sizes, settings.dropout, MaskStream())
    weights = {name: one.detach().numpy() for name, one in module.named_parameters()}
    network = RankerNetwork(weights, Quantiles.fitted(features), sizes.attention_heads)
    plain = Calibration((-15.0, 0.0, 15.0), (0.001, 0.3, 0.99))
    maps = ActionCalibrations(ACTIONS, (plain,) * len(ACTIONS), (0.0,) * len(ACTIONS))
    return release.with_scorer(NeuralScorer(maps, maker, network, release))
