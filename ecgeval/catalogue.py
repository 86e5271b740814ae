"""Every check and every statistic there is, collected from the parts that declare them."""

from __future__ import annotations

import re

from ecgeval.checks import Check, Statistic
from ecgeval.comparison.classifier import checks as classifier
from ecgeval.comparison.joint import checks as joint
from ecgeval.comparison.manifold import checks as manifold
from ecgeval.comparison.measures import checks as measures
from ecgeval.comparison.plausibility import checks as plausibility
from ecgeval.comparison.quality import checks as quality
from ecgeval.comparison.subgroups import checks as subgroups
from ecgeval.comparison.usefulness import checks as usefulness
from ecgeval.diff import checks as diff
from ecgeval.paper import checks as paper
from ecgeval.privacy import checks as privacy
from ecgeval.privacy.attacks import checks as attacks
from ecgeval.privacy.copies import detectors, disguises
from ecgeval.results import Finding, Results, Verdict
from ecgeval.sweep import checks as sweep

__all__ = [
    "CATALOGUE",
    "CHECKS",
    "STATISTICS",
    "area_of",
    "areas_of",
    "check_of",
    "rule_in_words",
    "word",
]

_OWNERS = {
    "comparison": (
        quality,
        measures,
        joint,
        classifier,
        manifold,
        plausibility,
        usefulness,
        subgroups,
    ),
    "audit": (privacy, attacks, detectors, disguises),
    "sweep": (sweep,),
    "diff": (diff,),
    "paper": (paper,),
}

CHECKS: dict[str, Check] = {
    check.code: check
    for owners in _OWNERS.values()
    for owner in owners
    for check in getattr(owner, "CHECKS", ())
}
"""By code."""

STATISTICS: dict[str, Statistic] = {
    name: statistic
    for owners in _OWNERS.values()
    for owner in owners
    for name, statistic in getattr(owner, "STATISTICS", {}).items()
}
"""By name."""

CATALOGUE: dict[str, Check | Statistic] = {**STATISTICS, **CHECKS}

_AREAS = {
    check.code: area
    for area, owners in _OWNERS.items()
    for owner in owners
    for check in getattr(owner, "CHECKS", ())
}


def area_of(results: Results, section: str) -> str:
    """Return what a section is part of: comparison, audit, sweep, diff or paper; "" if unknown."""
    codes = (f.code for f in results.findings if f.section == section)
    return next((_AREAS[code] for code in codes if code in _AREAS), "")


def areas_of(results: Results, *, gated: bool = False) -> set[str]:
    """Return what the sections (only those that count, with `gated`) of a run are part of."""
    return {area_of(results, s.slug) for s in results.sections if s.gate or not gated}


def check_of(finding: Finding) -> Check:
    """Return the check behind a finding; one without words for a code that is not declared."""
    return CHECKS.get(finding.code) or Check(finding.code, finding.title, "")


def word(finding: Finding) -> str:
    """Return what a reader is shown: the verdict where it counts, else what was found, in words.

    The verdict of a finding that decides nothing says whether a difference was seen, not whether
    the sets are good enough; `results.json` keeps it.
    """
    if finding.gate:
        return str(finding.verdict).replace("_", " ")
    return check_of(finding).word(finding.verdict)


def rule_in_words(finding: Finding) -> str:
    """Return the rule with the words that a reader is shown; `results.json` keeps the verdicts."""
    if finding.gate:
        return finding.rule
    check = check_of(finding)
    return re.sub(
        rf"\b({'|'.join(Verdict)})\b", lambda m: f'"{check.word(Verdict(m[0]))}"', finding.rule
    )
