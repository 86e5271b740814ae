"""ROC curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from ecgeval.report.figures.axes import new_axes
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, DOTTED, MUTED, SERIES, label


def _cells(data: Mapping[str, Any]) -> Cells:
    """ROC curves against the diagonal of a guess; `log` draws both axes logarithmically.

    ``curves``: name, fpr, tpr, auc.
    """
    curves = list(data.get("curves", ()))
    if not curves:
        return
    many = len(curves) > 5  # then the legend stands below the curves, not over them
    below = 0.17 * (len(curves) + 1) if many else 0
    fig, ax = new_axes(3.8, 3.6 + below, left=0.55, right=0.15, bottom=0.5 + below, top=0.15)
    low = 1e-3 if data.get("log") else 0.0
    guess = np.geomspace(1e-3, 1, 50) if data.get("log") else np.array([0.0, 1.0])
    ax.plot(guess, guess, color=MUTED, lw=0.8, ls=DOTTED, label="guessing (AUC 0.5)")
    for k, c in enumerate(curves):
        auc = c.get("auc")
        name = label(c.get("name", ""), 60) + (f" (AUC {auc:.3f})" if auc is not None else "")
        fpr, tpr = np.asarray(c.get("fpr", ()), float), np.asarray(c.get("tpr", ()), float)
        dash = DASHES[(k + k // 4) % 4]  # sixteen curves, no two alike
        ax.plot(fpr, tpr, color=SERIES[(k + 1) % 4], ls=dash, lw=1.6, label=name)
    ax.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    if data.get("log"):
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.set_minor_formatter(NullFormatter())
    ax.set(xlim=(low, 1), ylim=(low, 1.01))
    if many:
        fig.legend(loc="lower left", bbox_to_anchor=(0.02, 0.0), ncols=1, fontsize=7)
    else:
        ax.legend(loc="lower right")
    yield "ROC curves", fig


def _rows(data: Mapping[str, Any]) -> Rows:
    for c in data.get("curves", ()):
        for fpr, tpr in zip(c.get("fpr", ()), c.get("tpr", ()), strict=True):
            yield {"curve": c.get("name", ""), "fpr": fpr, "tpr": tpr}


KIND = Kind(_cells, _rows, 1, width=45)
