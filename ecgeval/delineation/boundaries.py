"""Wave boundaries of representative beats by a small convolutional network, in numpy.

The network reads a beat of all leads and gives, for each lead and mark, how probable each instant
is; a mark is the median of that distribution, moved by a constant (`CONVENTION_MS`). Leads see
each other through the mean and the maximum of their features, so any number of leads in any order
will do. A lead's scale carries no information for it. `tools/train_boundaries.py` is the training.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np

from ecgeval.delineation.averaging import BEFORE, FAST, lead_quantile
from ecgeval.delineation.rpeaks import RATE

__all__ = ["COLUMNS", "RANGES", "TOKEN", "TOKENS", "mark", "network", "prepare"]

TOKEN = 8
"""Samples of 4 ms in a token."""

TOKENS = 35
"""Tokens in a beat."""

COLUMNS = (0, 1, 2, 3, 5, 6, 7, 8)
"""Marks that the network gives: all but the R peak, which is read off the lead."""

RANGES = ((0, 13), (0, 13), (0, 13), (5, 13), (12, 23), (14, 35), (14, 35), (15, 35))
"""Tokens among which each of these marks lies; R is at token 12.5."""

CONVENTION_MS = (-6.0, 0.0, 5.0, -4.0, 7.0, -5.0, 0.0, 9.0)
"""Added to each of these marks, ms: from the middle of the distribution to the annotators' habit.

Annotators' marks of one boundary scatter from lead to lead and from beat to beat, so the 10 % or
90 % quantile over leads of their marks lies outside that of a method without such scatter. The
constants make the global intervals agree on average with theirs (cross-validated over LUDB
1-100); being constants, they cancel between two sets of records.
"""

_CONVENTION = np.array(CONVENTION_MS) * RATE / 1000

_BLOCK = 8  # beats at a time: what the network holds of them stays in the cache

P_SURE = 2.4
"""Evidence from which a P wave is reported: the network's logit plus half the log F ratio."""


_CLOSE = round(0.55 * RATE)
"""Beats closer than this (more than 109 a minute) are read twice, samples."""

_CHECK = round(0.5 * RATE)
"""Interval to which fast beats are stretched for the second reading, samples; first is `FAST`."""

_AGREE = round(0.02 * RATE), round(0.03 * RATE), round(0.02 * RATE)
"""Largest difference between the two readings of P, QRS and T, samples."""


@lru_cache(maxsize=1)
def _weights() -> dict[str, np.ndarray]:
    with files("ecgeval.delineation").joinpath("boundaries.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


def prepare(beats: np.ndarray) -> np.ndarray:
    """Return beats as the network reads them: 4 ms steps, baseline 0, each lead on its own scale.

    Parameters
    ----------
    beats : ndarray, shape (m, leads, samples)
        At 500 Hz, R at `BEFORE`.

    Returns
    -------
    ndarray of float32, shape (m, leads, TOKENS * TOKEN)
        Values compressed to within -4...4.
    """
    x = 0.5 * (beats[..., 0::2] + beats[..., 1::2])
    middle = x.shape[-1] // 2
    x -= np.partition(x, middle, axis=-1)[..., middle, None]
    size = np.abs(x)
    scale = size.mean(-1, keepdims=True) + np.float32(1e-9)
    out = np.zeros((*x.shape[:-1], TOKENS * TOKEN), np.float32)
    out[..., : x.shape[-1]] = x / (scale + 0.25 * size)
    return out


def _conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (rows, time, channels) with (taps, channels, out), zeros beyond the ends."""
    rows, time, channels = x.shape
    taps = len(weight)
    padded = np.zeros((rows, time + taps - 1, channels), np.float32)
    padded[:, taps // 2 : taps // 2 + time] = x
    step = padded.strides
    shape = (rows, time, taps * channels)  # neighbouring instants lie side by side in memory
    patches = np.lib.stride_tricks.as_strided(padded, shape, (step[0], step[1], step[2]))
    y = patches.reshape(-1, taps * channels) @ weight.reshape(taps * channels, -1)
    y += bias
    np.maximum(y, 0, out=y)
    return y.reshape(rows, time, -1)


def _share(x: np.ndarray, live: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Add to every lead what the mean and the maximum over the live leads say, instant by instant.

    Parameters
    ----------
    x : ndarray, shape (m, leads, time, channels)
    live : ndarray of float32, shape (m, leads)
    """
    mean, top = _pool(x, live)
    both = np.concatenate([mean, top], axis=-1) @ weight + bias
    y = x + both[:, None]
    return np.maximum(y, 0, out=y)


def _pool(x: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = x * live[:, :, None, None]
    count = np.maximum(live.sum(1), 1)
    return x.sum(1) / count[:, None, None], x.max(1)


def network(x: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of every mark at every instant, and of the presence of P and of T.

    Parameters
    ----------
    x : ndarray of float32, shape (m, leads, TOKENS * TOKEN)
        From `prepare`.
    live : ndarray of float32, shape (m, leads)
        1 for leads that carry a signal.

    Returns
    -------
    logits : ndarray of float32, shape (m, leads, TOKENS, 8, TOKEN)
    present : ndarray of float32, shape (m, 2)
    """
    w = _weights()
    m, leads, _ = x.shape
    place = (np.arange(TOKENS, dtype=np.float32) - 12.5) / 12.5
    h = np.empty((m * leads, TOKENS, TOKEN + 1), np.float32)
    h[..., :TOKEN] = x.reshape(m * leads, TOKENS, TOKEN)
    h[..., TOKEN] = place
    h = _conv(h, w["in_w"], w["in_b"])
    h += _conv(h, w["conv0_w"], w["conv0_b"])
    h = _share(h.reshape(m, leads, TOKENS, -1), live, w["mix0_w"], w["mix0_b"])
    h = h.reshape(m * leads, TOKENS, -1)
    h += _conv(h, w["conv1_w"], w["conv1_b"])
    h = _share(h.reshape(m, leads, TOKENS, -1), live, w["mix1_w"], w["mix1_b"])
    h = h.reshape(m * leads, TOKENS, -1)
    h += _conv(h, w["conv2_w"], w["conv2_b"])
    logits = h.reshape(-1, h.shape[-1]) @ w["head_w"] + w["head_b"]
    mean, _ = _pool(h.reshape(m, leads, TOKENS, -1), live)
    before, after = mean[:, :14], mean[:, 13:]
    pooled = [before.mean(1), before.max(1), after.mean(1), after.max(1)]
    present = np.concatenate(pooled, axis=1) @ w["present_w"] + w["present_b"]
    return logits.reshape(m, leads, TOKENS, len(COLUMNS), TOKEN), present


def _median(logits: np.ndarray) -> np.ndarray:
    """Return the median of each mark's softmax distribution over its `RANGES`, interpolated.

    Parameters
    ----------
    logits : ndarray of float32, shape (m, leads, TOKENS, 8, TOKEN)

    Returns
    -------
    ndarray, shape (m, leads, 8)
        Steps from the start of the beat.
    """
    m, leads = logits.shape[:2]
    # No maximum is taken out first: what is 40 below it counts for nothing, and nothing overflows.
    p = np.exp(np.clip(logits, -40, 40))
    p *= _within()
    token = (p.reshape(-1, p.shape[-2] * TOKEN) @ _TOKEN_SUMS).reshape(m, leads, TOKENS, -1)
    c = np.cumsum(token, axis=2)
    half = 0.5 * c[:, :, -1]
    i, j, k = np.ogrid[:m, :leads, : len(COLUMNS)]
    first = (c >= half[:, :, None]).argmax(2)  # the token that reaches it, then the step in it
    q = p[i, j, first, k]
    d = np.cumsum(q, axis=-1) + (c - token)[i, j, first, k][..., None]
    step = np.minimum((d < half[..., None]).sum(-1), TOKEN - 1)
    over = d[i, j, k, step] - half
    return TOKEN * first + step + 1 - over / q[i, j, k, step]


_TOKEN_SUMS = np.kron(np.eye(len(COLUMNS), dtype=np.float32), np.ones((TOKEN, 1), np.float32))


@lru_cache(maxsize=1)
def _within() -> np.ndarray:
    """Return 1 for the tokens among which a mark is looked for, (TOKENS, 8, 1)."""
    out = np.zeros((TOKENS, len(COLUMNS), 1), np.float32)
    for k, (low, high) in enumerate(RANGES):
        out[low:high, k] = 1
    return out


def mark(
    beats: np.ndarray, locked: np.ndarray, live: np.ndarray, rr: np.ndarray | None = None
) -> np.ndarray:
    """Mark P, QRS and T on every lead of representative beats.

    Parameters
    ----------
    beats : ndarray of float32, shape (m, leads, samples)
        At 500 Hz, R at `BEFORE`, mV.
    locked : ndarray, shape (m, leads)
        F ratio of the stretch before the QRS (`averaging.average`); 1 where unknown.
    live : ndarray of bool, shape (m, leads)
        Leads that carry a signal; the others get no marks.
    rr : ndarray, shape (m,), optional
        Interval from beat to beat, samples; infinity where unknown. Beats closer than `FAST` are
        stretched until they are not; those closer than 0.55 s are read twice.

    Returns
    -------
    ndarray, shape (m, leads, 9)
        Samples of `beats`; NaN where there is no such wave or, in fast beats, where it cannot be
        told from its neighbours. Without the QRS nothing but the R peak is marked.
    """
    rr = np.full(len(beats), np.inf) if rr is None else rr
    marks, present = _read(beats, live, np.maximum(1, FAST / rr))
    repeated = np.log(np.maximum(np.median(locked, axis=1), 1e-3))
    marks[present[:, 0] + 0.5 * repeated < P_SURE, :, 0:3] = np.nan
    marks[present[:, 1] < 0, :, 6:9] = np.nan
    marks[~live] = np.nan
    fast = np.flatnonzero(rr < _CLOSE)
    if len(fast):
        again, _ = _read(beats[fast], live[fast], np.maximum(1, _CHECK / rr[fast]))
        again[~live[fast]] = np.nan
        marks[fast] = _agreed(marks[fast], again)
    return marks


def _agreed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the first of two readings (m, leads, 9) without the waves on which they differ.

    At high rates P, T and the neighbouring beats run into each other. What is there is found
    whatever the time scale; what is not moves with it. A P wave starts where the last T has ended,
    so it goes with a T wave that cannot be placed.
    """
    apart = np.abs(lead_quantile(first, 0.5, 1) - lead_quantile(second, 0.5, 1))
    t = apart[:, 8] > _AGREE[2]
    p = t | (apart[:, [0, 2]].max(1) > _AGREE[0])  # no wave is no difference
    qrs = apart[:, [3, 5]].max(1) > _AGREE[1]
    first = first.copy()
    first[p | qrs, :, 0:3] = np.nan
    first[qrs, :, 3] = first[qrs, :, 5] = np.nan
    first[t | qrs, :, 6:9] = np.nan
    return first


def _read(beats: np.ndarray, live: np.ndarray, pace: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all marks (m, leads, 9) and the logits of the presence of P and T, (m, 2)."""
    m, leads, _ = beats.shape
    seen = _slow(beats, pace)
    weight = live.astype(np.float32)
    marks, present = np.empty((m, leads, 9)), np.empty((m, 2), np.float32)
    for first in range(0, m, _BLOCK):
        part = slice(first, first + _BLOCK)
        logits, present[part] = network(prepare(seen[part]), weight[part])
        # A step is two samples, its middle between them.
        place = BEFORE + (2 * _median(logits) - 0.5 - BEFORE) / pace[part, None, None]
        marks[part, :, COLUMNS] = place + _CONVENTION
    # Medians of neighbouring distributions may cross by a few milliseconds.
    marks[..., 3] = np.minimum(marks[..., 3], marks[..., 5])
    marks[..., 0:3] = np.sort(np.minimum(marks[..., 0:3], marks[..., 3:4]), axis=-1)
    marks[..., 6:9] = np.sort(np.maximum(marks[..., 6:9], marks[..., 5:6]), axis=-1)
    marks[..., 4] = _r_peak(beats, marks[..., 3], marks[..., 5])
    return marks, present


def _slow(beats: np.ndarray, pace: np.ndarray) -> np.ndarray:
    """Return beats with the time from R stretched by `pace`, linearly interpolated."""
    fast = np.flatnonzero(pace > 1)
    if not len(fast):
        return beats
    seen = beats.copy()
    for k in fast:
        at = BEFORE + (np.arange(beats.shape[-1]) - BEFORE) / pace[k]
        low = at.astype(int)
        step = beats[k][:, low + 1] - beats[k][:, low]
        seen[k] = beats[k][:, low] + step * (at - low).astype(np.float32)
    return seen


def _r_peak(beats: np.ndarray, onset: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return where each lead is furthest from its value at the QRS onset, within the QRS."""
    low, high = BEFORE - 60, BEFORE + 90
    t = np.arange(low, high)
    near = beats[..., low:high]
    first = np.clip(np.rint(onset).astype(int) - low, 0, high - low - 1)
    away = np.abs(near - np.take_along_axis(near, first[..., None], -1))
    inside = (t >= onset[..., None]) & (t <= offset[..., None])
    return low + np.where(inside, away, -1).argmax(-1)
