"""The classical distance indicators, each beside its distribution under permuted patients.

Distance to the closest record, nearest-neighbour distance ratio, share test, adversarial accuracy,
data-copying test and authenticity are widely quoted and poorly calibrated: all synthetic records
share the same training set, so binomial standard errors are wrong. Here every one is a function of
which real patients are called training patients, and is compared with its values when whole
patients are permuted between training set and holdout. They are reported and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.attacks import checks
from ecgeval.privacy.attacks.neighbours import Neighbours, Sided, entry_at, first_true, neighbours
from ecgeval.privacy.attacks.sets import AttackedSets, flat, one_record_each
from ecgeval.results import Estimate, Finding, Results, Table, Verdict
from ecgeval.stats.axes import mean_and_scatter, project
from ecgeval.wording import p_text

__all__ = ["INDICATORS", "Indicator", "indicators"]

ALPHA = 0.01
"""Chance, over all indicators together, that one of them speaks of leakage without any."""
LEAST_PATIENTS = 10
QUANTILE = 0.05
"""Part of the synthetic records nearest to real ones that DCR and NNDR look at."""
DIMENSIONS = 64
"""Records of more dimensions are compared in this many principal axes of all of them, unscaled."""
_UNSEEN = 1e-6  # chance that none of the neighbours kept is of a side, under permutation
_MOST_NEIGHBOURS = 256


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
    second = entry_at(n.synth_real, *first_true(inside & (person != own[:, None])))
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
    star = entry_at(side.n.synth_partner, *side.synth_first)
    return float((side.synth_train > side.real_train[star]).mean())


def authenticity_of_holdout(side: Sided) -> float:
    """Return the authenticity of the holdout in place of S: what honest records would score."""
    star = entry_at(side.n.real_partner, *side.real_first)[side.held]
    return float((side.real_train[side.held] > side.real_train[star]).mean())


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
) -> dict[str, Outcome]:
    """Return each indicator, by id, beside its distribution under permuted patients.

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
    out = {}
    for c, column in zip(chosen, values.T, strict=True):
        null = column[1:][~np.isnan(column[1:])]
        if np.isnan(column[0]) or not len(null):
            out[c.id] = Outcome(np.nan, np.nan, (np.nan, np.nan), 1.0)
            continue
        p = (1 + int((c.sign * null >= c.sign * column[0] - 1e-12).sum())) / (len(null) + 1)
        low, high = np.quantile(null, (0.025, 0.975))
        out[c.id] = Outcome(float(column[0]), float(null.mean()), (float(low), float(high)), p)
    return out


def indicators(
    sets: AttackedSets, *, permutations: int = 999, jobs: int = 1, progress: Progress = quiet
) -> Results:
    """Return the classical distance indicators, each beside its null; they decide nothing.

    Parameters
    ----------
    sets : AttackedSets
        Compared by Euclidean distance.
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
    if min(sets.patients) < LEAST_PATIENTS or len(sets.synth) < 2:
        finding = checks.INDICATORS.finding(
            Verdict.NOT_ASSESSABLE,
            f"the classical indicators need {LEAST_PATIENTS} training and holdout patients drawn "
            f"alike, and two synthetic records; {sets.in_words()}",
            "A distance to the training set has no meaning by itself; it is compared with the "
            "distance to patients the generator never saw.",
            rule=_rule(permutations),
            section=sets.section,
        )
        return Results(findings=(finding,))
    rng, person, is_train = sets.rng("indicators"), sets.person, sets.is_train
    real, synth = _reduced(flat(sets.real), flat(sets.synth))
    whole = _neighbours(real, synth, person, is_train, rng, jobs, progress)
    rest = [c for c in INDICATORS if c.kernel is not privacy_loss]
    found = permuted(whole, is_train, rest, rng, permutations)
    rows, drawn = _balanced(person, is_train, len(synth), rng)
    side = is_train[person[rows]]
    equal = _neighbours(real[rows], synth[drawn], np.arange(len(rows)), side, rng, jobs, progress)
    loss = [c for c in INDICATORS if c.kernel is privacy_loss]
    found |= permuted(equal, side, loss, rng, permutations)
    smaller = {"n_real": len(rows), "n_synth": len(drawn), "patients_real": len(rows)}
    control = authenticity_of_holdout(Sided(whole, is_train[person]))
    terms = adversarial_accuracy(Sided(equal, side))
    return Results(
        estimates=tuple(_estimates(found, control, terms, sets, smaller)),
        findings=(_finding(found, permutations, sets.section),),
        tables=(_table(found, sets.section),),
    )


def _reduced(real: np.ndarray, synth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both sets in the leading principal axes of all records; as they are if few."""
    from scipy.linalg import eigh

    d = real.shape[1]
    if d <= DIMENSIONS:
        return real, synth
    mean, scatter = mean_and_scatter([real, synth])
    axes = eigh(scatter, subset_by_index=(d - DIMENSIONS, d - 1))[1]
    return project(real, mean, axes), project(synth, mean, axes)


def _neighbours(
    real: np.ndarray,
    synth: np.ndarray,
    person: np.ndarray,
    is_train: np.ndarray,
    rng: np.random.Generator,
    jobs: int,
    progress: Progress,
) -> Neighbours:
    """Return `neighbours` with as many as show both sides, whatever the permutation."""
    least = min(is_train.mean(), 1 - is_train.mean())
    k = int(np.ceil(np.log(_UNSEEN) / np.log1p(-least)))
    repeats = int(np.bincount(person).max())
    k = min(k * repeats, _MOST_NEIGHBOURS, len(real))
    return neighbours(real, synth, person, k=k, rng=rng, jobs=jobs, progress=progress)


def _balanced(
    person: np.ndarray, is_train: np.ndarray, n_synth: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of real records, one a patient and as many on either side, and of as many S."""
    one = one_record_each(person, rng)
    sides = [rng.permutation(one[is_train == label]) for label in (True, False)]
    n = min(len(sides[0]), len(sides[1]), n_synth)
    return np.sort(np.concatenate([s[:n] for s in sides])), np.sort(rng.permutation(n_synth)[:n])


def _rule(permutations: int) -> str:
    return (
        f"each indicator against {permutations} permutations of patients; FAIL if the smallest p "
        f"times the number of indicators is below {ALPHA:g}, else INCONCLUSIVE; no gate"
    )


def _estimates(
    found: Mapping[str, Outcome],
    control: float,
    terms: tuple[float, float],
    sets: AttackedSets,
    smaller: Mapping[str, int],
) -> Iterator[Estimate]:
    """Yield the indicators, the holdout's authenticity and both terms of adversarial accuracy."""

    def estimate(name: str, value: float | None, **fields: Any) -> Estimate:
        id = f"{sets.section}.indicators.{name}"
        return Estimate(id, value, better="near_null", **(sets.sizes | fields))

    for c in INDICATORS:
        o = found[c.id]
        yield estimate(
            c.id,
            _finite(o.value),
            p=o.p,
            floor=_limits(o),
            null=_finite(o.expected),
            label=c.label,
            method="null, floor and one-sided p: permutation of patients",
            **(smaller if c.kernel is privacy_loss else {}),
        )
    yield estimate(
        "authenticity_control",
        control,
        label="authenticity of the holdout in place of the synthetic set",
        method="the same rule",
    )
    for name, records, value in zip(
        ("aa_real", "aa_synth"), ("training", "synthetic"), terms, strict=True
    ):
        yield estimate(
            name,
            value,
            null=0.5,
            label=f"adversarial accuracy, {records} records",
            method="equal numbers, one record a patient",
            **smaller,
        )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _limits(o: Outcome) -> tuple[float, float] | None:
    return o.floor if np.isfinite(o.floor).all() else None


def _finding(found: Mapping[str, Outcome], permutations: int, section: str) -> Finding:
    known = [c for c in INDICATORS if np.isfinite(found[c.id].value)]
    least = min(known, key=lambda c: found[c.id].p)
    o = found[least.id]
    failed = o.p * len(known) < ALPHA
    numbers = f"{p_text(o.p, 1 / (permutations + 1))} of {len(known)} indicators"
    return checks.INDICATORS.finding(
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        f"{least.label}: {o.value:.3g}, {o.expected:.3g} expected ({numbers})"
        if failed
        else f"no classical indicator leaves its noise by more than chance ({numbers}: with so "
        f"many, one below {ALPHA / len(known):.2g} would)",
        "Indicators within their noise show nothing: data sets that passed such checks were found "
        "highly vulnerable to membership inference (Yao et al., arXiv 2505.01524). Out of it, on "
        "the side of the training set, they are evidence of memorisation.",
        section=section,
        rule=_rule(permutations),
        estimates=(f"{section}.indicators.{c.id}" for c in INDICATORS),
    )


def _table(found: Mapping[str, Outcome], section: str) -> Table:
    rows = []
    for c in INDICATORS:
        o = found[c.id]
        limits = _limits(o) or (None, None)
        leak = "high" if c.sign > 0 else "low"
        rows.append((c.label, _finite(o.value), _finite(o.expected), *limits, o.p, leak))
    return Table(
        f"{section}.indicators",
        "Classical distance indicators",
        ("indicator", "value", "expected", "null_low", "null_high", "p", "leakage if"),
        tuple(rows),
        "Expected, null (central 95 %) and one-sided p: patients permuted between training set "
        "and holdout. None of these decides.",
        section,
    )
