"""Representative beats: the interquartile mean of a record's dominant beats, lead by lead."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.delineation.rpeaks import RATE, Beats, Filtered

__all__ = [
    "AFTER",
    "BEFORE",
    "FAST",
    "MOST",
    "ROOM",
    "average",
    "centre",
    "gather",
    "lead_quantile",
    "middle_mean",
]

BEFORE = round(-BEAT_WINDOW_S[0] * RATE)
"""Samples of a representative beat before its R peak, at `RATE`."""

AFTER = round(BEAT_WINDOW_S[1] * RATE)
"""Samples of a representative beat from its R peak on, at `RATE`."""

MOST = 16
"""Most beats averaged; of more, this many evenly spread ones."""

FAST = round(0.6 * RATE)
"""Beats closer than this (more than 100 a minute) are looked at on a slower time scale, samples."""

ROOM = round(0.08 * RATE)
"""The R peak lies at most this far from where the slopes are aligned, samples at `RATE`."""

_P_FROM, _P_TO = round(0.30 * RATE), round(0.06 * RATE)  # where a P wave is looked for, before R


def middle_mean(beats: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half of the values (the median of up to three), along axis 0.

    As robust as the median against a quarter of bad beats, and less noisy. A network of exchanges
    orders the values as far as needed: each is a minimum and a maximum of whole arrays.

    Parameters
    ----------
    beats : ndarray, shape (beats, ...)

    References
    ----------
    Batcher KE. Sorting networks and their applications. AFIPS 1968. doi:10.1145/1468075.1468121
    """
    n = len(beats)
    rows, spare = list(beats.copy()), np.empty_like(beats[0])
    for i, j, low, high in _exchanges(n):
        if low and high:
            np.minimum(rows[i], rows[j], out=spare)
            np.maximum(rows[i], rows[j], out=rows[j])
            rows[i], spare = spare, rows[i]
        elif low:
            np.minimum(rows[i], rows[j], out=rows[i])
        else:
            np.maximum(rows[i], rows[j], out=rows[j])
    middle = _middle(n)
    total = rows[middle.start].copy()
    for row in rows[middle.start + 1 : middle.stop]:
        total += row
    return total / np.float32(middle.stop - middle.start)


def _middle(n: int) -> slice:
    """Return which of n ordered values are averaged."""
    cut_off = (n + 1) // 4 if n > 2 else 0
    return slice(cut_off, n - cut_off)


@lru_cache(maxsize=MOST)
def _exchanges(n: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """Return the exchanges (low row, high row, whether either result is used) for n values.

    Batcher's odd-even merge sort, without what only orders values within the middle half or
    outside it: a quarter to a third less work.
    """
    network = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                for i in range(j, min(j + k, n - k)):
                    if i // (2 * p) == (i + k) // (2 * p):
                        network.append((i, i + k))
            k //= 2
        p *= 2
    inside = [row in range(n)[_middle(n)] for row in range(n)]
    used_later = [False] * n
    kept = []
    for i, j in reversed(network):
        low, high = (used_later[row] or inside[row] for row in (i, j))
        ordered = not (used_later[i] or used_later[j]) and inside[i] and inside[j]
        if (low or high) and not ordered:
            kept.append((i, j, low, high))
            used_later[i] = used_later[j] = True
    return tuple(kept[::-1])


def lead_quantile(values: np.ndarray, q: float | np.ndarray, axis: int = 0) -> np.ndarray:
    """Return quantiles without the NaNs, linearly interpolated; NaN where nothing else is.

    What `numpy.nanquantile` gives, a hundred times faster on small rows.

    Parameters
    ----------
    values : ndarray
    q : float or ndarray
        0 to 1; an array goes with the last axis of the result.
    axis : int
        Axis that is reduced.
    """
    ordered = np.sort(values, axis=axis)  # NaN last
    last = np.maximum(np.isfinite(values).sum(axis=axis) - 1, 0)
    at = last * np.asarray(q)
    low = np.floor(at).astype(int)
    a, b = (
        np.take_along_axis(ordered, np.expand_dims(k, axis), axis).squeeze(axis)
        for k in (low, np.minimum(low + 1, last))
    )
    return a + (b - a) * (at - low)


def gather(wave: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the stretches around samples `at` of `wave` (leads, samples), with room to centre.

    Returns
    -------
    ndarray, shape (len(at), leads, BEFORE + AFTER + 2 * ROOM)
        The wave's end values go on beyond its ends.
    """
    width = BEFORE + AFTER + 2 * ROOM
    first = np.round(at).astype(int) - BEFORE - ROOM
    if len(first) and (first.min() < 0 or first.max() + width > wave.shape[-1]):
        index = np.clip(first[:, None] + np.arange(width), 0, wave.shape[-1] - 1)
        return wave[:, index].transpose(1, 0, 2)
    return np.stack([wave[:, s : s + width] for s in first]) if len(first) else wave[None, :0]


def unpace(wide: np.ndarray) -> np.ndarray:
    """Take pacing spikes near the QRS out of beats, in place: annotators mark what follows them.

    A spike is over within 10 ms on either side and leaves the leads where they were; no heart
    muscle does that. The line between its ends replaces it.

    Parameters
    ----------
    wide : ndarray, shape (m, leads, time)
        At `RATE`, R near the middle of the room.
    """
    near, far = 5, 9
    low, high = ROOM + BEFORE - 90, ROOM + BEFORE + 50

    def at(shift: int) -> np.ndarray:
        return wide[:, :, low + shift : high + shift]

    def total(x: np.ndarray) -> np.ndarray:
        return np.abs(x, out=x).sum(axis=1)

    for _ in range(2):  # two ventricles may be paced
        height = total(at(0) - 0.5 * (at(-near) + at(near)))
        moved = total(at(-near) - at(-far)) + total(at(near) - at(far))
        moved += total(at(near) - at(-near))
        size = np.ptp(at(0), axis=2).sum(axis=1, keepdims=True)
        spike = np.where((moved < 0.4 * height) & (height > 0.1 * size), height, 0)
        rows = np.flatnonzero(spike.any(axis=1))
        for row, top in zip(rows, low + spike[rows].argmax(axis=1), strict=True):
            a, b = wide[row, :, top - near], wide[row, :, top + near]
            share = np.arange(2 * near + 1, dtype=wide.dtype) / (2 * near)
            wide[row, :, top - near : top + near + 1] = a[:, None] + (b - a)[:, None] * share
        if not len(rows):
            break
    return wide


def centre(wide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Crop beats so that their R peak, the largest sum of squares over the leads, is at BEFORE.

    Parameters
    ----------
    wide : ndarray, shape (m, leads, BEFORE + AFTER + 2 * ROOM)

    Returns
    -------
    beats : ndarray, shape (m, leads, BEFORE + AFTER)
    shift : ndarray of int, shape (m,)
        R peak relative to the middle of the room, samples.
    """
    near = wide[:, :, BEFORE : BEFORE + 2 * ROOM + 1]
    near = near - np.median(wide[:, :, ::8], axis=2, keepdims=True)
    shift = np.einsum("mlt,mlt->mt", near, near).argmax(1)
    width = BEFORE + AFTER
    beats = np.empty((*wide.shape[:2], width), wide.dtype)
    for k, s in enumerate(shift):
        beats[k] = wide[k, :, s : s + width]
    return beats, shift - ROOM


def average(
    filtered: Filtered, beats: Beats, dominant: np.ndarray, rr: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the dominant beats of every record.

    Only beats whose whole window lies in the record are averaged.

    Parameters
    ----------
    filtered : Filtered
        Chunk of n records.
    beats : Beats
    dominant : ndarray of bool, shape (n, beats)
    rr : ndarray, shape (n,)
        Interval from beat to beat, samples at `RATE`; infinity where unknown.

    Returns
    -------
    average : ndarray of float32, shape (n, leads, BEFORE + AFTER + 2 * ROOM)
        mV; 0 where a record has no whole dominant beat.
    locked : ndarray, shape (n, leads)
        Energy of the average before the QRS over that expected of beats that only share noise:
        about 1 without a P wave (see `_locked`).
    used : ndarray of int, shape (n,)
        Beats averaged.
    """
    n, leads, _ = filtered.wave.shape
    out = np.zeros((n, leads, BEFORE + AFTER + 2 * ROOM), np.float32)
    locked = np.ones((n, leads), np.float32)
    used = np.zeros(n, int)
    first, last = filtered.left, filtered.left + filtered.samples
    whole = dominant & (beats.time >= first + BEFORE) & (beats.time + AFTER <= last)
    for k in range(n):
        at = beats.time[k, whole[k]]
        if not len(at):
            continue
        if len(at) > MOST:
            at = at[np.linspace(0, len(at) - 1, MOST).round().astype(int)]
        stack = gather(filtered.wave[k], at)
        out[k] = middle_mean(stack)
        locked[k] = _locked(stack, min(1, rr[k] / FAST))
        used[k] = len(at)
    return out, locked, used


def _locked(stack: np.ndarray, share: float = 1) -> np.ndarray:
    """Return the F ratio of the stretch before the QRS: energy of the mean over that of its error.

    Parameters
    ----------
    stack : ndarray, shape (beats, leads, time)
    share : float
        Of the stretch at normal rates: at high rates it would hold the preceding T wave.

    Returns
    -------
    ndarray, shape (leads,)
        1 for a single beat, which cannot tell.
    """
    n = len(stack)
    if n < 3:
        return np.ones(stack.shape[1], np.float32)
    first, last = (ROOM + BEFORE - round(share * at) for at in (_P_FROM, _P_TO))
    x = stack[:, :, first:last:8].copy()
    t = np.linspace(-1, 1, x.shape[2], dtype=np.float32)
    # Deviations from each beat's own straight line; what the beats share, and what they do not.
    line = np.stack([np.full(len(t), len(t) ** -0.5), t / np.linalg.norm(t)]).astype(np.float32)
    x = x - (x @ line.T) @ line
    shared = x.mean(0)
    energy = np.einsum("lt,lt->l", shared, shared)
    error = (np.einsum("blt,blt->l", x, x) / n - energy) / (n - 1)
    return energy / (np.maximum(error, 0) + 1e-12)  # rounding can leave less than nothing
