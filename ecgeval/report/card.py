"""A fragment for a model card or a data card: what a run supports, and what it does not."""

from __future__ import annotations

import re

from ecgeval.catalogue import areas_of, check_of
from ecgeval.results import Finding, Results, Verdict
from ecgeval.wording import clean, role_order

__all__ = ["card"]

_MOST, _LONG = 6, 180
"""Findings under a heading, and letters of one: a card stays under a page."""

_NEVER = (
    "that the records are linked to nobody: an audit finds leaks or does not; it proves no absence",
    "anything about attacks listed under *not tested*",
    "anything about another checkpoint, more records of this one, or the released weights: audit "
    "again",
)
_SIMILAR = (
    "that synthetic records may replace real ones for a use that was not tested",
    "anything about hearts or recordings that the real set does not hold",
)

_CHANGE = ("anything about either run by itself: what failed in both has not changed",)


def card(results: Results, sha256: str) -> str:
    """Return a Markdown fragment with the claims that a run supports and those it does not.

    Parameters
    ----------
    results : Results
    sha256 : str
        Digest of the `results.json` they come from.

    Returns
    -------
    str
        Only gates count as support; what describes is left to the report.
    """
    sections = [s for s in results.sections if s.gate]
    areas = areas_of(results, gated=True)
    audit = "audit" in areas
    gates = [f for f in results.findings if f.gate and f.section in {s.slug for s in sections}]
    lines = ["## Evaluation by ecgeval", ""]
    if results.manifest.get("notice"):
        lines += [f"**{_plain(str(results.manifest['notice']))}**", ""]
    lines += [*_sets(results), ""] if results.manifest.get("sets") else []
    counts = {v: sum(f.verdict == v for f in gates) for v in Verdict}
    said = ", ".join(f"{n} {str(v).replace('_', ' ')}" for v, n in counts.items() if n)
    lines += [
        f"Verdict: **{str(results.verdict).replace('_', ' ')}** (gates: {said or 'none'}).",
        "",
    ]
    lines += _block("Supported by this run", [f for f in gates if f.verdict == Verdict.PASS])
    lines += _block("Contradicted by this run", [f for f in gates if f.verdict == Verdict.FAIL])
    open_ = [f for f in gates if f.verdict not in (Verdict.PASS, Verdict.FAIL)]
    lines += _block("Not decided by this run", open_)
    never = (_NEVER if audit else ()) + (_SIMILAR if len(sections) > 1 or not audit else ())
    if "diff" in areas:
        never = _CHANGE
    lines += ["### Not supported, whatever the numbers", "", *(f"- {text}" for text in never), ""]
    missing = next((f for f in results.findings if check_of(f).untested), None)
    if missing is not None:
        lines += [f"Not tested: {_plain(missing.explanation.removeprefix('Not run: '))}", ""]
    version = results.manifest.get("ecgeval", "")
    lines += [
        "Rules, intervals and margins: findings.csv and the report. What a code means: "
        "`ecgeval explain CODE`.",
        "",
    ]
    lines += [
        f"ecgeval {version}, seed {results.manifest.get('seed', '')}, results.json sha256 "
        f"`{sha256}`."
    ]
    return "\n".join(lines) + "\n"


def _block(title: str, found: list[Finding]) -> list[str]:
    if not found:
        return []
    rows = [f"- {_plain(_claim(f.title))} (`{clean(f.code)}`)" for f in found[:_MOST]]
    if found[_MOST:]:
        rows.append(f"- and {len(found) - _MOST} more in findings.csv")
    return [f"### {title}", "", *rows, ""]


def _claim(title: str) -> str:
    """Return a finding's conclusion without what stands in long parentheses, and not too long.

    The first number stays; margins, intervals and rules are in the report.
    """
    short = re.sub(r" \([^()]{45,}\)", "", title)
    text = short if re.search(r"\d", short) else title
    text = text[:1].upper() + text[1:]
    return _cut(text)


def _sets(results: Results) -> list[str]:
    rows = []
    sets = results.manifest.get("sets") or {}
    for role, s in sorted(sets.items(), key=lambda item: role_order(item[0])):
        patients = s.get("patients") or "unknown"
        rows.append(
            f"- {role}: {_plain(_cut(str(s.get('source', ''))))}, {s.get('n')} records of "
            f"{patients} patients, fingerprint `{str(s.get('fingerprint', ''))[:16]}`"
        )
    return rows


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1].rstrip() + "…"


def _plain(text: str) -> str:
    """Return text in which nothing is Markdown."""
    out = clean(text).replace("\\", "\\\\")
    for mark in "`*_[]<>|#":
        out = out.replace(mark, f"\\{mark}")
    return out
