"""Can a classifier tell real from synthetic waveforms? At which frequencies, when, which lead?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ecgeval.comparison.classifier.bands import band_features
from ecgeval.comparison.classifier.beats import Beats, compare_beats
from ecgeval.comparison.classifier.checks import CLASSIFIERS, SLUG, STATISTICS
from ecgeval.comparison.classifier.figures import figures
from ecgeval.comparison.classifier.findings import findings, not_compared
from ecgeval.comparison.classifier.forms import Records, choose
from ecgeval.comparison.classifier.occlusion import WAVES, Falls
from ecgeval.comparison.classifier.rounding import Rounding, compare_rounding
from ecgeval.comparison.pair import Pair
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.parallel import child_rng, map_shards, one_thread
from ecgeval.results import Estimate, Results, Section
from ecgeval.stats.arrays import Floats
from ecgeval.stats.two_sample import C2st

__all__ = ["compare"]

TITLE = "Can a classifier tell the waveforms apart?"
REFITS = 199
"""Permutations with both halves fitted anew, where asked for."""


class _Effort(NamedTuple):
    """How much work."""

    kernels: int  # of a sum of leads
    records: int  # of a set
    cutoffs: tuple[float, ...]  # Hz, without the whole band
    halves: int
    shuffles: int
    permutations: int
    draws: int


_FULL = _Effort(20, 1500, (5.0, 10.0, 15.0, 25.0, 40.0), 10, 10, 9999, 1000)
_QUICK = _Effort(6, 500, (10.0, 25.0), 5, 4, 1999, 300)


def compare(pair: Pair) -> Results:
    """Let classifiers tell the sets apart by their waveforms, and ask what they see.

    Both sets are rounded to the coarser of their grids, brought to about 100 Hz and each lead's
    median taken off. As many patients of either are drawn, of at most 1500 records a set (500 in
    a quick run). Patients, and records that correlate above 0.999, stay on one side of a split.

    Parameters
    ----------
    pair : Pair
        Of it: `Side.ecgs` and `Side.beats` (nothing is compared without them), `beats_fs`,
        `beats_zero`, and `refit`: p of the random convolutions by 199 permutations of all labels
        with both halves fitted anew, instead of permuting held-out labels of a fixed classifier.
        A quick run has fewer records, convolutions, cut-offs and draws, and no residual network.

    Returns
    -------
    Results
        One section; it counts only where C2ST-LEAK found copies, for classifiers describe.
        Estimates: ``classifier.minirocket.c2st_auc``, ``.resnet.c2st_auc`` and
        ``.beats.c2st_auc`` with their ``c2st_shuffled``; ``classifier.cutoff_{hz}hz.c2st_auc``;
        ``classifier.rounding.rounding_auc``; ``classifier.{lead}_{wave}.occlusion_fall``. Findings
        C2ST-WAVE, C2ST-CUTOFF, C2ST-LOOK, and where they apply C2ST-ROUND and C2ST-LEAK.

    Raises
    ------
    UsageError
        If records, beats and patients do not match, or the sets have different shapes.

    References
    ----------
    Lopez-Paz and Oquab 2017, ICLR, arXiv:1610.06545; Dempster, Schmidt and Webb 2021, KDD,
    doi:10.1145/3447548.3467231; Kim, Ramdas, Singh and Wasserman 2021, Ann Stat 49:411,
    doi:10.1214/20-AOS1962
    """
    real, synth = pair.real, pair.synth
    if real.ecgs is None or synth.ecgs is None or real.beats is None or synth.beats is None:
        return Results()
    _check(pair, real.ecgs, synth.ecgs)
    effort = _QUICK if pair.quick else _FULL
    progress = partial(pair.progress, "classifiers on waveforms")
    progress(0, 4)
    with one_thread():
        records = choose(
            (real.ecgs.signals, synth.ecgs.signals),
            real.ecgs.fs,
            [np.unique(side.ids.astype(str), return_inverse=True)[1] for side in (real, synth)],
            effort.records,
            child_rng(pair.seed, SLUG, "records"),
        )
    if isinstance(records, str):
        return _not_compared(records, pair.seed)
    rng = child_rng(pair.seed, SLUG, "kernels")
    features = band_features(records, effort.cutoffs, effort.kernels, rng, pair.jobs)
    progress(1, 4)
    settings: dict[str, Any] = {
        "seed": pair.seed,
        "permutations": effort.permutations,
        "draws": effort.draws,
        "halves": effort.halves,
    }
    lower = map_shards(
        partial(_cutoff_test, records, shuffles=0, **settings), features[:-1], jobs=pair.jobs
    )
    settings |= {"shuffles": effort.shuffles, "jobs": pair.jobs}
    whole_band = settings | {"halves": 2 * effort.halves, "refits": REFITS if pair.refit else 0}
    tests = {"minirocket": records.test(features[-1][1], "minirocket", **whole_band)}
    cutoffs = dict(zip((hz for hz, _ in features), [*lower, tests["minirocket"]], strict=True))
    progress(2, 4)
    if not pair.quick:
        tests["resnet"] = _network_test(records, pair, settings)
    progress(3, 4)
    rounding = compare_rounding(
        records.step,
        records.label,
        records.patient,
        effort.permutations,
        effort.draws,
        child_rng(pair.seed, SLUG, "rounding"),
    )
    found = compare_beats(
        records, (real.beats, synth.beats), pair.beats_fs, pair.beats_zero, **settings
    )
    tests["beats"] = found.test if isinstance(found, Beats) else found
    progress(4, 4)
    leads = real.ecgs.leads
    concluded = findings(tests, cutoffs, found, rounding, records, leads)
    counts = any(finding.gate for finding in concluded)
    return Results(
        sections=(Section(SLUG, TITLE, _summary(records, pair.quick), gate=counts),),
        estimates=tuple(_estimates(pair, tests, cutoffs, rounding, found, leads)),
        findings=tuple(concluded),
        figures=tuple(figures(tests, cutoffs, found, leads)),
    )


def _check(pair: Pair, real: EcgSet, synth: EcgSet) -> None:
    for side, ecgs, which in ((pair.real, real, "real"), (pair.synth, synth, "synthetic")):
        n, ids, beats = len(ecgs), len(side.ids), len(side.beats if side.beats is not None else ())
        if not n == ids == beats:
            raise UsageError(
                f"{n} {which} records, {ids} patient ids and {beats} beats; expected one of each a "
                "record"
            )
    shapes = [ecgs.signals.shape[1:] for ecgs in (real, synth)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            f"real records have shape {shapes[0]} and synthetic ones {shapes[1]} "
            "(leads, samples); expected the same, as `ecgeval.preprocess.harmonise` returns them"
        )


def _cutoff_test(records: Records, band: tuple[float, Floats], **settings: Any) -> C2st | str:
    hz, features = band
    return records.test(features, f"cutoff_{hz:g}", **settings)


def _network_test(records: Records, pair: Pair, settings: dict[str, Any]) -> C2st | str:
    from ecgeval.comparison.classifier.resnet import resnet

    settings = settings | {"halves": 2, "shuffles": 2, "within": 300}
    if pair.device != "cpu":
        settings["jobs"] = 1
    fit = partial(resnet, seed=pair.seed, device=pair.device)
    return records.test(records.low, "resnet", fit=fit, **settings)


def _summary(records: Records, quick: bool) -> str:
    n_real, n_synth = int((~records.label).sum()), int(records.label.sum())
    fine = f" and, for texture, at {records.fine_fs:g} Hz" if records.fine is not None else ""
    text = (
        f"{n_real:,} real and {n_synth:,} synthetic records at {records.fs:g} Hz{fine}; "
        "classifiers learn from half of the patients and are tested on the other half. "
        f"{records.notes}"
    )
    return text + ("Quick run: no residual network, fewer convolutions." if quick else "")


def _not_compared(why: str, seed: int) -> Results:
    """Return the section of sets that cannot be compared."""
    estimate = _estimate(
        "minirocket.c2st_auc",
        None,
        seed,
        label="classifier on waveforms: AUC",
        method=f"not computed: {why}",
    )
    return Results(
        sections=(Section(SLUG, TITLE, f"Not compared: {why}.", gate=False),),
        estimates=(estimate,),
        findings=tuple(not_compared(why, estimate.id)),
    )


def _estimate(
    id: str,
    value: float | None,
    seed: int,
    sizes: C2st | Rounding | Falls | None = None,
    **rest: Any,
) -> Estimate:
    """Return an estimate with what its statistic declares, and the sizes of what it comes from."""
    about = STATISTICS[id.rpartition(".")[2]]
    if sizes is not None:
        names = ("n_real", "n_synth", "patients_real", "patients_synth")
        rest |= {name: getattr(sizes, name) for name in names}
    return Estimate(
        f"{SLUG}.{id}",
        value,
        unit=about.unit or "",
        better=about.better,
        null=about.null,
        seed=seed,
        **rest,
    )


def _estimates(
    pair: Pair,
    tests: Mapping[str, C2st | str],
    cutoffs: Mapping[float, C2st | str],
    rounding: Rounding,
    beats: Beats | str,
    leads: tuple[str, ...],
) -> list[Estimate]:
    out = []
    for name, test in tests.items():
        label = f"classifier on waveforms ({CLASSIFIERS[name]}): AUC"
        out.append(_auc(name, test, label, pair.seed, pair.refit and name == "minirocket"))
        if isinstance(test, C2st):
            out.append(
                _estimate(
                    f"{name}.c2st_shuffled",
                    test.shuffled,
                    pair.seed,
                    test,
                    label=f"{label} with shuffled labels",
                    method="mean over shuffles; checks the procedure, not the data",
                )
            )
    for hz in list(cutoffs)[:-1]:
        label = f"classifier on waveforms below {hz:g} Hz: AUC"
        out.append(_auc(f"cutoff_{hz:g}hz", cutoffs[hz], label, pair.seed))
    out.append(
        _estimate(
            "rounding.rounding_auc",
            rounding.auc,
            pair.seed,
            rounding,
            ci=rounding.ci,
            p=rounding.p,
            floor=rounding.floor,
            label="rounding step of a record alone: AUC",
            method="AUC of the step itself, nothing fitted; p permutations of patients, two-sided",
        )
    )
    return out + (_falls(beats.falls, leads, pair.seed) if isinstance(beats, Beats) else [])


def _auc(name: str, test: C2st | str, label: str, seed: int, refit: bool = False) -> Estimate:
    id = f"{name}.c2st_auc"
    if isinstance(test, str):
        return _estimate(id, None, seed, label=label, method=f"not computed: {test}")
    how = "permutations of held-out patients' labels"
    if refit:
        how = "permutations of all labels, both halves fitted anew"
    return _estimate(
        id,
        test.auc,
        seed,
        test,
        ci=test.ci,
        p=test.p,
        floor=test.floor,
        label=label,
        method="held-out half of the patients; CI bootstrap of held-out patients, the "
        f"classifier given; p {round(1 / test.p_least) - 1:,} {how}, one-sided (AUC > 0.5)",
    )


def _falls(falls: Falls, leads: tuple[str, ...], seed: int) -> list[Estimate]:
    return [
        _estimate(
            f"{lead}_{wave}.occlusion_fall",
            float(falls.wave[i, k]),
            seed,
            falls,
            ci=tuple(map(float, falls.ci[i, k])),
            floor=tuple(map(float, falls.floor[i, k])),
            label=f"what the classifier of beats loses without {lead} {words}",
            method="difference of mean log-odds of held-out beats; CI bootstrap of patients, "
            "the classifiers given",
        )
        for i, lead in enumerate(leads)
        for k, (wave, words, *_) in enumerate(WAVES)
    ]
