"""Forest plots of effect sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from ecgeval.report.figures.axes import new_axes
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import COLOURS, DOTTED, INK, MUTED, SYNTH, label
from ecgeval.wording import fixed, places


def _cells(data: Mapping[str, Any]) -> Cells:
    """Forest plot: estimate and interval, the real-against-real floor as a grey band behind.

    ``rows``: label, value, ci and floor ([low, high] or null), group; ``xlabel``, ``null``.
    """
    items = list(data.get("rows", ()))
    null, xlabel = data.get("null", 0), str(data.get("xlabel", ""))
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        groups.setdefault(str(item.get("group") or ""), []).append(item)
    limits = _limits(items, null)
    # "S amplitude V2" under the title "S amplitude" is "V2".
    labels = {
        group: [label(str(i.get("label", "")).removeprefix(group).strip(), 24) for i in members]
        for group, members in groups.items()
    }
    left = 0.25 + 0.065 * max((len(name) for names in labels.values() for name in names), default=0)
    for group, members in groups.items():
        fig, ax = new_axes(
            left + 3.4, 0.19 * len(members) + 0.9, left=left, right=1.25, bottom=0.45, top=0.35
        )
        fig.text(0.02, 1 - 0.13 / fig.get_figheight(), group, weight="bold", va="center", size=8.5)
        for y, (name, item) in enumerate(zip(labels[group], members, strict=True)):
            _line(ax, y, name, item)
        if null is not None:
            ax.axvline(null, color=MUTED, lw=0.8, ls=DOTTED, zorder=0)
        ax.set(ylim=(len(members) - 0.4, -0.6), yticks=[], xlabel=xlabel)
        if limits:
            ax.set_xlim(*limits)
        ax.locator_params(axis="x", nbins=5)
        ax.spines["left"].set_visible(False)
        yield f"{xlabel} of each measure, {group}: estimate, interval and noise floor", fig


def _limits(items: Sequence[Mapping[str, Any]], null: float | None) -> tuple[float, float] | None:
    """Return the ends of the axis, one for all groups, so that they can be compared."""
    ends = [null, *(i.get("value") for i in items)]
    ends += [end for i in items for pair in (i.get("ci"), i.get("floor")) for end in pair or ()]
    there = [end for end in ends if end is not None]
    if not there:
        return None
    pad = 0.06 * ((max(there) - min(there)) or 1)
    return min(there) - pad, max(there) + pad


def _line(ax: Axes, y: int, name: str, item: Mapping[str, Any]) -> None:
    """Draw one estimate, its name at the left and its number at the right."""
    value, ci, floor = item.get("value"), item.get("ci"), item.get("floor")
    beside: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
    ax.text(-0.03, y, name, ha="right", **beside)
    decimals = places(*(ci or floor or (None,)))
    text = "not estimated" if value is None else fixed(value, decimals)
    if floor and None not in floor:
        ax.plot(floor, [y, y], color=COLOURS["floor"], lw=7, solid_capstyle="butt")
    if ci and None not in ci:
        ax.plot(ci, [y, y], color=INK, lw=1.1)
        text += f"  [{fixed(ci[0], decimals)}, {fixed(ci[1], decimals)}]"
    if value is not None:
        ax.plot([value], [y], "o", color=SYNTH, ms=4.2, mec="white", mew=0.5)
    ax.text(1.03, y, text, color=MUTED, size=7, **beside)


def _rows(data: Mapping[str, Any]) -> Rows:
    for r in data.get("rows", ()):
        ci, floor = r.get("ci") or (None, None), r.get("floor") or (None, None)
        yield {
            "label": r.get("label", ""),
            "group": r.get("group", ""),
            "value": r.get("value"),
            "ci_low": ci[0],
            "ci_high": ci[1],
            "floor_low": floor[0],
            "floor_high": floor[1],
        }


KIND = Kind(_cells, _rows, 2)
