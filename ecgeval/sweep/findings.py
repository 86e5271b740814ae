"""What a sweep says: estimates, the choice, memory over training, a table and the curves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict
from ecgeval.sweep.checks import BEST, DAMAGED, MEMORY
from ecgeval.sweep.scoring import Score, Scorer

if TYPE_CHECKING:
    from ecgeval.sweep.ranking import Energy

__all__ = ["best_finding", "memory_finding", "report", "score_curves"]

_LEVEL = 0.95

_RULE = (
    "Chosen: the least energy distance of the declared measures to the choosing patients, among "
    "checkpoints with no more copies of training patients than of others (all of them where none "
    "is left); the earlier of equals. Confirmed on other patients and other noise against the "
    "next best and the last checkpoint, by paired bootstrap of patients and records at 95 % over "
    "both (Bonferroni): PASS if its distance is below both, FAIL if above one, else INCONCLUSIVE."
)


def report(
    scores: Sequence[Score],
    chosen: Score,
    confirmed: Mapping[str, Energy],
    scorer: Scorer,
    skipped: Mapping[str, str],
) -> Results:
    """Return the section ``sweep``.

    Parameters
    ----------
    scores : sequence of Score
        Of all checkpoints, in their order.
    chosen : Score
    confirmed : mapping of str to Energy
        Distance to the confirming patients, by checkpoint, the chosen one first.
    scorer : Scorer
    skipped : mapping of str to str
        Why checkpoints could not be read, by file name.
    """
    people, patients = scorer.people, scorer.patients
    estimates = [e for s in scores for e in _estimates(s, scorer)]
    best, *rivals = confirmed.items()
    estimates += [_energy_estimate("confirmed", name, e, scorer) for name, e in confirmed.items()]
    differences = {}
    for name, other in rivals:
        differences[name] = best[1].less(other, 1 - (1 - _LEVEL) / len(rivals))
        estimates.append(_difference_estimate(name, differences[name], best[1], scorer))
    n_confirm = len(set(people.confirm.patients(assume_independent=True)))
    left = f" ({len(skipped)} more cannot be read)" if skipped else ""
    summary = (
        f"{len(scores)} checkpoints{left}, {scorer.n:,} records of each from the same noise, "
        f"against {len(people.choose):,} records of {len(set(patients[0])):,} patients that "
        f"training did not see; confirmed on {len(people.confirm):,} records of {n_confirm:,} "
        "others. What follows this section is of the chosen checkpoint, on the confirming patients."
    )
    return Results(
        sections=(Section("sweep", "Checkpoints: which one, and does it hold?", summary, False),),
        estimates=tuple(estimates),
        findings=(
            best_finding(scores, chosen, confirmed, differences),
            memory_finding(scores, scorer),
            *_damaged(skipped, len(scores)),
        ),
        tables=(_table(scores, chosen),),
        figures=(score_curves([s.row() for s in scores], (chosen.epoch, best[1])),),
    )


def best_finding(
    scores: Sequence[Score],
    chosen: Score,
    confirmed: Mapping[str, Energy],
    differences: Mapping[str, tuple[float, tuple[float, float]]],
) -> Finding:
    """Return SWEEP-BEST: which checkpoint, and whether that holds.

    Parameters
    ----------
    scores, chosen, confirmed
        As in `report`.
    differences : mapping of str to (float, (float, float))
        Distance of the chosen checkpoint less that of each rival, and its interval.
    """
    again = confirmed[chosen.name]
    below = [name for name, (_, ci) in differences.items() if ci[1] < 0]
    above = [name for name, (_, ci) in differences.items() if ci[0] > 0]
    if not differences:
        verdict, how = Verdict.NOT_ASSESSABLE, "there is no other checkpoint"
    elif above:
        verdict = Verdict.FAIL
        how = f"does not hold on other patients: {' and '.join(above)} is closer there"
    elif len(below) == len(differences):
        verdict, how = Verdict.PASS, f"holds on other patients: closer than {' and '.join(below)}"
    else:
        open_ = [name for name in differences if name not in below]
        verdict = Verdict.INCONCLUSIVE
        how = f"is not told from {' and '.join(open_)} on other patients"
        how += f", is closer than {' and '.join(below)}" if below else ""
    drop = [s.name for s in scores if s.copies]
    moved = again.value - chosen.energy.value
    noise = float(np.hypot(again.ci[1] - again.value, chosen.energy.value - chosen.energy.ci[0]))
    text = (
        f"Energy distance {_with(chosen.energy)} while choosing, {_with(again)} when confirmed: "
        + (
            "more than the noise of both: the choice made it look better than it is. "
            if moved > noise
            else "no more apart than their noise allows. "
        )
        + f"{chosen.gates[0]} of {chosen.gates[1]} declared medians and spreads were equivalent. "
    )
    if drop:
        text += f"Set aside for copies of training patients: {', '.join(drop)}. "
        text += "All were, so none is without. " if len(drop) == len(scores) else ""
    text += (
        "The best of these checkpoints need not be good: the sections below say how it stands "
        "against the confirming patients."
    )
    ids = [_id(chosen.name, "energy"), *(_id(name, "confirmed") for name in confirmed)]
    return BEST.finding(
        verdict,
        f"{chosen.name} is chosen; the choice {how}"
        if differences
        else f"{chosen.name} is the only checkpoint",
        text,
        estimates=(*ids, *(_id(name, "chosen_less") for name in differences)),
        rule=_RULE,
        section="sweep",
    )


def memory_finding(scores: Sequence[Score], scorer: Scorer) -> Finding:
    """Return SWEEP-MEMORY: from which checkpoint on training patients are told from others."""
    from ecgeval.stats.multiplicity import benjamini_hochberg

    rule = (
        "FAIL if any checkpoint's p, adjusted over checkpoints (Benjamini-Hochberg), is at most "
        "0.01, or more records are named copies of training patients than of others; else "
        "INCONCLUSIVE, for a quick look clears nothing. No gate: the audit of the chosen "
        "checkpoint is one."
    )

    def finding(verdict: Verdict, title: str, text: str = "", ids: Sequence[str] = ()) -> Finding:
        return MEMORY.finding(
            verdict, title, text, estimates=tuple(ids), rule=rule, section="sweep"
        )

    if scorer.memory is None:
        return finding(
            Verdict.NOT_ASSESSABLE, "Memory of patients cannot be looked for without `train`"
        )
    if not scorer.memory.alike:
        return finding(
            Verdict.NOT_ASSESSABLE,
            "Training and choosing patients were not drawn alike (energy test, "
            f"p = {scorer.memory.alike_p:.2g}): a closer one shows nothing",
        )
    looked = [s for s in scores if s.look is not None and s.look.auc]
    if not looked:
        return finding(Verdict.NOT_ASSESSABLE, "No record of any checkpoint could be compared")
    adjusted = benjamini_hochberg([s.look.p for s in looked if s.look])
    told = [s for s, q in zip(looked, adjusted, strict=True) if q <= 0.01]
    copied = [s for s in looked if s.copies]
    last = looked[-1]
    assert last.look is not None
    auc = ", ".join(f"{name} {a:.2f} ({_range(ci)})" for name, a, ci in last.look.auc)
    text = f"AUC of training against other patients at {last.name}: {auc}; 0.5 is no trace."
    ids = [_id(last.name, f"memory_{name.lower()}") for name, *_ in last.look.auc]
    if told or copied:
        parts = []
        if told:
            parts.append(f"training patients are told from others at {_listed(told)}")
        if copied:
            parts.append(f"records are named copies of training patients at {_listed(copied)}")
        title = " and ".join(parts)
        return finding(Verdict.FAIL, title[0].upper() + title[1:], text, ids)
    title = f"No memory of training patients was seen at {len(looked)} checkpoints"
    return finding(Verdict.INCONCLUSIVE, title, text, ids)


def _damaged(skipped: Mapping[str, str], scored: int) -> list[Finding]:
    """Return SWEEP-DAMAGED where a checkpoint could not be read."""
    if not skipped:
        return []
    n = len(skipped)
    return [
        DAMAGED.finding(
            Verdict.NOT_ASSESSABLE,
            f"{n} of {n + scored} checkpoints cannot be read and "
            f"{'was' if n == 1 else 'were'} left out: {', '.join(skipped)}",
            " ".join(f"{why}." for why in skipped.values())
            + " The choice is among the others: had these been read, it might be another.",
            rule="Listed where a file cannot be loaded; the sweep goes on with the others.",
            section="sweep",
        )
    ]


def _listed(scores: Sequence[Score]) -> str:
    first = scores[0].name
    return first if len(scores) == 1 else f"{len(scores)} checkpoints, first {first}"


def _id(checkpoint: str, statistic: str) -> str:
    return ".".join(("sweep", re.sub(r"[^\w-]", "_", checkpoint), statistic))


def _with(e: Energy) -> str:
    return f"{e.value:.3f} ({_range(e.ci, 3)})"


def _range(pair: tuple[float, float], digits: int = 2) -> str:
    return f"{pair[0]:.{digits}f} to {pair[1]:.{digits}f}".replace("-", "−")


def _estimates(s: Score, scorer: Scorer) -> list[Estimate]:
    out = [_energy_estimate("energy", s.name, s.energy, scorer)]
    n, m = s.energy.n
    sizes: dict[str, Any] = {
        "n_real": n,
        "n_synth": m,
        "patients_real": s.energy.patients[0],
        "seed": scorer.worker.config.seed,
    }
    out.append(
        Estimate(
            _id(s.name, "gates_passed"),
            s.gates[0],
            better="higher",
            label=f"{s.name}: declared medians and spreads that are equivalent",
            method=f"two one-sided tests at 5 %, of {s.gates[1]}",
            **sizes,
        )
    )
    out.append(replace(s.normal, id=_id(s.name, "pass_diff"), label=f"{s.name}: {s.normal.label}"))
    if s.look is None:
        return out
    train = scorer.form[1]
    both = {
        **sizes,
        "n_real": len(train) + n,
        "n_synth": s.look.n,
        "patients_real": len(set(scorer.patients[1])) + s.energy.patients[0],
    }
    for name, value, ci in s.look.auc:
        out.append(
            Estimate(
                _id(s.name, f"memory_{name.lower()}"),
                value,
                ci,
                s.look.p,
                better="near_null",
                null=0.5,
                label=f"{s.name}: exchangeability AUC, {name}",
                method="training against choosing patients; CI Newcombe; p of all detectors, 999 "
                "permutations of patients",
                **both,
            )
        )
    from ecgeval.stats.intervals import clopper_pearson

    low, high = clopper_pearson(s.look.copies, max(s.look.n, 1))
    out.append(
        Estimate(
            _id(s.name, "copies_count"),
            s.look.copies,
            (low * s.look.n, high * s.look.n),
            null=0,
            unit="records",
            better="lower",
            label=f"{s.name}: records named copies of training patients",
            method=f"rule of the audit, D2 and D4; of the choosing patients {s.look.control} by "
            "the same rule",
            **both,
        )
    )
    return out


def _energy_estimate(kind: str, name: str, e: Energy, scorer: Scorer) -> Estimate:
    words = {"energy": "to the choosing patients", "confirmed": "to the confirming patients"}
    return Estimate(
        _id(name, kind),
        e.value,
        e.ci,
        floor=e.floor,
        n_real=e.n[0],
        n_synth=e.n[1],
        patients_real=e.patients[0],
        better="lower",
        null=0,
        seed=scorer.worker.config.seed + (kind == "confirmed"),
        label=f"{name}: energy distance {words[kind]}",
        method="declared measures, scaled by the real patients; CI bootstrap of patients and "
        "records",
    )


def _difference_estimate(
    name: str, difference: tuple[float, tuple[float, float]], e: Energy, scorer: Scorer
) -> Estimate:
    return Estimate(
        _id(name, "chosen_less"),
        difference[0],
        difference[1],
        n_real=e.n[0],
        n_synth=e.n[1],
        patients_real=e.patients[0],
        better="lower",
        null=0,
        seed=scorer.worker.config.seed + 1,
        label=f"energy distance of the chosen checkpoint less that of {name}",
        method="confirming patients; paired bootstrap of patients and records, Bonferroni",
    )


def _table(scores: Sequence[Score], chosen: Score) -> Table:
    def row(s: Score) -> tuple[Any, ...]:
        look = s.look
        auc: list[Any] = [f"{a:.2f} ({_range(ci)})" for _, a, ci in look.auc] if look else []
        share = s.normal
        return (
            s.name,
            "chosen" if s is chosen else "",
            _with(s.energy),
            f"{s.gates[0]} of {s.gates[1]}",
            None
            if share.value is None
            else f"{share.value:+.1f}" + (f" ({_range(share.ci, 1)})" if share.ci else ""),
            *(auc or [None, None]),
            look.p if look and look.auc else None,
            look.copies if look else None,
            look.control if look else None,
            f"{s.usable} of {s.n}",
        )

    return Table(
        "sweep.checkpoints",
        "Every checkpoint",
        (
            "checkpoint",
            "",
            "energy distance (95 % CI)",
            "equivalent",
            "rule-normal, points",
            "AUC D2",
            "AUC D4",
            "memory p",
            "copies",
            "copies of others",
            "measured",
        ),
        tuple(map(row, scores)),
        "Against the choosing patients. AUC: training against other patients, 0.5 is no trace.",
        "sweep",
    )


def score_curves(rows: Sequence[Mapping[str, Any]], best: tuple[float, Energy] | None) -> Figure:
    """Return the scores over epochs, each beside its real-against-real floor.

    Parameters
    ----------
    rows : sequence of mapping
        As `Score.row` gives them, one or more.
    best : (float, Energy) or None
        Epoch of the chosen checkpoint and its confirmed distance.
    """
    x = [row["epoch"] for row in rows]

    def line(name: str, column: str, role: str, low: str = "", high: str = "") -> dict[str, Any]:
        kept = [r for r in rows if r.get(column) is not None]
        low, high = low or f"{column}_low", high or f"{column}_high"
        band = [[r.get(key) for r in kept] for key in (low, high)]
        known = all(v is not None for values in band for v in values)
        return {
            "name": name,
            "x": [r["epoch"] for r in kept],
            "y": [r[column] for r in kept],
            "low": band[0] if known else None,
            "high": band[1] if known else None,
            "role": role,
        }

    def floor(low: str, high: str) -> dict[str, Any]:
        ends = [[r.get(key) for r in rows] for key in (low, high)]
        middle = [None if None in pair else sum(pair) / 2 for pair in zip(*ends, strict=True)]
        known = None not in middle
        return {
            "name": "real against real",
            "x": x if known else [],
            "y": middle if known else [],
            "low": ends[0] if known else None,
            "high": ends[1] if known else None,
            "role": "floor",
        }

    energy = [floor("floor_low", "floor_high"), line("choosing patients", "energy", "synth")]
    if best is not None:
        e = best[1]
        energy.append(
            {
                "name": "confirmed",
                "x": [best[0]],
                "y": [e.value],
                "low": [e.ci[0]],
                "high": [e.ci[1]],
                "role": "real",
            }
        )
    panels: list[tuple[str, str, float | None, list[dict[str, Any]]]] = [
        ("Energy distance", "declared measures", 0, energy),
        (
            "Equivalent measures",
            f"of {rows[0]['gates_of']:g}",
            None,
            [line("passed", "gates", "synth")],
        ),
        (
            "Rule-normal records",
            "difference, points",
            0,
            [
                floor("normal_floor_low", "normal_floor_high"),
                line("strict limits", "normal_diff", "synth", "normal_low", "normal_high"),
            ],
        ),
    ]
    if any(r.get("memory_p") is not None for r in rows):
        panels.append(
            (
                "Memory of patients",
                "AUC of training",
                0.5,
                [line("D2, record", "auc_D2", "synth"), line("D4, beat", "auc_D4", "third")],
            )
        )
    return Figure(
        "sweep.scores",
        "curves",
        "Scores over training",
        {
            "panels": [
                {
                    "title": title,
                    "xlabel": "epoch",
                    "ylabel": ylabel,
                    "null": null,
                    "series": series,
                }
                for title, ylabel, null, series in panels
            ]
        },
        "Bands are 95 % intervals; grey: the same statistic between halves of the real patients, "
        "scaled to these sizes. Measures: medians and spreads. Rule-normal: synthetic less real. "
        "Memory: training patients against others.",
        "sweep",
    )
