"""Weights: the published Pulse2Pulse checkpoint, and checkpoint files of the user's own.

Files are read with torch's restricted unpickler, which builds tensors and containers only and runs
no code of the file. The published weights come from the file inside the installed ``deepfake-ecg``
distribution; its program is not imported.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import pickle
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ecgeval.errors import DataError, UsageError
from ecgeval.generators.layers import KERNEL, Generator, fast
from ecgeval.generators.pulse2pulse import Pulse2Pulse
from ecgeval.generators.wavegan import WaveGANStar

__all__ = ["ARCHITECTURES", "Weights", "load", "trained_on"]

ARCHITECTURES: dict[str, type[Pulse2Pulse] | type[WaveGANStar]] = {
    "pulse2pulse": Pulse2Pulse,
    "wavegan-star": WaveGANStar,
}

PUBLISHED_PACKAGE = "deepfake-ecg"
PUBLISHED_FILE = "deepfakeecg/checkpoints/g_stat.pt"
SHIPPED_FILE = Path(__file__).parent / "weights" / "wavegan-star.pt"
SHIPPED_SHA256 = "ff98cf733d9d373d37969de073703583480c4b75270debe227fc825733e6584c"
PUBLISHED_SHA256 = "676619cb3b81ed637e5ef93fabd591220d047bc4f5e199ffce930a3affb05cba"

_TRANSPOSED = tuple(
    f"deconv_{k}.Conv1dTrans.{kind}" for k in (1, 2, 3, 5, 6, 7) for kind in ("weight", "bias")
)
_FILTER = ("ppfilter1.weight", "ppfilter1.bias")
DEAD_KEYS = {
    "pulse2pulse": ("fc1.weight", "fc1.bias", *_TRANSPOSED, *_FILTER),
    "wavegan-star": (*_TRANSPOSED, *_FILTER),
}
"""Parameters that the released networks create and never use; a checkpoint may hold them."""

STATE_KEYS = (
    "ema",
    "ema_state_dict",
    "ema_model",
    "generator_ema",
    "netG_ema",
    "G_ema",
    "stat_dict",
    "state_dict",
    "model_state_dict",
    "netG_state_dict",
    "generator_state_dict",
    "generator",
    "netG",
    "G",
    "model",
)
"""Where training programs keep a generator's parameters; of several, the first listed is used."""

_LANDMARK = "deconv_1.conv1d.weight"


@dataclass(frozen=True)
class Weights:
    """A generator with its parameters and where they came from.

    Parameters
    ----------
    model : Generator
        The direct graph, in evaluation mode, on the CPU.
    architecture : str
        One of `ARCHITECTURES`.
    width : int
        Channels d, inferred from the parameters.
    sha256 : str
        Of the checkpoint file.
    path : Path
    key : str
        Where in the file the parameters were found; empty for a bare state dict.
    dropped : tuple of str
        Dead parameters found in the file and left out.
    published : bool
        Whether these are the weights of the reference study.
    shipped : bool
        Whether these are the weights of WaveGAN* that come with ecgeval.
    """

    model: Generator
    architecture: str
    width: int
    sha256: str
    path: Path
    key: str
    dropped: tuple[str, ...]
    published: bool = False
    shipped: bool = False

    @functools.cached_property
    def fast(self) -> Generator:
        """The same function in the form for inference (see `layers.fast`)."""
        return fast(self.model)

    @property
    def name(self) -> str:
        """Prefix of record ids: the architecture, and for a user's file the start of its hash."""
        named = self.published or self.shipped
        return self.architecture if named else f"{self.architecture}-{self.sha256[:8]}"


def load(source: str | os.PathLike[str]) -> Weights:
    """Load a generator by name or from a checkpoint file.

    Parameters
    ----------
    source : str or path
        ``"pulse2pulse"`` (the published weights), ``"wavegan-star"`` (trained for ecgeval on
        published DeepFakes; see its model card), or a file written by ``torch.save`` holding a
        state dict of Pulse2Pulse or WaveGAN*, bare or under one of `STATE_KEYS`.

    Raises
    ------
    UsageError
        If the name is unknown.
    DataError
        If the file is missing, unsafe, damaged, or holds other parameters than expected.
    """
    if str(source) == "pulse2pulse":
        return _published()
    if str(source) == "wavegan-star":
        return _shipped()
    path = Path(source)
    if path.is_dir():
        raise DataError(
            f"{path} is a folder; expected one checkpoint file, as in epoch-00025.pt, or the "
            "folder as `synth` of a run's TOML file"
        )
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise DataError(f"checkpoint {path} does not exist; expected a file from torch.save")
        raise UsageError(
            f"unknown generator {str(source)!r}; expected {', '.join(ARCHITECTURES)} or a "
            "checkpoint file"
        )
    return _read(path, hashlib.sha256(path.read_bytes()).hexdigest())


def trained_on(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `ecgeval.generators.training` wrote of its run into a checkpoint.

    Parameters
    ----------
    path : path
        A checkpoint file that `load` accepts.

    Returns
    -------
    dict
        ``settings``, ``data``, ``split``, ``versions``; empty for a file of another program.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    found = content.get("training") if isinstance(content, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


@functools.cache
def _published() -> Weights:
    """Return the published Pulse2Pulse; the file is checked and read once a process."""
    try:
        found = importlib.metadata.distribution(PUBLISHED_PACKAGE).locate_file(PUBLISHED_FILE)
    except importlib.metadata.PackageNotFoundError:
        raise DataError(
            f"the published Pulse2Pulse weights come with the package {PUBLISHED_PACKAGE}, which "
            f"is not installed; run: pip install --no-deps {PUBLISHED_PACKAGE}==1.1.2"
        ) from None
    path = Path(str(found))
    if not path.is_file():
        raise DataError(
            f"{path} is missing from the installed {PUBLISHED_PACKAGE}; run: "
            f"pip install --force-reinstall --no-deps {PUBLISHED_PACKAGE}==1.1.2"
        )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 != PUBLISHED_SHA256:
        raise DataError(
            f"{path} has sha256 {sha256}; expected the published {PUBLISHED_SHA256}: reinstall "
            f"{PUBLISHED_PACKAGE}==1.1.2"
        )
    return _read(path, sha256)


@functools.cache
def _shipped() -> Weights:
    """Return the WaveGAN* that comes with ecgeval."""
    found = hashlib.sha256(SHIPPED_FILE.read_bytes()).hexdigest() if SHIPPED_FILE.is_file() else ""
    if found != SHIPPED_SHA256:
        raise DataError(
            f"{SHIPPED_FILE} is {'damaged' if found else 'missing'}; install ecgeval again"
        )
    return _read(SHIPPED_FILE, found)


def _read(path: Path, sha256: str) -> Weights:
    """Read a checkpoint file into the architecture that its parameters name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler meets arbitrary bytes and may raise anything
        objects = isinstance(error, pickle.UnpicklingError)
        raise DataError(
            f"{path} {'holds Python objects other than tensors, or ' if objects else ''}is damaged "
            "or no torch file; expected one written by torch.save(model.state_dict(), FILE)"
        ) from error
    key, state = _find_state(path, content)
    architecture = "pulse2pulse" if any(k.startswith("conv_") for k in state) else "wavegan-star"
    dropped = tuple(name for name in DEAD_KEYS[architecture] if name in state)
    state = {name: value for name, value in state.items() if name not in dropped}
    width = _width(path, state[_LANDMARK])
    model = ARCHITECTURES[architecture](width).eval().requires_grad_(False)
    expected = model.state_dict()
    problems = [
        f"{what} {', '.join(sorted(names)[:4])}{' ...' if len(names) > 4 else ''}"
        for what, names in (
            ("missing", expected.keys() - state.keys()),
            ("unexpected", state.keys() - expected.keys()),
            (
                "of another shape",
                {k for k in expected.keys() & state.keys() if expected[k].shape != state[k].shape},
            ),
            ("not finite", {k for k, v in state.items() if not torch.isfinite(v).all()}),
        )
        if names
    ]
    if problems:
        raise DataError(
            f"{path} does not hold {architecture} of width {width}: {'; '.join(problems)}; "
            f"expected the {len(expected)} parameters of ecgeval.generators"
        )
    model.load_state_dict(state)
    return Weights(
        model,
        architecture,
        width,
        sha256,
        path,
        key,
        dropped,
        sha256 == PUBLISHED_SHA256,
        sha256 == SHIPPED_SHA256,
    )


def _find_state(path: Path, content: Any) -> tuple[str, dict[str, Tensor]]:
    """Return where a generator's parameters are in a checkpoint, and them, without prefixes."""
    for key, state in _places(content):
        ends = [str(k) for k in state if str(k).endswith(_LANDMARK)]
        if len(ends) > 1:
            raise DataError(
                f"{path} holds several generators ({', '.join(ends)}); expected one: save the "
                "wanted one with torch.save(model.state_dict(), FILE)"
            )
        if ends:
            prefix = ends[0].removesuffix(_LANDMARK)  # "module." of DataParallel, for example
            return key, {
                str(k).removeprefix(prefix): v
                for k, v in state.items()
                if str(k).startswith(prefix) and isinstance(v, Tensor)
            }
    found = list(content)[:6] if isinstance(content, Mapping) else type(content).__name__
    raise DataError(
        f"{path} holds no generator of this package (found {found}); expected a state dict with "
        f"{_LANDMARK}, bare or under one of {', '.join(STATE_KEYS)}"
    )


def _places(content: Any, at: str = "") -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield the mappings of a checkpoint that may be state dicts, the likeliest first."""
    if isinstance(content, Mapping):
        yield at, content
        for key in STATE_KEYS:
            if key in content and at.count("/") < 2:
                yield from _places(content[key], f"{at}/{key}".lstrip("/"))


def _width(path: Path, landmark: Tensor) -> int:
    """Return the width d of a generator from its 5d x 5d convolution."""
    d = landmark.shape[0] // 5 if landmark.ndim else 0
    if d < 10 or d % 10 or landmark.shape != (5 * d, 5 * d, KERNEL):
        raise DataError(
            f"{path}: {_LANDMARK} has shape {tuple(landmark.shape)}; expected (5*d, 5*d, {KERNEL}) "
            "with d a multiple of 10"
        )
    return d
