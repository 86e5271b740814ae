"""The order of things: read, harmonise, delineate, measure, compare, audit. Cached, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ecgeval import sets
from ecgeval.delineation import DEFAULT_METHOD
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.pipeline.config import RunConfig, make
from ecgeval.pipeline.features import trim_cache
from ecgeval.pipeline.stages import Run, Source, ignore_message
from ecgeval.references import Reference, is_reference, load_reference, refuse
from ecgeval.results import Results

__all__ = ["Run", "audit", "compare", "ignore_message", "run"]


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
    if not isinstance(real, Reference):
        cohort = is_reference(real)
        real = load_reference(str(real)) if cohort else sets.read(real, progress=progress)
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
    worker.check_holdout_unseen(train, held, source)
    results = worker.audit(train, held, synth, critic=worker.critic_of(source))
    return results.with_manifest(worker.manifest(train=train, holdout=held, synth=synth))


def run(
    config: RunConfig,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    device: str = "cpu",
    notify: Callable[[str], None] = ignore_message,
    progress: Progress = quiet,
) -> tuple[Results, Run]:
    """Do what a configuration says.

    Parameters
    ----------
    config : RunConfig
    jobs : int
    cache : Path, optional
    device : {"cpu", "cuda"}
        Where networks and the copy search run.
    notify : callable
        Called with one sentence about what these sizes can show.
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
        worker.check_holdout_unseen(given["train"], given.get("holdout"), config.synth.source)
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


def _pseudonymous(table: pd.DataFrame, train: EcgSet, ecgs: EcgSet | None) -> pd.DataFrame:
    """Return a table of real records under the pseudonyms that the audit uses."""
    from ecgeval.privacy import pseudonyms

    names = pseudonyms(train, ecgs).loc[table.index]
    return table.set_index(pd.Index(names, name="record_id"))
