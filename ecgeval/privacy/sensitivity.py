"""The positive control: copies planted on purpose, and the share of them that is found.

"No copies found" means something only beside how many would have been found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["TRANSFORMS", "Transform", "plant"]

NOISE_MV = 0.02
LOWPASS_HZ = 25.0
SHIFT_S = 0.5


@dataclass(frozen=True)
class Transform:
    """A disguise a planted copy wears.

    Parameters
    ----------
    id, label : str
    apply : callable
        ``(x, fs, rng) -> x``; x in mV, shape (n, leads, samples).
    beat : callable
        The same for representative beats.
    """

    id: str
    label: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    beat: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _same(x: np.ndarray, fs: float, rng: np.random.Generator) -> np.ndarray:
    return x


def _noise(x: np.ndarray, fs: float, rng: np.random.Generator) -> np.ndarray:
    return x + rng.normal(0, NOISE_MV, x.shape)


def _noise_of_median_beat(x: np.ndarray, fs: float, rng: np.random.Generator) -> np.ndarray:
    # A representative beat is a median over about ten: its noise falls by sqrt(10).
    return x + rng.normal(0, NOISE_MV / np.sqrt(10), x.shape)


def _gain(x: np.ndarray, fs: float, rng: np.random.Generator) -> np.ndarray:
    return x * np.exp2(rng.uniform(-1, 1, (len(x), 1, 1)))


def _shift(x: np.ndarray, fs: float, rng: np.random.Generator) -> np.ndarray:
    """Move half a second later; what comes in at the start is the previous record's end."""
    by = round(SHIFT_S * fs)
    return np.concatenate([np.roll(x, 1, axis=0)[:, :, -by:], x[:, :, :-by]], axis=2)


def _lowpass(x: np.ndarray, fs: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.signal import butter, sosfiltfilt

    if fs <= 2 * LOWPASS_HZ:
        return x
    return sosfiltfilt(butter(4, LOWPASS_HZ, fs=fs, output="sos"), x, axis=2)


TRANSFORMS = (
    Transform("exact", "exact", _same, _same),
    Transform("noise", "+ 20 µV noise", _noise, _noise_of_median_beat),
    Transform("gain", "gain 0.5 to 2", _gain, _gain),
    Transform("shift", "shift 0.5 s, foreign fill", _shift, _same),
    Transform("lowpass", "low-pass 25 Hz", _lowpass, _lowpass),
)


def plant(
    x: np.ndarray, fs: float, transform: Transform, rng: np.random.Generator,
    *, beat: bool = False,
) -> np.ndarray:  # fmt: skip
    """Return disguised copies of records (or of representative beats), float32 mV.

    Parameters
    ----------
    x : ndarray, shape (n, leads, samples)
        mV.
    fs : float
        Hz.
    transform : Transform
    rng : numpy.random.Generator
    beat : bool
        Whether `x` are representative beats.
    """
    change = transform.beat if beat else transform.apply
    return np.asarray(change(x.astype(np.float64), fs, rng), np.float32)
