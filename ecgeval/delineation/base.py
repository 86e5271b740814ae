"""What every delineation method returns: fixed shapes, a status code, -1 or NaN where missing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np

__all__ = ["BEAT_WINDOW_S", "MARKS", "Delineation", "Status", "empty", "merge"]

MARKS = ("P_on", "P_peak", "P_off", "QRS_on", "R_peak", "QRS_off", "T_on", "T_peak", "T_off")
"""The nine marks of a beat, in the order of the last axis of every array of marks."""

BEAT_WINDOW_S = (-0.4, 0.7)
"""Window of a representative beat around its R peak, s."""


class Status(IntEnum):
    """Why a record has no marks; 0 where it has."""

    OK = 0
    NOT_FINITE = 1  # NaN or infinity among the samples
    FLAT = 2  # no lead carries a signal
    TOO_SHORT = 3  # fewer than two seconds, or no whole beat in it
    NO_BEATS = 4  # no QRS complex was found
    BACKEND_FAILED = 5  # the backend raised an exception
    BAD_RATE = 6  # sampling rate outside what the method handles
    TOO_FAST = 7  # beats so close together that their waves cannot be told apart


@dataclass(frozen=True, eq=False)
class Delineation:
    """P-QRS-T marks of n records.

    Parameters
    ----------
    fs : float
        Sampling rate of `marks` and `beats`, Hz.
    leads : tuple of str
    marks : ndarray of int32, shape (n, leads, beats, 9)
        Sample indices in the record, in the order of `MARKS`; -1 where missing.
    n_beats : ndarray of int32, shape (n,)
        Beats found; slots beyond are -1.
    beat_class : ndarray of int8, shape (n, beats)
        1 dominant, 0 another kind (ectopic, fused, disturbed), -1 no beat.
    global_marks : ndarray of float32, shape (n, 9)
        ms from the R peak of the representative beat, over all leads; NaN where missing.
    lead_marks : ndarray of float32, shape (n, leads, 9)
        The same, lead by lead.
    beats : ndarray of float32, shape (n, leads, samples)
        Representative (median of dominant) beats, mV, over `BEAT_WINDOW_S`; NaN where missing.
    status : ndarray of int8, shape (n,)
        `Status` codes.
    method : str
        The method and, for a backend, its version.
    """

    fs: float
    leads: tuple[str, ...]
    marks: np.ndarray
    n_beats: np.ndarray
    beat_class: np.ndarray
    global_marks: np.ndarray
    lead_marks: np.ndarray
    beats: np.ndarray
    status: np.ndarray
    method: str

    def __len__(self) -> int:
        return len(self.status)

    @property
    def zero(self) -> int:
        """Sample of the R peak in `beats`."""
        return round(-BEAT_WINDOW_S[0] * self.fs)


def empty(n: int, leads: tuple[str, ...], beats: int, fs: float, method: str) -> Delineation:
    """Return a delineation in which everything is missing, to be filled in."""
    samples = round(-BEAT_WINDOW_S[0] * fs) + round(BEAT_WINDOW_S[1] * fs)
    return Delineation(
        fs=float(fs),
        leads=tuple(leads),
        marks=np.full((n, len(leads), beats, 9), -1, np.int32),
        n_beats=np.zeros(n, np.int32),
        beat_class=np.full((n, beats), -1, np.int8),
        global_marks=np.full((n, 9), np.nan, np.float32),
        lead_marks=np.full((n, len(leads), 9), np.nan, np.float32),
        beats=np.full((n, len(leads), samples), np.nan, np.float32),
        status=np.full(n, Status.NO_BEATS, np.int8),
        method=method,
    )


def merge(parts: list[Delineation]) -> Delineation:
    """Return the parts as one, in order; beat slots are padded to the widest part."""
    first = parts[0]
    widest = max(part.marks.shape[2] for part in parts)
    arrays: dict[str, Any] = {}
    for f in fields(Delineation):
        values = [getattr(part, f.name) for part in parts]
        if f.name in ("marks", "beat_class"):
            axis = 2 if f.name == "marks" else 1
            values = [_pad(value, axis, widest) for value in values]
        arrays[f.name] = (
            np.concatenate(values) if isinstance(values[0], np.ndarray) else getattr(first, f.name)
        )
    return Delineation(**arrays)


def _pad(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    width = [(0, 0)] * array.ndim
    width[axis] = (0, size - array.shape[axis])
    return np.pad(array, width, constant_values=-1)
