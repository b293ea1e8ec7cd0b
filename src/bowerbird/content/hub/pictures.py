"""Picture encoders and joint picture-text encoders: timm, open_clip, SigLIP and CLIP, transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bowerbird.content.hub.encoder import HubEncoder, hub_space
from bowerbird.content.hub.loading import library, loaded

__all__ = [
    "open_clip_images",
    "open_clip_texts",
    "siglip_images",
    "siglip_texts",
    "timm_images",
    "transformers_images",
]

JOINT = "image-text"
"""Name of the space of a model whose pictures and texts can be compared."""


def timm_images(model_dir: Path | None = None, threads: int = 1, choice: str = "") -> HubEncoder[bytes]:
    """Pooled features of a timm model (plugin ``timm``), prepared as its own configuration says.

    Args:
        model_dir: not used; a hub keeps its own files.
        threads: not used; torch decides.
        choice: e.g. ``vit_small_patch16_224``, or a folder with ``config.json`` and ``model.safetensors``.

    Raises:
        MissingDependencyError: timm is not installed.
        InputError: it has no such model.
    """
    torch, timm = library("torch"), library("timm")
    name = f"local-dir:{choice}" if Path(choice).is_dir() else choice
    model = loaded("timm", choice, lambda: timm.create_model(name, pretrained=True, num_classes=0)).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)

    def features(pictures: list[Any]) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.stack([prepare(picture) for picture in pictures])).numpy()

    space = hub_space("image", "timm", choice, model.state_dict(), model.num_features)
    return HubEncoder(space, "image", features)


def _open_clip(choice: str) -> tuple[Any, Any, str]:
    """The model, its preparation of pictures, and the name its tokenizer goes by."""
    open_clip = library("open_clip")
    if Path(choice).is_dir():
        name, weights = f"local-dir:{choice}", None
    else:
        name, _, tag = choice.partition("/")
        weights = tag or None
    model, _, prepare = loaded(
        "open_clip", choice, lambda: open_clip.create_model_and_transforms(name, pretrained=weights)
    )
    return model.eval(), prepare, name


def open_clip_images(model_dir: Path | None = None, threads: int = 1, choice: str = "") -> HubEncoder[bytes]:
    """Pictures in the joint space of an open_clip model (plugin ``open_clip``).

    Args:
        model_dir: not used.
        threads: not used.
        choice: model and weights, e.g. ``ViT-B-32/laion2b_s34b_b79k``, or a folder with
            ``open_clip_config.json`` and its weights.

    Raises:
        MissingDependencyError: open_clip is not installed.
        InputError: it has no such model.
    """
    torch = library("torch")
    model, prepare, _ = _open_clip(choice)

    def features(pictures: list[Any]) -> np.ndarray:
        with torch.inference_mode():
            return model.encode_image(torch.stack([prepare(picture) for picture in pictures])).numpy()

    return HubEncoder(_joint_space("open_clip", choice, model, _width(model)), "image", features)


def open_clip_texts(model_dir: Path | None = None, threads: int = 1, choice: str = "") -> HubEncoder[str]:
    """Texts in the joint space of an open_clip model (plugin ``open_clip-text``); see :func:`open_clip_images`."""
    torch, open_clip = library("torch"), library("open_clip")
    model, _, name = _open_clip(choice)
    tokens = loaded("open_clip", choice, lambda: open_clip.get_tokenizer(name))

    def features(texts: list[str]) -> np.ndarray:
        with torch.inference_mode():
            return model.encode_text(tokens(texts)).numpy()

    return HubEncoder(_joint_space("open_clip", choice, model, _width(model)), "text", features)


def _width(model: Any) -> int:
    projection = getattr(model, "text_projection", None)
    if projection is None:  # a custom text tower keeps its own
        projection = model.text.text_projection
    return int(getattr(projection, "out_features", 0) or projection.shape[1])


def _joint_space(plugin: str, choice: str, model: Any, dim: int):
    return hub_space(JOINT, plugin, choice, model.state_dict(), dim)


def _two_towers(choice: str) -> tuple[Any, Any]:
    transformers = library("transformers")
    model = loaded("siglip", choice, lambda: transformers.AutoModel.from_pretrained(choice))
    return model.eval(), transformers


def _vectors(output: Any) -> np.ndarray:
    """The vectors of a tower: newer releases wrap them with the hidden states."""
    return getattr(output, "pooler_output", output).numpy()


def siglip_images(model_dir: Path | None = None, threads: int = 1, choice: str = "") -> HubEncoder[bytes]:
    """Pictures in the joint space of a SigLIP or CLIP model of transformers (plugin ``siglip``).

    Args:
        model_dir: not used.
        threads: not used.
        choice: e.g. ``google/siglip-base-patch16-224``, ``openai/clip-vit-base-patch32``, or a folder.

    Raises:
        MissingDependencyError: transformers is not installed.
        InputError: it has no such model.
    """
    torch = library("torch")
    model, transformers = _two_towers(choice)
    prepare = loaded("siglip", choice, lambda: transformers.AutoImageProcessor.from_pretrained(choice))

    def features(pictures: list[Any]) -> np.ndarray:
        with torch.inference_mode():
            return _vectors(model.get_image_features(**prepare(images=pictures, return_tensors="pt")))

    return HubEncoder(_joint_space("siglip", choice, model, _joint_width(model)), "image", features)


def siglip_texts(model_dir: Path | None = None, threads: int = 1, choice: str = "") -> HubEncoder[str]:
    """Texts in the joint space of a SigLIP or CLIP model (plugin ``siglip-text``); see :func:`siglip_images`."""
    torch = library("torch")
    model, transformers = _two_towers(choice)
    tokens = loaded("siglip", choice, lambda: transformers.AutoTokenizer.from_pretrained(choice))
    length = model.config.text_config.max_position_embeddings

    def features(texts: list[str]) -> np.ndarray:
        # trained on texts padded to the full length; so a text does not depend on its batch either
        ready = tokens(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        ready.pop("token_type_ids", None)
        if model.config.model_type.startswith("siglip"):
            ready.pop("attention_mask", None)
        with torch.inference_mode():
            return _vectors(model.get_text_features(**ready))

    return HubEncoder(_joint_space("siglip", choice, model, _joint_width(model)), "text", features)


def _joint_width(model: Any) -> int:
    return int(getattr(model.config, "projection_dim", 0) or model.config.text_config.projection_size)


def transformers_images(
    model_dir: Path | None = None, threads: int = 1, choice: str = ""
) -> HubEncoder[bytes]:
    """Pooled features of a vision model of transformers, e.g. ViT or DINOv2 (plugin ``transformers``).

    Args:
        model_dir: not used.
        threads: not used.
        choice: e.g. ``facebook/dinov2-small``, or a folder.

    Raises:
        MissingDependencyError: transformers is not installed.
        InputError: it has no such model.
    """
    torch, transformers = library("torch"), library("transformers")
    model = loaded("transformers", choice, lambda: transformers.AutoModel.from_pretrained(choice)).eval()
    prepare = loaded("transformers", choice, lambda: transformers.AutoImageProcessor.from_pretrained(choice))

    def features(pictures: list[Any]) -> np.ndarray:
        with torch.inference_mode():
            output = model(**prepare(images=pictures, return_tensors="pt"))
        pooled = getattr(output, "pooler_output", None)
        hidden = output.last_hidden_state.mean(dim=1) if pooled is None else pooled
        return hidden.flatten(1).numpy()

    space = hub_space("image", "transformers", choice, model.state_dict(), model.config.hidden_size)
    return HubEncoder(space, "image", features)
