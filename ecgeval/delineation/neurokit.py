"""The NeuroKit2 backend: a reference method, guarded, with its answers put in fixed shapes.

NeuroKit2 returns lists of unequal length, raises on some records and warns on many. Here each
record is tried on its own; marks are given to beats by where they lie, not by their position in
a list; a wave it does not report stays missing.

References
----------
Makowski D, et al. NeuroKit2: a Python toolbox for neurophysiological signal processing.
Behav Res Methods 2021;53:1689. doi:10.3758/s13428-020-01516-y
"""

from __future__ import annotations

import warnings

import numpy as np

from ecgeval.delineation.base import Delineation, Status, empty
from ecgeval.delineation.beats import classify_beats, cut_beats, global_marks

__all__ = ["delineate"]

# Key of each mark in NeuroKit2's answer, and where it may lie relative to R, s.
_KEYS = (
    ("ECG_P_Onsets", -0.40, -0.04),
    ("ECG_P_Peaks", -0.36, -0.03),
    ("ECG_P_Offsets", -0.32, -0.01),
    ("ECG_R_Onsets", -0.16, 0.0),
    ("ECG_R_Peaks", -0.06, 0.06),
    ("ECG_R_Offsets", 0.0, 0.20),
    ("ECG_T_Onsets", 0.04, 0.50),
    ("ECG_T_Peaks", 0.08, 0.60),
    ("ECG_T_Offsets", 0.12, 0.70),
)


def delineate(
    signals: np.ndarray, fs: float, leads: tuple[str, ...], algorithm: str
) -> Delineation:
    """Delineate a block of records with NeuroKit2.

    Parameters
    ----------
    signals : ndarray, shape (n, leads, samples)
        mV.
    fs : float
        Hz.
    leads : tuple of str
    algorithm : {"prominence", "dwt", "cwt", "peak"}
        `neurokit2.ecg_delineate`'s method.

    Returns
    -------
    Delineation
    """
    import neurokit2 as nk

    most = int(signals.shape[2] / fs * 5) + 2
    out = empty(len(signals), leads, most, fs, f"neurokit2 {nk.__version__} {algorithm}")
    for i, record in enumerate(signals):
        out.status[i] = _screen(record, fs)
        if out.status[i] == Status.OK:
            # The backend's exceptions are many and undocumented: any of them is an outcome.
            try:
                peaks, marks = _backend_marks(record, fs, algorithm)
            except Exception:
                out.status[i] = Status.BACKEND_FAILED
            else:
                out.status[i] = _fill(out, i, record, peaks, marks)
        if out.status[i] != Status.OK:
            _clear(out, i)
    used = max(1, int(out.n_beats.max(initial=0)))
    return Delineation(
        **{**out.__dict__, "marks": out.marks[:, :, :used], "beat_class": out.beat_class[:, :used]}
    )


def _screen(record: np.ndarray, fs: float) -> Status:
    if not np.isfinite(record).all():
        return Status.NOT_FINITE
    if np.ptp(record, axis=-1).max() < 1e-3:
        return Status.FLAT
    if record.shape[-1] < 2 * fs:
        return Status.TOO_SHORT
    if not 100 <= fs <= 2000:
        return Status.BAD_RATE
    return Status.OK


def _backend_marks(record: np.ndarray, fs: float, algorithm: str) -> tuple[np.ndarray, np.ndarray]:
    """Return R peaks (beats,) over all leads and marks (leads, beats, 9), -1 where missing."""
    import neurokit2 as nk

    live = np.flatnonzero(np.ptp(record, axis=-1) >= 1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clean = np.stack(
            [np.asarray(nk.ecg_clean(record[k].astype(float), sampling_rate=fs)) for k in live]
        )
        peaks = _r_peaks(clean, fs)
        marks = np.full((len(record), len(peaks), 9), -1, np.int32)
        if len(peaks) < 2:
            return peaks, marks
        for k, x in zip(live, clean, strict=True):
            mine = _refine(x, peaks, round(0.06 * fs))
            _, waves = nk.ecg_delineate(
                x, np.unique(mine), sampling_rate=round(fs), method=algorithm
            )
            for m, (key, low, high) in enumerate(_KEYS):
                marks[k, :, m] = (
                    mine
                    if m == 4
                    else _assign(waves[key], mine, low * fs, high * fs)
                    if key in waves
                    else -1
                )
    _order(marks)
    return peaks, marks


def _fill(
    out: Delineation, i: int, record: np.ndarray, peaks: np.ndarray, marks: np.ndarray
) -> Status:
    """Put the marks of record `i` in place and derive beats and global marks from them."""
    n = min(len(peaks), out.marks.shape[2])
    if n < 2:
        return Status.NO_BEATS
    peaks, marks, fs = peaks[:n], marks[:, :n], out.fs
    out.marks[i, :, :n] = marks
    out.n_beats[i] = n
    cut = cut_beats(record, peaks, fs)
    out.beat_class[i, :n] = kind = classify_beats(cut, peaks, fs)
    dominant = np.flatnonzero(kind == 1) if (kind == 1).any() else np.arange(n)
    whole = cut[dominant][np.isfinite(cut[dominant]).all(axis=(1, 2))]
    if not len(whole):
        return Status.TOO_SHORT
    out.beats[i] = np.median(whole, axis=0)
    known = np.where(marks[:, dominant] < 0, np.nan, marks[:, dominant])
    relative = (known - peaks[dominant][None, :, None]) * (1000 / fs)
    out.global_marks[i] = global_marks(relative[(marks[:, :, 4] >= 0).any(axis=1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # missing in all beats: NaN is the answer
        out.lead_marks[i] = np.nanmedian(relative, axis=1)
    return Status.OK


def _r_peaks(clean: np.ndarray, fs: float) -> np.ndarray:
    """Return R peaks over all leads: NeuroKit2's detector on the leads' pooled magnitude."""
    import neurokit2 as nk

    spread = np.quantile(np.abs(clean), 0.99, axis=-1, keepdims=True) + 1e-9
    pooled = np.sqrt(np.mean((clean / spread) ** 2, axis=0))
    found = nk.ecg_peaks(pooled, sampling_rate=round(fs))[1]["ECG_R_Peaks"]
    return np.unique(np.asarray(found, dtype=int))


def _refine(x: np.ndarray, peaks: np.ndarray, reach: int) -> np.ndarray:
    """Return the largest deflection of one lead within `reach` samples of each peak."""
    padded = np.pad(np.abs(x - np.median(x)), reach, constant_values=-1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)[peaks]
    return peaks - reach + windows.argmax(axis=1)


def _assign(found: object, peaks: np.ndarray, low: float, high: float) -> np.ndarray:
    """Give each beat the mark nearest to R inside its window; -1 where there is none.

    The lists hold NaN, may be longer or shorter than the beats, and may be out of step.
    """
    marks = np.asarray(found, dtype=float).ravel()
    marks = np.sort(marks[np.isfinite(marks)])
    out = np.full(len(peaks), -1, np.int32)
    for b, peak in enumerate(peaks):
        inside = marks[(marks >= peak + low) & (marks <= peak + high)]
        if len(inside):
            out[b] = inside[-1] if high <= 0 else inside[0]
    return out


def _order(marks: np.ndarray) -> None:
    """Drop marks that contradict the order of a beat (an onset after its offset), in place."""
    for on, peak, off in ((0, 1, 2), (3, 4, 5), (6, 7, 8)):
        wrong = (marks[..., on] >= 0) & (marks[..., off] >= 0)
        wrong &= marks[..., on] >= marks[..., off]
        for mark in {on, off, peak} - {4}:
            marks[..., mark][wrong] = -1


def _clear(out: Delineation, i: int) -> None:
    out.marks[i], out.beat_class[i], out.n_beats[i] = -1, -1, 0
    out.global_marks[i], out.lead_marks[i], out.beats[i] = np.nan, np.nan, np.nan
