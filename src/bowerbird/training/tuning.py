"""Inputs of a tower that learn with it: the last layers of the encoders, on top of what was computed once.

A frozen encoder's vector says what its makers' labels asked for. Letting its last layer move while the tower learns
gives the tower what the layers below still knew. What is kept below them is cut in
:mod:`bowerbird.content.encoder_tops`, the layers are :mod:`bowerbird.nn.encoder_tops`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float16, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.content.efficientnet_lite import LITE2_VARIANT, LiteVariant
from bowerbird.content.encoder_tops import TokenStates, picture_top, text_top
from bowerbird.content.minilm import HEADS
from bowerbird.nn.encoder_tops import PictureTop, TextTop
from bowerbird.nn.precision import fast_type

__all__ = ["LiveInput", "LivePictures", "LiveTexts", "new_picture_top", "new_text_top", "tuned_vectors"]

_PART = 128
"""Inputs that run together."""
_CPU = torch.device("cpu")


@runtime_checkable
class LiveInput(Protocol):
    """One modality of which the vectors change while a tower learns from them."""

    @property
    def top(self) -> nn.Module:
        """The layers that learn."""
        ...

    def __len__(self) -> int: ...

    def vectors(self, rows: Int64[np.ndarray, "n"]) -> Float[Tensor, "n dim"]:
        """Unit vectors of some rows, with their gradient; torch's generator decides what is altered in training."""
        ...


def new_picture_top(variant: LiteVariant = LITE2_VARIANT) -> PictureTop:
    """The layers above the cut of a picture network, as they come."""
    return PictureTop(picture_top(variant), kind=fast_type(_CPU))


def new_text_top() -> TextTop:
    """The layer above the cut of the text network, as it comes."""
    return TextTop(text_top(), HEADS, kind=fast_type(_CPU))


class LivePictures:
    """Pictures by their places below the cut.

    Args:
        places: of each view of each picture.
        rows: which picture each row is.
        top: the layers that learn.
    """

    def __init__(
        self,
        places: Float16[np.ndarray, "picture view y x width"],
        rows: Int64[np.ndarray, "row"],
        top: PictureTop,
    ) -> None:
        self.top = top
        self._places, self._rows = places, rows

    def __len__(self) -> int:
        return len(self._rows)

    def vectors(self, rows: Int64[np.ndarray, "n"]) -> Float[Tensor, "n dim"]:
        """In training one altered view of each picture; else the mean over its views, mirrored and not."""
        parts = np.array_split(self._rows[rows], -(-len(rows) // _PART))
        return torch.cat([self._altered(part) if self.top.training else self._mean(part) for part in parts])

    def _altered(self, pictures: Int64[np.ndarray, "n"]) -> Float[Tensor, "n dim"]:
        """A view by chance, mirrored by chance, and of it a window that those who run together share."""
        views, height, width = self._places.shape[1:4]
        chosen = torch.randint(views, (len(pictures),)).numpy()
        places = torch.from_numpy(self._places[pictures, chosen].astype(np.float32))
        turned = torch.rand(len(pictures)) < 0.5
        places = torch.where(turned[:, None, None, None], places.flip(2), places)
        return self.top(places[:, _window(height), _window(width)])

    def _mean(self, pictures: Int64[np.ndarray, "n"]) -> Float[Tensor, "n dim"]:
        total = torch.zeros(())
        for view in range(self._places.shape[1]):
            places = torch.from_numpy(self._places[pictures, view].astype(np.float32))
            total = total + self.top(places) + self.top(places.flip(2))
        return functional.normalize(total, dim=1)


def _window(side: int) -> slice:
    """A part of a side by chance, at least two thirds of it."""
    length = int(torch.randint(-(-side * 2 // 3), side + 1, (1,)))
    start = int(torch.randint(side - length + 1, (1,)))
    return slice(start, start + length)


class LiveTexts:
    """Texts by their tokens below the cut.

    Args:
        tokens: of each text.
        rows: which text each row is.
        top: the layer that learns.
    """

    def __init__(self, tokens: TokenStates, rows: Int64[np.ndarray, "row"], top: TextTop) -> None:
        self.top = top
        self._tokens, self._rows = tokens, rows

    def __len__(self) -> int:
        return len(self._rows)

    def vectors(self, rows: Int64[np.ndarray, "n"]) -> Float[Tensor, "n dim"]:
        """Texts of like length run together, so that little is padding."""
        texts = self._rows[rows]
        order = np.argsort(self._tokens.starts[texts + 1] - self._tokens.starts[texts], kind="stable")
        found = []
        for part in np.array_split(order, -(-len(order) // _PART)):
            tokens, real = self._tokens.padded(texts[part])
            found.append(self.top(torch.from_numpy(tokens), torch.from_numpy(real)))
        return torch.cat(found)[torch.from_numpy(np.argsort(order))]


@torch.no_grad()
def tuned_vectors(live: LiveInput) -> Float32[np.ndarray, "row dim"]:
    """The unit vectors of all rows, as the layers are now."""
    live.top.eval()
    parts = np.array_split(np.arange(len(live)), max(1, -(-len(live) // _PART)))
    return np.concatenate([live.vectors(part).numpy() for part in parts])
