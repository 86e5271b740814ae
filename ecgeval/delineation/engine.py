"""The project's own delineation: all leads at once, on representative beats, in numpy.

A chunk is filtered by one FFT pass (`rpeaks.band`); beats are found and aligned over all leads
(`rpeaks.find`, `rpeaks.align`); the dominant beats of a record are averaged lead by lead
(`averaging.average`); waves are marked once, on the averages and on each beat of another kind
(`boundaries`), and the marks carried to every beat they stand for. Records longer than 20 s are
taken in windows of about 10 s, so that marks follow the heart rate.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from ecgeval.delineation.averaging import (
    BEFORE,
    ROOM,
    average,
    centre,
    gather,
    lead_quantile,
    unpace,
)
from ecgeval.delineation.base import Delineation, Status, empty
from ecgeval.delineation.boundaries import mark
from ecgeval.delineation.rpeaks import RATE, Beats, align, band, find, summit

__all__ = ["delineate"]

LOWEST_HZ, HIGHEST_HZ = 100, 1000
SHORTEST_S = 2.0
FLAT_MV = 1e-3
"""A lead whose range is below this carries nothing."""

WINDOW_S, OVERLAP_S, WHOLE_S = 10.0, 2.0, 20.0
_ROWS = 16  # windows at a time: bounds memory, and stays in the caches

# Once an array this large has been freed, the C library keeps the memory of smaller ones instead of
# giving it back to the system after each: a tenth of the time. Its pages are never touched.
np.empty(31 << 20, np.uint8)

_UNPACED = round(60 / 140 * RATE)  # beats closer than this are not paced: narrow, not spikes
_LEAST_GAP_MS = 40  # from the end of T to the next QRS
_LIKE, _SMALL, _LARGE = 0.7, 0.6, 1.7  # what counts as a dominant beat


@dataclass
class _Window:
    """What is known of one window of one record."""

    peaks: np.ndarray  # (beats,) R peaks, samples of the record
    dominant: np.ndarray  # (beats,)
    marks: np.ndarray  # (beats, leads, 9) samples of the record, NaN where missing
    average: np.ndarray  # (leads, samples) at RATE
    lead_marks: np.ndarray  # (leads, 9) ms
    live: np.ndarray  # (leads,) whether a lead carries a signal
    used: int  # beats averaged
    rr: float  # typical interval of dominant beats, ms; infinity where unknown


def delineate(signals: np.ndarray, fs: float, leads: tuple[str, ...]) -> Delineation:
    """Delineate a chunk of records.

    Each record is treated alone: the result does not depend on what else is in the chunk.

    Parameters
    ----------
    signals : ndarray, shape (n, leads, samples)
        mV.
    fs : float
        Hz, 100-1000.
    leads : tuple of str

    Returns
    -------
    Delineation
        Records that cannot be delineated have a `Status` code and no marks. A wave that is not
        there is not marked: P after a test over all leads, T likewise, and no lead that is flat.
    """
    from ecgeval import __version__

    signals = np.asarray(signals, np.float32)
    n, _, samples = signals.shape
    status = _screen(signals, fs)
    good = np.flatnonzero(status == Status.OK)
    windows: dict[int, list[_Window]] = {int(i): [] for i in good}
    if len(good):
        width, starts = _plan(samples, fs)
        tasks = [(int(i), s) for i in good for s in starts]
        for first in range(0, len(tasks), _ROWS):
            part = tasks[first : first + _ROWS]
            stack = np.stack([signals[i, :, s : s + width] for i, s in part])
            for (i, s), found in zip(part, _windows(stack, fs), strict=True):
                windows[i].append(_shift(found, s))
        borders = [*(s + OVERLAP_S / 2 * fs for s in starts[1:]), np.inf]
        records = {i: _join(parts, borders, 0.2 * fs) for i, parts in windows.items()}
    else:
        records = {}
    most = max((len(r.peaks) for r in records.values()), default=0)
    out = empty(n, leads, most, fs, f"ecgeval {__version__}")
    out.status[:] = status
    for i, record in records.items():
        if not len(record.peaks):
            out.status[i] = Status.NO_BEATS
        elif not record.used:
            out.status[i] = Status.TOO_SHORT
        elif not np.isfinite(record.lead_marks[:, 3]).any():
            out.status[i] = Status.TOO_FAST
        else:
            _fill(out, i, record)
    rr = np.array([records[i].rr if i in records else np.inf for i in range(n)])
    _separate(out, rr)
    return out


def _screen(signals: np.ndarray, fs: float) -> np.ndarray:
    """Return what is wrong with each record before any work, shape (n,)."""
    n, _, samples = signals.shape
    if not LOWEST_HZ <= fs <= HIGHEST_HZ:
        return np.full(n, Status.BAD_RATE, np.int8)
    if samples < SHORTEST_S * fs:
        return np.full(n, Status.TOO_SHORT, np.int8)
    with np.errstate(invalid="ignore", over="ignore"):
        span = (signals.max(axis=2) - signals.min(axis=2)).max(axis=1)
    finite = np.isfinite(span)  # NaN and infinity survive a maximum
    flat = np.where(span < FLAT_MV, Status.FLAT, Status.OK)
    return np.where(finite, flat, Status.NOT_FINITE).astype(np.int8)


def _plan(samples: int, fs: float) -> tuple[int, list[int]]:
    """Return the width of the windows and where they start, samples."""
    if samples <= WHOLE_S * fs:
        return samples, [0]
    width = round((WINDOW_S + OVERLAP_S) * fs)
    count = -(-(samples - width) // round(WINDOW_S * fs)) + 1
    return width, np.linspace(0, samples - width, count).round().astype(int).tolist()


def _windows(signals: np.ndarray, fs: float) -> list[_Window]:
    """Delineate windows of equal length, shape (m, leads, samples)."""
    filtered = band(signals, fs)
    at, valid = find(filtered)
    beats = align(filtered, at, valid)
    dominant = valid & _dominant(beats)
    rr = _typical(beats.time, dominant)
    wide, locked, used = average(filtered, beats, dominant, rr)
    missed = _missed(wide, beats.time, valid)
    averages, shift = centre(_unpace(wide, rr))
    live = np.ptp(signals, axis=-1) >= FLAT_MV
    others = [(k, j) for k in range(len(at)) for j in np.flatnonzero(valid[k] & ~dominant[k])]
    rows, where = averages, np.arange(len(at))
    if others:
        where = np.concatenate([where, [k for k, _ in others]])
        cut = [gather(filtered.wave[k], beats.time[k, j : j + 1]) for k, j in others]
        single, own = centre(_unpace(np.concatenate(cut), rr[[k for k, _ in others]]))
        rows = np.concatenate([averages, single])
        locked = np.concatenate([locked, np.ones((len(others), locked.shape[1]), np.float32)])
    marks = mark(rows, locked, live[where], rr[where])
    marks[: len(at)][missed] = np.nan
    early, off = _rhythm(beats.time, valid)
    usual = dominant & ~early
    out = []
    for k in range(len(at)):
        time = beats.time[k] + shift[k]
        which = np.full(at.shape[1], k)
        for row, (i, j) in enumerate(others):
            if i == k:
                time[j] = beats.time[k, j] + own[row]
                which[j] = len(at) + row
        use = valid[k]
        peaks = (time[use] - filtered.left) / filtered.ratio
        relative = marks[which[use]]
        irregular = np.flatnonzero((dominant[k] & off[k])[use])
        if len(irregular) and np.isfinite(marks[k, :, 8]).any():
            lag = _t_lag(filtered.wave[k], time[use][irregular], averages[k], marks[k])
            relative[irregular, :, 6:9] += lag[:, None, None]
        every = peaks[:, None, None] + (relative - BEFORE) / filtered.ratio
        out.append(
            _Window(
                peaks,
                usual[k, use],
                _tidy(every, signals.shape[-1]),
                averages[k],
                (marks[k] - BEFORE) * (1000 / RATE),
                live[k],
                int(used[k]),
                float(rr[k] * (1000 / RATE)),
            )
        )
    return out


def _unpace(wide: np.ndarray, rr: np.ndarray) -> np.ndarray:
    """Take pacing spikes out, in place, where the rate is one that pacemakers reach."""
    slow = np.flatnonzero(rr >= _UNPACED)
    if len(slow) == len(rr):
        return unpace(wide)
    wide[slow] = unpace(wide[slow])
    return wide


def _missed(wide: np.ndarray, time: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return in which records beats were missed that follow each other within 0.3 s, (n,).

    Such a beat is in the representative beat twice, as large and of the same shape; no T wave is.
    It is looked for where something about as steep as the QRS follows.

    Parameters
    ----------
    wide : ndarray, shape (n, leads, samples)
        Averages, QRS at `BEFORE + ROOM`.
    time : ndarray, shape (n, beats)
        Beats found, samples.
    valid : ndarray of bool, shape (n, beats)
    """
    half, first, last = 28, round(0.15 * RATE), round(0.3 * RATE)
    near = slice(ROOM + BEFORE - half, ROOM + BEFORE + last + half)
    slope = np.diff(wide[:, :, near][..., ::4], axis=-1)
    steep = np.einsum("nlt,nlt->nt", slope, slope)
    qrs, later = steep[:, : half // 2].max(1), steep[:, (first + half) // 4 :].max(1)
    found = np.zeros(len(wide), bool)
    for k in np.flatnonzero(later > 0.2 * qrs):
        slopes = np.diff(wide[k, :, near], axis=-1)
        windows = np.lib.stride_tricks.sliding_window_view(slopes, 2 * half, axis=-1)
        norm = np.sqrt(np.einsum("lkt,lkt->k", windows, windows)) + 1e-12
        likeness = np.einsum("lt,lkt->k", windows[:, 0], windows) / (norm[0] * norm)
        ratio = norm / norm[0]
        alike = (likeness > _LIKE) & (ratio > _SMALL) & (ratio < _LARGE)
        gaps = np.diff(time[k, valid[k]])
        next_one = gaps.mean() - 0.1 * RATE if len(gaps) else np.inf
        lag = np.arange(len(norm))
        found[k] = alike[(lag >= first) & (lag < next_one)].any()
    return found


def _t_lag(
    wave: np.ndarray, time: np.ndarray, average: np.ndarray, marks: np.ndarray
) -> np.ndarray:
    """Return how much later single beats have their T wave than the average has, samples.

    QT follows the interval before a beat, so a mark carried from the average is off where the
    rhythm is. Slopes of all leads are correlated at lags of up to 64 ms; a beat that is not like
    the average keeps its place.

    Parameters
    ----------
    wave : ndarray, shape (leads, samples)
    time : ndarray, shape (beats,)
        R peaks in `wave`, samples.
    average : ndarray, shape (leads, window)
    marks : ndarray, shape (leads, 9)
        Of the average, samples.
    """
    step, reach = 8, 4
    first = int(np.nanmin(marks[:, 6]))
    t = np.arange(first, min(int(np.nanmax(marks[:, 8])) + 20, average.shape[1]), step)
    if len(t) < 4:
        return np.zeros(len(time))
    lags = step * np.arange(-reach, reach + 1)
    start = np.rint(time).astype(int) - BEFORE
    at = np.clip(start[None, :, None] + lags[:, None, None] + t, 0, wave.shape[1] - 1)
    x = np.diff(wave[:, at], axis=-1)  # (leads, lags, beats, time)
    y = np.diff(average[:, t], axis=-1)
    size = np.sqrt(np.einsum("lkbt,lkbt->kb", x, x) * np.einsum("lt,lt->", y, y)) + 1e-12
    lag, likeness = summit(np.einsum("lkbt,lt->kb", x, y) / size)
    return np.where(likeness > 0.8, step * (lag - reach), 0.0)


def _tidy(marks: np.ndarray, samples: int) -> np.ndarray:
    """Return marks (beats, leads, 9) without those outside the record or inside another beat.

    T ends before the next QRS begins; a P wave that begins before the last T has ended is missing.
    """
    marks = np.where((marks >= 0) & (marks <= samples - 1), marks, np.nan)
    if len(marks) > 1:
        before, after = marks[1:, :, 0:3], marks[:-1, :, 6:9]
        # A comparison with NaN is false: a missing neighbour removes nothing.
        after[after >= marks[1:, :, 3:4]] = np.nan
        ended = np.fmax(marks[:-1, :, 5], marks[:-1, :, 8]) + 1  # may round to the same sample
        before[before[..., 0] <= ended] = np.nan
    return marks


def _shift(window: _Window, start: int) -> _Window:
    window.peaks = window.peaks + start
    window.marks = window.marks + start
    return window


def _join(windows: list[_Window], borders: list[float], apart: float) -> _Window:
    """Return the windows of one record as one; of their averages and marks, the medians."""
    keep, last = [], -np.inf
    for w, border in zip(windows, borders, strict=True):
        new = (w.peaks > last + apart) & (w.peaks < border + apart / 2)
        keep.append(new)
        last = w.peaks[new][-1] if new.any() else last
    peaks, marks, dominant = (
        np.concatenate([getattr(w, name)[k] for w, k in zip(windows, keep, strict=True)])
        for name in ("peaks", "marks", "dominant")
    )
    told = [w for w in windows if w.used] or windows[:1]
    average, lead_marks, live, rr = told[0].average, told[0].lead_marks, told[0].live, told[0].rr
    if len(told) > 1:
        average = np.median([w.average for w in told], axis=0)
        stack = np.stack([w.lead_marks for w in told])
        known = np.isfinite(stack).mean(0) >= 0.5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a mark missing everywhere stays NaN
            lead_marks = np.where(known, np.nanmedian(stack, axis=0), np.nan)
        live = np.any([w.live for w in told], axis=0)
        rr = float(np.median([w.rr for w in told]))
    used = sum(w.used for w in told)
    return _Window(peaks, dominant, marks, average, lead_marks, live, used, rr)


def _dominant(beats: Beats) -> np.ndarray:
    """Return which beats have the shape and the size of the typical one, (n, beats)."""
    return (beats.likeness > _LIKE) & (beats.size > _SMALL) & (beats.size < _LARGE)


def _typical(time: np.ndarray, dominant: np.ndarray) -> np.ndarray:
    """Return the median interval between successive dominant beats, (n,); infinity without one."""
    if time.shape[1] < 2:
        return np.full(len(time), np.inf)
    known = dominant[:, 1:] & dominant[:, :-1]
    rr = np.sort(np.where(known, np.diff(time, axis=1), np.inf), axis=1)
    middle = np.maximum(known.sum(1) - 1, 0) // 2  # of an even number, the shorter
    return rr[np.arange(len(rr)), middle]


def _rhythm(time: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell beats by the interval before them, against the record's median interval.

    Parameters
    ----------
    time : ndarray, shape (n, beats)
        R peaks, in any unit.
    valid : ndarray of bool, shape (n, beats)

    Returns
    -------
    early, off : ndarray of bool, shape (n, beats)
        More than 20 % early in an otherwise regular rhythm; more than 10 % early or late.
    """
    early, off = np.zeros(valid.shape, bool), np.zeros(valid.shape, bool)
    if valid.shape[1] > 2:
        rr = np.where(valid[:, 1:], np.diff(time, axis=1), np.inf)
        middle = np.maximum(valid.sum(1) - 2, 0)[:, None] // 2
        usual = np.take_along_axis(np.sort(rr, axis=1), middle, 1)
        usual = np.where(np.isfinite(usual), usual, 1)
        away = np.abs(rr / usual - 1)
        regular = np.take_along_axis(np.sort(away, axis=1), middle, 1) < 0.1
        off[:, 1:] = (away > 0.1) & valid[:, 1:]
        early[:, 1:] = regular & (rr < 0.8 * usual)
    return early, off


def _fill(out: Delineation, i: int, record: _Window) -> None:
    """Put the marks and beats of one record in place."""
    n, live = len(record.peaks), record.live
    whole = np.rint(np.nan_to_num(record.marks, nan=-1))
    out.marks[i, :, :n] = whole.transpose(1, 0, 2)
    out.n_beats[i] = n
    out.beat_class[i, :n] = record.dominant
    out.lead_marks[i] = record.lead_marks
    x = record.average
    if out.fs != RATE:
        time = (np.arange(out.beats.shape[-1]) - out.zero) * (RATE / out.fs) + BEFORE
        grid = np.arange(x.shape[-1])
        x = CubicSpline(grid, x, axis=-1)(np.clip(time, 0, grid[-1]))
    out.beats[i, live] = x[live]


def _separate(out: Delineation, rr: np.ndarray) -> None:
    """Vote, and take out, in place, waves that run into those of the next beat.

    A T wave that reaches the next QRS is not one; a P wave on it, or on any T wave, is not told.

    Parameters
    ----------
    out : Delineation
    rr : ndarray, shape (n,)
        Typical interval, ms; infinity where unknown.
    """
    lead, rr = out.lead_marks, rr.astype(np.float32)
    g = vote(lead)
    late = g[:, 8] > g[:, 3] + rr - _LEAST_GAP_MS
    fused = late | (g[:, 0] + rr <= g[:, 8])
    for wrong, wave in ((late, slice(6, 9)), (fused, slice(0, 3))):
        lead[wrong, :, wave] = g[wrong, wave] = np.nan
        out.marks[wrong, :, :, wave] = -1
    lead[..., 0:3][lead[..., 0] + rr[:, None] <= lead[..., 8]] = np.nan
    out.global_marks[:] = g


def vote(lead_marks: np.ndarray) -> np.ndarray:
    """Return marks over all leads: the 10 % quantile of onsets, 90 % of offsets, median of peaks.

    Never the extremes, which one noisy lead decides.

    Parameters
    ----------
    lead_marks : ndarray, shape (n, leads, 9)
        NaN where missing.

    Returns
    -------
    ndarray, shape (n, 9)
    """
    return lead_quantile(lead_marks, np.tile([0.1, 0.5, 0.9], 3), axis=1)
