"""The declared measures within subgroups: like against like, by sex, age band or any label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecgeval.comparison.declared import FDR, decide_location, intersection
from ecgeval.comparison.labels import groups_of, label_columns
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.subgroups.checks import EQUIV, SLUG
from ecgeval.comparison.subgroups.groups import Group, Masks, compare_groups, group_estimates
from ecgeval.comparison.subgroups.heterogeneity import (
    heterogeneity_estimates,
    heterogeneity_finding,
)
from ecgeval.comparison.subgroups.likeness import compare_likeness
from ecgeval.comparison.subgroups.tables import effects_figure, measures_table
from ecgeval.errors import UsageError
from ecgeval.results import Finding, Results, Section, Verdict
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.stats.sample import MIN_PATIENTS, Sample

__all__ = ["compare"]

MAX_GROUPS = 12


def compare(pair: Pair) -> Results:
    """Compare the declared measures of each real subgroup with the same synthetic subgroup.

    Parameters
    ----------
    pair : Pair
        Of it: measures, patients, labels (`Side.known`), `by`, margins. Where the synthetic set
        has no such label, each real subgroup is set against the whole synthetic set.

    Returns
    -------
    Results
        Empty where there is no label to go by, else one section that decides nothing. Estimates
        ``subgroups.{label}.{group}.{column}.{statistic}`` and ``subgroups.{label}.{column}.
        cochran_q``. Findings of each label: ``SUB-EQUIV``, ``SUB-HETERO``, and ``SUB-LIKE`` where
        the synthetic set has no such label. A group of fewer than 20 patients in either set is
        NOT_ASSESSABLE.

    Raises
    ------
    UsageError
        If the real set has no such label, or rows and labels do not match.
    """
    labels = list(dict.fromkeys(label_columns(pair)))
    if not labels:
        return Results()
    for name, side in (("real", pair.real), ("synthetic", pair.synth)):
        if len(side.known) != len(side.measures):
            raise UsageError(
                f"{len(side.known)} rows of labels for {len(side.measures)} {name} records; "
                "expected one each"
            )
    for label in labels:
        if label not in pair.real.known:
            have = ", ".join(map(str, pair.real.known.columns)) or "none"
            raise UsageError(f"the real set has no label {label!r}; its labels are {have}")
    tables = pair.real.measures, pair.synth.measures
    columns = [c for c in pair.margins.primary if all(c in table for table in tables)]
    samples = pair.samples_of(columns)
    summary = (
        f"{len(columns)} declared measures by {', '.join(labels)}; at least {MIN_PATIENTS} "
        "patients of a group in either set. Describes: the verdict of the run is that of the "
        "whole sets."
    )
    title = "Subgroups: does the agreement hold within each?"
    out = Results(sections=(Section(SLUG, title, summary, gate=False),))
    for label in labels:
        out += _by_label(pair, label, columns, samples)
    return out


def _by_label(
    pair: Pair, label: str, columns: Sequence[str], samples: tuple[Sample, Sample]
) -> Results:
    theirs = pair.synth.known.get(label)
    theirs = None if theirs is None or theirs.isna().all() else theirs
    groups = groups_of(pair.real.known[label], theirs)
    if not columns:
        return _not_compared(label, "no declared measure is in both tables")
    if not 1 <= len(groups) <= MAX_GROUPS:
        why = f"{len(groups)} values of {label} (1 to {MAX_GROUPS} can be compared)"
        return _not_compared(label, why)
    sides = [masks for masks in zip(*groups.values(), strict=True) if masks[0] is not None]
    n = sum(int(np.sum(~np.any(masks, axis=0))) for masks in sides)
    unlabelled = f" {n:,} records have no {label} of use." if n else ""
    if theirs is None:
        out = _not_compared(label, f"the synthetic set has no label {label}")
        return out + compare_likeness(pair, label, groups, columns, samples, unlabelled)
    return _within(pair, label, groups, columns, samples, unlabelled)


def _not_compared(label: str, why: str) -> Results:
    finding = EQUIV.finding(
        Verdict.NOT_ASSESSABLE,
        f"By {label}: not compared, {why}",
        section=SLUG,
        rule="Descriptive: it decides nothing.",
    )
    return Results(findings=(finding,))


def _within(
    pair: Pair,
    label: str,
    masks: Masks,
    columns: Sequence[str],
    samples: tuple[Sample, Sample],
    unlabelled: str,
) -> Results:
    """Compare the measures within each group, and whether the groups differ alike."""
    groups = compare_groups(pair, label, masks, columns, samples)
    tested = [(g, row) for g in groups for row in g.rows if row.result.p is not None]
    q_values = benjamini_hochberg([row.result.p or 1 for _, row in tested])
    adjusted = {
        (g.name, row.column): float(q) for (g, row), q in zip(tested, q_values, strict=True)
    }
    heterogeneity = heterogeneity_estimates(label, groups, pair.seed)
    differ = f"{sum(q <= FDR for q in adjusted.values())} of {len(tested)}"
    figure = effects_figure(label, groups)
    return Results(
        estimates=(*group_estimates(groups, adjusted, pair.seed), *heterogeneity),
        findings=(
            _equivalence(pair, label, groups, unlabelled),
            heterogeneity_finding(label, heterogeneity, differ),
        ),
        tables=(measures_table(label, groups, pair.margins),),
        figures=(figure,) if figure.data["rows"] else (),
    )


def _equivalence(pair: Pair, label: str, groups: Sequence[Group], unlabelled: str) -> Finding:
    finding = intersection(
        EQUIV,
        "median",
        {f"{g.id}.{row.column}": decide_location(row) for g in groups for row in g.rows},
        section=SLUG,
        things="pairs of declared measure and group",
        rule=f"Each declared measure in each group of {label}: 90 % CI of the difference of "
        f"medians (mean directions for angles) inside the {pair.margins.level} margin of "
        f"{pair.margins.source}; at least {MIN_PATIENTS} patients of a group in either set. "
        "Descriptive: it decides nothing.",
    )
    return replace(
        finding, title=f"By {label}: {finding.title}", explanation=finding.explanation + unlabelled
    )
