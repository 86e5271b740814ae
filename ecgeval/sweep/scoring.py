"""Scores of one checkpoint, against the same patients and from the same noise as all others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgeval import sets
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import child_rng
from ecgeval.pipeline import run as pipeline
from ecgeval.pipeline.config import RunConfig
from ecgeval.pipeline.features import Features, features
from ecgeval.preprocess import common_leads
from ecgeval.results import Estimate

if TYPE_CHECKING:
    from ecgeval.privacy.quick import Look
    from ecgeval.sweep.ranking import Energy

__all__ = ["RECORDS", "People", "Score", "Scorer", "people_of", "people_unseen"]

RECORDS = 500
"""Records of each checkpoint that are scored, unless told otherwise."""
_FEWEST = 20  # patients to choose with, and as many to confirm with


@dataclass(frozen=True, eq=False)
class People:
    """Real patients by what they are for: choosing a checkpoint, confirming it, memory of it."""

    choose: EcgSet
    confirm: EcgSet
    train: EcgSet | None


@dataclass(frozen=True, eq=False)
class Score:
    """What is known of one checkpoint.

    Parameters
    ----------
    path : Path
    epoch : float
        Last number in the file's name, else its place in the sweep.
    energy : Energy
        `ecgeval.sweep.ranking.MeasureScorer.energy`, to the choosing patients.
    gates : (int, int)
        Declared medians and spreads that are equivalent, and how many there are.
    normal : Estimate
        Difference in the share of records that keep all strict rules for a normal ECG, S - R.
    look : Look or None
        Memory of training patients; None where they are not known.
    usable, n : int
        Records that could be measured, and all.
    """

    path: Path
    epoch: float
    energy: Energy
    gates: tuple[int, int]
    normal: Estimate
    look: Look | None
    usable: int
    n: int

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def copies(self) -> bool:
        """Whether more records are named copies of training patients than of others."""
        return self.look is not None and self.look.copies > self.look.control

    def row(self) -> dict[str, Any]:
        """Return the score as a row of a table: numbers and text."""
        ci, share = self.energy.ci, self.normal
        out: dict[str, Any] = {
            "checkpoint": self.name,
            "epoch": self.epoch,
            "energy": self.energy.value,
            "energy_low": ci[0],
            "energy_high": ci[1],
            "floor_low": self.energy.floor[0],
            "floor_high": self.energy.floor[1],
            "gates": self.gates[0],
            "gates_of": self.gates[1],
            "normal_diff": share.value,
        }
        for name, pair in (("normal", share.ci), ("normal_floor", share.floor)):
            out[f"{name}_low"], out[f"{name}_high"] = pair or (None, None)
        for detector in ("D2", "D4"):
            found = {name: (a, ci) for name, a, ci in self.look.auc} if self.look else {}
            a, (low, high) = found.get(detector, (None, (None, None)))
            out |= {f"auc_{detector}": a, f"auc_{detector}_low": low, f"auc_{detector}_high": high}
        look = self.look
        out["memory_p"] = look.p if look and look.auc else None
        out["copies"] = look.copies if look else None
        out["copies_control"] = look.control if look else None
        return out | {"usable": self.usable, "n": self.n}


class Scorer:
    """Scores checkpoints against the same patients, from the same noise.

    Parameters
    ----------
    worker : Run
        Its settings (seed, method, margins) and where work is done.
    people : People
    n : int
        Records of each checkpoint.
    """

    def __init__(self, worker: pipeline.Run, people: People, n: int = RECORDS) -> None:
        self.worker, self.people, self.n = worker, people, n
        self.form: tuple[EcgSet, ...] = ()

    def __call__(self, path: Path, place: int = 0) -> Score:
        """Return the score of a checkpoint file."""
        from ecgeval.comparison.pair import Pair, Side
        from ecgeval.comparison.plausibility.section import compare_normal

        synth = self.fresh(path, self.worker.config.seed)
        real = [self.people.choose, *([self.people.train] if self.people.train else [])]
        *real, synth = one_form(*real, synth, leads=self.worker.config.leads)
        if not self.form or self.form[0].leads != real[0].leads:
            self._prepare(tuple(real))
        feats = self._features(synth)
        choose, config = self.form[0], self.worker.config
        who = self.patients[0], synth.patients(assume_independent=True)
        of_real = self.feats[0]
        pair = Pair(
            Side(of_real.measures, who[0], choose.records, checks=of_real.checks),
            Side(feats.measures, who[1], synth.records, checks=feats.checks),
            margins=self.measure_scorer.margins,
            seed=config.seed,
            quick=True,
        )
        normal = compare_normal(pair, "sweep").estimate("plausibility.normal.pass_diff")
        look = None
        if self.memory is not None and self.memory.alike:
            look = self.memory.look(synth, feats.beats)
        usable = int((feats.outcome == "").sum())
        return Score(
            path,
            _epoch(path, place),
            self.measure_scorer.energy(feats.measures),
            self.measure_scorer.gates(feats.measures),
            normal,
            look,
            usable,
            len(synth),
        )

    def fresh(self, path: Path, seed: int) -> EcgSet:
        """Return fresh records of a checkpoint; a seed is the same noise for all of them."""
        return sets.read(
            path, n=self.n, seed=seed, device=self.worker.device, progress=self.worker.progress
        )

    def energy(self, path: Path, patients: EcgSet, seed: int) -> Energy:
        """Return a checkpoint's distance to other patients, from other noise."""
        from ecgeval.sweep.ranking import MeasureScorer

        fresh = self.fresh(path, seed)
        real, synth = one_form(patients, fresh, leads=self.worker.config.leads)
        config = self.worker.config
        who = real.patients(assume_independent=config.assume_independent)
        confirming = MeasureScorer(
            self._features(real).measures, who, self.measure_scorer.margins, config.seed + 1
        )
        return confirming.energy(self._features(synth).measures)

    def _prepare(self, real: tuple[EcgSet, ...]) -> None:
        """Compute what all checkpoints are compared with; again only for another form."""
        from ecgeval.privacy.quick import Memory
        from ecgeval.sweep.ranking import MeasureScorer

        config = self.worker.config
        self.form = real
        self.feats = [self._features(ecgs) for ecgs in real]
        self.patients = [s.patients(assume_independent=config.assume_independent) for s in real]
        self.measure_scorer = MeasureScorer(
            self.feats[0].measures, self.patients[0], _margins(config), config.seed
        )
        self.memory: Memory | None = None
        if len(real) > 1:
            self.memory = Memory(
                real[1],
                real[0],
                self.feats[1].beats,
                self.feats[0].beats,
                self.feats[0].beats_fs,
                (self.patients[1], self.patients[0]),
                config.seed,
            )

    def _features(self, ecgs: EcgSet) -> Features:
        w = self.worker
        return features(ecgs, method=w.config.method, jobs=w.jobs, cache=w.cache)


def one_form(*ecgs: EcgSet, leads: Sequence[str] | None) -> tuple[EcgSet, ...]:
    """Return the sets with the same leads, rate and length.

    `harmonise` without its check of the unit: the records of an early checkpoint may be flat, and
    are then scored as such.
    """
    names = leads or common_leads(*ecgs)
    fs = min(s.fs for s in ecgs)
    alike = [s.with_leads(names).resample(fs) for s in ecgs]
    shortest = min(s.n_samples for s in alike)
    return tuple(s.crop(shortest) for s in alike)


def _margins(config: RunConfig) -> Any:
    from ecgeval.comparison.margins import load_margins

    wanted = config.compare.margins
    return load_margins(wanted) if wanted in ("lenient", "strict") else load_margins(path=wanted)


def _epoch(path: Path, place: int) -> float:
    numbers = re.findall(r"\d+", path.stem)
    return float(numbers[-1]) if numbers else float(place + 1)


def people_of(
    worker: pipeline.Run,
    checkpoint: Path,
    real: EcgSet | None,
    train: EcgSet | None = None,
    holdout: EcgSet | None = None,
) -> People:
    """Return the patients to choose and to confirm with: none that training saw.

    Where `real` is what the checkpoint was trained on, its own split says who was of_real out.
    """
    from ecgeval.generators.checkpoints import load, trained_on

    load(checkpoint)  # says what is wrong with a file that is none of ours
    return people_unseen(worker, trained_on(checkpoint), str(checkpoint), real, train, holdout)


def people_unseen(
    worker: pipeline.Run,
    record: Mapping[str, Any],
    name: str,
    real: EcgSet | None,
    train: EcgSet | None = None,
    holdout: EcgSet | None = None,
) -> People:
    """Return the same by the training record of what `name` names."""
    independent = worker.config.assume_independent
    unseen = holdout if holdout is not None else real
    if unseen is None:
        raise UsageError("a sweep needs `real` or `holdout`: patients that training never saw")
    split = record.get("split") or {"train": [], "holdout": []}
    whole = record.get("data", {}).get("fingerprint") == unseen.fingerprint()
    # The same people in other leads or length have another fingerprint, but the same ids.
    known = set(unseen.ids) & set(split["train"])
    if whole or len(known) > 0.5 * max(len(split["train"]), 1):
        if not split["holdout"]:
            raise UsageError(
                f"{name} was trained on all patients of this set; give other patients of the same "
                "population (as `holdout` of a sweep, --score of a training), or train with "
                "--holdout above 0"
            )
        here = set(unseen.ids)
        sides = {k: [i for i in split[k] if i in here] for k in ("train", "holdout")}
        train = unseen.select(sides["train"]) if train is None else train
        unseen = unseen.select(sides["holdout"])
    who = np.asarray(unseen.patients(assume_independent=independent))
    if train is not None:
        shared = np.isin(who, train.patients(assume_independent=independent))
        unseen, who = unseen.select(~shared), who[~shared]
    everyone = np.unique(who)
    if len(everyone) < 2 * _FEWEST:
        raise DataError(
            f"{len(everyone)} patients are left that training did not see; a sweep needs at least "
            f"{2 * _FEWEST}, half to choose a checkpoint with and half to confirm it with"
        )
    first = child_rng(worker.config.seed, "sweep", "split").permutation(everyone)
    chosen = np.isin(who, first[: len(everyone) // 2])
    return People(unseen.select(chosen), unseen.select(~chosen), train)
