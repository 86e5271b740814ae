"""The order of an audit: from three sets of ECGs to results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.attacks.attack import attack, attackable
from ecgeval.privacy.checks import NOT_TESTED, RESIDUAL
from ecgeval.privacy.estimates import estimates
from ecgeval.privacy.evidence import collect
from ecgeval.privacy.findings import findings, summary
from ecgeval.privacy.planting import Delineated
from ecgeval.privacy.same_record import same_record
from ecgeval.privacy.tables import figures, tables
from ecgeval.results import Finding, Results, Section, Verdict

__all__ = ["audit_sets"]


def audit_sets(
    train: EcgSet,
    holdout: EcgSet | None,
    synth: EcgSet,
    *,
    beats: Mapping[str, np.ndarray] | None = None,
    beats_fs: float | None = None,
    delineated: Delineated | None = None,
    critic: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
    jobs: int = 1,
    device: str = "cpu",
    section: str = "privacy",
    assume_independent: bool = False,
    show_traces: bool = False,
    permutations: int = 9999,
    id_key: str | None = None,
    progress: Progress = quiet,
) -> Results:
    """Test whether synthetic ECGs leak the patients a generator was trained on.

    Parameters
    ----------
    train : EcgSet
        What the generator was trained on.
    holdout : EcgSet or None
        Patients of the same population, set aside at random before training. Without them only
        the copy search runs, against other training patients.
    synth : EcgSet
        What the generator made, one independent draw a record.
    beats : mapping of str to ndarray, shape (n, leads, samples), optional
        Representative beats in mV under ``train``, ``holdout``, ``synth`` (-0.4 to 0.7 s around R,
        leads of each set, NaN where missing); adds the detector that compares beats.
    beats_fs : float, optional
        Rate of `beats`, Hz; that of each set by default.
    delineated : callable, optional
        ``delineated(ecgs)`` returns representative beats as `beats` holds them: planted records are
        then delineated like all others. Without it their disguise is applied to the beat itself,
        which costs no beat and finds more.
    critic : mapping of str to ndarray, shape (n,), optional
        Score that the critic of the training run gives each record, under ``train`` and
        ``holdout``, higher for more real (`ecgeval.generators.critic_scores`): a membership attack
        of whoever holds the checkpoint. Runs with the others, where there are `beats`.
    seed : int
        Decides which records are planted, their disguise, and the permutations.
    jobs : int
        Worker processes; the results are the same for any number.
    device : {"cpu", "cuda"}
        Where the copy search compares records; the results are the same on both.
    section : str
        Slug of the section, and first part of every id.
    assume_independent : bool
        Count records without a patient id as patients of their own.
    show_traces : bool
        Show clear ids, similarities and traces of the pairs found (a restricted annex).
    permutations : int
        Of the exchangeability test.
    id_key : str, optional
        Key of the pseudonyms of real records; ``train.fingerprint("id-key")`` by default. A
        caller who changed the training set's form first gives that of the set as it was read.
    progress : callable

    Returns
    -------
    Results
        One section. An audit may fail a release; it never clears one by itself, so the best
        verdict is INCONCLUSIVE.

    Raises
    ------
    UsageError
        If a real record has no patient id and `assume_independent` is not set.
    DataError
        If the sets cannot be compared (no common lead, another unit, an empty set).
    """
    scores = None if critic is None else _scores(critic, {"train": train, "holdout": holdout})
    evidence = collect(
        train,
        holdout,
        synth,
        beats=beats,
        beats_fs=beats_fs,
        delineated=delineated,
        seed=seed,
        jobs=jobs,
        device=device,
        assume_independent=assume_independent,
        permutations=permutations,
        id_key=id_key,
        progress=progress,
    )
    reach = same_record(evidence.train, evidence.matches, jobs=jobs, progress=progress)
    evidence = replace(evidence, reach=reach)
    attacked = Results()
    if attackable(evidence):
        attacked = attack(
            evidence,
            critic=scores,
            seed=seed,
            section=section,
            permutations=permutations,
            jobs=jobs,
            progress=progress,
        )
    asked = scores is not None and attackable(evidence) and evidence.with_holdout
    found = [*findings(evidence, section, critic=asked), *attacked.findings]
    searched = Results(
        sections=(Section(section, "Privacy audit", summary(evidence)),),
        estimates=tuple(estimates(evidence, section)),
        tables=tuple(tables(evidence, section, show=show_traces, critic=asked)),
        figures=tuple(figures(evidence, section, show=show_traces)),
    )
    return replace(searched + attacked, findings=tuple(sorted(found, key=_place)))


def _place(finding: Finding) -> int:
    """Return where a finding stands: first what failed, last what was not tested."""
    if finding.gate and finding.verdict == Verdict.FAIL:
        return 0
    return 2 if finding.code in (RESIDUAL.code, NOT_TESTED.code) else 1


def _scores(
    critic: Mapping[str, np.ndarray], sets: Mapping[str, EcgSet | None]
) -> dict[str, pd.Series]:
    """Return the critic's scores by record."""
    out = {}
    for name, ecgs in sets.items():
        if ecgs is None:
            continue
        if name not in critic or len(critic[name]) != len(ecgs):
            found = len(critic[name]) if name in critic else "no"
            raise UsageError(
                f"{found} critic's scores for the {len(ecgs)} records of {name}; expected one a "
                "record"
            )
        out[name] = pd.Series(np.asarray(critic[name], float), index=ecgs.ids)
    return out
