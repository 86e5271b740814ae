"""From marks to one row a record: intervals, amplitudes, axes and rhythm."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgeval.delineation import DEFAULT_METHOD, Delineation, Status, delineate
from ecgeval.ecgset import STANDARD_LEADS, EcgSet, apply_leads, derive_leads
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, quiet

__all__ = ["MEASURES", "Measure", "measure", "measure_columns", "measure_info", "measure_marks"]


@dataclass(frozen=True)
class Measure:
    """What a column of the measures table means.

    Parameters
    ----------
    name : str
        Column name; ``{lead}`` stands for each lead's name.
    unit : str
    label : str
        Short title for people.
    definition : str
        How it is computed.
    low, high : float
        Plausible range in adults at rest; outside it a value is kept and counted as implausible.
    circular : bool
        Whether it is an angle that wraps at 360 degrees.
    """

    name: str
    unit: str
    label: str
    definition: str
    low: float
    high: float
    circular: bool = False


_MOST_QT, _MOST_PR = 0.8, 0.5  # of RR; beyond them a wave is a neighbour's
_RR = "over intervals between consecutive dominant beats"
_BASE = "relative to the baseline just before the QRS onset, on the representative beat"

MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("hr_bpm", "bpm", "heart rate", "60,000 / rr_ms", 20, 300),
        Measure("rr_ms", "ms", "RR", f"mean RR {_RR}", 200, 3000),
        Measure("rr_sd_ms", "ms", "SD of RR", f"standard deviation (n-1) of RR {_RR}", 0, 1000),
        Measure(
            "rmssd_ms",
            "ms",
            "RMSSD",
            "root mean square of differences between successive RR intervals, dominant beats only",
            0,
            1500,
        ),
        Measure("p_dur_ms", "ms", "P duration", "global P offset - P onset", 30, 250),
        Measure(
            "pr_ms",
            "ms",
            "PR",
            f"global QRS onset - P onset; missing above {_MOST_PR:g} RR",
            60,
            500,
        ),
        Measure("qrs_ms", "ms", "QRS", "global QRS offset - QRS onset", 40, 300),
        Measure(
            "qt_ms",
            "ms",
            "QT",
            f"global T offset - QRS onset; missing above {_MOST_QT:g} RR",
            200,
            800,
        ),
        Measure("qtcf_ms", "ms", "QTcF", "QT / (RR / 1 s)^(1/3) (Fridericia 1920)", 200, 800),
        Measure("qtcb_ms", "ms", "QTcB", "QT / (RR / 1 s)^(1/2) (Bazett 1920)", 200, 800),
        Measure("jt_ms", "ms", "JT", "global T offset - QRS offset", 100, 700),
        Measure(
            "p_axis_deg",
            "deg",
            "P axis",
            "frontal angle of the net P area in I and aVF (scaled by 2/sqrt 3)",
            -180,
            180,
            True,
        ),
        Measure(
            "qrs_axis_deg",
            "deg",
            "QRS axis",
            "frontal angle of the net QRS area in I and aVF (scaled by 2/sqrt 3)",
            -180,
            180,
            True,
        ),
        Measure(
            "t_axis_deg",
            "deg",
            "T axis",
            "frontal angle of the net T area in I and aVF (scaled by 2/sqrt 3)",
            -180,
            180,
            True,
        ),
        Measure(
            "qrst_angle_deg",
            "deg",
            "QRS-T angle",
            "absolute frontal angle between QRS and T axes",
            0,
            180,
        ),
        Measure(
            "p_amp_{lead}_mv",
            "mV",
            "P amplitude {lead}",
            f"extreme of largest magnitude between P onset and offset, {_BASE}",
            -1,
            1,
        ),
        Measure(
            "q_amp_{lead}_mv",
            "mV",
            "Q amplitude {lead}",
            f"lowest value between QRS onset and R, 0 where none is negative, {_BASE}",
            -5,
            0,
        ),
        Measure(
            "r_amp_{lead}_mv",
            "mV",
            "R amplitude {lead}",
            f"highest value between QRS onset and offset, 0 where none is positive, {_BASE}",
            0,
            8,
        ),
        Measure(
            "s_amp_{lead}_mv",
            "mV",
            "S amplitude {lead}",
            f"lowest value between R and QRS offset, 0 where none is negative, {_BASE}",
            -8,
            0,
        ),
        Measure(
            "t_amp_{lead}_mv",
            "mV",
            "T amplitude {lead}",
            f"extreme of largest magnitude between QRS offset + 80 ms and T offset, {_BASE}",
            -3,
            3,
        ),
        Measure(
            "stj_{lead}_mv",
            "mV",
            "ST-J {lead}",
            f"value at the QRS offset (J point), {_BASE}",
            -2,
            2,
        ),
        Measure(
            "st60_{lead}_mv",
            "mV",
            "ST-J+60 {lead}",
            f"value 60 ms after the J point, {_BASE}",
            -2,
            2,
        ),
    )
}
"""Every column of `measure`, in order; docs, report and tests read this table."""


def measure_info(column: str) -> Measure:
    """Return what a column of the measures table means, its lead filled in.

    Raises
    ------
    KeyError
        If the column is none of `MEASURES`.
    """
    if column in MEASURES:
        return MEASURES[column]
    for lead in STANDARD_LEADS:
        stem, found, rest = column.partition(f"_{lead}_")
        template = f"{stem}_{{lead}}_{rest}"
        if found and template in MEASURES:
            m = MEASURES[template]
            return Measure(
                column, m.unit, m.label.format(lead=lead), m.definition, m.low, m.high, m.circular
            )
    raise KeyError(column)


def measure_columns(leads: Sequence[str]) -> list[str]:
    """Return the columns of the measures table for these leads, in order."""
    columns = [name for name in MEASURES if "{lead}" not in name]
    for lead in leads:
        columns += [name.format(lead=lead) for name in MEASURES if "{lead}" in name]
    return columns


def measure(
    ecgs: EcgSet,
    *,
    marks: Delineation | None = None,
    method: str = DEFAULT_METHOD,
    jobs: int = 1,
    progress: Progress = quiet,
) -> pd.DataFrame:
    """Return one row of measures a record.

    Parameters
    ----------
    ecgs : EcgSet
    marks : Delineation, optional
        Marks of these records, in this order; found by `method` where not given.
    method : str
        Delineation method (`ecgeval.delineation.METHODS`).
    jobs : int
        Worker processes for the delineation.
    progress : callable

    Returns
    -------
    DataFrame
        Index ``record_id``; the columns of `MEASURES`, in their units. NaN where a record or a
        wave could not be delineated.

    Raises
    ------
    UsageError
        If `marks` belong to another number of records.
    """
    if marks is None:
        marks = delineate(ecgs, method=method, jobs=jobs, progress=progress)
    if len(marks) != len(ecgs):
        raise UsageError(f"marks of {len(marks)} records for a set of {len(ecgs)}")
    return measure_marks(marks).set_index(ecgs.ids)


def measure_marks(marks: Delineation) -> pd.DataFrame:
    """Return the measures of a delineation, one row a record (see `measure`)."""
    values = {**_rhythm(marks), **_intervals(marks), **_amplitudes(marks), **_axes(marks)}
    _drop_impossible(values)
    values["hr_bpm"] = 60_000 / values["rr_ms"]
    seconds = values["rr_ms"] / 1000
    values["qtcf_ms"] = values["qt_ms"] / np.cbrt(seconds)
    values["qtcb_ms"] = values["qt_ms"] / np.sqrt(seconds)
    frame = pd.DataFrame({c: values[c] for c in measure_columns(marks.leads)}, dtype=float)
    frame[marks.status != Status.OK] = np.nan
    return frame


def _drop_impossible(values: dict[str, np.ndarray]) -> None:
    """Leave out waves that no heart can have at this rate, in place.

    A T wave must end before the next QRS begins and a P wave start after the last T: at high
    rates a method may take a neighbour's wave for the beat's own.
    """
    rr = values["rr_ms"]
    late = values["qt_ms"] > _MOST_QT * rr
    early = values["pr_ms"] > _MOST_PR * rr
    for name in values:
        if name in ("qt_ms", "jt_ms") or name.startswith("t_a") or name == "qrst_angle_deg":
            values[name] = np.where(late, np.nan, values[name])
        elif name in ("pr_ms", "p_dur_ms") or name.startswith("p_a"):
            values[name] = np.where(early, np.nan, values[name])


def _rhythm(marks: Delineation) -> dict[str, np.ndarray]:
    """RR statistics; each RR is the median over leads, so that no lead's own R shape counts."""
    peaks = np.where(marks.marks[..., 4] < 0, np.nan, marks.marks[..., 4]) * (1000 / marks.fs)
    normal = marks.beat_class == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no intervals: NaN is the answer
        rr = np.nanmedian(np.diff(peaks, axis=2), axis=1)
        rr[~(normal[:, 1:] & normal[:, :-1])] = np.nan
        successive = np.diff(rr, axis=1)
        return {
            "rr_ms": np.nanmean(rr, axis=1),
            "rr_sd_ms": np.nanstd(rr, axis=1, ddof=1),
            "rmssd_ms": np.sqrt(np.nanmean(successive**2, axis=1)),
        }


def _intervals(marks: Delineation) -> dict[str, np.ndarray]:
    g = marks.global_marks.astype(float)
    return {
        "p_dur_ms": g[:, 2] - g[:, 0],
        "pr_ms": g[:, 3] - g[:, 0],
        "qrs_ms": g[:, 5] - g[:, 3],
        "qt_ms": g[:, 8] - g[:, 3],
        "jt_ms": g[:, 8] - g[:, 5],
    }


def _window(marks: Delineation, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return which samples of the representative beats lie in [low, high] ms, (n, samples)."""
    ms = (np.arange(marks.beats.shape[-1]) - marks.zero) * (1000 / marks.fs)
    half = 500 / marks.fs  # a mark between two samples takes the nearer
    return (ms >= low[:, None] - half) & (ms <= high[:, None] + half)


def _beats_above_baseline(marks: Delineation) -> np.ndarray:
    """Return the representative beats minus their mean over the 16 ms before the QRS onset."""
    onset = marks.global_marks[:, 3].astype(float)
    before = _window(marks, onset - 18, onset - 2)[:, None, :]
    n = before.sum(axis=-1)
    level = np.where(before, marks.beats, 0).sum(axis=-1) / np.where(n > 0, n, np.nan)
    return marks.beats - level[:, :, None]


def _extreme(beats: np.ndarray, where: np.ndarray, sign: int = 0) -> np.ndarray:
    """Return the highest (sign 1), lowest (-1) or largest (0) value inside `where`, signed."""
    inside = np.broadcast_to(where if where.ndim == 3 else where[:, None, :], beats.shape)
    known = inside & np.isfinite(beats)
    score = np.abs(beats) if sign == 0 else sign * beats
    index = np.where(known, score, -np.inf).argmax(axis=-1)[..., None]
    value = np.take_along_axis(beats, index, axis=-1)[..., 0]
    return np.where(known.any(axis=-1), value, np.nan)


def _amplitudes(marks: Delineation) -> dict[str, np.ndarray]:
    g = marks.global_marks.astype(float)
    beats = _beats_above_baseline(marks)
    qrs = _window(marks, g[:, 3], g[:, 5])
    inside = np.where(qrs[:, None, :] & np.isfinite(beats), beats, -np.inf)
    at_r = inside.argmax(axis=-1)[..., None]
    samples = np.arange(beats.shape[-1])
    values = {
        "p_amp_{lead}_mv": _extreme(beats, _window(marks, g[:, 0], g[:, 2])),
        "q_amp_{lead}_mv": np.minimum(_extreme(beats, qrs[:, None] & (samples <= at_r), -1), 0),
        "r_amp_{lead}_mv": np.maximum(_extreme(beats, qrs, 1), 0),
        "s_amp_{lead}_mv": np.minimum(_extreme(beats, qrs[:, None] & (samples >= at_r), -1), 0),
        "t_amp_{lead}_mv": _extreme(beats, _window(marks, g[:, 5] + 80, g[:, 8])),
        "stj_{lead}_mv": _at(marks, beats, g[:, 5]),
        "st60_{lead}_mv": _at(marks, beats, g[:, 5] + 60),
    }
    return {
        name.format(lead=lead): value[:, k]
        for name, value in values.items()
        for k, lead in enumerate(marks.leads)
    }


def _at(marks: Delineation, beats: np.ndarray, ms: np.ndarray) -> np.ndarray:
    """Return the beats' value at a time, (n, leads); NaN outside the window."""
    sample = np.rint(np.nan_to_num(ms, nan=-1e9) * marks.fs / 1000).astype(int) + marks.zero
    known = (sample >= 0) & (sample < beats.shape[-1])
    index = np.where(known, sample, 0)[:, None, None]
    value = np.take_along_axis(beats, np.broadcast_to(index, (*beats.shape[:2], 1)), axis=-1)
    return np.where(known[:, None], value[..., 0], np.nan)


def _axes(marks: Delineation) -> dict[str, np.ndarray]:
    """Frontal axes from the net areas in I and aVF (aVF scaled to a bipolar lead's length)."""
    n = len(marks)
    try:
        matrix = derive_leads(marks.leads, ("I", "aVF"))
    except UsageError:
        missing = np.full(n, np.nan)
        return dict.fromkeys(
            ("p_axis_deg", "qrs_axis_deg", "t_axis_deg", "qrst_angle_deg"), missing
        )
    g = marks.global_marks.astype(float)
    limb = apply_leads(matrix, _beats_above_baseline(marks))
    spans = {
        "p_axis_deg": (g[:, 0], g[:, 2]),
        "qrs_axis_deg": (g[:, 3], g[:, 5]),
        "t_axis_deg": (g[:, 5] + 80, g[:, 8]),
    }
    out = {}
    for name, (low, high) in spans.items():
        where = _window(marks, low, high)[:, None, :]
        area = np.where(where, limb, 0).sum(axis=-1)
        angle = np.degrees(np.arctan2(area[:, 1] * (2 / np.sqrt(3)), area[:, 0]))
        out[name] = np.where(where.any(axis=(1, 2)), angle, np.nan)
    turn = np.abs(out["qrs_axis_deg"] - out["t_axis_deg"])
    out["qrst_angle_deg"] = np.minimum(turn, 360 - turn)
    return out
