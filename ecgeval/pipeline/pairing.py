"""Two sets in one form, and what is refused before they are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.comparison.pair import Side
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.pipeline.config import RunConfig
from ecgeval.pipeline.features import Features, outcomes
from ecgeval.preprocess import Harmonised, harmonise
from ecgeval.references import Aligned, Reference, align
from ecgeval.stats.sample import MIN_PATIENTS

__all__ = ["check_usable", "margins_of", "one_form", "patients_of", "side_of"]


def one_form(real: EcgSet | Reference, synth: EcgSet, config: RunConfig) -> Harmonised | Aligned:
    """Return both sets with the same leads, rate and length as far as can be."""
    if not isinstance(real, Reference):
        names = ("the real set", "the synthetic set")
        return harmonise(real, synth, names=names, leads=config.leads)
    if config.method != real.about["engine"]["method"]:
        raise UsageError(
            f"reference:{real.name} was measured by the method "
            f"{real.about['engine']['method']!r}; a comparison with it takes no other "
            f"(--method is {config.method!r})"
        )
    return align(real, synth, leads=config.leads)


def margins_of(config: RunConfig) -> Margins:
    """Return the equivalence margins that a configuration names."""
    wanted = config.compare.margins
    return load_margins(wanted) if wanted in ("lenient", "strict") else load_margins(path=wanted)


def patients_of(
    real: EcgSet | Reference, synth: EcgSet, config: RunConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return the patient of each record of both sets; refuse unknown labels and too few patients.

    Synthetic records without a patient id count as patients of their own.
    """
    unknown = [c for c in config.compare.by if c not in real.records.columns]
    if unknown:
        raise UsageError(
            f"the real set has no label {unknown[0]!r} to go by; it has "
            f"{', '.join(map(str, real.records.columns))}"
        )
    ids_real = real.patients(assume_independent=config.assume_independent)
    ids_synth = synth.patients(assume_independent=True)
    for name, ids in (("real", ids_real), ("synthetic", ids_synth)):
        n = len(set(ids))
        if n < MIN_PATIENTS:
            raise DataError(
                f"the {name} set holds {len(ids)} record{'s' * (len(ids) != 1)} of {n} "
                f"patient{'s' * (n != 1)}; a comparison needs at least {MIN_PATIENTS}"
            )
    return ids_real, ids_synth


def check_usable(outcome: pd.Series, patients: np.ndarray) -> None:
    """Refuse a real set of which too little can be used: nothing could be held against it."""
    usable = (outcome == "").to_numpy()
    people = len(set(patients[usable]))
    if people < MIN_PATIENTS:
        reasons = outcome[~usable].value_counts().sort_index()
        why = ", ".join(f"{reason} {n}" for reason, n in reasons.items())
        raise DataError(
            f"of the real set only {int(usable.sum())} of {len(usable)} records can be used, of "
            f"{people} patients ({why}); a comparison needs at least {MIN_PATIENTS}"
        )


def side_of(
    features: Features,
    ecgs: EcgSet | Reference,
    read: EcgSet | Reference,
    patients: np.ndarray,
    interpreter: str | None,
) -> Side:
    """Return one side of a comparison: `ecgs` as they are compared, `read` as they were read."""
    waveforms = ecgs if isinstance(ecgs, EcgSet) else None
    return Side(
        features.measures,
        patients,
        ecgs.records,
        outcomes(features, read, patients),
        ecgs=waveforms,
        beats=None if waveforms is None else features.beats,
        checks=features.checks,
        interpreter=interpreter,
    )
