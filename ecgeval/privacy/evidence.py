"""The audit, step by step: what is compared with what, and all that came out of it.

Train, holdout and synthetic records are brought to one form; shared patients and recordings leave
the holdout, and all of it where its patients are not drawn like the training set's; each detector
finds every record's nearest partner; the copy rule is calibrated on different patients, tried on
planted copies, and applied; the exchangeability test decides whether the synthetic set knows who
was in the training set.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.preprocess import harmonise
from ecgeval.privacy.comparable import LEAST_PATIENTS, P_ALIKE, Alike, sides_alike
from ecgeval.privacy.copies.detectors import DETECTORS
from ecgeval.privacy.copies.matching import Match, Matching, complete
from ecgeval.privacy.copies.neighbours import Side
from ecgeval.privacy.copies.signals import Signals, independent_leads, record_signals, single_beats
from ecgeval.privacy.exchangeability import Exchange, exchange_test, patient_scores
from ecgeval.privacy.hygiene import Duplicates, connected, find_duplicates
from ecgeval.privacy.planting import Delineated, GivenBeats, plant_copies, rows_to_plant
from ecgeval.privacy.same_record import Reach
from ecgeval.stats.multiplicity import benjamini_hochberg_flags, conformal_p

__all__ = ["Evidence", "collect", "exchange_of", "pseudonyms"]

PLANTED = 50
"""Most training records that are planted as copies, each under every transform."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that an audit computed; nothing of it is redacted yet.

    Parameters
    ----------
    train, synth : Side
    holdout : Side or None
        Without the patients and recordings of the training set; None where nothing is left.
    matches : tuple of Match
        What each detector found.
    exchange : Exchange or None
        None without a holdout drawn like the training set, or with too few patients.
    flagged : int
        Training patients flagged one by one.
    duplicates : Duplicates
        Among all real records.
    real : tuple of (set, record, pseudonym)
        Training records, then those of the holdout as given: the rows of `duplicates`.
    shared_patients, removed : int
        Patients in both real sets; records that left the holdout.
    seed : int
    notes : tuple of str
        What was brought to one form.
    counts : tuple of (set, records, usable, mapping of reason to records)
        A set that was given is listed, whatever was left of it.
    alike : Alike or None
        Train against holdout; None with too few patients.
    planted : mapping of Signals
        A block of rows a transform.
    planted_rows : ndarray of int
        Training records they were made of.
    complete : bool
        Whether every detector compared every pair.
    reach : mapping of detector to Reach
        What the two halves of one record reach; empty where that was not asked.
    """

    train: Side
    holdout: Side | None
    synth: Side
    matches: tuple[Match, ...]
    exchange: Exchange | None
    flagged: int
    duplicates: Duplicates
    real: tuple[tuple[str, str, str], ...]
    shared_patients: int
    removed: int
    seed: int
    notes: tuple[str, ...]
    counts: tuple[tuple[str, int, int, Mapping[str, int]], ...]
    alike: Alike | None
    planted: Mapping[str, Signals]
    planted_rows: np.ndarray
    complete: bool
    reach: Mapping[str, Reach] = field(default_factory=dict)

    @property
    def comparable(self) -> bool:
        """Whether training and holdout patients look drawn from one population."""
        return self.alike is None or self.alike.p >= P_ALIKE

    @property
    def with_holdout(self) -> bool:
        """Whether synthetic records were compared with the holdout too."""
        return self.holdout is not None and self.comparable

    @property
    def main(self) -> Match:
        """What the detector found that stands for all in figures and single numbers."""
        return next(m for m in self.matches if m.detector.main)

    @cached_property
    def usable_synth(self) -> int:
        """Synthetic records with any usable signal."""
        return int(np.logical_or.reduce([s.usable for s in self.synth.signals.values()]).sum())

    @cached_property
    def named(self) -> np.ndarray:
        """Which synthetic records are copies of training records, by any detector."""
        return np.logical_or.reduce([m.named for m in self.matches])

    @cached_property
    def control(self) -> np.ndarray:
        """Which are copies of holdout records, by any detector."""
        return np.logical_or.reduce([m.control for m in self.matches])

    @cached_property
    def exposed(self) -> int:
        """Training patients of whom a copy was named."""
        partners = [self.train.person[m.partner[m.named]] for m in self.matches]
        return len(np.unique(np.concatenate(partners)))


def pseudonyms(
    train: EcgSet, ecgs: EcgSet | None = None, *, id_key: str | None = None
) -> pd.Series:
    """Return the names under which an audit speaks of real records.

    HMAC-SHA256 of the record id, first ten hex digits, under a key that is a digest of the
    training data: whoever holds the data can repeat this and look a name up, nobody else can.

    Parameters
    ----------
    train : EcgSet
        The training set as given to the audit; its samples make the key.
    ecgs : EcgSet, optional
        Set whose records to name; the training set by default.
    id_key : str, optional
        Key to use instead, as given to the audit.

    Returns
    -------
    Series of str, index ``record_id``
    """
    key = (train.fingerprint(salt="id-key") if id_key is None else id_key).encode()
    ids = (train if ecgs is None else ecgs).ids
    names = [hmac.new(key, record.encode(), "sha256").hexdigest()[:10] for record in ids]
    return pd.Series(names, index=ids, name="pseudonym")


def collect(
    train: EcgSet,
    holdout: EcgSet | None,
    synth: EcgSet,
    *,
    beats: Mapping[str, np.ndarray] | None = None,
    beats_fs: float | None = None,
    delineated: Delineated | None = None,
    planted_records: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    device: str = "cpu",
    assume_independent: bool = False,
    permutations: int = 9999,
    id_key: str | None = None,
    progress: Progress = quiet,
) -> Evidence:
    """Run the audit; parameters as in `audit_sets`, and training records to plant."""
    given = {"train": train, "holdout": holdout, "synth": synth}
    sets = {name: ecgs for name, ecgs in given.items() if ecgs is not None}
    real = [name for name in ("train", "holdout") if name in sets]
    leads = _shared_leads(sets)
    own_beats = None if beats is None else GivenBeats(beats, beats_fs, sets, leads)
    # What compares single beats looks, in large sets, at what the representative beats lead to.
    single = beats is not None or complete(len(synth), len(train), len(holdout or ()))
    same_form, seen, notes = _in_one_form(sets, leads, own_beats, single, jobs, progress)

    patients = [_patients(sets[name], name, assume_independent) for name in real]
    duplicates = find_duplicates(
        _joined([seen[name]["record"] for name in real]),
        jobs=jobs,
        device=device,
        progress=progress,
    )
    person = _people(np.concatenate(patients), duplicates.pairs)
    sides = _sides(same_form, seen, person)
    control = sides.get("holdout")
    alike = None
    if control is not None:
        alike = sides_alike(sides["train"], control, child_rng(seed, "privacy", "alike"))
    # A holdout that lies farther from everything the generator learnt would make honest records
    # look like copies. Other training patients stand in for it.
    other = None if alike is not None and alike.p < P_ALIKE else control

    rows = rows_to_plant(
        sides["train"],
        PLANTED if planted_records is None else planted_records,
        child_rng(seed, "privacy", "plant"),
    )
    planted = plant_copies(
        sides["train"],
        rows,
        sides["synth"],
        child_rng(seed, "privacy", "disguise"),
        seconds=min(ecgs.seconds for ecgs in same_form.values()),
        single=single,
        beats=own_beats,
        delineated=delineated,
    )
    matching = Matching(
        sides["train"], other, sides["synth"], planted, rows, jobs, device, progress
    )
    matches = matching.matches(DETECTORS)
    exchange, flagged = None, 0
    if alike is not None:
        exchange, flagged = _exchange(sides["train"], other, matches, seed, permutations)
    id_key = train.fingerprint(salt="id-key") if id_key is None else id_key
    return Evidence(
        train=sides["train"],
        holdout=control,
        synth=sides["synth"],
        matches=matches,
        exchange=exchange,
        flagged=flagged,
        duplicates=duplicates,
        real=tuple(
            (name, record, alias)
            for name in real
            for record, alias in zip(
                sets[name].ids, pseudonyms(train, sets[name], id_key=id_key), strict=True
            )
        ),
        shared_patients=len(set.intersection(*map(set, patients))) if holdout is not None else 0,
        removed=0 if holdout is None else len(holdout) - len(control or ()),
        seed=seed,
        notes=notes,
        counts=tuple(
            (name, len(ecgs), _usable(sides.get(name)), _reasons(seen[name]))
            for name, ecgs in sets.items()
        ),
        alike=alike,
        planted=planted,
        planted_rows=rows,
        complete=matching.complete,
    )


def _shared_leads(sets: Mapping[str, EcgSet]) -> tuple[str, ...]:
    leads = independent_leads(list(sets.values()))
    if not leads:
        listed = "; ".join(f"{name} has {' '.join(s.leads)}" for name, s in sets.items())
        raise DataError(f"no lead in common: {listed}; expected at least one")
    return leads


def _in_one_form(
    sets: Mapping[str, EcgSet],
    leads: tuple[str, ...],
    beats: GivenBeats | None,
    single: bool,
    jobs: int,
    progress: Progress,
) -> tuple[dict[str, EcgSet], dict[str, dict[str, Signals]], tuple[str, ...]]:
    """Return the sets in one form, what the detectors see of them, and what was changed."""
    form = harmonise(*sets.values(), names=tuple(sets), leads=leads)
    seconds = min(ecgs.seconds for ecgs in form.sets)
    same_form = dict(zip(sets, form.sets, strict=True))
    seen: dict[str, dict[str, Signals]] = {}
    for name, ecgs in same_form.items():
        record = record_signals(
            ecgs, leads, seconds, jobs=jobs, stage=f"signals {name}", progress=progress
        )
        seen[name] = {"record": record}
        if single:
            seen[name]["single"] = single_beats(
                record, every=name != "synth", jobs=jobs, progress=progress
            )
        if beats is not None:
            seen[name]["beat"] = beats.signals(name)
    return same_form, seen, form.notes


def _joined(parts: list[Signals]) -> Signals:
    return Signals(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.usable for part in parts]),
        {},
    )


def _sides(
    sets: Mapping[str, EcgSet], seen: Mapping[str, Mapping[str, Signals]], person: np.ndarray
) -> dict[str, Side]:
    """Return the sides, the holdout without training patients, and not at all if none is left."""
    n, synth = len(sets["train"]), sets["synth"]
    sides = {
        "train": Side(sets["train"], person[:n], seen["train"]),
        "synth": Side(synth, np.full(len(synth), -1), seen["synth"]),
    }
    if "holdout" in sets:
        kept = np.flatnonzero(~np.isin(person[n:], person[:n]))
        if len(kept):
            whole = Side(sets["holdout"], person[n:], seen["holdout"])
            sides["holdout"] = whole.only(kept)
    return sides


def _patients(ecgs: EcgSet, name: str, assume_independent: bool) -> np.ndarray:
    """Return patient ids; a record without one is nobody in the other set, whatever its name."""
    ids = ecgs.patients(assume_independent=assume_independent)
    return np.where(ecgs.records["patient_id"].isna(), name + ":" + ids, ids)


def _people(patients: np.ndarray, duplicates: np.ndarray) -> np.ndarray:
    """Return a code a record; patients who share a recording are one person."""
    codes = np.unique(patients.astype(str), return_inverse=True)[1]
    return connected(int(codes.max(initial=-1)) + 1, codes[duplicates])[codes]


def _usable(side: Side | None) -> int:
    return 0 if side is None else int(side.signals["record"].usable.sum())


def _reasons(signals: Mapping[str, Signals]) -> dict[str, int]:
    """Return how many records of a set are left out, by reason."""
    out = dict(signals["record"].reasons)
    if "beat" in signals:
        without = int((signals["record"].usable & ~signals["beat"].usable).sum())
        out |= {"no representative beat": without} if without else {}
    return out


def _exchange(
    train: Side, holdout: Side | None, matches: tuple[Match, ...], seed: int, permutations: int
) -> tuple[Exchange | None, int]:
    """Return the exchangeability test and the number of training patients flagged by BH."""
    if holdout is None:
        return None, 0
    person = np.concatenate([train.person, holdout.person])
    similarity = np.column_stack([m.real for m in matches])
    names = tuple(m.detector.id for m in matches)
    rng = child_rng(seed, "privacy", "exchange")
    tested = exchange_of(
        person, np.isin(person, train.person), similarity, names, rng, permutations
    )
    if tested is None:
        return None, 0
    outcome, scores, is_train = tested
    best = np.column_stack([pd.Series(s).rank(pct=True) for s in scores.T]).max(axis=1)
    flagged = benjamini_hochberg_flags(conformal_p(best[is_train], best[~is_train]))
    return outcome, int(flagged.sum())


def exchange_of(
    person: np.ndarray,
    in_train: np.ndarray,
    similarity: np.ndarray,
    names: tuple[str, ...],
    rng: np.random.Generator,
    permutations: int,
) -> tuple[Exchange, np.ndarray, np.ndarray] | None:
    """Return the exchangeability test of records, patients' scores, and who is in training.

    Parameters
    ----------
    person : ndarray of int, shape (records,)
    in_train : ndarray of bool, shape (records,)
        The same for all records of a person.
    similarity : ndarray, shape (records, detectors)
        To the nearest synthetic record.
    names : tuple of str
        Of the detectors.
    rng, permutations
        As in `exchange_test`.

    Returns
    -------
    tuple or None
        None with too few patients on a side, or where nothing could be compared.
    """
    people, code = np.unique(person, return_inverse=True)
    scores, counts = patient_scores(similarity, code)
    is_train = np.isin(people, person[in_train])
    scores, is_train, counts = scores[counts > 0], is_train[counts > 0], counts[counts > 0]
    if min(is_train.sum(), (~is_train).sum()) < LEAST_PATIENTS or np.isneginf(scores).all():
        return None
    outcome = exchange_test(
        scores, is_train, rng=rng, strata=counts, names=names, permutations=permutations
    )
    return outcome, scores, is_train
