"""Honest evaluation: splits, baselines, the public benchmark tasks."""
