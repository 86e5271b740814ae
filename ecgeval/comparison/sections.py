"""The sections of a comparison, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from ecgeval.comparison.measures.section import compare_measures
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.quality import section as quality
from ecgeval.results import Results

__all__ = ["DECIDING", "SECTIONS"]


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


def _manifold(pair: Pair) -> Results:
    from ecgeval.comparison.manifold.section import compare_manifold
    from ecgeval.comparison.manifold.spaces import measure_space, waveform_space

    spaces = {"measures": measure_space(pair.real.measures, pair.synth.measures)}
    if pair.real.beats is not None and pair.synth.beats is not None:
        spaces["beats"] = waveform_space(pair.real.beats, pair.synth.beats)
    return compare_manifold(spaces, **_usual(pair))


def _classifier(pair: Pair) -> Results:
    from ecgeval.comparison.classifier.section import compare_waveforms

    real, synth = pair.real, pair.synth
    if real.ecgs is None or synth.ecgs is None or real.beats is None or synth.beats is None:
        return Results()
    found = compare_waveforms(
        real.ecgs.signals,
        synth.ecgs.signals,
        real.ecgs.fs,
        real.ecgs.leads,
        beats_real=real.beats,
        beats_synth=synth.beats,
        beats_fs=pair.beats_fs,
        beats_zero=pair.beats_zero,
        refit=pair.refit,
        device=pair.device,
        **_usual(pair),
    )
    if not any(f.code == "C2ST-LEAK" for f in found.findings):
        return found
    # Classifiers describe; records that are there twice decide.
    return replace(
        found,
        sections=tuple(replace(s, gate=True) for s in found.sections),
        findings=tuple(replace(f, gate=f.code == "C2ST-LEAK") for f in found.findings),
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
    "classifier": _classifier,
    "manifold": _manifold,
    "usefulness": _usefulness,
    "subgroups": _subgroups,
}
"""By the slug of its section, in the order of the report."""

DECIDING = frozenset({"fidelity", "joint", "plausibility"})
"""Sections that decide: at least one must be compared before readable records count."""
