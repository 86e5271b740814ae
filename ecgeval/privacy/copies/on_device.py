"""The search kernels on a device of PyTorch: the same blocks, candidates and float64 re-rank.

Only the float32 similarities of a block are computed there. What could win within their margin is
decided on the CPU as always, so the outcome is the same on every device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecgeval.generators.sampling import check_device
from ecgeval.parallel import shards
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.kernels.samplewise import Euclid, Leadwise
from ecgeval.privacy.copies.kernels.versions import Versions, _versions
from ecgeval.privacy.copies.kernels.windowed import Windowed
from ecgeval.privacy.copies.search import ROUNDING, Kernel

__all__ = ["LagScores", "on_device"]

_TILE_BYTES = 2**28


def on_device(kernel: Kernel, device: str) -> Kernel:
    """Return the kernel with its blocks computed on a device.

    Parameters
    ----------
    kernel : Kernel
        One of `ecgeval.privacy.copies.search`.
    device : str
        ``"cpu"`` returns the kernel itself.

    Raises
    ------
    UsageError
        If PyTorch finds no such device.
    """
    check_device(device)
    return kernel if device == "cpu" else _FORMS[type(kernel)](kernel, torch.device(device))


class _OnDevice:
    """A kernel whose `block` runs elsewhere; all else is the kernel's own."""

    def __init__(self, kernel: Any, device: torch.device) -> None:
        self.kernel, self.device = kernel, device

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)

    @property
    def shape(self) -> tuple[int, int]:
        n, m = self.kernel.shape
        return n, m

    def of(self, queries: Any) -> _OnDevice:
        """Return the kernel of other queries, as `search.Lagged.of`."""
        out: _OnDevice = object.__new__(type(self))  # copy.copy asks `__getattr__` too early
        out.__dict__.update(self.__dict__, kernel=self.kernel.of(queries))
        return out

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        out: np.ndarray = self.kernel.exact(i, j)
        return out

    def to(self, x: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(x)).to(self.device)


class _Euclid(_OnDevice):
    def __init__(self, kernel: Euclid, device: torch.device) -> None:
        super().__init__(kernel, device)
        self.b = self.to(kernel.references.reshape(len(kernel.references), -1))
        self.norms = (self.b * self.b).sum(1)

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        x = self.kernel.queries[rows]
        with _exact_products():
            a = self.to(x.reshape(len(x), -1))
            norms = (a * a).sum(1)[:, None] + self.norms
            close = 2 * (a @ self.b.T) - norms
        return close.cpu().numpy(), (norms * ROUNDING).cpu().numpy()


class _Leadwise(_OnDevice):
    def __init__(self, kernel: Leadwise, device: torch.device) -> None:
        super().__init__(kernel, device)
        self.b = self._unit(kernel.references)

    def _unit(self, x: np.ndarray) -> Tensor:
        out = self.to(x)
        norm = out.norm(dim=2, keepdim=True)
        return out / torch.where(norm > 0, norm, torch.inf)

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        a = self._unit(self.kernel.queries[rows])
        out = torch.zeros(len(a), len(self.b), device=self.device)
        with _exact_products():
            for lead in range(a.shape[1]):
                torch.maximum(out, (a[:, lead] @ self.b[:, lead].T).abs(), out=out)
        return out.cpu().numpy(), ROUNDING


class _Lagged(_OnDevice):
    def __init__(self, kernel: Lagged, device: torch.device) -> None:
        super().__init__(kernel, device)
        self.spectra = _by_frequency(self.to(kernel.references), kernel.length).transpose(1, 2)
        self.weights = self.to(kernel._weights.T.astype(np.float32))

    def scores(self, x: np.ndarray, over: np.ndarray | None = None) -> Tensor:
        """Return the best correlation of queries with all references, or best over `over` a lag."""
        k = self.kernel
        out = torch.empty(len(x), k.shape[1], device=self.device)
        weights = k._overlap(x, 1) if over is None else k._overlap(x, 1) * over
        mine = self.to(weights.T.astype(np.float32))
        spectra = _by_frequency(self.to(x), k.length).conj()
        with _exact_products():
            for q, r in _tiles(len(x), k.shape[1], 12 * k.length):
                cross = spectra[:, q] @ self.spectra[:, :, r]
                rho = torch.fft.irfft(cross, k.length, dim=0)
                rho = torch.cat([rho[k.length - k.max_lag :], rho[: k.max_lag + 1]])
                rho *= mine[:, q, None]
                rho *= self.weights[:, None, r]
                out[q, r] = rho.amax(0)
        return out

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        margin: float = self.kernel.margin
        return self.scores(self.kernel.queries[rows]).cpu().numpy(), margin


class LagScores:
    """All correlations over the floor themselves, in the place of `search.LagBound`.

    Where they cost so little, no bound is cheaper.

    Parameters
    ----------
    kernel : Kernel
        What `on_device` made of a `Lagged`.
    floors : ndarray, shape (max_lag + 1,)
        Smallest correlation of interest at each absolute lag.
    """

    def __init__(self, kernel: Any, floors: np.ndarray) -> None:
        self.kernel = kernel
        self.over = (1 / floors[np.abs(kernel.lags)]).astype(np.float32)

    def over_floor(self, x: np.ndarray) -> np.ndarray:
        """Return the correlation over the floor, shape (n, m), within 1e-4."""
        out: np.ndarray = self.kernel.scores(x, self.over).cpu().numpy()
        return out

    def correlated(self, x: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the possible pairs: there is no second stage."""
        i, j = np.nonzero(possible)
        return i, j


class _Windowed(_OnDevice):
    def __init__(self, kernel: Windowed, device: torch.device) -> None:
        super().__init__(kernel, device)
        self.spectra = _by_frequency(self.to(kernel.references), kernel.length).transpose(1, 2)
        self.weights = self.to(kernel._weights.T.astype(np.float32))

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        k = self.kernel
        x = k.queries[rows]
        out = torch.full((len(x), k.shape[1]), -torch.inf, device=self.device)
        with _exact_products():
            for window in k._windows(x):
                spectra = _by_frequency(self.to(window), k.length).conj()
                for q, r in _tiles(len(x), k.shape[1], 12 * k.length):
                    cross = spectra[:, q] @ self.spectra[:, :, r]
                    rho = torch.fft.irfft(cross, k.length, dim=0)[: len(self.weights)]
                    rho *= self.weights[:, None, r]
                    out[q, r] = torch.maximum(out[q, r], rho.amax(0))
        return out.cpu().numpy(), k.margin


class _Versions(_OnDevice):
    """All directions are compared, so that rounding is the only margin."""

    def __init__(self, kernel: Versions, device: torch.device) -> None:
        super().__init__(kernel, device)
        self.b = self.to(kernel.references.astype(np.float32)).T

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        k = self.kernel
        x = k.queries[rows]
        out = torch.full((len(x), k.shape[1]), -torch.inf, device=self.device)
        maps = k.maps.astype(np.float32)
        with _exact_products():
            for q in shards(len(x), 128):
                many = self.to(_versions(x[q], maps, k.versions))
                for version in range(k.versions):
                    out[q] = torch.maximum(out[q], many[:, version] @ self.b)
        return out.cpu().numpy(), ROUNDING


_FORMS: dict[type, Any] = {
    Euclid: _Euclid,
    Lagged: _Lagged,
    Leadwise: _Leadwise,
    Versions: _Versions,
    Windowed: _Windowed,
}


def _by_frequency(x: Tensor, length: int) -> Tensor:
    """Return spectra, shape (frequencies, n, leads)."""
    return torch.fft.rfft(x, length).permute(2, 0, 1).contiguous()


def _tiles(n: int, m: int, pair_bytes: int) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of pairs, of a size that the device's memory holds many times."""
    wide = max(1, min(m, 1024))
    for q in shards(n, max(1, _TILE_BYTES // (pair_bytes * wide))):
        for r in shards(m, wide):
            yield q, r


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    """Keep CUDA from rounding the factors of products to TF32."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
