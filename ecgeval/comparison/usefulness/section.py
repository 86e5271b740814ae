"""What can be learnt from synthetic ECGs: train on synthetic, test on real, and the reverse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.usefulness.checks import STATISTICS, TSTR
from ecgeval.errors import UsageError
from ecgeval.measures import measure_info
from ecgeval.parallel import Progress, child_rng, map_shards, quiet
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.classifiers import Fit, ridge_logistic, wide_ridge_logistic
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import level_counts, resample_weights
from ecgeval.stats.sample import MIN_PATIENTS, Sample, rescale
from ecgeval.stats.two_sample import duplicate_groups, measure_features

__all__ = ["USEFUL_MARGIN", "compare_usefulness"]


USEFUL_MARGIN = 0.05
"""Largest fall of the AUC that still counts as learning as well from synthetic records."""

FOLDS = 5
MAX_CLASSES = 10
_DESIGNS = {
    "trtr": "trained on real, tested on real",
    "tstr": "trained on synthetic, tested on real",
    "trts": "trained on real, tested on synthetic",
}
_SCORES = {"auc": "AUC", "balanced_accuracy": "balanced accuracy"}


def compare_usefulness(
    real: pd.DataFrame,
    synth: pd.DataFrame,
    labels_real: pd.Series | pd.DataFrame,
    labels_synth: pd.Series | pd.DataFrame | None,
    *,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    seed: int = 0,
    jobs: int = 1,
    quick: bool = False,
    features: tuple[Floats, Floats] | None = None,
    progress: Progress = quiet,
    section: str = "usefulness",
) -> Results:
    """Learn a label from synthetic records and test it on real ones; the reverse; real on real.

    Records are dealt into five folds, patients and identical records kept whole. For each fold a
    ridge logistic regression on the measures (one class against the rest) is trained on the real
    records of the other folds, and on as many synthetic ones, and tested on the fold.

    Parameters
    ----------
    real, synth : DataFrame
        One row a record, columns among those of `ecgeval.measure`; other columns are ignored.
    labels_real, labels_synth : Series or DataFrame
        One row a record in the same order; NaN where unknown. A Series is one label, a DataFrame
        several. A number must come in bands. None, or a column not there, where the synthetic set
        has no labels.
    patients_real, patients_synth : array_like, shape (n,)
    seed : int
    jobs : int
        Processes; the result does not depend on it.
    quick : bool
        Fewer draws.
    features : (ndarray, ndarray), optional
        Further features of the real and the synthetic records, for example random convolutions.
    progress : callable
    section : str

    Returns
    -------
    Results
        One section that decides nothing. Estimates ``{section}.{label}.{design}_{score}`` with
        design tstr, trts or trtr and score auc or balanced_accuracy, and the differences
        ``tstr_auc_difference`` and ``tstr_balanced_accuracy_difference`` (TSTR less TRTR). One
        finding USE-TSTR a label.

    Raises
    ------
    UsageError
        If rows, labels and patients do not match, or a label has more than ten values.

    References
    ----------
    Esteban, Hyland and Ratsch 2017, arXiv:1706.02633
    """
    x, patients = _inputs(real, synth, patients_real, patients_synth, features)
    columns = _labels(labels_real, len(real), "real")
    others = {} if labels_synth is None else _labels(labels_synth, len(synth), "synthetic")
    rest = {None: next(iter(others.values()))} if len(others) == len(columns) == 1 else {}
    answers = []
    for i, (name, own) in enumerate(columns.items()):
        progress("usefulness", i, len(columns))
        other = others.get(name, rest.get(None))
        answers.append(
            _one_label(
                name, x, (own, other), patients, seed, jobs, quick, features is not None, section
            )
        )
    progress("usefulness", len(columns), len(columns))
    head = Section(
        section,
        "Can one learn from the synthetic ECGs?",
        f"{len(real):,} real and {len(synth):,} synthetic records; labels: {', '.join(columns)}.",
        gate=False,
    )
    shown = [row for answer in answers for row in answer.rows]
    return Results(
        sections=(head,),
        estimates=tuple(e for answer in answers for e in answer.estimates),
        findings=tuple(answer.finding for answer in answers),
        tables=(
            Table.of(
                pd.DataFrame([answer.table for answer in answers]),
                f"{section}.labels",
                "What can be learnt from which set",
                section=section,
                caption="AUC (macro average over classes, one against the rest). Equal numbers of "
                "training records in all designs.",
            ),
        ),
        figures=(
            Figure(
                f"{section}.auc",
                "effects",
                "Train on synthetic, test on real",
                {"xlabel": "AUC", "null": 0.5, "rows": shown},
                section=section,
            ),
        )
        if shown
        else (),
    )


@dataclass(frozen=True)
class _Answer:
    """One label."""

    estimates: list[Estimate]
    finding: Finding
    table: dict[str, Any]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class _Side:
    """One set's labelled records; `group` is shared by both sets."""

    x: Floats
    y: NDArray[np.intp]
    patient: NDArray[np.intp]
    group: NDArray[np.intp]

    def take(self, keep: NDArray[Any]) -> _Side:
        """Return some records, patients numbered anew."""
        patient = np.unique(self.patient[keep], return_inverse=True)[1]
        return _Side(self.x[keep], self.y[keep], patient, self.group[keep])


# ---- input ---------------------------------------------------------------------------------------


def _inputs(
    real: pd.DataFrame,
    synth: pd.DataFrame,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    extra: tuple[Floats, Floats] | None,
) -> tuple[tuple[Floats, Floats], tuple[ArrayLike, ArrayLike]]:
    columns = [str(c) for c in real.columns if c in set(synth.columns) and _known(str(c))]
    if not columns and extra is None:
        raise UsageError(
            "no measure is in both tables; expected columns such as hr_bpm or qrs_ms, as "
            "`ecgeval measure` writes them"
        )
    circular = [measure_info(c).circular for c in columns]
    out = []
    for table, patients, which, more in zip(
        (real, synth),
        (patients_real, patients_synth),
        ("real", "synthetic"),
        extra or (None, None),
        strict=True,
    ):
        if np.shape(patients) != (len(table),) or (more is not None and len(more) != len(table)):
            raise UsageError(
                f"{np.size(patients)} patient ids for {len(table)} rows of the {which} table; "
                "expected one id, and one row of further features, a record"
            )
        x = measure_features(Sample.of(table, columns, patients).values, circular)[0]
        out.append(x if more is None else np.hstack([x, more]))
    return (out[0], out[1]), (patients_real, patients_synth)


def _known(column: str) -> bool:
    try:
        measure_info(column)
    except KeyError:
        return False
    return True


def _labels(given: pd.Series | pd.DataFrame, n: int, which: str) -> dict[str, pd.Series]:
    """Return labels as text by name; 1, 1.0 and True are told apart from text only."""
    table = given.to_frame(given.name or "label") if isinstance(given, pd.Series) else given
    if len(table) != n:
        raise UsageError(
            f"{len(table)} labels for {n} {which} records; expected one a record, in their order"
        )
    out = {}
    for name, column in table.items():
        if pd.api.types.is_float_dtype(column) or pd.api.types.is_integer_dtype(column):
            text = column.map(lambda v: f"{v:g}", na_action="ignore")
        else:
            text = column.map(str, na_action="ignore")
        if text.nunique() > MAX_CLASSES:
            raise UsageError(
                f"label {str(name)!r} of the {which} set has {text.nunique()} different values; "
                f"expected at most {MAX_CLASSES}: put a number into bands first (pandas.cut)"
            )
        out[str(name)] = text
    return out


# ---- one label -----------------------------------------------------------------------------------


def _one_label(
    name: str,
    x: tuple[Floats, Floats],
    labels: tuple[pd.Series, pd.Series | None],
    patients: tuple[ArrayLike, ArrayLike],
    seed: int,
    jobs: int,
    quick: bool,
    wide: bool,
    section: str,
) -> _Answer:
    from scipy.stats import t as student_t

    slug = re.sub(r"[^\w\-]+", "_", name)
    found = _sides(name, x, labels, patients)
    if isinstance(found, str):
        return _not_assessable(f"{section}.{slug}", name, found, section, seed)
    sides, classes, left_out = found
    fit = wide_ridge_logistic if wide else ridge_logistic
    rng = child_rng(seed, section, slug)
    draws, halves = (300, 8) if quick else (1000, 20)
    own = _evaluate(*sides, len(classes), fit, draws, rng)
    one = partial(_floor, sides[0], len(classes), fit, seed, f"{section}.{slug}.floor")
    null = np.array(map_shards(one, range(halves), jobs=jobs))
    n = [int(side.patient.max()) + 1 for side in sides]
    null = null * rescale(n[0], n[1], n[0] / 2, n[0] / 2)
    estimates = []
    reach = student_t.ppf(0.975, halves) * np.sqrt(np.mean(null**2, axis=0))
    for k, (score, words) in enumerate(_SCORES.items()):
        low, high = -float(reach[k]), float(reach[k])
        # What real records do for each other at these sizes is TRTR and the noise about it.
        middle = own["trtr"].value[k]
        for design, how in _DESIGNS.items():
            tested = sides[design == "trts"]
            estimates.append(
                _estimate(
                    f"{section}.{slug}.{design}_{score}",
                    own[design].value[k],
                    own[design].interval(k),
                    (max(middle + low, 0.0), min(middle + high, 1.0)),
                    sides,
                    seed,
                    f"{name}, {how}: {words}",
                    f"{FOLDS} folds of patients, {own['trtr'].size} training records in every "
                    f"design; CI bootstrap of the {len(np.unique(tested.patient))} patients tested",
                    1 / len(classes) if k else None,
                )
            )
        estimates.append(
            _estimate(
                f"{section}.{slug}.tstr_{score}_difference",
                own["tstr"].value[k] - middle,
                percentile_interval(own["tstr"].drawn[k] - own["trtr"].drawn[k]),
                (low, high),
                sides,
                seed,
                f"{name}, trained on synthetic less trained on real, tested on real: {words}",
                "the same real records tested; CI paired bootstrap of their patients, the "
                f"classifiers given; floor from {halves} times one half of the real patients "
                "in place of the synthetic, normal about 0",
            )
        )
    by_id = {e.id.rpartition(".")[2]: e for e in estimates}
    finding = _finding(name, classes, by_id, left_out, section)
    rows = [
        {
            "label": _DESIGNS[d],
            "value": by_id[f"{d}_auc"].value,
            "ci": by_id[f"{d}_auc"].ci,
            "floor": by_id[f"{d}_auc"].floor,
            "group": name,
        }
        for d in _DESIGNS
    ]
    table = {"label": name, "values": ", ".join(classes)} | {
        f"{d.upper()}": by_id[f"{d}_auc"].value for d in _DESIGNS
    }
    return _Answer(estimates, finding, table | {"training records": own["trtr"].size}, rows)


def _sides(
    name: str,
    x: tuple[Floats, Floats],
    labels: tuple[pd.Series, pd.Series | None],
    patients: tuple[ArrayLike, ArrayLike],
) -> tuple[tuple[_Side, _Side], list[str], str] | str:
    """Return the labelled records of both sets and the classes; or why they cannot be had."""
    own, other = labels
    if other is None or other.isna().all():
        return (
            f"the synthetic records carry no label {name!r}; give the label each was generated "
            "for (a column of that name), or have them read as the real ones were"
        )
    counts = []
    for label, who in zip((own, other), patients, strict=True):
        ids = pd.Series(np.asarray(who, dtype=object).astype(str), index=label.index)
        counts.append(ids.groupby(label).nunique())
    every = sorted(set(own.dropna()) | set(other.dropna()))
    classes = [c for c in every if min(n.get(c, 0) for n in counts) >= MIN_PATIENTS]
    small = [
        f"{c} ({counts[0].get(c, 0)} real and {counts[1].get(c, 0)} synthetic patients)"
        for c in every
        if c not in classes
    ]
    if len(classes) < 2:
        return (
            f"fewer than two values of {name!r} have {MIN_PATIENTS} patients in both sets: "
            + ", ".join(small)
        )
    values = np.concatenate(x)
    named = [np.asarray(who, dtype=object).astype(str) for who in patients]
    patient = np.concatenate(
        [
            np.unique(named[0], return_inverse=True)[1],
            len(np.unique(named[0])) + np.unique(named[1], return_inverse=True)[1],
        ]
    )
    group = duplicate_groups(values, patient)
    both = pd.concat([own, other], ignore_index=True)
    y = pd.Categorical(both, categories=classes).codes.astype(int)
    n = len(own)
    all_ = _Side(values, y, patient, group)
    sides = all_.take(np.flatnonzero(y[:n] >= 0)), all_.take(n + np.flatnonzero(y[n:] >= 0))
    lost = [int((y[:n] < 0).sum()), int((y[n:] < 0).sum())]
    text = f"{lost[0]} real and {lost[1]} synthetic records without one of these values are left "
    text = f"{text}out. " if any(lost) else ""
    return sides, classes, text + (f"Too few patients: {', '.join(small)}. " if small else "")


@dataclass(frozen=True)
class _Design:
    """AUC and balanced accuracy of one design, and their bootstrap draws, shape (2, draws)."""

    value: tuple[float, float]
    drawn: Floats
    size: int

    def interval(self, k: int) -> tuple[float, float]:
        return percentile_interval(self.drawn[k])


def _evaluate(
    real: _Side, synth: _Side, classes: int, fit: Fit, draws: int, rng: np.random.Generator
) -> dict[str, _Design]:
    """Return the three designs, tested on the same folds and after as many training records."""
    fold = rng.integers(FOLDS, size=max(real.group.max(), synth.group.max()) + 1)
    of = fold[real.group], fold[synth.group]
    odds = {d: np.zeros((len((real, synth)[d == "trts"].y), classes)) for d in _DESIGNS}
    size = min(int((f != k).sum()) for f in of for k in range(FOLDS))
    for k in range(FOLDS):
        learn = [
            side.take(np.sort(rng.permutation(np.flatnonzero(f != k))[:size]))
            for side, f in zip((real, synth), of, strict=True)
        ]
        score = [_one_against_rest(part.x, part.y, classes, fit) for part in learn]
        held = [f == k for f in of]
        for design, by, on in (("trtr", 0, 0), ("tstr", 1, 0), ("trts", 0, 1)):
            if held[on].any():
                odds[design][held[on]] = score[by]((real, synth)[on].x[held[on]])
    out = {}
    weights = [resample_weights(int(s.patient.max()) + 1, draws, rng) for s in (real, synth)]
    for design, values in odds.items():
        on = int(design == "trts")
        tested, w = (real, synth)[on], weights[on]
        once = np.ones((len(w), 1), np.float32)
        value, drawn = (_scores(values, tested, classes, u) for u in (once, w))
        out[design] = _Design((float(value[0, 0]), float(value[1, 0])), drawn, size)
    return out


def _one_against_rest(x: Floats, y: NDArray[np.intp], classes: int, fit: Fit) -> Any:
    """Return a function from features to log-odds of each class."""
    known = range(1, classes) if classes == 2 else range(classes)
    fits = [fit(x, y == c) if 0 < (y == c).sum() < len(y) else None for c in known]

    def score(new: Floats) -> Floats:
        odds = [np.zeros(len(new)) if f is None else f(new) for f in fits]
        return np.column_stack([-odds[0], *odds] if classes == 2 else odds)

    return score


def _scores(odds: Floats, side: _Side, classes: int, weights: Floats) -> Floats:
    """Return AUC and balanced accuracy of every draw of patients, shape (2, draws)."""
    n_patients = len(weights)
    hit = odds.argmax(axis=1) == side.y
    areas, recalls = [], []
    for c in range(classes):
        mine = side.y == c
        level = np.unique(odds[:, c], return_inverse=True)[1]
        for_, against = (
            level_counts(level[of], side.patient[of], int(level.max()) + 1, n_patients) @ weights
            for of in (mine, ~mine)
        )
        total = np.maximum(for_.sum(axis=0), 1) * np.maximum(against.sum(axis=0), 1)
        areas.append(np.einsum("kb,kb->b", np.cumsum(against, axis=0) - against / 2, for_) / total)
        counts = [np.bincount(side.patient, mine & of, n_patients) for of in (hit, mine)]
        right, all_ = (count.astype(np.float32) @ weights for count in counts)
        recalls.append(right / np.maximum(all_, 1))
    return np.array([np.mean(areas, axis=0), np.mean(recalls, axis=0)], dtype=float)


def _floor(
    real: _Side, classes: int, fit: Fit, seed: int, name: str, index: int
) -> tuple[float, float]:
    """Return TSTR less TRTR with one half of the real patients in place of the synthetic ones."""
    rng = child_rng(seed, name, index)
    groups = np.unique(real.group)
    half = np.isin(real.group, rng.permutation(groups)[: len(groups) // 2])
    own = _evaluate(real.take(~half), real.take(half), classes, fit, 1, rng)
    differences = np.subtract(own["tstr"].value, own["trtr"].value)
    return float(differences[0]), float(differences[1])


# ---- what is said --------------------------------------------------------------------------------


def _estimate(
    id: str,
    value: float | None,
    ci: tuple[float, float] | None,
    floor: tuple[float, float] | None,
    sides: Sequence[_Side],
    seed: int,
    label: str,
    method: str,
    null: float | None = None,
) -> Estimate:
    about = STATISTICS[id.rpartition(".")[2]]
    n = [len(side.y) for side in sides] or [0, 0]
    people: list[int | None] = [len(np.unique(side.patient)) for side in sides]
    people = people or [None, None]
    return Estimate(
        id,
        value,
        ci,
        None,
        floor,
        n[0],
        n[1],
        about.unit or "",
        about.better,
        method,
        seed,
        label,
        about.null if null is None else null,
        patients_real=people[0],
        patients_synth=people[1],
    )


def _not_assessable(stem: str, name: str, why: str, section: str, seed: int) -> _Answer:
    id = f"{stem}.tstr_auc"
    estimate = _estimate(
        id, None, None, None, (), seed, f"{name}, {_DESIGNS['tstr']}: AUC", f"not computed: {why}"
    )
    finding = TSTR.finding(
        Verdict.NOT_ASSESSABLE,
        f"Whether {name!r} can be learnt is not known: {why}",
        estimates=(id,),
        section=section,
        rule=f"Needs two values of the label with {MIN_PATIENTS} patients each in both sets.",
    )
    table = {
        "label": name,
        "values": "",
        "TRTR": None,
        "TSTR": None,
        "TRTS": None,
        "training records": 0,
    }
    return _Answer([estimate], finding, table, [])


def _finding(
    name: str, classes: Sequence[str], by_id: dict[str, Estimate], left_out: str, section: str
) -> Finding:
    loss, trtr, tstr, trts = (
        by_id[f"{key}"] for key in ("tstr_auc_difference", "trtr_auc", "tstr_auc", "trts_auc")
    )
    assert loss.ci
    assert loss.floor
    assert loss.value is not None
    assert trtr.ci
    assert trts.ci
    numbers = (
        f"AUC {tstr.value:.2f} after training on synthetic against {trtr.value:.2f} on real "
        f"records (difference {loss.value:+.2f}, 95 % CI {loss.ci[0]:+.2f} to {loss.ci[1]:+.2f})"
    )
    # Synthetic records know no more of other patients than real ones do, unless they come from
    # the very patients that are tested.
    # The interval takes the classifiers as given; the floor holds how much they vary.
    better = loss.ci[0] > 0 and loss.value > loss.floor[1]
    if better:
        verdict = Verdict.INCONCLUSIVE
        title = f"{name} is learnt better from the synthetic records than from as many real ones: "
    elif trtr.ci[0] <= 0.5:
        verdict = Verdict.NOT_ASSESSABLE
        title = f"{name} cannot be read from the measures, not even after training on real: "
    elif min(loss.ci[0], loss.floor[0]) > -USEFUL_MARGIN:
        verdict, title = Verdict.PASS, f"{name} is learnt as well from the synthetic records: "
    elif loss.ci[1] < -USEFUL_MARGIN:
        verdict, title = Verdict.FAIL, f"{name} is learnt less well from the synthetic records: "
    else:
        verdict = Verdict.INCONCLUSIVE
        title = f"Whether {name} is learnt as well from the synthetic records is open: "
    text = f"Values: {', '.join(classes)}. {left_out}Trained on real and tested on synthetic "
    text += f"records the AUC is {trts.value:.2f}"
    if trts.ci[0] > trtr.ci[1]:
        text += ": the synthetic classes are easier to tell than real ones, a caricature"
    elif trts.ci[1] < trtr.ci[0]:
        text += ": the synthetic labels or what goes with them are not those of real patients"
    text += "."
    if better:
        text += (
            " Training on synthetic beats training on real beyond its interval and floor: one "
            "explanation is that copies of the patients tested are among the synthetic records, "
            "and what looks like merit is a leak. Run `ecgeval audit` before using this number. "
            "Another is that the synthetic classes are caricatures, which are easier to learn from."
        )
    elif verdict == Verdict.PASS:
        text += " Copies of real records would score well too: read this beside the audit."
    return TSTR.finding(
        verdict,
        title + numbers,
        text,
        estimates=(loss.id, tstr.id, trtr.id, trts.id),
        rule="Descriptive, no gate: PASS if the 95 % CI of the difference in AUC and its floor lie "
        f"above −{USEFUL_MARGIN:g} (a proposal), FAIL if the CI lies below it, else INCONCLUSIVE; "
        "NOT_ASSESSABLE if the CI after training on real reaches 0.5. Never PASS where the CI lies "
        "above 0 and the difference above its floor: copies would do that.",
        section=section,
    )
