"""The three criteria of the Article 29 Working Party (Opinion 05/2014, WP 216), as attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ecgeval.privacy.attacks.scores import blend, nearest
from ecgeval.results import Estimate, Finding, Table, Verdict, worst
from ecgeval.stats.axes import principal_axes
from ecgeval.stats.distances import squares

__all__ = ["Risk", "risk", "wilson_rate"]


P_FAIL = 0.01
PLANTED = 60
NEIGHBOURS = 5


MOST_RISK = 0.1
"""Largest upper limit of a risk that passes: our choice, to be declared before the audit."""


LEAST_RECALL = 0.9


RHO = 0.99


_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")


_BOOTSTRAP = 2000


def wilson_rate(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return centre and half-width of the Wilson interval of a proportion."""
    from scipy.stats import norm

    z = norm.ppf(0.5 + level / 2)
    centre = (count + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(count * (n - count) / n + z**2 / 4)
    return float(centre), float(half)


class Risk(NamedTuple):
    """A risk and its interval, not clipped to [0, 1]."""

    value: float
    low: float
    high: float


def risk(attack: tuple[int, int], control: tuple[int, int], level: float = 0.95) -> Risk:
    """Return ``(a - c) / (1 - c)``: how far attacks succeed beyond the control.

    Parameters
    ----------
    attack, control : (int, int)
        Successes and attacks, on training and on holdout patients.
    level : float

    References
    ----------
    Giomi M, Boenisch F, Wehmeyer C, Tasnadi B. A unified framework for quantifying privacy risk in
    synthetic data. PoPETs 2023;2023(2):312-328. doi:10.56553/popets-2023-0055 (rates are centres of
    Wilson intervals, errors propagated to first order; not clipped here).
    """
    (a, ea), (c, ec) = wilson_rate(*attack, level), wilson_rate(*control, level)
    value = (a - c) / (1 - c)
    half = np.sqrt((ea / (1 - c)) ** 2 + (ec * (a - 1) / (1 - c) ** 2) ** 2)
    return Risk(float(value), float(value - half), float(value + half))


def bootstrap_risk(
    attack: np.ndarray, control: np.ndarray, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Return a percentile interval of the risk over resampled patients (bool a patient)."""
    a, c = (
        x[rng.integers(0, len(x), (_BOOTSTRAP, len(x)))].mean(axis=1) for x in (attack, control)
    )
    values = (a - c) / np.maximum(1 - c, 1 / len(control))
    low, high = np.quantile(values, (0.5 - level / 2, 0.5 + level / 2))
    return float(low), float(high)


def singled_out(x: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Return which rows of `x` are alone within `radius` of some row of `centre`."""
    out = np.zeros(len(x), bool)
    for start in range(0, len(centre), 1024):
        inside = squares(centre[start : start + 1024], x) <= radius**2
        alone = inside[inside.sum(axis=1) == 1]
        out |= alone.any(axis=0)
    return out


def linked(limb: np.ndarray, chest: np.ndarray, synth: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return whose limb and chest leads have one of their k nearest synthetic records in common."""
    near = []
    for x, s in zip((limb, chest), synth, strict=True):
        k = min(NEIGHBOURS, len(s))
        near.append(
            np.concatenate(
                [
                    np.argpartition(squares(x[i : i + 256], s), k - 1, axis=1)[:, :k]
                    for i in range(0, len(x), 256)
                ]
            )
        )
    return (near[0][:, :, None] == near[1][:, None, :]).any(axis=(1, 2))


@dataclass(frozen=True, eq=False)
class Criterion:
    """One of the three criteria: which patients an attack succeeds on.

    Parameters
    ----------
    id, label : str
    attack, baseline, control : ndarray of bool, shape (patients,)
        Training patients, the same attacked naively, holdout patients.
    planted : ndarray of bool
        Training patients of whom a copy was put into the synthetic set.
    why : str
        Why it could not be run; empty where it was.
    """

    id: str
    label: str
    attack: np.ndarray
    baseline: np.ndarray
    control: np.ndarray
    planted: np.ndarray
    why: str = ""

    @property
    def risk(self) -> Risk:
        return risk(*self.counts())

    def counts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return successes and attacks, training and holdout."""
        a, c = ((int(x.sum()), len(x)) for x in (self.attack, self.control))
        return a, c

    @property
    def p(self) -> float:
        """One-sided exact p (Fisher): training patients succeed no more often than others."""
        from scipy.stats import fisher_exact

        (a, n), (c, m) = self.counts()
        return float(fisher_exact([[a, n - a], [c, m - c]], alternative="greater").pvalue)

    def upper(self, rng: np.random.Generator) -> float:
        """Return the larger of the two upper limits; no risk is above 1."""
        return min(max(self.risk.high, bootstrap_risk(self.attack, self.control, rng)[1]), 1.0)


def _criteria(
    sides: Mapping[str, np.ndarray],
    leads: Sequence[str],
    labels: Mapping[str, Mapping[str, Any]],
    rng: np.random.Generator,
) -> list[Criterion]:
    """Run the attacks on one record a patient, equal numbers on either side."""
    train, holdout, synth = (sides[name] for name in ("train", "holdout", "synth"))
    flat = {name: x.reshape(len(x), -1) for name, x in sides.items()}
    rows = rng.permutation(len(train))[:PLANTED]
    copies = blend(flat["train"][rows].astype(np.float64), flat["synth"], RHO, rng)
    out = [_singling(flat, rows, copies, rng)]
    limb = [k for k, lead in enumerate(leads) if lead in _LIMB]
    chest = [k for k, lead in enumerate(leads) if lead not in _LIMB]
    if limb and chest:
        out.append(
            _linkability(
                train,
                holdout,
                synth,
                rows,
                copies.reshape(len(rows), *train.shape[1:]),
                limb,
                chest,
                rng,
            )
        )
    else:
        out.append(_not_run("linkability", "linkability", "limb and chest leads are needed"))
    out += [_inference(flat, rows, copies, name, known) for name, known in labels.items()]
    if not labels:
        why = "the synthetic records carry no label"
        out.append(_not_run("inference", "inference of an attribute", why))
    return out


def _not_run(id: str, label: str, why: str) -> Criterion:
    none = np.zeros(0, bool)
    return Criterion(id, label, none, none, none, none, why)


def _singling(
    flat: Mapping[str, np.ndarray], rows: np.ndarray, copies: np.ndarray, rng: np.random.Generator
) -> Criterion:
    axes = principal_axes(flat["synth"])
    t, h, s, c = axes(flat["train"]), axes(flat["holdout"]), axes(flat["synth"]), axes(copies)
    real, own = np.concatenate([t, h]), np.arange(len(t) + len(h))
    # Closer than 19 of 20 patients have any other patient: a ball of this radius holds one at most.
    radius = float(np.quantile(nearest(real, real, (own, own))[0], 0.05))
    # The naive attacker knows two moments of the synthetic set: the axes have unit variance.
    guess = rng.standard_normal(s.shape)
    planted = singled_out(t, np.concatenate([s, c]), radius)[rows]
    return Criterion(
        "singling_out",
        "singling out",
        singled_out(t, s, radius),
        singled_out(t, guess, radius),
        singled_out(h, s, radius),
        planted,
    )


def _linkability(
    train: np.ndarray,
    holdout: np.ndarray,
    synth: np.ndarray,
    rows: np.ndarray,
    copies: np.ndarray,
    limb: list[int],
    chest: list[int],
    rng: np.random.Generator,
) -> Criterion:
    axes = [principal_axes(synth[:, at].reshape(len(synth), -1)) for at in (limb, chest)]

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b = (f(x[:, at].reshape(len(x), -1)) for f, at in zip(axes, (limb, chest), strict=True))
        return a, b

    t, h, s = parts(train), parts(holdout), parts(synth)
    with_copies = parts(np.concatenate([synth, copies]))
    other = np.roll(rng.permutation(len(train)), 1)  # somebody's chest leads
    mixed = np.empty(len(train), int)
    mixed[np.roll(other, -1)] = other
    return Criterion(
        "linkability",
        "linkability of limb and chest leads",
        linked(*t, s),
        linked(t[0], t[1][mixed], s),
        linked(*h, s),
        linked(*t, with_copies)[rows],
    )


def _inference(
    flat: Mapping[str, np.ndarray],
    rows: np.ndarray,
    copies: np.ndarray,
    name: str,
    known: Mapping[str, Any],
) -> Criterion:
    """Guess an attribute from the nearest synthetic record; empty labels are unknown."""
    label = {side: np.asarray(known[side]).astype(str) for side in ("train", "holdout", "synth")}
    have = {side: v != "" for side, v in label.items()}
    few = min(int(v.sum()) for v in have.values())
    title = f"inference of {name}"
    if few < 2 or len(np.unique(label["synth"][have["synth"]])) < 2:
        return _not_run(f"inference_{name}", title, f"fewer than two known values of {name}")
    axes = principal_axes(flat["synth"])
    s, tags = axes(flat["synth"][have["synth"]]), label["synth"][have["synth"]]

    def right(x: np.ndarray, truth: np.ndarray, synth: np.ndarray, tags: np.ndarray) -> np.ndarray:
        return tags[nearest(axes(x), synth)[1]] == truth

    side = {k: (flat[k][have[k]], label[k][have[k]]) for k in ("train", "holdout")}
    values, counts = np.unique(tags, return_counts=True)
    planted = rows[have["train"][rows]]
    found = right(
        flat["train"][planted],
        label["train"][planted],
        np.concatenate([s, axes(copies[have["train"][rows]])]),
        np.concatenate([tags, label["train"][planted]]),
    )
    return Criterion(
        f"inference_{name}",
        title,
        right(*side["train"], s, tags),
        side["train"][1] == values[counts.argmax()],
        right(*side["holdout"], s, tags),
        found,
    )


_WP29_RULE = (
    "for each of singling out, linkability and inference, R = (training - control) / (1 - control) "
    "over patients, unclipped. FAIL: training patients succeed more often (Fisher's exact test, "
    f"p < {P_FAIL:g} over the criteria that ran). PASS: the larger upper 95 % limit (propagated, "
    f"bootstrap) at most {MOST_RISK:g}, the attack ahead of its naive baseline, and "
    f"at least {LEAST_RECALL:.0%} of patients found whose copy was planted; else INCONCLUSIVE. "
    "The finding takes the worst"
)


def _verdict(c: Criterion, upper: float, tests: int) -> Verdict:
    if c.why:
        return Verdict.NOT_ASSESSABLE
    if c.p < P_FAIL / tests:
        return Verdict.FAIL
    strong = c.attack.mean() > c.baseline.mean() and c.planted.mean() >= LEAST_RECALL
    return Verdict.PASS if strong and upper <= MOST_RISK else Verdict.INCONCLUSIVE


def _risk_estimates(
    criteria: Sequence[Criterion],
    uppers: Mapping[str, float],
    section: str,
    sizes: Mapping[str, Any],
) -> list[Estimate]:
    out = []
    for c in criteria:
        if c.why:
            continue
        r, at = c.risk, f"{section}.wp29.{c.id.replace(' ', '_')}"
        out.append(
            Estimate(
                f"{at}.risk",
                r.value,
                (r.low, r.high),
                p=c.p,
                null=0,
                better="lower",
                label=f"risk beyond the holdout: {c.label}",
                method="(attack - control) / (1 - control), Wilson centres, first-order "
                "propagation; "
                "p: Fisher, one-sided",
                **sizes,
            )
        )
        out.append(
            Estimate(
                f"{at}.risk_upper",
                uppers[c.id],
                better="lower",
                label=f"upper 95 % limit of the risk: {c.label}",
                method="the larger of propagated and patient-bootstrap limit",
                **sizes,
            )
        )
    return out


def _wp29_finding(
    criteria: Sequence[Criterion], uppers: Mapping[str, float], section: str
) -> Finding:
    verdicts = {c.label: _verdict(c, uppers.get(c.id, 1.0), len(uppers)) for c in criteria}
    ran = [c for c in criteria if not c.why]
    found = worst(v for v in verdicts.values() if v != Verdict.NOT_ASSESSABLE)
    skipped = [f"{c.label} ({c.why})" for c in criteria if c.why]
    if found == Verdict.PASS and skipped:
        found = Verdict.INCONCLUSIVE
    limits = ", ".join(f"{c.label} {uppers[c.id]:.2f}" for c in ran)
    failed = [label for label, v in verdicts.items() if v == Verdict.FAIL]
    title = (
        f"{' and '.join(failed)} succeeds more often on training than on holdout patients"
        if failed
        else "upper limits of the risk beyond the holdout: " + limits
    )
    text = "Upper 95 % limits: " + limits + "." if failed else ""
    if skipped:
        text += " Not run: " + "; ".join(skipped) + "."
    text += (
        " The criteria are those of Opinion 05/2014 (WP 216). Whether what remains is acceptable "
        "is for the controller to judge."
    )
    return Finding(
        "PRIV-WP29",
        found,
        title,
        text.strip(),
        tuple(f"{section}.wp29.{c.id.replace(' ', '_')}.risk" for c in ran),
        _WP29_RULE,
        section,
    )


def _wp29_table(criteria: Sequence[Criterion], uppers: Mapping[str, float], section: str) -> Table:
    rows: list[tuple[Any, ...]] = []
    for c in criteria:
        verdict = str(_verdict(c, uppers.get(c.id, 1.0), len(uppers)))
        if c.why:
            rows.append((c.label, *(None,) * 9, verdict, c.why))
            continue
        rows.append(
            (
                c.label,
                len(c.attack),
                float(c.attack.mean()),
                float(c.baseline.mean()),
                float(c.control.mean()),
                *c.risk,
                uppers[c.id],
                float(c.planted.mean()),
                verdict,
                "" if c.attack.mean() > c.baseline.mean() else "no better than the naive attack",
            )
        )
    return Table(
        f"{section}.wp29",
        "Singling out, linkability, inference",
        (
            "criterion",
            "patients a side",
            "attack",
            "naive baseline",
            "holdout control",
            "risk",
            "ci_low",
            "ci_high",
            "upper limit",
            "recall of planted copies",
            "verdict",
            "note",
        ),
        tuple(rows),
        "Shares of patients attacked with success. Risk: (attack - control) / (1 - control), not "
        "clipped. A copy correlates with its source at "
        f"{RHO:g}.",
        section,
    )
