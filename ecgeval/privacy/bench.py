"""The planted-leak bench: what the audit finds when it is known what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, child_rng, map_shards, quiet, shards
from ecgeval.privacy.checks import POWER, RECALL, SIZE
from ecgeval.privacy.copies.detectors import DETECTORS, Detector, Signals
from ecgeval.privacy.copies.disguises import TRANSFORMS, promised
from ecgeval.privacy.copies.matching import pairwise
from ecgeval.privacy.copies.search import Rows
from ecgeval.privacy.evidence import Delineated, Evidence, collect, exchange_of
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
"""Copied patients with which the exchangeability test must reject in `LEAST_POWER` of the runs."""
SIDE = 1000
"""Most records of a set that the repeated tests draw from."""
PERMUTATIONS = 999
OTHER_ECG = "same patient's other ECG"


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
    estimates, rows = [], []
    for name, accept, label, found in _recalls(e):
        hits, n = int(found.sum()), len(found)
        rows.append((label, name[0], n, hits, *_share(hits, n), accept))
        estimates.append(
            Estimate(
                f"{section}.recall.{name[0].lower()}.{name[1]}",
                hits / n if n else None,
                clopper_pearson(hits, n) if n else None,
                n_real=n,
                n_synth=n,
                better="higher",
                label=f"planted copies found, {label}, {name[0]}",
                seed=seed,
                method="planted training records, right partner named; Clopper-Pearson",
            )
        )
    tables = [
        Table(
            f"{section}.recall",
            "Planted copies found",
            ("disguise", "detector", "planted", "found", "recall", "ci_low", "ci_high", "required"),
            tuple(rows),
            "By the rule of the audit: a limit that an honest set of this size passes with chance "
            ".01, "
            "and half the distance of the nearest holdout record. Required: of the union; empty: "
            "reported only.",
            section,
        )
    ]
    findings = [_recall_finding(rows, section)]
    tests: list[tuple[int, np.ndarray]] = []
    if e.holdout is not None and e.exchange is not None:
        tests = _tests(e, copies, repeats, seed, jobs, progress)
    for planted, p in tests:
        reject = int((p <= LEVEL).sum())
        estimates.append(
            Estimate(
                f"{section}.size" if not planted else f"{section}.power.{planted}",
                reject / len(p),
                clopper_pearson(reject, len(p)),
                null=LEVEL if not planted else None,
                better="near_null" if not planted else "higher",
                n_real=len(e.train),
                seed=seed,
                label="share of runs with p <= .05, "
                + (f"{plural(planted, 'patient')} copied" if planted else "nothing planted"),
                method=f"{len(p)} runs of the exchangeability test, {PERMUTATIONS} permutations "
                f"each; "
                "Clopper-Pearson",
            )
        )
    if tests:
        tables.append(
            Table(
                f"{section}.exchange",
                "Exchangeability test",
                ("patients copied", "runs", "p <= .05", "ci_low", "ci_high", "p <= .01"),
                tuple(
                    (c, len(p), *_share(int((p <= LEVEL).sum()), len(p)), float((p <= 0.01).mean()))
                    for c, p in tests
                ),
                "0: patients dealt anew to train and holdout in each run. Each run sees half of "
                "the "
                "synthetic records, drawn at random.",
                section,
            )
        )
    findings += _test_findings(dict(tests), section)
    summary = (
        f"{plural(len(e.planted_rows), 'training record')} planted under {len(TRANSFORMS)} "
        f"disguises among {plural(len(e.synth), 'synthetic record')}."
    )
    return Results(
        sections=(Section(section, "Planted-leak bench", summary),),
        estimates=tuple(estimates),
        findings=tuple(findings),
        tables=tuple(tables),
    )


def _share(hits: int, n: int) -> tuple[float | None, float | None, float | None]:
    return (hits / n, *clopper_pearson(hits, n)) if n else (None, None, None)


def _recalls(e: Evidence) -> Iterator[tuple[tuple[str, str], float | None, str, np.ndarray]]:
    """Yield (detector, disguise), share required of the union, label, and what was found."""
    asked = promised(e.synth.signals)
    for number, transform in enumerate(TRANSFORMS):
        found = {m.detector.id: m.found[number] for m in e.matches}
        found["any"] = np.logical_or.reduce(list(found.values()))
        for name, hits in found.items():
            accept = transform.accept if name == "any" and asked[number] else None
            yield (name, transform.id), accept, transform.label, hits
    other = _other_ecg(e)
    if len(next(iter(other.values()))):
        other["any"] = np.logical_or.reduce(list(other.values()))
        for name, hits in other.items():
            yield (name, "otherecg"), None, OTHER_ECG, hits


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


def similarities(
    detectors: Sequence[Detector],
    a: Mapping[str, Signals],
    b: Mapping[str, Signals],
    *,
    without: np.ndarray | None = None,
    nearest_to: str = "a",
    jobs: int = 1,
    progress: Progress = quiet,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the correlations of all pairs by each detector in float32, -1 where there is none.

    A detector that always looks at the nearest of another one does so here.

    Parameters
    ----------
    detectors : sequence of Detector
        A detector after the one that it looks to.
    a, b : mapping of Signals
        Of n and m records.
    without : ndarray of int, shape (n,), optional
        Record of `b` that each of `a` is not compared with: itself.
    nearest_to : {"a", "b"}
        Whose nearest such a detector looks at. What is asked of one side must depend on nobody
        else on it: the smaller of two sides would be compared more often, record by record.
    jobs, progress
        As in `map_shards`.

    Yields
    ------
    (str, ndarray of shape (n, m))
        Id of the detector.
    """
    screens = {d.screen for d in detectors if d.always}
    kept: dict[str, np.ndarray] = {}
    for d in detectors:
        x, y = a[d.signals], b[d.signals]
        if d.always:
            axis = 1 if nearest_to == "a" else 0
            out = _among_nearest(d, x, y, kept[d.screen], axis, jobs, progress)
        else:
            out = _all_pairs(d, x, y)
            if without is not None:
                out[np.arange(len(without)), without] = -1
        if d.id in screens:
            kept[d.id] = out
        yield d.id, out


def _all_pairs(detector: Detector, a: Signals, b: Signals) -> np.ndarray:
    rows = np.flatnonzero(a.usable)
    owner = np.flatnonzero(b.usable) if b.owner is None else b.owner
    references = b.x[owner] if b.parts is None else b.parts
    out = np.full((len(a.x), len(b.x)), -1, np.float32)
    if not len(rows) or not len(owner):
        return out
    kernel = detector.kernel(Rows(a.x, rows), references)
    for part in shards(len(rows), 256):
        close, _ = kernel.block(part)
        close = close if detector.id != "D1" else 1 + close / 2
        # The best part of each record.
        np.maximum.at(out.T, owner, _at(close, rows[part], len(a.x)))
    return out


def _among_nearest(
    detector: Detector,
    a: Signals,
    b: Signals,
    screen: np.ndarray,
    axis: int,
    jobs: int,
    progress: Progress,
) -> np.ndarray:
    """Return the correlations of rows (1) or columns (0) with their nearest by the screen."""
    out = np.full(screen.shape, -1, np.float32)
    near = np.zeros(screen.shape, bool)
    if k := min(detector.nearest, screen.shape[axis]):
        best = np.argpartition(-screen, k - 1, axis=axis).take(range(k), axis=axis)
        np.put_along_axis(near, best, True, axis=axis)
    near &= screen > -1
    near &= a.usable[:, None] & b.usable
    i, j = np.nonzero(near)
    out[i, j] = pairwise(
        detector, a, b, i * len(b.x) + j, jobs=jobs, stage="planted-leak bench", progress=progress
    )
    return out


def _at(close: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Return similarities by reference, at the rows of all queries, -1 elsewhere."""
    out = np.full((close.shape[1], n), -1, np.float32)
    out[:, rows] = close.T
    return out


def _tests(
    e: Evidence, copies: tuple[int, ...], repeats: int, seed: int, jobs: int, progress: Progress
) -> list[tuple[int, np.ndarray]]:
    """Return p-values of the exchangeability test, by number of patients copied; 0 first."""
    assert e.holdout is not None
    rng = child_rng(seed, "bench", "records")
    rows = [np.sort(rng.permutation(len(s))[:SIDE]) for s in (e.holdout, e.synth)]
    rest = np.setdiff1d(np.arange(len(e.train)), e.planted_rows)
    more = rng.permutation(rest)[: max(SIDE - len(e.planted_rows), 0)]
    train = e.train.only(np.sort(np.concatenate([e.planted_rows, more])))
    holdout, synth = (side.only(r) for side, r in zip((e.holdout, e.synth), rows, strict=True))
    real = [train, holdout]
    detectors = [d for d in DETECTORS if d.id in {m.detector.id for m in e.matches}]
    person = np.concatenate([side.person for side in real])

    def all_to_real(signals: Mapping[str, Signals], nearest_to: str) -> np.ndarray:
        each = [
            np.stack(
                [
                    x
                    for _, x in similarities(
                        detectors,
                        signals,
                        side.signals,
                        nearest_to=nearest_to,
                        jobs=jobs,
                        progress=progress,
                    )
                ]
            )
            for side in real
        ]
        return np.concatenate(each, axis=2)

    planted = all_to_real(e.planted, "a")  # a real one's nearest would be all its own copies
    bench = _Bench(
        all_to_real(synth.signals, "b"),
        planted.reshape(len(detectors), len(TRANSFORMS), -1, len(person)),
        person,
        np.isin(person, train.person),
        tuple(d.id for d in detectors),
        e.train.person[e.planted_rows],
        np.flatnonzero(promised(e.synth.signals)),
    )
    # One record a patient is copied: patients planted twice would count twice.
    few = len(np.unique(e.train.person[e.planted_rows]))
    counts = [0, *(c for c in copies if 0 < c <= few)]
    runs = [(c, run) for c in counts for run in range(repeats if not c else max(repeats // 5, 20))]
    p = map_shards(
        partial(_p_value, bench=bench, seed=seed),
        runs,
        jobs=jobs,
        stage="planted-leak bench",
        progress=progress,
    )
    return [(c, np.array([x for x, (n, _) in zip(p, runs, strict=True) if n == c])) for c in counts]


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


def _recall_finding(rows: list[tuple], section: str) -> Finding:
    asked = [(row[0], row[3], row[2], row[7]) for row in rows if row[7] is not None]
    rule = (
        "shares required of the union of detectors: PASS if every one is reached, else "
        "INCONCLUSIVE, for a weak search fails no release"
    )
    if not asked or not asked[0][2]:
        return RECALL.finding(
            Verdict.NOT_ASSESSABLE,
            "no training record could be planted",
            "",
            rule=rule,
            section=section,
        )
    missed = [x for x in asked if x[1] / x[2] < x[3]]
    named = ", ".join(f"{label} {hits}/{n} (of {share:.0%})" for label, hits, n, share in missed)
    verdict = Verdict.INCONCLUSIVE if missed else Verdict.PASS
    return RECALL.finding(
        verdict,
        f"too few planted copies found: {named}"
        if missed
        else f"planted copies of all {len(asked)} required kinds found as often as required",
        f"{plural(asked[0][2], 'training record')} planted under each disguise.",
        estimates=tuple(f"{section}.recall.any.{t.id}" for t in TRANSFORMS if t.accept is not None),
        rule=rule,
        section=section,
    )


def _test_findings(p: dict[int, np.ndarray], section: str) -> Iterator[Finding]:
    size_rule = (
        f"runs with nothing planted and p <= {LEVEL:g}: PASS if no more than a test of that size "
        f"has in {CHANCE:.1%} of such numbers of runs; else FAIL"
    )
    power_rule = (
        f"runs with {POWER_COPIES} patients copied and p <= {LEVEL:g}: PASS if at least "
        f"{LEAST_POWER:.0%}, else INCONCLUSIVE, for a weak test fails no release"
    )
    if 0 not in p:
        for check, rule in ((SIZE, size_rule), (POWER, power_rule)):
            yield check.finding(
                Verdict.NOT_ASSESSABLE,
                "the exchangeability test needs a holdout drawn like the training set",
                rule=rule,
                section=section,
            )
        return
    from scipy.stats import binom

    share = float((p[0] <= LEVEL).mean())
    most = binom.ppf(CHANCE, len(p[0]), LEVEL) / len(p[0])
    yield SIZE.finding(
        Verdict.PASS if share <= most else Verdict.FAIL,
        f"with nothing planted {share:.1%} of {len(p[0])} runs reject at {LEVEL:.0%}",
        "",
        estimates=(f"{section}.size",),
        rule=size_rule,
        section=section,
    )
    shares = ", ".join(f"{c}: {(x <= LEVEL).mean():.0%}" for c, x in p.items() if c)
    if POWER_COPIES not in p:
        verdict, title = Verdict.NOT_ASSESSABLE, f"fewer than {POWER_COPIES} patients to copy"
    else:
        hits, n = int((p[POWER_COPIES] <= LEVEL).sum()), len(p[POWER_COPIES])
        verdict = Verdict.PASS if hits >= LEAST_POWER * n else Verdict.INCONCLUSIVE
        title = f"with {POWER_COPIES} patients copied {hits / n:.0%} of {n} runs reject"
    yield POWER.finding(
        verdict,
        title,
        f"Runs that reject, by patients copied: {shares}.",
        estimates=tuple(f"{section}.power.{c}" for c in p if c),
        rule=power_rule,
        section=section,
    )
