"""One record in another although it was played at another speed: correlation over speeds and lags.

Comparing every pair at every speed would cost fifty searches over lags, so this is for the few
pairs that another detector leads to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ecgeval.parallel import shards
from ecgeval.privacy.search import Rows

__all__ = ["Replayed"]


class _At(NamedTuple):
    """Where a moving signal is read, sample t of the fixed one at ``speed * t + start``.

    Attributes
    ----------
    speed, start : ndarray, shape (pairs,)
    """

    speed: np.ndarray
    start: np.ndarray


class Replayed:
    """Correlation of two records of which one is read more slowly, best over speeds and lags.

    ``sum_l <x_l(a t + b), y_l(t)> / (|x(a .+ b)| |y|)`` over the samples where both are, with
    ``least <= a <= 1`` and the record read more slowly on either side, so that it is symmetric.
    Speed and lag are first looked for in slope envelopes; the best `STARTS` local maxima are
    refined by Gauss-Newton steps on the signals, and the best of them once more.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
        Zero mean a lead.
    references : ndarray of float32, shape (m, leads, samples)
    fs : float
        Hz.
    least : float
        Lowest speed.
    max_lag_s : float
        Largest lag looked for, s.

    References
    ----------
    Baker S, Matthews I. Lucas-Kanade 20 years on. Int J Comput Vis 2004;56:221-255.
    doi:10.1023/B:VISI.0000011205.11775.fd (the refinement).
    """

    STEP = 0.005
    """Of the logarithm of speed: 25 ms at the ends of ten seconds, less than a QRS."""
    STARTS = 3
    FINER = 4
    """Signals are interpolated linearly between this many times their samples."""
    MIN_SHARE = 0.5
    """Of the samples, where both must be."""
    BLOCK = 64
    """Pairs refined together: their signals stay in the cache."""
    _SMOOTH_S = 0.06
    _ENVELOPE_HZ = 50.0

    def __init__(
        self, queries: np.ndarray | Rows, references: np.ndarray, fs: float, least: float,
        max_lag_s: float,
    ) -> None:  # fmt: skip
        self.queries, self.references = queries, references
        self.fs, self.least = fs, least
        slower = int(np.ceil(-np.log(least) / self.STEP))
        self.speeds = np.maximum(np.exp(-self.STEP * np.arange(slower + 1)), least)
        self.every = max(round(fs / self._ENVELOPE_HZ), 1)
        self.max_lag = round(max_lag_s * fs / self.every)  # of the envelopes

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        """Return the similarities of all pairs, one by one: for few."""
        start, stop, _ = rows.indices(len(self.queries))
        i, j = np.indices((stop - start, len(self.references))).reshape(2, -1)
        out = np.concatenate([
            self.exact(start + i[p : p + 256], j[p : p + 256]) for p in range(0, len(i), 256)
        ]) if len(i) else np.zeros(0)  # fmt: skip
        return out.reshape(stop - start, -1).astype(np.float32), 1e-6

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self.align(i, j)[0]

    def align(self, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the similarity of pairs, and how many times as fast the query is played.

        Parameters
        ----------
        i, j : ndarray of int, shape (pairs,)

        Returns
        -------
        ndarray, shape (pairs,)
            -1 where either record is zero.
        ndarray, shape (pairs,)
        """
        both = _Unique(self.queries, i), _Unique(self.references, j)
        query_moves, at = self._starts(*both)
        # Records lie behind each other, so that one index reads those of either side.
        finer = np.concatenate([self._fine(side.x) for side in both])
        value, speed = np.empty(len(i)), np.empty(len(i))
        for part in shards(len(i), self.BLOCK):
            value[part], speed[part] = self._refined(
                both, finer, part, query_moves[part], _At(at.speed[part], at.start[part])
            )
        return value, speed

    def _refined(
        self, both: tuple[_Unique, _Unique], finer: np.ndarray, part: slice,
        query_moves: np.ndarray, at: _At,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return similarity and speed of some pairs from their starts."""
        n = len(query_moves)
        value, best, moves = np.full(n, -1.0), _At(np.ones(n), np.zeros(n)), np.zeros(n, bool)
        for start in range(query_moves.shape[1]):
            way = query_moves[:, start]
            pair = _Pairs(both, finer, part, way, self.FINER, self.MIN_SHARE)
            found, place = pair.refine(_At(at.speed[:, start], at.start[:, start]), self.least, 2)
            better = found > value
            value = np.where(better, found, value)
            moves = np.where(better, way, moves)
            best = _At(*(np.where(better, a, b) for a, b in zip(place, best, strict=True)))
        pair = _Pairs(both, finer, part, moves, self.FINER, self.MIN_SHARE)
        _, best = pair.refine(best, self.least, 3)
        return pair.correlation(best), np.where(moves, 1 / best.speed, best.speed)

    def _starts(self, queries: _Unique, references: _Unique) -> tuple[np.ndarray, _At]:
        """Return which record moves and where it is read, the best few local maxima a pair."""
        from scipy.fft import irfft, next_fast_len, rfft

        a, b = (self._played(self._envelope(side.x)) for side in (queries, references))
        length = next_fast_len(a.shape[2] + self.max_lag + 1, real=True)
        a, b = rfft(a, length), rfft(b, length)
        slower = len(self.speeds) - 1
        # Query read more slowly, slowest first; both as they are; reference read more slowly.
        cross = np.concatenate([
            a.conj()[queries.row, :0:-1] * b[references.row, :1],
            a.conj()[queries.row, :1] * b[references.row],
        ], axis=1)  # fmt: skip
        lags = irfft(cross, length)
        most = self.max_lag + 1  # one more on either side for the parabola
        lags = np.concatenate([lags[:, :, length - most :], lags[:, :, : most + 1]], axis=2)
        lag = lags[:, :, 1:-1].argmax(axis=2)
        low, height, high = (
            np.take_along_axis(lags, (lag + k)[:, :, None], axis=2)[:, :, 0] for k in range(3)
        )
        lag = lag - self.max_lag + _vertex(low, height, high)
        around = np.pad(height, ((0, 0), (1, 1)), constant_values=-np.inf)
        top = (height >= around[:, :-2]) & (height > around[:, 2:])
        order = np.argsort(np.where(top, -height, np.inf), axis=1, kind="stable")
        way = order[:, : self.STARTS] - slower
        lag = np.take_along_axis(lag, order[:, : self.STARTS], axis=1) * self.every
        speed = self.speeds[np.abs(way)]
        # Query n meets reference n + lag.
        return way < 0, _At(speed, np.where(way < 0, -lag, lag) * speed)

    def _envelope(self, x: np.ndarray) -> np.ndarray:
        """Return the smoothed slope over all leads, zero mean, at the envelopes' rate."""
        from scipy.ndimage import uniform_filter1d

        slope = np.sqrt((np.diff(x, axis=2, append=x[:, :, -1:]) ** 2).sum(axis=1))
        smooth = uniform_filter1d(slope, round(self._SMOOTH_S * self.fs), axis=1)[:, :: self.every]
        return smooth - smooth.mean(axis=1, keepdims=True)

    def _played(self, x: np.ndarray) -> np.ndarray:
        """Return envelopes read at every speed, shape (n, speeds, samples)."""
        at = self.speeds[:, None] * np.arange(x.shape[1])
        low = np.minimum(at.astype(int), x.shape[1] - 2)
        part = (at - low).astype(x.dtype)
        return x[:, low] * (1 - part) + x[:, low + 1] * part

    def _fine(self, x: np.ndarray) -> np.ndarray:
        from scipy.fft import irfft, rfft

        n = x.shape[2]
        return np.asarray(irfft(rfft(x), self.FINER * n) * self.FINER, np.float32)


class _Unique:
    """The records of one side of some pairs, each once, and which of them a pair has."""

    def __init__(self, x: np.ndarray | Rows, rows: np.ndarray) -> None:
        unique, self.row = np.unique(rows, return_inverse=True)
        self.x = np.asarray(x[unique], np.float32)


class _Pairs:
    """Pairs of a moving and a fixed signal.

    Parameters
    ----------
    sides : (_Unique, _Unique)
    finer : ndarray, shape (records of both sides, leads, more samples)
    part : slice
        The pairs.
    first : ndarray of bool, shape (pairs,)
        Whether the first side's record moves.
    times : int
        More samples, so many times as many.
    share : float
        Of the samples, where both must be.
    """

    def __init__(
        self, sides: tuple[_Unique, _Unique], finer: np.ndarray, part: slice, first: np.ndarray,
        times: int, share: float,
    ) -> None:  # fmt: skip
        a, b = sides
        mine, theirs = a.row[part], b.row[part]
        self.moving = finer.reshape(-1, finer.shape[2])
        self.row = np.where(first, mine, len(a.x) + theirs)
        self.fixed = np.where(first[:, None, None], b.x[theirs], a.x[mine])
        self.times, self.share = times, share
        self.leads, self.samples = self.fixed.shape[1:]

    def _read(self, at: _At, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the moving signals at `t`, their slope a sample, and where they are known."""
        place = self.times * (at.speed[:, None] * t + at.start[:, None])
        last = self.moving.shape[1] - 1
        known = (place >= 0) & (place <= last)
        low = np.clip(place.astype(np.int64), 0, last - 1)
        part = np.where(known, place - low, 0).astype(np.float32)[:, None]
        lead = (self.row[:, None] * self.leads + np.arange(self.leads))[:, :, None]
        index = lead * (last + 1) + low[:, None]
        flat = self.moving.reshape(-1)
        here = flat.take(index)
        index += 1
        slope = flat.take(index) - here
        slope *= known[:, None]
        here *= known[:, None]
        return here + part * slope, slope * np.float32(self.times), known

    def refine(self, at: _At, least: float, steps: int) -> tuple[np.ndarray, _At]:
        """Return correlation and place after Gauss-Newton steps; no step that makes it worse."""
        t = np.arange(0, self.samples, 2)
        fixed = self.fixed[:, :, ::2]
        value, kept, trial = np.full(len(self.row), -1.0), at, at
        for step in range(steps + 1):
            w, d, known = self._read(trial, t)
            now = self._share(known) * _correlation(w, fixed, known)
            better = now > value
            value = np.where(better, now, value)
            kept = _At(*(np.where(better, a, b) for a, b in zip(trial, kept, strict=True)))
            if step == steps:
                break
            by_speed, by_start = _gauss_newton(w, d, fixed, known, t)
            # From where it is best; a step that failed is tried again at half its length.
            trial = _At(
                np.where(better, np.clip(trial.speed + by_speed, least, 1.0),
                         (trial.speed + kept.speed) / 2),
                np.where(better, trial.start + by_start, (trial.start + kept.start) / 2),
            )  # fmt: skip
        return value, kept

    def correlation(self, at: _At) -> np.ndarray:
        """Return the correlation over every sample."""
        w, _, known = self._read(at, np.arange(self.samples))
        out = np.minimum(_correlation(w, self.fixed, known), 1.0)
        return np.where(self._share(known) > 0, out, -1.0)

    def _share(self, known: np.ndarray) -> np.ndarray:
        return (known.mean(axis=1) >= self.share).astype(float)


def _vertex(low: np.ndarray, middle: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return where the parabola through three values at -1, 0, 1 is highest, within half a step."""
    bend = low - 2 * middle + high
    return np.clip(np.where(bend < 0, (low - high) / np.where(bend < 0, 2 * bend, 1), 0), -0.5, 0.5)


def _correlation(w: np.ndarray, fixed: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the correlation where both are known, over leads and samples; -1 with a flat one."""
    norm = np.einsum("plt,plt->pt", fixed, fixed)
    size = _sum(w, w) * np.einsum("pt,pt->p", norm, known, dtype=np.float64)
    return np.where(size > 0, _sum(w, fixed) / np.sqrt(np.where(size > 0, size, 1)), -1.0)


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("plt,plt->p", a, b, dtype=np.float64)


def _gauss_newton(
    w: np.ndarray, d: np.ndarray, fixed: np.ndarray, known: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps of speed and start that bring ``gain * w`` nearest to the fixed signals."""
    dd, fd, wd = (np.einsum("plt,plt->pt", x, d).astype(np.float64) for x in (d, fixed, w))
    ww, fw = _sum(w, w), _sum(fixed, w)
    gain = fw / np.where(ww > 0, ww, np.inf)
    # Unknowns: change of gain, of speed (slope * t), of start (slope); w itself has the weight 1.
    normal = np.empty((len(w), 3, 3))
    normal[:, 0, 0] = ww
    normal[:, 0, 1] = normal[:, 1, 0] = wd @ t
    normal[:, 0, 2] = normal[:, 2, 0] = wd.sum(axis=1)
    normal[:, 1, 1] = dd @ t**2
    normal[:, 1, 2] = normal[:, 2, 1] = dd @ t
    normal[:, 2, 2] = dd.sum(axis=1)
    right = np.stack([
        fw - gain * ww, (fd - gain[:, None] * wd) @ t, (fd - gain[:, None] * wd).sum(axis=1)
    ], axis=1)  # fmt: skip
    size = np.sqrt(np.einsum("pkk->pk", normal))
    size = np.where(size > 0, size, 1)
    normal /= size[:, :, None] * size[:, None, :]
    normal[:, range(3), range(3)] += 1e-6  # a record of zeros has no slope
    step = np.linalg.solve(normal, (right / size)[:, :, None])[:, :, 0] / size
    gain = np.where(np.abs(gain) > 1e-6, gain, np.inf)
    return step[:, 1] / gain, step[:, 2] / gain
