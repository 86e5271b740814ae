"""The report as PDF/A, set by typst: the same results give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ecgeval.report.figures import Drawing, font_folder

__all__ = ["render_pdf", "svg_to_pdf"]

# PDF/A asks for a date; the results have none, so it is the epoch, whatever the clock says.
_FIXED: dict[str, Any] = {"timestamp": 0, "ignore_system_fonts": True}
_PAGE = b"""#set document(title: sys.inputs.title)
#set page(width: auto, height: auto, margin: 2pt)
#image(bytes(sys.inputs.svg), format: "svg")
"""


def render_pdf(view: Mapping[str, Any], drawings: Mapping[str, Drawing | None]) -> bytes:
    """Return the report as PDF/A-2a, tagged for screen readers (PDF/UA-1).

    Parameters
    ----------
    view : dict
        What `ecgeval.report.view.view` returned. It reaches the template as JSON, never as text
        to be parsed, so that no string in it can be code.
    drawings : dict
        By figure id; None where a figure is shown as data only.
    """
    import typst

    figures = {
        id: {"cells": [c.svg for c in d.cells], "columns": min(d.columns, len(d.cells))}
        for id, d in drawings.items()
        if d is not None
    }
    template = (files("ecgeval.report") / "templates" / "report.typ").read_bytes()
    return typst.compile(
        template,
        sys_inputs={"data": json.dumps({**view, "drawings": figures}, sort_keys=True)},
        font_paths=[font_folder()],
        pdf_standards=["a-2a", "ua-1"],
        **_FIXED,
    )


def svg_to_pdf(svg: str, title: str) -> bytes:
    """Return a drawing as a one-page vector PDF."""
    import typst

    return typst.compile(
        _PAGE, sys_inputs={"svg": svg, "title": title}, font_paths=[font_folder()], **_FIXED
    )
