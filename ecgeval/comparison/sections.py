"""The sections of a comparison, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from ecgeval.comparison.classifier import section as classifier
from ecgeval.comparison.manifold import section as manifold
from ecgeval.comparison.measures.section import compare_measures
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.quality import section as quality
from ecgeval.results import Results

__all__ = ["SECTIONS"]


def _usual(pair: Pair) -> dict[str, Any]:
    return {
        "patients_real": pair.real.ids,
        "patients_synth": pair.synth.ids,
        "seed": pair.seed,
        "jobs": pair.jobs,
        "quick": pair.quick,
        "progress": pair.progress,
    }


def _fidelity(pair: Pair) -> Results:
    return compare_measures(
        pair.real.measures, pair.synth.measures, margins=pair.margins, **_usual(pair)
    )


def _joint(pair: Pair) -> Results:
    from ecgeval.comparison.joint.section import compare_joint

    return compare_joint(
        pair.real.measures, pair.synth.measures, margins=pair.margins, **_usual(pair)
    )


def _plausibility(pair: Pair) -> Results:
    from ecgeval.comparison.plausibility.section import compare_plausibility

    real, synth = pair.real, pair.synth
    both = real.checks is not None and synth.checks is not None
    return compare_plausibility(
        real.measures,
        synth.measures,
        labels_real=real.known,
        labels_synth=synth.known,
        signal_real=real.checks if both else None,
        signal_synth=synth.checks if both else None,
        leads_derived=pair.derived,
        interpreter_real=real.interpreter,
        interpreter_synth=synth.interpreter,
        margins=pair.margins,
        **_usual(pair),
    )


MOST_GROUPS = 10
"""Groups of a label up to which it is learnt."""


_USUAL = ("sex", "age", "norm_only")
"""Labels that are looked at where they are known and nothing else is asked for."""


def _labels(pair: Pair) -> list[str]:
    """Return the label columns to go by: those asked for, or the usual ones that vary."""
    if pair.by:
        return list(pair.by)
    table = pair.real.known
    return [c for c in _USUAL if c in table and len(table[c].dropna().unique()) > 1]


def _usefulness(pair: Pair) -> Results:
    from ecgeval.comparison.subgroups.section import groups_of
    from ecgeval.comparison.usefulness.section import compare_usefulness

    columns = _labels(pair)
    if not columns:
        return Results()
    tables = pd.DataFrame(index=pair.real.known.index), pd.DataFrame(index=pair.synth.known.index)
    for column in columns:
        labels = pair.real.known[column], pair.synth.known.get(column)
        groups = groups_of(*labels)
        if len(groups) > MOST_GROUPS:  # the subgroups say so
            continue
        for name, masks in groups.items():
            for table, mask in zip(tables, masks, strict=True):
                if mask is not None:
                    table.loc[mask, column] = name
    if not tables[0].size:
        return Results()
    return compare_usefulness(
        pair.real.measures,
        pair.synth.measures,
        tables[0],
        tables[1] if tables[1].size else None,
        **_usual(pair),
    )


def _subgroups(pair: Pair) -> Results:
    from ecgeval.comparison.subgroups.section import compare_subgroups

    columns = _labels(pair)
    if not columns:
        return Results()
    return compare_subgroups(
        pair.real.measures,
        pair.synth.measures,
        pair.real.known,
        pair.synth.known,
        columns,
        margins=pair.margins,
        **_usual(pair),
    )


SECTIONS: dict[str, Callable[[Pair], Results]] = {
    "quality": quality.compare,
    "fidelity": _fidelity,
    "joint": _joint,
    "plausibility": _plausibility,
    "classifier": classifier.compare,
    "manifold": manifold.compare,
    "usefulness": _usefulness,
    "subgroups": _subgroups,
}
"""By the slug of its section, in the order of the report."""
