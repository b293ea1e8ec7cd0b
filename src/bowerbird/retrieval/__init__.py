"""Retrieval: from everything to a few hundred candidates, each knowing which source found it and why."""
