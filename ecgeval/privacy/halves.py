"""How alike two looks at one heart are: the two halves of one record, by every detector.

The limit of a copy comes from different patients: no honest set must pass it. What one person's
ECGs reach says on which side of it a practical copy lies. A limit above that still proves a copy,
but lets pass one that is no more alike than the record is to itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ecgeval.delineation import delineate
from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.bench import similarities
from ecgeval.privacy.copies.detectors import Signals, beat_signals, single_beats
from ecgeval.privacy.evidence import Evidence, Side
from ecgeval.stats.intervals import clopper_pearson

__all__ = ["SHARE", "Reach", "half_beats", "low_quantile", "same_record"]

SHARE = 0.05
"""Share of the halves that may lie below what is called their reach."""
RECORDS = 200
LEAST = 20
"""Fewest records of which the reach is given: it must not be that of a single record."""
_LEFT_OUT = ("D3", "D7")  # windows as long as a half; the same samples at another speed


class Reach(NamedTuple):
    """What the halves of one record reach under one detector.

    Attributes
    ----------
    low, ci_low, ci_high : float
        5 % quantile of their similarity, and its 95 % interval by order statistics.
    above, records : int
        Halves at or above the detector's limit, of how many.
    limit : float
    """

    low: float
    ci_low: float
    ci_high: float
    above: int
    records: int
    limit: float

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper-Pearson interval of the share at or above the limit."""
        return clopper_pearson(self.above, self.records)


def low_quantile(x: np.ndarray, share: float = SHARE) -> tuple[float, float, float]:
    """Return a low quantile and its distribution-free 95 % interval.

    The number of values below the quantile is binomial, so order statistics bound it; the lower
    end is -1, the least of a correlation, where no order statistic is low enough.

    References
    ----------
    Conover WJ. Practical Nonparametric Statistics, 3rd ed. Wiley 1999, section 3.2.
    """
    from scipy.stats import binom

    x = np.sort(x)
    low, high = (int(k) for k in binom.ppf((0.025, 0.975), len(x), share))
    return (
        float(np.quantile(x, share)),
        float(x[low - 1]) if low else -1.0,
        float(x[min(high, len(x) - 1)]),
    )


def same_record(e: Evidence, *, jobs: int = 1, progress: Progress = quiet) -> dict[str, Reach]:
    """Return what first and last half of training records reach, by detector.

    Parameters
    ----------
    e : Evidence
    jobs, progress
        As in `map_shards`.

    Returns
    -------
    dict of Reach
        Without D3 and D7, and without those of which fewer than 20 records have two usable
        halves.
    """
    usable = np.flatnonzero(e.train.signals["record"].usable)
    most = min(RECORDS, len(usable))
    if most < LEAST:
        return {}
    side = e.train.only(usable[np.linspace(0, len(usable) - 1, most).round().astype(int)])
    first, second = _halves(side, jobs, progress)
    out = {}
    looked = {m.detector.id: m for m in e.matches if m.detector.id not in _LEFT_OUT}
    for name, all_pairs in similarities([m.detector for m in looked.values()], first, second):
        m = looked[name]
        a, b = (half[m.detector.signals] for half in (first, second))
        own = np.diag(all_pairs).astype(float)
        own = own[a.usable & b.usable]
        if len(own) >= LEAST:
            above = int((own >= m.rule.limit).sum())
            # Rounded: an order statistic is one record's.
            low, ci_low, ci_high = (round(value, 3) for value in low_quantile(own))
            out[m.detector.id] = Reach(low, ci_low, ci_high, above, len(own), m.rule.limit)
    return out


def _halves(
    side: Side, jobs: int, progress: Progress
) -> tuple[dict[str, Signals], dict[str, Signals]]:
    """Return both halves of each record as the detectors see them."""
    signals = side.signals["record"]
    middle = signals.x.shape[2] // 2
    out: tuple[dict[str, Signals], dict[str, Signals]] = ({}, {})
    for half, x in zip(out, (signals.x[:, :, :middle], signals.x[:, :, -middle:]), strict=True):
        x = x - x.mean(axis=2, keepdims=True)
        size = np.linalg.norm(x.reshape(len(x), -1), axis=1)
        # A half of a thousandth of the record's norm is flat.
        part = replace(signals, x=x / np.maximum(size, 1e-3)[:, None, None], usable=size > 1e-3)
        half["record"] = part
        if "single" in side.signals:
            half["single"] = single_beats(part)
    if "beat" in side.signals:
        leads, ecgs = side.ecgs.leads, _loaded(side.ecgs)
        beats = half_beats(ecgs, jobs=jobs, progress=progress)
        for half, x in zip(out, beats, strict=True):
            half["beat"] = beat_signals(x, ecgs.fs, leads, leads)
    return out


def _loaded(ecgs: EcgSet) -> EcgSet:
    return replace(ecgs, signals=np.asarray(ecgs.signals[:], np.float32))


def half_beats(
    ecgs: EcgSet, *, jobs: int = 1, progress: Progress = quiet
) -> tuple[np.ndarray, np.ndarray]:
    """Return representative beats of the first and of the second half of each record.

    Returns
    -------
    first, second : ndarray, shape (n, leads, samples)
        mV at the rate of `ecgs`, as `delineate` gives them; NaN where a half has none.
    """
    middle = ecgs.signals.shape[2] // 2
    out = []
    for part in (slice(0, middle), slice(middle, 2 * middle)):
        half = EcgSet(np.asarray(ecgs.signals[:, :, part]), ecgs.fs, ecgs.leads, ecgs.records)
        out.append(delineate(half, jobs=jobs, progress=progress).beats)
    return out[0], out[1]
