"""The order of things: read, harmonise, delineate, measure, compare, audit. Cached, resumable."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import ecgeval
from ecgeval import sets
from ecgeval.delineation import DEFAULT_METHOD
from ecgeval.ecgset import EcgSet, resample
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.pipeline.config import RunConfig, SetConfig, make
from ecgeval.pipeline.features import (
    BEAT_FS,
    Features,
    _beside,
    _gather,
    _record_keys,
    code_hash,
    features,
    outcomes,
    trim_cache,
)
from ecgeval.pipeline.manifest import _describe, _versions
from ecgeval.preprocess import Harmonised, harmonise
from ecgeval.references import Aligned, Reference, align, is_reference, load_reference, refuse
from ecgeval.results import Figure, Results

if TYPE_CHECKING:
    from ecgeval.comparison.margins import Margins
    from ecgeval.comparison.pair import Side

__all__ = ["Run", "audit", "compare", "run"]

_PICTURES = 3  # records of each set shown on ECG paper

Source = EcgSet | str | Path


# ---- features: what every comparison shares, computed once --------------------------------------


# ---- fidelity and privacy, from sets to results -------------------------------------------------


def compare(
    real: Source | Reference,
    synth: Source,
    *,
    seed: int = 0,
    method: str = DEFAULT_METHOD,
    leads: tuple[str, ...] | None = None,
    margins: str = "lenient",
    quick: bool = False,
    assume_independent: bool = False,
    show_traces: bool = True,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> Results:
    """Compare synthetic with real ECGs: data quality, then every measure.

    Parameters
    ----------
    real, synth : EcgSet or SET
        Sets, or what `ecgeval.read` accepts. `real` may be a reference cohort,
        ``reference:ptbxl-norm``: what needs waveforms of real records is then ``NOT_ASSESSABLE``.
    seed : int
        Seed of every random step.
    method : str
        Delineation method (`ecgeval.delineation.METHODS`).
    leads : tuple of str, optional
        Leads to compare; those in common by default.
    margins : str
        ``lenient``, ``strict`` or a file of equivalence margins.
    quick : bool
        Fewer resamples.
    assume_independent : bool
        Count records without a patient id as patients of their own.
    show_traces : bool
        Whether the results may hold traces of records.
    jobs : int
        Worker processes; the results are the same for any number.
    cache : Path, optional
        Folder for kept features.
    progress : callable

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        If patients are unknown and `assume_independent` is not set.
    DataError
        If the sets cannot be compared.
    """
    refuse(synth, "the synthetic set")
    real = real if isinstance(real, Reference) else _read_real(real, progress=progress)
    synth = sets.read(synth, seed=seed, progress=progress)
    config = make(
        seed=seed,
        method=method,
        leads=leads,
        quick=quick,
        assume_independent=assume_independent,
        compare={"margins": margins},
    )
    worker = Run(config, jobs=jobs, cache=cache, progress=progress)
    results = worker.compare(real, synth, show_records=show_traces)
    return results.with_manifest(worker.manifest(real=real, synth=synth))


def audit(
    train: Source,
    holdout: Source | None,
    synth: Source,
    *,
    seed: int = 0,
    method: str = DEFAULT_METHOD,
    permutations: int = 9999,
    assume_independent: bool = False,
    show_traces: bool = False,
    critic: str | Path | None = None,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> Results:
    """Search synthetic ECGs for copies of the patients a generator was trained on.

    Parameters
    ----------
    train : EcgSet or SET
        The generator's training set.
    holdout : EcgSet, SET or None
        ECGs of other patients of the same population, never seen by the generator. Without it,
        whatever needs one is ``NOT_ASSESSABLE``.
    synth : EcgSet or SET
    seed, method, assume_independent, jobs, cache, progress
        As in `compare`.
    permutations : int
        Permutations of the exchangeability test.
    show_traces : bool
        Let the results hold real traces, per-record distances and clear record ids.
    critic : path, optional
        Checkpoint of the generator's training run that holds its critic (``last.pt``), which is
        asked who was trained on. By default `synth`, where it is such a file.

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        If patients are unknown and `assume_independent` is not set.
    DataError
        If the sets cannot be compared.
    """
    for name, given in (("train", train), ("holdout", holdout), ("synth", synth)):
        refuse(given, f"the {name} set of an audit")
    source = synth
    train = sets.read(train, progress=progress)
    held = None if holdout is None else sets.read(holdout, progress=progress)
    synth = sets.read(synth, seed=seed, progress=progress)
    config = make(
        seed=seed,
        method=method,
        assume_independent=assume_independent,
        show_traces=show_traces,
        audit={"permutations": permutations, "critic": critic and str(critic)},
    )
    worker = Run(config, jobs=jobs, cache=cache, progress=progress)
    worker.heed_split(train, held, source)
    results = worker.audit(train, held, synth, critic=worker.critic_of(source))
    return results.with_manifest(worker.manifest(train=train, holdout=held, synth=synth))


def unheard(text: str) -> None:
    """Tell nobody: the default of `Run.notify`."""


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
    notify: Callable[[str], None] = unheard
    timings: dict[str, float] = field(default_factory=dict)
    read_sets: list[EcgSet | Reference] = field(default_factory=list)
    measures: dict[str, pd.DataFrame] = field(default_factory=dict)
    critic_sha256: str | None = None
    _met: dict[bytes, tuple[Features, int]] = field(default_factory=dict)

    def compare(
        self, real: EcgSet | Reference, synth: EcgSet, *, show_records: bool = True
    ) -> Results:
        """Return the sections ``quality`` and ``fidelity`` of two sets."""
        from ecgeval.comparison.margins import load_margins
        from ecgeval.comparison.pair import Pair
        from ecgeval.comparison.sections import SECTIONS
        from ecgeval.stats.sample import MIN_PATIENTS

        wanted = self.config.compare.margins
        named = wanted in ("lenient", "strict")
        margins = load_margins(wanted) if named else load_margins(path=wanted)
        both = self._one_form(real, synth)
        found = real, synth
        real, synth = both.sets
        unknown = [c for c in self.config.compare.by if c not in real.records.columns]
        if unknown:
            raise UsageError(
                f"the real set has no label {unknown[0]!r} to go by; it has "
                f"{', '.join(map(str, real.records.columns))}"
            )
        independent = self.config.assume_independent
        patients = [
            real.patients(assume_independent=independent),
            synth.patients(assume_independent=True),
        ]
        for name, who in zip(("real", "synthetic"), patients, strict=True):
            if len(set(who)) < MIN_PATIENTS:
                records, people = f"{len(who)} record{'s' * (len(who) != 1)}", len(set(who))
                raise DataError(
                    f"the {name} set holds {records} of {people} patient{'s' * (people != 1)}; a "
                    f"comparison needs at least {MIN_PATIENTS}"
                )
        if isinstance(real, Reference):
            self._foretell(real.measures, len(synth), margins, patients[0])
            feats = _beside(real, self._features(synth, "synthetic"))
        else:
            own = self._features(real, "real")
            self._foretell(own.measures, len(synth), margins, patients[0])
            feats = [own, self._features(synth, "synthetic")]
        if isinstance(found[0], EcgSet):
            _enough(feats[0].outcome, patients[0], MIN_PATIENTS)
        given = self.config.compare
        pair = Pair(
            _side(feats[0], real, found[0], patients[0], given.interpreter_real),
            _side(feats[1], synth, found[1], patients[1], given.interpreter_synth),
            margins,
            feats[0].beats_fs,
            feats[0].beats_zero,
            notes=both.notes,
            cohort=both if isinstance(both, Aligned) else None,
            judged=bool({"fidelity", "joint", "plausibility"} & set(given.parts)),
            derived=tuple(lead for lead in synth.leads if lead not in found[1].leads),
            by=given.by,
            refit=given.refit,
            seed=self.config.seed,
            jobs=self.jobs,
            quick=self.config.quick,
            device=self.device,
            progress=self.progress,
        )
        results = Results()
        for name, section in SECTIONS.items():
            if name == "quality" or name in given.parts:
                with self.timed(f"compare {name}"):
                    results = results + section(pair)
        self.measures |= {"real": feats[0].measures, "synth": feats[1].measures}
        pictures = [_beats_figure(real.leads, feats)]
        if show_records:
            pictures.insert(0, self._paper(real, synth, feats))
        return results + Results(figures=tuple(pictures))

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

        named = {"train": train, "holdout": holdout, "synth": synth}
        given = {name: s for name, s in named.items() if s is not None}
        both = harmonise(*given.values(), names=tuple(f"the {n} set" for n in given))
        aligned = dict(zip(given, both.sets, strict=True))
        feats = {name: self._features(s, name) for name, s in aligned.items()}
        scores = None
        if critic is not None:  # of the records as they were trained on, not as they are compared
            with self.timed("critic"):
                scores = self._scores(critic, {k: s for k, s in given.items() if k != "synth"})
        with self.timed(f"audit {section}"):
            return audit_sets(
                aligned["train"],
                aligned.get("holdout"),
                aligned["synth"],
                beats={name: f.beats for name, f in feats.items()},
                beats_fs=feats["synth"].beats_fs,
                delineated=self._beats,
                critic=scores,
                id_key=train.fingerprint("id-key"),
                seed=self.config.seed,
                jobs=self.jobs,
                section=section,
                device=self.device,
                assume_independent=self.config.assume_independent,
                show_traces=self.config.show_traces,
                permutations=self.config.audit.permutations,
                progress=self.progress,
            )

    def critic_of(self, source: Source | None) -> str | None:
        """Return the checkpoint whose critic is asked: the one named, or `source` if it has one."""
        if self.config.audit.critic is not None:
            return self.config.audit.critic
        if not isinstance(source, EcgSet) and sets.with_critic(source):
            return sets.checkpoint_file(source)
        return None

    def heed_split(self, train: EcgSet, holdout: EcgSet | None, source: Source | None) -> None:
        """Refuse a holdout that the checkpoint was trained on, as its own training record says.

        Ids are those of the training data only where the training sets share some.

        Raises
        ------
        DataError
        """
        from ecgeval.generators.checkpoints import trained_on

        synth = None if isinstance(source, EcgSet) else sets.checkpoint_file(source)
        for path in dict.fromkeys(p for p in (self.config.audit.critic, synth) if p):
            split = trained_on(path).get("split") or {}
            seen, held = (set(map(str, split.get(name, ()))) for name in ("train", "holdout"))
            if not seen & set(train.ids):
                continue
            known = [i for i in ([] if holdout is None else holdout.ids) if i in seen]
            if holdout is not None and known:
                raise DataError(
                    f"{path} was trained on {len(known)} of the {len(holdout)} holdout records, "
                    f"such as {known[0]}, as its own training record says; expected patients it "
                    "never saw. `ecgeval run` with the checkpoint's folder as synth takes those "
                    "that training held out"
                )
            if unseen := sum(i in held for i in train.ids):
                self.notify(
                    f"{path} held {unseen} of the {len(train)} training records out and never saw "
                    "them: name those it was trained on, or the audit is blunter than it could be."
                )

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

    def bench(self, train: EcgSet, holdout: EcgSet | None, synth: EcgSet) -> Results:
        """Plant leaks of every kind and count what the audit finds."""
        from ecgeval.privacy.bench import run_bench

        if holdout is None:
            raise UsageError("the planted-leak bench needs a holdout: give `holdout`")
        both = harmonise(
            train, holdout, synth, names=("the train set", "the holdout set", "the synth set")
        )
        named = dict(zip(("train", "holdout", "synth"), both.sets, strict=True))
        feats = {name: self._features(s, name) for name, s in named.items()}
        with self.timed("bench"):
            return run_bench(
                *both.sets,
                beats={name: f.beats for name, f in feats.items()},
                beats_fs=feats["synth"].beats_fs,
                delineated=self._beats,
                repeats=self.config.audit.bench,
                seed=self.config.seed,
                jobs=self.jobs,
                device=self.device,
                assume_independent=self.config.assume_independent,
                progress=self.progress,
            )

    def planted(self, train: EcgSet, holdout: EcgSet | None, synth: EcgSet) -> Results:
        """Audit `synth` after copies of training records were put into it: a demonstration."""
        copies = self.config.audit.planted
        leaky = _plant(train, synth, copies, child_rng(self.config.seed, "plant"))
        audited = self.audit(train, holdout, leaky, section="planted")
        summary = (
            f"A demonstration: the same audit after {copies} disguised copies of training records "
            "were put among the synthetic ones. It must fail. "
        )
        sections = tuple(
            replace(s, title="What a leak looks like", summary=summary + s.summary, gate=False)
            for s in audited.sections
        )
        return replace(audited, sections=sections)

    def read(self, part: SetConfig) -> EcgSet:
        """Return the set that a part of the configuration names."""
        with self.timed("read"):
            ecgs = sets.read(
                part.source,
                leads=self.config.leads,
                unit=part.unit,
                native_fs=part.native_fs,
                labels=part.labels,
                seconds=part.seconds,
                n=part.n,
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

    def _one_form(self, real: EcgSet | Reference, synth: EcgSet) -> Harmonised | Aligned:
        """Return both sets with the same leads, rate and length as far as can be."""
        if isinstance(real, Reference):
            if self.config.method != real.about["engine"]["method"]:
                raise UsageError(
                    f"reference:{real.name} was measured by the method "
                    f"{real.about['engine']['method']!r}; a comparison with it takes no other "
                    f"(--method is {self.config.method!r})"
                )
            return align(real, synth, leads=self.config.leads)
        names = ("the real set", "the synthetic set")
        return harmonise(real, synth, names=names, leads=self.config.leads)

    def manifest(self, **given: EcgSet | Reference | None) -> dict[str, Any]:
        """Return what decides the numbers: settings, versions, seed, and what went in."""
        withhold = "train" in given and not self.config.show_traces
        return {
            "ecgeval": ecgeval.__version__,
            "config": self.config.model_dump(mode="json"),
            "config_sha256": self.config.digest(),
            "seed": self.config.seed,
            "versions": _versions(),
            "sets": {
                name: _describe(s, withhold and name != "synth")
                for name, s in given.items()
                if s is not None
            },
            "delineation": {"method": self.config.method, "code_sha256": code_hash()},
            **({"critic_sha256": self.critic_sha256} if self.critic_sha256 else {}),
            **{k: v for k in ("title", "notice") if (v := getattr(self.config.report, k))},
        }

    def environment(self) -> dict[str, Any]:
        """Return what does not decide the numbers: host, wall time a stage, peak memory."""
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {
            "python": platform.python_version(),
            "system": platform.platform(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "jobs": self.jobs,
            "seconds": {name: round(s, 2) for name, s in self.timings.items()},
            "peak_memory_mb": round(peak / 1024, 1),
            "peak_memory_worker_mb": round(children / 1024, 1),
        }

    def _foretell(
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
            keys = _record_keys(ecgs)
            new = np.array([key not in self._met for key in keys])
            if new.any():
                fresh = features(
                    ecgs.select(new),
                    method=self.config.method,
                    jobs=self.jobs,
                    cache=self.cache,
                    stage=stage,
                    progress=self.progress,
                )
                for row, key in enumerate(key for key, n in zip(keys, new, strict=True) if n):
                    self._met[key] = (fresh, row)
            return _gather([self._met[key] for key in keys], ecgs.ids)

    def _beats(self, ecgs: EcgSet) -> np.ndarray:
        """Return representative beats as those of the sets are found."""
        return features(ecgs, method=self.config.method, jobs=self.jobs).beats

    def timed(self, stage: str) -> _Timer:
        """Return a context that adds its wall time to `timings` under `stage`."""
        return _Timer(self.timings, stage)

    def _paper(self, real: EcgSet | Reference, synth: EcgSet, feats: list[Features]) -> Figure:
        records = []
        for name, ecgs, f in (("real", real, feats[0]), ("synth", synth, feats[1])):
            if isinstance(ecgs, Reference):
                continue
            rng = child_rng(self.config.seed, "pictures", name)
            usable = np.flatnonzero(f.outcome == "")
            for row in np.sort(rng.permutation(usable)[:_PICTURES]):
                records.append(trace(ecgs, int(row), name))
        return Figure(
            "fidelity.paper",
            "ecg_paper",
            "On ECG paper",
            {"fs": min(synth.fs, BEAT_FS), "leads": list(synth.leads), "records": records},
            "Records drawn at random, 25 mm/s and 10 mm/mV.",
            "fidelity",
        )


@dataclass
class _Timer:
    timings: dict[str, float]
    stage: str
    start: float = 0.0

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self.start
        self.timings[self.stage] = self.timings.get(self.stage, 0.0) + spent


def run(
    config: RunConfig,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    device: str = "cpu",
    notify: Callable[[str], None] = unheard,
    progress: Progress = quiet,
) -> tuple[Results, Run]:
    """Do what a configuration says.

    Parameters
    ----------
    config : RunConfig
    jobs : int
    cache : Path, optional
    device : {"cpu", "cuda"}
        Where generators run.
    progress : callable

    Returns
    -------
    results : Results
    run : Run
        Timings and the measures of both sets.

    Raises
    ------
    UsageError
        If the configuration asks for nothing.
    """
    _check(config)
    assert config.synth is not None
    worker = Run(config, jobs=jobs, cache=cache, progress=progress, device=device, notify=notify)
    given: dict[str, Any] = {}
    # Real sets come first: what they lack is said before anything is generated.
    for name in ("real", "train", "holdout"):
        part = getattr(config, name)
        if part is not None:
            given[name] = worker.read_real(part) if name == "real" else worker.read(part)
            given[name].patients(assume_independent=config.assume_independent)
    if config.audit.holdout_share is not None:
        from ecgeval.privacy import split_patients

        given["train"], given["holdout"] = split_patients(
            given["real"],
            1 - config.audit.holdout_share,
            child_rng(config.seed, "split"),
            assume_independent=config.assume_independent,
        )
    auditing = "train" in given
    if auditing:
        worker.heed_split(given["train"], given.get("holdout"), config.synth.source)
    given["synth"] = synth = worker.read(config.synth)
    results = Results()
    if "real" in given:
        # A run that audits draws no record: a synthetic one may be a patient's, found out or not.
        show = config.show_traces or not auditing
        results = results + worker.compare(given["real"], synth, show_records=show)
    if auditing:
        audited = worker.audit(
            given["train"],
            given.get("holdout"),
            synth,
            critic=worker.critic_of(config.synth.source),
        )
        if not config.show_traces and isinstance(given.get("real"), EcgSet):
            worker.measures["real"] = _pseudonymous(
                worker.measures["real"], given["train"], given["real"]
            )
        results = results + audited
        if config.audit.bench:
            results = results + worker.bench(given["train"], given.get("holdout"), synth)
        if config.audit.planted:
            results = results + worker.planted(given["train"], given.get("holdout"), synth)
    if cache is not None:
        trim_cache(cache)
    return results.with_manifest(worker.manifest(**given)), worker


def _check(config: RunConfig) -> None:
    """Refuse a configuration that asks for nothing, or for parts that do not go together."""
    if config.synth is None:
        raise UsageError("the configuration names no `synth` set; nothing can be evaluated")
    if config.real is None and config.train is None:
        raise UsageError(
            "the configuration names neither `real` (for a comparison) nor `train` (for an audit)"
        )
    for name, what in (
        ("synth", "`synth`"),
        ("train", "`train` of an audit"),
        ("holdout", "`holdout` of an audit"),
    ):
        refuse(getattr(getattr(config, name), "source", None), what)
    if config.holdout is not None and config.train is None:
        raise UsageError("`holdout` goes with `train`: name the generator's training set too")
    if config.audit.holdout_share is not None and (config.real is None or config.train is not None):
        raise UsageError("audit.holdout_share splits `real`; give `real` and no `train`")
    if config.audit.holdout_share is not None and config.real is not None:
        refuse(config.real.source, "audit.holdout_share")
    if config.audit.planted and config.train is None and config.audit.holdout_share is None:
        raise UsageError("audit.planted needs an audit: give `train`, or audit.holdout_share")


def _read_real(source: Source, progress: Progress) -> EcgSet | Reference:
    if is_reference(source):
        return load_reference(str(source))
    return sets.read(source, progress=progress)


def _pseudonymous(table: pd.DataFrame, train: EcgSet, ecgs: EcgSet | None) -> pd.DataFrame:
    """Return a table of real records under the pseudonyms that the audit uses."""
    from ecgeval.privacy import pseudonyms

    names = pseudonyms(train, ecgs).loc[table.index]
    return table.set_index(pd.Index(names, name="record_id"))


def _enough(outcome: pd.Series, patients: np.ndarray, least: int) -> None:
    """Refuse a real set of which too little can be used: nothing could be held against it."""
    usable = (outcome == "").to_numpy()
    people = len(set(patients[usable]))
    if people < least:
        reasons = outcome[~usable].value_counts().sort_index()
        why = ", ".join(f"{reason} {n}" for reason, n in reasons.items())
        raise DataError(
            f"of the real set only {int(usable.sum())} of {len(usable)} records can be used, of "
            f"{people} patients ({why}); a comparison needs at least {least}"
        )


def _side(
    f: Features,
    ecgs: EcgSet | Reference,
    found: EcgSet | Reference,
    patients: np.ndarray,
    interpreter: str | None,
) -> Side:
    """Return one side of a comparison: `ecgs` as they are compared, `found` as they were read."""
    from ecgeval.comparison.pair import Side

    own = ecgs if isinstance(ecgs, EcgSet) else None
    return Side(
        f.measures,
        patients,
        ecgs.records,
        outcomes(f, found, patients),
        ecgs=own,
        beats=None if own is None else f.beats,
        checks=f.checks,
        interpreter=interpreter,
    )


def trace(ecgs: EcgSet, row: int, name: str) -> dict[str, Any]:
    block = np.asarray(ecgs.signals[row])
    if ecgs.fs > BEAT_FS:
        block = resample(block, ecgs.fs, BEAT_FS)
    block = block - np.median(block, axis=-1, keepdims=True)
    uv = np.rint(block * 1000).astype(int)
    return {
        "id": str(ecgs.ids[row]),
        "set": name,
        "uv": {lead: uv[k].tolist() for k, lead in enumerate(ecgs.leads)},
    }


def _beats_figure(leads: tuple[str, ...], feats: list[Features]) -> Figure:
    shown = []
    for name, f in zip(("real", "synthetic"), feats, strict=True):
        known = f.beats[np.isfinite(f.beats).all(axis=(1, 2))]
        if not len(known):
            continue
        level = known[
            :, :, f.beats_zero - round(0.12 * f.beats_fs) : f.beats_zero - round(0.06 * f.beats_fs)
        ]
        known = known - np.median(level, axis=-1, keepdims=True)
        low, middle, high = np.quantile(known, [0.05, 0.5, 0.95], axis=0).round(4)
        shown.append(
            {
                "name": name,
                "n": len(known),
                **{
                    key: {lead: value[k].tolist() for k, lead in enumerate(leads)}
                    for key, value in (("low", low), ("median", middle), ("high", high))
                },
            }
        )
    return Figure(
        "fidelity.beats",
        "beats",
        "Representative beats",
        {"fs": feats[0].beats_fs, "zero": feats[0].beats_zero, "leads": list(leads), "sets": shown},
        "Median over records of each record's representative beat; the band holds 90 % of "
        "records at each moment.",
        "fidelity",
    )


# ---- the demonstration --------------------------------------------------------------------------


def _plant(train: EcgSet, synth: EcgSet, copies: int, rng: np.random.Generator) -> EcgSet:
    """Return `synth` with its first records replaced by disguised copies of training records."""
    leads = tuple(lead for lead in synth.leads if lead in train.leads)
    synth, train = synth.with_leads(leads), train.with_leads(leads).resample(synth.fs)
    rows = rng.choice(len(train), size=min(copies, len(train), len(synth)), replace=False)
    signals = np.array(synth.signals[:], dtype=np.float32)
    for slot, row in enumerate(rows):
        copy = np.asarray(train.signals[int(row)])[:, : synth.n_samples]
        copy = rng.uniform(0.7, 1.3) * copy + rng.normal(0, 0.02, copy.shape)
        signals[slot, :, : copy.shape[-1]] = copy
    return replace(synth, signals=signals)
