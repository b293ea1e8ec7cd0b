"""Users: what a person's events say about them: long-term taste, interests, state."""
