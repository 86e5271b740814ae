"""From R peaks to representative beats and global marks, for backends that give marks a beat."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from ecgeval.delineation.base import BEAT_WINDOW_S

__all__ = ["classify_beats", "cut_beats", "global_marks"]

ONSETS = (0, 3, 6)
OFFSETS = (2, 5, 8)


def cut_beats(signals: np.ndarray, peaks: np.ndarray, fs: float) -> np.ndarray:
    """Return the beats around the R peaks of one record.

    Parameters
    ----------
    signals : ndarray, shape (leads, samples)
        mV.
    peaks : ndarray of int, shape (beats,)
        R peaks, samples.
    fs : float
        Hz.

    Returns
    -------
    ndarray, shape (beats, leads, window)
        NaN where the window reaches over the record's ends. Each beat and lead is shifted so that
        the median of its 80 ms before the QRS is the same in every beat: a slow baseline does not
        widen the median beat.
    """
    before, after = round(-BEAT_WINDOW_S[0] * fs), round(BEAT_WINDOW_S[1] * fs)
    padded = np.pad(signals, ((0, 0), (before, after)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, before + after, axis=-1)
    beats = windows[:, peaks].transpose(1, 0, 2).copy()
    level = beats[:, :, before - round(0.12 * fs) : before - round(0.04 * fs)]
    offset = np.median(level, axis=-1)  # NaN where the window leaves the record
    inside = np.isfinite(offset).all(axis=1)
    if inside.any():
        beats += (np.median(offset[inside], axis=0) - offset)[:, :, None]
    return beats


def classify_beats(beats: np.ndarray, peaks: np.ndarray, fs: float) -> np.ndarray:
    """Return 1 for beats of the dominant kind and 0 for others, shape (beats,).

    A beat is of another kind when its QRS-T correlates with the median beat below 0.8 over all
    leads, or when it comes more than 20 % early against the median of its neighbours.
    """
    n = len(peaks)
    if n < 3:
        return np.ones(n, np.int8)
    centre = round(-BEAT_WINDOW_S[0] * fs)
    qrs = np.nan_to_num(beats[:, :, centre - round(0.08 * fs) : centre + round(0.12 * fs)])
    qrs = qrs - qrs.mean(axis=-1, keepdims=True)
    template = np.median(qrs, axis=0)
    norms = np.linalg.norm(qrs, axis=(1, 2)) * np.linalg.norm(template) + 1e-12
    alike = np.einsum("bls,ls->b", qrs, template) / norms >= 0.8
    rr = np.diff(peaks).astype(float)
    usual = median_filter(rr, size=min(5, len(rr)), mode="nearest")
    early = np.concatenate([[False], rr < 0.8 * usual])
    return (alike & ~early).astype(np.int8)


def global_marks(relative: np.ndarray, present_share: float = 0.5) -> np.ndarray:
    """Return marks over all leads from marks a lead and beat.

    Parameters
    ----------
    relative : ndarray, shape (leads, beats, 9)
        ms from the beat's R peak; NaN where missing.
    present_share : float
        A wave counts when at least this share of the beats, in at least this share of the leads,
        has it.

    Returns
    -------
    ndarray, shape (9,)
        The 10 % quantile over leads for onsets, the 90 % quantile for offsets, the median for
        peaks, each then the median over beats: never the extreme, which one noisy lead decides.
    """
    out = np.full(9, np.nan)
    for wave in range(3):
        columns = slice(3 * wave, 3 * wave + 3)
        found = np.isfinite(relative[:, :, columns]).any(axis=-1)
        if not found.size or (found.mean(axis=1) >= present_share).mean() < present_share:
            continue
        for mark in range(3 * wave, 3 * wave + 3):
            q = 0.1 if mark in ONSETS else 0.9 if mark in OFFSETS else 0.5
            known = relative[:, np.isfinite(relative[:, :, mark]).any(axis=0), mark]
            if known.size:
                out[mark] = np.median(np.nanquantile(known, q, axis=0))
    return out
