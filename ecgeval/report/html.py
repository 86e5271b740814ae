"""The report as one HTML file: no request to anywhere, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from ecgeval.report.figures import COLOURS, Drawing
from ecgeval.report.sheets import to_csv
from ecgeval.results import Figure
from ecgeval.wording import clean

__all__ = ["LIMIT_BYTES", "render_html"]

LIMIT_BYTES = 3_000_000
"""Largest index.html. What does not fit stays in the files beside it, and the page says so."""

_FIGURE_BYTES = 1_200_000
_TRACE_BYTES = 800_000
_TABLE_BYTES = 800_000
_ESTIMATE_BYTES = 700  # a row
_INT16 = 32767
_PLAIN = " !()*+,-./:;=?@[]^_{|}~"
"""What a data address need not encode: spaces and commas thrice as long would fill the page."""

# A figure's own colours, as variables that the style sheet sets for light, dark and print.
_VARIABLES = {value: f"var(--{role})" for role, value in COLOURS.items()} | {
    "#ffffff": "var(--page)"
}

_CODE = re.compile(r"\b[A-Z][A-Z0-9]+(?:-[A-Z0-9]+)+\b")


def render_html(
    view: Mapping[str, Any], figures: Mapping[str, tuple[Figure, Drawing | None, pd.DataFrame]]
) -> str:
    """Return the page.

    Parameters
    ----------
    view : dict
        What `ecgeval.report.view.view` returned.
    figures : dict
        By figure id: the figure, its drawing (None: show the table) and the data behind it.

    Returns
    -------
    str
        Smaller than `LIMIT_BYTES`.
    """
    script = _asset("viewer.js")
    budget = {"figure": _FIGURE_BYTES, "trace": _TRACE_BYTES, "table": _TABLE_BYTES}

    def take(kind: str, size: int) -> bool:
        """Whether so many bytes still fit."""
        if size > budget[kind]:
            return False
        budget[kind] -= size
        return True

    def cells(id: str) -> list[dict[str, Any]] | None:
        drawing = figures[id][1]
        if drawing is None or not take("figure", sum(len(c.svg) for c in drawing.cells)):
            return None
        return [{"svg": _themed(c.svg), "width": round(c.width)} for c in drawing.cells]

    def viewer(id: str) -> dict[str, Any] | None:
        figure = figures[id][0]
        records = {"ecg_paper": _records, "pairs": _pairs}.get(figure.kind)
        return None if records is None else _traces(figure.data, list(records(figure.data)), take)

    def sheet(rows: list[list[str]], csv: str) -> dict[str, Any]:
        """Return a table with as many rows as fit, and its CSV as an address."""
        address = "data:text/csv;charset=utf-8," + quote(csv, safe=_PLAIN)
        if take("table", len(address) + sum(map(_cell_bytes, rows))):
            return {"rows": rows, "of": len(rows), "csv": address}
        return {"rows": rows[:20], "of": len(rows), "csv": ""}

    def data_table(id: str) -> dict[str, Any]:
        frame = figures[id][2]
        body = [[clean(v) for v in row] for row in frame.itertuples(index=False)]
        return {"columns": list(map(clean, frame.columns)), **sheet(body, to_csv(frame))}

    template = _environment().get_template("report.html.j2")
    return template.render(
        **view,
        style=_asset("style.css"),
        script=script,
        csp=(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
            f"form-action 'none'; script-src '{_hash(script)}'"
        ),
        cells=cells,
        viewer=viewer,
        sheet=sheet,
        data_table=data_table,
        drawn=lambda id: figures[id][1] is not None,
        fit=lambda rows: rows if take("table", _ESTIMATE_BYTES * len(rows)) else rows[:20],
    )


def _cell_bytes(row: list[str]) -> int:
    return sum(len(cell.encode()) + 24 for cell in row)


def _records(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for record in data.get("records", ()):
        yield {
            "set": "real" if record.get("set") == "real" else "synthetic",
            "id": clean(record.get("id", "")),
            "uv": record.get("uv", {}),
            "marks": {clean(k): list(v) for k, v in (record.get("marks") or {}).items()},
        }


def _pairs(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield synthetic traces, each with the real one to draw over it and its lag."""
    for pair in data.get("pairs", ()):
        synth = {
            "set": "synthetic",
            "id": clean(pair.get("title", "")),
            "marks": {},
            "uv": pair.get("synth") or {},
        }
        if pair.get("real"):
            synth |= {
                "over": {
                    "set": "real",
                    "id": clean(pair.get("real_title", "")),
                    "marks": {},
                    "uv": pair["real"],
                },
                "lag_ms": float(pair.get("lag_ms") or 0),
            }
        yield synth


def _traces(
    data: Mapping[str, Any], records: list[dict[str, Any]], take: Callable[[str, int], bool]
) -> dict[str, Any] | None:
    """Return as many records for the viewer as fit, traces packed."""
    shown = []
    for record in records:
        sides = [packed for r in (record, record.get("over")) if r and (packed := _packed(r))]
        if not sides:
            continue
        if not take("trace", sum(len(side["uv"]) for side in sides)):
            break
        if len(sides) == 2:
            sides[0]["over"] = sides[1]
        shown.append(sides[0])
    if not shown:
        return None
    return {"fs": float(data.get("fs", 500)), "records": shown, "of": len(records)}


def _packed(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a record with its traces as int16 microvolts in base64, leads after leads.

    Limb leads that follow from I and II are left out; the viewer derives them.
    """
    uv = dict(record["uv"])
    if "I" in uv and "II" in uv:
        uv = {k: v for k, v in uv.items() if k not in ("III", "aVR", "aVL", "aVF")}
    if not uv:
        return None
    block = np.array([np.clip(v, -_INT16, _INT16) for v in uv.values()], dtype="<i2")
    text = base64.b64encode(block.tobytes()).decode()
    return {**record, "leads": list(map(clean, uv)), "uv": text}


def _themed(svg: str) -> str:
    for value, variable in _VARIABLES.items():
        svg = svg.replace(f": {value}", f": {variable}")
    return svg


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return (files("ecgeval.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["codes"] = _codes
    return environment


def _codes(text: str) -> Any:
    """Return text, escaped, in which no line ends at the hyphen of a code."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r'<span class="whole">\g<0></span>', str(escape(text))))
