"""The report as one HTML file: no request to anywhere, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from ecgeval.report.figures import COLOURS, Drawing
from ecgeval.report.sheets import to_csv
from ecgeval.report.text import clean
from ecgeval.results import Figure

__all__ = ["LIMIT_BYTES", "render_html"]

LIMIT_BYTES = 3_000_000
"""Largest index.html. What does not fit stays in the files beside it, and the page says so."""

_FIGURE_BYTES = 1_200_000
_TRACE_BYTES = 800_000
_TABLE_BYTES = 800_000
_ESTIMATE_BYTES = 700  # a row
_INT16 = 32767
# A figure's own colours, as variables that the style sheet sets for light, dark and print.
_VARIABLES = {value: f"var(--{role})" for role, value in COLOURS.items()} | {
    "#ffffff": "var(--page)"
}


def render_html(
    view: Mapping[str, Any],
    figures: Mapping[str, tuple[Figure, Drawing | None, pd.DataFrame]],
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
        return _traces(figure.data, take) if figure.kind == "ecg_paper" else None

    def sheet(columns: list[str], rows: list[list[str]]) -> dict[str, Any]:
        """Return a table with as many rows as fit, and its CSV as an address."""
        text = to_csv(pd.DataFrame(rows, columns=columns))
        size = 3 * len(text) + 60 * sum(map(len, rows))
        if take("table", size):
            return {
                "rows": rows,
                "of": len(rows),
                "csv": "data:text/csv;charset=utf-8," + quote(text),
            }
        return {"rows": rows[:20], "of": len(rows), "csv": ""}

    def data_table(id: str) -> dict[str, Any]:
        frame = figures[id][2]
        body = [[clean(v) for v in row] for row in frame.itertuples(index=False)]
        return {"columns": list(map(clean, frame.columns)), **sheet(list(frame.columns), body)}

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


def _traces(data: Mapping[str, Any], take: Any) -> dict[str, Any] | None:
    """Return the records for the viewer: int16 microvolts in base64, leads after leads.

    Limb leads that follow from I and II are left out; the viewer derives them.
    """
    records: list[dict[str, Any]] = []
    total = len(data.get("records", ()))
    for record in data.get("records", ()):
        uv = dict(record.get("uv", {}))
        if "I" in uv and "II" in uv:
            uv = {k: v for k, v in uv.items() if k not in ("III", "aVR", "aVL", "aVF")}
        if not uv:
            continue
        block = np.array([np.clip(v, -_INT16, _INT16) for v in uv.values()], dtype="<i2")
        text = base64.b64encode(block.tobytes()).decode()
        if not take("trace", len(text)):
            break
        records.append(
            {
                "id": clean(record.get("id", "")),
                "set": "real" if record.get("set") == "real" else "synthetic",
                "leads": list(map(clean, uv)),
                "uv": text,
                "marks": {clean(k): list(v) for k, v in (record.get("marks") or {}).items()},
            }
        )
    if not records:
        return None
    return {"fs": float(data.get("fs", 500)), "records": records, "of": total}


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

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
