"""The tables of an audit and the data of its figures, redacted.

Unless traces may be shown, nothing here may show a trace, a distance of a single record, or a clear
id of a real record. Synthetic traces neither: a copy *is* a patient's trace, also one that the
search has missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from ecgeval.ecgset import EcgSet, resample
from ecgeval.privacy.copies.detectors import COMPLETE_PAIRS, DETECTORS, FLOORS, NEAR_S, Detector
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.kernels.replayed import Replayed
from ecgeval.privacy.copies.rule import distance
from ecgeval.privacy.copies.signals import FS_HZ
from ecgeval.privacy.evidence import Evidence
from ecgeval.privacy.exchangeability import Exchange
from ecgeval.privacy.sensitivity import planted_found
from ecgeval.results import Figure, Table
from ecgeval.stats.intervals import clopper_pearson, pair

__all__ = ["figures", "tables"]

MOST_ROWS = 1000
"""Of a table of pairs."""

HALVES = "two halves of one record"

PAIRS_DRAWN = 8

_TOO_MANY = f"compares at most {COMPLETE_PAIRS:,} pairs without representative beats"
_MOST_TELLING = ("record", "beat", "single")


def tables(
    e: Evidence, section: str, *, show: bool = False, critic: bool = False
) -> Iterator[Table]:
    """Yield what was audited, with which limits and sensitivity, and what was named.

    Parameters
    ----------
    e : Evidence
    section : str
    show : bool
        Whether real ids and similarities of single records may be shown.
    critic : bool
        Whether a critic's scores are used for an attack.
    """
    yield Table(
        f"{section}.sets",
        "Records audited",
        ("set", "records", "usable", "left out because"),
        tuple(
            (name, n, usable, ", ".join(f"{why}: {k}" for why, k in reasons.items()))
            for name, n, usable, reasons in e.counts
        ),
        "Usable: finite, and not flat. Records left out are similar to nothing. "
        + " ".join(e.notes),
        section,
    )
    yield _threats(e, section, critic)
    yield _detectors(e, section)
    yield _planted(e, section)
    yield _copies(e, section, show)
    if e.exchange is not None:
        yield _exchange(e.exchange, section)
    if len(e.duplicates.pairs):
        yield _duplicates(e, section, show)


def _threats(e: Evidence, section: str, critic: bool) -> Table:
    """Return who might attack, with what, and whether this audit took their part."""
    beats = "beat" in e.synth.signals
    attacks = "membership inference, linkage, singling out and inference of attributes"
    tried = "copy search" + (", exchangeability" if e.exchange is not None else "")
    tried += f", {attacks}" if beats and e.with_holdout else ""
    rows = (
        (
            "whoever downloads the synthetic records",
            "the records, and ECGs of the person sought",
            "yes" if e.with_holdout else "in part",
            tried,
        ),
        (
            "whoever may query the generator",
            "as many records as wanted",
            "no",
            "these records only; draw more and audit again",
        ),
        (
            "whoever holds the weights",
            "generator, perhaps critic",
            "in part" if critic else "no",
            "membership inference by the critic's score" if critic else "",
        ),
        ("whoever can train generators alike", "shadow models", "no", ""),
    )
    return Table(
        f"{section}.threats",
        "Threat models",
        ("attacker", "holds", "in scope", "tried"),
        rows,
        "An attacker out of scope may succeed where those in scope did not.",
        section,
    )


def _detectors(e: Evidence, section: str) -> Table:
    rows = tuple(
        (
            m.detector.id,
            m.detector.label,
            m.detector.finds,
            round(m.rule.limit, 3),
            m.rule.n,
            e.reach[m.detector.id].low if m.detector.id in e.reach else None,
            int(m.named.sum()),
            int(m.control.sum()) if e.with_holdout else None,
        )
        for m in e.matches
    )
    return Table(
        f"{section}.detectors",
        "Detectors",
        (
            "detector",
            "compares",
            "finds copies despite",
            "similarity limit",
            "real records behind it",
            "own halves reach",
            "copies named",
            "named in the holdout",
        ),
        rows,
        "Limits come from the similarities between different patients; 0 records behind a "
        "limit: too few patients, the strictest limit is used. Own halves reach: similarity that "
        "95 % of training records have with their own other half. Whole records compare the same "
        "seconds, which halves do not share." + _not_run(e),
        section,
    )


def _not_run(e: Evidence) -> str:
    """Return which detectors did not run, and what was not compared in a large set."""
    run = {m.detector.id for m in e.matches}
    out = ""
    for d in DETECTORS:
        if d.id not in run:
            why = "needs representative beats" if d.signals == "beat" or d.always else _TOO_MANY
            out += f" {d.id} {why} and did not run."
    few = [d for d in DETECTORS if d.id in run and d.screened(e.complete)]
    for (screen, nearest), some in groupby(few, key=lambda d: (d.screen, d.nearest)):
        names = [d.id for d in some]
        out += (
            f" {' and '.join(names)} {'compare' if len(names) > 1 else 'compares'} each record "
            f"with the {nearest} that {screen} finds nearest; what that misses is in the shares "
            "of planted copies found."
        )
    for m in e.matches:
        if m.stages:
            pairs, bound, second, hits = m.stages
            out += (
                f" {m.detector.id} looked for correlations of at least {FLOORS[0]:g} at shifts up "
                f"to {NEAR_S:g} s and {FLOORS[1]:g} beyond, the same in training and holdout "
                f"records, and missed none: of {pairs:,} pairs bounds left {bound:,} and "
                f"{second:,}, and {hits:,} were found."
            )
    return out


def _planted(e: Evidence, section: str) -> Table:
    planted = tuple(
        (
            t.label,
            name,
            len(row),
            int(row.sum()),
            float(row.mean()),
            *clopper_pearson(int(row.sum()), len(row)),
        )
        for name, found in planted_found(e).items()
        for t, row in zip(TRANSFORMS, found, strict=True)
        if len(row)
    )
    halves = tuple(
        (HALVES, name, r.records, r.above, r.above / r.records, *r.interval)
        for name, r in e.reach.items()
    )
    return Table(
        f"{section}.sensitivity",
        "Planted copies found",
        ("disguise", "detector", "planted", "found", "recall", "ci_low", "ci_high"),
        planted + halves,
        "Training records planted under each disguise; found: named by the rule used, with the "
        "right partner. Planted records are delineated like all others, or, where the audit was "
        "given beats without the means to find them again, the disguise is applied to the "
        "representative beat. Two halves of one record: none is planted; "
        "found: at or above the similarity limit, as a second look at a training patient would be.",
        section,
    )


def _exchange(x: Exchange, section: str) -> Table:
    rows = zip(x.statistics, x.observed, x.expected, x.floor, strict=True)
    return Table(
        f"{section}.exchange",
        "Exchangeability statistics",
        ("detector", "statistic", "observed", "expected", "null_low", "null_high"),
        tuple(
            (*label, float(observed), float(expected), *pair(floor))
            for label, observed, expected, floor in rows
        ),
        "auc: training against holdout patients; topq: share of training patients among "
        "the q most similar. Null: central 95 % under permuted patients.",
        section,
    )


def _names(e: Evidence, show: bool) -> list[str]:
    """Return the ids of synthetic records; one that is a real record's too may not be shown."""
    sides = [side for side in (e.train, e.holdout) if side is not None]
    real = {str(x) for s in sides for x in (*s.ecgs.ids, *s.ecgs.records["patient_id"])}
    return [
        name if show or name not in real else f"record {row + 1} of the synthetic set"
        for row, name in enumerate(map(str, e.synth.ecgs.ids))
    ]


def _copies(e: Evidence, section: str, show: bool) -> Table:
    rows: list[tuple[Any, ...]] = []
    names = _names(e, show)
    for i in np.flatnonzero(e.named)[:MOST_ROWS]:
        by = [m for m in e.matches if m.named[i]]
        # Beats are above their limits in many disguises: what tells most of the record leads.
        best = min(by, key=lambda m: _MOST_TELLING.index(m.detector.signals))
        _, record, alias = e.real[best.partner[i]]
        row: tuple[Any, ...] = (names[i], alias, " ".join(m.detector.id for m in by))
        if show:
            ratio = distance(best.train[i]) / max(distance(best.holdout[i]), 1e-12)
            row += (record, float(best.train[i]), float(ratio))
        rows.append(row)
    columns: tuple[str, ...] = ("synthetic record", "training record", "detectors")
    if show:
        columns += ("training record id", "similarity", "distance ratio")
    caption = (
        "Training records under the name that ecgeval.privacy.pseudonyms gives to whoever "
        "holds the training set."
    )
    if e.named.sum() > MOST_ROWS:
        caption += f" The first {MOST_ROWS} of {int(e.named.sum())}."
    return Table(f"{section}.copies", "Copies named", columns, tuple(rows), caption, section)


def _duplicates(e: Evidence, section: str, show: bool) -> Table:
    def name(row: int) -> str:
        side, record, alias = e.real[row]
        return f"{side}: {record if show else alias}"

    return Table(
        f"{section}.duplicates",
        "Real records that are the same recording",
        ("record", "same recording as"),
        tuple((name(i), name(j)) for i, j in e.duplicates.pairs[:MOST_ROWS]),
        "Under pseudonyms; clear ids with --show-traces." if not show else "",
        section,
    )


def figures(e: Evidence, section: str, *, show: bool = False) -> Iterator[Figure]:
    """Yield similarities in coarse bins, the permutation null and, if `show`, pairs of traces."""
    m = e.main
    edges = np.round(np.arange(0, 1.0001, 0.05), 2)
    series = [("synthetic to training", m.train)]
    if e.with_holdout:
        series.append(("synthetic to holdout", m.holdout))
    series.append(("real to another patient", m.baseline))
    yield Figure(
        f"{section}.neighbours",
        "neighbours",
        "Similarity to the nearest record",
        {
            "xlabel": f"correlation ({m.detector.label})",
            "edges": edges.tolist(),
            "series": [{"name": name, "counts": _histogram(x, edges)} for name, x in series],
            "threshold": round(m.rule.limit, 3),
        },
        "Copies lie right of the limit."
        + (
            " An honest set is as close to the holdout as to the training set."
            if e.with_holdout
            else ""
        ),
        section,
    )
    if e.exchange is not None:
        x = e.exchange
        top = max(float(x.null_max.max()), x.observed_max)
        bins = np.linspace(min(float(x.null_max.min()), x.observed_max), top, 41)
        yield Figure(
            f"{section}.null",
            "null",
            "Exchangeability of training and holdout patients",
            {
                "xlabel": "largest standardised statistic",
                "values_edges": bins.tolist(),
                "counts": np.histogram(x.null_max, bins)[0].tolist(),
                "observed": x.observed_max,
                "p": x.p,
            },
            "Bars: patients permuted between the two sets. Line: the sets as given.",
            section,
        )
    if show and (pairs := _drawn_pairs(e)):
        yield Figure(
            f"{section}.pairs",
            "pairs",
            "Most similar pairs",
            {"fs": FS_HZ, "leads": list(e.synth.ecgs.leads), "pairs": pairs},
            "Restricted: shows real patients.",
            section,
        )


def _drawn_pairs(e: Evidence) -> list[dict[str, Any]]:
    """Return the most similar pairs of traces, copies named first."""
    rank = np.where(np.isnan(e.main.train), -np.inf, e.main.train)
    order = np.lexsort((np.arange(len(rank)), -rank, ~e.named))
    out = []
    for i in order[:PAIRS_DRAWN]:
        by = [m for m in e.matches if m.named[i]]
        partner = by[0].partner[i] if by else e.main.partner[i]
        if partner < 0:
            continue
        speeds = {m.detector.speed: m.detector for m in by}
        retimed = "changed" in speeds and "kept" not in speeds
        out.append(_drawn_pair(e, i, partner, speeds["changed"] if retimed else e.main.detector))
    return out


def _drawn_pair(e: Evidence, i: int, partner: int, detector: Detector) -> dict[str, Any]:
    """Return a synthetic record and its partner, laid over it as the detector does."""
    x, y = (side.signals["record"].x for side in (e.synth, e.train))
    kernel, first = detector.kernel(x[[i]], y[[partner]]), np.zeros(1, int)
    real, title = _microvolts(e.train.ecgs, partner), str(e.train.ecgs.ids[partner])
    lag = 0
    if isinstance(kernel, Replayed):
        _, speed, start = (float(v[0]) for v in kernel.align(first, first))
        real = {lead: _read_at(uv, speed, start) for lead, uv in real.items()}
        title += f", {speed:.3f} times as fast"
    else:
        assert isinstance(kernel, Lagged)
        lag = int(kernel.lag(first, first)[0])
    return {
        "title": str(e.synth.ecgs.ids[i]),
        "synth": _microvolts(e.synth.ecgs, i),
        "real_title": title,
        "real": real,
        # Sample n of the synthetic trace meets n + lag: drawn, the real one moves back.
        "lag_ms": -1000 * lag / FS_HZ,
        "similarity": float(kernel.exact(first, first)[0]),
    }


def _read_at(uv: list[int], speed: float, start: float) -> list[int]:
    """Return a trace as it is when played at another speed; beyond its ends they are repeated."""
    t = np.arange(len(uv))
    return np.rint(np.interp(speed * t + start, t, uv)).astype(int).tolist()


def _histogram(similarity: np.ndarray, edges: np.ndarray) -> list[int]:
    known = similarity[np.isfinite(similarity)]
    return np.histogram(np.clip(known, edges[0], edges[-1]), edges)[0].tolist()


def _microvolts(ecgs: EcgSet, row: int) -> dict[str, list[int]]:
    """Return a record lead by lead at the rate it was compared at, unfiltered."""
    signal = resample(np.nan_to_num(ecgs.signals[row]), ecgs.fs, FS_HZ)
    return dict(zip(ecgs.leads, np.rint(signal * 1000).astype(int).tolist(), strict=True))
