"""How many records of either set keep the rules for a normal ECG, one by one and all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.plausibility.checks import SLUG
from ecgeval.comparison.plausibility.rule_table import Rule
from ecgeval.comparison.plausibility.rules import Judged, judge
from ecgeval.parallel import child_rng
from ecgeval.signal_checks import RULE_COLUMNS
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import newcombe, percentile_interval
from ecgeval.stats.resampling import subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Sample, effective_n, rescale

__all__ = [
    "NormalShares",
    "ShareDifference",
    "label_columns",
    "normal_shares",
    "share_difference",
    "with_rule_columns",
]

UNKNOWN = 0.05
"""Share of records without sex or age above which both sets are judged by the same limits."""

Kept = tuple[Floats, Floats]
"""Of the real and the synthetic set, under one choice of limits, shape (rules + 1, n) each: 1 where
a record keeps the rule, 0 where not, NaN where it is not judged; the last row is for all rules."""


@dataclass(frozen=True)
class ShareDifference:
    """One rule (or all of them, ``normal``) in both sets; shares and differences are proportions.

    Ranges where the shares depend on the limits used: `difference` is the one farthest from 0, `ci`
    and `ci90` cover the intervals under all of them. `too_few` says why nothing was computed.
    """

    id: str
    label: str
    real: tuple[float, float] = (0.0, 0.0)
    synth: tuple[float, float] = (0.0, 0.0)
    difference: float = 0.0
    ci: tuple[float, float] = (0.0, 0.0)
    ci90: tuple[float, float] = (0.0, 0.0)
    floor: tuple[float, float] | None = None
    n: tuple[int, int] = (0, 0)
    patients: tuple[int, int] = (0, 0)
    missing: tuple[float, float] = (0.0, 0.0)
    too_few: str = ""

    @property
    def beyond_floor(self) -> bool:
        """Whether a difference is certain and larger than that of real against real."""
        certain = self.ci[0] > 0 or self.ci[1] < 0
        return (
            certain
            and self.floor is not None
            and not self.floor[0] <= self.difference <= self.floor[1]
        )


@dataclass(frozen=True)
class NormalShares:
    """The differences under the strict (True) and the alternative (False) limits.

    Parameters
    ----------
    differences : dict of bool to list of ShareDifference
        One a rule, and the last for all of them.
    rules : tuple of Rule
        Those that could be judged.
    children : (int, int)
        Real and synthetic records that are left out.
    own_limits : bool
        Whether records were judged by the limits of their own sex and age.
    """

    differences: dict[bool, list[ShareDifference]]
    rules: tuple[Rule, ...]
    children: tuple[int, int]
    own_limits: bool


def normal_shares(pair: Pair, stream: str = SLUG) -> NormalShares:
    """Compare how many records keep each rule and all of them, under strict and other limits.

    Parameters
    ----------
    pair : Pair
        Of it: measures, patients, labels (``sex`` F or M and ``age`` in years, where known),
        checks. If sex or age is unknown in more than 5 % of a set, both sets are judged by the same
        limits: those of women, then those of men, by age; shares are then ranges.
    stream : str
        Names the random streams.
    """
    sides = pair.real, pair.synth
    tables = with_rule_columns([(side.measures, side.checks) for side in sides])
    samples = pair.samples_of([])
    differences = {}
    for strict in (True, False):
        real, synth = (
            judge(table, strict=strict, **label_columns(side.known))
            for table, side in zip(tables, sides, strict=True)
        )
        own = all(_known_share(judged) >= 1 - UNKNOWN for judged in (real, synth))
        kept = _by_own_limits(real, synth) if own else _by_same_limits(real, synth)
        rng = child_rng(pair.seed, stream, "floor", "strict" if strict else "alternative")
        floors = _floors([first for first, _ in kept], samples, pair.effort.floor, rng)
        differences[strict] = _differences(real, synth, kept, floors, samples)
    children = int((~real.adult).sum()), int((~synth.adult).sum())
    return NormalShares(differences, real.rules, children, own)


def with_rule_columns(
    sides: Sequence[tuple[pd.DataFrame, pd.DataFrame | None]],
) -> list[pd.DataFrame]:
    """Return the measures that all have, with the rule columns of the signal checks."""
    full = []
    for measures, checks in sides:
        extra = [] if checks is None else [c for c in RULE_COLUMNS if c in checks]
        # By position: checks and measures are of the same records in the same order.
        full.append(measures.assign(**{c: checks[c].to_numpy() for c in extra}))  # type: ignore[index]
    shared = [c for c in full[0].columns if all(c in table for table in full)]
    return [table[shared] for table in full]


def label_columns(labels: pd.DataFrame) -> dict[str, Any]:
    """Return sex and age, where they are there, as arguments of `judge`."""
    return {c: labels[c].to_numpy() for c in ("sex", "age") if c in labels}


def _known_share(judged: Judged) -> float:
    """Return the share of records that may be of one group of people only."""
    alone = judged.may_be.sum(axis=0) == 1
    return float(alone[judged.adult].mean()) if judged.adult.any() else 0.0


def _by_own_limits(*both: Judged) -> list[Kept]:
    """Return what is kept under each record's own limits.

    Where they are unknown, at most in the real and at least in the synthetic set, and the reverse.
    """
    least, most = [], []
    for judged in both:
        passed, failed = judged.with_normal()
        own, adult = judged.may_be[:, None], judged.adult
        known = np.logical_and.reduce(passed | failed | ~own) & adult
        known[-1] = adult
        least.append(np.where(known, np.logical_and.reduce(passed | ~own) & adult, np.nan))
        most.append(np.where(known, np.logical_or.reduce(passed & own), np.nan))
    return [(most[0], least[1]), (least[0], most[1])]


def _by_same_limits(*both: Judged) -> list[Kept]:
    """Return what is kept if every record were of the same people, once for each of these."""
    rows = [(*judged.with_normal(), judged.adult) for judged in both]
    kept = []
    for person in range(len(both[0].may_be)):
        sides = []
        for passed, failed, adult in rows:
            known = (passed[person] | failed[person]) & adult
            known[-1] = adult
            sides.append(np.where(known, passed[person], np.nan))
        kept.append((sides[0], sides[1]))
    return kept


def _unmeasurable(both: Sequence[Judged]) -> list[str]:
    """Return why a rule, and all of them together, cannot be judged; empty where they can be.

    A rule that no real record has all values for (an axis, from one lead) is kept by none of them,
    and a share of 0 in both sets would look like likeness.
    """
    absent = np.array([j.adult.any() & ~(j.complete & j.adult).any(axis=1) for j in both])
    out = [
        "" if not real else f"not measurable in {'either' if synth else 'the real'} set"
        for real, synth in absent.T
    ]
    rules = both[0].rules
    gone = [r.label for r, why in zip(rules, out, strict=True) if why and r.decides]
    return [*out, f"{', '.join(gone)} cannot be measured in the real set" if gone else ""]


def _differences(
    real: Judged,
    synth: Judged,
    kept: Sequence[Kept],
    floors: Sequence[Sequence[tuple[float, float] | None]],
    samples: tuple[Sample, Sample],
) -> list[ShareDifference]:
    """Return the difference of each rule and of all of them, over every choice of limits."""
    names = [(rule.id, rule.label) for rule in real.rules] + [("normal", "all rules")]
    adults = [int(judged.adult.sum()) for judged in (real, synth)]
    out = []
    for row, (name, why) in enumerate(zip(names, _unmeasurable((real, synth)), strict=True)):
        if why:
            out.append(ShareDifference(*name, too_few=why))
            continue
        found = [
            (share_difference(*name, (a[row], b[row]), samples, adults), floor[row])
            for (a, b), floor in zip(kept, floors, strict=True)
        ]
        enough = [replace(share, floor=floor) for share, floor in found if not share.too_few]
        out.append(found[0][0] if found[0][0].too_few else _hull(enough))
    return out


def _hull(found: Sequence[ShareDifference]) -> ShareDifference:
    """Return the difference farthest from 0, with ranges and intervals over all."""
    ranges: dict[str, Any] = {
        name: (min(getattr(f, name)[0] for f in found), max(getattr(f, name)[1] for f in found))
        for name in ("real", "synth", "ci", "ci90")
    }
    return replace(max(found, key=lambda f: abs(f.difference)), **ranges)


def share_difference(
    id: str, label: str, kept: Sequence[Floats], samples: Sequence[Sample], adults: Sequence[int]
) -> ShareDifference:
    """Compare the shares of two sets that keep one rule.

    Parameters
    ----------
    id, label : str
        Of the rule.
    kept : sequence of two ndarray, shape (n,)
        As a row of `Kept`.
    samples : sequence of two Sample
        Of them the patients.
    adults : sequence of two int
        Records that the rules apply to.
    """
    events, codes, missing = [], [], []
    for row, sample, n in zip(kept, samples, adults, strict=True):
        known = ~np.isnan(row)
        events.append(row[known] == 1)
        codes.append(np.unique(sample.patient[known], return_inverse=True)[1])
        missing.append(1 - float(known.sum() / n) if n else 1.0)
    people = [int(code.max(initial=-1)) + 1 for code in codes]
    few = [
        f"{n} patients judged in the {which} set"
        for n, which in zip(people, ("real", "synthetic"), strict=True)
        if n < MIN_PATIENTS
    ]
    if few:
        why = f"{' and '.join(few)} (at least {MIN_PATIENTS} needed)"
        return ShareDifference(id, label, too_few=why)
    r, s = (float(event.mean()) for event in events)
    n_r, n_s = map(effective_n, events, codes)
    return ShareDifference(
        id,
        label,
        (r, r),
        (s, s),
        s - r,
        newcombe(r, n_r, s, n_s),
        newcombe(r, n_r, s, n_s, 0.9),
        n=(len(events[0]), len(events[1])),
        patients=(people[0], people[1]),
        missing=(missing[0], missing[1]),
    )


def _floors(
    kept: Sequence[Floats], samples: tuple[Sample, Sample], draws: int, rng: np.random.Generator
) -> list[list[tuple[float, float] | None]]:
    """Return the difference between halves of the real patients, rescaled, of each row of each."""
    patient, patients = samples[0].patient, samples[0].n_patients
    if patients < MIN_PATIENTS:
        return [[None] * len(rows) for rows in kept]
    half = patients // 2
    chosen = subset_weights(patients, half, draws, rng)
    scale = rescale(patients, samples[1].n_patients, half, patients - half)
    out = []
    for rows in kept:
        passed, known = (
            np.stack([np.bincount(patient, event) for event in events])
            for events in (rows == 1, ~np.isnan(rows))
        )
        a, b = passed @ chosen, known @ chosen
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = a / b - (passed.sum(axis=1)[:, None] - a) / (known.sum(axis=1)[:, None] - b)
        finite = [scale * row[np.isfinite(row)] for row in gap]
        out.append([percentile_interval(row) if len(row) else None for row in finite])
    return out
