"""The WaveGAN* generator: one vector of noise to an eight-lead ECG."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgeval.generators.layers import N_LEADS, Generator, UpBlock

__all__ = ["WaveGANStar"]


class WaveGANStar(Generator):
    """A vector of 100 random numbers to an ECG, by the decoder of Pulse2Pulse without skips.

    Parameters
    ----------
    width : int
        Channels d of the layer at 250 samples, a multiple of 10; 50 as published.

    References
    ----------
    Thambawita et al. 2021, doi:10.1038/s41598-021-01295-2; after Donahue et al. 2019,
    arXiv:1802.04208.
    """

    def __init__(self, width: int = 50) -> None:
        super().__init__()
        d = width
        self.noise_shape = (100,)
        self.bottleneck = {"deconv_1": 2}
        self.fc1 = nn.Linear(100, 10 * d)
        self.deconv_1 = UpBlock(5 * d, 5 * d, 5)
        self.deconv_2 = UpBlock(5 * d, 3 * d, 5)
        self.deconv_3 = UpBlock(3 * d, d, 5)
        self.deconv_5 = UpBlock(d, d // 2, 2)
        self.deconv_6 = UpBlock(d // 2, d // 5, 5)
        self.deconv_7 = UpBlock(d // 5, N_LEADS, 2)

    def forward(self, noise: Tensor) -> Tensor:
        """Return ECGs, shape (B, 8, 5000), in -1...1, from `noise` of shape (B, 100)."""
        x = torch.relu(self.fc1(noise).unflatten(1, (-1, 2)))
        x = torch.relu(self.deconv_1(x))
        x = torch.relu(self.deconv_2(x))
        x = torch.relu(self.deconv_3(x))
        x = torch.relu(self.deconv_5(x))
        x = torch.relu(self.deconv_6(x))
        return torch.tanh(self.deconv_7(x))
