"""What a copy is looked for with: one detector an invariance, and the signals it compares.

Every set is brought to the same leads, rate, band and length first, so that a difference of
recording chain is no difference between people. A record without a usable signal (mostly NaN,
flat) has no similarity to anything; it is counted, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.ecgset import DERIVABLE, EcgSet, Microvolts, apply_leads, derive_leads, resample
from ecgeval.errors import DataError
from ecgeval.parallel import Progress, each_shard, quiet, shards
from ecgeval.preprocess import bandpass, common_leads
from ecgeval.privacy.copies.replay import Replayed
from ecgeval.privacy.copies.search import (
    Euclid,
    Kernel,
    Lagged,
    Leadwise,
    Nearest,
    Rows,
    Versions,
    Windowed,
)
from ecgeval.scratch import scratch_array

__all__ = [
    "BAND_HZ",
    "DETECTORS",
    "FLOORS",
    "Detector",
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

MAX_LAG_S = 5.0
NEAR_S = 2.0
FLOORS = (0.90, 0.95)
"""In sets too large for a complete search: smallest correlation that D2 looks for, at shifts up to
`NEAR_S` and beyond. Overlaps of half a record agree more by chance, so the bound excludes less."""
BIN_S = 0.5
COMPLETE_PAIRS = 20_000_000
"""Pairs up to which every pair is correlated at every shift."""
WINDOW_S = 4.5
"""Windows of D3: the first and the last of a record. A copy shifted by up to 5.5 s leaves one of
them whole. Beside D2, which a foreign fill's step disturbs, it raised the recall of copies shifted
by 5 s from .93 to .98 (60 planted among 238 normal PTB-XL records)."""
REPLAY_LAG_S = 1.0
"""Largest shift of a re-timed copy that D7 looks for; with 2 s it found as many of 117 planted in
PTB-XL, and strangers came nearer (99 % of their nearest below .70 instead of .65)."""
SINGLE_S = (-0.25, 0.45)
_SINGLE_EDGE_S = 0.05
_SINGLE_SAMPLES = (
    round((_SINGLE_EDGE_S - SINGLE_S[0]) * FS_HZ),
    round((SINGLE_S[1] + _SINGLE_EDGE_S) * FS_HZ),
)
"""Before and after the peak of a beat, its edges included."""

_STRETCHES = np.linspace(0.9, 1.1, 9)

Build = Callable[["np.ndarray | Rows", np.ndarray], Kernel]


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
    signals : {"record", "beat", "single"}
        Which representation it compares.
    build : callable
        ``(queries, references) -> Kernel`` over signals of shape (n, leads, samples).
    limits : (float, float)
        Range the similarity limit of a copy is kept in. Whole records that correlate less than
        the first over all leads and seconds are no copies in anyone's eyes, and beyond the second
        they always are. Beats of two people can be much more alike than that.
    screen : str
        Id of the detector among whose nearest records it looks where it cannot compare all pairs;
        empty where it always can.
    nearest : int
        How many of them.
    always : bool
        Whether it looks at those alone in sets of any size, not only of more than `COMPLETE_PAIRS`
        pairs.
    """

    id: str
    label: str
    finds: str
    signals: str
    build: Build
    limits: tuple[float, float] = (0.85, 0.98)
    screen: str = ""
    nearest: int = 8
    always: bool = False

    def screened(self, complete: bool) -> bool:
        """Return whether it looks at nearest records only, in sets to be compared completely."""
        return bool(self.screen) and (self.always or not complete)

    def kernel(
        self, queries: np.ndarray | Rows, references: np.ndarray, device: str = "cpu"
    ) -> Kernel:
        """Return the search kernel over signals of shape (n, leads, samples)."""
        kernel = self.build(queries, references)
        if device == "cpu":
            return kernel
        from ecgeval.privacy.copies.on_device import on_device

        return on_device(kernel, device)

    def correlation(self, found: Nearest) -> np.ndarray:
        """Return what a search found as correlations, shape (n, k); NaN where there is none."""
        return found.similarity if self.build is not Euclid else 1 + found.similarity / 2


def _lagged(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    return Lagged(queries, references, min(round(MAX_LAG_S * FS_HZ), references.shape[2] // 2))


def _windowed(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    samples = references.shape[2]
    width = min(round(WINDOW_S * FS_HZ), samples // 2)
    return Windowed(queries, references, (0, samples - width), width)


@cache
def _maps(
    fs: float,
    start_s: float,
    samples: int,
    core_s: tuple[float, float],
    lags_s: tuple[float, ...],
    stretches: tuple[float, ...],
) -> np.ndarray:
    """Return cubic interpolation to 100 Hz, moved and stretched, the plain version first."""
    from scipy.interpolate import make_interp_spline

    t = start_s + np.arange(samples) / fs
    spline = make_interp_spline(t, np.eye(samples))
    core = np.arange(round(core_s[0] * FS_HZ), round(core_s[1] * FS_HZ)) / FS_HZ
    ways = [(1.0, 0.0), *((a, b) for a in stretches for b in lags_s if (a, b) != (1.0, 0.0))]
    at = [np.clip(a * core + b, t[0], t[-1]) for a, b in ways]
    return np.stack([spline(way).T for way in at])


def _grid(most_ms: int, step_ms: int) -> tuple[float, ...]:
    return tuple(ms / 1000 for ms in range(-most_ms, most_ms + 1, step_ms))


def _beats(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    maps = _maps(BEAT_FS_HZ, BEAT_KEPT_S[0], references.shape[2], BEAT_CORE_S, _grid(40, 4), (1.0,))
    return Versions(queries, references, maps)


def _stretched(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    maps = _maps(
        BEAT_FS_HZ,
        BEAT_KEPT_S[0],
        references.shape[2],
        BEAT_CORE_S,
        _grid(16, 8),
        tuple(_STRETCHES.round(6)),
    )
    return Versions(queries, references, maps)


def _single(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    start = SINGLE_S[0] - _SINGLE_EDGE_S
    maps = _maps(FS_HZ, start, references.shape[2], SINGLE_S, _grid(25, 5), (1.0,))
    return Versions(queries, references, maps)


def _replayed(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    return Replayed(queries, references, FS_HZ, _STRETCHES[0], REPLAY_LAG_S)


DETECTORS = (
    Detector(
        "D1", "whole record, sample by sample", "gain, offset, noise, filtering", "record", Euclid
    ),
    Detector(
        "D2",
        "whole record, best of shifts up to 5 s",
        "shift, gain, offset, noise, filtering",
        "record",
        _lagged,
    ),
    Detector(
        "D3",
        "4.5 s at either end, anywhere in the other record",
        "large shifts, a part of a record",
        "record",
        _windowed,
        (0.85, 0.99),
        screen="D4",
    ),
    Detector(
        "D4",
        "representative beat, all leads",
        "another rhythm, a shift that brings in no other beats, gain, offset, noise",
        "beat",
        _beats,
        (0.95, 0.9999),
    ),
    Detector(
        "D4T",
        "representative beat, 0.9 to 1.1 times as long",
        "another speed, gain",
        "beat",
        _stretched,
        (0.95, 0.9999),
    ),
    Detector(
        "D5",
        "one beat against every beat of the other record",
        "a single beat, repeated",
        "single",
        _single,
        (0.95, 0.9999),
        screen="D4",
    ),
    Detector(
        "D6",
        "most similar single lead, sample by sample",
        "single leads, their gain and sign",
        "record",
        Leadwise,
    ),
    Detector(
        "D7",
        "whole record, 0.9 to 1.1 times as fast",
        "another speed, shifts up to 1 s, gain",
        "record",
        _replayed,
        screen="D4T",
        nearest=4,
        always=True,
    ),
)
"""D7 takes the place of dynamic time warping of beats, which found .90 of re-timed copies (on the
ten nearest by D4, 60 planted among 238 normal PTB-XL records) and no more of any other disguise."""


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
