"""Whether training and holdout patients were drawn alike: asked of the real sets alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ecgeval.privacy.copies.neighbours import Side
from ecgeval.privacy.copies.signals import BEAT_CORE_S, BEAT_FS_HZ, BEAT_KEPT_S, FS_HZ
from ecgeval.wording import plural

__all__ = [
    "LEAST_PATIENTS",
    "PERMUTATIONS",
    "P_ALIKE",
    "Alike",
    "drawn_alike",
    "record_features",
    "sides_alike",
    "there_are",
]

BANDS_HZ = ((3, 8), (8, 15), (15, 25), (25, 40))
PERMUTATIONS = 4999
P_ALIKE = 0.01
"""Below this, train and holdout are not from one population. Of 100 exchangeability tests of normal
PTB-XL patients against others, 30 a side, with Pulse2Pulse records that never saw either, 55 were
significant; none of these got past this test with beats, 13 without (at .001: 0 and 36)."""
LEAST_PATIENTS = 10
"""Fewest patients on either side for a test of training against holdout patients."""
_BEAT_STEP = 7  # samples at 250 Hz
_MOST = 1000  # patients a side that are looked at; the cost grows with their square
_BLOCK = 256


class Alike(NamedTuple):
    """Energy distance of two groups, its p, and its mean and central 95 % under permutation."""

    energy: float
    p: float
    expected: float
    floor: tuple[float, float]


def record_features(x: np.ndarray, fs: float) -> np.ndarray:
    """Return the log power of each lead in each band of `BANDS_HZ`, shape (n, leads * bands).

    Parameters
    ----------
    x : ndarray, shape (n, leads, samples)
        Unit norm over all leads: how leads share the amplitude counts, overall gain does not,
        for the detectors do not see it either.
    fs : float
        Hz.
    """
    hz = np.fft.rfftfreq(x.shape[-1], 1 / fs)
    out = np.empty((len(x), x.shape[1], len(BANDS_HZ)))
    for start in range(0, len(x), _BLOCK):
        power = np.abs(np.fft.rfft(x[start : start + _BLOCK], axis=-1)) ** 2
        for b, (low, high) in enumerate(BANDS_HZ):
            inside = (hz >= low) & (hz < high)
            out[start : start + _BLOCK, :, b] = power[..., inside].sum(axis=-1)
    return np.log(out + 1e-12).reshape(len(x), -1)


def drawn_alike(
    features: np.ndarray,
    person: np.ndarray,
    in_train: np.ndarray,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Alike:
    """Test whether two groups of patients come from one population (energy statistic).

    Parameters
    ----------
    features : ndarray, shape (n, d)
        One row a record.
    person : ndarray of int, shape (n,)
    in_train : ndarray of bool, shape (n,)
        The same for all records of a person.
    rng : Generator
    permutations : int

    Returns
    -------
    Alike
        Energy distance of the patients' mean features, robustly scaled; p by permuting patients,
        the observed arrangement counted.

    References
    ----------
    Szekely and Rizzo 2013, J Stat Plan Inference 143:1249, doi:10.1016/j.jspi.2013.03.018
    """
    people, code = np.unique(person, return_inverse=True)
    sums = np.stack([np.bincount(code, column) for column in features.T], axis=1)
    mean = sums / np.bincount(code)[:, None]
    label = np.zeros(len(people), bool)
    label[code] = in_train
    kept = np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(label == k))[:_MOST] for k in (True, False)])
    )
    mean, label = mean[kept], label[kept]
    spread = np.median(np.abs(mean - np.median(mean, axis=0)), axis=0)
    z = (mean - np.median(mean, axis=0)) / np.where(spread > 0, spread, np.inf)
    squares = (z**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * z @ z.T, 0))
    np.fill_diagonal(distance, 0)
    n, m = int(label.sum()), int((~label).sum())
    arrangements = np.stack([label, *(rng.permutation(label) for _ in range(permutations))])
    first = arrangements.astype(float)
    toward = first @ distance
    within = (toward * first).sum(axis=1)
    between = toward.sum(axis=1) - within
    others = distance.sum() - 2 * between - within
    energy = 2 * between / (n * m) - within / n**2 - others / m**2
    p = (1 + int((energy[1:] >= energy[0] - 1e-12).sum())) / (permutations + 1)
    low, high = np.quantile(energy[1:], (0.025, 0.975))
    return Alike(float(energy[0]), p, float(energy[1:].mean()), (float(low), float(high)))


def sides_alike(train: Side, holdout: Side, rng: np.random.Generator) -> Alike | None:
    """Return the outcome of `drawn_alike` over usable records, None for too few patients."""
    sides = [side.only(np.flatnonzero(side.signals["record"].usable)) for side in (train, holdout)]
    if min(side.people() for side in sides) < LEAST_PATIENTS:
        return None
    features = []
    for side in sides:
        rows = [record_features(side.signals["record"].x, FS_HZ)]
        if "beat" in side.signals:  # every 28 ms; zeros for a record without one
            first, stop = (round((s - BEAT_KEPT_S[0]) * BEAT_FS_HZ) for s in BEAT_CORE_S)
            core = side.signals["beat"].x[:, :, first:stop:_BEAT_STEP]
            rows.append(core.reshape(len(side), -1))
        features.append(np.concatenate(rows, axis=1))
    person = np.concatenate([side.person for side in sides])
    in_train = np.arange(len(person)) < len(sides[0])
    return drawn_alike(np.concatenate(features), person, in_train, rng)


def there_are(train: int, holdout: int, synth: int) -> str:
    """Return how many patients and records there are, for a finding that needs more.

    Without a holdout, with one too small to tell, or with one that is unlike, `holdout` is 0.
    """
    held = plural(holdout, "holdout patient") if holdout else "no holdout known to be drawn alike"
    return (
        f"there are {plural(train, 'training patient')}, {held} and "
        f"{plural(synth, 'usable synthetic record')}"
    )
