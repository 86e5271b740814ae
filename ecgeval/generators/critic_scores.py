"""What the critic of a training run says of ECGs: an auditor's white-box membership attack."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecgeval.ecgset import EcgSet, apply_leads, derive_leads, resample
from ecgeval.errors import DataError
from ecgeval.generators.critic import Critic
from ecgeval.generators.layers import KERNEL, N_LEADS
from ecgeval.generators.sampling import BLOCK, FS, LEADS, SAMPLES, SCALE_UV
from ecgeval.parallel import Progress, quiet

__all__ = ["CRITIC_KEY", "critic_scores", "holds_critic", "load_critic"]

CRITIC_KEY = "netD_state_dict"
_FIRST = "convs.0.weight"


def holds_critic(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is a checkpoint that holds its critic, as ``last.pt`` of a run does."""
    if not Path(path).is_file():
        return False
    try:
        return CRITIC_KEY in _content(Path(path))
    except Exception:  # arbitrary bytes: whoever needs the file says what is wrong with it
        return False


def load_critic(path: str | os.PathLike[str]) -> tuple[Critic, str]:
    """Return the critic that a checkpoint holds, and the SHA-256 of its parameters.

    Raises
    ------
    DataError
        If the file is missing, damaged, or holds no critic of this package.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a checkpoint that holds its critic")
    try:
        content = _content(path)
    except Exception as error:  # the unpickler meets arbitrary bytes and may raise anything
        raise DataError(f"{path} is damaged or no torch file; expected last.pt of a run") from error
    state = content.get(CRITIC_KEY)
    first = state.get(_FIRST) if isinstance(state, Mapping) else None
    if not isinstance(first, Tensor) or first.shape[1:] != (N_LEADS, KERNEL):
        raise DataError(
            f"{path} holds no critic of ecgeval (no {CRITIC_KEY} with {_FIRST} of shape "
            f"(d, {N_LEADS}, {KERNEL})); expected last.pt of a training run"
        )
    assert isinstance(state, Mapping)
    with torch.device("meta"):
        critic = Critic(len(first))
    try:
        critic.load_state_dict(dict(state), assign=True)
    except RuntimeError as error:
        raise DataError(
            f"{path} holds other parameters than a critic of width {len(first)}"
        ) from error
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        if not torch.isfinite(value).all():
            raise DataError(f"{path}: {name} of the critic is not finite")
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().data)
    return critic.eval().requires_grad_(False), digest.hexdigest()


def critic_scores(
    critic: Critic, ecgs: EcgSet, *, device: str = "cpu", progress: Progress = quiet
) -> np.ndarray:
    """Return the critic's score of each record: higher for what it takes for real.

    Records are read as in training (`training.training_array`): eight leads, 500 Hz, the first
    10 s, 1 for 6 mV; without phase shuffle, so that a score depends on the ECG alone.

    Parameters
    ----------
    critic : Critic
    ecgs : EcgSet
        mV, as they were given to the training run: not filtered, not resampled before.
    device : {"cpu", "cuda"}
    progress : callable

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for a record that holds values that are no number.

    Raises
    ------
    DataError
        If the records are shorter than 10 s.
    UsageError
        If a lead is neither present nor derivable.
    """
    if ecgs.seconds < SAMPLES / FS - 1e-6:
        raise DataError(
            f"the critic reads {SAMPLES / FS:g} s; the records last {ecgs.seconds:g} s: give the "
            "records that the generator was trained on, uncropped"
        )
    matrix = derive_leads(ecgs.leads, LEADS)
    critic = critic.to(device)
    out = np.full(len(ecgs), np.nan)
    # Blocks of one size on one thread: a convolution's last bits depend on both.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for rows, block in ecgs.batches(BLOCK):
            x = apply_leads(matrix, block)
            finite = np.isfinite(x).all(axis=(1, 2))
            x = x if ecgs.fs == FS else resample(x, ecgs.fs, FS)
            full = np.zeros((BLOCK, N_LEADS, SAMPLES), np.float32)
            full[: len(x)] = np.clip(x[:, :, :SAMPLES] / (SCALE_UV / 1000), -1, 1)
            full[: len(x)][~finite] = 0
            with torch.no_grad():
                score = critic(torch.from_numpy(full).to(device)).cpu().numpy()
            out[rows] = np.where(finite, score[: len(x)], np.nan)
            progress("critic", rows.stop, len(ecgs))
    finally:
        torch.set_num_threads(threads)
    return out


def _content(path: Path) -> Mapping[str, Any]:
    """Return a checkpoint; its tensors are read where they are asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content if isinstance(content, Mapping) else {}
