"""The stages of a run: read, bring to one form, measure, compare, audit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgeval import sets
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.sections import DECIDING, SECTIONS
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.pipeline import manifest
from ecgeval.pipeline.checkpoints import check_holdout_unseen
from ecgeval.pipeline.config import RunConfig, SetConfig
from ecgeval.pipeline.features import Features, features, features_of_cohort, features_once
from ecgeval.pipeline.pairing import check_usable, margins_of, one_form, patients_of, side_of
from ecgeval.pipeline.pictures import beats_figure, paper_figure
from ecgeval.pipeline.planting import as_demonstration, plant_copies
from ecgeval.preprocess import harmonise
from ecgeval.references import Aligned, Reference, is_reference, load_reference
from ecgeval.results import Results

__all__ = ["Run", "Source", "ignore_message"]

Source = EcgSet | str | Path


def ignore_message(text: str) -> None:
    """Drop a message: the default of `Run.notify`."""


@dataclass
class Run:
    """One run: its settings, and how long each stage took.

    `timings` goes beside the results, never into them: the same seed gives the same bytes.
    `read_sets` is for whoever runs it: what readers had to assume and could not use. `notify` is
    told what these sizes can show, before anything is compared.
    """

    config: RunConfig
    jobs: int = 1
    cache: Path | None = None
    progress: Progress = quiet
    device: str = "cpu"
    notify: Callable[[str], None] = ignore_message
    timings: dict[str, float] = field(default_factory=dict)
    read_sets: list[EcgSet | Reference] = field(default_factory=list)
    measures: dict[str, pd.DataFrame] = field(default_factory=dict)
    critic_sha256: str | None = None
    _known: dict[bytes, tuple[Features, int]] = field(default_factory=dict)

    def read(self, part: SetConfig) -> EcgSet:
        """Return the set that a part of the configuration names."""
        with self.timed("read"):
            ecgs = sets.read(
                **part.model_dump(),
                leads=self.config.leads,
                seed=self.config.seed,
                device=self.device,
                progress=self.progress,
            )
        self.read_sets.append(ecgs)
        return ecgs

    def read_real(self, part: SetConfig) -> EcgSet | Reference:
        """Return the real set, which may be a reference cohort."""
        if not is_reference(part.source):
            return self.read(part)
        found = load_reference(part.source)
        if part.labels is not None or part.n is not None:
            raise UsageError(f"{part.source} takes neither labels nor n; it is used as it is")
        if part.seconds is not None and part.seconds < found.seconds:
            raise UsageError(
                f"{part.source} was measured on {found.seconds:g} s and cannot be cropped to "
                f"{part.seconds:g} s; leave out --seconds"
            )
        self.read_sets.append(found)
        return found

    def compare(
        self, real: EcgSet | Reference, synth: EcgSet, *, show_records: bool = True
    ) -> Results:
        """Return the sections ``quality`` and those asked for of two sets."""
        pair = self._pair(real, synth)
        results = Results()
        for name, section in SECTIONS.items():
            if name == "quality" or name in self.config.compare.parts:
                with self.timed(f"compare {name}"):
                    results = results + section(pair)
        self.measures |= {"real": pair.real.measures, "synth": pair.synth.measures}
        pictures = (paper_figure(pair),) if show_records else ()
        return results + Results(figures=(*pictures, beats_figure(pair)))

    def _pair(self, real: EcgSet | Reference, synth: EcgSet) -> Pair:
        """Return two sets as sections compare them."""
        wanted, margins = self.config.compare, margins_of(self.config)
        form = one_form(real, synth, self.config)
        read, (real, synth) = (real, synth), form.sets
        patients = patients_of(real, synth, self.config)
        if isinstance(real, Reference):
            self._announce_power(real.measures, len(synth), margins, patients[0])
            feats = features_of_cohort(real, self._features(synth, "synthetic"))
        else:
            own = self._features(real, "real")
            self._announce_power(own.measures, len(synth), margins, patients[0])
            feats = own, self._features(synth, "synthetic")
            check_usable(feats[0].outcome, patients[0])
        return Pair(
            side_of(feats[0], real, read[0], patients[0], wanted.interpreter_real),
            side_of(feats[1], synth, read[1], patients[1], wanted.interpreter_synth),
            margins,
            feats[0].beats_fs,
            feats[0].beats_zero,
            notes=form.notes,
            cohort=form if isinstance(form, Aligned) else None,
            judged=bool(DECIDING & set(wanted.parts)),
            derived=tuple(lead for lead in synth.leads if lead not in read[1].leads),
            by=wanted.by,
            refit=wanted.refit,
            seed=self.config.seed,
            quick=self.config.quick,
            jobs=self.jobs,
            device=self.device,
            progress=self.progress,
        )

    def audit(
        self,
        train: EcgSet,
        holdout: EcgSet | None,
        synth: EcgSet,
        *,
        critic: str | None = None,
        section: str = "privacy",
    ) -> Results:
        """Return one audit section; `critic` is a checkpoint that holds one."""
        from ecgeval.privacy import audit_sets

        alike, given = self._audited(train, holdout, synth)
        scores = None
        if critic is not None:  # of the records as they were trained on, not as they are compared
            real = {"train": train} | ({} if holdout is None else {"holdout": holdout})
            with self.timed("critic"):
                scores = self._scores(critic, real)
        with self.timed(f"audit {section}"):
            return audit_sets(
                alike["train"],
                alike.get("holdout"),
                alike["synth"],
                critic=scores,
                id_key=train.fingerprint("id-key"),
                section=section,
                show_traces=self.config.show_traces,
                permutations=self.config.audit.permutations,
                **given,
            )

    def bench(self, train: EcgSet, holdout: EcgSet | None, synth: EcgSet) -> Results:
        """Plant leaks of every kind and count what the audit finds."""
        from ecgeval.privacy.bench import run_bench

        if holdout is None:
            raise UsageError("the planted-leak bench needs a holdout: give `holdout`")
        alike, given = self._audited(train, holdout, synth)
        with self.timed("bench"):
            return run_bench(*alike.values(), repeats=self.config.audit.bench, **given)

    def planted(self, train: EcgSet, holdout: EcgSet | None, synth: EcgSet) -> Results:
        """Audit `synth` after copies of training records were put into it: a demonstration."""
        copies = self.config.audit.planted
        leaky = plant_copies(train, synth, copies, child_rng(self.config.seed, "plant"))
        return as_demonstration(self.audit(train, holdout, leaky, section="planted"), copies)

    def _audited(
        self, train: EcgSet, holdout: EcgSet | None, synth: EcgSet
    ) -> tuple[dict[str, EcgSet], dict[str, Any]]:
        """Return the sets of an audit in one form, and what the audit and its bench both take."""
        named = {"train": train, "holdout": holdout, "synth": synth}
        given = {name: ecgs for name, ecgs in named.items() if ecgs is not None}
        form = harmonise(*given.values(), names=tuple(f"the {name} set" for name in given))
        alike = dict(zip(given, form.sets, strict=True))
        feats = {name: self._features(ecgs, name) for name, ecgs in alike.items()}
        return alike, {
            "beats": {name: f.beats for name, f in feats.items()},
            "beats_fs": feats["synth"].beats_fs,
            "delineated": self._beats,
            "seed": self.config.seed,
            "jobs": self.jobs,
            "device": self.device,
            "assume_independent": self.config.assume_independent,
            "progress": self.progress,
        }

    def critic_of(self, source: Source | None) -> str | None:
        """Return the checkpoint whose critic is asked: the one named, or `source` if it has one."""
        if self.config.audit.critic is not None:
            return self.config.audit.critic
        if not isinstance(source, EcgSet) and sets.with_critic(source):
            return sets.checkpoint_file(source)
        return None

    def check_holdout_unseen(
        self, train: EcgSet, holdout: EcgSet | None, source: Source | None
    ) -> None:
        """Refuse a holdout that the checkpoint `source`, or the critic's, was trained on."""
        synth = None if isinstance(source, EcgSet) else sets.checkpoint_file(source)
        paths = [path for path in (self.config.audit.critic, synth) if path]
        check_holdout_unseen(paths, train, holdout, self.notify)

    def _scores(self, path: str, given: Mapping[str, EcgSet]) -> dict[str, np.ndarray] | None:
        """Return the critic's scores; None where it was not asked for and cannot read the sets."""
        from ecgeval.generators.critic_scores import critic_scores, load_critic

        critic, self.critic_sha256 = load_critic(path)
        try:
            return {
                name: critic_scores(critic, s, device=self.device, progress=self.progress)
                for name, s in given.items()
            }
        except (DataError, UsageError) as error:
            if self.config.audit.critic is not None:
                raise
            self.notify(f"The critic in {path} was not asked: {error}.")
            return None

    def manifest(self, **given: EcgSet | Reference | None) -> dict[str, Any]:
        """Return what decides the numbers: settings, versions, seed, and what went in."""
        return manifest.manifest(self.config, given, self.critic_sha256)

    def environment(self) -> dict[str, Any]:
        """Return what does not decide the numbers: host, wall time a stage, peak memory."""
        return manifest.environment(self.jobs, self.timings)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the wall time of what is done inside to `timings` under `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.timings[stage] = self.timings.get(stage, 0.0) + spent

    def _announce_power(
        self, measures: pd.DataFrame, n_synth: int, margins: Margins, patients: np.ndarray
    ) -> None:
        """Say what these sizes can show at best, before anything is compared."""
        from ecgeval.comparison.planning import planned_power, power_text

        if "fidelity" in self.config.compare.parts:
            plan = planned_power(measures, n_synth, margins, patients_real=patients)
            self.notify(power_text(plan))

    def _features(self, ecgs: EcgSet, name: str) -> Features:
        """Return a set's features; records met before in this run are not delineated again."""
        stage = f"delineate {name}"
        with self.timed(stage):
            return features_once(
                ecgs,
                self._known,
                method=self.config.method,
                jobs=self.jobs,
                cache=self.cache,
                stage=stage,
                progress=self.progress,
            )

    def _beats(self, ecgs: EcgSet) -> np.ndarray:
        """Return representative beats as those of the sets are found."""
        return features(ecgs, method=self.config.method, jobs=self.jobs).beats
