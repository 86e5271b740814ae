"""Layers shared by the generators, and their fast form with the same weights.

Every generator of Thambawita et al. 2021 (doi:10.1038/s41598-021-01295-2) grows its signal by
up-blocks: repeat each sample s times, then convolve with 25 taps. Of the 25 products only about
25/s are different, so the block equals s short convolutions of the signal before the repetition
(polyphase form); next to the two-sample bottleneck a layer is one small dense matrix.
"""

from __future__ import annotations

import copy
import itertools

from torch import Tensor, nn

__all__ = ["KERNEL", "N_LEADS", "Dense", "Generator", "Polyphase", "UpBlock", "down_block", "fast"]

KERNEL = 25
"""Taps of every convolution; odd, so that zero padding of 12 keeps the length."""

N_LEADS = 8
"""Channels of every output: I, II, V1 ... V6."""


class Generator(nn.Module):
    """A network from noise of `noise_shape` to ECGs of shape (B, 8, 5000) in -1...1.

    `bottleneck` names the layers that `fast` makes dense, with the length of their input.
    """

    noise_shape: tuple[int, ...]
    bottleneck: dict[str, int]


def down_block(n_in: int, n_out: int, stride: int) -> nn.Conv1d:
    """Return the strided convolution that divides the length by `stride`."""
    return nn.Conv1d(n_in, n_out, KERNEL, stride, padding=KERNEL // 2)


class UpBlock(nn.Module):
    """Repeat each sample `scale` times, then convolve: (B, n_in, L) -> (B, n_out, scale*L)."""

    def __init__(self, n_in: int, n_out: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv1d = nn.Conv1d(n_in, n_out, KERNEL, padding=KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1d(x.repeat_interleave(self.scale, dim=-1))


class Polyphase(nn.Module):
    """An `UpBlock`, of scale 6 at most, as `scale` short convolutions at the low rate.

    Of the repeated signal, output sample q sums w[j] * x[(q + j - 12) // s] over the 25 taps j.
    With q = s*m + r - cut, and cut such that 12 + cut = s*reach, that is x[m - reach + (r + j)//s]:
    for each phase r < s, the taps that meet the same x add up to one weight.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        s, conv = block.scale, block.conv1d
        taps = _taps(conv)
        n_taps = (s + KERNEL - 2) // s + 1
        phases = taps.new_zeros(s, n_taps, conv.out_channels, conv.in_channels)
        for r, j in itertools.product(range(s), range(KERNEL)):
            phases[r, (r + j) // s] += taps[j]
        weight = phases.permute(2, 0, 3, 1).flatten(0, 1).to(conv.weight.dtype)
        self.scale = s
        self.reach = -(-(KERNEL // 2) // s)
        self.cut = s * self.reach - KERNEL // 2
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", _bias(conv).repeat_interleave(s))

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.conv1d(x, self.weight, self.bias, padding=self.reach)
        y = y.unflatten(1, (-1, self.scale)).transpose(2, 3).flatten(2)
        return y.narrow(2, self.cut, self.scale * x.shape[2])


class Dense(nn.Module):
    """A convolution or `UpBlock` as one matrix, for inputs of `length` samples.

    Output sample q sums w[j] * x[p] over every repetition i of input sample p that tap j meets:
    j = repeat*p + i - stride*q + 12.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: nn.Conv1d | UpBlock, length: int) -> None:
        super().__init__()
        repeat, conv = (layer.scale, layer.conv1d) if isinstance(layer, UpBlock) else (1, layer)
        stride = conv.stride[0]
        n_out = -(-length * repeat // stride)
        taps = _taps(conv)
        matrix = taps.new_zeros(n_out, length, conv.out_channels, conv.in_channels)
        for q, p, i in itertools.product(range(n_out), range(length), range(repeat)):
            j = repeat * p + i - stride * q + KERNEL // 2
            if 0 <= j < KERNEL:
                matrix[q, p] += taps[j]
        weight = matrix.permute(2, 0, 3, 1).flatten(2).flatten(0, 1).to(conv.weight.dtype)
        self.n_out = n_out
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", _bias(conv).repeat_interleave(n_out))

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.linear(x.flatten(1), self.weight, self.bias)
        return y.unflatten(1, (-1, self.n_out))


def _taps(conv: nn.Conv1d) -> Tensor:
    """Return the weights by tap, shape (25, n_out, n_in), in double precision."""
    return conv.weight.detach().double().permute(2, 0, 1).contiguous()


def _bias(conv: nn.Conv1d) -> Tensor:
    assert conv.bias is not None
    return conv.bias.detach()


def fast(model: Generator) -> Generator:
    """Return a copy of a generator that computes the same function faster, for inference only.

    Parameters
    ----------
    model : Generator

    Returns
    -------
    Generator
        In float64 it equals the direct graph (1e-9 µV, published weights). In float32 the two
        differ by 0.018 µV at most over 128 records, one sample in 57,000 by more than 0.01 µV:
        that much is the direct graph's own rounding, for it moves by 0.012 µV where only its
        decoder is computed in float64, and by 0.10 µV between batches of 1 and of 32. All of
        them are up to 0.27 µV off the exact value, lost in the first layers.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for name, length in model.bottleneck.items():
        setattr(model, name, Dense(getattr(model, name), length))
    for name, layer in model.named_children():
        if isinstance(layer, UpBlock):
            setattr(model, name, Polyphase(layer))
    return model
