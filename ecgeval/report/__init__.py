"""From `Results` to files: JSON, CSV, figures, HTML, PDF, JUnit.

Everything here is a function of `results.json` alone: written again from it, every file is the
same, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ecgeval.errors import DataError, UsageError
from ecgeval.report.explain import explain
from ecgeval.results import Results
from ecgeval.wording import slug

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "explain", "write_report"]

FORMATS = ("html", "pdf")


def write_report(
    results: Results,
    out: str | Path,
    *,
    formats: Iterable[str] = FORMATS,
    measures: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Path]:
    """Write a run's results for people and for machines.

    Parameters
    ----------
    results : Results
    out : path
        Folder; made where it is missing. The files of another run's report in it are removed: an
        audit must not stand beside the traces and ids that an earlier run has left there.
    formats : iterable of {"html", "pdf"}
        Which forms of the report to write; the data files are always written.
    measures : dict of str to DataFrame, optional
        Tables of measures by set, written as ``measures_{set}.csv``.

    Returns
    -------
    dict of str to Path
        What was written: ``results``, ``estimates``, ``findings``, ``junit``, ``card``, ``html``,
        ``pdf``, ``summary``, ``measures_{set}``, ``table:{id}``, ``figure:{id}`` (SVG; PDF and CSV
        beside it).

    Raises
    ------
    UsageError
        If a format is unknown.
    """
    from ecgeval.report.card import card
    from ecgeval.report.junit import junit
    from ecgeval.report.sheets import to_csv

    formats = tuple(formats)
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise UsageError(f"unknown report format {unknown[0]!r}; expected html or pdf")
    text = results.to_json()
    results = Results.from_json(text)
    out = Path(out)
    paths: dict[str, Path] = {}

    def write(key: str, name: str, content: str | bytes) -> None:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        paths[key] = partial.replace(path)  # whole or not at all

    _clear(out, text)
    write("results", "results.json", text)
    write("estimates", "estimates.csv", to_csv(results.to_frame(), index=True))
    write("findings", "findings.csv", to_csv(results.findings_frame()))
    write("junit", "junit.xml", junit(results))
    write("card", "card.md", card(results, hashlib.sha256(text.encode()).hexdigest()))
    for name, frame in (measures or {}).items():
        write(f"measures_{name}", f"measures_{slug(name)}.csv", to_csv(frame, index=True))
    for table in results.tables:
        write(f"table:{table.id}", f"tables/{slug(table.id)}.csv", to_csv(table.frame()))
    # After the data files: a package that is missing for drawing must not lose the run.
    from ecgeval.report import figures as drawn
    from ecgeval.report.digest import pictures
    from ecgeval.report.html import render_html
    from ecgeval.report.pdf import render_pdf, render_summary, svg_to_pdf
    from ecgeval.report.view import view

    figures = {f.id: (f, drawn.draw(f), drawn.rows(f)) for f in results.figures}
    for figure, drawing, data in figures.values():
        name = f"figures/{slug(figure.id)}"
        write(f"figure:{figure.id}", f"{name}.csv", to_csv(data))
        if drawing is not None:
            if "pdf" in formats:
                write(f"figure:{figure.id}", f"{name}.pdf", svg_to_pdf(drawing.svg, figure.title))
            write(f"figure:{figure.id}", f"{name}.svg", drawing.svg)
    page = view(results, hashlib.sha256(text.encode()).hexdigest())
    if "html" in formats:
        write("html", "index.html", render_html(page, figures))
    if "pdf" in formats:
        drawings = {k: v[1] for k, v in figures.items()}
        write("pdf", "report.pdf", render_pdf(page, drawings))
        small, sheets = pictures(results, drawings)
        write("summary", "summary.pdf", render_summary(page, small, sheets, drawings))
    return paths


def _clear(out: Path, text: str) -> None:
    """Remove what an earlier run wrote here, and nothing else, unless it was the same run."""
    old = out / "results.json"
    if not old.is_file() or old.read_text(encoding="utf-8") == text:
        return
    try:
        earlier = Results.load(old)
    except DataError:  # not ours, or of another version: its files cannot be told
        return
    names = {"index.html", "card.md", "report.pdf", "summary.pdf"}
    names |= {"measures_real.csv", "measures_synth.csv"}
    names |= {f"tables/{slug(table.id)}.csv" for table in earlier.tables}
    for figure in earlier.figures:
        names |= {f"figures/{slug(figure.id)}.{form}" for form in ("csv", "svg", "pdf")}
    for name in names:
        (out / name).unlink(missing_ok=True)
