"""What a sweep says: estimates, the choice, memory over training, a table and the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ecgeval.results import Finding, Results, Section, Verdict
from ecgeval.sweep.checks import BEST, DAMAGED, MEMORY
from ecgeval.sweep.estimates import (
    checkpoint_estimates,
    difference_estimate,
    energy_estimate,
    estimate_id,
)
from ecgeval.sweep.scoring import Score, Scorer
from ecgeval.sweep.tables import checkpoint_table, range_text, score_curves, with_interval

if TYPE_CHECKING:
    from ecgeval.sweep.ranking import Energy

__all__ = ["best_finding", "memory_finding", "report"]

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
    estimates = [e for s in scores for e in checkpoint_estimates(s, scorer)]
    best, *rivals = confirmed.items()
    estimates += [energy_estimate("confirmed", name, e, scorer) for name, e in confirmed.items()]
    differences = {}
    for name, other in rivals:
        differences[name] = best[1].less(other, 1 - (1 - _LEVEL) / len(rivals))
        estimates.append(difference_estimate(name, differences[name], best[1], scorer))
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
        tables=(checkpoint_table(scores, chosen),),
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
        f"Energy distance {with_interval(chosen.energy)} while choosing, {with_interval(again)} "
        f"when confirmed: "
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
    ids = [
        estimate_id(chosen.name, "energy"),
        *(estimate_id(name, "confirmed") for name in confirmed),
    ]
    return BEST.finding(
        verdict,
        f"{chosen.name} is chosen; the choice {how}"
        if differences
        else f"{chosen.name} is the only checkpoint",
        text,
        estimates=(*ids, *(estimate_id(name, "chosen_less") for name in differences)),
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
    auc = ", ".join(f"{name} {a:.2f} ({range_text(ci)})" for name, a, ci in last.look.auc)
    text = f"AUC of training against other patients at {last.name}: {auc}; 0.5 is no trace."
    ids = [estimate_id(last.name, f"memory_{name.lower()}") for name, *_ in last.look.auc]
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
