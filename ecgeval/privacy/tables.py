"""The tables and figures of an audit, redacted.

Unless `View.show` is set, nothing here may show a trace, a distance of a single record, or a clear
id of a real record. Synthetic traces neither: a copy *is* a patient's trace, also one that the
search has missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from ecgeval.ecgset import EcgSet, resample
from ecgeval.privacy.copies.detectors import COMPLETE_PAIRS, DETECTORS, FLOORS, FS_HZ, NEAR_S
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.kernels.replayed import Replayed
from ecgeval.privacy.copies.rule import distance
from ecgeval.privacy.view import View
from ecgeval.results import Figure, Table
from ecgeval.stats.intervals import clopper_pearson, pair

__all__ = ["figures", "tables"]

ROWS = 1000
"""Most rows of a table of pairs."""

HALVES = "two halves of one record"

SHOWN = 8
"""Pairs drawn."""


def _threats(v: View) -> Table:
    """Return who might attack, with what, and whether this audit took their part."""
    beats = "beat" in v.e.synth.signals
    alike = v.with_holdout
    attacks = "membership inference, linkage, singling out and inference of attributes"
    tried = "copy search" + (", exchangeability" if v.e.exchange is not None else "")
    tried += f", {attacks}" if beats and alike else ""
    asked = v.critic_asked
    rows = (
        (
            "whoever downloads the synthetic records",
            "the records, and ECGs of the person sought",
            "yes" if alike else "in part",
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
            "in part" if asked else "no",
            "membership inference by the critic's score" if asked else "",
        ),
        ("whoever can train generators alike", "shadow models", "no", ""),
    )
    return Table(
        v.id("threats"),
        "Threat models",
        ("attacker", "holds", "in scope", "tried"),
        rows,
        "An attacker out of scope may succeed where those in scope did not.",
        v.section,
    )


def tables(v: View) -> Iterator[Table]:
    """Yield what was audited, with which limits and sensitivity, and what was named."""
    e, s = v.e, v.section
    yield Table(
        v.id("sets"),
        "Records audited",
        ("set", "records", "usable", "left out because"),
        tuple(
            (name, n, usable, ", ".join(f"{why}: {k}" for why, k in reasons.items()))
            for name, n, usable, reasons in e.counts
        ),
        "Usable: finite, and not flat. Records left out are similar to nothing. "
        + " ".join(e.notes),
        s,
    )
    yield _threats(v)
    yield Table(
        v.id("detectors"),
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
        tuple(
            (
                m.detector.id,
                m.detector.label,
                m.detector.finds,
                round(m.rule.limit, 3),
                m.rule.n,
                v.reach[m.detector.id].low if m.detector.id in v.reach else None,
                int(m.named.sum()),
                int(m.control.sum()) if v.with_holdout else None,
            )
            for m in e.matches
        ),
        "Limits come from the similarities between different patients; 0 records behind a "
        "limit: too few patients, the strictest limit is used. Own halves reach: similarity that "
        "95 % of training records have with their own other half. Whole records compare the same "
        "seconds, which halves do not share." + _not_run(v),
        s,
    )
    yield Table(
        v.id("sensitivity"),
        "Planted copies found",
        ("disguise", "detector", "planted", "found", "recall", "ci_low", "ci_high"),
        tuple(
            (
                t.label,
                name,
                len(row),
                int(row.sum()),
                float(row.mean()),
                *clopper_pearson(int(row.sum()), len(row)),
            )
            for name, found in v.detectors()
            for t, row in zip(TRANSFORMS, found, strict=True)
            if len(row)
        )
        + tuple(
            (HALVES, name, r.records, r.above, r.above / r.records, *r.interval)
            for name, r in v.reach.items()
        ),
        "Training records planted under each disguise; found: named by the rule used, with the "
        "right partner. Planted records are delineated like all others, or, where the audit was "
        "given beats without the means to find them again, the disguise is applied to the "
        "representative beat. Two halves of one record: none is planted; "
        "found: at or above the similarity limit, as a second look at a training patient would be.",
        s,
    )
    yield _copies_table(v)
    if e.exchange is not None:
        x = e.exchange
        yield Table(
            v.id("exchange"),
            "Exchangeability statistics",
            ("detector", "statistic", "observed", "expected", "null_low", "null_high"),
            tuple(
                (*label, float(o), float(m), *pair(f))
                for label, o, m, f in zip(
                    x.statistics, x.observed, x.expected, x.floor, strict=True
                )
            ),
            "auc: training against holdout patients; topq: share of training patients among "
            "the q most similar. Null: central 95 % under permuted patients.",
            s,
        )
    if len(e.duplicates.pairs):
        yield _duplicates_table(v)


_TOO_MANY = f"compares at most {COMPLETE_PAIRS:,} pairs without representative beats"


def _not_run(v: View) -> str:
    """Return which detectors did not run, and what was not compared in a large set."""
    run = {m.detector.id for m in v.e.matches}
    out = ""
    for d in DETECTORS:
        if d.id not in run:
            why = "needs representative beats" if d.signals == "beat" or d.always else _TOO_MANY
            out += f" {d.id} {why} and did not run."
    few = [d for d in DETECTORS if d.id in run and d.screened(v.e.complete)]
    for (screen, nearest), some in groupby(few, key=lambda d: (d.screen, d.nearest)):
        names = [d.id for d in some]
        out += (
            f" {' and '.join(names)} {'compare' if len(names) > 1 else 'compares'} each record "
            f"with the {nearest} that {screen} finds nearest; what that misses is in the shares "
            "of planted copies found."
        )
    for m in v.e.matches:
        if m.stages:
            pairs, bound, second, hits = m.stages
            out += (
                f" {m.detector.id} looked for correlations of at least {FLOORS[0]:g} at shifts up "
                f"to {NEAR_S:g} s and {FLOORS[1]:g} beyond, the same in training and holdout "
                f"records, and missed none: of {pairs:,} pairs bounds left {bound:,} and "
                f"{second:,}, and {hits:,} were found."
            )
    return out


_LEADS = ("record", "beat", "single")


def _copies_table(v: View) -> Table:
    e = v.e
    rows: list[tuple[Any, ...]] = []
    for i in np.flatnonzero(v.named)[:ROWS]:
        by = [m for m in e.matches if m.named[i]]
        # Beats are above their limits in many disguises: what tells most of the record leads.
        best = min(by, key=lambda m: _LEADS.index(m.detector.signals))
        record = e.train.ecgs.ids[best.partner[i]]
        row: tuple[Any, ...] = (
            v.synth_name(i),
            e.names[record],
            " ".join(m.detector.id for m in by),
        )
        if v.show:
            ratio = distance(best.train[i]) / max(distance(best.holdout[i]), 1e-12)
            row += (record, float(best.train[i]), float(ratio))
        rows.append(row)
    columns: tuple[str, ...] = ("synthetic record", "training record", "detectors")
    if v.show:
        columns += ("training record id", "similarity", "distance ratio")
    caption = (
        "Training records under the name that ecgeval.privacy.pseudonyms gives to whoever "
        "holds the training set."
    )
    if v.named.sum() > ROWS:
        caption += f" The first {ROWS} of {int(v.named.sum())}."
    return Table(v.id("copies"), "Copies named", columns, tuple(rows), caption, v.section)


def _duplicates_table(v: View) -> Table:
    e = v.e

    def name(row: int) -> str:
        side, record = e.real_ids[row]
        return f"{side}: {record if v.show else e.real_names[row]}"

    return Table(
        v.id("duplicates"),
        "Real records that are the same recording",
        ("record", "same recording as"),
        tuple((name(i), name(j)) for i, j in e.duplicates.pairs[:ROWS]),
        "Under pseudonyms; clear ids with --show-traces." if not v.show else "",
        v.section,
    )


def figures(v: View) -> Iterator[Figure]:
    """Yield the similarities in coarse bins, the permutation null and, with leave, traces."""
    e, m = v.e, v.primary
    edges = np.round(np.arange(0, 1.0001, 0.05), 2)
    sides = [("synthetic to training", m.train)]
    if v.with_holdout:
        sides.append(("synthetic to holdout", m.holdout))
    sides.append(("real to another patient", m.baseline))
    yield Figure(
        v.id("neighbours"),
        "neighbours",
        "Similarity to the nearest record",
        {
            "xlabel": f"correlation ({m.detector.label})",
            "edges": edges.tolist(),
            "series": [{"name": name, "counts": _histogram(x, edges)} for name, x in sides],
            "threshold": round(m.rule.limit, 3),
        },
        "Copies lie right of the limit."
        + (
            " An honest set is as close to the holdout as to the training set."
            if v.with_holdout
            else ""
        ),
        v.section,
    )
    if e.exchange is not None:
        x = e.exchange
        top = max(float(x.null_max.max()), x.observed_max)
        bins = np.linspace(min(float(x.null_max.min()), x.observed_max), top, 41)
        yield Figure(
            v.id("null"),
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
            v.section,
        )
    pairs = _pairs(v) if v.show else []
    if pairs:
        yield Figure(
            v.id("pairs"),
            "pairs",
            "Most similar pairs",
            {"fs": FS_HZ, "leads": list(e.synth.ecgs.leads), "pairs": pairs},
            "Restricted: shows real patients.",
            v.section,
        )


def _pairs(v: View) -> list[dict[str, Any]]:
    e, m = v.e, v.primary
    rank = np.where(np.isnan(m.train), -np.inf, m.train)
    order = np.lexsort((np.arange(len(rank)), -rank, ~v.named))
    out = []
    for i in order[:SHOWN]:
        partner = next((found.partner[i] for found in e.matches if found.named[i]), m.partner[i])
        if partner < 0:
            continue
        by = {found.detector.id: found.detector for found in e.matches if found.named[i]}
        retimed = "D7" in by and not by.keys() & {"D1", "D2", "D3"}
        used = by["D7"] if retimed else m.detector
        x, y = (side.signals["record"].x for side in (e.synth, e.train))
        kernel, first = used.kernel(x[[i]], y[[partner]]), np.zeros(1, int)
        real, title = _microvolts(e.train.ecgs, partner), str(e.train.ecgs.ids[partner])
        lag = 0
        if isinstance(kernel, Replayed):
            _, speed, start = (float(v[0]) for v in kernel.align(first, first))
            real = {lead: _read_at(uv, speed, start) for lead, uv in real.items()}
            title += f", {speed:.3f} times as fast"
        else:
            assert isinstance(kernel, Lagged)
            lag = int(kernel.lag(first, first)[0])
        out.append(
            {
                "title": v.synth_name(i),
                "synth": _microvolts(e.synth.ecgs, i),
                "real_title": title,
                "real": real,
                # Sample n of the synthetic trace meets n + lag: drawn, the real one moves back.
                "lag_ms": -1000 * lag / FS_HZ,
                "similarity": float(kernel.exact(first, first)[0]),
            }
        )
    return out


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
