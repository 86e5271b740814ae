"""From samples to R peaks: filter a chunk of records once, find and align the beats of each."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import fft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

__all__ = ["RATE", "Beats", "Filtered", "align", "band", "find"]

RATE = 500
"""Internal rate of beats, Hz: whatever comes in is resampled to it on the way through the FFT."""

STEP = 4
"""Samples at `RATE` per sample of the slope signal, on which beats are found and aligned."""

PAD_S = 0.5
"""Mirrored signal before and after a record, s: keeps the filter's edges out of it."""

_NEAR = round(0.22 * RATE / STEP)  # two QRS complexes are further apart, slope samples
_HALF = round(0.072 * RATE / STEP)  # half the stretch compared between beats, slope samples
_LAGS = 6  # largest shift tried in aligning, slope samples


@dataclass(frozen=True)
class Filtered:
    """A chunk after the filter.

    Parameters
    ----------
    wave : ndarray of float32, shape (n, leads, samples)
        0.4-150 Hz, at `RATE`, mirrored ends included.
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
    """Filter and resample a chunk with zero phase, by one forward and two inverse FFTs.

    The high-pass is that of a second-order Butterworth filter run forwards and backwards.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, leads, samples)
        mV; finite; at least `PAD_S` long.
    fs : float
        Hz.
    """
    n, leads, samples = signals.shape
    ratio = Fraction(RATE, 1) / Fraction(fs).limit_denominator(1000)
    left = round(PAD_S * fs)
    length = _length(samples + 2 * left, ratio)
    right = length - samples - left
    out = int(length * ratio)
    f = np.arange(length // 2 + 1) * (fs / length)
    f[0] = 1e-9
    g = f[: out // STEP // 2 + 1]
    steep = (2j * np.pi * g / (1 + (8 / g) ** 4) / (1 + (g / 25) ** 4)).astype(np.complex64)
    flat = out / length / (1 + (0.4 / f) ** 4) / (1 + (f / 150) ** 8)
    flat = np.repeat(flat.astype(np.float32), 2)  # real and imaginary parts alike

    wave = np.empty((n, leads, out), np.float32)
    slope = np.empty((n, leads, out // STEP), np.float32)
    padded = np.empty((leads, length), np.float32)
    for k in range(n):  # one record at a time stays in the cache
        padded[:, left : left + samples] = signals[k]
        padded[:, :left] = signals[k, :, left:0:-1]
        padded[:, left + samples :] = signals[k, :, samples - 2 : samples - 2 - right : -1]
        spectrum = fft.rfft(padded, axis=-1)
        fast = fft.irfft(spectrum[:, : len(g)] * steep, out // STEP, axis=-1)
        rms = np.sqrt(np.einsum("lt,lt->l", fast, fast) / fast.shape[1]) + np.float32(1e-9)
        np.divide(fast, rms[:, None], out=slope[k])
        spectrum.view(np.float32)[:] *= flat
        wave[k] = fft.irfft(spectrum, out, axis=-1, overwrite_x=True)
    return Filtered(wave, slope, float(left * ratio), float(ratio), float(samples * ratio))


def _length(least: int, ratio: Fraction) -> int:
    """Return a padded length that fits both rates and whose FFT is fast."""
    step = STEP * ratio.denominator
    multiples = [step * k for k in range(-(-least // step), -(-least // step) + 64)]
    return next((m for m in multiples if fft.next_fast_len(m, real=True) == m), multiples[0])


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
    energy = np.sqrt(uniform_filter1d(energy, round(0.1 * RATE / STEP), axis=-1))
    peak = (energy == maximum_filter1d(energy, 2 * _NEAR + 1, axis=-1)) & (energy > 0)
    peak[:, 1:] &= ~peak[:, :-1]  # of a plateau keep the first sample
    peak[:, :first] = peak[:, last:] = False
    at, valid = _pad_rows(peak)
    height = np.where(valid, np.take_along_axis(energy, at, 1), 0)
    # The typical height is that of the highest peaks, as many as the slowest rhythm has beats.
    top = max(1, int(filtered.samples / RATE * 0.6))
    ranked = -np.sort(-height, axis=1)[:, :top]
    typical = np.median(ranked, axis=1) if ranked.shape[1] else np.zeros(len(at))
    keep = valid & (height > 0.4 * typical[:, None])
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
    lag = own.argmax(0)
    inner = np.clip(lag, 1, 2 * _LAGS - 1)
    a, b, c = (np.take_along_axis(own, inner[None] + d, 0)[0] for d in (-1, 0, 1))
    bend = a - 2 * b + c
    shift = inner - _LAGS + np.where(bend < 0, 0.5 * (a - c) / np.where(bend < 0, bend, 1), 0)
    return Beats(
        time=STEP * (at + np.clip(shift, -_LAGS, _LAGS)),
        valid=valid,
        likeness=np.where(valid, np.take_along_axis(own, lag[None], 0)[0], 0),
        size=norm / np.take_along_axis(norm, typical[:, None], 1),
    )
