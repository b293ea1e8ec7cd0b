"""Signals: what events say about people and items at a time: sequences and counts."""
