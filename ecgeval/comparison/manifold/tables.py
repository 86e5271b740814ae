"""Tables and data of the figures of whole records as points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.manifold import scores as ms
from ecgeval.comparison.manifold.checks import SLUG, STATISTICS
from ecgeval.comparison.manifold.draws import Space
from ecgeval.results import Figure, Table
from ecgeval.stats.arrays import Floats

__all__ = ["figures", "tables"]

_LEVELS = np.arange(0, 101, 5)
"""Of the levels α, those that are drawn."""


def tables(spaces: Sequence[Space]) -> list[Table]:
    """Return the scores of the spaces that have some, and what the scores rest on."""
    scores = [
        {
            "space": space.name,
            "score": STATISTICS[name].title,
            "synthetic": score.value,
            "SD of draws": score.sd,
            "95 % CI low": score.ci[0],
            "95 % CI high": score.ci[1],
            "real against real": score.floor_mean,
            "floor low": score.floor[0],
            "floor high": score.floor[1],
            "expected": score.null,
        }
        for space in spaces
        for name, score in space.scores.items()
    ]
    sizes = [
        {
            "space": space.name,
            "axes": cloud.points.shape[1],
            "set": which,
            "records": cloud.found,
            "without a place": cloud.unplaced,
            "repeated": cloud.repeated,
            "equal to real": space.copied if which == "synthetic" else None,
            "patients": cloud.n_patients,
            "n of a draw": space.n,
            "draws": space.draws,
        }
        for space in spaces
        for cloud, which in ((space.real, "real"), (space.synth, "synthetic"))
    ]
    listed = [
        (
            scores,
            "scores",
            "Scores of whole records",
            "Expected: where the sets have one distribution; in closed form for density and "
            "coverage, 0 for distances without bias, else the mean of real against real.",
        ),
        (
            sizes,
            "sizes",
            "What the scores rest on",
            "Records that could not be placed, and repeats, are left out of the draws.",
        ),
    ]
    return [
        Table.of(pd.DataFrame(rows), f"{SLUG}.{id}", title, caption=caption, section=SLUG)
        for rows, id, title, caption in listed
        if rows
    ]


def figures(spaces: Sequence[Space]) -> list[Figure]:
    """Return the data of the figures; none where no space has scores."""
    spaces = [space for space in spaces if space.scores]
    if not spaces:
        return []
    shown = ("improved_precision", "improved_recall", "density", "coverage")
    bars = [
        {
            "label": STATISTICS[name].title,
            "value": space.scores[name].value,
            "ci": space.scores[name].ci,
            "floor": space.scores[name].floor,
            "group": space.name,
        }
        for space in spaces
        for name in shown
    ]
    return [
        Figure(
            f"{SLUG}.fidelity",
            "effects",
            "Fidelity and diversity against other patients",
            {"xlabel": "score", "null": None, "rows": bars},
            "Grey: real against real at the same n. Below it records are unlike (precision, "
            "density) or kinds are missing (recall, coverage); above it lie copies and crowding.",
            SLUG,
        ),
        Figure(
            f"{SLUG}.curves",
            "curves",
            "Core and rim of either set",
            {"panels": [panel for space in spaces for panel in _curves(space)]},
            "Share of one set in the ball that holds a share α of the other; ± 2 SD of draws. On "
            "the diagonal where they agree.",
            SLUG,
        ),
        Figure(
            f"{SLUG}.frechet",
            "curves",
            "Fréchet distance against sample size",
            {"panels": [_frechet_by_size(space) for space in spaces]},
            "The distance grows with 1/n by bias alone; at 0, the line's end at n → ∞. ± 2 SD of "
            "draws.",
            SLUG,
        ),
    ]


def _curves(space: Space) -> list[dict[str, Any]]:
    """Return a panel for the α-precision and one for the β-recall."""
    axes = (("α-precision", "α, real"), ("β-recall", "β, synth"))
    return [
        {
            "title": f"{title}, {space.name}",
            "xlabel": f"share in the ball ({axis})",
            "ylabel": "share of the other set",
            "null": None,
            "series": _bands((_LEVELS / 100).tolist(), space.curves[:, :, k][:, :, _LEVELS]),
        }
        for k, (title, axis) in enumerate(axes)
    ]


def _frechet_by_size(space: Space) -> dict[str, Any]:
    inverse = [1 / (space.n // k) for k in range(1, space.by_size.shape[2] + 1)]
    size = 1 / np.array(inverse)
    values = [[[ms.extrapolate(size, v), *v] for v in side] for side in space.by_size]
    return {
        "title": f"Fréchet distance, {space.name}",
        "xlabel": "1 / n",
        "ylabel": "squared SD",
        "null": 0.0,
        "series": _bands([0.0, *inverse], np.array(values)),
    }


def _bands(x: list[float], values: Floats) -> list[dict[str, Any]]:
    """Return mean and mean ± 2 SD over draws; `values` of shape (2, draws, len(x))."""
    series = []
    for side, name, role in zip(
        values, ("synthetic", "real against real"), ("synth", "floor"), strict=True
    ):
        mean, half = side.mean(axis=0), 2 * side.std(axis=0, ddof=1)
        low, high = (mean - half).tolist(), (mean + half).tolist()
        series.append(
            {"name": name, "role": role, "x": x, "y": mean.tolist(), "low": low, "high": high}
        )
    return series
