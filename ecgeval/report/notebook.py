"""A figure in a notebook's cell: an image of its own, which runs nothing and styles nothing."""

from __future__ import annotations

import base64
from html import escape

from ecgeval.report.figures import draw
from ecgeval.report.text import clean
from ecgeval.results import Figure

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
