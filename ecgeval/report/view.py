"""Results as a reader sees them: plain text and lists, formatted once for HTML and PDF alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ecgeval.catalogue import CHECKS, area_of, areas_of, check_of, rule_in_words, word
from ecgeval.measures import measure_info
from ecgeval.report.digest import deciding_number, next_steps
from ecgeval.report.explain import Explained, explained, statistic
from ecgeval.report.sheets import to_csv
from ecgeval.results import Estimate, Finding, Results, Section, Table, Verdict
from ecgeval.wording import (
    clean,
    fixed,
    interval,
    number,
    places,
    pvalue,
    role_order,
    shortened,
    slug,
)

__all__ = ["view"]

SYMBOLS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✕",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_ASSESSABLE: "–",
}
_MEANING = {
    Verdict.PASS: "Every gate passed.",
    Verdict.FAIL: "At least one gate failed.",
    Verdict.INCONCLUSIVE: "At least one interval crosses its margin: the data do not decide.",
    Verdict.NOT_ASSESSABLE: "Something that decides could not be tested.",
}
_UNDECIDED = (
    "The audit found no leak and can exclude none: a test that finds nothing shows nothing."
)
_CHANGE = "Nothing got worse. A gate that failed in both runs has not changed, and fails still."
_INTERVALS = (
    "Intervals are at 95 %, except that equivalence is read off the 90 % interval, given in its "
    "findings: two one-sided tests at 5 % both reject exactly where the 90 % interval lies inside "
    "the margins (Schuirmann 1987)."
)
_WORDS = "A finding that decides nothing has no verdict: words say what was seen."
_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSABLE, Verdict.PASS)
DIRECTIONS = {"lower": "lower is better", "higher": "higher is better", "descriptive": "describes"}
_FACT = 60
# Columns that hold names and labels from outside, which may be of any length.
_LABELS = {"checkpoint", "group", "label", "record", "values"}
_SHOWN_APART = {"title", "notice"}


def view(results: Results, sha256: str) -> dict[str, Any]:
    """Return all that a report says, as text.

    Parameters
    ----------
    results : Results
    sha256 : str
        Digest of the `results.json` they come from, hexadecimal.

    Returns
    -------
    dict
        JSON types only, every string free of control characters.
    """
    manifest = results.manifest
    known = {s.slug for s in results.sections}
    sections = list(results.sections)
    rest = Section("further", "Further results", gate=False)
    extra = [
        *(f.section for f in results.findings),
        *(t.section for t in results.tables),
        *(f.section for f in results.figures),
        *(e.id.split(".")[0] for e in results.estimates),
    ]
    if any(name not in known for name in extra):
        sections.append(rest)

    def of(section: Section, items: Iterable[Any], where: Any) -> list[Any]:
        return [
            i
            for i in items
            if where(i) == section.slug or (section is rest and where(i) not in known)
        ]

    shown = []
    for s in sections:
        # What decides comes first, the worst of it at the top.
        findings = sorted(
            of(s, results.findings, lambda f: f.section),
            key=lambda f: (not f.gate, _ORDER.index(f.verdict) if f.gate else 0),
        )
        shown.append(
            {
                "slug": slug(s.slug),
                "title": clean(s.title),
                "short": clean(s.title.partition(":")[0]),
                "summary": _prose(s.summary),
                "gate": s.gate,
                "verdict": None
                if s is rest or results.describes(s.slug)
                else _verdict(results.section_verdict(s.slug)),
                "findings": [_finding(f, results) for f in findings],
                "estimates": [
                    _estimate(e) for e in of(s, results.estimates, lambda e: e.id.split(".")[0])
                ],
                "tables": [_table(t) for t in of(s, results.tables, lambda t: t.section)],
                "figures": [
                    {
                        "id": f.id,
                        "slug": slug(f.id),
                        "kind": f.kind,
                        "title": clean(f.title),
                        "caption": clean(f.caption),
                    }
                    for f in of(s, results.figures, lambda f: f.section)
                ],
            }
        )
    glossary = _glossary(results)
    areas = areas_of(results)
    audit = "audit" in areas
    alone = audit and "comparison" not in areas
    title = "Privacy audit of synthetic ECGs" if alone else "Synthetic ECGs against real ECGs"
    title = "What changed between two runs" if "diff" in areas else title
    decides = not results.sections or any(s.gate for s in results.sections)
    headline = results.headline().partition(": ")[2] if decides else _NOTHING_DECIDES
    equivalence = any(check_of(f).equivalence for f in results.findings)
    return {
        "title": clean(manifest.get("title") or title),
        "notice": clean(manifest.get("notice") or ""),
        "verdict": _verdict(results.verdict) if decides else _DESCRIBES,
        "meaning": _meaning(results) if decides else "",
        "reading": _reading(results),
        "intervals": _INTERVALS if equivalence else "",
        "headline": _prose(headline),
        "number": _prose(deciding_number(results)) if decides else "",
        "sets": _all_sets(manifest),
        "next": [{"codes": clean(codes), "text": text} for codes, text in next_steps(results)],
        "manifest": [
            {"key": clean(k), "value": clean(v)}
            for k, v in _leaves({k: v for k, v in manifest.items() if k not in _SHOWN_APART})
        ],
        "sections": shown,
        "glossary": [asdict(e) for e in glossary],
        "references": sorted({r for e in glossary for r in e.source.split("; ") if r}),
        "sha256": sha256,
        "audit": audit,
    }


_DESCRIBES = {"word": "describes", "symbol": "•", "class": "not-assessable"}
_NOTHING_DECIDES = "this report describes, section by section; nothing in it passes or fails"


def _meaning(results: Results) -> str:
    """Return what the verdict says; an audit has no margins that an interval could cross."""
    gates = {s.slug for s in results.sections if s.gate}
    if "diff" in areas_of(results, gated=True):
        return _CHANGE if results.verdict == Verdict.PASS else ""
    leaks = {
        area_of(results, f.section) == "audit"
        for f in results.findings
        if f.gate and f.section in gates and f.verdict == results.verdict
    }
    if results.verdict != Verdict.INCONCLUSIVE or True not in leaks:
        return _MEANING[results.verdict]
    return f"{_MEANING[results.verdict]} {_UNDECIDED}" if False in leaks else _UNDECIDED


def _reading(results: Results) -> str:
    """Return how to read the numbers of this run."""
    if "diff" in areas_of(results):
        return "Differences are new less old, with intervals that take the runs as independent."
    floor = (
        "Every effect size stands beside its noise floor: the same statistic on real against real "
        "at the same size. "
    )
    if not any(e.floor for e in results.estimates):
        floor = ""
    words = "" if all(f.gate for f in results.findings) else " " + _WORDS
    return f"{floor}Bootstraps and permutations move whole patients, not records.{words}"


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {
        "word": str(verdict).replace("_", " "),
        "symbol": SYMBOLS[verdict],
        "class": str(verdict).lower().replace("_", "-"),
    }


def _described(finding: Finding) -> dict[str, str]:
    """Return what stands in the place of a verdict where none is given: words, no alarm."""
    quiet = _verdict(Verdict.NOT_ASSESSABLE)
    symbol = quiet["symbol"] if finding.verdict == Verdict.NOT_ASSESSABLE else "•"
    return {"word": word(finding), "symbol": symbol, "class": quiet["class"]}


def _finding(finding: Finding, results: Results) -> dict[str, Any]:
    by_id = {e.id: e for e in results.estimates}
    gated = {s.slug for s in results.sections if s.gate}
    explanation, points = _points(_prose(finding.explanation))
    return {
        "code": clean(finding.code),
        "verdict": _verdict(finding.verdict) if finding.gate else _described(finding),
        "title": _prose(finding.title),
        "explanation": explanation,
        "points": points,
        "rule": _prose(rule_in_words(finding)),
        "gate": finding.gate and finding.section in gated,
        "known": finding.code in CHECKS,
        "estimates": [_estimate(by_id[i]) for i in finding.estimates if i in by_id],
    }


def _prose(text: str) -> str:
    """Return a sentence with a capital, true minus signs and the verdicts as they are shown."""
    if re.match(r"[a-z]+\b(?![-_.\d])", text):
        text = text[0].upper() + text[1:]
    return re.sub(r"(?<![\w.-])-(?=\d)", "−", clean(text)).replace(
        "NOT_ASSESSABLE", "NOT ASSESSABLE"
    )


def _points(text: str) -> tuple[str, list[str]]:
    """Return an enumeration of five parts or more as its first sentence and a list."""
    parts = re.split(r"; (?![^(]*\))", text)  # not inside parentheses
    if len(parts) < 5:
        return text, []
    lead, stop, first = parts[0].rpartition(". ")
    return lead + stop.strip(), [first, *parts[1:]]


def _estimate(e: Estimate) -> dict[str, Any]:
    about = statistic(e.id)
    decimals = places(*(e.ci or e.floor or (None,)))
    near = f"near {number(e.null)}" if e.null is not None else "near its null"
    return {
        "id": clean(e.id),
        "label": clean(_measure(e.id) or e.label or e.id),
        "statistic": about.title if about else clean(e.id.split(".")[-1]),
        "code": about.code if about else "",
        "definition": about.definition if about else "",
        "value": fixed(e.value, decimals),
        "ci": interval(e.ci, decimals),
        "level": f"{100 * e.level:g} %",
        "floor": interval(e.floor, decimals),
        "p": _least(e)
        + pvalue(e.p)
        + (f" ({pvalue(e.p_adjusted)})" if e.p_adjusted is not None else ""),
        "n": f"{number(e.n_real)} / {number(e.n_synth)}",
        "patients": f"{number(e.patients_real)} / {number(e.patients_synth)}",
        "unit": clean(e.unit) if e.value is not None else "",
        "direction": DIRECTIONS.get(e.better, near),
        "method": clean(e.method),
        "sort": [e.value, (e.ci or (None,))[0], (e.floor or (None,))[0], e.p],
        "bar": _bar(e),
    }


def _least(e: Estimate) -> str:
    """Return "≤ " where p is the smallest that the draws named in `method` can give."""
    draws = re.search(r"\bp ([\d,]+) (?:permutations|bootstrap draws)", e.method)
    least = 1 / (int(draws[1].replace(",", "")) + 1) if draws else 0.0
    return "≤ " if e.p is not None and e.p <= least * (1 + 1e-6) else ""


def _measure(id: str) -> str:
    """Return the label of the measure that an estimate is about, empty where it is none."""
    try:
        return measure_info(id.split(".")[-2]).label
    except (KeyError, IndexError):
        return ""


def _bar(e: Estimate) -> dict[str, float | None] | None:
    """Return where value, interval, floor and null lie on a line from 0 to 100."""
    named = {
        "value": e.value,
        "low": (e.ci or (None, None))[0],
        "high": (e.ci or (None, None))[1],
        "floor_low": (e.floor or (None, None))[0],
        "floor_high": (e.floor or (None, None))[1],
        "null": e.null,
    }
    there = [v for v in named.values() if v is not None]
    if e.value is None or (named["low"] is None and named["floor_low"] is None):
        return None
    start, span = min(there), (max(there) - min(there)) or 1.0
    return {
        k: None if v is None else round(4 + 92 * (v - start) / span, 1) for k, v in named.items()
    }


def _table(t: Table) -> dict[str, Any]:
    return {
        "id": t.id,
        "slug": slug(t.id),
        "title": clean(t.title),
        "caption": clean(t.caption),
        "columns": [clean(c) for c in t.columns],
        "numeric": [
            any(_is_number(v) for v in column) and all(v is None or _is_number(v) for v in column)
            for column in zip(*t.rows, strict=True)
        ]
        or [False] * len(t.columns),
        "rows": [[_cell(v, c) for v, c in zip(row, t.columns, strict=True)] for row in t.rows],
        "csv": to_csv(t.frame()),
    }


def _cell(value: Any, column: str) -> str:
    """Return a cell as it is shown; a label in full is in the table's CSV."""
    return shortened(number(value)) if column in _LABELS else number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all_sets(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sets of a run, or of the two runs that are compared."""
    if "sets" in manifest:
        return _sets(manifest["sets"])
    both = {side: (manifest.get(side) or {}).get("sets") for side in ("old", "new")}
    return [{**s, "role": f"{side} run, {s['role']}"} for side in both for s in _sets(both[side])]


def _sets(sets: Any) -> list[dict[str, Any]]:
    """Return what was compared; `sets` maps a role to a description, or lists descriptions."""
    if isinstance(sets, Mapping):
        items = [(role, dict(d)) for role, d in sets.items() if isinstance(d, Mapping)]
        items.sort(key=lambda item: role_order(item[0]))
    else:
        items = [(d.get("role", ""), dict(d)) for d in sets or () if isinstance(d, Mapping)]
    out = []
    whole = next((d for role, d in items if role == "real"), {})
    whole = {field: whole.get(field) for field in ("source", "n")}
    for role, d in items:
        if role in ("train", "holdout") and d.get("source") and d["source"] == whole["source"]:
            share = "part of" if d.get("n") != whole["n"] else "the same as"
            d["source"] = f"{share} real: {whole['source']}"
        rejected = d.pop("rejected", None) or {}
        counts = rejected if isinstance(rejected, Mapping) else {"rejected": rejected}
        facts = [
            (key, number(d.pop(field)))
            for key, field in (("records", "n"), ("patients", "patients"))
            if d.get(field) is not None
        ]
        facts += [
            (key, f"{d.pop(field):g} {unit}")
            for key, field, unit in (("rate", "fs", "Hz"), ("length", "seconds", "s"))
            if isinstance(d.get(field), int | float)
        ]
        leads = d.pop("leads", None)
        if leads:
            facts.append(("leads", leads if isinstance(leads, str) else " ".join(map(str, leads))))
        facts.append(("rejected", ", ".join(f"{n} {why}" for why, n in counts.items()) or "none"))
        name = d.pop("name", None) or d.pop("source", None) or role
        # A digest is recognised by its start; it stands in full under "This run".
        facts += [
            (k, v if len(v) < 60 or " " in v else v[:16] + "…")
            for k, v in _leaves(d)
            if k not in ("role", "patients") and v
        ]
        out.append(
            {
                "role": clean(role),
                "name": clean(name),
                # What is long (licence, citation, notes) folds away: a card is read at a glance.
                "facts": [
                    {"key": clean(k), "value": clean(v), "long": len(v) > _FACT} for k, v in facts
                ],
            }
        )
    return out


def _leaves(data: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, str]]:
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, where)
        elif isinstance(value, list | tuple):
            yield where, "; ".join(str(v) for v in value)
        else:
            yield where, "–" if value is None else str(value)


def _glossary(results: Results) -> list[Explained]:
    """Return the explanations of every statistic and code that occurs."""
    used: dict[str, Explained] = {}
    for e in results.estimates:
        about = statistic(e.id)
        if about:
            used[about.code] = about
    used |= {f.code: known for f in results.findings if (known := explained(f.code))}
    return list(used.values())
