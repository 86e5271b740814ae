"""What the detectors compare: every set in the same leads, rate, band and length.

A difference of recording chain is then no difference between people. A record without a usable
signal (mostly NaN, flat) has no similarity to anything; it is counted, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.ecgset import DERIVABLE, EcgSet, Microvolts, apply_leads, derive_leads, resample
from ecgeval.errors import DataError
from ecgeval.parallel import Progress, each_shard, quiet, shards
from ecgeval.preprocess import bandpass, common_leads
from ecgeval.scratch import scratch_array

__all__ = [
    "BAND_HZ",
    "BEAT_CORE_S",
    "BEAT_FS_HZ",
    "BEAT_KEPT_S",
    "FS_HZ",
    "Signals",
    "beat_signals",
    "independent_leads",
    "record_signals",
    "single_beats",
]

FS_HZ = 100.0

_BLOCK = 64  # records
_BEATS_BLOCK = 1024  # representative beats

BAND_HZ = (3.0, 40.0)
"""A narrower band than the usual 0.5-40 Hz: the slow baseline and the step where a shifted copy was
filled up hide copies, not people. On 238 normal PTB-XL records it raised the recall of copies
shifted by 0.5, 2 and 5 s with foreign fill from .93, .89, .93 to 1.00, .99, 1.00."""

FLAT_MV = 1e-3
"""A record whose root mean square in the band, over leads, is below this is flat: one microvolt."""

LEAST_KNOWN = 0.5
"""Share of a record's samples that must be finite; gaps of others are bridged."""

BEAT_FS_HZ = 250.0

BEAT_CORE_S = (-0.25, 0.45)
"""Part of a representative beat that is compared, around its R peak."""

BEAT_KEPT_S = (-0.3, 0.512)
"""Part that is kept, for beats that are moved or stretched."""

SINGLE_S = (-0.25, 0.45)

SINGLE_EDGE_S = 0.05

_SINGLE_SAMPLES = (
    round((SINGLE_EDGE_S - SINGLE_S[0]) * FS_HZ),
    round((SINGLE_S[1] + SINGLE_EDGE_S) * FS_HZ),
)
"""Before and after the peak of a beat, its edges included."""


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
    parts : ndarray of float32, shape (p, leads, samples), optional
        What others are compared with, where that is not `x`: every beat of the records.
    owner : ndarray of int, shape (p,), optional
        Row of the record that each part belongs to.
    """

    x: np.ndarray
    usable: np.ndarray
    reasons: Mapping[str, int]
    parts: np.ndarray | None = None
    owner: np.ndarray | None = None

    def only(self, rows: np.ndarray) -> Signals:
        """Return the records in `rows`."""
        x = np.asarray(self.x)[rows]
        if self.parts is None or self.owner is None:
            return Signals(x, self.usable[rows], self.reasons)
        place = np.full(len(self.x), -1)
        place[rows] = np.arange(len(x))
        kept = place[self.owner] >= 0
        return Signals(
            x, self.usable[rows], self.reasons, self.parts[kept], place[self.owner[kept]]
        )


def independent_leads(sets: Sequence[EcgSet]) -> tuple[str, ...]:
    """Return the leads all sets have, without those that follow from I and II."""
    shared = common_leads(*sets)
    if "I" in shared and "II" in shared:
        return tuple(lead for lead in shared if lead not in DERIVABLE)
    return shared


def record_signals(
    ecgs: EcgSet,
    leads: Sequence[str],
    seconds: float,
    *,
    jobs: int = 1,
    stage: str = "signals",
    progress: Progress = quiet,
) -> Signals:
    """Return records at 100 Hz, in `BAND_HZ`, unit norm.

    Parameters
    ----------
    ecgs : EcgSet
    leads : sequence of str
        Leads to compare, present in `ecgs`.
    seconds : float
        Length to compare, from the start of each record.
    jobs, stage, progress
        As in `map_shards`.
    """
    n_samples = int(seconds * FS_HZ + 1e-9)
    matrix = derive_leads(ecgs.leads, leads)
    x = scratch_array((len(ecgs), len(leads), n_samples))
    finite, usable = np.zeros((2, len(ecgs)), bool)
    parts = shards(len(ecgs), _BLOCK)
    blocks = each_shard(
        partial(_record_block, fs=ecgs.fs, matrix=matrix, n_samples=n_samples),
        ecgs.pieces(_BLOCK),
        jobs=jobs,
        stage=stage,
        progress=progress,
        weights=[rows.stop - rows.start for rows in parts],
    )
    for rows, block in zip(parts, blocks, strict=True):
        x[rows], finite[rows], usable[rows] = block
    return _signals(x, finite, usable)


def _record_block(
    piece: np.ndarray | Microvolts, *, fs: float, matrix: np.ndarray, n_samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the signals of a few records, and which are finite and usable."""
    block = apply_leads(matrix, np.asarray(piece[:]))
    known = np.isfinite(block)
    finite = known.mean(axis=(1, 2)) >= LEAST_KNOWN
    for row in np.flatnonzero(finite & ~known.all(axis=(1, 2))):
        block[row] = _bridged(block[row], known[row])
    signal = _centred(resample(block[finite], fs, FS_HZ)[:, :, :n_samples].astype(np.float64))
    out = np.zeros((*block.shape[:2], n_samples), np.float32)
    out[finite] = bandpass(signal, FS_HZ, *BAND_HZ)
    x, usable = _unit(out, finite)
    return x, finite, usable


def _bridged(record: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return a record with straight lines over its gaps; a lead that is not there at all is flat.

    A copy with a sample missing is still a copy.
    """
    t = np.arange(record.shape[1])
    return np.stack(
        [
            np.interp(t, t[k], lead[k]) if k.any() else np.zeros_like(lead)
            for lead, k in zip(record, known, strict=True)
        ]
    ).astype(record.dtype)


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
    first = round((BEAT_KEPT_S[0] - BEAT_WINDOW_S[0]) * BEAT_FS_HZ)
    stop = round((BEAT_KEPT_S[1] - BEAT_WINDOW_S[0]) * BEAT_FS_HZ)
    matrix = derive_leads(have, leads)
    x = scratch_array((len(beats), len(leads), stop - first))
    finite, usable = np.zeros((2, len(beats)), bool)
    for rows in shards(len(beats), _BEATS_BLOCK):
        block = apply_leads(matrix, np.asarray(beats[rows], np.float32))
        known = np.isfinite(block).all(axis=(1, 2))
        out = np.zeros((len(block), *x.shape[1:]), np.float32)
        out[known] = _centred(resample(block[known], fs, BEAT_FS_HZ)[:, :, first:stop])
        finite[rows] = known
        x[rows], usable[rows] = _unit(out, known)
    return _signals(x, finite, usable)


def single_beats(
    records: Signals, *, every: bool = True, jobs: int = 1, progress: Progress = quiet
) -> Signals:
    """Return one beat of each record, for comparison with every beat of the others.

    Beats are where the squared slope over all leads, smoothed over 50 ms, has its peaks: those of
    at least .3 of the highest, .3 s apart. The one taken is the middle one.

    Parameters
    ----------
    records : Signals
        From `record_signals`.
    every : bool
        Keep all beats as parts; without, records can be compared with others but not be searched.
    jobs, progress
        As in `map_shards`.
    """
    blocks = each_shard(
        partial(_single_block, every=every),
        ((records.x[r], records.usable[r]) for r in shards(len(records.x), _BLOCK)),
        jobs=jobs,
        stage="single beats",
        progress=progress,
        weights=[r.stop - r.start for r in shards(len(records.x), _BLOCK)],
    )
    x = scratch_array((*records.x.shape[:2], sum(_SINGLE_SAMPLES)))
    usable = np.zeros(len(x), bool)
    parts, owner = [np.zeros((0, *x.shape[1:]), np.float32)], [np.zeros(0, int)]
    for r, (own, known, some, whose) in zip(shards(len(x), _BLOCK), blocks, strict=True):
        x[r], usable[r] = own, known
        parts.append(some)
        owner.append(whose + r.start)
    if not every:
        return Signals(x, usable, {})
    return Signals(x, usable, {}, np.concatenate(parts), np.concatenate(owner))


def _single_block(
    block: tuple[np.ndarray, np.ndarray], *, every: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the beat taken of each record, which have one, every beat, and whose it is."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks

    records, usable = block
    before, after = _SINGLE_SAMPLES
    x = np.zeros((*records.shape[:2], before + after), np.float32)
    known = np.zeros(len(x), bool)
    parts: list[np.ndarray] = []
    owner: list[int] = []
    for row in np.flatnonzero(usable).tolist():
        record = np.asarray(records[row])
        steep = uniform_filter1d((np.diff(record, axis=1) ** 2).sum(axis=0), 5)
        peaks = find_peaks(steep, 0.3 * steep.max(), distance=round(0.3 * FS_HZ))[0]
        peaks = peaks[(peaks >= before) & (peaks + after <= record.shape[1])]
        beats = [record[:, p - before : p + after] for p in peaks]
        if beats:
            x[row], known[row] = beats[len(beats) // 2], True
        if every:
            parts += beats
            owner += [row] * len(beats)
    return x, known, np.array(parts, np.float32).reshape(-1, *x.shape[1:]), np.array(owner, int)


def _centred(x: np.ndarray) -> np.ndarray:
    """Return signals of zero mean a lead: an offset is of the recorder, not of the heart."""
    return x - x.mean(axis=2, keepdims=True)


def _unit(x: np.ndarray, finite: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return records of unit norm, and which have a signal; zeros without."""
    size = np.sqrt((x.astype(np.float64) ** 2).sum(axis=(1, 2)))
    usable = finite & (size > FLAT_MV * np.sqrt(x.shape[1] * x.shape[2]))
    x /= np.where(usable, size, np.inf)[:, None, None]
    return x, usable


def _signals(x: np.ndarray, finite: np.ndarray, usable: np.ndarray) -> Signals:
    reasons = {"not finite": int((~finite).sum()), "flat": int((finite & ~usable).sum())}
    return Signals(x, usable, {why: n for why, n in reasons.items() if n})
