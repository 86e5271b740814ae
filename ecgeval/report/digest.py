"""What a summary takes from the results: what to do next, and the most telling pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ecgeval.catalogue import area_of, areas_of, check_of
from ecgeval.results import Figure, Finding, Results, Verdict

if TYPE_CHECKING:
    from ecgeval.report.figures import Drawing

__all__ = ["Picture", "deciding_number", "next_steps", "pictures"]

PICTURES = 3
"""Small pictures of a summary, beside one real and one synthetic sheet of ECG paper."""

_FAIL, _OPEN, _MISSING = Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSABLE
_NO_HOLDOUT = (
    "Name a holdout of patients the generator never saw, and repeat the audit: without one, "
    "nothing says what chance alone gives."
)
_PASSED = (
    "Nothing that decides has failed, for these sets and margins. Test the use you have in mind, "
    "and audit the release with `ecgeval audit`."
)
_PASSED_AUDIT = "Audit again for another checkpoint, for more records, or before weights go out."


class Picture(NamedTuple):
    """One cell of a figure, and where it is from."""

    figure: Figure
    cell: int


def deciding_number(results: Results) -> str:
    """Return the finding that gives the number behind a verdict sentence that has none.

    "No copying was found" says less than how much copying could have been missed.
    """
    if re.search(r"\d", results.headline().partition("(and ")[0]):
        return ""
    gates = {s.slug for s in results.sections if s.gate}
    deciding = [f for f in results.findings if f.gate and f.section in gates]
    told = [f for f in deciding if re.search(r"\d", f.title)]
    told.sort(key=lambda f: not check_of(f).number)
    return told[0].title if told else ""


def next_steps(results: Results, most: int = 5) -> list[tuple[str, str]]:
    """Return what to do next: finding codes (by comma) and a sentence, the worst first.

    Parameters
    ----------
    results : Results
    most : int
        Most steps returned.
    """
    gates = {s.slug for s in results.sections if s.gate}
    areas = areas_of(results, gated=True)
    found: dict[str, list[str]] = {}
    for verdict in (_FAIL, _MISSING, _OPEN):
        for f in results.findings:
            if f.gate and f.section in gates and f.verdict == verdict:
                codes = found.setdefault(_step(f), [])
                codes += [] if f.code in codes else [f.code]
    steps = [(", ".join(codes), step) for step, codes in found.items()][:most]
    if results.verdict == Verdict.PASS and "diff" not in areas:
        steps.append(("", _PASSED))
    return [*steps, ("", _PASSED_AUDIT)] if "audit" in areas and len(steps) < most else steps


def _step(finding: Finding) -> str:
    check = check_of(finding)
    missing = finding.verdict == _MISSING and _MISSING not in check.steps
    if missing and "holdout" in f"{finding.title} {finding.rule}":
        return _NO_HOLDOUT
    return check.step(finding.verdict)


# Which kinds tell most at a glance, by section; a copy shows in "neighbours", never as a trace.
_TELLING = ("distributions", "neighbours", "null", "scatter", "roc", "beats", "curves", "effects")


def pictures(
    results: Results, drawings: Mapping[str, Drawing | None]
) -> tuple[list[Picture], list[Picture]]:
    """Return the most telling small pictures, and one real and one synthetic ECG sheet.

    The measures that the deciding findings name come first, then one picture a kind. Pairs of
    traces are not taken, not even where an audit was told to show them: a summary travels.

    Parameters
    ----------
    results : Results
    drawings : dict
        By figure id; None where a figure is not drawn.

    Returns
    -------
    small, sheets : list of Picture
    """
    order = {s.slug: k for k, s in enumerate(results.sections)}
    gated = {s.slug for s in results.sections if s.gate}
    worst = {slug: results.section_verdict(slug) for slug in order}
    rank = (_FAIL, _OPEN, _MISSING, Verdict.PASS)
    drawn = [f for f in results.figures if drawings.get(f.id) is not None]
    drawn.sort(
        key=lambda f: (
            f.section not in gated,
            rank.index(worst.get(f.section, _MISSING)),
            order.get(f.section, len(order)),
        )
    )
    # Measures by where the findings that decide name them.
    deciding = [f for f in results.findings if f.gate and f.section in gated]
    deciding.sort(key=lambda f: rank.index(f.verdict))
    named = " ".join(f.title for f in deciding).lower()
    small: list[Picture] = []
    for kind in _TELLING:
        # Of null distributions, those of an audit: of a comparison they only repeat its p.
        for figure in (f for f in drawn if f.kind == kind):
            if kind == "null" and area_of(results, figure.section) != "audit":
                continue
            cells = [0]
            if kind == "distributions":
                labels = [str(m.get("label") or m.get("name", "")) for m in figure.data["measures"]]
                at = [named.find(label.lower()) for label in labels]
                cells = sorted((k for k, place in enumerate(at) if place >= 0), key=at.__getitem__)
            small += [Picture(figure, k) for k in (cells or [0])[:2]]
            break
    alone = all(area_of(results, p.figure.section) == "audit" for p in small)
    return small[: PICTURES - alone], _sheets(drawn, drawings)


def _sheets(drawn: list[Figure], drawings: Mapping[str, Drawing | None]) -> list[Picture]:
    """Return the first sheets of each set; they are drawn real and synthetic in turn."""
    for figure in drawn:
        drawing = drawings[figure.id]
        if figure.kind == "ecg_paper" and drawing is not None:
            sides = {r.get("set") == "real" for r in figure.data.get("records", ())}
            return [Picture(figure, k) for k in range(min(len(sides), len(drawing.cells)))]
    return []
