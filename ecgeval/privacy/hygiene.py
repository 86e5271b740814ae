"""Before an audit: who and what is in the real sets twice, and splits that keep them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.copies.detectors import DETECTORS
from ecgeval.privacy.copies.search import search
from ecgeval.privacy.copies.signals import Signals, independent_leads, record_signals

__all__ = ["Duplicates", "connected", "find_duplicates", "split_patients"]

DUPLICATE = 0.95
"""Correlation over all leads, at the best shift, from which two real records are one recording.
Different patients among 400 PTB-XL records reached .81, its repeated recordings 1.00."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Records that are the same recording.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        Equal for records of one recording.
    pairs : ndarray of int, shape (p, 2)
        Rows of duplicates, each pair once, the lower row first.
    detector : str
        Which detector looked.
    """

    group: np.ndarray
    pairs: np.ndarray
    detector: str


def find_duplicates(
    signals: Signals, *, jobs: int = 1, device: str = "cpu", progress: Progress = quiet
) -> Duplicates:
    """Find recordings that occur more than once.

    Parameters
    ----------
    signals : Signals
        From `record_signals`; unusable records are no one's duplicate.
    jobs, progress
        As in `map_shards`.
    device : {"cpu", "cuda"}
        Where similarities are computed.
    """
    rows = np.flatnonzero(signals.usable)
    able = [d for d in DETECTORS if d.duplicate_pairs >= max(len(rows) ** 2, 1)]
    detector = min(able, key=lambda d: d.duplicate_pairs)
    x, own = signals.x[rows], np.arange(len(rows))
    found, _ = search(
        detector.kernel(x, x, device),
        k=3,
        groups=(own, own),
        jobs=jobs if device == "cpu" else 1,  # processes cannot share a device
        stage="duplicates",
        progress=progress,
    )
    i, k = np.nonzero(detector.correlation(found.similarity) >= DUPLICATE)
    pairs = np.sort(np.column_stack([rows[i], rows[found.partner[i, k]]]), axis=1)
    pairs = np.unique(pairs, axis=0).reshape(-1, 2)
    return Duplicates(connected(len(signals.x), pairs), pairs, detector.id)


def connected(n: int, pairs: np.ndarray) -> np.ndarray:
    """Return the group of each of n, 0 and up, where those of a pair are in one group.

    Parameters
    ----------
    n : int
    pairs : ndarray of int, shape (p, 2)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1])


def split_patients(
    ecgs: EcgSet,
    fraction: float,
    rng: np.random.Generator,
    *,
    assume_independent: bool = False,
    jobs: int = 1,
) -> tuple[EcgSet, EcgSet]:
    """Split a set at random by patient, duplicates of a recording kept together.

    Parameters
    ----------
    ecgs : EcgSet
    fraction : float
        Share of the patients that goes to the first set, between 0 and 1.
    rng : numpy.random.Generator
    assume_independent : bool
        Count records without a patient id as patients of their own.
    jobs : int

    Returns
    -------
    train, holdout : EcgSet
        Patients that share a recording count as one person and are on the same side.

    Raises
    ------
    UsageError
        If a patient id is missing, or `fraction` leaves a side empty.
    """
    codes = np.unique(ecgs.patients(assume_independent=assume_independent), return_inverse=True)[1]
    signals = record_signals(ecgs, independent_leads([ecgs]), ecgs.seconds, jobs=jobs)
    same = find_duplicates(signals, jobs=jobs).pairs
    person = connected(int(codes.max(initial=-1)) + 1, codes[same])
    people = int(person.max(initial=-1)) + 1
    first = round(fraction * people)
    if not 0 < first < people:
        raise UsageError(
            f"a fraction of {fraction:g} of {people} patients leaves one side empty; "
            "expected a fraction that gives both sides at least one patient"
        )
    chosen = np.isin(person[codes], rng.permutation(people)[:first])
    return ecgs.select(chosen), ecgs.select(~chosen)
