"""Pipeline: one request through its declared stages, with a trace that explains the answer."""
