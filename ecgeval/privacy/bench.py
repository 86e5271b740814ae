"""The planted-leak bench: what the audit finds when it is known what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, child_rng, map_shards, quiet
from ecgeval.privacy.checks import POWER, RECALL, SIZE
from ecgeval.privacy.copies.detectors import DETECTORS
from ecgeval.privacy.copies.disguises import TRANSFORMS, promised
from ecgeval.privacy.copies.pairs import similarities
from ecgeval.privacy.copies.signals import Signals
from ecgeval.privacy.estimates import recall_estimate
from ecgeval.privacy.evidence import Evidence, collect, exchange_of
from ecgeval.privacy.planting import Delineated
from ecgeval.results import Estimate, Finding, Results, Section, Table, Verdict
from ecgeval.stats.intervals import clopper_pearson
from ecgeval.wording import plural

__all__ = ["run_bench"]

PLANTED = 200
"""Most training records planted under each disguise."""
LEVEL = 0.05
CHANCE = 0.977
"""Chance with which a test of size `LEVEL` keeps to the number of rejections that passes."""
LEAST_POWER = 0.9
POWER_COPIES = 20
"""With so many copied patients the exchangeability test must reject in `LEAST_POWER` of runs."""
SIDE = 1000
"""Most records of a set that the repeated tests draw from."""
PERMUTATIONS = 999
OTHER_ECG, OTHER_ECG_ID = "same patient's other ECG", "otherecg"


class _Bench(NamedTuple):
    """Similarity of synthetic and planted records to real ones, and who is who.

    Attributes
    ----------
    synth : ndarray, shape (detectors, synthetic, real)
    planted : ndarray, shape (detectors, transforms, planted, real)
    person : ndarray of int, shape (real,)
    in_train : ndarray of bool, shape (real,)
    names : tuple of str
    source : ndarray of int, shape (planted,)
        Person of each planted record.
    kinds : ndarray of int
        Transforms that must be found.
    """

    synth: np.ndarray
    planted: np.ndarray
    person: np.ndarray
    in_train: np.ndarray
    names: tuple[str, ...]
    source: np.ndarray
    kinds: np.ndarray


def run_bench(
    train: EcgSet,
    holdout: EcgSet,
    synth: EcgSet,
    *,
    beats: Mapping[str, np.ndarray] | None = None,
    beats_fs: float | None = None,
    delineated: Delineated | None = None,
    copies: tuple[int, ...] = (1, 5, 20, 100),
    repeats: int = 500,
    seed: int = 0,
    jobs: int = 1,
    device: str = "cpu",
    section: str = "bench",
    assume_independent: bool = False,
    progress: Progress = quiet,
) -> Results:
    """Plant copies on purpose and count what the audit finds, and what it finds without them.

    Parameters
    ----------
    train, holdout, synth : EcgSet
        As in `audit_sets`; `synth` should hold no copies of its own.
    beats, beats_fs, delineated
        As in `audit_sets`.
    copies : tuple of int
        Numbers of patients copied in the power runs, one record each, every one under a disguise
        drawn from those that must be found; numbers above the records planted are left out.
    repeats : int
        Runs with nothing planted, each with patients dealt anew to train and holdout and half of
        the synthetic records; a fifth as many, at least 20, for each number of copies.
    seed, jobs, device, assume_independent, progress
        As in `audit_sets`.
    section : str
        Slug of the section, and first part of every id.

    Returns
    -------
    Results
        One section: recall of each disguise by each detector, size and power of the
        exchangeability test.

    Raises
    ------
    UsageError
        If a real record has no patient id and `assume_independent` is not set.
    DataError
        If the sets cannot be compared.
    """
    e = collect(
        train,
        holdout,
        synth,
        beats=beats,
        beats_fs=beats_fs,
        seed=seed,
        jobs=jobs,
        device=device,
        permutations=PERMUTATIONS,
        assume_independent=assume_independent,
        id_key="bench",
        progress=progress,
        planted_records=PLANTED,
        delineated=delineated,
    )
    recalls = list(_recalls(e))
    tests: dict[int, np.ndarray] = {}
    if e.exchange is not None:
        tests = _tests(e, copies, repeats, seed, jobs, progress)
    summary = (
        f"{plural(len(e.planted_rows), 'training record')} planted under {len(TRANSFORMS)} "
        f"disguises among {plural(len(e.synth), 'synthetic record')}."
    )
    return Results(
        sections=(Section(section, "Planted-leak bench", summary),),
        estimates=(
            *(
                recall_estimate(section, r.detector, r.disguise, r.label, r.found, seed)
                for r in recalls
            ),
            *(_test_estimate(section, c, p, len(e.train), seed) for c, p in tests.items()),
        ),
        findings=(_recall_finding(recalls, section), *_test_findings(tests, section)),
        tables=(_recall_table(recalls, section), *_test_table(tests, section)),
    )


class _Recall(NamedTuple):
    """Which copies of one disguise a detector found, or ``any``, and the share required of it."""

    detector: str
    disguise: str
    label: str
    found: np.ndarray
    required: float | None = None


def _recalls(e: Evidence) -> Iterator[_Recall]:
    """Yield what was found of each disguise, by each detector and by any."""
    asked = promised(e.synth.signals)
    for number, t in enumerate(TRANSFORMS):
        by_detector = {m.detector.id: m.found[number] for m in e.matches}
        for name, found in _and_any(by_detector).items():
            required = t.accept if name == "any" and asked[number] else None
            yield _Recall(name, t.id, t.label, found, required)
    other = _and_any(_other_ecg(e))
    if len(other["any"]):
        for name, found in other.items():
            yield _Recall(name, OTHER_ECG_ID, OTHER_ECG, found)


def _and_any(by_detector: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**by_detector, "any": np.logical_or.reduce(list(by_detector.values()))}


def _other_ecg(e: Evidence) -> dict[str, np.ndarray]:
    """Return which training records lead to another record of the same patient by the rule."""
    count = np.bincount(e.train.person)[e.train.person]
    usable = np.logical_and.reduce([s.usable for s in e.train.signals.values()])
    rows = np.flatnonzero((count > 1) & usable)[:PLANTED]
    queries, detectors = e.train.only(rows).signals, [m.detector for m in e.matches]
    to_train = dict(similarities(detectors, queries, e.train.signals, without=rows))
    to_other = {d.id: np.zeros((len(rows), 0)) for d in detectors}
    if e.holdout is not None:
        to_other = dict(similarities(detectors, queries, e.holdout.signals))
    out = {}
    for m in e.matches:
        train, other = to_train[m.detector.id], to_other[m.detector.id].max(axis=1, initial=-1)
        same = e.train.person[train.argmax(axis=1)] == e.train.person[rows]
        out[m.detector.id] = m.rule(train.max(axis=1, initial=-1), other) & same
    return out


def _tests(
    e: Evidence, copies: tuple[int, ...], repeats: int, seed: int, jobs: int, progress: Progress
) -> dict[int, np.ndarray]:
    """Return p-values of the exchangeability test, by number of patients copied; 0 first."""
    bench = _compared(e, seed, jobs, progress)
    # One record a patient is copied: patients planted twice would count twice.
    few = len(np.unique(bench.source))
    counts = [0, *(c for c in copies if 0 < c <= few)]
    runs = [(c, run) for c in counts for run in range(repeats if not c else max(repeats // 5, 20))]
    p = map_shards(
        partial(_p_value, bench=bench, seed=seed),
        runs,
        jobs=jobs,
        stage="planted-leak bench",
        progress=progress,
    )
    return {c: np.array([x for x, (n, _) in zip(p, runs, strict=True) if n == c]) for c in counts}


def _compared(e: Evidence, seed: int, jobs: int, progress: Progress) -> _Bench:
    """Return the similarities that every run draws from."""
    assert e.holdout is not None
    rng = child_rng(seed, "bench", "records")
    rows = [np.sort(rng.permutation(len(s))[:SIDE]) for s in (e.holdout, e.synth)]
    rest = np.setdiff1d(np.arange(len(e.train)), e.planted_rows)
    more = rng.permutation(rest)[: max(SIDE - len(e.planted_rows), 0)]
    train = e.train.only(np.sort(np.concatenate([e.planted_rows, more])))
    holdout, synth = (side.only(r) for side, r in zip((e.holdout, e.synth), rows, strict=True))
    person = np.concatenate([train.person, holdout.person])
    ran = {m.detector.id for m in e.matches}
    detectors = [d for d in DETECTORS if d.id in ran]

    def to_real(signals: Mapping[str, Signals], nearest_to: str) -> np.ndarray:
        each = []
        for side in (train, holdout):
            found = similarities(
                detectors,
                signals,
                side.signals,
                nearest_to=nearest_to,
                jobs=jobs,
                progress=progress,
            )
            each.append(np.stack([similarity for _, similarity in found]))
        return np.concatenate(each, axis=2)

    planted = to_real(e.planted, "a")  # a real one's nearest would be all its own copies
    return _Bench(
        to_real(synth.signals, "b"),
        planted.reshape(len(detectors), len(TRANSFORMS), -1, len(person)),
        person,
        np.isin(person, train.person),
        tuple(d.id for d in detectors),
        e.train.person[e.planted_rows],
        np.flatnonzero(promised(e.synth.signals)),
    )


def _p_value(which: tuple[int, int], *, bench: _Bench, seed: int) -> float:
    """Return the p-value of one run: so many patients copied, among half of the synthetic set."""
    copies, run = which
    rng = child_rng(seed, "bench", copies, run)
    half = rng.permutation(bench.synth.shape[1])[: max(bench.synth.shape[1] // 2, 1)]
    real, in_train = bench.synth[:, half].max(axis=1), bench.in_train
    if copies:
        rows = rng.permutation(len(bench.source))
        rows = rows[np.sort(np.unique(bench.source[rows], return_index=True)[1])][:copies]
        kinds = rng.choice(bench.kinds, len(rows))
        real = np.maximum(real, bench.planted[:, kinds, rows].max(axis=1))
    else:
        people = rng.permutation(np.unique(bench.person))
        in_train = np.isin(bench.person, people[: len(np.unique(bench.person[in_train]))])
    similarity = np.where(real > -1, real, np.nan).T.astype(float)
    tested = exchange_of(bench.person, in_train, similarity, bench.names, rng, PERMUTATIONS)
    return 1.0 if tested is None else tested[0].p


def _share(hits: int, n: int) -> tuple[float | None, float | None, float | None]:
    """Return a share and its interval."""
    return (hits / n, *clopper_pearson(hits, n)) if n else (None, None, None)


def _recall_table(recalls: list[_Recall], section: str) -> Table:
    def row(r: _Recall) -> tuple[object, ...]:
        hits, n = int(r.found.sum()), len(r.found)
        return (r.label, r.detector, n, hits, *_share(hits, n), r.required)

    return Table(
        f"{section}.recall",
        "Planted copies found",
        ("disguise", "detector", "planted", "found", "recall", "ci_low", "ci_high", "required"),
        tuple(map(row, recalls)),
        "By the rule of the audit: a limit that an honest set of this size passes with chance "
        ".01, and half the distance of the nearest holdout record. Required: of the union; empty: "
        "reported only.",
        section,
    )


def _recall_finding(recalls: list[_Recall], section: str) -> Finding:
    asked = [r for r in recalls if r.required is not None]
    finding = partial(
        RECALL.finding,
        rule="shares required of the union of detectors: PASS if every one is reached, else "
        "INCONCLUSIVE, for a weak search fails no release",
        section=section,
    )
    if not asked or not len(asked[0].found):
        return finding(Verdict.NOT_ASSESSABLE, "no training record could be planted")
    missed = [r for r in asked if r.found.mean() < r.required]
    named = ", ".join(
        f"{r.label} {int(r.found.sum())}/{len(r.found)} (of {r.required:.0%})" for r in missed
    )
    return finding(
        Verdict.INCONCLUSIVE if missed else Verdict.PASS,
        f"too few planted copies found: {named}"
        if missed
        else f"planted copies of all {len(asked)} required kinds found as often as required",
        f"{plural(len(asked[0].found), 'training record')} planted under each disguise.",
        estimates=(f"{section}.recall.any.{t.id}" for t in TRANSFORMS if t.accept is not None),
    )


def _test_estimate(section: str, copied: int, p: np.ndarray, n_real: int, seed: int) -> Estimate:
    """Return the share of runs that reject, with so many patients copied."""
    reject = int((p <= LEVEL).sum())
    return Estimate(
        f"{section}.power.{copied}" if copied else f"{section}.size",
        reject / len(p),
        clopper_pearson(reject, len(p)),
        null=None if copied else LEVEL,
        better="higher" if copied else "near_null",
        n_real=n_real,
        seed=seed,
        label="share of runs with p <= .05, "
        + (f"{plural(copied, 'patient')} copied" if copied else "nothing planted"),
        method=f"{len(p)} runs of the exchangeability test, {PERMUTATIONS} permutations each; "
        "Clopper-Pearson",
    )


def _test_table(tests: dict[int, np.ndarray], section: str) -> Iterator[Table]:
    if tests:
        yield Table(
            f"{section}.exchange",
            "Exchangeability test",
            ("patients copied", "runs", "p <= .05", "ci_low", "ci_high", "p <= .01"),
            tuple(
                (c, len(p), *_share(int((p <= LEVEL).sum()), len(p)), float((p <= 0.01).mean()))
                for c, p in tests.items()
            ),
            "0: patients dealt anew to train and holdout in each run. Each run sees half of the "
            "synthetic records, drawn at random.",
            section,
        )


def _test_findings(p: dict[int, np.ndarray], section: str) -> Iterator[Finding]:
    size = partial(
        SIZE.finding,
        rule=f"runs with nothing planted and p <= {LEVEL:g}: PASS if no more than a test of that "
        f"size has in {CHANCE:.1%} of such numbers of runs; else FAIL",
        section=section,
    )
    power = partial(
        POWER.finding,
        rule=f"runs with {POWER_COPIES} patients copied and p <= {LEVEL:g}: PASS if at least "
        f"{LEAST_POWER:.0%}, else INCONCLUSIVE, for a weak test fails no release",
        section=section,
    )
    if 0 not in p:
        for finding in (size, power):
            yield finding(
                Verdict.NOT_ASSESSABLE,
                "the exchangeability test needs a holdout drawn like the training set",
            )
        return
    from scipy.stats import binom

    share = float((p[0] <= LEVEL).mean())
    most = binom.ppf(CHANCE, len(p[0]), LEVEL) / len(p[0])
    yield size(
        Verdict.PASS if share <= most else Verdict.FAIL,
        f"with nothing planted {share:.1%} of {len(p[0])} runs reject at {LEVEL:.0%}",
        estimates=(f"{section}.size",),
    )
    if POWER_COPIES not in p:
        verdict, title = Verdict.NOT_ASSESSABLE, f"fewer than {POWER_COPIES} patients to copy"
    else:
        hits, n = int((p[POWER_COPIES] <= LEVEL).sum()), len(p[POWER_COPIES])
        verdict = Verdict.PASS if hits >= LEAST_POWER * n else Verdict.INCONCLUSIVE
        title = f"with {POWER_COPIES} patients copied {hits / n:.0%} of {n} runs reject"
    shares = ", ".join(f"{c}: {(x <= LEVEL).mean():.0%}" for c, x in p.items() if c)
    yield power(
        verdict,
        title,
        f"Runs that reject, by patients copied: {shares}.",
        estimates=(f"{section}.power.{c}" for c in p if c),
    )
