"""Measures that the rules make of those of a record: ratios, voltages, R progression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.signal_checks import CHEST
from ecgeval.stats.arrays import Floats

__all__ = ["DERIVED", "with_derived"]

DERIVED = {
    "p_present": ("P wave found", ""),
    "q_share_{lead}": ("Q depth over R height {lead}", "%"),
    "deep_q_share_{lead}": ("Q depth over R height {lead}, Q from 0.1 mV on", "%"),
    "sokolow_mv": ("Sokolow-Lyon (S V1 + R V5 or V6)", "mV"),
    "cornell_mv": ("Cornell (R aVL + S V3)", "mV"),
    "limb_pp_mv": ("largest peak-to-peak QRS of the limb leads", "mV"),
    "r_gain_mv": ("R V4 − R V1", "mV"),
    "s_loss_mv": ("S V2 − S V5", "mV"),
    "transition": ("first chest lead with R ≥ S", ""),
}
"""Label and unit by name."""

_LIMB = STANDARD_LEADS[:6]
_DEEP_Q_MV = 0.1
_HARDLY_ANY_R = 1000.0  # Q over R where there is hardly an R, %


def with_derived(measures: pd.DataFrame) -> dict[str, Floats]:
    """Return the numeric columns and those of `DERIVED` whose leads are there, shape (n,) each."""
    frame = {
        str(c): measures[c].to_numpy(float, na_value=np.nan)
        for c in measures.columns
        if pd.api.types.is_numeric_dtype(measures[c]) or measures[c].isna().all()
    }
    q, r, s = (
        {lead: frame[c] for lead in STANDARD_LEADS if (c := f"{wave}_amp_{lead}_mv") in frame}
        for wave in "qrs"
    )
    # S is the deepest part of the QRS: where V1 has a QS with a notch, the measure calls it Q.
    depth = {lead: -np.minimum(q[lead], s[lead]) for lead in q if lead in s}
    if "pr_ms" in frame and "qrs_ms" in frame:
        found = np.isfinite(frame["pr_ms"]).astype(float)
        frame["p_present"] = np.where(np.isnan(frame["qrs_ms"]), np.nan, found)
    for lead in q:
        if lead in r:
            frame[f"q_share_{lead}"] = _q_share(q[lead], r[lead], 0.0)
            frame[f"deep_q_share_{lead}"] = _q_share(q[lead], r[lead], _DEEP_Q_MV)
    if "V1" in depth and "V5" in r and "V6" in r:
        frame["sokolow_mv"] = depth["V1"] + np.maximum(r["V5"], r["V6"])
    if "aVL" in r and "V3" in depth:
        frame["cornell_mv"] = r["aVL"] + depth["V3"]
    if "V4" in r and "V1" in r:
        frame["r_gain_mv"] = r["V4"] - r["V1"]
    if "V2" in depth and "V5" in depth:
        frame["s_loss_mv"] = depth["V2"] - depth["V5"]
    spans = [r[lead] + depth[lead] for lead in _LIMB if lead in r and lead in depth]
    if spans:
        frame["limb_pp_mv"] = np.max(spans, axis=0)
    if all(lead in r and lead in depth for lead in CHEST):
        frame["transition"] = _transition(
            np.stack([r[lead] for lead in CHEST]), np.stack([depth[lead] for lead in CHEST])
        )
    return frame


def _q_share(q: Floats, r: Floats, least: float) -> Floats:
    """Return Q depth over R height, %; 0 where Q is less than `least` mV deep."""
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = np.where(q < 0, np.minimum(-100 * q / r, _HARDLY_ANY_R), 0.0)
    percent = np.where(q > -least, 0.0, percent)
    return np.where(np.isnan(q) | np.isnan(r), np.nan, percent)


def _transition(r: Floats, s: Floats) -> Floats:
    """Return the number of the first chest lead with R at least S; 7 where there is none."""
    at_least = r >= s
    first = np.where(at_least.any(axis=0), at_least.argmax(axis=0) + 1.0, 7.0)
    return np.where(np.isnan(r + s).any(axis=0), np.nan, first)
