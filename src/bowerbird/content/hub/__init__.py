"""Encoders of the Python world by their usual names: timm, open_clip, SigLIP, transformers, sentence-transformers."""
