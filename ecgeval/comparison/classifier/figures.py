"""Data of the figures of the classifiers on waveforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ecgeval.comparison.classifier.beats import Beats
from ecgeval.comparison.classifier.checks import CLASSIFIERS, SLUG
from ecgeval.comparison.classifier.occlusion import STRETCH_S
from ecgeval.comparison.figures import roc
from ecgeval.results import Figure
from ecgeval.stats.two_sample import C2st
from ecgeval.wording import quantity

__all__ = ["figures"]


def figures(
    tests: Mapping[str, C2st | str],
    cutoffs: Mapping[float, C2st | str],
    beats: Beats | str,
    leads: Sequence[str],
) -> list[Figure]:
    """Return ROC curves, the AUC by cut-off and what is lost by occlusion, where there are any."""
    out = []
    run = {CLASSIFIERS[name]: test for name, test in tests.items() if isinstance(test, C2st)}
    if run:
        out.append(Figure(f"{SLUG}.roc", "roc", "Classifiers on waveforms", roc(run), section=SLUG))
    bands = {hz: test for hz, test in cutoffs.items() if isinstance(test, C2st)}
    if bands:
        out.append(_by_cutoff(bands))
    if isinstance(beats, Beats):
        out.append(_occlusion(beats, leads))
    return out


def _by_cutoff(tests: Mapping[float, C2st]) -> Figure:
    each = tests.values()
    bands = (
        ("synthetic against real", "synth", [t.auc for t in each], [t.ci for t in each]),
        ("real against real", "floor", [sum(t.floor) / 2 for t in each], [t.floor for t in each]),
    )
    panel = {
        "title": "",
        "xlabel": "low-pass cut-off (Hz)",
        "ylabel": "AUC",
        "null": 0.5,
        "series": [
            {
                "name": name,
                "role": role,
                "x": list(tests),
                "y": middle,
                "low": [low for low, _ in ends],
                "high": [high for _, high in ends],
            }
            for name, role, middle, ends in bands
        ],
    }
    return Figure(
        f"{SLUG}.cutoff",
        "curves",
        "Where is the artefact?",
        {"panels": [panel]},
        "AUC of a classifier that sees only what lies below the cut-off: where it falls to the "
        "floor, the difference lies above. Bands: 95 %.",
        SLUG,
    )


def _occlusion(beats: Beats, leads: Sequence[str]) -> Figure:
    return Figure(
        f"{SLUG}.occlusion",
        "occlusion",
        "When and in which lead the classifier looks",
        {
            "fs": beats.fs,
            "zero": beats.zero,
            "title": "fall of the difference in log-odds",
            "leads": [
                {
                    "name": lead,
                    "uv": np.rint(1000 * mean).astype(int).tolist(),
                    "weight": weight.astype(float).round(4).tolist(),
                }
                for lead, mean, weight in zip(leads, beats.mean, beats.falls.stretch, strict=True)
            ],
        },
        f"Mean representative beat of both sets, shaded by what the difference in mean "
        f"log-odds ({quantity(beats.falls.gap)}) loses when {1000 * STRETCH_S:.0f} ms around a "
        "moment are replaced by it.",
        SLUG,
    )
