"""Names and glosses of the 1000 ImageNet classes, in the order of the classifier's logits.

The names and glosses are those of the classes' WordNet synsets.

WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. Permission to use, copy, modify and
distribute this database for any purpose and without fee or royalty is granted by its licence
(https://wordnet.princeton.edu/license-and-commercial-use), provided this notice is kept. THIS DATABASE IS PROVIDED
"AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS OR IMPLIED.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple


class ImagenetClass(NamedTuple):
    """One class."""

    names: tuple[str, ...]
    """Its names, the usual one first."""
    gloss: str
    """What it is, in a phrase."""


@cache
def imagenet_classes() -> tuple[ImagenetClass, ...]:
    """All classes, by number.

    Example:
        >>> imagenet_classes()[1].names, len(imagenet_classes())
        (('goldfish', 'Carassius auratus'), 1000)
    """
    text = resources.files("bowerbird.content").joinpath("imagenet_classes.tsv").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in text.splitlines())
    return tuple(ImagenetClass(tuple(names.split(", ")), gloss) for names, gloss in lines)
