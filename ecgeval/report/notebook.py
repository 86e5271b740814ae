"""A figure in a notebook's cell: an image of its own, which runs nothing and styles nothing."""

from __future__ import annotations

import base64
from html import escape

from ecgeval.catalogue import word
from ecgeval.report.figures import draw
from ecgeval.results import Figure, Results
from ecgeval.wording import clean

__all__ = ["figure_html"]


def figure_html(figure: Figure) -> str | None:
    """Return the drawing as an image with title and caption; None where it cannot be drawn.

    Parameters
    ----------
    figure : Figure
    """
    drawing = draw(figure)
    if drawing is None:
        return None
    title, caption = escape(clean(figure.title)), escape(clean(figure.caption))
    data = base64.b64encode(drawing.svg.encode()).decode()
    # White paper under it, for figures are drawn in ink, and a notebook may be dark.
    return (
        f'<figure style="margin:0.5em 0"><img alt="{title}" loading="lazy" '
        f'style="max-width:100%;background:#fff;padding:4px" '
        f'src="data:image/svg+xml;base64,{data}">'
        f"<figcaption><b>{title}.</b> {caption}</figcaption></figure>"
    )


def results_html(results: Results) -> str:
    """Return verdicts by section, and the first figures folded away."""
    titles = {s.slug: s.title for s in results.sections}
    slugs = dict.fromkeys([*titles, *(f.section for f in results.findings)])
    rows = []
    for slug in slugs:
        found = [f for f in results.findings if f.section == slug]
        own = "" if results.describes(slug) else str(results.section_verdict(slug))
        if titles.get(slug) or found:
            rows.append(_row("th", _badge(own), titles.get(slug, slug), ""))
        for f in found:
            rows.append(_row("td", _badge(word(f)), f.title, f.code, faint=not f.gate))
    shown: list[str] = []
    left: list[str] = []
    for figure in results.figures:
        drawn = figure._repr_html_() if len(shown) < _FIGURES else None
        if drawn and sum(map(len, [*shown, drawn])) <= _FIGURE_BYTES:
            shown.append(drawn)
        else:
            left.append(figure.id)
    head = f"<b>{escape(str(results.manifest.get('title', '')))}</b> (describes; nothing gates)"
    if results.gates():
        head = f"{_badge(results.verdict)} {escape(results.headline().partition(': ')[2])}"
    parts = [
        f"<p>{head}</p>",
        f'<table class="ecgeval">{"".join(rows)}</table>',
        f"<p>{len(results.estimates):,} estimates (<code>.to_frame()</code>), "
        f"{len(results.tables)} tables, {len(results.figures)} figures.</p>",
    ]
    if shown:
        parts.append(f"<details><summary>Figures</summary>{''.join(shown)}</details>")
    if left:
        listed = ", ".join(f"<code>{escape(id)}</code>" for id in left)
        parts.append(f"<p>One at a time, as in <code>.figure(ID)</code>: {listed}</p>")
    return "".join(parts)


_FIGURES, _FIGURE_BYTES = 6, 300_000  # what one cell of a notebook shows in all
_COLOURS = {"PASS": "#00735a", "FAIL": "#b3261e", "INCONCLUSIVE": "#8a5a00"}


def _badge(verdict: str) -> str:
    colour = _COLOURS.get(str(verdict), "#5c6472")
    word = escape(str(verdict).replace("_", " "))
    return f'<b style="color:{colour};white-space:nowrap">{word}</b>'


def _row(kind: str, badge: str, text: str, code: str, *, faint: bool = False) -> str:
    left = "text-align:left" + (";opacity:0.75" if faint else "")
    cells = (badge, escape(text), f"<code>{escape(code)}</code>" if code else "")
    return "<tr>" + "".join(f'<{kind} style="{left}">{c}</{kind}>' for c in cells) + "</tr>"
