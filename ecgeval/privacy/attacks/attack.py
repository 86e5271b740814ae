"""The attacks on an audit's evidence, one after the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.attacks.criteria import criteria
from ecgeval.privacy.attacks.identity import Probes, identity
from ecgeval.privacy.attacks.indicators import indicators
from ecgeval.privacy.attacks.membership import membership
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.privacy.comparable import P_ALIKE
from ecgeval.privacy.copies.signals import beat_signals
from ecgeval.privacy.evidence import Evidence, Side
from ecgeval.privacy.same_record import half_beats
from ecgeval.results import Results

__all__ = ["attack", "attackable"]

_AGE_BAND = 10  # years


def attackable(e: Evidence) -> bool:
    """Return whether there are representative beats, which the attacks work on."""
    return "beat" in e.synth.signals


def attack(
    e: Evidence,
    *,
    critic: Mapping[str, pd.Series] | None = None,
    seed: int = 0,
    section: str = "privacy",
    permutations: int = 9999,
    jobs: int = 1,
    progress: Progress = quiet,
) -> Results:
    """Attack the synthetic set with what an outsider could do, holdout patients as control.

    Parameters
    ----------
    e : Evidence
        With representative beats.
    critic : mapping of str to Series, optional
        The critic's score of each record under ``train`` and ``holdout``, by record id.
    seed, section, permutations, jobs, progress
        As in `audit_sets`.

    Returns
    -------
    Results
        Findings PRIV-MIA, PRIV-LINK, PRIV-WP29 and PRIV-INDICATORS; NOT_ASSESSABLE without a
        holdout drawn like the training set: another population would be told apart by its
        hearts, not by what the generator remembers.
    """
    sides = {"train": e.train, "synth": e.synth}
    if e.holdout is not None and e.alike is not None and e.alike.p >= P_ALIKE:
        sides["holdout"] = e.holdout
    rows = {name: np.flatnonzero(side.signals["beat"].usable) for name, side in sides.items()}
    beats = {name: side.signals["beat"].x[rows[name]] for name, side in sides.items()}
    person = {name: side.person[rows[name]] for name, side in sides.items() if name != "synth"}
    sets = AttackedSets(
        beats["train"],
        beats.get("holdout"),
        beats["synth"],
        person["train"],
        person.get("holdout"),
        seed,
        section,
    )
    similarity, probes, scores = None, [], None
    if "holdout" in sides:
        real = np.concatenate([rows["train"], len(e.train) + rows["holdout"]])
        similarity = {m.detector.id: m.real[real] for m in e.matches if np.isfinite(m.real).any()}
        if critic is not None:
            asked = (
                critic[name].loc[sides[name].ecgs.ids[rows[name]]].to_numpy(float)
                for name in ("train", "holdout")
            )
            scores = np.concatenate(list(asked))
        probes = [_halves([e.train, sides["holdout"]], jobs, progress)]
    # Both draw from one stream, so their order counts.
    rng = sets.rng("link")
    return (
        membership(sets, similarity=similarity, critic=scores, permutations=permutations)
        + identity(sets, probes, rng=rng, permutations=permutations)
        + criteria(sets, e.train.ecgs.leads, _labels(sides, rows), rng=rng)
        + indicators(sets, jobs=jobs, progress=progress)
    )


def _halves(sides: list[Side], jobs: int, progress: Progress) -> Probes:
    """Return the beats of either half of every record that has both."""
    parts = []
    for side in sides:
        leads = side.ecgs.leads
        halves = half_beats(side.ecgs, jobs=jobs, progress=progress)
        a, b = (beat_signals(half, side.ecgs.fs, leads, leads) for half in halves)
        both = a.usable & b.usable
        parts.append((a.x[both], b.x[both], side.person[both]))
    first, second, person = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Probes(first, second, person)


def _labels(
    sides: dict[str, Side], rows: dict[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Return sex and age band of usable records, empty where unknown."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for name, side in sides.items():
        table = side.ecgs.records
        if "sex" in table:
            sex = table["sex"].iloc[rows[name]]
            out.setdefault("sex", {})[name] = sex.fillna("").astype(str).to_numpy()
        if "age" in table:
            band = pd.to_numeric(table["age"].iloc[rows[name]], errors="coerce") // _AGE_BAND
            text = band.map(lambda b: "" if pd.isna(b) else f"{int(_AGE_BAND * b)}")
            out.setdefault("age band", {})[name] = text.to_numpy()
    return {label: by for label, by in out.items() if set(by) == set(sides)}
