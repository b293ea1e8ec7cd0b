"""Hub encoders, loaded from folders that hold small random models of the real classes in the real formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowerbird.content.encoder import ContentEncoder, load_encoder
from bowerbird.content.hub.loading import library
from bowerbird.errors import InputError, MissingDependencyError, SpaceMismatchError

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # libraries of others warn about each other
    pytest.mark.slow,
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "blue", "lamp", "dress", "with", "long", "sleeves"]


def ready(name: str) -> Any:
    pytest.importorskip("torch", reason="TORCH ABSENT")
    try:
        return library(name)
    except MissingDependencyError as error:
        pytest.skip(f"LIBRARY ABSENT: {error}")


def save_tokenizer(folder: Path) -> None:
    transformers = ready("transformers")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)


def save_timm(folder: Path) -> None:
    timm = ready("timm")
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=5, depth=1)
    timm.models.save_for_hf(model, folder, model_args={"depth": 1})


def save_open_clip(folder: Path) -> None:
    open_clip = ready("open_clip")
    torch = ready("torch")
    settings = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    model = open_clip.model.CLIP(**settings)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    shape = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": settings, "preprocess_cfg": shape})
    )


def save_siglip(folder: Path) -> None:
    transformers = ready("transformers")
    part = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    settings = transformers.SiglipConfig(
        text_config={**part, "vocab_size": len(WORDS), "max_position_embeddings": 16, "projection_size": 32},
        vision_config={**part, "image_size": 32, "patch_size": 16},
    )
    transformers.SiglipModel(settings).save_pretrained(folder)
    transformers.SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    save_tokenizer(folder)


def save_vit(folder: Path) -> None:
    transformers = ready("transformers")
    settings = transformers.ViTConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=32
    )
    transformers.ViTModel(settings).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def save_bert(folder: Path) -> None:
    transformers = ready("transformers")
    settings = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    transformers.BertModel(settings).save_pretrained(folder)
    save_tokenizer(folder)


def save_sentence_transformer(folder: Path) -> None:
    module = ready("sentence_transformers")
    inner = folder / "inner"
    inner.mkdir()
    save_bert(inner)
    module.SentenceTransformer(str(inner), device="cpu").save(str(folder))


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "timm": (save_timm, "image"),
    "open_clip": (save_open_clip, "image"),
    "open_clip-text": (save_open_clip, "text"),
    "siglip": (save_siglip, "image"),
    "siglip-text": (save_siglip, "text"),
    "transformers": (save_vit, "image"),
    "transformers-text": (save_bert, "text"),
    "sentence-transformers": (save_sentence_transformer, "text"),
}


def saved(kind: str, folder: Path) -> ContentEncoder[Any]:
    folder.mkdir(exist_ok=True)
    KINDS[kind][0](folder)
    return load_encoder(f"{kind}:{folder}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_encodes_and_a_batch_equals_one_by_one(
    kind: str, tmp_path: Path, draw: Any, save: Any
) -> None:
    encoder = saved(kind, tmp_path / "model")
    assert encoder.modality == KINDS[kind][1]
    good: list[Any] = (
        [save(draw(seed)) for seed in range(3)]
        if encoder.modality == "image"
        else ["a red lamp", "blue dress with long sleeves", "lamp"]
    )
    bad: Any = b"no picture" if encoder.modality == "image" else "  "
    (chunk,) = encoder.encode_chunks([*good, None, bad])
    assert chunk.vectors.present.tolist() == [True, True, True, False, False]
    assert [failure.position for failure in chunk.failures] == [4]
    np.testing.assert_allclose(np.linalg.norm(chunk.vectors.matrix[:3], axis=1), 1, atol=1e-5)
    one_by_one = np.concatenate([encoder.encode([one]).matrix for one in reversed(good)])[::-1]
    np.testing.assert_allclose(chunk.vectors.matrix[:3], one_by_one, atol=1e-5)
    again = load_encoder(f"{kind}:{tmp_path / 'model'}")
    assert again.space == encoder.space
    assert str(tmp_path) not in encoder.space.key
    assert type(encoder.space).from_key(encoder.space.key) == encoder.space


@pytest.mark.parametrize("kind", ["open_clip", "siglip"])
def test_both_modalities_of_a_joint_model_share_a_space(
    kind: str, tmp_path: Path, draw: Any, save: Any
) -> None:
    pictures = saved(kind, tmp_path / "model")
    words = load_encoder(f"{kind}-text:{tmp_path / 'model'}")
    assert pictures.space == words.space
    assert pictures.encode([save(draw(1))]).similarity(words.encode(["a red lamp"])).shape == (1, 1)


def test_two_models_of_one_width_never_mix(tmp_path: Path) -> None:
    one, other = saved("transformers-text", tmp_path / "one"), saved("transformers-text", tmp_path / "two")
    assert one.space.dim == other.space.dim
    with pytest.raises(SpaceMismatchError, match="cannot meet vectors of space"):
        one.encode(["a lamp"]).similarity(other.encode(["a lamp"]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_without_a_model_and_no_name_are_refused(kind: str, tmp_path: Path) -> None:
    ready("transformers")
    with pytest.raises(InputError, match="the folder holds no such model"):
        load_encoder(f"{kind}:{tmp_path}")
    with pytest.raises(InputError, match="names no model"):
        load_encoder(kind)


def test_a_library_that_is_not_installed_is_named() -> None:
    pytest.importorskip("torch", reason="TORCH ABSENT")
    with pytest.raises(MissingDependencyError, match=r"no_such_library is not usable .*bowerbird\[hf\]"):
        library("no_such_library")
