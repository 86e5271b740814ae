"""Colours, line styles and settings of matplotlib that all figures share.

Colours follow Okabe and Ito (https://jfly.uni-koeln.de/color/): real is blue, synthetic vermillion;
fills, line styles and markers differ too, so that a grey copy can be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.colors import LinearSegmentedColormap

from ecgeval.wording import clean, cut

__all__ = [
    "COLOURS",
    "DASHES",
    "DIVERGING",
    "DOTTED",
    "INK",
    "MUTED",
    "REAL",
    "SERIES",
    "SETTINGS",
    "SYNTH",
    "font_folder",
    "label",
    "set_colour",
    "set_name",
]

COLOURS = {
    "ink": "#1f2430",
    "muted": "#5c6472",
    "line": "#d5d9e0",
    "floor": "#c9ced8",
    "real": "#0072b2",
    "synth": "#d55e00",
    "third": "#009e73",
    "fourth": "#a3507f",
    "paper": "#fffdfc",
    "fine": "#f8d9d5",
    "coarse": "#eda9a2",
}
"""Colours by role. A page may swap each for a variable of its own (dark mode)."""

INK, MUTED = COLOURS["ink"], COLOURS["muted"]
REAL, SYNTH = COLOURS["real"], COLOURS["synth"]
SERIES = (REAL, SYNTH, COLOURS["third"], COLOURS["fourth"])
DIVERGING = LinearSegmentedColormap.from_list("blue-red", [REAL, "#f4f4f2", SYNTH])
DASHES = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))
DOTTED = (0, (2, 2))
"""Line of a null value."""

SETTINGS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a label is a "$"
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "path.simplify": True,
    "path.simplify_threshold": 0.35,  # pt; a quarter of a line's width
    "svg.fonttype": "none",  # text stays text: searchable, smaller, in the page's own font
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def set_colour(name: Any, k: int) -> str:
    """Return the colour of a set by its name, or of series `k` where it is neither."""
    word = str(name).lower()
    return REAL if word.startswith("real") else SYNTH if word.startswith("synth") else SERIES[k % 4]


def set_name(name: Any) -> str:
    """Return the name of a set as it is shown."""
    return "synthetic" if name == "synth" else str(name)


def label(text: Any, width: int) -> str:
    """Return text that may come from a file, at most `width` characters of it."""
    return cut(clean(text), width)


def font_folder() -> str:
    """Return the folder of the fonts that the SVG text was laid out with."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")
