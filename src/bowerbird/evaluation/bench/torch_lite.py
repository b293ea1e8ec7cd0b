"""EfficientNet-Lite in torch, from the same weights: the baseline of ``bench encode``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bowerbird.content.efficientnet_lite import LiteVariant
from bowerbird.extras import needed

__all__ = ["torch_lite"]


def torch_lite(variant: LiteVariant) -> Callable[[np.ndarray], np.ndarray]:
    """A function from pixels to features, run by torch on one thread.

    Args:
        variant: which network.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    torch = needed("torch", "train", "the torch rows")
    functional = torch.nn.functional
    weights = {name: torch.from_numpy(np.array(values)) for name, values in variant.weights.read().items()}

    def convolved(x, name: str, norm: str, stride: int = 1):
        kernel = weights[f"{name}.weight"]
        width, side = kernel.shape[2], x.shape[2]
        padding = max((-(-side // stride) - 1) * stride + width - side, 0)
        before, after = padding // 2, padding - padding // 2
        groups = kernel.shape[0] if name.endswith("_depthwise_conv") else 1
        padded = functional.pad(x, (before, after, before, after))
        out = functional.conv2d(padded, kernel, stride=stride, groups=groups)
        mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
        gain, shift = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
        return functional.batch_norm(out, mean, variance, gain, shift, eps=1e-3)

    def block(x, prefix: str, stride: int):
        entry = x
        if f"{prefix}._expand_conv.weight" in weights:
            x = functional.relu6(convolved(x, f"{prefix}._expand_conv", f"{prefix}._bn0"))
        x = functional.relu6(convolved(x, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride))
        x = convolved(x, f"{prefix}._project_conv", f"{prefix}._bn2")
        return x + entry if stride == 1 and entry.shape == x.shape else x

    def features(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128
            x = functional.relu6(convolved(x, "_conv_stem", "_bn0", 2))
            for number, stride in enumerate(variant.block_strides()):
                x = block(x, f"_blocks.{number}", stride)
            x = functional.relu6(convolved(x, "_conv_head", "_bn1"))
            return x.mean(dim=(2, 3)).numpy()

    torch.set_num_threads(1)
    return features
