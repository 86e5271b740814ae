"""The audit's entry: from three sets of ECGs to results."""

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
from ecgeval.privacy.evidence import Delineated, collect
from ecgeval.privacy.findings import estimates, findings
from ecgeval.privacy.halves import same_record
from ecgeval.privacy.tables import figures, tables
from ecgeval.privacy.view import View
from ecgeval.results import Results, Section, Verdict

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
    e = collect(
        train,
        holdout,
        synth,
        beats=beats,
        beats_fs=beats_fs,
        seed=seed,
        jobs=jobs,
        device=device,
        permutations=permutations,
        assume_independent=assume_independent,
        id_key=id_key,
        progress=progress,
        delineated=delineated,
    )
    reach = same_record(e, jobs=jobs, progress=progress)
    view = View(
        e,
        section,
        seed,
        show_traces,
        given_holdout=holdout is not None,
        critic=scores is not None,
        reach=reach,
    )
    attacked = Results()
    if attackable(e):
        attacked = attack(
            e,
            critic=scores,
            seed=seed,
            section=section,
            permutations=permutations,
            jobs=jobs,
            progress=progress,
        )
    found = Results(
        sections=(Section(section, "Privacy audit", view.summary()),),
        estimates=tuple(estimates(view)),
        findings=tuple(findings(view)),
        tables=tuple(tables(view)),
        figures=tuple(figures(view)),
    )
    return _with(found, attacked)


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


def _with(found: Results, attacked: Results) -> Results:
    """Return both: what failed first, what was not tested last."""
    every = [*found.findings, *attacked.findings]
    order = {RESIDUAL.code: 2, NOT_TESTED.code: 2}
    every.sort(key=lambda f: 0 if f.gate and f.verdict == Verdict.FAIL else order.get(f.code, 1))
    return replace(found + attacked, findings=tuple(every))
