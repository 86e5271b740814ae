"""Can a classifier tell real from synthetic waveforms? At which frequencies, when, which lead?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.classifier import findings
from ecgeval.comparison.classifier.forms import BLOCK, LOW_HZ, Chosen, checked, choose, low_pass
from ecgeval.comparison.classifier.minirocket import DILATIONS, Kernels, draw_kernels, minirocket
from ecgeval.comparison.classifier.occlusion import beat_features, occlude
from ecgeval.ecgset import resample
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, child_rng, map_shards, one_thread, quiet, shards
from ecgeval.results import Results, Section
from ecgeval.stats.arrays import Floats
from ecgeval.stats.classifiers import wide_ridge_logistic
from ecgeval.stats.effects import auc
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import monte_carlo_p
from ecgeval.stats.sample import MIN_PATIENTS, rescale
from ecgeval.stats.two_sample import C2st, bootstrap_auc, permuted_auc, two_sample_test

__all__ = ["CUTOFFS_HZ", "compare_waveforms"]


CUTOFFS_HZ = (5.0, 10.0, 15.0, 25.0, 40.0)
"""Low-pass cut-offs of the curve, Hz, before the whole band."""

QUICK_CUTOFFS_HZ = (10.0, 25.0)
FINE_DILATIONS = (1, 2, 4)
MAX_RECORDS = 1500
MAX_RECORDS_QUICK = 500


@dataclass(frozen=True)
class _Effort:
    """How much work: kernels a sum of leads, records a set, fits and draws."""

    kernels: int
    records: int
    cutoffs: tuple[float, ...]
    halves: int
    shuffles: int
    permutations: int
    draws: int

    @classmethod
    def of(cls, quick: bool) -> _Effort:
        if quick:
            return cls(6, MAX_RECORDS_QUICK, QUICK_CUTOFFS_HZ, 5, 4, 1999, 300)
        return cls(20, MAX_RECORDS, CUTOFFS_HZ, 10, 10, 9999, 1000)


def compare_waveforms(
    real: Any,
    synth: Any,
    fs: float,
    leads: Sequence[str],
    *,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    beats_real: NDArray[np.floating],
    beats_synth: NDArray[np.floating],
    beats_fs: float,
    beats_zero: int,
    seed: int = 0,
    jobs: int = 1,
    quick: bool = False,
    refit: bool = False,
    device: str = "cpu",
    progress: Progress = quiet,
    section: str = "classifier",
) -> Results:
    """Let classifiers tell the sets apart by their waveforms, and ask what they see.

    Both sets are rounded to the coarser of their grids, brought to about 100 Hz and each lead's
    median taken off. As many patients of either are drawn, of at most 1500 records a set (500 in
    a quick run). Patients, and records that correlate above 0.999, stay on one side of a split.

    Parameters
    ----------
    real, synth : ndarray of float32, shape (n, leads, samples), or what indexes like one
        mV; rows are read by arrays of record numbers. Records with NaN are left out and counted.
    fs : float
        Hz, of both.
    leads : sequence of str
    patients_real, patients_synth : array_like, shape (n,)
        One patient id a record.
    beats_real, beats_synth : ndarray, shape (n, leads, samples)
        Representative beats, mV; NaN where there is none.
    beats_fs : float
    beats_zero : int
        Sample of the R peak.
    seed : int
    jobs : int
        Processes; the result does not depend on it.
    quick : bool
        Fewer records, convolutions, cut-offs and draws; no residual network.
    refit : bool
        p of the random convolutions by 199 permutations of all labels with both halves fitted
        anew, instead of permuting held-out labels of a fixed classifier.
    device : {"cpu", "cuda"}
        Where the residual network runs.
    progress : callable
    section : str
        Slug of the section and first part of every id.

    Returns
    -------
    Results
        One section that decides nothing. Estimates: ``{section}.minirocket.c2st_auc``,
        ``.resnet.c2st_auc`` and ``.beats.c2st_auc`` with their ``c2st_shuffled``;
        ``{section}.cutoff_{hz}hz.c2st_auc``; ``{section}.rounding.rounding_auc``;
        ``{section}.{lead}_{wave}.occlusion_fall``. Findings C2ST-WAVE, C2ST-CUTOFF, C2ST-LOOK,
        and where they apply C2ST-ROUND and C2ST-LEAK.

    Raises
    ------
    UsageError
        If shapes, leads and patients do not match.

    References
    ----------
    Lopez-Paz and Oquab 2017, ICLR, arXiv:1610.06545; Dempster, Schmidt and Webb 2021, KDD,
    doi:10.1145/3447548.3467231; Kim, Ramdas, Singh and Wasserman 2021, Ann Stat 49:411,
    doi:10.1214/20-AOS1962
    """
    patients = [
        checked(signals, who, beats, leads, which)
        for signals, who, beats, which in (
            (real, patients_real, beats_real, "real"),
            (synth, patients_synth, beats_synth, "synthetic"),
        )
    ]
    if real.shape[1:] != synth.shape[1:]:
        raise UsageError(
            f"real records have shape {real.shape[1:]} and synthetic ones {synth.shape[1:]} "
            "(leads, samples); expected the same, as `ecgeval.preprocess.harmonise` returns them"
        )
    effort = _Effort.of(quick)
    stage = "classifiers on waveforms"
    progress(stage, 0, 4)
    with one_thread():
        chosen = choose(
            (real, synth), fs, patients, effort.records, child_rng(seed, section, "records")
        )
    head = Section(
        section, "Can a classifier tell the waveforms apart?", _summary(chosen, quick), gate=False
    )
    if isinstance(chosen, str):
        return findings.nothing(head, chosen, seed)
    answer = findings.Answer(section, seed, refit, tuple(leads))
    bands = (*(hz for hz in effort.cutoffs if 2 * hz < chosen.fs), chosen.fs / 2)
    if chosen.fine is not None:
        bands = (*bands, chosen.fine_fs / 2)
    features = _features(chosen, bands, effort, child_rng(seed, section, "kernels"), jobs)
    progress(stage, 1, 4)
    label, real_rows = chosen.label, ~chosen.label
    settings: dict[str, Any] = {
        "seed": seed,
        "permutations": effort.permutations,
        "draws": effort.draws,
    }
    one = partial(_band_test, chosen, section=section, settings=settings, effort=effort)
    lower = map_shards(one, list(zip(bands, features, strict=True))[:-1], jobs=jobs)
    answer.cutoffs = dict(zip(bands, lower, strict=False))
    whole = chosen.pool(features[-1])
    alone = chosen.pool(features[-1][real_rows], real_rows)
    answer.tests["minirocket"] = two_sample_test(
        whole,
        label,
        alone,
        wide_ridge_logistic,
        name=f"{section}.minirocket",
        halves=2 * effort.halves,
        within=50,
        shuffles=effort.shuffles,
        refits=findings.REFITS if refit else 0,
        jobs=jobs,
        **settings,
    )
    answer.cutoffs[bands[-1]] = answer.tests["minirocket"]
    progress(stage, 2, 4)
    if not quick:
        from ecgeval.comparison.classifier.resnet import resnet

        fit = partial(resnet, seed=seed, device=device)
        answer.tests["resnet"] = two_sample_test(
            chosen.pool(chosen.low),
            label,
            chosen.pool(chosen.low[real_rows], real_rows),
            fit,
            name=f"{section}.resnet",
            halves=2,
            within=300,
            shuffles=2,
            jobs=jobs if device == "cpu" else 1,
            **settings,
        )
    progress(stage, 3, 4)
    answer.rounding = _rounding(chosen, settings, child_rng(seed, section, "rounding"))
    answer.twins = chosen.twins, int(label.sum())
    answer.repeats = chosen.repeats
    answer.beats = _beats(
        chosen, (beats_real, beats_synth), beats_fs, beats_zero, section, settings, effort, jobs
    )
    progress(stage, 4, 4)
    return answer.results(head)


def _summary(chosen: Chosen | str, quick: bool) -> str:
    if isinstance(chosen, str):
        return f"Not compared: {chosen}."
    n = [int((~chosen.label).sum()), int(chosen.label.sum())]
    fine = f" and, for texture, at {chosen.fine_fs:g} Hz" if chosen.fine is not None else ""
    text = (
        f"{n[0]:,} real and {n[1]:,} synthetic records at {chosen.fs:g} Hz{fine}; classifiers "
        f"learn from half of the patients and are tested on the other half. {chosen.notes}"
    )
    return text + ("Quick run: no residual network, fewer convolutions." if quick else "")


def _features(
    chosen: Chosen, bands: Sequence[float], effort: _Effort, rng: np.random.Generator, jobs: int
) -> list[Floats]:
    """Return the features of all records in each band; the last one has those of the fine form."""
    n = len(chosen.label)
    rows = np.sort(rng.choice(n, min(n, 32), replace=False))
    forms = [chosen.low if 2 * hz <= chosen.fs else chosen.fine for hz in bands]
    work = [
        (form, chosen.fs if form is chosen.low else chosen.fine_fs, hz)
        for form, hz in zip(forms, bands, strict=True)
        if form is not None
    ]
    kernels = [
        draw_kernels(
            low_pass(form[rows], fs, hz),
            effort.kernels,
            rng,
            DILATIONS if form is chosen.low else FINE_DILATIONS,
        )
        for form, fs, hz in work
    ]
    parts = shards(n, BLOCK)
    items = [(k, part) for k in range(len(work)) for part in parts]
    done = map_shards(partial(_block_features, work, kernels), items, jobs=jobs)
    size = len(parts)
    out = [np.concatenate(done[i : i + size]) for i in range(0, len(done), size)]
    if chosen.fine is not None:
        out[-1] = np.hstack(out[-2:])
    return out


def _block_features(
    work: list[tuple[Floats, float, float]], kernels: list[Kernels], item: tuple[int, slice]
) -> Floats:
    band, rows = item
    form, fs, hz = work[band]
    return minirocket(low_pass(form[rows], fs, hz), kernels[band])


def _band_test(
    chosen: Chosen,
    item: tuple[float, Floats],
    *,
    section: str,
    settings: dict[str, Any],
    effort: _Effort,
) -> C2st | str:
    hz, features = item
    real = ~chosen.label
    return two_sample_test(
        chosen.pool(features),
        chosen.label,
        chosen.pool(features[real], real),
        wide_ridge_logistic,
        name=f"{section}.cutoff_{hz:g}",
        halves=effort.halves,
        within=50,
        shuffles=0,
        **settings,
    )


def _rounding(
    chosen: Chosen, settings: dict[str, Any], rng: np.random.Generator
) -> findings.Rounding:
    """Ask whether the rounding step of a record alone tells which set it is of."""
    step, label, patient = chosen.step, chosen.label, chosen.patient
    value = auc(step[~label], step[label])
    null = permuted_auc(step, label, patient, settings["permutations"], rng)
    p = min(2 * min(monte_carlo_p(null, value), monte_carlo_p(-null, -value)), 1.0)
    own = patient[~label]
    half = np.isin(own, rng.permutation(own.max() + 1)[: (own.max() + 1) // 2])
    between = permuted_auc(step[~label], half, own, settings["draws"], rng)
    n = len(np.unique(own)), len(np.unique(patient[label]))
    between = 0.5 + (between - 0.5) * rescale(*n, n[0] / 2, n[0] / 2)
    draws = bootstrap_auc(step, label, patient, settings["draws"], rng)
    return findings.Rounding(
        value,
        percentile_interval(draws),
        p,
        percentile_interval(np.clip(between, 0, 1)),
        float(np.median(step[~label])),
        float(np.median(step[label])),
        chosen.common_step,
        int((~label).sum()),
        int(label.sum()),
        *n,
    )


def _beats(
    chosen: Chosen,
    beats: tuple[NDArray[np.floating], NDArray[np.floating]],
    fs: float,
    zero: int,
    section: str,
    settings: dict[str, Any],
    effort: _Effort,
    jobs: int,
) -> findings.Beats | str:
    """Tell representative beats apart and see where in them the difference lies."""
    real = int((~chosen.label).sum())
    own = np.concatenate(
        [np.asarray(b[row]) for b, row in zip(beats, np.split(chosen.row, [real]), strict=True)]
    )
    known = np.isfinite(own).all(axis=(1, 2))
    label = chosen.label[known]
    left = [len(np.unique(chosen.patient[known & side])) for side in (~chosen.label, chosen.label)]
    if min(left) < 2 * MIN_PATIENTS:
        return (
            f"{min(left)} patients with a representative beat in the smaller set (at least "
            f"{2 * MIN_PATIENTS} needed)"
        )
    to = min(fs, LOW_HZ)
    own = resample(own[known].astype(np.float32), fs, to)
    zero = round(zero * to / fs)
    x, mean = beat_features(own, to, zero)
    pool = chosen.pool(x, known)
    alone = chosen.pool(x[~label], known & ~chosen.label)
    test = two_sample_test(
        pool,
        label,
        alone,
        wide_ridge_logistic,
        name=f"{section}.beats",
        halves=effort.halves,
        within=50,
        shuffles=effort.shuffles,
        jobs=jobs,
        **settings,
    )
    if isinstance(test, str):
        return test
    falls = occlude(
        pool,
        label,
        own.shape[1:],
        to,
        zero,
        seed=settings["seed"],
        name=f"{section}.occlusion",
        draws=settings["draws"],
        halves=effort.halves,
        jobs=jobs,
    )
    return findings.Beats(test, falls, mean, to, zero, int((~known).sum()))
