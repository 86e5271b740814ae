"""Whether the difference between the sets is the same in every group: Cochran's Q."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ecgeval.comparison.declared import FDR
from ecgeval.comparison.rows import Row
from ecgeval.comparison.subgroups.checks import HETERO, SLUG, STATISTICS
from ecgeval.comparison.subgroups.groups import Group, id_part
from ecgeval.measures import measure_info
from ecgeval.results import Estimate, Finding, Verdict
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.wording import listed

__all__ = ["cochran_q", "heterogeneity_estimates", "heterogeneity_finding"]


def cochran_q(differences: ArrayLike, se: ArrayLike) -> tuple[float, float]:
    """Return Cochran's Q and its p: do groups differ by the same amount?

    Parameters
    ----------
    differences, se : array_like, shape (groups,)
        Estimates of independent groups and their standard errors, above 0.

    References
    ----------
    Cochran 1954, Biometrics 10:101, doi:10.2307/3001666
    """
    from scipy.special import chdtrc

    x, weight = np.asarray(differences, float), 1 / np.square(np.asarray(se, float))
    q = float(weight @ (x - (weight @ x) / weight.sum()) ** 2)
    return q, float(max(chdtrc(len(x) - 1, q), np.finfo(float).tiny))


def heterogeneity_estimates(label: str, groups: Sequence[Group], seed: int) -> list[Estimate]:
    """Return Cochran's Q of each measure, p adjusted over the measures."""
    out = [_estimate(label, rows, seed) for rows in zip(*(g.rows for g in groups), strict=True)]
    tested = [e for e in out if e.p is not None]
    q_values = benjamini_hochberg([e.p or 1 for e in tested])
    by_id = {e.id: float(q) for e, q in zip(tested, q_values, strict=True)}
    return [replace(e, p_adjusted=by_id.get(e.id)) for e in out]


def _estimate(label: str, rows: Sequence[Row], seed: int) -> Estimate:
    """Return Cochran's Q of one measure, of which there is one row a group."""
    from scipy.special import chdtri

    column = rows[0].column
    info, about = measure_info(column), STATISTICS["cochran_q"]
    rows = [row for row in rows if not row.result.too_few]
    stats = [row.result.stats[row.location] for row in rows]
    values = np.array([stat.value for stat in stats])
    se = np.array([(stat.ci90[1] - stat.ci90[0]) / (2 * 1.6449) for stat in stats])
    if info.circular and len(values):
        values = values[0] + (values - values[0] + 180) % 360 - 180
    estimate = Estimate(
        f"{SLUG}.{id_part(label)}.{column}.cochran_q",
        None,
        better=about.better,
        n_real=sum(len(row.real) for row in rows),
        n_synth=sum(len(row.synth) for row in rows),
        patients_real=sum(row.result.patients[0] for row in rows),
        patients_synth=sum(row.result.patients[1] for row in rows),
        label=f"{info.label} by {label}: {about.title}",
        seed=seed,
        method="not computed: fewer than two groups with enough patients that vary",
    )
    if len(values) < 2 or not (se > 0).all():
        return estimate
    q, p = cochran_q(values, se)
    df = len(values) - 1
    return replace(
        estimate,
        value=q,
        p=p,
        floor=(float(chdtri(df, 0.975)), float(chdtri(df, 0.025))),
        null=float(df),
        method=f"{len(values)} groups, differences of medians over their bootstrap SE; floor and p "
        "chi-squared",
    )


def heterogeneity_finding(label: str, estimates: Sequence[Estimate], differ: str) -> Finding:
    """Return how many measures depend on the group; `differ` of all pairs differ between sets."""
    known = [e for e in estimates if e.p_adjusted is not None]
    rule = (
        "Descriptive, no gate: Cochran's Q of the differences of medians over groups, "
        "Benjamini-Hochberg q = 0.05 over measures. Significance is never a verdict."
    )
    if not known:
        return HETERO.finding(
            Verdict.NOT_ASSESSABLE,
            f"By {label}: fewer than two groups have enough patients to be set against each other",
            section=SLUG,
            rule=rule,
        )
    found = [e for e in known if (e.p_adjusted or 1) <= FDR]
    found.sort(key=lambda e: e.p_adjusted or 1)
    title = (
        f"By {label}: the difference of {len(found)} of {len(known)} measures depends on the group"
    )
    if found:
        title += f" ({listed([e.label.rsplit(f' by {label}')[0] for e in found])})"
    return HETERO.finding(
        Verdict.INCONCLUSIVE,
        title,
        f"Distributions differ in {differ} pairs of group and measure at a false discovery rate of "
        "5 %. Groups are smaller than the whole: finding no dependence shows little, and finding a "
        "difference in one group alone does not show that the others are free of it; read the "
        "intervals beside each other.",
        section=SLUG,
        rule=rule,
        estimates=[e.id for e in found or known],
    )
