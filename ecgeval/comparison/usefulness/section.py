"""What can be learnt from synthetic ECGs: train on synthetic, test on real, and the reverse."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.labels import groups_of, label_columns
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.usefulness.checks import STATISTICS
from ecgeval.comparison.usefulness.designs import DESIGNS, FOLDS, SCORES, Labelled, evaluate, floor
from ecgeval.comparison.usefulness.findings import SLUG, learnt, not_assessable
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng, map_shards
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table
from ecgeval.stats.arrays import Bools, Floats
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.sample import MIN_PATIENTS, rescale
from ecgeval.stats.two_sample import duplicate_groups, measure_features

__all__ = ["compare"]

MOST_GROUPS = 10
"""Groups of a label up to which it is learnt."""

Groups = Mapping[str, tuple[Bools, Bools | None]]


def compare(pair: Pair) -> Results:
    """Learn labels from synthetic records and test them on real ones; the reverse; real on real.

    Records are dealt into five folds, patients and identical records kept whole. For each fold a
    ridge logistic regression on the measures (one class against the rest) is trained on the real
    records of the other folds, and on as many synthetic ones, and tested on the fold.

    Parameters
    ----------
    pair : Pair
        Of it: measures, patients, labels, `by`. A label of more than ten groups is left out.

    Returns
    -------
    Results
        One section that decides nothing; empty where no label is known. One finding ``USE-TSTR`` a
        label. Estimates ``usefulness.{label}.{design}_{score}`` with design tstr, trts or trtr and
        score auc or balanced_accuracy, and the differences ``tstr_auc_difference`` and
        ``tstr_balanced_accuracy_difference`` (TSTR less TRTR).

    Raises
    ------
    UsageError
        If no measure is in both tables.

    References
    ----------
    Esteban, Hyland and Ratsch 2017, arXiv:1706.02633
    """
    if not len(pair.real.measures):
        return Results()
    known = pair.real.known, pair.synth.known
    groups = {c: groups_of(known[0][c], known[1].get(c)) for c in label_columns(pair)}
    # Where there are too many groups the subgroups say so.
    labels = {c: found for c, found in groups.items() if 0 < len(found) <= MOST_GROUPS}
    if not labels:
        return Results()
    real, synth = pair.samples
    circular = [measure_info(c).circular for c in pair.columns]
    x = np.concatenate([measure_features(s.values, circular)[0] for s in (real, synth)])
    estimates: list[Estimate] = []
    found, rows, shown = [], [], []
    for i, label in enumerate(labels):
        pair.progress("usefulness", i, len(labels))
        own, finding, row = _learn(pair, label, labels[label], x)
        estimates += own.values()
        found.append(finding)
        rows.append(row)
        shown += [
            {"label": how, "value": e.value, "ci": e.ci, "floor": e.floor, "group": label}
            for design, how in DESIGNS.items()
            if (e := own.get(f"{design}_auc")) and e.value is not None
        ]
    pair.progress("usefulness", len(labels), len(labels))
    head = Section(
        SLUG,
        "Can one learn from the synthetic ECGs?",
        f"{len(real.patient):,} real and {len(synth.patient):,} synthetic records; labels: "
        f"{', '.join(labels)}.",
        gate=False,
    )
    table = Table.of(
        pd.DataFrame(rows),
        f"{SLUG}.labels",
        "What can be learnt from which set",
        section=SLUG,
        caption="AUC (macro average over classes, one against the rest). Equal numbers of training "
        "records in all designs.",
    )
    figure = Figure(
        f"{SLUG}.auc",
        "effects",
        "Train on synthetic, test on real",
        {"xlabel": "AUC", "null": 0.5, "rows": shown},
        section=SLUG,
    )
    return Results(
        sections=(head,),
        estimates=tuple(estimates),
        findings=tuple(found),
        tables=(table,),
        figures=(figure,) if shown else (),
    )


def _learn(
    pair: Pair, label: str, groups: Groups, x: Floats
) -> tuple[dict[str, Estimate], Finding, dict[str, Any]]:
    """Return a label's estimates by the name of their statistic, its finding, its row."""
    slug = re.sub(r"[^\w\-]+", "_", label)
    labelled = _labelled(pair, label, groups, x)
    if isinstance(labelled, str):
        missing = _estimate(
            f"{SLUG}.{slug}.tstr_auc",
            label=f"{label}, {DESIGNS['tstr']}: AUC",
            method=f"not computed: {labelled}",
            seed=pair.seed,
        )
        own = {"tstr_auc": missing}
        return own, not_assessable(label, labelled, missing.id), _row(label, [], own, 0)
    sides, classes, left_out = labelled
    found = evaluate(
        *sides, len(classes), 300 if pair.quick else 1000, child_rng(pair.seed, SLUG, slug)
    )
    reach = _noise(pair, sides, len(classes), f"{SLUG}.{slug}.floor")
    own = {}
    for k, (score, words) in enumerate(SCORES.items()):
        # What real records do for each other at these sizes is TRTR and the noise about it.
        middle = found["trtr"].value[k]
        for design, how in DESIGNS.items():
            tested = sides[design == "trts"]
            own[f"{design}_{score}"] = _estimate(
                f"{SLUG}.{slug}.{design}_{score}",
                sides,
                value=found[design].value[k],
                ci=percentile_interval(found[design].draws[k]),
                floor=(max(middle - reach[k], 0.0), min(middle + reach[k], 1.0)),
                label=f"{label}, {how}: {words}",
                method=f"{FOLDS} folds of patients, {found[design].trained} training records in "
                f"every design; CI bootstrap of the {tested.n_patients} patients tested",
                seed=pair.seed,
                null=1 / len(classes) if score == "balanced_accuracy" else 0.5,
            )
        own[f"tstr_{score}_difference"] = _estimate(
            f"{SLUG}.{slug}.tstr_{score}_difference",
            sides,
            value=found["tstr"].value[k] - middle,
            ci=percentile_interval(found["tstr"].draws[k] - found["trtr"].draws[k]),
            floor=(-reach[k], reach[k]),
            label=f"{label}, trained on synthetic less trained on real, tested on real: {words}",
            method="the same real records tested; CI paired bootstrap of their patients, the "
            f"classifiers given; floor from {_halves(pair)} times one half of the real patients "
            "in place of the synthetic, normal about 0",
            seed=pair.seed,
        )
    finding = learnt(label, classes, own, left_out)
    return own, finding, _row(label, classes, own, found["trtr"].trained)


def _labelled(
    pair: Pair, label: str, groups: Groups, x: Floats
) -> tuple[tuple[Labelled, Labelled], list[str], str] | str:
    """Return the labelled records of both sets, the classes, and a sentence on what is left out.

    Or why they cannot be had.
    """
    known = {c: (real, synth) for c, (real, synth) in sorted(groups.items()) if synth is not None}
    if not any(synth.any() for _, synth in known.values()):
        return (
            f"the synthetic records carry no label {label!r}; give the label each was generated "
            "for (a column of that name), or have them read as the real ones were"
        )
    real, synth = pair.samples
    classes, small = [], []
    for name, masks in known.items():
        n = [len(np.unique(s.patient[m])) for s, m in zip((real, synth), masks, strict=True)]
        if min(n) >= MIN_PATIENTS:
            classes.append(name)
        else:
            small.append(f"{name} ({n[0]} real and {n[1]} synthetic patients)")
    if len(classes) < 2:
        return (
            f"fewer than two values of {label!r} have {MIN_PATIENTS} patients in both sets: "
            + ", ".join(small)
        )
    y = np.full(len(x), -1)
    for code, name in enumerate(classes):
        y[np.concatenate(known[name])] = code
    patient = np.concatenate([real.patient, real.n_patients + synth.patient])
    every = Labelled(x, y, patient, duplicate_groups(x, patient))
    own = np.arange(len(x)) < len(real.patient)
    sides = every.take(own & (y >= 0)), every.take(~own & (y >= 0))
    lost = [int((y[side] < 0).sum()) for side in (own, ~own)]
    text = (
        f"{lost[0]} real and {lost[1]} synthetic records without one of these values are left out. "
        if any(lost)
        else ""
    )
    return sides, classes, text + (f"Too few patients: {', '.join(small)}. " if small else "")


def _halves(pair: Pair) -> int:
    return 8 if pair.quick else 20


def _noise(
    pair: Pair, sides: tuple[Labelled, Labelled], classes: int, name: str
) -> tuple[float, float]:
    """Return how far TSTR less TRTR reaches by chance at these sizes, of each of `SCORES`."""
    from scipy.stats import t as student_t

    real, synth = sides
    halves = _halves(pair)
    one = partial(floor, real, classes, pair.seed, name)
    null = np.array(map_shards(one, range(halves), jobs=pair.jobs))
    null *= rescale(real.n_patients, synth.n_patients, real.n_patients / 2, real.n_patients / 2)
    auc, accuracy = student_t.ppf(0.975, halves) * np.sqrt(np.mean(null**2, axis=0))
    return float(auc), float(accuracy)


def _estimate(id: str, sides: Sequence[Labelled] = (), **known: Any) -> Estimate:
    """Return an estimate with what is declared of its statistic and counted of the sets."""
    about = STATISTICS[id.rpartition(".")[2]]
    counted: dict[str, Any] = {}
    for which, side in zip(("real", "synth"), sides, strict=False):
        counted |= {f"n_{which}": len(side.y), f"patients_{which}": side.n_patients}
    declared = {"value": None, "unit": about.unit or "", "better": about.better, "null": about.null}
    return Estimate(id, **{**declared, **counted, **known})


def _row(
    label: str, classes: Sequence[str], estimates: Mapping[str, Estimate], trained: int
) -> dict[str, Any]:
    areas = {d: estimates.get(f"{d}_auc") for d in DESIGNS}
    return {
        "label": label,
        "values": ", ".join(classes),
        **{design.upper(): e.value if e else None for design, e in areas.items()},
        "training records": trained,
    }
