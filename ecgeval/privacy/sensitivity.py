"""What of the planted copies was found, and how many copies may have been missed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ecgeval.privacy.copies.disguises import TRANSFORMS, promised
from ecgeval.privacy.evidence import Evidence
from ecgeval.stats.intervals import clopper_pearson

__all__ = [
    "limits_out_of_reach",
    "planted_found",
    "recall_in_words",
    "upper_limit",
    "weakest_recall",
]


def planted_found(e: Evidence) -> dict[str, np.ndarray]:
    """Return which planted copies each detector found, first ``any``, their union.

    Returns
    -------
    dict of ndarray of bool, shape (transforms, planted)
    """
    by_detector = {m.detector.id: m.found for m in e.matches}
    return {"any": np.logical_or.reduce(list(by_detector.values())), **by_detector}


def _promised_recalls(e: Evidence) -> Iterator[tuple[str, int]]:
    """Yield label and number found of each disguise that must be."""
    hits = planted_found(e)["any"].sum(axis=1)
    for transform, found, asked in zip(
        TRANSFORMS, hits.tolist(), promised(e.synth.signals), strict=True
    ):
        if asked:
            yield transform.label, found


def weakest_recall(e: Evidence) -> float:
    """Return the smallest share of planted copies found, of the disguises that must be."""
    return min(hits / max(len(e.planted_rows), 1) for _, hits in _promised_recalls(e))


def recall_in_words(e: Evidence) -> str:
    """Return the shares of planted copies found, of the disguises that must be."""
    n = max(len(e.planted_rows), 1)
    return ", ".join(f"{label} {hits / n:.0%}" for label, hits in _promised_recalls(e))


def upper_limit(e: Evidence, count: int, n: int) -> float:
    """Return the upper limit of a share, corrected for what the search misses.

    It is the upper Clopper-Pearson limit of `count` of `n` over the lower limit of the weakest
    recall. Both hold at 97.5 %, so the quotient holds at 95 % (Bonferroni).

    References
    ----------
    Rogan WJ, Gladen B. Estimating prevalence from the results of a screening test. Am J Epidemiol
    1978;107:71-76.
    """
    planted = len(e.planted_rows)
    if not n or not planted:
        return 1.0
    low = min(clopper_pearson(hits, planted)[0] for _, hits in _promised_recalls(e))
    return min(1.0, clopper_pearson(count, n)[1] / low) if low > 0 else 1.0


def limits_out_of_reach(e: Evidence) -> str:
    """Return which detectors of beats have a limit above what halves of one record reach.

    The others compare the same seconds: two halves of a record are no copies to them.
    """
    return ", ".join(
        f"{m.detector.id} ({r.limit:.3f}, reach {r.low:.3f}, {r.above / r.records:.0%} of "
        f"{r.records} records at or above)"
        for m in e.matches
        if m.detector.signals == "beat" and (r := e.reach.get(m.detector.id)) and r.limit > r.low
    )
