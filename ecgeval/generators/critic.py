"""The critic that both generators are trained against: seven strided convolutions and a sum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgeval.generators.layers import KERNEL, N_LEADS

__all__ = ["SHUFFLE", "Critic", "phase_shuffle"]

SHUFFLE = 2
"""Largest shift of phase shuffle, samples."""

_MULTIPLES = (1, 2, 5, 10, 20, 25, 100)
_STRIDES = (2, 2, 2, 2, 4, 4, 4)
_LENGTH = 5  # samples left of 5000
_PAD = 11


class Critic(nn.Module):
    """An ECG to a number: higher for what it takes for real.

    Parameters
    ----------
    width : int
        Channels d of the first layer; 50 as published (203.9 million parameters).

    References
    ----------
    Thambawita et al. 2021, doi:10.1038/s41598-021-01295-2; after Donahue et al. 2019,
    arXiv:1802.04208.
    """

    def __init__(self, width: int = 50) -> None:
        super().__init__()
        channels = [N_LEADS, *(m * width for m in _MULTIPLES)]
        self.convs = nn.ModuleList(
            nn.Conv1d(n_in, n_out, KERNEL, stride, padding=_PAD)
            for n_in, n_out, stride in zip(channels, channels[1:], _STRIDES, strict=False)
        )
        self.fc1 = nn.Linear(_LENGTH * channels[-1], 1)

    def forward(self, x: Tensor, shifts: Tensor | None = None) -> Tensor:
        """Return scores, shape (B,), of ECGs of shape (B, 8, 5000) in -1...1.

        Parameters
        ----------
        x : Tensor
        shifts : Tensor of int, shape (6, B), optional
            Phase shuffle after each layer but the last (`phase_shuffle`); none by default, so
            that scores outside training depend on the ECG alone.
        """
        for k, conv in enumerate(self.convs):
            x = nn.functional.leaky_relu(conv(x), 0.2)
            if shifts is not None and k < len(shifts):
                x = phase_shuffle(x, shifts[k])
        return self.fc1(x.flatten(1))[:, 0]


def phase_shuffle(x: Tensor, shift: Tensor) -> Tensor:
    """Return each signal moved by its own number of samples, mirrored at the end that opens.

    Parameters
    ----------
    x : Tensor, shape (B, channels, L)
    shift : Tensor of int, shape (B,)
        Positive moves to later samples; smaller than L.
    """
    length = x.shape[2]
    at = torch.arange(length, device=x.device) - shift[:, None]
    at = at.abs()  # mirrored at the start ...
    at = (length - 1) - ((length - 1) - at).abs()  # ... and at the end
    return x.gather(2, at[:, None].expand(-1, x.shape[1], -1))
