"""The sections of a comparison, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ecgeval.comparison.joint import section as joint
from ecgeval.comparison.labels import label_columns
from ecgeval.comparison.measures.section import compare_measures
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.quality import section as quality
from ecgeval.comparison.usefulness import section as usefulness
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


def _subgroups(pair: Pair) -> Results:
    from ecgeval.comparison.subgroups.section import compare_subgroups

    columns = label_columns(pair)
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
    "joint": joint.compare,
    "plausibility": _plausibility,
    "classifier": _classifier,
    "manifold": _manifold,
    "usefulness": usefulness.compare,
    "subgroups": _subgroups,
}
"""By the slug of its section, in the order of the report."""
