"""What a copy is looked for with: one detector an invariance, and the signals it compares.

Every set is brought to the same leads, rate, band and length first, so that a difference of
recording chain is no difference between people. A record without a usable signal (NaN, flat) has
no similarity to anything; it is counted, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.ecgset import DERIVABLE, EcgSet, apply_leads, derive_leads, resample
from ecgeval.errors import DataError
from ecgeval.preprocess import bandpass, common_leads
from ecgeval.privacy.search import Euclid, Kernel, Lagged, Nearest

__all__ = ["BAND_HZ", "DETECTORS", "Detector", "Signals", "beat_signals",
           "independent_leads", "record_signals"]  # fmt: skip

FS_HZ = 100.0
BAND_HZ = (3.0, 40.0)
"""A narrower band than the usual 0.5-40 Hz: the slow baseline and the step where a shifted copy was
filled up hide copies, not people. On 238 normal PTB-XL records it raised the recall of copies
shifted by 0.5, 2 and 5 s with foreign fill from .93, .89, .93 to 1.00, .99, 1.00."""
FLAT_MV = 1e-3
"""A record whose root mean square in the band, over leads, is below this is flat: one microvolt."""

BEAT_FS_HZ = 250.0
BEAT_CORE_S = (-0.25, 0.45)
"""Part of a representative beat that is compared, around its R peak."""


@dataclass(frozen=True)
class Detector:
    """One way to find a copy.

    Parameters
    ----------
    id : str
    label : str
        What it compares, for people.
    finds : str
        What a copy may have undergone and still be found.
    signals : {"record", "beat"}
        Which representation it compares.
    max_lag_s : float
        Largest shift looked at, s; 0 compares sample by sample.
    limits : (float, float)
        Range the similarity limit of a copy is kept in. Whole records that correlate less than
        the first over all leads and seconds are no copies in anyone's eyes, and beyond the second
        they always are. Beats of two people can be much more alike than that.
    """

    id: str
    label: str
    finds: str
    signals: str
    max_lag_s: float
    limits: tuple[float, float] = (0.85, 0.98)

    def kernel(self, queries: np.ndarray, references: np.ndarray) -> Kernel:
        """Return the search kernel over unit-norm signals of shape (n, leads, samples)."""
        if self.max_lag_s == 0:
            return Euclid(
                queries.reshape(len(queries), -1), references.reshape(len(references), -1)
            )
        fs = FS_HZ if self.signals == "record" else BEAT_FS_HZ
        return Lagged(queries, references, min(round(self.max_lag_s * fs), queries.shape[2] // 2))

    def correlation(self, found: Nearest) -> np.ndarray:
        """Return what a search found as correlations, shape (n, k); NaN where there is none."""
        return found.similarity if self.max_lag_s else 1 + found.similarity / 2


DETECTORS = (
    Detector("D1", "whole record, sample by sample", "gain, offset, noise, filtering", "record", 0),
    Detector(
        "D2", "whole record, best of shifts up to 5 s",
        "shift, gain, offset, noise, filtering", "record", 5.0,
    ),
    Detector(
        "D4", "representative beat, all leads",
        "any shift, another rhythm, gain, offset, noise", "beat", 0.04,
        (0.95, 0.9999),
    ),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Signals:
    """What the detectors compare of one set.

    Parameters
    ----------
    x : ndarray of float32, shape (n, leads, samples)
        Zero mean a lead, unit norm over all leads; zeros where unusable.
    usable : ndarray of bool, shape (n,)
    reasons : mapping of str to int
        Unusable records by reason.
    """

    x: np.ndarray
    usable: np.ndarray
    reasons: Mapping[str, int]


def independent_leads(sets: Sequence[EcgSet]) -> tuple[str, ...]:
    """Return the leads all sets have, without those that follow from I and II."""
    shared = common_leads(*sets)
    if "I" in shared and "II" in shared:
        return tuple(lead for lead in shared if lead not in DERIVABLE)
    return shared


def record_signals(ecgs: EcgSet, leads: Sequence[str], seconds: float) -> Signals:
    """Return records at 100 Hz, in `BAND_HZ`, unit norm.

    Parameters
    ----------
    ecgs : EcgSet
    leads : sequence of str
        Leads to compare, present in `ecgs`.
    seconds : float
        Length to compare, from the start of each record.
    """
    n_samples = int(seconds * FS_HZ + 1e-9)
    matrix = derive_leads(ecgs.leads, leads)
    x = np.zeros((len(ecgs), len(leads), n_samples), np.float32)
    finite = np.zeros(len(ecgs), bool)
    for rows, block in ecgs.batches(64):
        block = apply_leads(matrix, block)
        finite[rows] = np.isfinite(block).all(axis=(1, 2))
        at = np.flatnonzero(finite[rows])
        signal = resample(block[at], ecgs.fs, FS_HZ)[:, :, :n_samples].astype(np.float64)
        signal -= signal.mean(axis=2, keepdims=True)
        x[at + rows.start] = bandpass(signal, FS_HZ, *BAND_HZ)
    return _unit(x, finite)


def beat_signals(
    beats: np.ndarray, fs: float, have: Sequence[str], leads: Sequence[str]
) -> Signals:
    """Return the core of representative beats at 250 Hz, zero mean a lead, unit norm.

    Parameters
    ----------
    beats : ndarray, shape (n, have, samples)
        mV, over `BEAT_WINDOW_S` around the R peak; NaN where a record has none.
    fs : float
        Rate of `beats`, Hz.
    have : sequence of str
        Leads of `beats`.
    leads : sequence of str
        Leads to compare.

    Raises
    ------
    DataError
        If the shape is not that of one beat a record.
    """
    samples = round(-BEAT_WINDOW_S[0] * fs) + round(BEAT_WINDOW_S[1] * fs)
    if beats.shape[1:] != (len(have), samples):
        raise DataError(
            f"representative beats have shape {beats.shape}; expected (n, {len(have)}, {samples}): "
            f"one a record, {BEAT_WINDOW_S[0]} to {BEAT_WINDOW_S[1]} s around R at {fs:g} Hz"
        )
    first = round((BEAT_CORE_S[0] - BEAT_WINDOW_S[0]) * BEAT_FS_HZ)
    stop = round((BEAT_CORE_S[1] - BEAT_WINDOW_S[0]) * BEAT_FS_HZ)
    x = np.zeros((len(beats), len(leads), stop - first), np.float32)
    block = apply_leads(derive_leads(have, leads), np.asarray(beats, np.float32))
    finite = np.isfinite(block).all(axis=(1, 2))
    core = resample(block[finite], fs, BEAT_FS_HZ)[:, :, first:stop]
    x[finite] = core - core.mean(axis=2, keepdims=True)
    return _unit(x, finite)


def _unit(x: np.ndarray, finite: np.ndarray) -> Signals:
    size = np.sqrt((x.astype(np.float64) ** 2).sum(axis=(1, 2)))
    usable = finite & (size > FLAT_MV * np.sqrt(x.shape[1] * x.shape[2]))
    x /= np.where(usable, size, np.inf)[:, None, None]
    reasons = {"not finite": int((~finite).sum()), "flat": int((finite & ~usable).sum())}
    return Signals(x, usable, {why: n for why, n in reasons.items() if n})
