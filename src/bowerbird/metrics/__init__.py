"""Metrics as pure functions of arrays: each holds its formula, a running example, and a slow twin in the tests.

- :mod:`~bowerbird.metrics.target_rank`: one target per user, from its rank in the whole catalogue
- :mod:`~bowerbird.metrics.accuracy`: many relevant items per user, from the hits of a ranked list
- :mod:`~bowerbird.metrics.calibration`: predicted probabilities against what happened
- :mod:`~bowerbird.metrics.catalogue`: what the lists do to the catalogue: coverage, concentration, novelty
- :mod:`~bowerbird.metrics.uncertainty`: how far a number may be off
"""
