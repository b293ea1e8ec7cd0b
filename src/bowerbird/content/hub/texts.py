"""Text encoders: sentence-transformers, and any text model of transformers with mean pooling."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bowerbird.content.hub.encoder import HubEncoder, hub_space
from bowerbird.content.hub.loading import library, loaded

__all__ = ["sentence_transformers_texts", "transformers_texts"]


def sentence_transformers_texts(
    model_dir: Path | None = None, threads: int = 1, choice: str = ""
) -> HubEncoder[str]:
    """A sentence-transformers model as it comes, with its own pooling (plugin ``sentence-transformers``).

    Args:
        model_dir: not used; a hub keeps its own files.
        threads: not used; torch decides.
        choice: e.g. ``all-MiniLM-L6-v2``, or a folder.

    Raises:
        MissingDependencyError: sentence-transformers is not installed.
        InputError: it has no such model.
    """
    module = library("sentence_transformers")
    plugin = "sentence-transformers"
    model = loaded(plugin, choice, lambda: module.SentenceTransformer(choice, device="cpu"))

    def features(texts: list[str]) -> np.ndarray:
        return model.encode(texts, batch_size=len(texts), show_progress_bar=False, convert_to_numpy=True)

    space = hub_space("text", plugin, choice, model.state_dict(), features(["width"]).shape[1])
    return HubEncoder(space, "text", features)


def transformers_texts(model_dir: Path | None = None, threads: int = 1, choice: str = "") -> HubEncoder[str]:
    """The mean over real tokens of a text model's last layer (plugin ``transformers-text``).

    Args:
        model_dir: not used.
        threads: not used.
        choice: e.g. ``intfloat/multilingual-e5-small``, or a folder.

    Raises:
        MissingDependencyError: transformers is not installed.
        InputError: it has no such model.
    """
    torch, transformers = library("torch"), library("transformers")
    plugin = "transformers-text"
    model = loaded(plugin, choice, lambda: transformers.AutoModel.from_pretrained(choice)).eval()
    tokens = loaded(plugin, choice, lambda: transformers.AutoTokenizer.from_pretrained(choice))
    longest = min(model.config.max_position_embeddings, 512)

    def features(texts: list[str]) -> np.ndarray:
        ready = tokens(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**ready).last_hidden_state
        real = ready["attention_mask"][..., None].to(hidden.dtype)
        return ((hidden * real).sum(1) / real.sum(1)).numpy()

    space = hub_space("text", plugin, choice, model.state_dict(), model.config.hidden_size)
    return HubEncoder(space, "text", features)
