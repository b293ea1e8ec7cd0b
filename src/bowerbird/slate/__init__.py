"""Slate: from scored candidates to what is shown: filters with reasons, diversity with terms."""
