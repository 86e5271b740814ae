"""The audit, step by step: what is compared with what. `audit` turns the outcome into findings.

Train, holdout and synthetic records are brought to one form; shared patients and recordings leave
the holdout, and all of it where its patients are not drawn like the training set's; each detector
finds every record's nearest partner; the copy rule is calibrated on
different patients, tried on planted copies, and applied; the exchangeability test decides whether
the synthetic set knows who was in the training set.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, child_rng
from ecgeval.preprocess import harmonise
from ecgeval.privacy.comparable import P_ALIKE, Alike, drawn_alike, record_features
from ecgeval.privacy.copies import CopyRule, benjamini_hochberg_flags, calibrate, conformal_p
from ecgeval.privacy.detectors import (
    DETECTORS,
    FS_HZ,
    Detector,
    Signals,
    beat_signals,
    independent_leads,
    record_signals,
)
from ecgeval.privacy.exchangeability import Exchange, exchange_test, patient_scores
from ecgeval.privacy.hygiene import Duplicates, find_duplicates
from ecgeval.privacy.search import Nearest, search
from ecgeval.privacy.sensitivity import TRANSFORMS, plant

__all__ = ["Evidence", "Match", "Side", "collect", "pseudonyms"]

PLANTED = 60
"""Most training records that are planted as copies, each under every transform."""

LEAST_PATIENTS = 10
"""Fewest patients on either side for the exchangeability test."""

_BEAT_STEP = 7  # samples at 250 Hz
_OTHERS = 6  # nearest training records looked at for one of another person, without a holdout


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
class Side:
    """One set as the detectors see it.

    Parameters
    ----------
    ecgs : EcgSet
        Harmonised records.
    person : ndarray of int, shape (n,)
        Who a record belongs to, over train and holdout; patients who share a recording are one.
    signals : mapping
        ``record`` and, where beats were given, ``beat``.
    """

    ecgs: EcgSet
    person: np.ndarray
    signals: Mapping[str, Signals]

    def __len__(self) -> int:
        return len(self.ecgs)

    def people(self) -> int:
        """Return how many people the records belong to."""
        return len(np.unique(self.person))

    def only(self, rows: np.ndarray) -> Side:
        """Return the records in `rows`."""
        signals = {
            name: Signals(s.x[rows], s.usable[rows], s.reasons) for name, s in self.signals.items()
        }
        return Side(self.ecgs.select(rows), self.person[rows], signals)


@dataclass(frozen=True, eq=False)
class Match:
    """What one detector found.

    Parameters
    ----------
    detector : Detector
    rule : CopyRule
    train, holdout : ndarray, shape (n_synth,)
        Similarity of each synthetic record to its nearest record of either set. Without a
        holdout, `holdout` is the nearest training record of another person than the first.
    partner : ndarray of int, shape (n_synth,)
        Row of the nearest training record; -1 without.
    named, control : ndarray of bool, shape (n_synth,)
        Copies of training records, and of holdout records by the same rule.
    real : ndarray, shape (n_train + n_holdout,)
        Similarity of each real record to its nearest synthetic one.
    baseline : ndarray
        Similarity of real records to their nearest of another person.
    found : ndarray of bool, shape (transforms, planted)
        Which planted copies the rule names, with the right partner.
    """

    detector: Detector
    rule: CopyRule
    train: np.ndarray
    holdout: np.ndarray
    partner: np.ndarray
    named: np.ndarray
    control: np.ndarray
    real: np.ndarray
    baseline: np.ndarray
    found: np.ndarray


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


def collect(
    train: EcgSet,
    holdout: EcgSet | None,
    synth: EcgSet,
    *,
    beats: Mapping[str, np.ndarray] | None,
    beats_fs: float | None,
    seed: int,
    jobs: int,
    assume_independent: bool,
    permutations: int,
    id_key: str | None,
    progress: Progress,
) -> Evidence:
    """Run the audit; parameters as in `audit_sets`."""
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
    for name, ecgs in same.items():
        seen[name] = {"record": record_signals(ecgs, leads, seconds)}
        if beats is not None:
            ecgs_in = sets[name]
            seen[name]["beat"] = beat_signals(
                beats[name], beats_fs or ecgs_in.fs, ecgs_in.leads, leads
            )
    real = [name for name in ("train", "holdout") if name in sets]
    patients = [_patients(sets[name], name, assume_independent) for name in real]
    merged = Signals(
        np.concatenate([seen[name]["record"].x for name in real]),
        np.concatenate([seen[name]["record"].usable for name in real]), {},
    )  # fmt: skip
    duplicates = find_duplicates(merged, jobs=jobs, progress=progress)
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
    planted_rows = _to_plant(sides["train"], child_rng(seed, "privacy", "plant"))
    planted = _planted(
        sides["train"], planted_rows, None if beats is None else beats["train"],
        beats_fs or train.fs, train.leads, leads, seconds,
        child_rng(seed, "privacy", "disguise"),
    )  # fmt: skip
    matches = tuple(
        _match(d, sides["train"], other, sides["synth"], planted, planted_rows, jobs, progress)
        for d in DETECTORS
        if d.signals in seen["synth"]
    )
    exchange, flagged = None, 0
    if alike is not None:
        exchange, flagged = _exchange(sides["train"], other, matches, seed, permutations)
    overlap = 0 if holdout is None else len(set(patients[0]) & set(patients[1]))
    return Evidence(
        sides["train"], control, sides["synth"], matches, exchange, flagged, duplicates,
        tuple((name, record) for name in real for record in sets[name].ids),
        tuple(alias for name in real for alias in pseudonyms(train, sets[name], id_key=id_key)),
        overlap, 0 if holdout is None else len(holdout) - len(kept),
        pseudonyms(train, id_key=id_key), form.notes,
        tuple(
            (name, len(sets[name]), int(sides[name].signals["record"].usable.sum())
             if name != "holdout" or control is not None else 0,
             _reasons(seen[name]))
            for name in sets
        ),
        alike,
    )  # fmt: skip


def _alike(train: Side, holdout: Side, rng: np.random.Generator) -> Alike | None:
    """Return the outcome of `drawn_alike` over usable records, None for too few patients."""
    sides = [side.only(np.flatnonzero(side.signals["record"].usable)) for side in (train, holdout)]
    if min(side.people() for side in sides) < LEAST_PATIENTS:
        return None
    features = []
    for side in sides:
        rows = [record_features(side.signals["record"].x, FS_HZ)]
        if "beat" in side.signals:  # every 28 ms; zeros for a record without one
            rows.append(side.signals["beat"].x[:, :, ::_BEAT_STEP].reshape(len(side), -1))
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


def _to_plant(train: Side, rng: np.random.Generator) -> np.ndarray:
    usable = np.flatnonzero(np.logical_and.reduce([s.usable for s in train.signals.values()]))
    return np.sort(rng.permutation(usable)[:PLANTED])


def _planted(
    train: Side, rows: np.ndarray, beats: np.ndarray | None, beats_fs: float,
    have: tuple[str, ...], leads: tuple[str, ...], seconds: float, rng: np.random.Generator,
) -> dict[str, Signals]:  # fmt: skip
    """Return the planted copies as the detectors see them, transform by transform."""
    source = np.asarray(train.ecgs.signals[rows])
    ids = [f"{t.id}-{row}" for t in TRANSFORMS for row in rows]
    copies = np.concatenate([plant(source, train.ecgs.fs, t, rng) for t in TRANSFORMS])
    table = pd.DataFrame(index=ids)
    out = {"record": record_signals(EcgSet(copies, train.ecgs.fs, leads, table), leads, seconds)}
    if "beat" in train.signals and beats is not None:
        median = [plant(beats[rows], beats_fs, t, rng, beat=True) for t in TRANSFORMS]
        out["beat"] = beat_signals(np.concatenate(median), beats_fs, have, leads)
    return out


def _match(
    detector: Detector, train: Side, holdout: Side | None, synth: Side,
    planted: Mapping[str, Signals], planted_rows: np.ndarray, jobs: int, progress: Progress,
) -> Match:  # fmt: skip
    """Run one detector over everything it is needed for."""

    def nearest(a: Signals, b: Side, k: int = 1, own: Side | None = None) -> tuple[Nearest, ...]:
        groups = None if own is None else (own.person, b.person)
        return _search(detector, a, b.signals[detector.signals], k, groups, jobs, progress)

    kind = detector.signals
    s, p = synth.signals[kind], planted[kind]
    k = 1 if holdout is not None else _OTHERS
    to_train, from_train = nearest(s, train, k)
    planted_train, _ = nearest(p, train, k)
    if holdout is not None:
        to_other, from_holdout = (*nearest(s, holdout),)
        planted_other, _ = nearest(p, holdout)
        crossed = nearest(holdout.signals[kind], train, own=holdout)
        baseline = np.concatenate([side.similarity[:, 0] for side in crossed])
        real = np.concatenate([from_train.similarity[:, 0], from_holdout.similarity[:, 0]])
    else:
        to_other, planted_other = (_other(found, train) for found in (to_train, planted_train))
        baseline = nearest(train.signals[kind], train, own=train)[0].similarity[:, 0]
        real = from_train.similarity[:, 0]
    rule = calibrate(baseline, int(s.usable.sum()), detector.limits)
    a, b = to_train.similarity[:, 0], to_other.similarity[:, 0]
    partner = planted_train.partner[:, 0]
    right = train.person[partner] == np.tile(train.person[planted_rows], len(TRANSFORMS))
    found = rule(planted_train.similarity[:, 0], planted_other.similarity[:, 0]) & right
    return Match(
        detector, rule, a, b, to_train.partner[:, 0],
        named=rule(a, b),
        control=rule(b, a) if holdout is not None else np.zeros(len(a), bool),
        real=real, baseline=baseline,
        found=found.reshape(len(TRANSFORMS), len(planted_rows)),
    )  # fmt: skip


def _search(
    detector: Detector, a: Signals, b: Signals, k: int,
    groups: tuple[np.ndarray, np.ndarray] | None, jobs: int, progress: Progress,
) -> tuple[Nearest, Nearest]:  # fmt: skip
    """Search usable records only; the others get no partner. Similarities are correlations."""
    rows = np.flatnonzero(a.usable), np.flatnonzero(b.usable)
    out = tuple(Nearest(np.full((len(s.x), k), np.nan), np.full((len(s.x), k), -1)) for s in (a, b))
    if len(rows[0]) and len(rows[1]):
        found = search(
            detector.kernel(a.x[rows[0]], b.x[rows[1]]), k=k,
            groups=None if groups is None else (groups[0][rows[0]], groups[1][rows[1]]),
            jobs=jobs, stage=f"copy search {detector.id}", progress=progress,
        )  # fmt: skip
        for whole, part, own, other in zip(out, found, rows, rows[::-1], strict=True):
            whole.similarity[own] = detector.correlation(part)
            whole.partner[own] = np.where(part.partner < 0, -1, other[part.partner])
    return out[0], out[1]


def _other(found: Nearest, train: Side) -> Nearest:
    """Return the nearest training record of another person than the nearest one's."""
    person = np.where(found.partner < 0, -1, train.person[found.partner])
    other = (person != person[:, :1]) & (person >= 0)
    first = other.argmax(axis=1)[:, None]
    none = ~other.any(axis=1)[:, None]
    similarity = np.take_along_axis(found.similarity, first, axis=1)
    # All k nearest belong to one person: the last of them bounds everybody else from above.
    similarity = np.where(none, found.similarity[:, -1:], similarity)
    return Nearest(similarity, np.where(none, -1, np.take_along_axis(found.partner, first, axis=1)))


def _exchange(
    train: Side, holdout: Side | None, matches: tuple[Match, ...], seed: int, permutations: int
) -> tuple[Exchange | None, int]:
    """Return the exchangeability test and the number of training patients flagged by BH."""
    if holdout is None:
        return None, 0
    person = np.concatenate([train.person, holdout.person])
    people, code = np.unique(person, return_inverse=True)
    scores, counts = patient_scores(np.column_stack([m.real for m in matches]), code)
    is_train = np.isin(people, train.person)
    scores, is_train, counts = scores[counts > 0], is_train[counts > 0], counts[counts > 0]
    if min(is_train.sum(), (~is_train).sum()) < LEAST_PATIENTS or np.isneginf(scores).all():
        return None, 0
    outcome = exchange_test(
        scores, is_train, rng=child_rng(seed, "privacy", "exchange"), strata=counts,
        names=tuple(m.detector.id for m in matches), permutations=permutations,
    )  # fmt: skip
    best = np.column_stack([pd.Series(s).rank(pct=True) for s in scores.T]).max(axis=1)
    flagged = benjamini_hochberg_flags(conformal_p(best[is_train], best[~is_train]))
    return outcome, int(flagged.sum())
