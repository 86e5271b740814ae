"""The classical distance indicators, each beside its distribution under permuted patients.

Distance to the closest record, nearest-neighbour distance ratio, share test, adversarial accuracy,
data-copying test and authenticity are widely quoted and poorly calibrated: all synthetic records
share the same training set, so binomial standard errors are wrong. Here every one is a function of
which real patients are called training patients, and is compared with its values when whole
patients are permuted between training set and holdout. They are reported and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.privacy.attacks.membership import project, scattered
from ecgeval.privacy.comparable import there_are
from ecgeval.privacy.copies.kernels.samplewise import Euclid
from ecgeval.privacy.copies.search import search
from ecgeval.results import Estimate, Finding, Results, Table, Verdict
from ecgeval.stats.distances import squares
from ecgeval.wording import p_text

__all__ = ["INDICATORS", "Indicator", "Neighbours", "indicators", "neighbours", "share_test"]

ALPHA = 0.01
"""Chance, over all indicators together, that one of them speaks of leakage without any."""
LEAST_PATIENTS = 10
QUANTILE = 0.05
"""Part of the synthetic records nearest to real ones that DCR and NNDR look at."""
DIMENSIONS = 64
"""Records of more dimensions are compared in this many principal axes of all of them, unscaled."""
_UNSEEN = 1e-6  # chance that none of the neighbours kept is of a side, under permutation
_MOST_NEIGHBOURS = 256
_CELL = 20  # records of S and of H below which a cell of the data-copying test says nothing
_CELLS = 8


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Distances that all indicators are made of; none depends on who was trained on.

    Parameters
    ----------
    synth_real : ndarray, shape (n_synth, k)
        Distances of each synthetic record to its nearest real records, rising.
    synth_partner : ndarray of int, shape (n_synth, k)
        Their rows; -1 where there are fewer.
    real_real, real_partner : ndarray, shape (n_real, k)
        The same from real to real records of other patients.
    real_synth : ndarray, shape (n_real,)
        Distance of each real record to its nearest synthetic one.
    synth_synth : ndarray, shape (n_synth,)
        Distance of each synthetic record to its nearest other one.
    person : ndarray of int, shape (n_real,)
        Patient codes 0..P-1.
    synth_cell, real_cell : ndarray of int
        Cell of a partition of the real records in which each record lies.
    """

    synth_real: np.ndarray
    synth_partner: np.ndarray
    real_real: np.ndarray
    real_partner: np.ndarray
    real_synth: np.ndarray
    synth_synth: np.ndarray
    person: np.ndarray
    synth_cell: np.ndarray
    real_cell: np.ndarray


def neighbours(
    real: np.ndarray,
    synth: np.ndarray,
    person: np.ndarray,
    *,
    k: int,
    rng: np.random.Generator,
    jobs: int = 1,
    progress: Progress = quiet,
) -> Neighbours:
    """Return the distances between records that the indicators need.

    Parameters
    ----------
    real : ndarray, shape (n_real, d)
        Records of training set and holdout together.
    synth : ndarray, shape (n_synth, d)
    person : ndarray of int, shape (n_real,)
        Patient codes 0..P-1.
    k : int
        Neighbours kept.
    rng : Generator
        Starts the k-means partition.
    jobs, progress
        As in `search`.
    """
    from scipy.cluster.vq import kmeans2

    x, s = np.asarray(real, np.float32), np.asarray(synth, np.float32)
    by_synth, by_real = search(Euclid(s, x), k=k, jobs=jobs, stage="indicators", progress=progress)
    within = search(Euclid(x, x), k=k, groups=(person, person), jobs=jobs)[0]
    own = np.arange(len(s))
    among = search(Euclid(s, s), k=1, groups=(own, own), jobs=jobs)[0]

    def distance(similarity: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(-similarity, 0))

    # Cells of the pooled real records, not of the training set alone as in the paper: they stay
    # the same when patients are permuted.
    cells = max(1, min(_CELLS, len(x) // (4 * _CELL)))
    centres, real_cell = kmeans2(x.astype(np.float64), cells, minit="++", seed=rng)
    to_centre = squares(s.astype(np.float64), centres)
    return Neighbours(
        distance(by_synth.similarity),
        by_synth.partner,
        distance(within.similarity),
        within.partner,
        distance(by_real.similarity[:, 0]),
        distance(among.similarity[:, 0]),
        person,
        to_centre.argmin(axis=1),
        real_cell,
    )


class Sided:
    """Distances to either side, for one choice of training records; each found when first needed.

    Parameters
    ----------
    n : Neighbours
    train : ndarray of bool, shape (n_real,)
    """

    def __init__(self, n: Neighbours, train: np.ndarray) -> None:
        self.n, self.train = n, train
        self.held = np.flatnonzero(~train)

    @cached_property
    def synth_first(self) -> tuple[np.ndarray, np.ndarray]:
        """Position of each synthetic record's nearest training record; whether there is one."""
        return _first(self.train[self.n.synth_partner] & (self.n.synth_partner >= 0))

    @cached_property
    def synth_train(self) -> np.ndarray:
        """Distance of synthetic to training records."""
        return _take(self.n.synth_real, *self.synth_first)

    @cached_property
    def synth_holdout(self) -> np.ndarray:
        """Distance of synthetic to holdout records."""
        other = ~self.train[self.n.synth_partner] & (self.n.synth_partner >= 0)
        return _take(self.n.synth_real, *_first(other))

    @cached_property
    def real_first(self) -> tuple[np.ndarray, np.ndarray]:
        """Position of each real record's nearest training record of another patient."""
        return _first(self.train[self.n.real_partner] & (self.n.real_partner >= 0))

    @cached_property
    def real_train(self) -> np.ndarray:
        """Distance of real records to training records of other patients."""
        return _take(self.n.real_real, *self.real_first)

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Data-copying Z of each cell, and the cells' weights."""
        return cell_scores(self)


def _first(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first True of each row, and whether there is one."""
    first = inside.argmax(axis=1)
    return first, inside[np.arange(len(first)), first]


def _take(of: np.ndarray, first: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the entry at `first` of each row; the last, a lower limit, where there is none."""
    return of[np.arange(len(of)), np.where(known, first, -1)]


def dcr(side: Sided) -> float:
    """Return the ratio of 5 % quantiles of the distance to the closest training, holdout record."""
    low, control = (float(np.quantile(d, QUANTILE)) for d in (side.synth_train, side.synth_holdout))
    return low / control if control > 0 else 1.0 if low == 0 else np.inf


def nndr(side: Sided) -> float:
    """Return the 5 % quantile of (distance to the nearest / second nearest training patient)."""
    n, (first, _) = side.n, side.synth_first
    person = n.person[n.synth_partner]
    own = person[np.arange(len(first)), first]
    inside = side.train[n.synth_partner] & (n.synth_partner >= 0)
    second = _take(n.synth_real, *_first(inside & (person != own[:, None])))
    ratio = np.divide(side.synth_train, second, out=np.ones(len(second)), where=second > 0)
    return float(np.quantile(ratio, QUANTILE))


def share(side: Sided) -> float:
    """Return the share of synthetic records whose nearest real record is a training record."""
    return float(side.train[side.n.synth_partner[:, 0]].mean())


def adversarial_accuracy(side: Sided) -> tuple[float, float]:
    """Return both terms of the nearest-neighbour adversarial accuracy of T and S.

    The share of training records nearer to another training patient than to S, and of
    synthetic records nearer to another synthetic record than to T; their mean is .5 for
    two samples of one population, 0 for copies, 1 for separated sets.

    References
    ----------
    Yale A, et al. Generation and evaluation of privacy preserving synthetic health data.
    Neurocomputing 2020;416:244-255. doi:10.1016/j.neucom.2019.12.136
    """
    real = side.n.real_synth[side.train] > side.real_train[side.train]
    return float(real.mean()), float((side.synth_train > side.n.synth_synth).mean())


def privacy_loss(side: Sided) -> float:
    """Return the adversarial accuracy of holdout and S minus that of training set and S."""
    swapped = Sided(side.n, ~side.train)
    return float(np.mean(adversarial_accuracy(swapped)) - np.mean(adversarial_accuracy(side)))


def cell_scores(side: Sided) -> tuple[np.ndarray, np.ndarray]:
    """Return the data-copying Z of each cell with enough records, and the cells' weights.

    Mann-Whitney Z of the distances to the training set, synthetic against holdout records;
    strongly negative where synthetic records are closer. The weight is the holdout's share.

    References
    ----------
    Meehan C, Chaudhuri K, Dasgupta S. A non-parametric test to detect data-copying in generative
    models. AISTATS 2020, PMLR 108:3546-3556.
    """
    n, control, home = side.n, side.real_train[side.held], side.n.real_cell[side.held]
    z, weight = [], []
    for cell in range(int(n.real_cell.max()) + 1):
        a, b = side.synth_train[n.synth_cell == cell], np.sort(control[home == cell])
        if min(len(a), len(b)) >= _CELL:
            u = (np.searchsorted(b, a) + np.searchsorted(b, a, "right")).sum() / 2
            mean = len(a) * len(b) / 2
            z.append((u - mean) / np.sqrt(mean * (len(a) + len(b) + 1) / 6))
            weight.append(len(b))
    return np.array(z), np.array(weight, float) / max(sum(weight), 1)


def copying(side: Sided) -> float:
    """Return the weighted mean C_T of the cells' Z; NaN where no cell has enough records."""
    z, weight = side.cells
    return float(z @ weight) if len(z) else np.nan


def copying_cell(side: Sided) -> float:
    """Return the lowest Z of any cell: local copying that a mean over cells hides."""
    z, _ = side.cells
    return float(z.min()) if len(z) else np.nan


def authenticity(side: Sided) -> float:
    """Return the share of S farther from its nearest t of T than t is from another of T.

    References
    ----------
    Alaa A, et al. How faithful is your synthetic data? ICML 2022, PMLR 162:290-306.
    """
    star = _star(side.n.synth_partner, *side.synth_first)
    return float((side.synth_train > side.real_train[star]).mean())


def authenticity_of_holdout(side: Sided) -> float:
    """Return the authenticity of the holdout in place of S: what honest records would score."""
    star = _star(side.n.real_partner, *side.real_first)[side.held]
    return float((side.real_train[side.held] > side.real_train[star]).mean())


def _star(partner: np.ndarray, first: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the row of each record's nearest training record (the last kept without one)."""
    return _take(partner, first, known)


class Indicator(NamedTuple):
    """An indicator: its name, its kernel, and which side of the null means leakage."""

    id: str
    label: str
    kernel: Callable[[Sided], float]
    sign: int


INDICATORS = (
    Indicator("dcr", "5 % quantile of distance to training over that to holdout records", dcr, -1),
    Indicator("nndr", "5 % quantile of nearest over second nearest training patient", nndr, -1),
    Indicator(
        "share", "synthetic records whose nearest real record is a training record", share, +1
    ),
    Indicator("privacy_loss", "adversarial accuracy, holdout minus training", privacy_loss, +1),
    Indicator("copying", "data-copying C_T over cells", copying, -1),
    Indicator("copying_cell", "data-copying Z of the worst cell", copying_cell, -1),
    Indicator("authenticity", "authenticity", authenticity, -1),
)


class Share(NamedTuple):
    """A share of training patients, its expectation and spread under permuted patients, and p."""

    value: float
    expected: float
    sd: float
    p: float


def share_test(
    nearest: np.ndarray, train: np.ndarray, rng: np.random.Generator, permutations: int = 9999
) -> Share:
    """Test how many synthetic records have a training patient as their nearest real one.

    Under permutation of whole patients the share is a sum of sampled weights (how many synthetic
    records have this patient as nearest), so its variance is known. A binomial variance ignores
    that all synthetic records share the same real ones: with 300 patients a side and 10,000
    synthetic records its SD is too small by a factor of about two.

    Parameters
    ----------
    nearest : ndarray of int, shape (n_synth,)
        Code 0..P-1 of the patient nearest to each synthetic record.
    train : ndarray of bool, shape (P,)
        Which patients are training patients; both sides at least one.
    rng : Generator
    permutations : int

    Returns
    -------
    Share
        p is one-sided: more training patients than expected.
    """
    weight = np.bincount(nearest, minlength=len(train)) / len(nearest)
    n, t = len(train), int(train.sum())
    sd = float(np.sqrt(t * (n - t) / (n * (n - 1)) * ((weight - weight.mean()) ** 2).sum()))
    value = float(weight[train].sum())
    null = np.array([weight[rng.permutation(train)].sum() for _ in range(permutations)])
    p = (1 + int((null >= value - 1e-12).sum())) / (permutations + 1)
    return Share(value, t / n, sd, p)


class Outcome(NamedTuple):
    """An indicator's value, its mean and central 95 % under permuted patients, one-sided p."""

    value: float
    expected: float
    floor: tuple[float, float]
    p: float


def permuted(
    n: Neighbours,
    train: np.ndarray,
    chosen: Sequence[Indicator],
    rng: np.random.Generator,
    permutations: int,
) -> list[Outcome]:
    """Return each indicator and its distribution when patients are permuted between the sides.

    Parameters
    ----------
    n : Neighbours
    train : ndarray of bool, shape (P,)
        Which patients are training patients. Patients with the same number of records are
        permuted among each other, so that both sides keep their number of records.
    chosen : sequence of Indicator
    rng : Generator
    permutations : int
    """
    counts = np.bincount(n.person)
    groups = [np.flatnonzero(counts == c) for c in np.unique(counts)]
    values = np.empty((permutations + 1, len(chosen)))
    label = train.copy()
    for b in range(permutations + 1):
        side = Sided(n, label[n.person])
        values[b] = [c.kernel(side) for c in chosen]
        for group in groups:
            label[group] = rng.permutation(train[group])
    out = []
    for c, column in zip(chosen, values.T, strict=True):
        null = column[1:][~np.isnan(column[1:])]
        if np.isnan(column[0]) or not len(null):
            out.append(Outcome(np.nan, np.nan, (np.nan, np.nan), 1.0))
            continue
        p = (1 + int((c.sign * null >= c.sign * column[0] - 1e-12).sum())) / (len(null) + 1)
        low, high = np.quantile(null, (0.025, 0.975))
        out.append(Outcome(float(column[0]), float(null.mean()), (float(low), float(high)), p))
    return out


def indicators(
    train: np.ndarray,
    holdout: np.ndarray | None,
    synth: np.ndarray,
    *,
    person_train: np.ndarray,
    person_holdout: np.ndarray | None,
    seed: int = 0,
    section: str = "privacy",
    permutations: int = 999,
    jobs: int = 1,
    progress: Progress = quiet,
) -> Results:
    """Return the classical distance indicators, each beside its null; they decide nothing.

    Parameters
    ----------
    train, holdout, synth : ndarray, shape (n, d)
        Usable records in one representation, compared by Euclidean distance.
    person_train, person_holdout : ndarray of int, shape (n,)
        Patient codes; no patient on both sides.
    seed : int
    section : str
        Slug of the section and first part of every id.
    permutations : int
        Of patients; the smallest p is one over one more.
    jobs, progress
        As in `search`.

    Returns
    -------
    Results
        Estimates ``{section}.indicators.*``, one table, and the finding PRIV-INDICATORS, which is
        no gate; NOT_ASSESSABLE without a holdout or with fewer than ten patients on either side.
    """
    rule = (
        f"each indicator against {permutations} permutations of patients; FAIL if the smallest p "
        f"times the number of indicators is below {ALPHA:g}, else INCONCLUSIVE; no gate"
    )
    people = [0 if p is None else len(np.unique(p)) for p in (person_train, person_holdout)]
    if holdout is None or person_holdout is None or min(people) < LEAST_PATIENTS or len(synth) < 2:
        return Results(
            findings=(
                Finding(
                    "PRIV-INDICATORS",
                    Verdict.NOT_ASSESSABLE,
                    f"the classical indicators need {LEAST_PATIENTS} training and holdout "
                    f"patients drawn "
                    f"alike, and two synthetic records; "
                    f"{there_are(people[0], people[1], len(synth))}",
                    "A distance to the training set has no meaning by itself; it is compared with "
                    "the "
                    "distance to patients the generator never saw.",
                    rule=rule,
                    section=section,
                    gate=False,
                ),
            )
        )
    real, synth = _reduced(np.concatenate([train, holdout]), np.asarray(synth))
    code = np.unique(np.concatenate([person_train, person_holdout]), return_inverse=True)[1]
    is_train = np.zeros(int(code.max()) + 1, bool)
    is_train[code[: len(train)]] = True
    rng = child_rng(seed, section, "indicators")
    whole = _of(real, synth, code, is_train, rng, jobs, progress)
    rest = [c for c in INDICATORS if c.id != "privacy_loss"]
    found = dict(
        zip((c.id for c in rest), permuted(whole, is_train, rest, rng, permutations), strict=True)
    )
    rows, drawn = _balanced(code, is_train, len(synth), rng)
    equal = _of(
        real[rows], synth[drawn], np.arange(len(rows)), is_train[code[rows]], rng, jobs, progress
    )
    side = is_train[code[rows]]
    loss = next(c for c in INDICATORS if c.id == "privacy_loss")
    found["privacy_loss"] = permuted(equal, side, [loss], rng, permutations)[0]
    extra = {
        "authenticity_control": authenticity_of_holdout(Sided(whole, is_train[code])),
        **dict(zip(("aa_real", "aa_synth"), adversarial_accuracy(Sided(equal, side)), strict=True)),
    }
    sizes: dict[str, Any] = {
        "n_real": len(real),
        "n_synth": len(synth),
        "patients_real": sum(people),
        "seed": seed,
    }
    smaller = sizes | {"n_real": len(rows), "n_synth": len(drawn), "patients_real": len(rows)}
    estimates = [
        Estimate(
            f"{section}.indicators.{c.id}",
            _known(o.value),
            p=o.p,
            floor=_limits(o),
            null=_known(o.expected),
            better="near_null",
            label=c.label,
            method="null, floor and one-sided p: permutation of patients",
            **(smaller if c.id == "privacy_loss" else sizes),
        )
        for c in INDICATORS
        for o in [found[c.id]]
    ]
    estimates += [
        Estimate(
            f"{section}.indicators.{name}",
            value,
            null=null,
            better="near_null",
            label=label,
            method=method,
            **(sizes if name.startswith("auth") else smaller),
        )
        for (name, value), null, label, method in zip(
            extra.items(),
            (None, 0.5, 0.5),
            (
                "authenticity of the holdout in place of the synthetic set",
                "adversarial accuracy, training records",
                "adversarial accuracy, synthetic records",
            ),
            (
                "the same rule",
                "equal numbers, one record a patient",
                "equal numbers, one record a patient",
            ),
            strict=True,
        )
    ]
    return Results(
        estimates=tuple(estimates),
        findings=(_finding(found, permutations, section, rule),),
        tables=(_table(found, section),),
    )


def _reduced(real: np.ndarray, synth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both sets in the leading principal axes of all records; as they are if few."""
    from scipy.linalg import eigh

    d = real.shape[1]
    if d <= DIMENSIONS:
        return real, synth
    mean, scatter = scattered([real, synth])
    axes = eigh(scatter, subset_by_index=(d - DIMENSIONS, d - 1))[1]
    return project(real, mean, axes), project(synth, mean, axes)


def _of(
    real: np.ndarray,
    synth: np.ndarray,
    code: np.ndarray,
    is_train: np.ndarray,
    rng: np.random.Generator,
    jobs: int,
    progress: Progress,
) -> Neighbours:
    """Return `neighbours` with as many as show both sides, whatever the permutation."""
    least = min(is_train.mean(), 1 - is_train.mean())
    k = int(np.ceil(np.log(_UNSEEN) / np.log1p(-least)))
    repeats = int(np.bincount(code).max())
    k = min(k * repeats, _MOST_NEIGHBOURS, len(real))
    return neighbours(real, synth, code, k=k, rng=rng, jobs=jobs, progress=progress)


def _balanced(
    code: np.ndarray, is_train: np.ndarray, n_synth: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of real records, one a patient and as many on either side, and of as many S."""
    order = rng.permutation(len(code))
    one = order[np.unique(code[order], return_index=True)[1]]  # a record of each patient
    sides = [rng.permutation(one[is_train == label]) for label in (True, False)]
    n = min(len(sides[0]), len(sides[1]), n_synth)
    return np.sort(np.concatenate([s[:n] for s in sides])), np.sort(rng.permutation(n_synth)[:n])


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _limits(o: Outcome) -> tuple[float, float] | None:
    return o.floor if np.isfinite(o.floor).all() else None


def _finding(found: dict[str, Outcome], permutations: int, section: str, rule: str) -> Finding:
    known = [c for c in INDICATORS if np.isfinite(found[c.id].value)]
    least = min(known, key=lambda c: found[c.id].p)
    o = found[least.id]
    failed = o.p * len(known) < ALPHA
    numbers = f"{p_text(o.p, 1 / (permutations + 1))} of {len(known)} indicators"
    return Finding(
        "PRIV-INDICATORS",
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        f"{least.label}: {o.value:.3g}, {o.expected:.3g} expected ({numbers})"
        if failed
        else f"no classical indicator leaves its noise by more than chance ({numbers}: with so "
        f"many, one below {ALPHA / len(known):.2g} would)",
        "Indicators within their noise show nothing: data sets that passed such checks were found "
        "highly vulnerable to membership inference (Yao et al., arXiv 2505.01524). Out of it, on "
        "the side of the training set, they are evidence of memorisation.",
        tuple(f"{section}.indicators.{c.id}" for c in INDICATORS),
        rule,
        section,
        gate=False,
    )


def _table(found: dict[str, Outcome], section: str) -> Table:
    return Table(
        f"{section}.indicators",
        "Classical distance indicators",
        ("indicator", "value", "expected", "null_low", "null_high", "p", "leakage if"),
        tuple(
            (
                c.label,
                _known(o.value),
                _known(o.expected),
                *(_limits(o) or (None, None)),
                o.p,
                "high" if c.sign > 0 else "low",
            )
            for c in INDICATORS
            for o in [found[c.id]]
        ),
        "Expected, null (central 95 %) and one-sided p: patients permuted between training set "
        "and holdout. None of these decides.",
        section,
    )
