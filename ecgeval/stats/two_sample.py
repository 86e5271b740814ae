"""Classifier two-sample test: can a classifier tell synthetic from real records?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ecgeval.parallel import child_rng, map_shards
from ecgeval.stats.arrays import Floats
from ecgeval.stats.classifiers import Fit, Score
from ecgeval.stats.effects import auc
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import level_counts, monte_carlo_p, resample_weights, subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Sample, rescale

__all__ = [
    "C2st",
    "Pool",
    "bootstrap_auc",
    "classifier_test",
    "duplicate_groups",
    "joined_groups",
    "measure_features",
    "off_centre",
    "permuted_auc",
    "split_groups",
    "two_sample_test",
]


MAX_PATIENTS = 2000


ROC_POINTS = 201


@dataclass(frozen=True)
class Pool:
    """Records to be told apart.

    Parameters
    ----------
    x : ndarray, shape (n, ...)
        What the classifier sees of each.
    patient : ndarray of int, shape (n,)
        Codes from 0.
    group : ndarray of int, shape (n,)
        Patients, joined where they share a record: what a split never divides.
    """

    x: Floats
    patient: NDArray[np.intp]
    group: NDArray[np.intp]


@dataclass(frozen=True)
class C2st:
    """Result of one classifier.

    Parameters
    ----------
    auc : float
        On the held-out half; 0.5 where the sets are alike.
    ci : (float, float)
        Over patients of the held-out half, the fitted classifier given.
    p, p_below : float
        Permutations of the held-out patients' labels: AUC this high, AUC this low.
    floor : (float, float)
        Central 95 % of real against real, rescaled to the sizes here.
    shuffled : float
        Mean AUC after shuffling all labels: a check of the procedure, to lie near 0.5; None where
        it was not made.
    n_real, n_synth, patients_real, patients_synth : int
        Held-out records and patients.
    importance : ndarray, shape (measures,)
        Fall of the AUC when a measure is permuted among held-out records.
    fpr, tpr : ndarray
        The ROC curve.
    p_least : float
        The smallest p that the permutations can give.
    """

    auc: float
    ci: tuple[float, float]
    p: float
    p_below: float
    floor: tuple[float, float]
    shuffled: float | None
    n_real: int
    n_synth: int
    patients_real: int
    patients_synth: int
    importance: Floats
    fpr: Floats
    tpr: Floats
    p_least: float


def duplicate_groups(values: Floats, patient: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return one group a record: patients, joined where they share an identical record.

    A copy on the other side of a split teaches the classifier the wrong answer for its twin.
    """
    return joined_groups(
        patient, np.unique(_rounded(values), axis=0, return_inverse=True)[1].ravel()
    )


def joined_groups(patient: NDArray[np.intp], twin: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return one group a record: patients, joined where records of theirs have the same `twin`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = int(patient.max()) + 1
    links = (np.ones(len(patient)), (patient, n + twin))
    size = n + int(twin.max()) + 1
    return connected_components(coo_array(links, shape=(size, size)), directed=False)[1][patient]


def _rounded(values: Floats) -> NDArray[np.float32]:
    """Return values such that what differs by rounding only is equal, and NaN equals NaN."""
    return np.where(np.isnan(values), -9e9, values).astype(np.float32) + np.float32(0)


def split_groups(
    group: NDArray[np.intp], label: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which records to train on: half of the groups of either label, groups never split."""
    names, code = np.unique(group, return_inverse=True)
    share = np.bincount(code, label) / np.bincount(code)
    shuffled = rng.permutation(len(names))
    by_kind = shuffled[np.argsort(np.ceil(share[shuffled]), kind="stable")]
    train = np.zeros(len(names), bool)
    train[by_kind[rng.integers(2) :: 2]] = True
    return train[code]


def classifier_test(
    real: Sample,
    synth: Sample,
    circular: Sequence[bool],
    fit: Fit,
    *,
    seed: int,
    name: str = "c2st",
    permutations: int = 9999,
    draws: int = 1000,
    halves: int = 40,
    shuffles: int = 10,
    jobs: int = 1,
) -> C2st | str:
    """Tell two sets apart by their measures; see `two_sample_test`.

    As many patients of either set are used (at most `MAX_PATIENTS`).

    Parameters
    ----------
    real, synth : Sample
    circular : sequence of bool
        Which columns are angles: they enter as cosine and sine.
    fit : callable
        One of `FITS`.
    seed, name, permutations, draws, halves, shuffles, jobs
        As in `two_sample_test`.

    Returns
    -------
    C2st, or str
        The reason where there are too few patients.
    """
    rng = child_rng(seed, name, "patients")
    n = min(real.n_patients, synth.n_patients, MAX_PATIENTS)
    if n < 2 * MIN_PATIENTS:
        return f"{n} patients in the smaller set (at least {2 * MIN_PATIENTS} needed)"
    parts = [_some_patients(sample, n, rng) for sample in (real, synth)]
    x, owner = measure_features(np.concatenate([part.values for part in parts]), circular)
    patient = np.concatenate([parts[0].patient, n + parts[1].patient])
    label = np.arange(len(x)) >= len(parts[0].values)
    alone = _some_patients(real, 2 * min(real.n_patients // 2, MAX_PATIENTS), rng)
    alone_x, _ = measure_features(alone.values, circular)
    return two_sample_test(
        Pool(x, patient, duplicate_groups(x, patient)),
        label,
        Pool(alone_x, alone.patient, duplicate_groups(alone_x, alone.patient)),
        fit,
        owner=owner,
        seed=seed,
        name=name,
        permutations=permutations,
        draws=draws,
        halves=halves,
        shuffles=shuffles,
        jobs=jobs,
    )


def two_sample_test(
    pool: Pool,
    label: NDArray[np.bool_],
    alone: Pool,
    fit: Fit,
    *,
    seed: int,
    name: str,
    owner: NDArray[np.intp] | None = None,
    permutations: int = 9999,
    draws: int = 1000,
    halves: int = 40,
    within: int = 0,
    shuffles: int = 10,
    refits: int = 0,
    jobs: int = 1,
) -> C2st | str:
    """Train on half of the patients, test on the other half.

    The p-value permutes labels of held-out patients only: the classifier is fixed then, so it is
    exact whatever the classifier.

    Parameters
    ----------
    pool : Pool
        Both sets.
    label : ndarray of bool, shape (n,)
        True for synthetic.
    alone : Pool
        Real records only, for the floor.
    fit : callable
        From records and labels to a function from records to log-odds.
    seed : int
    name : str
        Names the random streams.
    owner : ndarray of int, shape (features,), optional
        Which measure each feature belongs to; without it no importance is computed.
    permutations, draws, halves, shuffles : int
        Label permutations; bootstrap draws; real-against-real halves; repeats with all labels
        shuffled.
    within : int
        Permutations of the held-out labels of each real-against-real half that go into the floor,
        for classifiers too slow to be fitted dozens of times; 0 takes the AUC of each half.
    refits : int
        Permutations of all labels, each with both halves fitted anew. The AUC is then the mean of
        the two directions of the split and p the share of permutations that reach it, both ways;
        0 for the half-permutation. Interval and ROC curve stay those of the first direction,
        shifted to the mean.
    jobs : int

    Returns
    -------
    C2st, or str
        The reason where the patients cannot be split.

    References
    ----------
    Lopez-Paz and Oquab 2017, ICLR, arXiv:1610.06545; Kim, Ramdas, Singh and Wasserman 2021,
    Ann Stat 49:411, doi:10.1214/20-AOS1962
    """
    rng = child_rng(seed, name)
    x, patient = pool.x, pool.patient
    train = split_groups(pool.group, label, rng)
    if any(
        len(np.unique(patient[held & of])) < 2 for held in (train, ~train) for of in (label, ~label)
    ):
        return "identical records join nearly all patients, so they cannot be split"
    score = fit(x[train], label[train])
    yt, pt = label[~train], _units(pool, label, ~train)
    scores = score(x[~train])
    value = auc(scores[~yt], scores[yt])
    null = permuted_auc(scores, yt, pt, permutations, rng)
    fpr, tpr = _roc(scores, yt)
    held = [len(np.unique(pt[side])) for side in (~yt, yt)]
    people = [len(np.unique(patient[~train][side])) for side in (~yt, yt)]
    ci = percentile_interval(bootstrap_auc(scores, yt, pt, draws, rng))
    first = value
    if refits:
        back = fit(x[~train], yt)(x[train])
        value = (value + auc(back[~label[train]], back[label[train]])) / 2
        ci = ci[0] + value - first, ci[1] + value - first
        one = partial(_refitted_auc, pool, label, fit, seed, f"{name}.refit")
        null = np.array(map_shards(one, range(refits), jobs=jobs))
    aucs = _null_aucs(alone, fit, halves, within, seed, f"{name}.floor", jobs)
    # A quarter of the real patients is held out on either side there.
    half = len(np.unique(alone.patient)) // 2
    factor = rescale(held[0], held[1], half / 2, half / 2)
    floor = percentile_interval(0.5 + (aucs - 0.5) * factor)
    shuffled = None
    if shuffles:
        shuffled = float(_null_aucs(pool, fit, shuffles, 0, seed, f"{name}.shuffled", jobs).mean())
    return C2st(
        value,
        (max(ci[0], 0.0), min(ci[1], 1.0)),
        monte_carlo_p(null, value),
        monte_carlo_p(-null, -value),
        (max(floor[0], 0.0), min(floor[1], 1.0)),
        shuffled,
        int((~yt).sum()),
        int(yt.sum()),
        people[0],
        people[1],
        np.zeros(0)
        if owner is None
        else _importance(score, x[~train], yt, first, owner, int(owner.max()) + 1, rng),
        fpr,
        tpr,
        1 / (len(null) + 1),
    )


def _some_patients(sample: Sample, n: int, rng: np.random.Generator) -> Sample:
    """Return the records of `n` patients, renumbered."""
    chosen = np.sort(rng.choice(sample.n_patients, n, replace=False))
    keep = np.isin(sample.patient, chosen)
    return Sample(sample.values[keep], np.searchsorted(chosen, sample.patient[keep]))


def measure_features(values: Floats, circular: Sequence[bool]) -> tuple[Floats, NDArray[np.intp]]:
    """Return features and which measure each belongs to; an angle becomes cosine and sine."""
    angle = np.asarray(circular, bool)
    radians = np.deg2rad(values[:, angle])
    x = np.column_stack([values[:, ~angle], np.cos(radians), np.sin(radians)])
    where = np.flatnonzero(angle)
    return x, np.concatenate([np.flatnonzero(~angle), where, where])


def permuted_auc(
    scores: Floats,
    label: NDArray[np.bool_],
    patient: NDArray[np.intp],
    permutations: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the AUC under permuted labels of whole patients, shape (permutations,)."""
    from scipy.stats import rankdata

    n_patients = int(patient.max()) + 1
    sums = np.stack([np.bincount(patient, rankdata(scores)), np.bincount(patient)])
    # A patient in both sets (an exact copy) keeps one label; the sets' sizes stay as they are.
    synth = len(np.unique(patient[label]))
    out = []
    for start in range(0, permutations, 500):
        size = min(500, permutations - start)
        ranks, m = sums @ subset_weights(n_patients, synth, size, rng).astype(float)
        out.append((ranks - m * (m + 1) / 2) / (m * (len(scores) - m)))
    return np.concatenate(out)


def bootstrap_auc(
    scores: Floats,
    label: NDArray[np.bool_],
    patient: NDArray[np.intp],
    draws: int,
    rng: np.random.Generator,
) -> Floats:
    level = np.unique(scores, return_inverse=True)[1]
    drawn = []
    for side in (~label, label):
        who = np.unique(patient[side], return_inverse=True)[1]
        counts = level_counts(level[side], who, int(level.max()) + 1, int(who.max()) + 1)
        drawn.append(counts @ resample_weights(counts.shape[1], draws, rng))
    r, s = (counts / counts.sum(axis=0) for counts in drawn)
    return np.einsum("kb,kb->b", np.cumsum(r, axis=0) - r / 2, s)


def off_centre(floor: tuple[float, float]) -> str:
    """Return a sentence where the floor's middle is not 0.5, for a reader who expects it there.

    Labels of held-out patients are exchangeable between halves, so 0.5 is what is expected; the
    ends are percentiles of a few dozen halves, and skewed where few patients are held out.
    """
    middle = f"{(floor[0] + floor[1]) / 2:.2f}"
    if middle == "0.50":
        return ""
    return (
        f" Real against real is not centred on 0.5 but on {middle}: its ends are percentiles of a "
        "limited number of halves of the real patients and vary by chance. Without a difference "
        "0.5 is expected."
    )


def _null_aucs(
    pool: Pool, fit: Fit, times: int, within: int, seed: int, name: str, jobs: int
) -> Floats:
    """Return the AUC between random halves of the patients, the whole procedure repeated."""
    one = partial(_null_auc, pool, fit, within, seed, name)
    return np.concatenate(map_shards(one, range(times), jobs=jobs))


def _null_auc(pool: Pool, fit: Fit, within: int, seed: int, name: str, index: int) -> Floats:
    rng = child_rng(seed, name, index)
    n = int(pool.patient.max()) + 1
    label = rng.permutation(n)[pool.patient] < n // 2
    scores, train = _held_out(pool, label, fit, rng)
    held = label[~train]
    if not within:
        return np.array([auc(scores[~held], scores[held])])
    return permuted_auc(scores, held, _units(pool, label, ~train), within, rng)


def _units(pool: Pool, label: NDArray[np.bool_], keep: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return what moves as one in permutations and draws: a group's records of one label."""
    return np.unique(2 * pool.group[keep] + label[keep], return_inverse=True)[1]


def _held_out(
    pool: Pool, label: NDArray[np.bool_], fit: Fit, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return scores of the held-out records, and which records were trained on."""
    train = split_groups(pool.group, label, rng)
    return fit(pool.x[train], label[train])(pool.x[~train]), train


def _refitted_auc(
    pool: Pool, label: NDArray[np.bool_], fit: Fit, seed: int, name: str, index: int
) -> float:
    """Return the AUC, mean of both directions of a split, after permuting labels of patients."""
    rng = child_rng(seed, name, index)
    n = int(pool.patient.max()) + 1
    synth = len(np.unique(pool.patient[label]))
    permuted = rng.permutation(n)[pool.patient] < synth
    train = split_groups(pool.group, permuted, rng)
    out = 0.0
    for side in (train, ~train):
        scores, held = fit(pool.x[side], permuted[side])(pool.x[~side]), permuted[~side]
        out += auc(scores[~held], scores[held]) / 2
    return out


def _importance(
    score: Score,
    x: Floats,
    label: NDArray[np.bool_],
    value: float,
    owner: NDArray[np.intp],
    measures: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the fall of the AUC when all features of a measure are permuted, shape (measures,)."""
    order = rng.permutation(len(x))
    out = np.zeros(measures)
    for measure in np.unique(owner):
        changed = x.copy()
        columns = owner == measure
        changed[:, columns] = x[order][:, columns]
        scores = score(changed)
        out[measure] = value - auc(scores[~label], scores[label])
    return out


def _roc(scores: Floats, label: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return false and true positive rates at `ROC_POINTS` equally spaced ones, after (0, 0)."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    tpr = np.append(0, np.cumsum(label[order])[last] / label.sum())
    fpr = np.append(0, np.cumsum(~label[order])[last] / (~label).sum())
    grid = np.linspace(0, 1, ROC_POINTS)
    return np.append(0, grid), np.append(0, np.interp(grid, fpr, tpr))
