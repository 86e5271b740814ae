"""The numbers of a sweep."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ecgeval.results import Estimate
from ecgeval.sweep.ranking import Energy
from ecgeval.sweep.scoring import Score, Scorer


def estimate_id(checkpoint: str, statistic: str) -> str:
    return ".".join(("sweep", re.sub(r"[^\w-]", "_", checkpoint), statistic))


def checkpoint_estimates(s: Score, scorer: Scorer) -> list[Estimate]:
    out = [energy_estimate("energy", s.name, s.energy, scorer)]
    n, m = s.energy.n
    sizes: dict[str, Any] = {
        "n_real": n,
        "n_synth": m,
        "patients_real": s.energy.patients[0],
        "seed": scorer.worker.config.seed,
    }
    out.append(
        Estimate(
            estimate_id(s.name, "gates_passed"),
            s.gates[0],
            better="higher",
            label=f"{s.name}: declared medians and spreads that are equivalent",
            method=f"two one-sided tests at 5 %, of {s.gates[1]}",
            **sizes,
        )
    )
    out.append(
        replace(s.normal, id=estimate_id(s.name, "pass_diff"), label=f"{s.name}: {s.normal.label}")
    )
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
                estimate_id(s.name, f"memory_{name.lower()}"),
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
            estimate_id(s.name, "copies_count"),
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


def energy_estimate(kind: str, name: str, e: Energy, scorer: Scorer) -> Estimate:
    words = {"energy": "to the choosing patients", "confirmed": "to the confirming patients"}
    return Estimate(
        estimate_id(name, kind),
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


def difference_estimate(
    name: str, difference: tuple[float, tuple[float, float]], e: Energy, scorer: Scorer
) -> Estimate:
    return Estimate(
        estimate_id(name, "chosen_less"),
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
