"""Ranking: calibrated probabilities per action, and the value made of them."""
