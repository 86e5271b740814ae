"""Before an audit: who and what is in the real sets twice, and splits that keep them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.copies.detectors import DETECTORS, Signals, independent_leads, record_signals
from ecgeval.privacy.copies.search import search

__all__ = ["DUPLICATE", "Duplicates", "find_duplicates", "split_patients"]

DUPLICATE = 0.95
"""Correlation over all leads, at the best shift, from which two real records are one recording.
Different patients among 400 PTB-XL records reached .81, its repeated recordings 1.00."""

SHIFTED_PAIRS = 10_000_000
"""Pairs up to which duplicates are looked for under all shifts; beyond, sample by sample."""


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
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, rows = len(signals.x), np.flatnonzero(signals.usable)
    detector = DETECTORS[1] if len(rows) ** 2 <= SHIFTED_PAIRS else DETECTORS[0]
    x, own = signals.x[rows], np.arange(len(rows))
    found, _ = search(
        detector.kernel(x, x, device),
        k=3,
        groups=(own, own),
        jobs=jobs,
        stage="duplicates",
        progress=progress,
    )
    i, k = np.nonzero(detector.correlation(found) >= DUPLICATE)
    pairs = np.sort(np.column_stack([rows[i], rows[found.partner[i, k]]]), axis=1)
    pairs = np.unique(pairs, axis=0).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return Duplicates(connected_components(graph, directed=False)[1], pairs, detector.id)


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
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes = np.unique(ecgs.patients(assume_independent=assume_independent), return_inverse=True)[1]
    signals = record_signals(ecgs, independent_leads([ecgs]), ecgs.seconds, jobs=jobs)
    same = find_duplicates(signals, jobs=jobs).pairs
    n = int(codes.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(same)), (codes[same[:, 0]], codes[same[:, 1]])), shape=(n, n))
    people, person = connected_components(graph, directed=False)
    first = round(fraction * people)
    if not 0 < first < people:
        raise UsageError(
            f"a fraction of {fraction:g} of {people} patients leaves one side empty; "
            "expected a fraction that gives both sides at least one patient"
        )
    chosen = np.isin(person[codes], rng.permutation(people)[:first])
    return ecgs.select(chosen), ecgs.select(~chosen)
