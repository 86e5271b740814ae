"""From marks to one row a record: intervals, amplitudes, axes and rhythm."""

from __future__ import annotations

from dataclasses import dataclass

from ecgeval.ecgset import STANDARD_LEADS

__all__ = ["MEASURES", "Measure", "measure_info"]


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


_RR = "over intervals between consecutive dominant beats"
_BASE = "relative to the baseline just before the QRS onset, on the representative beat"

MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("hr_bpm", "bpm", "heart rate", "60,000 / rr_ms", 20, 300),
        Measure("rr_ms", "ms", "RR", f"mean RR {_RR}", 200, 3000),
        Measure("rr_sd_ms", "ms", "SD of RR", f"standard deviation (n-1) of RR {_RR}", 0, 1000),
        Measure(
            "rmssd_ms", "ms", "RMSSD",
            "root mean square of differences between successive RR intervals, dominant beats only",
            0, 1500,
        ),
        Measure("p_dur_ms", "ms", "P duration", "global P offset - P onset", 30, 250),
        Measure("pr_ms", "ms", "PR", "global QRS onset - P onset", 60, 500),
        Measure("qrs_ms", "ms", "QRS", "global QRS offset - QRS onset", 40, 300),
        Measure("qt_ms", "ms", "QT", "global T offset - QRS onset", 200, 800),
        Measure("qtcf_ms", "ms", "QTcF", "QT / (RR / 1 s)^(1/3) (Fridericia 1920)", 200, 800),
        Measure("qtcb_ms", "ms", "QTcB", "QT / (RR / 1 s)^(1/2) (Bazett 1920)", 200, 800),
        Measure("jt_ms", "ms", "JT", "global T offset - QRS offset", 100, 700),
        Measure(
            "p_axis_deg", "deg", "P axis",
            "frontal angle of the net P area in I and aVF (scaled by 2/sqrt 3)", -180, 180, True,
        ),
        Measure(
            "qrs_axis_deg", "deg", "QRS axis",
            "frontal angle of the net QRS area in I and aVF (scaled by 2/sqrt 3)", -180, 180, True,
        ),
        Measure(
            "t_axis_deg", "deg", "T axis",
            "frontal angle of the net T area in I and aVF (scaled by 2/sqrt 3)", -180, 180, True,
        ),
        Measure(
            "qrst_angle_deg", "deg", "QRS-T angle",
            "absolute frontal angle between QRS and T axes", 0, 180,
        ),
        Measure(
            "p_amp_{lead}_mv", "mV", "P amplitude {lead}",
            f"extreme of largest magnitude between P onset and offset, {_BASE}", -1, 1,
        ),
        Measure(
            "q_amp_{lead}_mv", "mV", "Q amplitude {lead}",
            f"lowest value between QRS onset and R, 0 where none is negative, {_BASE}", -5, 0,
        ),
        Measure(
            "r_amp_{lead}_mv", "mV", "R amplitude {lead}",
            f"highest value between QRS onset and offset, 0 where none is positive, {_BASE}", 0, 8,
        ),
        Measure(
            "s_amp_{lead}_mv", "mV", "S amplitude {lead}",
            f"lowest value between R and QRS offset, 0 where none is negative, {_BASE}", -8, 0,
        ),
        Measure(
            "t_amp_{lead}_mv", "mV", "T amplitude {lead}",
            f"extreme of largest magnitude between QRS offset + 80 ms and T offset, {_BASE}", -3, 3,
        ),
        Measure(
            "stj_{lead}_mv", "mV", "ST-J {lead}", f"value at the QRS offset (J point), {_BASE}",
            -2, 2,
        ),
        Measure(
            "st60_{lead}_mv", "mV", "ST-J+60 {lead}",
            f"value 60 ms after the J point, {_BASE}", -2, 2,
        ),
    )
}  # fmt: skip
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
