"""Figures from the data in `results.json`, one file a kind, drawn as the same SVG every time.

Colours follow Okabe and Ito (https://jfly.uni-koeln.de/color/): real is blue, synthetic vermillion;
fills, line styles and markers differ too, so that a grey copy can be read.
"""

from ecgeval.report.figures.draw import KINDS, draw, font_folder, rows
from ecgeval.report.figures.ecg_paper import with_limb_leads
from ecgeval.report.figures.style import COLOURS
from ecgeval.report.figures.svg import Cell, Drawing

__all__ = ["COLOURS", "KINDS", "Cell", "Drawing", "draw", "font_folder", "rows", "with_limb_leads"]
