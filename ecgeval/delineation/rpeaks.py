"""From samples to R peaks: filter a chunk of records once, find and align the beats of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

__all__ = ["RATE", "Beats", "Filtered", "align", "band", "find", "summit"]

RATE = 500
"""Internal rate of beats, Hz: whatever comes in is resampled to it on the way through the FFT."""

STEP = 4
"""Samples at `RATE` per sample of the slope signal, on which beats are found and aligned."""

KNOT = 32
"""Samples at `RATE` between the knots of the baseline, which is straight between them."""

KNOT_SHARE = STEP / KNOT

PAD_S = 0.5
"""Mirrored signal before and after a record, s: keeps the filter's edges out of it."""

CONTRAST = 2.15
"""Bursts of slope over their median level: 1.2-2.1 in noise of any colour, above it in ECGs."""

_NEAR = round(0.22 * RATE / STEP)  # two QRS complexes are further apart, slope samples
_HALF = round(0.072 * RATE / STEP)  # half the stretch compared between beats, slope samples
_LAGS = 6  # largest shift tried in aligning, slope samples


@dataclass(frozen=True)
class Filtered:
    """A chunk after the filter.

    Parameters
    ----------
    wave : ndarray of float32, shape (n, leads, samples)
        At `RATE`, without what is slower than 0.4 Hz, mirrored ends included.
    slope : ndarray of float32, shape (n, leads, samples / STEP)
        Derivative of the 8-25 Hz band at `RATE` / `STEP`, each lead divided by its RMS.
    left : float
        Mirrored samples before the record, at `RATE`.
    ratio : float
        Samples at `RATE` per sample of the record.
    samples : float
        Length of the record at `RATE`.
    """

    wave: np.ndarray
    slope: np.ndarray
    left: float
    ratio: float
    samples: float


@dataclass(frozen=True)
class Beats:
    """Beats of a chunk, padded to the largest number (`valid` says which slots are real).

    Parameters
    ----------
    time : ndarray, shape (n, beats)
        Fiducial point, samples at `RATE` from the start of the filtered signal (fractional).
    valid : ndarray of bool, shape (n, beats)
    likeness : ndarray, shape (n, beats)
        Correlation of the QRS with that of the most typical beat, over all leads.
    size : ndarray, shape (n, beats)
        Norm of the QRS over that of the most typical beat.
    """

    time: np.ndarray
    valid: np.ndarray
    likeness: np.ndarray
    size: np.ndarray


def band(signals: np.ndarray, fs: float) -> Filtered:
    """Take out the baseline and get the slopes of a chunk, with zero phase.

    Both come from one FFT of the means of `STEP` samples. The high-pass is that of a second-order
    Butterworth filter run forwards and backwards. Rates other than `RATE` are resampled first.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, leads, samples)
        mV; finite; longer than `PAD_S`.
    fs : float
        Hz.
    """
    n, leads, samples = signals.shape
    left = round(PAD_S * fs)
    length, out = _lengths(samples + 2 * left, fs)
    right = length - samples - left
    coarse = out // STEP
    f = np.arange(coarse // 2 + 1) * (fs / length)
    f[0] = 1e-9
    steep = (2j * np.pi * f / (1 + (8 / f) ** 4) / (1 + (f / 25) ** 4)).astype(np.complex64)
    knots = out // KNOT
    slow = (KNOT_SHARE / (1 + (f[: knots // 2 + 1] / 0.4) ** 4)).astype(np.float32)
    within = (np.arange(KNOT, dtype=np.float32) - (STEP - 1) / 2) / KNOT
    line = np.stack([1 - within, within])  # from a knot to the next

    wave = np.empty((n, leads, out), np.float32)
    slope = np.empty((n, leads, coarse), np.float32)
    padded = np.empty((leads, length), np.float32)
    mean = np.full(STEP, 1 / STEP, np.float32)
    for k in range(n):  # one record at a time stays in the cache
        padded[:, left : left + samples] = signals[k]
        padded[:, :left] = signals[k, :, left:0:-1]
        padded[:, left + samples :] = signals[k, :, samples - 2 : samples - 2 - right : -1]
        x = padded if length == out else fft.irfft(fft.rfft(padded), out) * (out / length)
        spectrum = fft.rfft((x.reshape(-1, STEP) @ mean).reshape(leads, coarse))
        fast = fft.irfft(spectrum * steep, coarse)
        rms = np.sqrt(np.einsum("lt,lt->l", fast, fast) / coarse) + np.float32(1e-9)
        np.divide(fast, rms[:, None], out=slope[k])
        level = fft.irfft(spectrum[:, : len(slow)] * slow, knots)
        ends = np.stack([level, np.roll(level, -1, axis=1)], axis=-1)
        np.subtract(x, (ends.reshape(-1, 2) @ line).reshape(leads, out), out=wave[k])
    ratio = out / length
    return Filtered(wave, slope, left * ratio, ratio, samples * ratio)


def _lengths(least: int, fs: float) -> tuple[int, int]:
    """Return a padded length and that at `RATE`, both fast to transform.

    The ratio of the two is the rate of the result; it is `RATE` to within 1 in 10,000.
    """
    first = int(np.ceil(least * RATE / fs / KNOT))
    pairs = [(round(KNOT * k * fs / RATE), KNOT * k) for k in range(first + 1, first + 33)]

    def slow(pair: tuple[int, int]) -> int:
        return sum(fft.next_fast_len(m, real=True) != m for m in (pair[0], pair[1] // STEP))

    return min(pairs, key=slow)


def find(filtered: Filtered) -> tuple[np.ndarray, np.ndarray]:
    """Find QRS complexes as bursts of slope in all leads together.

    Returns
    -------
    at : ndarray of int, shape (n, beats)
        Centres of the bursts, samples of `Filtered.slope`.
    valid : ndarray of bool, shape (n, beats)
    """
    energy = np.minimum(filtered.slope**2, 40).mean(1)  # one artefact must not outweigh the rest
    first = int(np.ceil(filtered.left / STEP))
    last = int((filtered.left + filtered.samples) / STEP)
    energy[:, :first] = energy[:, last:] = 0  # the mirror image of a beat is no beat
    energy = uniform_filter1d(energy, round(0.1 * RATE / STEP), axis=-1)
    energy = np.sqrt(np.maximum(energy, 0))  # a running sum can end a hair below 0
    peak = (energy == maximum_filter1d(energy, 2 * _NEAR + 1, axis=-1)) & (energy > 0)
    peak[:, 1:] &= ~peak[:, :-1]  # of a plateau keep the first sample
    peak[:, :first] = peak[:, last:] = False
    at, valid = _pad_rows(peak)
    height = np.where(valid, np.take_along_axis(energy, at, 1), 0)
    # The typical height is that of the highest peaks, as many as the slowest rhythm has beats.
    top = max(1, int(filtered.samples / RATE * 0.6))
    ranked = -np.sort(-height, axis=1)[:, :top]
    typical = np.median(ranked, axis=1) if ranked.shape[1] else np.zeros(len(at))
    clear = typical > CONTRAST * np.median(energy[:, first:last], axis=1)
    keep = valid & clear[:, None] & (height > 0.4 * typical[:, None])
    mask = np.zeros_like(peak)
    np.put_along_axis(mask, np.where(keep, at, 0), keep, 1)
    mask[:, 0] = False
    return _pad_rows(mask)


def _pad_rows(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the true values of each row, padded with 0, and which are real."""
    rows, columns = np.nonzero(mask)
    counts = np.bincount(rows, minlength=len(mask))
    valid = np.arange(counts.max(initial=0)) < counts[:, None]
    at = np.zeros(valid.shape, int)
    at[valid] = columns
    return at, valid


def align(filtered: Filtered, at: np.ndarray, valid: np.ndarray) -> Beats:
    """Compare the QRS of every beat with every other and align all with the most typical one.

    The most typical beat is the one most like the others, each pair at its best shift. Shifts are
    refined below the sample by a parabola through the correlations around the best.
    """
    n, beats = at.shape
    if not beats:
        none = np.zeros((n, 0))
        return Beats(none, valid, none, none)
    reach = _HALF + _LAGS
    offsets = np.arange(-reach, reach + 1)
    position = np.clip(at[:, :, None] + offsets, 0, filtered.slope.shape[-1] - 1)
    rows = np.arange(n)[:, None, None]
    wide = filtered.slope.transpose(0, 2, 1)[rows, position]  # (n, beats, time, leads)
    wide *= valid[:, :, None, None]
    width = 2 * _HALF + 1
    core = wide[:, :, _LAGS : _LAGS + width].reshape(n, beats, -1)
    norm = np.linalg.norm(core, axis=-1) + 1e-12
    dots = np.empty((2 * _LAGS + 1, n, beats, beats), np.float32)
    norms = np.empty((2 * _LAGS + 1, n, 1, beats), np.float32)
    for k in range(2 * _LAGS + 1):
        shifted = wide[:, :, k : k + width].reshape(n, beats, -1)
        dots[k] = core @ shifted.transpose(0, 2, 1)
        norms[k] = np.linalg.norm(shifted, axis=-1)[:, None]
    correlation = dots / (norm[..., None] * norms + 1e-12)
    best = correlation.max(0)
    pairs = valid[:, :, None] & valid[:, None, :]
    alike = np.where(pairs, np.clip(best, 0, 1) ** 4, 0).sum(2)
    typical = alike.argmax(1)
    own = correlation[:, np.arange(n), typical]  # (lags, n, beats)
    lag, likeness = summit(own)
    return Beats(
        time=STEP * (at + lag - _LAGS) + (STEP - 1) / 2,
        valid=valid,
        likeness=np.where(valid, likeness, 0),
        size=norm / np.take_along_axis(norm, typical[:, None], 1),
    )


def summit(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the largest value along axis 0 is, refined by a parabola, and the value."""
    top = values.argmax(0)
    inner = np.clip(top, 1, len(values) - 2)
    a, b, c = (np.take_along_axis(values, inner[None] + d, 0)[0] for d in (-1, 0, 1))
    bend = a - 2 * b + c
    place = np.where(bend < 0, inner + 0.5 * (a - c) / np.where(bend < 0, bend, 1), top)
    return np.clip(place, 0, len(values) - 1), np.take_along_axis(values, top[None], 0)[0]
