"""The encoders' last layers are the encoders', learn with the tower, and run without torch afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.arrays import normalise
from bowerbird.content.efficientnet_lite import LITE0_VARIANT
from bowerbird.content.encoder_tops import (
    EncoderTops,
    PicturePlaces,
    TextTokens,
    TokenStates,
    picture_network,
    picture_top,
    text_network,
    text_top,
)
from bowerbird.content.graph_cache import session
from bowerbird.content.item_parts import Block, ItemParts
from bowerbird.content.made_up import drawn_pixels
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unified import TowerInput
from bowerbird.errors import InputError
from bowerbird.records.signal import Space

torch = pytest.importorskip("torch")

from bowerbird.content.minilm import HEADS  # noqa: E402
from bowerbird.nn.encoder_tops import PictureTop, TextTop  # noqa: E402
from bowerbird.training.tuning import LivePictures, LiveTexts, tuned_vectors  # noqa: E402
from bowerbird.training.unified import Pairs, UnifiedSettings, train_unified  # noqa: E402

TEXTS = ["a red cup", "two dogs run over wet grass in the evening", "", "lamp"]


@pytest.fixture(scope="module")
def encoded():
    pixels = drawn_pixels(8, LITE0_VARIANT.size, seed=3)
    return pixels, *PicturePlaces(LITE0_VARIANT).run(pixels)


@pytest.fixture(scope="module")
def tokens() -> TokenStates:
    return TextTokens().states(TEXTS)


def test_the_layers_above_the_cut_give_the_encoders_vectors(encoded, tokens):
    _, features, places = encoded
    with torch.no_grad():
        pictures = PictureTop(picture_top(LITE0_VARIANT)).eval()(torch.from_numpy(places.astype(np.float32)))
    assert (pictures.numpy() * normalise(features)).sum(axis=1).min() > 0.9999
    top = TextTop(text_top(), HEADS)
    texts = tuned_vectors(LiveTexts(tokens, np.array([1, 0, 3, 1]), top))
    expected = TextEncoder().encode([TEXTS[row] for row in (1, 0, 3, 1)]).matrix
    assert (texts * expected).sum(axis=1).min() > 0.9999


def test_texts_behind_each_other_stay_the_same_texts(tokens):
    both = TokenStates.joined([tokens, tokens])
    one, real = both.padded(np.array([5]))
    other, _ = tokens.padded(np.array([1]))
    np.testing.assert_array_equal(one, other)
    assert real.all()


def toy(places: np.ndarray, tokens: TokenStates, items: int = 96):
    """Pictures of two kinds with words of two kinds; what else they are is noise the frozen vectors also hold."""
    draw = np.random.default_rng(0)
    kind = np.arange(items) % 4
    pictures = LivePictures(places[:, None], kind + 0, PictureTop(picture_top(LITE0_VARIANT)))
    texts = LiveTexts(tokens, kind, TextTop(text_top(), HEADS, dropout=0.0))
    noise = draw.normal(size=(items, 1280)).astype(np.float32) * 1e-3
    inputs = (
        TowerInput("image", "image", Space("image", "toy", 1280)),
        TowerInput("caption", "caption", Space("text", "toy", 384)),
    )
    everywhere = np.ones(items, dtype=bool)
    seen = ItemParts({"image": Block(tuned_vectors(pictures) + noise, everywhere)})
    said = ItemParts({"caption": Block(tuned_vectors(texts) + noise[:, :384], everywhere)})
    return Pairs(inputs, seen, said, np.arange(items)), {"image": pictures, "caption": texts}


QUICK = UnifiedSettings(dim=64, epochs=3, batch=48, held_out=0.0, tuned_rate=1e-3)


def test_tuned_layers_run_in_the_networks_without_torch(encoded, tokens):
    pixels, _, places = encoded
    pairs, live = toy(places, tokens)
    before = {name: one.top.weights.arrays() for name, one in live.items()}
    train_unified(pairs, QUICK, live=live)
    after = {name: one.top.weights.arrays() for name, one in live.items()}
    for name in live:
        assert any(np.abs(after[name][part] - before[name][part]).max() > 1e-4 for part in after[name])
    tops = EncoderTops(after["image"], after["caption"])
    picture, text = picture_network(LITE0_VARIANT, tops), text_network(tops)
    found = session(picture.SerializeToString()).run(["vector"], {"pixels": pixels})[0]
    with torch.no_grad():
        expected = live["image"].top(torch.from_numpy(places.astype(np.float32))).numpy()
    assert (normalise(np.asarray(found)) * expected).sum(axis=1).min() > 0.9999
    ids = np.array([[101, 2417, 2452, 102]], dtype=np.int32)  # [CLS] red cup [SEP]
    (said,) = session(text.SerializeToString()).run(["vector"], {"token_ids": ids, "mask": np.ones_like(ids)})
    assert np.linalg.norm(np.asarray(said)) == pytest.approx(1, abs=1e-5)


def test_a_killed_training_with_tuned_layers_resumes_to_the_same_weights(encoded, tokens, tmp_path):
    class KilledError(RuntimeError):
        pass

    class Impatient:
        def start(self, task, total, unit="rows"):
            self.left = 3

        def advance(self, amount=1):
            self.left -= 1
            if self.left == 0:
                raise KilledError

        def finish(self, note=""):
            pass

    whole, live = toy(encoded[2], tokens)
    tower = train_unified(whole, QUICK, live=live).tower
    again, other = toy(encoded[2], tokens)
    with pytest.raises(KilledError):
        train_unified(again, QUICK, live=other, checkpoint=tmp_path / "kept", progress=Impatient())
    resumed, fresh = toy(encoded[2], tokens)
    second = train_unified(resumed, QUICK, live=fresh, checkpoint=tmp_path / "kept").tower
    assert second.space == tower.space
    for name in live:
        for part, values in live[name].top.weights.arrays().items():
            np.testing.assert_array_equal(values, fresh[name].top.weights.arrays()[part])


def test_live_rows_that_fit_no_side_are_refused(encoded, tokens):
    pairs, live = toy(encoded[2], tokens)
    with pytest.raises(InputError, match="96 live rows of 'words'"):
        train_unified(pairs, QUICK, live={"words": live["image"]})
    short = LivePictures(encoded[2][:, None], np.arange(4), live["image"].top)
    with pytest.raises(InputError, match="4 live rows of 'image'"):
        train_unified(pairs, QUICK, live={"image": short})
