"""Reading a misspelt word as the known word one slip away.

Two words one slip apart (a letter left out, added, changed, or two neighbours swapped) share a form with one
letter fewer. So each known word is filed under all its forms with one letter left out, and a lookup is a few
dictionary reads however large the vocabulary is.

Source: the symmetric-delete idea (Garbe's SymSpell), for one slip; the check of swaps is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["Speller", "one_slip_apart"]

LEAST_LETTERS = 4
"""Shorter words have too many neighbours to guess between."""


class Speller:
    """Known words, filed for lookup.

    Args:
        counts: how often each known word is used; the more usual of two candidates is taken.

    Example:
        >>> Speller({"flower": 9, "flow": 2, "lower": 1}).read_as("flwer")
        'flower'
        >>> Speller({"flower": 9}).read_as("sunset") is None
        True
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._files: dict[str, list[str]] = {}
        for word in counts:
            if len(word) >= LEAST_LETTERS - 1 and not _has_digit(word):
                for form in _forms(word):
                    self._files.setdefault(form, []).append(word)

    def read_as(self, word: str) -> str | None:
        """The known word a strange one most likely is; None when it is known, short, a code or like none."""
        if word in self._counts or len(word) < LEAST_LETTERS or _has_digit(word):
            return None
        near = {other for form in _forms(word) for other in self._files.get(form, ())}
        close = [other for other in near if one_slip_apart(word, other)]
        # the first letter is rarely wrong; then the more usual word, then the alphabet, so that ties are decided
        return min(close, key=lambda other: (other[0] != word[0], -self._counts[other], other), default=None)


def one_slip_apart(one: str, other: str) -> bool:
    """Whether two words differ by one letter added, left out or changed, or by one swap of neighbours.

    Example:
        >>> one_slip_apart("lamp", "lmap"), one_slip_apart("lamp", "lump"), one_slip_apart("lamp", "plum")
        (True, True, False)
    """
    if len(one) > len(other):
        one, other = other, one
    at = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    return one != other and (one[at + 1 :] == other[at + 1 :] or swapped)


def _forms(word: str) -> Iterable[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)
