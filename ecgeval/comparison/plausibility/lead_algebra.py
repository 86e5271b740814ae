"""Sums of limb leads that are 0 at every instant in any heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.plausibility.checks import ALGEBRA, SLUG, STATISTICS
from ecgeval.comparison.plausibility.tables import algebra_table, percent
from ecgeval.ecgset import DERIVABLE
from ecgeval.parallel import child_rng
from ecgeval.results import Estimate, Results, Verdict
from ecgeval.signal_checks import EXACT_UV
from ecgeval.stats.arrays import Bools, Floats
from ecgeval.stats.equivalence import tost
from ecgeval.stats.intervals import newcombe, percentile_interval
from ecgeval.stats.resampling import subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, effective_n, rescale, split

__all__ = ["compare_lead_algebra"]

EXACT_SHARE = 0.95
"""Share of records whose sums hold exactly, from which leads were computed from each other."""


def compare_lead_algebra(pair: Pair, checks: tuple[pd.DataFrame, pd.DataFrame]) -> Results:
    """Compare how many records break the sums of leads.

    Parameters
    ----------
    pair : Pair
        Of it: patients, margins, `derived`.
    checks : (DataFrame, DataFrame)
        Signal checks of the real and the synthetic set.
    """
    margin = pair.margins.missing
    rule = (
        "A record breaks lead algebra if the 99.9th percentile of a residual exceeds that of 99 % "
        f"of the real records, and the {EXACT_UV:.0f} µV that rounding leaves. PASS if the upper "
        "end of the 90 % interval of the difference of shares, synthetic minus real, lies below "
        f"{100 * margin:g} points, FAIL if the lower end lies above. NOT_ASSESSABLE where limb "
        "leads are absent or were computed from I and II."
    )
    residuals = [frame["algebra_p999_uv"].to_numpy(float) for frame in checks]
    known = [~np.isnan(r) for r in residuals]
    residuals = [r[k] for r, k in zip(residuals, known, strict=True)]
    about = STATISTICS["broken_diff"]
    estimate = Estimate(
        f"{SLUG}.lead_algebra.broken_diff",
        None,
        unit=about.unit or "",
        better=about.better,
        null=about.null,
        seed=pair.seed,
        label="records that break lead algebra, synthetic minus real",
    )
    reason = _not_applicable(residuals, pair.derived)
    if reason:
        finding = ALGEBRA.finding(
            Verdict.NOT_ASSESSABLE,
            f"Lead algebra (II − I = III and the like): {reason}",
            "Sums that hold by construction say nothing of the generator; how leads belong "
            "together is then seen from the eight independent ones.",
            section=SLUG,
            rule=rule,
            estimates=(estimate.id,),
        )
        estimate = replace(estimate, method=f"not computed: {reason}")
        return Results(estimates=(estimate,), findings=(finding,))
    limit = max(EXACT_UV, float(np.quantile(residuals[0], 0.99)))
    broken = [r > limit for r in residuals]
    codes = [
        np.unique(sample.patient[k], return_inverse=True)[1]
        for sample, k in zip(pair.samples_of([]), known, strict=True)
    ]
    people = [int(code.max()) + 1 for code in codes]
    real, synth = (float(b.mean()) for b in broken)
    n_real, n_synth = map(effective_n, broken, codes)
    rng = child_rng(pair.seed, SLUG, "floor", "algebra")
    estimate = replace(
        estimate,
        value=100 * (synth - real),
        ci=percent(newcombe(real, n_real, synth, n_synth)),
        floor=_floor(broken[0], codes[0], people, pair.effort.floor, rng),
        n_real=len(broken[0]),
        n_synth=len(broken[1]),
        patients_real=people[0],
        patients_synth=people[1],
        method="share of records, S - R; CI Newcombe, on records over the design effect of "
        "patients",
    )
    finding = ALGEBRA.finding(
        tost(newcombe(real, n_real, synth, n_synth, 0.9), -np.inf, margin),
        f"Lead algebra is broken in {100 * synth:.1f} % of the synthetic and {100 * real:.1f} % of "
        f"the real records (residual, 99.9th percentile: median {np.median(residuals[1]):.1f} and "
        f"{np.median(residuals[0]):.1f} µV)",
        "II − I = III and four more sums hold at every instant in any heart. Where they do not, "
        "leads were generated, filtered or averaged apart from each other.",
        section=SLUG,
        rule=rule,
        estimates=(estimate.id,),
    )
    return Results(estimates=(estimate,), findings=(finding,), tables=(algebra_table(checks),))


def _not_applicable(residuals: list[Floats], derived: tuple[str, ...]) -> str:
    """Return why the sums say nothing; empty where they do. Residuals: real, synthetic, µV."""
    if not len(residuals[1]) or not len(residuals[0]):
        which = "real" if len(residuals[1]) else "synthetic"
        return f"the {which} set lacks the limb leads that the sums need"
    computed = sorted(set(derived) & set(DERIVABLE))
    if computed:
        return f"not applicable: {', '.join(computed)} were computed from I and II"
    if (residuals[1] <= EXACT_UV).mean() >= EXACT_SHARE:
        return (
            "not applicable: the sums hold to the last digit in the synthetic set, so its limb "
            "leads were computed from each other"
        )
    return ""


def _floor(
    broken: Bools, code: NDArray[np.intp], people: list[int], draws: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Return the difference between halves of the real patients, in percentage points."""
    n = people[0]
    if n < MIN_PATIENTS:
        return None
    chosen = subset_weights(n, n // 2, draws, rng)
    scale = rescale(n, people[1], n // 2, n - n // 2)
    return percent(percentile_interval(scale * split(broken[:, None], code, chosen)[0]))
