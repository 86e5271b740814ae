"""A small residual network on waveforms: the last rung of the ladder of classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecgeval.stats.arrays import Floats

__all__ = ["resnet"]


CHANNELS = (16, 32, 64)
TAPS = 7
EPOCHS = 12
BATCH = 32
RATE = 0.01
CROP = 0.5
CLIP = 20.0


class _Block(nn.Module):
    """Two convolutions and a shortcut, at half the rate of the input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs, outputs, TAPS, stride=2, padding=TAPS // 2, bias=False)
        self.second = nn.Conv1d(outputs, outputs, TAPS, padding=TAPS // 2, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm1d(outputs) for _ in range(2)])
        self.shortcut = nn.Conv1d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.norms[0](self.first(x))))
        return F.relu(self.norms[1](y) + self.shortcut(x))


class _ResNet(nn.Module):
    def __init__(self, leads: int) -> None:
        super().__init__()
        first, *_ = CHANNELS
        self.stem = nn.Conv1d(leads, first, TAPS, stride=2, padding=TAPS // 2, bias=False)
        self.norm = nn.BatchNorm1d(first)
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in pairwise(CHANNELS)))
        self.head = nn.Linear(2 * CHANNELS[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.blocks(F.relu(self.norm(self.stem(x))))
        return self.head(torch.cat([y.mean(dim=-1), y.amax(dim=-1)], dim=1))[:, 0]


def resnet(
    x: Floats, y: NDArray[np.bool_], *, seed: int, device: str = "cpu"
) -> Callable[[Floats], Floats]:
    """Fit a 1-D residual network, both classes weighing the same.

    Number of epochs and rate of learning are fixed before the data are seen. Trains on random
    halves of each record, scores whole ones. On a CPU one thread is used, so the result depends on
    the seed and the kind of processor only.

    Parameters
    ----------
    x : ndarray of float32, shape (n, leads, samples)
        mV, at about 100 Hz.
    y : ndarray of bool, shape (n,)
        True for synthetic.
    seed : int
    device : {"cpu", "cuda"}

    Returns
    -------
    callable
        From records to log-odds.

    References
    ----------
    Wang, Yan and Oates 2017, IJCNN, doi:10.1109/IJCNN.2017.7966039; Strodthoff et al. 2021, IEEE
    J Biomed Health Inform 25:1519, doi:10.1109/JBHI.2020.3022989 (for ECGs)
    """
    spread = np.maximum(x.std(axis=(0, 2)), 1e-6)[:, None]

    def tensor(new: Floats) -> Tensor:
        return torch.from_numpy(np.clip(new / spread, -CLIP, CLIP).astype(np.float32))

    with _deterministic(seed):
        order = torch.Generator().manual_seed(seed)
        network = _ResNet(x.shape[1]).to(device)
        data, target = tensor(x), torch.from_numpy(y.astype(np.float32))
        weight = torch.where(target > 0, 1 / target.sum(), 1 / (1 - target).sum()) * len(y) / 2
        steps = EPOCHS * (len(y) // BATCH or 1)
        tuned = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(tuned, RATE, total_steps=steps)
        crop = max(int(CROP * x.shape[2]), 1)
        network.train()
        for _ in range(EPOCHS):
            shuffled = torch.randperm(len(y), generator=order)
            for batch in shuffled[: len(y) // BATCH * BATCH or len(y)].split(BATCH):
                start = int(torch.randint(x.shape[2] - crop + 1, (1,), generator=order))
                odds = network(data[batch, :, start : start + crop].to(device))
                loss = F.binary_cross_entropy_with_logits(
                    odds, target[batch].to(device), weight[batch].to(device)
                )
                tuned.zero_grad()
                loss.backward()
                tuned.step()
                schedule.step()
        network.eval()

    def score(new: Floats) -> Floats:
        with _deterministic(seed), torch.no_grad():
            parts = [network(part.to(device)).cpu() for part in tensor(new).split(256)]
        return torch.cat(parts).numpy().astype(float)

    return score


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Use one thread, exact kernels and the seed; leave torch's own state as it was."""
    threads = torch.get_num_threads()
    kept = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = kept
