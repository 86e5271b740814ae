"""Random convolutions of waveforms: features in which a linear classifier sees nearly any shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ecgeval.stats.arrays import Floats

__all__ = ["Kernels", "draw_kernels", "minirocket"]


TAPS = 9
DILATIONS = (1, 2, 4, 8, 16)
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Kernels:
    """Convolutions and the levels that their outputs are held against."""

    dilation: tuple[int, ...]
    mix: Floats  # (dilations, groups, leads): each lead, then random signed sums of leads
    weight: Floats  # (dilations, groups, kernels, TAPS)
    bias: Floats  # (dilations, groups, kernels), mV


def draw_kernels(
    sample: Floats, kernels: int, rng: np.random.Generator, dilations: Sequence[int] = DILATIONS
) -> Kernels:
    """Draw convolutions; nothing is fitted but the levels, to records without their labels.

    Of the 84 kernels with three weights of 2 and six of -1, `kernels` are drawn for every dilation
    and sum of leads. A level is a quantile of the kernel's outputs over `sample`, quantiles spread
    evenly.

    Parameters
    ----------
    sample : ndarray of float32, shape (n, leads, samples)
        A few records of both sets, mV.
    kernels : int
    rng : Generator
    dilations : sequence of int
        Distances between taps, samples; those too long for the records are left out.

    References
    ----------
    Dempster, Schmidt and Webb 2021, KDD, doi:10.1145/3447548.3467231
    """
    _, leads, length = sample.shape
    dilations = tuple(d for d in dilations if 2 * (TAPS - 1) * d <= length) or (1,)
    groups = leads if leads == 1 else 2 * leads
    all_84 = np.full((84, TAPS), -1, np.float32)
    for row, three in zip(all_84, combinations(range(TAPS), 3), strict=True):
        row[list(three)] = 2
    mix = np.zeros((len(dilations), groups, leads), np.float32)
    weight = np.empty((len(dilations), groups, kernels, TAPS), np.float32)
    for i in range(len(dilations)):
        mix[i, :leads] = np.eye(leads)
        for row in mix[i, leads:]:
            size = min(int(2 ** rng.uniform(1, np.log2(leads + 1))), leads)
            row[rng.choice(leads, size, replace=False)] = rng.choice([-1, 1], size)
        for g in range(groups):
            weight[i, g] = all_84[rng.choice(84, kernels, replace=False)]
    bias = np.empty(weight.shape[:3], np.float32)
    quantile = (np.arange(1, bias.size + 1) * GOLDEN % 1).reshape(bias.shape)
    for i, dilation in enumerate(dilations):
        out = np.stack([_convolved(mix[i] @ x, weight[i], dilation) for x in sample], axis=2)
        out = np.sort(out[..., ::16].reshape(groups, kernels, -1), axis=-1)
        at = (quantile[i] * (out.shape[-1] - 1)).astype(int)
        bias[i] = np.take_along_axis(out, at[..., None], axis=-1)[..., 0]
    return Kernels(dilations, mix, weight, bias)


def minirocket(signals: Floats, kernels: Kernels) -> Floats:
    """Return the share of samples at which each convolution exceeds its level.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, leads, samples)
        mV.
    kernels : Kernels

    Returns
    -------
    ndarray of float32, shape (n, features)
    """
    out = np.empty((len(signals), *kernels.bias.shape), np.float32)
    for record, row in zip(signals, out, strict=True):
        for i, dilation in enumerate(kernels.dilation):
            y = _convolved(kernels.mix[i] @ record, kernels.weight[i], dilation)
            above = y > kernels.bias[i, :, :, None]
            row[i] = np.add.reduce(above.view(np.uint8), axis=-1, dtype=np.uint32) / y.shape[-1]
    return out.reshape(len(signals), -1)


def _convolved(mixed: Floats, weight: Floats, dilation: int) -> Floats:
    """Return mixed leads (groups, samples) under kernels (groups, kernels, TAPS), ends left out."""
    length = mixed.shape[-1] - (TAPS - 1) * dilation
    row, step = mixed.strides
    windows = as_strided(mixed, (len(mixed), TAPS, length), (row, step * dilation, step))
    return weight @ np.ascontiguousarray(windows)
