"""The sets of an evaluation: what is named, what could be had of it, and why not the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgeval import generators, sets
from ecgeval.comparison.plausibility.rules import judge
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, quiet
from ecgeval.pipeline.features import Features, features
from ecgeval.preprocess import harmonise
from ecgeval.references import Reference, align, is_reference, load_reference, rounded
from ecgeval.signal_checks import RULE_COLUMNS
from ecgeval.wording import slug

__all__ = ["GENERATED", "REAL", "Arm", "Arms", "Side", "find_generators", "find_real"]

REAL = ("ptbxl-norm:1-400", "ludb")
"""Real sets looked for where none are named; their reference cohorts stand in for them."""
GENERATED = generators.GENERATORS

_TITLES = {
    "ptbxl-norm": "PTB-XL NORM",
    "ptbxl": "PTB-XL",
    "ludb": "LUDB",
    "pulse2pulse": "Pulse2Pulse",
    "wavegan-star": "WaveGAN*",
}


@dataclass(frozen=True, eq=False)
class Arm:
    """One set, real or generated.

    Parameters
    ----------
    key : str
        Its part of ids and file names.
    title : str
        What tables call it.
    source : str
        Where it comes from, for captions.
    ecgs : EcgSet or Reference
        The generators' leads only: intervals over more leads are longer.
    trained_on : str
        What is known of a generator's training set; empty for a real set.
    """

    key: str
    title: str
    source: str
    ecgs: EcgSet | Reference
    trained_on: str = ""


@dataclass(frozen=True, eq=False)
class Side:
    """An arm in the form in which it is compared.

    Parameters
    ----------
    measures : DataFrame
        One row a record, NaN where there is no value.
    patients : ndarray, shape (n,)
    checks : DataFrame, optional
        Signal checks of the same records; None for a reference cohort.
    """

    measures: pd.DataFrame
    patients: np.ndarray
    checks: pd.DataFrame | None

    def select(self, keep: np.ndarray) -> Side:
        checks = None if self.checks is None else self.checks[keep]
        return Side(self.measures[keep], self.patients[keep], checks)

    def __len__(self) -> int:
        return len(self.measures)


@dataclass(eq=False)
class Arms:
    """All sets of an evaluation, and their measures, each computed once a form."""

    real: list[Arm]
    synth: list[Arm]
    method: str
    jobs: int = 1
    cache: Path | None = None
    assume_independent: bool = False
    progress: Progress = quiet
    _kept: dict[tuple[Any, ...], Features] = field(default_factory=dict)

    def patients(self, arm: Arm) -> np.ndarray:
        real = any(arm is one for one in self.real)
        return arm.ecgs.patients(assume_independent=self.assume_independent or not real)

    def features(self, arm: Arm, ecgs: EcgSet) -> Features:
        """Return what a set measures in one form."""
        key = (arm.key, ecgs.fs, ecgs.n_samples, ecgs.leads)
        if key not in self._kept:
            self._kept[key] = features(
                ecgs,
                method=self.method,
                jobs=self.jobs,
                cache=self.cache,
                stage=f"measure {arm.title}",
                progress=self.progress,
            )
        return self._kept[key]

    def pair(self, real: Arm, synth: Arm) -> tuple[Side, Side, tuple[str, ...]]:
        """Return two arms in one form, and what had to be done for it."""
        if not isinstance(synth.ecgs, EcgSet):
            raise UsageError(f"{synth.title} is no set of generated ECGs")
        if isinstance(real.ecgs, Reference):
            aligned = align(real.ecgs, synth.ecgs)
            cohort, ecgs = aligned.sets
            found = self.features(synth, ecgs)
            return (
                Side(cohort.measures, self.patients(real), None),
                Side(rounded(found.measures), self.patients(synth), None),
                aligned.notes,
            )
        alike = harmonise(real.ecgs, synth.ecgs, names=(real.title, synth.title))
        sides = [
            Side(f.measures, self.patients(arm), f.checks)
            for arm, f in zip(
                (real, synth),
                (self.features(a, e) for a, e in zip((real, synth), alike.sets, strict=True)),
                strict=True,
            )
        ]
        return sides[0], sides[1], alike.notes

    def own(self, arm: Arm) -> Side:
        """Return an arm in the form it has."""
        if isinstance(arm.ecgs, Reference):
            return Side(arm.ecgs.measures, self.patients(arm), None)
        found = self.features(arm, arm.ecgs)
        return Side(found.measures, self.patients(arm), found.checks)


def rule_input(side: Side) -> pd.DataFrame:
    """Return the measures with what the rules read of the signal checks."""
    if side.checks is None:
        return side.measures
    extra = {c: side.checks[c].to_numpy() for c in RULE_COLUMNS if c in side.checks}
    return side.measures.assign(**extra)


def keeps_rules(measures: pd.DataFrame) -> np.ndarray:
    """Return which records keep all rules under the limits of some adult, alternative limits.

    Sex and age of a generated record are unknown: what could be a normal ECG of somebody is kept.
    """
    passed, _ = judge(measures, strict=False).with_normal()
    return np.logical_or.reduce(passed[:, -1], axis=0)


# ---- what is there ------------------------------------------------------------------------------


def find_real(
    named: Sequence[str | EcgSet] | None, *, progress: Progress = quiet
) -> tuple[list[Arm], list[str]]:
    """Return the real sets, and one sentence for each that is not there.

    Parameters
    ----------
    named : sequence of SET or EcgSet, or None
        None takes `REAL`, and for what of it cannot be had the reference cohort.

    Raises
    ------
    DataError, UsageError
        Where a set that was named cannot be read.
    """
    arms, notes = [], []
    for source in REAL if named is None else named:
        name = str(source).partition(":")[0]
        if is_reference(source):
            arms.append(_cohort(str(source)))
            continue
        try:
            ecgs = sets.read(source, progress=progress)
        except DataError:
            if named is not None:
                raise
            arms.append(_cohort(f"reference:{name}"))
            notes.append(
                f"{_TITLES[name]} could not be had (no copy under ECGEVAL_DATA, and no connection "
                f"to its publisher): the measures of reference:{name}, which come with ecgeval, "
                "stand in for it; what needs waveforms is without it."
            )
            continue
        if isinstance(source, EcgSet):
            name = str(ecgs.records["source"].iloc[0]) if "source" in ecgs.records else "real"
        title = _TITLES.get(name, Path(name).stem or name)
        leads = tuple(lead for lead in generators.LEADS if lead in ecgs.leads)
        if not leads:
            raise DataError(f"{title} has none of the generators' leads {generators.LEADS}")
        text = title if isinstance(source, EcgSet) else f"{title} ({source})"
        arms.append(Arm(slug(title).lower(), title, text, ecgs.with_leads(leads)))
    return _unique(arms), notes


def _cohort(source: str) -> Arm:
    found = load_reference(source)
    title = f"{_TITLES.get(found.name, found.name)} (measures)"
    text = f"{source}: {found.about['title']}, {found.about['licence']}"
    return Arm(found.name, title, text, found)


def find_generators(
    named: Sequence[str | EcgSet],
    n: int,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = quiet,
) -> tuple[list[Arm], list[str]]:
    """Return `n` fresh records of each generator, and why one is left out.

    A name of `GENERATED` without weights is left out; anything else that cannot be used is an
    error.
    """
    arms, notes = [], []
    for source in named:
        if isinstance(source, EcgSet):
            name = str(source.records["source"].iloc[0])
            arms.append(Arm(slug(name).lower(), name, f"{name}, as given", source, "unknown"))
            continue
        try:
            about = generators.describe(source)
            ecgs = generators.generate(source, n, seed=seed, device=device, progress=progress)
        except (DataError, UsageError) as error:
            if source not in GENERATED:
                raise
            notes.append(f"{_TITLES[source]} is left out: {error}.")
            continue
        kind = str(about["architecture"])
        title = _TITLES[kind] + ("" if source in GENERATED else f" ({Path(source).stem})")
        text = f"{title}, weights {about['weights_sha256'][:12]}, seed {seed}"
        arms.append(Arm(slug(str(about["name"])), title, text, ecgs, str(about["trained_on"])))
    return _unique(arms), notes


def _unique(arms: Sequence[Arm]) -> list[Arm]:
    """Return arms with a key each of their own."""
    out: list[Arm] = []
    for arm in arms:
        k = sum(other.key.split("~")[0] == arm.key for other in out)
        if k:
            arm = replace(arm, key=f"{arm.key}~{k + 1}", title=f"{arm.title} {k + 1}")
        out.append(arm)
    return out
