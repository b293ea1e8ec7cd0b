"""Surfaces: homefeed, related, search, shopping, growth and ads, declared over one pipeline."""
