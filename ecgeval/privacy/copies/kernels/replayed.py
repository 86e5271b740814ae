"""One record in another although it was played at another speed: correlation over speeds and lags.

Comparing every pair at every speed would cost fifty searches over lags, so this is for the few
pairs that another detector leads to.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np

from ecgeval.parallel import shards
from ecgeval.privacy.copies.search import Compared, Rows

__all__ = ["Replayed"]


class _At(NamedTuple):
    """Where a moving signal is read, sample t of the fixed one at ``speed * t + start``.

    Attributes
    ----------
    speed, start : ndarray, shape (pairs,)
    """

    speed: np.ndarray
    start: np.ndarray


class Replayed(Compared):
    """Correlation of two records of which one is read more slowly, best over speeds and lags.

    ``sum_l <x_l(a t + b), y_l(t)> / (|x(a .+ b)| |y|)`` over the samples where both are, with
    ``least <= a <= 1`` and either record as x. Speed and lag are first looked for in slope
    envelopes; for either role the best `STARTS` local maxima are refined by Gauss-Newton steps on
    the signals, and the best of all once more. What is done does not depend on which record is
    called the query.

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

    DRIFT_S = 0.025
    """By which the ends of a record move from one speed to the next: less than a QRS."""
    STARTS = 2
    FINER = 4
    """Signals are interpolated linearly between this many times their samples."""
    MIN_SHARE = 0.5
    """Of the samples, where both must be."""
    BLOCK = 64_000
    """Samples of one lead that are refined together: a few leads of them stay in the cache."""
    _SMOOTH_S = 0.06
    _ENVELOPE_HZ = 50.0

    def __init__(
        self,
        queries: np.ndarray | Rows,
        references: np.ndarray,
        fs: float,
        least: float,
        max_lag_s: float,
    ) -> None:
        super().__init__(queries, references)
        self.fs, self.least = fs, least
        samples = references.shape[2]
        step = 2 * self.DRIFT_S * fs / samples
        slower = int(np.ceil(-np.log(least) / step))
        self.speeds = np.maximum(np.exp(-step * np.arange(slower + 1)), least)
        self.every = max(round(fs / self._ENVELOPE_HZ), 1)
        self.max_lag = round(max_lag_s * fs / self.every)  # of the envelopes
        self.together = max(self.BLOCK // samples, 1)

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        """Return the similarities of all pairs, one by one: for few."""
        start, stop, _ = rows.indices(len(self.queries))
        n, m = max(stop - start, 0), len(self.references)
        i, j = np.indices((n, m)).reshape(2, -1)
        return self.exact(start + i, j).reshape(n, m).astype(np.float32), 1e-6

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self.align(i, j)[0]

    def align(self, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the similarity of pairs and where a query is in its reference.

        Parameters
        ----------
        i, j : ndarray of int, shape (pairs,)

        Returns
        -------
        similarity : ndarray, shape (pairs,)
            -1 where either record is zero.
        speed, start : ndarray, shape (pairs,)
            Sample t of the query agrees with sample ``speed * t + start`` of the reference: it is
            played `speed` times as fast.
        """
        value, speed, start = np.empty((3, len(i)))
        for part in shards(len(i), self.together):
            sides = _Unique(self.queries, i[part]), _Unique(self.references, j[part])
            value[part], speed[part], start[part] = self._aligned(*sides)
        return value, speed, start

    def _aligned(self, a: _Unique, b: _Unique) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(a.row)
        finer = [self._fine(side.x) for side in (a, b)]
        value, query = np.full(n, -1.0), np.zeros(n, bool)
        best = _At(np.ones(n), np.zeros(n))
        roles = (_Pairs(a, b, finer[0], self), _Pairs(b, a, finer[1], self))
        played = [self._played(self._envelope(side.x)) for side in (a, b)]
        starts = (
            self._starts(played[0], a.row, played[1][:, 0], b.row),
            self._starts(played[1], b.row, played[0][:, 0], a.row),
        )
        for moves, pairs, at in zip((True, False), roles, starts, strict=True):
            for k in range(at.speed.shape[1]):
                found, place = pairs.refine(_At(at.speed[:, k], at.start[:, k]), self.least, 1)
                better = found > value
                value, query = np.where(better, found, value), np.where(better, moves, query)
                best = _chosen(better, place, best)
        speed, start = np.empty((2, n))
        for moves, pairs in zip((True, False), roles, strict=True):
            rows = np.flatnonzero(query == moves)
            some = pairs.only(rows)
            _, (a_speed, a_start) = some.refine(_At(*(x[rows] for x in best)), self.least, 3)
            value[rows] = some.correlation(_At(a_speed, a_start))
            speed[rows] = 1 / a_speed if moves else a_speed
            start[rows] = -a_start / a_speed if moves else a_start
        return value, speed, start

    def _starts(
        self, played: np.ndarray, mine: np.ndarray, still: np.ndarray, theirs: np.ndarray
    ) -> _At:
        """Return where the moving records are read, the best few local maxima over speeds."""
        from scipy.fft import irfft, next_fast_len, rfft

        length = next_fast_len(played.shape[2] + self.max_lag + 1, real=True)
        moving, fixed = rfft(played, length), rfft(still, length)
        lags = irfft(moving.conj()[mine] * fixed[theirs, None], length)
        most = self.max_lag + 1  # one more on either side for the parabola
        lags = np.concatenate([lags[:, :, length - most :], lags[:, :, : most + 1]], axis=2)
        lag = lags[:, :, 1:-1].argmax(axis=2)
        low, height, high = (
            np.take_along_axis(lags, (lag + k)[:, :, None], axis=2)[:, :, 0] for k in range(3)
        )
        lag = lag - self.max_lag + _vertex(low, height, high)
        around = np.pad(height, ((0, 0), (1, 1)), constant_values=-np.inf)
        top = (height >= around[:, :-2]) & (height > around[:, 2:])
        order = np.argsort(np.where(top, -height, np.inf), axis=1, kind="stable")[:, : self.STARTS]
        speed = self.speeds[order]
        # Sample n of the moving one, as it is played, meets n + lag of the fixed one.
        return _At(speed, -np.take_along_axis(lag, order, axis=1) * self.every * speed)

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
    moving, fixed : _Unique
    finer : ndarray, shape (moving records, leads, more samples)
        The moving ones between their samples.
    kernel : Replayed
    """

    def __init__(
        self, moving: _Unique, fixed: _Unique, finer: np.ndarray, kernel: Replayed
    ) -> None:
        # Leads lie behind each other, so that one index reads those of all records.
        self.moving, self.row = finer.reshape(-1, finer.shape[2]), moving.row
        self.fixed = fixed.x[fixed.row]
        self.times, self.share = kernel.FINER, kernel.MIN_SHARE
        self.leads, self.samples = self.fixed.shape[1:]

    def only(self, rows: np.ndarray) -> _Pairs:
        """Return some of the pairs."""
        out = copy.copy(self)
        out.row, out.fixed = self.row[rows], self.fixed[rows]
        return out

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
            now = np.where(self._enough(known), _correlation(w, fixed, known), -1.0)
            better = now > value
            value = np.where(better, now, value)
            kept = _chosen(better, trial, kept)
            if step == steps:
                break
            by_speed, by_start = _gauss_newton(w, d, fixed, known, t)
            # From where it is best; a step that failed is tried again at half its length.
            trial = _At(
                np.where(
                    better,
                    np.clip(trial.speed + by_speed, least, 1.0),
                    (trial.speed + kept.speed) / 2,
                ),
                np.where(better, trial.start + by_start, (trial.start + kept.start) / 2),
            )
        return value, kept

    def correlation(self, at: _At) -> np.ndarray:
        """Return the correlation over every sample."""
        w, _, known = self._read(at, np.arange(self.samples))
        out = np.minimum(_correlation(w, self.fixed, known), 1.0)
        return np.where(self._enough(known), out, -1.0)

    def _enough(self, known: np.ndarray) -> np.ndarray:
        return known.mean(axis=1) >= self.share


def _chosen(better: np.ndarray, a: _At, b: _At) -> _At:
    """Return a where it is better, else b."""
    return _At(*(np.where(better, x, y) for x, y in zip(a, b, strict=True)))


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
    right = np.stack(
        [fw - gain * ww, (fd - gain[:, None] * wd) @ t, (fd - gain[:, None] * wd).sum(axis=1)],
        axis=1,
    )
    size = np.sqrt(np.einsum("pkk->pk", normal))
    size = np.where(size > 0, size, 1)
    normal /= size[:, :, None] * size[:, None, :]
    normal[:, range(3), range(3)] += 1e-6  # a record of zeros has no slope
    step = np.linalg.solve(normal, (right / size)[:, :, None])[:, :, 0] / size
    gain = np.where(np.abs(gain) > 1e-6, gain, np.inf)
    return step[:, 1] / gain, step[:, 2] / gain
