"""The Pulse2Pulse generator: a one-dimensional U-Net from noise to an eight-lead ECG."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgeval.generators.layers import N_LEADS, Generator, UpBlock, down_block

__all__ = ["Pulse2Pulse"]


class Pulse2Pulse(Generator):
    """Noise of an ECG's shape to an ECG, by a U-Net.

    Parameters have the names of the published checkpoint (there is no ``deconv_4``).

    Parameters
    ----------
    width : int
        Channels d of the layer at 250 samples, a multiple of 10; 50 as published.

    References
    ----------
    Thambawita V, et al. DeepFake electrocardiograms using generative adversarial networks are the
    beginning of the end for privacy issues in medicine. Sci Rep 2021;11:21896.
    doi:10.1038/s41598-021-01295-2
    """

    def __init__(self, width: int = 50) -> None:
        super().__init__()
        d = width
        self.noise_shape = (N_LEADS, 5000)
        self.bottleneck = {"conv_6": 10, "deconv_1": 2}
        self.conv_1 = down_block(N_LEADS, d // 5, 2)
        self.conv_2 = down_block(d // 5, d // 2, 5)
        self.conv_3 = down_block(d // 2, d, 2)
        self.conv_4 = down_block(d, 3 * d, 5)
        self.conv_5 = down_block(3 * d, 5 * d, 5)
        self.conv_6 = down_block(5 * d, 5 * d, 5)
        self.deconv_1 = UpBlock(5 * d, 5 * d, 5)
        self.deconv_2 = UpBlock(10 * d, 3 * d, 5)
        self.deconv_3 = UpBlock(6 * d, d, 5)
        self.deconv_5 = UpBlock(2 * d, d // 2, 2)
        self.deconv_6 = UpBlock(d, d // 5, 5)
        self.deconv_7 = UpBlock(d // 5, N_LEADS, 2)

    def forward(self, noise: Tensor) -> Tensor:
        """Return ECGs, shape (B, 8, 5000), in -1...1, from `noise` of the same shape."""
        leaky = nn.functional.leaky_relu
        x2 = leaky(self.conv_2(leaky(self.conv_1(noise))))
        x3 = leaky(self.conv_3(x2))
        x4 = leaky(self.conv_4(x3))
        x5 = leaky(self.conv_5(x4))
        x = torch.relu(self.deconv_1(leaky(self.conv_6(x5))))
        x = torch.relu(self.deconv_2(torch.cat([x, x5], dim=1)))
        x = torch.relu(self.deconv_3(torch.cat([x, x4], dim=1)))
        x = torch.relu(self.deconv_5(torch.cat([x, x3], dim=1)))
        x = torch.relu(self.deconv_6(torch.cat([x, x2], dim=1)))
        return torch.tanh(self.deconv_7(x))
