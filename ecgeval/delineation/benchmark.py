"""How well marks agree with annotated ones: detection, error of each mark, error of intervals."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.delineation import delineate
from ecgeval.delineation.averaging import lead_quantile
from ecgeval.delineation.base import MARKS, Delineation, Status
from ecgeval.ecgset import EcgSet
from ecgeval.io import ALL_LEADS
from ecgeval.parallel import Progress, one_thread, quiet

__all__ = [
    "TOLERANCES_MS",
    "Benchmark",
    "Outcome",
    "evaluate",
    "global_intervals",
    "match",
    "over_leads",
    "picture",
    "run",
    "tables",
    "worst",
]

TOLERANCES_MS = (150, 40)
"""Matching tolerances: the first is the habit of the field (AAMI), the second discriminates."""

INTERVALS = {
    "p_dur_ms": ("P_on", "P_off"),
    "pr_ms": ("P_on", "QRS_on"),
    "qrs_ms": ("QRS_on", "QRS_off"),
    "qt_ms": ("QRS_on", "T_off"),
}
"""Intervals compared, each as the marks at its two ends."""

_COLUMNS = {"P": (0, 1, 2), "QRS": (3, 4, 5), "T": (6, 7, 8)}
_PARTS = ("onset", "peak", "offset")
_TIMED = 16  # records on which processor time is taken


@dataclass(frozen=True)
class Benchmark:
    """Agreement of a method with annotations.

    Parameters
    ----------
    marks : DataFrame
        One row a mark (index `MARKS`): annotated and detected marks, sensitivity, positive
        predictive value and F1 at each tolerance (%), and bias, SD and median absolute error of
        the pairs matched at the wider tolerance (ms).
    intervals : DataFrame
        One row an interval: records with it, records where the method lacks it, bias, SD and
        median absolute error (ms).
    records : DataFrame
        One row a record: status, false P, and reference and method value of every interval (ms).
    p_less, false_p : int
        Records without an annotated P wave, and how many of them still got one.
    failures : int
        Records without marks (their annotated marks all count as missed).
    """

    marks: pd.DataFrame
    intervals: pd.DataFrame
    records: pd.DataFrame
    p_less: int
    false_p: int
    failures: int


@dataclass(frozen=True)
class Outcome:
    """What one method made of annotated records.

    Parameters
    ----------
    method : str
    benchmark : Benchmark
        Its agreement with the annotations; `Benchmark.records` has the record ids as index.
    delineation : Delineation
    cpu_ms : float
        Processor time a record in one process and thread, ms: over the first 16 records, the
        least of several calls where one takes less than a second.
    """

    method: str
    benchmark: Benchmark
    delineation: Delineation
    cpu_ms: float


def match(
    reference: np.ndarray, detected: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pair each reference event with at most one detection, nearest pairs first.

    Parameters
    ----------
    reference, detected : ndarray, shapes (r,) and (d,)
        Times, in any unit.
    tolerance : float
        Largest distance of a pair, inclusive, in the same unit.

    Returns
    -------
    i, j : ndarray of int, shape (pairs,)
        Positions in `reference` and in `detected`.
    """
    distance = np.abs(np.asarray(reference)[:, None] - np.asarray(detected)[None, :])
    rows, columns = np.nonzero(distance <= tolerance)
    pairs: list[tuple[int, int]] = []
    used_r, used_d = set(), set()
    for k in np.argsort(distance[rows, columns], kind="stable"):
        r, d = int(rows[k]), int(columns[k])
        if r not in used_r and d not in used_d:
            used_r.add(r)
            used_d.add(d)
            pairs.append((r, d))
    i, j = np.array(sorted(pairs), int).reshape(-1, 2).T
    return i, j


def global_intervals(marks: np.ndarray, fs: float) -> dict[str, float]:
    """Return the intervals of one record from marks lead by lead.

    A beat's global onset is the 10 % quantile of the onsets of its leads, its global offset the
    90 % quantile of their offsets; an interval is the median over the beats that have both ends.

    Parameters
    ----------
    marks : ndarray, shape (leads, beats, 9)
        Samples, in the order of `MARKS`; negative where missing.
    fs : float
        Hz.

    Returns
    -------
    dict of str to float
        ms; NaN where no beat has the interval.
    """
    values = np.where(marks < 0, np.nan, marks.astype(float)) * (1000 / fs)
    ends = {"on": lead_quantile(values, 0.1), "off": lead_quantile(values, 0.9)}
    out = {}
    for name, (first, last) in INTERVALS.items():
        a = ends[first.split("_")[1]][:, MARKS.index(first)]
        b = ends[last.split("_")[1]][:, MARKS.index(last)]
        span = (b - a)[np.isfinite(b - a)]
        out[name] = float(np.median(span)) if span.size else np.nan
    return out


def as_beats(reference: pd.DataFrame, leads: Sequence[str], fs: float) -> np.ndarray:
    """Arrange annotated waves of one record as marks (leads, beats, 9), -1 where missing.

    QRS peaks of all leads within 150 ms are one beat; a P wave belongs to the next beat within
    450 ms of its peak, a T wave to the last one within 700 ms.

    Parameters
    ----------
    reference : DataFrame
        Columns lead, wave ("P", "QRS" or "T"), onset, peak, offset in samples, -1 missing.
    leads : sequence of str
    fs : float
        Hz.
    """
    near, before, after = 0.15 * fs, 0.45 * fs, 0.7 * fs
    peaks = np.sort(reference.loc[reference["wave"] == "QRS", "peak"].to_numpy())
    splits = np.flatnonzero(np.diff(peaks) > near) + 1
    beats = np.array([np.median(group) for group in np.split(peaks, splits) if len(group)])
    out = np.full((len(leads), len(beats), 9), -1, np.int64)
    if not len(beats):
        return out
    position = {lead: k for k, lead in enumerate(leads)}
    for lead, wave, *times in reference[["lead", "wave", *_PARTS]].itertuples(index=False):
        gap = {"P": beats - times[1], "QRS": np.abs(beats - times[1]), "T": times[1] - beats}[wave]
        k = int(np.argmin(np.where(gap >= 0, gap, np.inf)))
        if lead in position and 0 <= gap[k] <= {"P": before, "QRS": near, "T": after}[wave]:
            out[position[lead], k, _COLUMNS[wave]] = times
    return out


def evaluate(delineation: Delineation, references: Sequence[pd.DataFrame]) -> Benchmark:
    """Compare a delineation with annotated marks, lead by lead and as global intervals.

    Detections are matched one to one with the marks of the same lead, nearest first. Annotations
    of public data sets leave out the first and last beats, so an unmatched detection counts as
    false only between the first and the last annotated mark of its lead. A record that the method
    failed on counts as everything missed.

    Parameters
    ----------
    delineation : Delineation
        Of n records.
    references : sequence of DataFrame, length n
        Annotations of each record: columns lead, wave ("P", "QRS" or "T"), onset, peak, offset,
        in samples at the rate of the delineation, -1 where missing.

    Returns
    -------
    Benchmark
    """
    ms = 1000 / delineation.fs
    counts = {mark: np.zeros((len(TOLERANCES_MS), 3), int) for mark in MARKS}
    errors: dict[str, list[np.ndarray]] = {mark: [] for mark in MARKS}
    rows = []
    for index, reference in enumerate(references):
        record = delineation.marks[index]
        every = reference[list(_PARTS)].to_numpy()
        names, kinds = reference["lead"].to_numpy(), reference["wave"].to_numpy()
        for k, lead in enumerate(delineation.leads):
            mine = names == lead
            times = every[mine]
            if not (times >= 0).any():
                continue
            first, last = times[times >= 0].min(), times.max()
            for wave, columns in _COLUMNS.items():
                waves = every[mine & (kinds == wave)]
                for part, column in enumerate(columns):
                    real = waves[waves[:, part] >= 0, part]
                    found = record[k, record[k, :, column] >= 0, column]
                    inside = (found >= first) & (found <= last)
                    for t, tolerance in enumerate(TOLERANCES_MS):
                        i, j = match(real, found, tolerance / ms)
                        false = inside.sum() - inside[j].sum()
                        counts[MARKS[column]][t] += len(i), len(real) - len(i), false
                        if t == 0:
                            errors[MARKS[column]].append((found[j] - real[i]) * ms)
        annotated = as_beats(reference, delineation.leads, delineation.fs)
        true, own = (global_intervals(m, delineation.fs) for m in (annotated, record))
        p_less = not (reference["wave"] == "P").any()
        row: dict[str, object] = {
            "status": Status(int(delineation.status[index])).name,
            "p_less": p_less,
            "false_p": p_less and bool((record[:, :, 1] >= 0).any()),
        }
        for name in INTERVALS:
            row[name], row[f"{name}_found"] = true[name], own[name]
        rows.append(row)
    records = pd.DataFrame(rows)
    return Benchmark(
        marks=pd.DataFrame({mark: _mark_row(counts[mark], errors[mark]) for mark in MARKS}).T,
        intervals=pd.DataFrame({name: _interval_row(records, name) for name in INTERVALS}).T,
        records=records,
        p_less=int(records["p_less"].sum()),
        false_p=int(records["false_p"].sum()),
        failures=int((records["status"] != Status.OK.name).sum()),
    )


def _mark_row(counts: np.ndarray, errors: list[np.ndarray]) -> dict[str, float]:
    hit, miss, _ = counts[0]
    row = {"n": float(hit + miss)}
    for tolerance, (tp, fn, fp) in zip(TOLERANCES_MS, counts, strict=True):
        row[f"sensitivity_{tolerance}"] = 100 * tp / (tp + fn) if tp + fn else np.nan
        # A mark that nobody annotated says nothing about those that were found.
        row[f"ppv_{tolerance}"] = 100 * tp / (tp + fp) if tp + fn and tp + fp else np.nan
        row[f"f1_{tolerance}"] = 200 * tp / (2 * tp + fn + fp) if tp + fn else np.nan
    return row | _error_row(np.concatenate(errors) if errors else np.empty(0))


def _interval_row(records: pd.DataFrame, name: str) -> dict[str, float]:
    has = records[name].notna()
    error = (records[f"{name}_found"] - records[name])[has]
    return {
        "n": float(has.sum()),
        "missing": float(error.isna().sum()),
        **_error_row(error.dropna().to_numpy()),
    }


def _error_row(error: np.ndarray) -> dict[str, float]:
    return {
        "bias_ms": float(error.mean()) if error.size else np.nan,
        "sd_ms": float(error.std(ddof=1)) if error.size > 1 else np.nan,
        "median_abs_ms": float(np.median(np.abs(error))) if error.size else np.nan,
    }


# ---- a whole run -----------------------------------------------------------------------------


def run(
    ecgs: EcgSet,
    references: Sequence[pd.DataFrame],
    method: str,
    *,
    jobs: int = 1,
    progress: Progress = quiet,
) -> Outcome:
    """Delineate annotated records by a method and compare, with the time it takes.

    Annotations that name no lead (`ecgeval.io.ALL_LEADS`) are compared with the marks over all
    leads, see `over_leads`.

    Parameters
    ----------
    ecgs : EcgSet
    references : sequence of DataFrame, one a record
        As `ecgeval.io.read_annotated` returns them.
    method : str
        One of `ecgeval.delineation.METHODS`.
    jobs : int
    progress : callable

    Raises
    ------
    UsageError
        If the method is unknown.
    """
    delineate(ecgs.select(slice(0, 1)), method=method)  # imports and first calls are not the work
    cpu_ms = 1000 * _cpu_s(ecgs.select(slice(0, _TIMED)), method) / min(len(ecgs), _TIMED)
    found = delineate(ecgs, method=method, jobs=jobs, progress=progress)
    judged = over_leads(found) if _for_all(references) else found
    agreement = evaluate(judged, references)
    agreement.records.index = ecgs.ids
    return Outcome(method, agreement, found, cpu_ms)


def _cpu_s(ecgs: EcgSet, method: str) -> float:
    """Return the least processor time of calls that take a second together, s."""
    calls: list[float] = []
    with one_thread():
        while sum(calls) < 1:
            start = time.process_time()
            delineate(ecgs, method=method)
            calls.append(time.process_time() - start)
    return min(calls)


def _for_all(references: Sequence[pd.DataFrame]) -> bool:
    return any((reference["lead"] == ALL_LEADS).any() for reference in references)


def over_leads(delineation: Delineation) -> Delineation:
    """Return marks over all leads, as those of one lead called `ecgeval.io.ALL_LEADS`.

    An onset is the 10 % quantile of the leads' onsets, an offset the 90 % quantile of their
    offsets, a peak the median of their peaks: one noisy lead decides nothing.
    """
    values = np.where(delineation.marks < 0, np.nan, delineation.marks.astype(float))
    share = {"on": 0.1, "peak": 0.5, "off": 0.9}
    q = np.array([share[mark.split("_")[1]] for mark in MARKS])
    marks = lead_quantile(values, q, axis=1)[:, None]
    return replace(
        delineation,
        leads=(ALL_LEADS,),
        marks=np.rint(np.nan_to_num(marks, nan=-1)).astype(np.int32),
        lead_marks=delineation.global_marks[:, None],
    )


def tables(outcomes: Sequence[Outcome]) -> dict[str, pd.DataFrame]:
    """Return results of several methods in long form.

    Returns
    -------
    dict of str to DataFrame
        ``marks`` (a row a mark and method), ``intervals`` (an interval and method), ``methods``
        (a method: records, failures, P-less records and those that got a P, CPU ms a record) and
        ``records`` (a record and method).
    """

    def stack(name: str, key: str) -> pd.DataFrame:
        parts = {o.method: getattr(o.benchmark, name) for o in outcomes}
        return pd.concat(parts, names=["method", key]).reset_index()

    order = {"marks": ("mark", list(MARKS)), "intervals": ("interval", list(INTERVALS))}
    out = {name: stack(name, key) for name, (key, _) in order.items()}
    for name, (key, usual) in order.items():
        place = out[name][key].map(usual.index)
        out[name] = out[name].iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    rows = [
        {
            "method": o.method,
            "version": o.delineation.method,
            "records": len(o.benchmark.records),
            "failures": o.benchmark.failures,
            "p_less": o.benchmark.p_less,
            "false_p": o.benchmark.false_p,
            "cpu_ms": o.cpu_ms,
        }
        for o in outcomes
    ]
    return out | {"methods": pd.DataFrame(rows), "records": stack("records", "record_id")}


def worst(benchmark: Benchmark, count: int) -> pd.Series:
    """Return the records with the largest sum of absolute interval errors, ms, largest first.

    An interval that only one side has counts as 150 ms, the widest error of a matched mark.
    """
    table = benchmark.records
    total = pd.Series(0.0, index=table.index)
    for name in INTERVALS:
        error = (table[f"{name}_found"] - table[name]).abs()
        alone = table[f"{name}_found"].notna() != table[name].notna()
        total += error.fillna(0) + float(TOLERANCES_MS[0]) * alone
    return total.sort_values(ascending=False, kind="stable").head(count)


def picture(outcome: Outcome, record: str, reference: pd.DataFrame) -> dict[str, Any]:
    """Return the data of a figure of kind ``marked_beat``: a record's beats and both sets of marks.

    The annotated marks are the medians over the dominant beats, about the R peak of each.

    Parameters
    ----------
    outcome : Outcome
    record : str
        Its id.
    reference : DataFrame
        Its annotations.

    Returns
    -------
    dict
        Without traces where the method found no beat.
    """
    d, k = outcome.delineation, list(outcome.benchmark.records.index).index(record)
    row = outcome.benchmark.records.loc[record]
    shown = [f"{outcome.method} on {record}"]
    for name in INTERVALS:
        label = name.removesuffix("_ms").replace("_dur", "").upper()
        values = [f"{row[key]:.0f}" for key in (f"{name}_found", name)]
        shown.append("{} {} (annotated {})".format(label, *values).replace("nan", "none"))
    traces = {
        lead: np.rint(1000 * beat).astype(int).tolist()
        for lead, beat in zip(d.leads, d.beats[k], strict=True)
        if np.isfinite(beat).all()
    }
    joint = _for_all([reference])
    # Where each beat's representative has its R peak, samples.
    own = np.where(d.marks[k, :, :, 4] < 0, np.nan, d.marks[k, :, :, 4].astype(float))
    own = lead_quantile(own - d.lead_marks[k, :, 4:5] * (d.fs / 1000), 0.5)
    own[d.beat_class[k] != 1] = np.nan
    leads = (ALL_LEADS,) if joint else d.leads
    marks = as_beats(reference, leads, d.fs).astype(float)
    marks[marks < 0] = np.nan
    i, j = match(lead_quantile(marks[:, :, 4], 0.5), own, 0.15 * d.fs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mark that no beat has stays NaN
        true = np.nanmedian(marks[:, i] - own[j][None, :, None], axis=1) * (1000 / d.fs)
    found = np.broadcast_to(d.global_marks[k], d.lead_marks[k].shape) if joint else d.lead_marks[k]
    true = np.broadcast_to(true, found.shape)

    def listed(values: np.ndarray) -> list[float | None]:
        return [round(float(v), 1) if np.isfinite(v) else None for v in values]

    return {
        "title": "; ".join(shown) + " ms",
        "fs": d.fs,
        "zero": d.zero,
        "uv": traces,
        "names": list(MARKS),
        "reference": {lead: listed(true[d.leads.index(lead)]) for lead in traces},
        "found": {lead: listed(found[d.leads.index(lead)]) for lead in traces},
    }
