"""The last layers of the two encoders as trainable modules: what is below them is computed once and kept.

A picture's places (the input of EfficientNet-Lite's last block) become its pooled feature, a text's tokens
(the input of MiniLM's last layer) its mean token; both of unit length, as the encoders give them.

Source: Tan & Le 2019, arXiv:1905.11946 (inverted bottleneck); Devlin et al. 2019, arXiv:1810.04805 (transformer layer).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["NamedWeights", "PictureTop", "TextTop"]

_NORM_EPSILON = 1e-12


class NamedWeights(nn.Module):
    """Learnt weights under the names the encoder knows them by.

    Args:
        weights: by name; dots are allowed.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._parts = nn.ParameterDict(
            {name.replace(".", "/"): nn.Parameter(torch.tensor(values)) for name, values in weights.items()}
        )

    def __getitem__(self, name: str) -> Tensor:
        return self._parts[name.replace(".", "/")]

    def arrays(self) -> dict[str, np.ndarray]:
        """All weights as they are now, under the names they were given."""
        return {
            name.replace("/", "."): values.detach().numpy().copy() for name, values in self._parts.items()
        }


class PictureTop(nn.Module):
    """The last block, the head and the pooling of EfficientNet-Lite.

    Args:
        weights: kernel and bias (batch normalisation folded in) of ``expand``, ``depthwise``, ``project`` and ``head``,
            named ``expand.weight`` and so on.
        kind: the type products are computed in.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, kind: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weights = NamedWeights(weights)
        self._kind = kind

    def forward(self, places: Float[Tensor, "picture y x width"]) -> Float[Tensor, "picture dim"]:
        """Unit vectors of pictures.

        Args:
            places: the input of the last block.
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=self._kind == torch.bfloat16):
            wide = functional.relu6(self._point(places, "expand"))
            kernel = self.weights["depthwise.weight"]
            spread = functional.conv2d(
                wide.permute(0, 3, 1, 2),
                kernel,
                self.weights["depthwise.bias"],
                padding=kernel.shape[-1] // 2,
                groups=len(kernel),
            )
            narrow = self._point(functional.relu6(spread).permute(0, 2, 3, 1), "project")
            pooled = functional.relu6(self._point(narrow, "head")).mean(dim=(1, 2))
        return functional.normalize(pooled.float(), dim=1)

    def _point(self, values: Tensor, name: str) -> Tensor:
        """A convolution of one place: a product with a matrix."""
        kernel = self.weights[f"{name}.weight"]
        return functional.linear(values, kernel.flatten(1), self.weights[f"{name}.bias"])


class TextTop(nn.Module):
    """The last layer of a BERT encoder and the mean over its tokens.

    Args:
        weights: the layer's weights, named as in the encoder without the layer's prefix.
        heads: of its attention.
        dropout: share left out behind attention and feed-forward while training.
        kind: the type products are computed in.
    """

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        heads: int,
        dropout: float = 0.1,
        *,
        kind: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.weights = NamedWeights(weights)
        self._heads, self._kind = heads, kind
        self._dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Float[Tensor, "text token width"], real: Bool[Tensor, "text token"]
    ) -> Float[Tensor, "text width"]:
        """Unit vectors of texts.

        Args:
            tokens: the input of the last layer, padded.
            real: which tokens are no padding.
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=self._kind == torch.bfloat16):
            texts, count, width = tokens.shape
            shape = (texts, count, self._heads, width // self._heads)
            query, key, value = (
                self._linear(tokens, f"attention.self.{name}").view(shape).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=real[:, None, None, :]
            )
            attended = self._linear(
                mixed.transpose(1, 2).reshape(texts, count, width), "attention.output.dense"
            )
            hidden = self._normed(tokens + self._dropout(attended), "attention.output.LayerNorm")
            wide = functional.gelu(self._linear(hidden, "intermediate.dense"))
            last = self._normed(
                hidden + self._dropout(self._linear(wide, "output.dense")), "output.LayerNorm"
            )
        return functional.normalize((last.float() * real[:, :, None]).sum(dim=1), dim=1)

    def _linear(self, values: Tensor, name: str) -> Tensor:
        return functional.linear(values, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normed(self, values: Tensor, name: str) -> Tensor:
        return functional.layer_norm(
            values,
            (values.shape[-1],),
            self.weights[f"{name}.weight"],
            self.weights[f"{name}.bias"],
            _NORM_EPSILON,
        )
