"""The critic that both generators are trained against: seven strided convolutions and a sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
        self.convs: Sequence[nn.Conv1d] = nn.ModuleList(  # type: ignore[assignment]
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
        if x.device.type == "cuda":
            return self._by_products(x, shifts)
        for k, conv in enumerate(self.convs):
            x = nn.functional.leaky_relu(conv(x), 0.2)
            if shifts is not None and k < len(shifts):
                x = phase_shuffle(x, shifts[k])
        return self.fc1(x.flatten(1))[:, 0]

    def _by_products(self, x: Tensor, shifts: Tensor | None) -> Tensor:
        """Compute the same with each convolution as one matrix product, samples before channels.

        At d = 50 as fast as cuDNN's convolutions (174 and 171 ms a generator step on an H100,
        bfloat16, recorded); widths that are multiples of 8 fit its matrix units (116 ms at 48, 75
        at 32).
        """
        x = x.transpose(1, 2)
        for k, conv in enumerate(self.convs):
            x = nn.functional.pad(x, (0, 0, _PAD, _PAD))
            windows = x.unfold(1, KERNEL, _STRIDES[k]).transpose(2, 3).flatten(2)
            x = nn.functional.linear(windows, conv.weight.permute(0, 2, 1).flatten(1), conv.bias)
            x = nn.functional.leaky_relu(x, 0.2)
            if shifts is not None and k < len(shifts):
                mirrored = (x[:, 1 : SHUFFLE + 1].flip(1), x, x[:, -SHUFFLE - 1 : -1].flip(1))
                x = _Stretch.apply(torch.cat(mirrored, 1), SHUFFLE - shifts[k], x.shape[1])
        x = x.transpose(1, 2).flatten(1)
        with torch.autocast(x.device.type, enabled=False):  # a sum of 25,000 terms
            return self.fc1(x.to(self.fc1.weight.dtype))[:, 0]

    def lay_for_products(self) -> None:
        """Store the weights in the order in which `_by_products` reads them; their values stay."""
        for conv in self.convs:
            weight = conv.weight.data.permute(0, 2, 1).contiguous()
            conv.weight.data = weight.permute(0, 2, 1)


class _Stretch(torch.autograd.Function):
    """From each signal, `length` samples from its own `first`: (B, n, C) -> (B, length, C).

    Its gradient is the same operation on a padded gradient, and no sum in random order.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, length: int) -> Tensor:
        ctx.save_for_backward(first)
        ctx.n = x.shape[1]
        at = first[:, None] + torch.arange(length, device=x.device)
        return x[torch.arange(len(x), device=x.device)[:, None], at]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (first,), (grad,) = ctx.saved_tensors, grads
        beside = ctx.n - grad.shape[1]
        padded = nn.functional.pad(grad, (0, 0, beside, beside))
        return _Stretch.apply(padded, beside - first, ctx.n), None, None


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
