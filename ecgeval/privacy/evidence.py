"""The audit, step by step: what is compared with what. `audit` turns the outcome into findings.

Train, holdout and synthetic records are brought to one form; shared patients and recordings leave
the holdout, and all of it where its patients are not drawn like the training set's; each detector
finds every record's nearest partner; the copy rule is calibrated on
different patients, tried on planted copies, and applied; the exchangeability test decides whether
the synthetic set knows who was in the training set.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet, apply_leads, derive_leads, resample
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, child_rng
from ecgeval.preprocess import harmonise
from ecgeval.privacy.comparable import P_ALIKE, Alike, drawn_alike, record_features
from ecgeval.privacy.copies.detectors import (
    BEAT_CORE_S,
    BEAT_FS_HZ,
    BEAT_KEPT_S,
    DETECTORS,
    FS_HZ,
    Signals,
    beat_signals,
    independent_leads,
    record_signals,
    single_beats,
)
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.privacy.copies.matching import Match, Matching, Side, complete
from ecgeval.privacy.exchangeability import Exchange, exchange_test, patient_scores
from ecgeval.privacy.hygiene import Duplicates, find_duplicates
from ecgeval.stats.multiplicity import benjamini_hochberg_flags, conformal_p

__all__ = ["Evidence", "Match", "Side", "collect", "pseudonyms"]

PLANTED = 50
"""Most training records that are planted as copies, each under every transform."""

Delineated = Callable[[EcgSet], np.ndarray]

LEAST_PATIENTS = 10
"""Fewest patients on either side for the exchangeability test."""

_BEAT_STEP = 7  # samples at 250 Hz


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


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that an audit computed; nothing of it is redacted yet."""

    train: Side
    holdout: Side | None
    synth: Side
    matches: tuple[Match, ...]
    exchange: Exchange | None
    flagged: int
    duplicates: Duplicates
    real_ids: tuple[tuple[str, str], ...]  # (set, record) of each row that `duplicates` speaks of
    real_names: tuple[str, ...]  # their pseudonyms
    shared_patients: int
    removed: int
    names: pd.Series
    notes: tuple[str, ...] = ()
    counts: tuple[tuple[str, int, int, Mapping[str, int]], ...] = field(default=())
    alike: Alike | None = None  # train against holdout; None with too few patients
    planted: Mapping[str, Signals] = field(default_factory=dict)  # a block of rows a transform
    planted_rows: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    complete: bool = True  # whether every detector compared every pair


def collect(
    train: EcgSet,
    holdout: EcgSet | None,
    synth: EcgSet,
    *,
    beats: Mapping[str, np.ndarray] | None,
    beats_fs: float | None,
    seed: int,
    jobs: int,
    device: str,
    assume_independent: bool,
    permutations: int,
    id_key: str | None,
    progress: Progress,
    planted_records: int | None = None,
    delineated: Delineated | None = None,
) -> Evidence:
    """Run the audit; parameters as in `audit_sets`, and training records to plant."""
    planted_records = PLANTED if planted_records is None else planted_records
    id_key = train.fingerprint(salt="id-key") if id_key is None else id_key
    given = {"train": train, "holdout": holdout, "synth": synth}
    sets = {name: ecgs for name, ecgs in given.items() if ecgs is not None}
    leads = independent_leads(list(sets.values()))
    if not leads:
        listed = "; ".join(f"{name} has {' '.join(s.leads)}" for name, s in sets.items())
        raise DataError(f"no lead in common: {listed}; expected at least one")
    if beats is not None and set(sets) - set(beats):
        missing = ", ".join(sorted(set(sets) - set(beats)))
        raise UsageError(f"no representative beats for {missing}; expected those of every set")
    for name in beats or ():
        if name in sets and len(beats[name]) != len(sets[name]):  # type: ignore[index]
            raise UsageError(
                f"{len(beats[name])} representative beats for the {len(sets[name])} records of "  # type: ignore[index]
                f"{name}; expected one a record"
            )
    form = harmonise(*sets.values(), names=tuple(sets), leads=leads)
    same = dict(zip(sets, form.sets, strict=True))
    seconds = min(s.seconds for s in form.sets)
    seen: dict[str, dict[str, Signals]] = {}
    # What compares single beats looks, in large sets, at what the representative beats lead to.
    single = beats is not None or complete(len(synth), len(train), len(holdout or ()))
    for name, ecgs in same.items():
        seen[name] = {
            "record": record_signals(
                ecgs, leads, seconds, jobs=jobs, stage=f"signals {name}", progress=progress
            )
        }
        if single:
            seen[name]["single"] = single_beats(
                seen[name]["record"], every=name != "synth", jobs=jobs, progress=progress
            )
        if beats is not None:
            ecgs_in = sets[name]
            seen[name]["beat"] = beat_signals(
                beats[name], beats_fs or ecgs_in.fs, ecgs_in.leads, leads
            )
    real = [name for name in ("train", "holdout") if name in sets]
    patients = [_patients(sets[name], name, assume_independent) for name in real]
    merged = Signals(
        np.concatenate([seen[name]["record"].x for name in real]),
        np.concatenate([seen[name]["record"].usable for name in real]),
        {},
    )
    duplicates = find_duplicates(
        merged, jobs=jobs if device == "cpu" else 1, device=device, progress=progress
    )
    del merged
    person = _people(np.concatenate(patients), duplicates.pairs)
    n = len(train)
    sides = {
        "train": Side(same["train"], person[:n], seen["train"]),
        "synth": Side(same["synth"], np.full(len(synth), -1), seen["synth"]),
    }
    kept = np.zeros(0, int)
    if holdout is not None:
        kept = np.flatnonzero(~np.isin(person[n:], person[:n]))
        sides["holdout"] = Side(same["holdout"], person[n:], seen["holdout"]).only(kept)
    control = sides.get("holdout")
    control = control if control is not None and len(control) else None
    alike = None
    if control is not None:
        alike = _alike(sides["train"], control, child_rng(seed, "privacy", "alike"))
    other = control  # who synthetic records are compared with
    if alike is not None and alike.p < P_ALIKE:
        # Farther from everything the generator learnt, it would make honest records look like
        # copies. Other training patients stand in for it.
        other = None
    planted_rows = _to_plant(sides["train"], planted_records, child_rng(seed, "privacy", "plant"))

    def beats_of(name: str, rows: np.ndarray) -> np.ndarray | None:
        """Return representative beats of some records as the detectors' rate and leads have it."""
        if beats is None:
            return None
        matrix = derive_leads(sets[name].leads, leads)
        return resample(
            apply_leads(matrix, np.asarray(beats[name][rows], np.float32)),
            beats_fs or sets[name].fs,
            BEAT_FS_HZ,
        )

    planted = _planted(
        sides["train"],
        planted_rows,
        sides["synth"],
        beats_of,
        None
        if delineated is None or beats is None
        else lambda ecgs: _again(delineated, ecgs, sets["synth"].leads, leads, beats_fs),
        leads,
        seconds,
        single,
        child_rng(seed, "privacy", "disguise"),
    )
    matching = Matching(
        sides["train"],
        other,
        sides["synth"],
        planted,
        planted_rows,
        jobs=jobs,
        device=device,
        progress=progress,
    )
    matches = matching.matches(DETECTORS)
    exchange, flagged = None, 0
    if alike is not None:
        exchange, flagged = _exchange(sides["train"], other, matches, seed, permutations)
    overlap = 0 if holdout is None else len(set(patients[0]) & set(patients[1]))
    return Evidence(
        sides["train"],
        control,
        sides["synth"],
        matches,
        exchange,
        flagged,
        duplicates,
        tuple((name, record) for name in real for record in sets[name].ids),
        tuple(alias for name in real for alias in pseudonyms(train, sets[name], id_key=id_key)),
        overlap,
        0 if holdout is None else len(holdout) - len(kept),
        pseudonyms(train, id_key=id_key),
        form.notes,
        tuple(
            (
                name,
                len(sets[name]),
                int(sides[name].signals["record"].usable.sum())
                if name != "holdout" or control is not None
                else 0,
                _reasons(seen[name]),
            )
            for name in sets
        ),
        alike,
        planted,
        planted_rows,
        matching.complete,
    )


def _alike(train: Side, holdout: Side, rng: np.random.Generator) -> Alike | None:
    """Return the outcome of `drawn_alike` over usable records, None for too few patients."""
    sides = [side.only(np.flatnonzero(side.signals["record"].usable)) for side in (train, holdout)]
    if min(side.people() for side in sides) < LEAST_PATIENTS:
        return None
    features = []
    for side in sides:
        rows = [record_features(side.signals["record"].x, FS_HZ)]
        if "beat" in side.signals:  # every 28 ms; zeros for a record without one
            first, stop = (round((s - BEAT_KEPT_S[0]) * BEAT_FS_HZ) for s in BEAT_CORE_S)
            core = side.signals["beat"].x[:, :, first:stop:_BEAT_STEP]
            rows.append(core.reshape(len(side), -1))
        features.append(np.concatenate(rows, axis=1))
    person = np.concatenate([side.person for side in sides])
    in_train = np.arange(len(person)) < len(sides[0])
    return drawn_alike(np.concatenate(features), person, in_train, rng)


def _patients(ecgs: EcgSet, name: str, assume_independent: bool) -> np.ndarray:
    """Return patient ids; a record without one is nobody in the other set, whatever its name."""
    ids = ecgs.patients(assume_independent=assume_independent)
    return np.where(ecgs.records["patient_id"].isna(), name + ":" + ids, ids)


def _reasons(signals: Mapping[str, Signals]) -> dict[str, int]:
    out = dict(signals["record"].reasons)
    if "beat" in signals:
        without = int((signals["record"].usable & ~signals["beat"].usable).sum())
        out |= {"no representative beat": without} if without else {}
    return out


def _people(patients: np.ndarray, duplicates: np.ndarray) -> np.ndarray:
    """Return a code a record; patients who share a recording are one person."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes = np.unique(patients.astype(str), return_inverse=True)[1]
    i, j = codes[duplicates[:, 0]], codes[duplicates[:, 1]]
    n = int(codes.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(n, n))
    return connected_components(graph, directed=False)[1][codes]


def _to_plant(train: Side, most: int, rng: np.random.Generator) -> np.ndarray:
    usable = np.flatnonzero(np.logical_and.reduce([s.usable for s in train.signals.values()]))
    return np.sort(rng.permutation(usable)[:most])


def _planted(
    train: Side,
    rows: np.ndarray,
    synth: Side,
    beats_of: Callable[[str, np.ndarray], np.ndarray | None],
    again: Callable[[EcgSet], Signals] | None,
    leads: tuple[str, ...],
    seconds: float,
    single: bool,
    rng: np.random.Generator,
) -> dict[str, Signals]:
    """Return the planted copies as the detectors see them, transform by transform.

    What a disguise brings in comes from synthetic records: a generator fills up with its own.
    """
    fs, fill = train.ecgs.fs, rng.integers(len(synth), size=len(rows))
    usable = np.flatnonzero(np.logical_and.reduce([s.usable for s in synth.signals.values()]))
    fill = usable[fill % len(usable)] if len(usable) else fill
    source, other = (
        np.asarray(side.ecgs.signals[at], np.float32) for side, at in ((train, rows), (synth, fill))
    )
    copies = [plant(source, fs, t, rng, fill=np.nan_to_num(other)) for t in TRANSFORMS]
    ids = [f"{t.id}-{row}" for t in TRANSFORMS for row in rows]
    ecgs = EcgSet(np.concatenate(copies), fs, leads, pd.DataFrame(index=ids))
    out = {"record": record_signals(ecgs, leads, seconds)}
    if single:
        out["single"] = single_beats(out["record"], every=False)
    if again is not None:
        out["beat"] = again(ecgs)
        return out
    own, others = beats_of("train", rows), beats_of("synth", fill)
    if own is not None and others is not None:
        others = np.nan_to_num(others)
        median = [
            resample(plant(copy, fs, t, rng, beat=True), fs, BEAT_FS_HZ)[:, :, : own.shape[2]]
            if t.beat_of_record
            else plant(own, BEAT_FS_HZ, t, rng, fill=others, beat=True)
            for t, copy in zip(TRANSFORMS, copies, strict=True)
        ]
        out["beat"] = beat_signals(np.concatenate(median), BEAT_FS_HZ, leads, leads)
    return out


def _again(
    delineated: Delineated,
    ecgs: EcgSet,
    have: tuple[str, ...],
    leads: tuple[str, ...],
    beats_fs: float | None,
) -> Signals:
    """Return the beats of planted records, delineated in the leads that all sets were."""
    whole = ecgs.with_leads(have)
    return beat_signals(delineated(whole), beats_fs or ecgs.fs, whole.leads, leads)


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
