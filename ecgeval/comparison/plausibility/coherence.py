"""Leads and signals of two sets, check by check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgeval.checks import Check
from ecgeval.comparison.plausibility.checks import ALGEBRA, LEADS, SIGNAL, STATISTICS
from ecgeval.comparison.rows import Common
from ecgeval.ecgset import DERIVABLE
from ecgeval.parallel import Progress, child_rng
from ecgeval.results import Estimate, Figure, Finding, Results, Table, Verdict
from ecgeval.signal_checks import (
    CHECKS,
    CHEST,
    EXACT_UV,
    FITTED,
    INDEPENDENT,
    LIMB,
    SignalCheck,
    covariances,
)
from ecgeval.stats.arrays import Bools, Floats
from ecgeval.stats.equivalence import tost
from ecgeval.stats.intervals import newcombe, percentile_interval
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.stats.resampling import subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample, effective_n, rescale, split
from ecgeval.stats.univariate import Comparison, compare_columns
from ecgeval.wording import quantity

__all__ = ["Setting", "compare_signals", "percent"]


_FDR = 0.05
_OUTSIDE = 0.5
_RIDGE = 1e-3
_EXACT = 0.95  # share of records whose sums hold exactly, from which leads were computed


@dataclass(frozen=True)
class Setting(Common):
    """What every part of the answer needs; the samples need no more than the patients."""

    effort: Effort


@dataclass(frozen=True)
class _Checked:
    """One check in both sets."""

    check: SignalCheck
    result: Comparison
    real: Floats
    synth: Floats
    adjusted: float | None

    @property
    def delta(self) -> float:
        stat = self.result.stats.get("cliffs_delta")
        return stat.value if stat else 0.0

    @property
    def clear(self) -> bool:
        """Whether the sets differ beyond chance and beyond the real-against-real floor."""
        stat = self.result.stats.get("cliffs_delta")
        if stat is None or self.adjusted is None or self.adjusted > _FDR:
            return False
        return stat.ci[0] > stat.floor[1] or stat.ci[1] < stat.floor[0]

    @property
    def outside(self) -> float | None:
        """Share of synthetic records outside the central 95 % of the real ones."""
        if not len(self.real) or not len(self.synth):
            return None
        low, high = np.quantile(self.real, (0.025, 0.975))
        return float(((self.synth < low) | (self.synth > high)).mean())

    def __str__(self) -> str:
        unit = f" {self.check.unit}" * bool(self.check.unit)
        medians = [f"{np.median(v):.4g}{unit}".replace("-", "−") for v in (self.synth, self.real)]
        words = self.check.higher if self.delta > 0 else self.check.lower
        return (
            f"{self.check.label}: median {medians[0]} against {medians[1]} in real records, "
            f"Cliff's δ {quantity(self.delta, sign=True)}" + (f" ({words})" if words else "")
        )


def compare_signals(
    common: Setting,
    checks: Sequence[pd.DataFrame | None],
    leads_derived: Sequence[str],
    jobs: int,
    progress: Progress,
) -> Results:
    if checks[0] is None or checks[1] is None:
        return Results(
            findings=tuple(
                check.finding(
                    Verdict.NOT_ASSESSABLE,
                    f"{what} were not checked: waveforms of both sets are needed",
                    section=common.section,
                    rule="Needs signal checks of both sets.",
                )
                for check, what in (
                    (ALGEBRA, "Sums of leads"),
                    (LEADS, "Leads"),
                    (SIGNAL, "Signals"),
                )
            )
        )
    frames = _with_maps((checks[0], checks[1]), common)
    names = [
        name
        for name, check in CHECKS.items()
        if check.group in ("leads", "signal")
        and all(name in frame for frame in frames)
        and any(frame[name].notna().any() for frame in frames)
    ]
    samples = [
        Sample(frame[names].to_numpy(float), sample.patient)
        for frame, sample in zip(frames, common.samples, strict=True)
    ]
    results = compare_columns(
        samples[0],
        samples[1],
        [False] * len(names),
        seed=common.seed,
        name=common.section,
        effort=common.effort,
        jobs=jobs,
        progress=progress,
    )
    p = [r.p for r in results]
    told = [i for i, value in enumerate(p) if value is not None]
    adjusted = dict(zip(told, benjamini_hochberg([p[i] or 1 for i in told]), strict=True))
    rows = [
        _Checked(
            CHECKS[name],
            results[i],
            real=_values(samples[0], i),
            synth=_values(samples[1], i),
            adjusted=float(adjusted[i]) if i in adjusted else None,
        )
        for i, name in enumerate(names)
    ]
    algebra, algebra_estimate, algebra_table = _algebra(common, frames, leads_derived)
    return Results(
        estimates=(algebra_estimate, *(e for row in rows for e in _check_estimates(common, row))),
        findings=(
            algebra,
            _largest(
                common,
                LEADS,
                [r for r in rows if r.check.group == "leads"],
                "how the leads of a record belong together",
            ),
            _largest(
                common, SIGNAL, [r for r in rows if r.check.group == "signal"], "the signal itself"
            ),
        ),
        tables=(_signal_table(common, rows), *algebra_table),
        figures=(_signal_figure(common, rows),),
    )


def percent(pair: tuple[float, float]) -> tuple[float, float]:
    return 100 * pair[0], 100 * pair[1]


def _values(sample: Sample, column: int) -> Floats:
    values = sample.values[:, column]
    return values[~np.isnan(values)]


def _with_maps(
    checks: tuple[pd.DataFrame, pd.DataFrame], common: Setting
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the checks with what linear maps between limb and chest leads leave, by record.

    Maps are fitted on one half of the real patients and read on the other half; of the synthetic
    records each half meets one map, so that no record was fitted on and all meet maps of one size.
    """
    cov = [covariances(c) for c in checks]
    found = [np.full((len(c), len(FITTED)), np.nan) for c in cov]
    whole = [np.isfinite(c).all(axis=(1, 2)) for c in cov]
    rng = child_rng(common.seed, common.section, "maps")
    order = rng.permutation(common.samples[0].n_patients)
    halves = [order[common.samples[0].patient] % 2, common.samples[1].patient % 2]
    for part in (0, 1):
        fit = whole[0] & (halves[0] != part)
        if not fit.any():
            continue
        pooled = cov[0][fit].mean(axis=0)
        for k in (0, 1):
            read = whole[k] & (halves[k] == part)
            found[k][read] = _left(cov[k][read], pooled)
    return (
        checks[0].assign(**dict(zip(FITTED, found[0].T, strict=True))),
        checks[1].assign(**dict(zip(FITTED, found[1].T, strict=True))),
    )


def _left(cov: Floats, fit: Floats) -> Floats:
    """Return what ridge maps fitted on covariance `fit` leave of records with covariances `cov`.

    Parameters
    ----------
    cov : ndarray, shape (n, 8, 8)
        mV².
    fit : ndarray, shape (8, 8)

    Returns
    -------
    ndarray, shape (n, 3)
        The columns of `FITTED`.
    """
    limb = np.array([INDEPENDENT.index(lead) for lead in LIMB])
    chest = np.array([INDEPENDENT.index(lead) for lead in CHEST])

    def residual(told: NDArray[np.intp], by: NDArray[np.intp]) -> tuple[Floats, Floats]:
        # min over W of |x_told − W x_by|² + λ |W|²; its residual on another record's covariance
        inner = fit[np.ix_(by, by)]
        ridge = _RIDGE * np.trace(inner) / len(by) * np.eye(len(by))
        w = np.linalg.solve(inner + ridge, fit[np.ix_(by, told)]).T
        own = np.trace(cov[:, told[:, None], told], axis1=1, axis2=2)
        cross = np.einsum("tb,nbt->n", w, cov[:, by[:, None], told])
        explained = np.einsum("tb,nbc,tc->n", w, cov[:, by[:, None], by], w)
        return own - 2 * cross + explained, own

    left, own = residual(limb, chest)
    back, own_back = residual(chest, limb)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [1e3 * np.sqrt(np.maximum(left, 0) / len(limb)), 1 - left / own, 1 - back / own_back],
            axis=1,
        )


def _algebra(
    common: Setting, frames: Sequence[pd.DataFrame], leads_derived: Sequence[str]
) -> tuple[Finding, Estimate, tuple[Table, ...]]:
    """Return the finding on sums of leads, its estimate and the residuals as a table."""
    about = STATISTICS["broken_diff"]
    id = f"{common.section}.lead_algebra.broken_diff"
    margin = common.margins.missing
    rule = (
        "A record breaks lead algebra if the 99.9th percentile of a residual exceeds that of 99 % "
        f"of the real records, and the {EXACT_UV:.0f} µV that rounding leaves. PASS if the upper "
        "end of the 90 % interval of the difference of shares, synthetic minus real, lies below "
        f"{100 * margin:g} points, FAIL if the lower end lies above. NOT_ASSESSABLE where limb "
        "leads are absent or were computed from I and II."
    )
    far = [frame["algebra_p999_uv"].to_numpy(float) for frame in frames]
    known = [~np.isnan(f) for f in far]
    derived = sorted(set(leads_derived) & set(DERIVABLE))
    reason = ""
    if not known[1].any() or not known[0].any():
        which = "synthetic" if not known[1].any() else "real"
        reason = f"the {which} set lacks the limb leads that the sums need"
    elif derived:
        reason = f"not applicable: {', '.join(derived)} were computed from I and II"
    elif (far[1][known[1]] <= EXACT_UV).mean() >= _EXACT:
        reason = (
            "not applicable: the sums hold to the last digit in the synthetic set, so its limb "
            "leads were computed from each other"
        )
    estimate = Estimate(
        id,
        None,
        unit=about.unit or "",
        better=about.better,
        null=about.null,
        seed=common.seed,
        label="records that break lead algebra, synthetic minus real",
        method=f"not computed: {reason}",
    )
    if reason:
        finding = ALGEBRA.finding(
            Verdict.NOT_ASSESSABLE,
            f"Lead algebra (II − I = III and the like): {reason}",
            "Sums that hold by construction say nothing of the generator; how leads "
            "belong together is then seen from the eight independent ones.",
            rule=rule,
            estimates=(id,),
            section=common.section,
        )
        return finding, estimate, ()
    limit = max(EXACT_UV, float(np.quantile(far[0][known[0]], 0.99)))
    broken = [f[ok] > limit for f, ok in zip(far, known, strict=True)]
    codes = [
        np.unique(sample.patient[ok], return_inverse=True)[1]
        for sample, ok in zip(common.samples, known, strict=True)
    ]
    share = [float(b.mean()) for b in broken]
    effective = [effective_n(b, c) for b, c in zip(broken, codes, strict=True)]
    wide, narrow = (
        newcombe(share[0], effective[0], share[1], effective[1], level) for level in (0.95, 0.9)
    )
    medians = [float(np.median(f[ok])) for f, ok in zip(far, known, strict=True)]
    estimate = replace(
        estimate,
        value=100 * (share[1] - share[0]),
        ci=percent(wide),
        floor=_algebra_floor(common, broken[0], codes[0], int(codes[1].max()) + 1),
        n_real=len(broken[0]),
        n_synth=len(broken[1]),
        patients_real=int(codes[0].max()) + 1,
        patients_synth=int(codes[1].max()) + 1,
        method="share of records, S - R; CI Newcombe, on records over the design effect of "
        "patients",
    )
    finding = ALGEBRA.finding(
        tost(narrow, -np.inf, margin),
        f"Lead algebra is broken in {100 * share[1]:.1f} % of the synthetic and "
        f"{100 * share[0]:.1f} % of the real records (residual, 99.9th percentile: median "
        f"{medians[1]:.1f} and {medians[0]:.1f} µV)",
        "II − I = III and four more sums hold at every instant in any heart. Where "
        "they do not, leads were generated, filtered or averaged apart from each other.",
        rule=rule,
        estimates=(id,),
        section=common.section,
    )
    rows = [
        {
            "check": CHECKS[name].label,
            "unit": CHECKS[name].unit,
            **{
                f"{which} {end}": float(np.nanquantile(frame[name], q))
                for which, frame in zip(("real", "synthetic"), frames, strict=True)
                for end, q in (("median", 0.5), ("95th percentile", 0.95))
            },
        }
        for name, check in CHECKS.items()
        if check.group == "algebra"
    ]
    table = Table.of(
        pd.DataFrame(rows),
        f"{common.section}.algebra",
        "Sums of leads that must be 0",
        caption="Residual by record, over the whole record.",
        section=common.section,
    )
    return finding, estimate, (table,)


def _algebra_floor(
    common: Setting, broken: Bools, code: NDArray[np.intp], synth_patients: int
) -> tuple[float, float] | None:
    patients = int(code.max()) + 1
    half = patients // 2
    if patients < MIN_PATIENTS:
        return None
    rng = child_rng(common.seed, common.section, "floor", "algebra")
    chosen = subset_weights(patients, half, common.effort.floor, rng)
    scale = rescale(patients, synth_patients, half, patients - half)
    return percent(percentile_interval(scale * split(broken[:, None], code, chosen)[0]))


def _check_estimates(common: Setting, row: _Checked) -> list[Estimate]:
    out = []
    for name, what in (
        ("cliffs_delta", "Cliff's delta"),
        ("median_diff", "median difference"),
        ("ks", "Kolmogorov-Smirnov D"),
    ):
        about, stat = STATISTICS[name], row.result.stats.get(name)
        tested = name == "ks" and stat is not None
        how = "percentile bootstrap of patients"
        if tested:
            how = f"directional bootstrap of F - G; p {row.result.p_method}"
        out.append(
            Estimate(
                id=f"{common.section}.{row.check.name}.{name}",
                value=stat.value if stat else None,
                ci=stat.ci if stat else None,
                floor=stat.floor if stat else None,
                p=row.result.p if tested else None,
                p_adjusted=row.adjusted if tested else None,
                n_real=len(row.real),
                n_synth=len(row.synth),
                patients_real=row.result.patients[0],
                patients_synth=row.result.patients[1],
                unit=row.check.unit if about.unit is None else about.unit,
                better=about.better,
                null=about.null,
                method=f"{row.check.definition}; CI {how}"
                if stat
                else f"not computed: {row.result.too_few}",
                seed=common.seed,
                label=f"{row.check.label}: {what}",
            )
        )
    return out


def _largest(common: Setting, check: Check, rows: Sequence[_Checked], what: str) -> Finding:
    """Return the finding that names the largest differences in words."""
    rule = (
        f"Descriptive, no gate: FAIL if at least {100 * _OUTSIDE:.0f} % of the synthetic records "
        "lie outside the central 95 % of the real ones in one check (5 % would be expected), or "
        "the synthetic set has no value of a check that real records have; else INCONCLUSIVE. A "
        f"difference is named if it passes Benjamini-Hochberg at q = {_FDR:g} (Kolmogorov-Smirnov) "
        "and the interval of Cliff's δ lies outside the real-against-real floor."
    )
    told = [row for row in rows if row.result.stats]
    absent = [row.check.label for row in rows if len(row.real) and not len(row.synth)]
    if not told and not absent:
        return check.finding(
            Verdict.NOT_ASSESSABLE,
            f"Nothing is known of {what}",
            explanation=rows[0].result.too_few if rows else "",
            section=common.section,
            rule=rule,
        )
    clear = sorted((row for row in told if row.clear), key=lambda row: -abs(row.delta))
    strange = [row for row in told if (row.outside or 0) >= _OUTSIDE]
    strange.sort(key=lambda row: -(row.outside or 0))
    text = "Two-sided: a signal that is too clean is as foreign as one that is too noisy. "
    if absent:
        title = f"The synthetic set has no value of {', '.join(absent)}"
    elif strange:
        title = (
            f"{100 * (strange[0].outside or 0):.0f} % of the synthetic records lie where 5 % of "
            f"the real ones do in {strange[0]}"
        )
    elif clear:
        title = f"In {what}, {len(clear)} of {len(told)} checks differ; most: {clear[0]}"
    else:
        title = (
            f"In {what}, none of {len(told)} checks differs beyond the real-against-real floor; "
            "that is no proof of likeness"
        )
    first = strange[0] if strange else clear[0] if clear else None
    rest = [row for row in clear if row is not first or absent][:4]
    if rest:
        text += "Also: " + "; ".join(map(str, rest)) + "."
    return check.finding(
        Verdict.FAIL if strange or absent else Verdict.INCONCLUSIVE,
        title,
        explanation=text,
        section=common.section,
        rule=rule,
        estimates=tuple(
            f"{common.section}.{row.check.name}.cliffs_delta"
            for row in ([first] if first else []) + [r for r in rest if r is not first]
        ),
    )


def _signal_table(common: Setting, rows: Sequence[_Checked]) -> Table:
    def quantiles(values: Floats, name: str) -> dict[str, float | None]:
        ends = np.quantile(values, (0.5, 0.05, 0.95)) if len(values) else (None,) * 3
        return dict(zip((f"{name} median", f"{name} 5 %", f"{name} 95 %"), ends, strict=True))

    body = []
    for row in rows:
        stat = row.result.stats.get("cliffs_delta")
        outside = row.outside
        body.append(
            {
                "check": row.check.label,
                "unit": row.check.unit,
                **quantiles(row.real, "real"),
                **quantiles(row.synth, "synthetic"),
                "Cliff's δ": stat.value if stat else None,
                "95 % low": stat.ci[0] if stat else None,
                "95 % high": stat.ci[1] if stat else None,
                "floor low": stat.floor[0] if stat else None,
                "floor high": stat.floor[1] if stat else None,
                "adjusted p": row.adjusted,
                "synthetic outside the real 95 %, %": None if outside is None else 100 * outside,
                "definition": row.check.definition,
            }
        )
    return Table.of(
        pd.DataFrame(body),
        f"{common.section}.signal",
        "Leads and signals, check by check",
        caption="Of records alike, 5 % of the synthetic ones lie outside the central 95 % of the "
        "real ones. p of Kolmogorov-Smirnov, adjusted over checks (Benjamini-Hochberg).",
        section=common.section,
    )


def _signal_figure(common: Setting, rows: Sequence[_Checked]) -> Figure:
    groups = {"leads": "how leads belong together", "signal": "the signal"}
    body = []
    for row in rows:
        stat = row.result.stats.get("cliffs_delta")
        if stat is not None:
            body.append(
                {
                    "label": row.check.label,
                    "value": stat.value,
                    "ci": stat.ci,
                    "floor": stat.floor,
                    "group": groups[row.check.group],
                }
            )
    return Figure(
        f"{common.section}.signal",
        "effects",
        "Leads and signals: Cliff's δ of each check",
        {"xlabel": "Cliff's δ", "null": 0, "rows": body},
        caption="Interval: bootstrap of patients. Band: real against real at the same sizes.",
        section=common.section,
    )
