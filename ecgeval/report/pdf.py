"""The report as PDF/A, set by typst, in full and on two pages: the same results, the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ecgeval.report.digest import Picture
from ecgeval.report.figures import KINDS, Drawing, font_folder
from ecgeval.wording import clean

__all__ = ["render_pdf", "render_summary", "svg_to_pdf"]

_EPOCH = 0
"""PDF/A asks for a date; the results have none, so it is the epoch, whatever the clock says."""

_PAGE = b"""#set document(title: sys.inputs.title)
#set page(width: auto, height: auto, margin: 2pt)
#image(bytes(sys.inputs.svg), format: "svg")
"""

_ROWS = 12
"""Rows of a table on paper; a table of a few more is shown whole."""

_WIDE = 8
"""Columns beyond which those of long text are left to the CSV file."""

_LONG_TEXT = 40
_POINTS, _ESTIMATES, _ESTIMATES_ASIDE = 4, 12, 4
_SHEETS = 2


def render_pdf(view: Mapping[str, Any], drawings: Mapping[str, Drawing | None]) -> bytes:
    """Return the report as PDF/A-2a, tagged for screen readers (PDF/UA-1).

    Tables show their first rows and name the file that holds all: paper is for reading.

    Parameters
    ----------
    view : dict
        What `ecgeval.report.view.view` returned. It reaches the template as JSON, never as text
        to be parsed, so that no string in it can be code.
    drawings : dict
        By figure id; None where a figure is shown as data only.
    """
    sections = [
        {
            **s,
            "findings": list(map(_finding, s["findings"])),
            "tables": list(map(_table, s["tables"])),
            "rows": _figure_rows([_figure(f, drawings[f["id"]]) for f in s["figures"]]),
            "estimates": len(s["estimates"]),
        }
        for s in view["sections"]
    ]
    said = [m for m in view["manifest"] if m["value"] not in ("", "–")]  # run.toml holds the rest
    return _compile(
        "report.typ", {**view, "rated": _rated(view), "sections": sections, "manifest": said}
    )


def _rated(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("short", "summary", "gate", "verdict")
    return [{k: s[k] for k in keys} for s in view["sections"] if s["verdict"]]


def _finding(f: Mapping[str, Any]) -> dict[str, Any]:
    most = _ESTIMATES if f["gate"] else _ESTIMATES_ASIDE
    return {
        **f,
        "points": f["points"][:_POINTS],
        "more_points": len(f["points"][_POINTS:]),
        "estimates": f["estimates"][:most],
        "more_estimates": len(f["estimates"][most:]),
    }


def _table(t: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows and columns of a table that paper shows, and where the rest is."""
    columns, rows = t["columns"], t["rows"]
    kept = list(range(len(columns)))
    if len(columns) > _WIDE:
        widest = [max((len(row[k]) for row in rows), default=0) for k in kept]
        kept = [k for k in kept if t["numeric"][k] or widest[k] <= _LONG_TEXT or k == 0]
    shown = rows if len(rows) <= 1.25 * _ROWS else rows[:_ROWS]
    left = [columns[k] for k in range(len(columns)) if k not in kept]
    more = []
    if len(shown) < len(rows):
        more.append(f"First {len(shown)} of {len(rows)} rows")
    if left:
        more.append(f"without the column{'s' if len(left) > 1 else ''} {', '.join(left)}")
    text = ", ".join(more)
    return {
        **{k: t[k] for k in ("title", "caption")},
        "columns": [columns[k] for k in kept],
        "numeric": [t["numeric"][k] for k in kept],
        "rows": [[row[k] for k in kept] for row in shown],
        "more": f"{text[:1].upper()}{text[1:]}; full table in tables/{t['slug']}.csv."
        if more
        else ""
        if rows
        else "No rows.",
    }


def _figure(f: Mapping[str, Any], drawing: Drawing | None) -> dict[str, Any]:
    cells = [c.svg for c in drawing.cells] if drawing else []
    shown = cells[:_SHEETS] if f["kind"] == "ecg_paper" else cells
    columns = 1 if f["kind"] == "ecg_paper" or not drawing else drawing.columns
    more = f"{len(shown)} of {len(cells)} sheets; all in figures/{f['slug']}.pdf."
    return {
        **f,
        "cells": shown,
        "columns": columns,
        "more": more if len(shown) < len(cells) else "",
        "width": KINDS[f["kind"]].width if f["kind"] in KINDS else 100,
    }


def _figure_rows(figures: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return figures in rows: two of one drawing each side by side, any other alone.

    The first two of a section that fit together do so, wherever they stand.
    """
    single = [f for f in figures if len(f["cells"]) == 1 and f["width"] < 100]
    rows = [[f] for f in figures if f not in single]
    return rows + [single[k : k + 2] for k in range(0, len(single), 2)]


# ---- two pages -----------------------------------------------------------------------------------

_PAGES = 2
_GATES, _SETS, _STEPS = 9, 5, 5
_PAGE_OBJECT = re.compile(rb"/Type */Page\b")


def render_summary(
    view: Mapping[str, Any],
    small: Sequence[Picture],
    sheets: Sequence[Picture],
    drawings: Mapping[str, Drawing | None],
) -> bytes:
    """Return what a reader must know on two pages, in the same PDF/A.

    Parameters
    ----------
    view : dict
        What `ecgeval.report.view.view` returned.
    small, sheets : list of Picture
        What `ecgeval.report.digest.pictures` returned.
    drawings : dict
        By figure id.

    Returns
    -------
    bytes
        Two pages at most: what could be long is cut, with an ellipsis, the shorter the more
        there is.
    """
    for share in (1.0, 0.6, 0.35, 0.2):
        body = _summary(view, _Cut(share))
        body["small"] = [_picture(p, drawings) for p in small]
        body["sheets"] = [_picture(p, drawings) for p in sheets]
        out = _compile("summary.typ", body)
        if len(_PAGE_OBJECT.findall(out)) <= _PAGES:
            break
    return out


class _Cut:
    """Cuts text to a share of the letters that it may have."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, text: str, most: int) -> str:
        most = round(most * self.share)
        return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _summary(view: Mapping[str, Any], cut: _Cut) -> dict[str, Any]:
    gates = [f for s in view["sections"] if s["gate"] for f in s["findings"] if f["gate"]]
    worst = ("fail", "inconclusive", "not-assessable", "pass")
    gates.sort(key=lambda f: worst.index(f["verdict"]["class"]))
    run = {m["key"]: m["value"] for m in view["manifest"]}
    origin = {
        "version": f"ecgeval {run['ecgeval']}" if "ecgeval" in run else "",
        "seed": run.get("seed", ""),
        "configuration": run.get("config_sha256", ""),
    }
    return {
        **{key: view[key] for key in ("verdict", "meaning", "audit", "sha256", "reading")},
        "title": cut(view["title"], 90),
        "notice": cut(view["notice"], 300),
        "headline": cut(view["headline"], 330),
        "number": cut(view["number"], 200),
        "rated": [{**s, "short": cut(s["short"], 40)} for s in _rated(view)[:8]],
        "gates": [
            {"verdict": f["verdict"], "code": cut(f["code"], 30), "title": cut(f["title"], 230)}
            for f in gates[:_GATES]
        ],
        "more_gates": f"{len(gates) - _GATES} more in the full report."
        if len(gates) > _GATES
        else "",
        "sets": [_summary_set(s, cut) for s in view["sets"][:_SETS]],
        "recording": _recording(view["sets"], cut),
        "next": [
            {"codes": cut(s["codes"], 60), "text": cut(s["text"], 300)}
            for s in view["next"][:_STEPS]
        ],
        # A digest is given whole: half of one says nothing.
        "origin": [
            {"key": k, "value": v if len(v) <= 64 else cut(v, 64)} for k, v in origin.items() if v
        ],
    }


def _summary_set(s: Mapping[str, Any], cut: _Cut) -> dict[str, str]:
    facts = {f["key"]: f["value"] for f in s["facts"]}
    out = {key: facts.get(key, "–") for key in ("records", "patients", "rejected")}
    return {
        **out,
        "rejected": cut(out["rejected"], 90),
        "role": cut(s["role"], 20),
        "name": cut(s["name"], 110),
    }


def _recording(sets: Sequence[Mapping[str, Any]], cut: _Cut) -> str:
    """Return rate, length and number of leads of each set, once where all are alike."""
    said: dict[str, list[str]] = {}
    for s in sets[:_SETS]:
        facts = {f["key"]: f["value"] for f in s["facts"]}
        leads = facts.get("leads", "")
        parts = [facts.get("rate", ""), facts.get("length", "")]
        parts += [f"{len(leads.split())} leads"] if leads else []
        said.setdefault(", ".join(p for p in parts if p), []).append(cut(s["role"], 20))
    if len(said) == 1:
        text = next(iter(said))
        return f"All sets: {text}." if text else ""
    return " ".join(f"{' and '.join(roles)}: {text}." for text, roles in said.items() if text)


def _picture(p: Picture, drawings: Mapping[str, Drawing | None]) -> dict[str, str]:
    drawing = drawings[p.figure.id]
    assert drawing is not None
    title = _Cut(1)(clean(p.figure.title), 90)
    return {"svg": drawing.cells[p.cell].svg, "alt": title, "caption": title}


# ---- typst ---------------------------------------------------------------------------------------


def _compile(template: str, data: Mapping[str, Any]) -> bytes:
    import typst

    folder = files("ecgeval.report") / "templates"
    source = b"\n".join((folder / name).read_bytes() for name in ("common.typ", template))
    return typst.compile(
        source,
        sys_inputs={"data": json.dumps(data, sort_keys=True)},
        font_paths=_fonts(),
        pdf_standards=["a-2a", "ua-1"],
        timestamp=_EPOCH,
    )


@cache
def _fonts() -> Any:
    """Return the fonts, searched for once: the package's own and those of the figures."""
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[font_folder()])


def svg_to_pdf(svg: str, title: str) -> bytes:
    """Return a drawing as a one-page vector PDF."""
    import typst

    return typst.compile(
        _PAGE, sys_inputs={"svg": svg, "title": title}, font_paths=_fonts(), timestamp=_EPOCH
    )
