"""How much a text looks like spam, by what it is written like, each reason told.

No words are learnt: a catalogue rarely has labels for spam, and what spammers do to be noticed or to slip through
(shouting, links, contacts, promises, repeats, hidden letters) is the same everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

__all__ = ["SpamVerdict", "spam_verdict"]

_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|net|org|ru|cn|xyz|top|click|shop|info|biz)\b(?:/\S*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_MESSENGER = re.compile(r"\b(?:whats?app|telegram|wechat|viber|dm me|text me|call now)\b", re.IGNORECASE)
_PHONE = re.compile(r"\+\d[\d\s().-]{8,}\d|\b\d{3}[\s.-]\d{3}[\s.-]\d{4}\b")
_MARKS = re.compile(r"[!?$€£]{3,}|(?:[!$]\s*){4,}|[★✨🔥💰💯‼❗➡👉]{2,}")
_PROMISES = re.compile(
    r"\b(?:click (?:here|the link|below)|buy (?:it )?now|order now|act now|limited (?:time|offer)|free (?:money|gift|trial|"
    r"iphone|followers)|100 ?% (?:free|guaranteed|legit)|risk[- ]free|work from home|make money|earn \$?\d+|extra (?:cash|"
    r"income)|get rich|you(?:'ve| have) won|claim your|casino|betting|viagra|cialis|weight loss|lose \d+ (?:kg|pounds|lbs)|"
    r"crypto giveaway|double your|no credit check|cheap(?:est)? price|wholesale price|follow (?:me|back)|"
    r"link in bio|promo code|lowest price)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{4,}")
_HIDDEN = frozenset("\u200b\u200c\u2060\ufeff\u00ad")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")


@dataclass(frozen=True)
class SpamVerdict:
    """How spam-like a text is."""

    score: float
    """In [0, 1); 0 without any reason."""
    reasons: tuple[str, ...] = ()


def spam_verdict(text: str | None) -> SpamVerdict:
    """The score of a text and its reasons.

    Reasons add up as independent evidence: ``score = 1 - prod(1 - weight)``. One alone stays below 0.7,
    so that a shop that writes in capitals, or names its site, is not called spam for it.

    Example:
        >>> spam_verdict("Striped cotton shirt, short sleeves")
        SpamVerdict(score=0.0, reasons=())
        >>> spam_verdict("FREE GIFT!!! click here www.win.xyz").reasons
        ('2 promises', 'a link', 'a row of marks')
    """
    text = unicodedata.normalize("NFC", text or "")
    if not text.strip():
        return SpamVerdict(0.0)
    found = _evidence(text)
    left = 1.0
    for weight, _ in found:
        left *= 1.0 - weight
    return SpamVerdict(round(1.0 - left, 4), tuple(reason for _, reason in found))


def _evidence(text: str) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    promises = len(_PROMISES.findall(text))
    if promises:
        found.append((min(0.3 + 0.15 * (promises - 1), 0.65), _counted(promises, "promise")))
    links = len(_LINK.findall(_EMAIL.sub(" ", text)))
    if links:
        found.append((min(0.35 + 0.1 * (links - 1), 0.65), _counted(links, "link")))
    contacts = len(_EMAIL.findall(text)) + len(_PHONE.findall(text)) + len(_MESSENGER.findall(text))
    if contacts:
        found.append((min(0.4 + 0.1 * (contacts - 1), 0.65), _counted(contacts, "contact")))
    if _MARKS.search(text):
        found.append((0.3, "a row of marks"))
    cased = [letter for letter in text if letter.isupper() or letter.islower()]
    if len(cased) >= 20 and sum(letter.isupper() for letter in cased) > 0.7 * len(cased):
        found.append((0.25, "written in capitals"))
    words = [word.lower() for word in _WORD.findall(text)]
    if len(words) >= 8:
        word, times = Counter(words).most_common(1)[0]
        if times > 0.4 * len(words):
            found.append((0.5, f"{word!r} {times} times"))
    hidden = sum(letter in _HIDDEN for letter in text)
    if hidden >= 2 or any(_mixed(word) for word in words):
        found.append((0.5, "hidden or look-alike letters"))
    return found


def _counted(number: int, what: str) -> str:
    return f"a {what}" if number == 1 else f"{number} {what}s"


def _mixed(word: str) -> bool:
    """Whether one word takes its letters from two alphabets that look alike."""
    if word.isascii():
        return False
    names = (unicodedata.name(letter, "") for letter in word)
    scripts = {name.partition(" ")[0] for name in names}
    return sum(one in scripts for one in _SCRIPTS) > 1
