"""From an audit's evidence to findings, estimates, tables and figures, redacted.

Unless `show_traces` is set, nothing here may show a real patient's trace, a distance of a single
record, or a clear id of a real record. A synthetic trace that is a copy *is* a patient's trace, so
once a copy is named no synthetic trace is shown either: what the search missed may be another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.ecgset import EcgSet, resample
from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.copies import ALPHA, clopper_pearson, distance
from ecgeval.privacy.detectors import DETECTORS, FS_HZ
from ecgeval.privacy.evidence import LEAST_PATIENTS, Evidence, Match, collect
from ecgeval.privacy.exchangeability import auc_interval
from ecgeval.privacy.search import Lagged
from ecgeval.privacy.sensitivity import TRANSFORMS
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict

__all__ = ["audit_sets"]

P_FAIL = 0.01
P_REVERSED = 0.001
"""The reversed direction is no hypothesis of the audit, hence stricter."""

LEAST_RECALL = 0.9
"""A search that finds fewer of the planted copies than this, of any kind, clears nothing."""

ROWS = 1000
"""Most rows of a table of pairs."""

SHOWN = 3
"""Pairs drawn."""

NOT_TESTED = (
    "membership inference", "linkage to another ECG of the same patient", "attribute inference",
    "copies of parts of a record (windows, single beats, single leads)", "re-timed copies",
    "the generator's weights",
)  # fmt: skip


def audit_sets(
    train: EcgSet,
    holdout: EcgSet | None,
    synth: EcgSet,
    *,
    beats: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
    jobs: int = 1,
    section: str = "privacy",
    assume_independent: bool = False,
    show_traces: bool = False,
    permutations: int = 9999,
    progress: Progress = quiet,
) -> Results:
    """Test whether synthetic ECGs leak the patients a generator was trained on.

    Parameters
    ----------
    train : EcgSet
        What the generator was trained on.
    holdout : EcgSet or None
        Patients of the same population, set aside at random before training. Without them only
        the copy search runs, against other training patients.
    synth : EcgSet
        What the generator made, one independent draw a record.
    beats : mapping of str to ndarray, shape (n, leads, samples), optional
        Representative beats in mV under ``train``, ``holdout``, ``synth`` (-0.4 to 0.7 s around R,
        rate and leads of each set, NaN where missing); adds the detector that compares beats.
    seed : int
        Decides which records are planted, their disguise, and the permutations.
    jobs : int
        Worker processes; the results are the same for any number.
    section : str
        Slug of the section, and first part of every id.
    assume_independent : bool
        Count records without a patient id as patients of their own.
    show_traces : bool
        Show clear ids, similarities and traces of the pairs found (a restricted annex).
    permutations : int
        Of the exchangeability test.
    progress : callable

    Returns
    -------
    Results
        One section. An audit may fail a release; it never clears one by itself, so the best
        verdict is INCONCLUSIVE.

    Raises
    ------
    UsageError
        If a real record has no patient id and `assume_independent` is not set.
    DataError
        If the sets cannot be compared (no common lead, another unit, an empty set).
    """
    e = collect(
        train, holdout, synth, beats=beats, seed=seed, jobs=jobs, permutations=permutations,
        assume_independent=assume_independent, progress=progress,
    )  # fmt: skip
    view = _View(e, section, seed, show_traces, given_holdout=holdout is not None)
    return Results(
        sections=(Section(section, "Privacy audit", view.summary()),),
        estimates=tuple(view.estimates()),
        findings=tuple(view.findings()),
        tables=tuple(view.tables()),
        figures=tuple(view.figures()),
    )


class _View:
    """An audit's evidence under one section, with what several outputs share."""

    def __init__(
        self, e: Evidence, section: str, seed: int, show: bool, *, given_holdout: bool
    ) -> None:
        self.e, self.section, self.seed, self.show = e, section, seed, show
        self.given_holdout = given_holdout
        usable = [s.usable for s in e.synth.signals.values()]
        self.n_synth = int(np.logical_or.reduce(usable).sum())
        self.n_planted = e.matches[0].found.shape[1]
        self.named = np.logical_or.reduce([m.named for m in e.matches])
        self.control = np.logical_or.reduce([m.control for m in e.matches])
        self.found = np.logical_or.reduce([m.found for m in e.matches])
        partners = [e.train.person[m.partner[m.named]] for m in e.matches]
        self.exposed = len(np.unique(np.concatenate(partners)))
        hits = self.found.sum(axis=1)
        self.recall = hits / max(self.n_planted, 1)
        self.recall_low = min(
            clopper_pearson(int(h), self.n_planted)[0] if self.n_planted else 0.0 for h in hits
        )

    def id(self, *parts: str) -> str:
        return ".".join((self.section, *parts))

    def bound(self, count: int, n: int) -> float:
        """Return the upper limit of a share, corrected for what the search misses.

        Both limits hold at 97.5 %, so the quotient holds at 95 % (Bonferroni).
        """
        if not n or self.recall_low <= 0:
            return 1.0
        return min(1.0, clopper_pearson(count, n)[1] / self.recall_low)

    @property
    def primary(self) -> Match:
        """The whole-record detector over all shifts, which speaks for the others in figures."""
        return next(m for m in self.e.matches if m.detector.id == "D2")

    # ---- estimates ---------------------------------------------------------------------------

    def estimates(self) -> Iterator[Estimate]:
        e, n = self.e, self.n_synth
        sizes: dict[str, Any] = {
            "n_real": len(e.train), "n_synth": n, "patients_real": e.train.people(),
            "seed": self.seed,
        }  # fmt: skip
        count = int(self.named.sum())
        yield Estimate(
            self.id("copies", "count"), count if n else None, _count_interval(count, n), null=0,
            unit="records", better="lower", label="synthetic records named as copies",
            method="union of detectors, calibrated rule; Clopper-Pearson", **sizes,
        )  # fmt: skip
        yield Estimate(
            self.id("copies", "upper"), self.bound(count, n), better="lower",
            label="upper 95 % bound on the share of outputs that are copies of the kinds planted",
            method="Clopper-Pearson limit over the lower limit of the weakest planted recall",
            **sizes,
        )  # fmt: skip
        yield Estimate(
            self.id("copies", "patients"), self.exposed,
            _count_interval(self.exposed, e.train.people()), null=0, unit="patients",
            better="lower", label="training patients of whom a copy was named",
            method="partners of the copies; Clopper-Pearson", **sizes,
        )  # fmt: skip
        yield Estimate(
            self.id("copies", "patients_upper"), self.bound(self.exposed, e.train.people()),
            better="lower", label="upper 95 % bound on the share of training patients copied",
            method="as copies.upper, over patients", **sizes,
        )  # fmt: skip
        if e.holdout is not None:
            yield Estimate(
                self.id("copies", "control"), int(self.control.sum()),
                _count_interval(int(self.control.sum()), n), null=0, unit="records",
                better="lower", label="synthetic records named as copies of holdout records",
                method="the same rule, train and holdout exchanged",
                **(sizes | {"n_real": len(e.holdout), "patients_real": e.holdout.people()}),
            )  # fmt: skip
        for name, found in self._detectors():
            for transform, row in zip(TRANSFORMS, found, strict=True):
                hits, planted = int(row.sum()), len(row)
                yield Estimate(
                    self.id("recall", name.lower(), transform.id),
                    hits / planted if planted else None,
                    clopper_pearson(hits, planted) if planted else None, n_real=planted,
                    n_synth=planted, better="higher", seed=self.seed,
                    label=f"planted copies found, {transform.label}, {name}",
                    method="planted training records, right partner named; Clopper-Pearson",
                )  # fmt: skip
        yield Estimate(
            self.id("duplicates", "records"), len(np.unique(e.duplicates.pairs)), null=0,
            unit="records", better="lower", n_real=len(e.real_ids),
            label="real records that occur more than once",
            method=f"detector {e.duplicates.detector} among all real records",
        )  # fmt: skip
        if e.exchange is not None and e.holdout is not None:
            yield from self._exchange_estimates()

    def _exchange_estimates(self) -> Iterator[Estimate]:
        x, train, holdout = self.e.exchange, self.e.train, self.e.holdout
        assert x is not None
        assert holdout is not None
        t, h = train.people(), holdout.people()
        sizes: dict[str, Any] = {
            "n_real": len(train) + len(holdout), "n_synth": self.n_synth,
            "patients_real": t + h, "seed": self.seed,
        }  # fmt: skip
        at = {label: k for k, label in enumerate(x.statistics)}
        k = at["D2", "auc"]
        yield Estimate(
            self.id("exchange", "auc"), float(x.observed[k]),
            auc_interval(float(x.observed[k]), t, h), p=x.p, floor=_pair(x.floor[k]), null=0.5,
            better="near_null", label="training against holdout patients: AUC of D2 similarity",
            method="Mann-Whitney AUC, pseudo-score interval; p: permutation of patients, largest "
            "standardised statistic over detectors, AUC and top counts", **sizes,
        )  # fmt: skip
        if ("D2", "top20") in at:
            k = at["D2", "top20"]
            share = float(x.observed[k])
            yield Estimate(
                self.id("exchange", "topq20"), share, clopper_pearson(round(20 * share), 20),
                p=x.p, floor=_pair(x.floor[k]), null=float(x.expected[k]), better="near_null",
                label="share of training patients among the 20 most similar (D2)",
                method="top count; p as exchange.auc", **sizes,
            )  # fmt: skip
        yield Estimate(
            self.id("exchange", "flagged"), self.e.flagged, null=0, unit="patients",
            better="lower", label="training patients flagged at a false discovery rate of 5 %",
            method="conformal p-values of the best rank over detectors, Benjamini-Hochberg",
            **sizes,
        )  # fmt: skip

    def _detectors(self) -> Iterator[tuple[str, np.ndarray]]:
        for m in self.e.matches:
            yield m.detector.id, m.found
        yield "any", self.found

    # ---- findings ----------------------------------------------------------------------------

    def findings(self) -> Iterator[Finding]:
        yield Finding(
            "PRIV-SCOPE", Verdict.INCONCLUSIVE,
            "copy search and exchangeability can fail a release; they never clear one",
            "Data sets that pass distance checks have been found highly vulnerable to membership "
            "inference (Yao et al., The DCR Delusion, arXiv 2505.01524). This audit is evidence "
            "for whoever decides on the release, not the decision.",
            rule="always INCONCLUSIVE", section=self.section,
        )  # fmt: skip
        yield self._copies()
        yield self._exchange()
        yield self._duplicates()
        yield Finding(
            "PRIV-NOT-TESTED", Verdict.NOT_ASSESSABLE, "not tested: " + NOT_TESTED[0] + " and more",
            "Not run by this version: " + "; ".join(NOT_TESTED) + ".",
            rule="listed whatever the data", section=self.section, gate=False,
        )  # fmt: skip

    def _copies(self) -> Finding:
        e, n, count, swapped = self.e, self.n_synth, int(self.named.sum()), int(self.control.sum())
        weakest = float(self.recall.min())
        recalls = ", ".join(
            f"{t.label} {r:.0%}" for t, r in zip(TRANSFORMS, self.recall, strict=True)
        )
        sensitivity = f"Of {self.n_planted} planted training records the search found: {recalls}."
        against = "holdout record" if e.holdout is not None else "record of another patient"
        rule = (
            f"copy: similarity at or above a detector's limit (chance {ALPHA:g} that an honest set "
            "of this size has one, extrapolated from different patients) and at less than half "
            f"the distance of the nearest {against}. FAIL: any copy. PASS: none, and at "
            f"least {LEAST_RECALL:.0%} of planted copies of every kind found"
        )
        if not n or not self.n_planted:
            verdict, title = Verdict.NOT_ASSESSABLE, "no usable signal to search for copies in"
            text = "Every record of the synthetic or the training set is flat or not finite."
        elif count:
            verdict = Verdict.FAIL
            title = (
                f"{_n(count, 'synthetic record')} of {n} {_is(count)} a copy of a training record "
                f"({_n(self.exposed, 'patient')})"
            )
            text = (
                "The table of copies names them. Do not release this set. Removing the records "
                "named is not enough: the generator has memorised patients, and a filter that "
                "regenerates until nothing is found hides it. " + sensitivity
            )
        elif swapped:
            verdict = Verdict.FAIL
            copies = f"{_n(swapped, 'synthetic record')} of {n} {_is(swapped)}"
            title = f"{copies} a copy of a holdout record"
            text = (
                "The generator should never have seen the holdout: either it was trained on it, or "
                "the two sets are exchanged on the command line. Real patients are copied either "
                "way."
            )
        elif weakest < LEAST_RECALL:
            verdict, title = Verdict.INCONCLUSIVE, "no copies found, but the search is too weak"
            text = sensitivity + " A search that misses planted copies clears nothing."
        else:
            verdict = Verdict.PASS
            title = (
                f"no copy of a whole record detected among {_n(n, 'synthetic record')}; "
                f"sensitivity on planted copies {weakest:.0%}"
            )
            text = (
                f"{sensitivity} With 95 % confidence fewer than {self.bound(0, n):.2%} of the "
                "generator's outputs are copies of these kinds."
            )
        if e.holdout is None:
            text += (
                " There was no usable holdout: other training patients stood in for it, which "
                "is a lower grade of evidence."
            )
        return Finding(
            "PRIV-COPIES", verdict, title, text,
            (self.id("copies", "count"), self.id("copies", "upper")), rule, self.section,
        )  # fmt: skip

    def _exchange(self) -> Finding:
        e = self.e
        rule = (
            f"patients permuted between train and holdout; FAIL if p < {P_FAIL:g}, or if the "
            f"holdout is the closer side at p <= {P_REVERSED:g}; never PASS, for a test that "
            "finds nothing shows nothing"
        )
        if e.exchange is None or e.holdout is None:
            why = (
                "without a holdout" if not self.given_holdout
                else "with the patients left in the holdout" if e.holdout is None
                else f"with fewer than {LEAST_PATIENTS} usable patients on either side"
            )  # fmt: skip
            return Finding(
                "PRIV-EXCHANGE", Verdict.NOT_ASSESSABLE,
                f"leakage short of copying cannot be assessed {why}",
                "Next time set 20 to 50 % of the patients aside at random before training, and "
                "give them as --holdout. Whether the synthetic set is closer to its training "
                "patients than to others can only be told by comparison with others.",
                rule=rule, section=self.section,
            )  # fmt: skip
        x = e.exchange
        auc = float(x.observed[list(x.statistics).index(("D2", "auc"))])
        t, h = e.train.people(), e.holdout.people()
        run, chance = 0, 1.0
        while chance >= P_FAIL and run < t:
            chance *= (t - run) / (t + h - run)
            run += 1
        numbers = f"p = {_p(x.p, len(x.null_max))}, AUC {auc:.2f}, {t} against {h} patients"
        if x.p < P_FAIL:
            verdict = Verdict.FAIL
            title = f"the synthetic set tells training from holdout patients ({numbers})"
            text = (
                "It is closer to the patients the generator was trained on than chance allows: "
                "evidence of memorisation, whether or not single copies were named."
            )
        elif x.p_reversed <= P_REVERSED:
            verdict = Verdict.FAIL
            title = (
                "the synthetic set is closer to the holdout than to the training patients "
                f"(p = {_p(x.p_reversed, len(x.null_max))}, AUC {auc:.2f})"
            )
            text = (
                "This happens when the two sets are exchanged, when the generator saw the "
                "holdout, or when patients were not allotted at random; an audit with these "
                "sets cannot be relied on."
            )
        else:
            verdict = Verdict.INCONCLUSIVE
            title = f"training and holdout patients could not be told apart ({numbers})"
            text = (
                f"With these numbers fewer than about {run} copied patients pass unnoticed by "
                "this test; the copy search covers those. A test that finds nothing shows nothing."
            )
        text += f" Flagged one by one at a false discovery rate of 5 %: {_n(e.flagged, 'patient')}."
        if x.informative < t + h:
            text += (
                f" Not informative, for a number of usable records that only one side has: "
                f"{_n(t + h - x.informative, 'patient')}."
            )
        ids = [self.id("exchange", "auc")]
        if ("D2", "top20") in x.statistics:
            ids.append(self.id("exchange", "topq20"))
        return Finding("PRIV-EXCHANGE", verdict, title, text, tuple(ids), rule, self.section)

    def _duplicates(self) -> Finding:
        e = self.e
        n = len(np.unique(e.duplicates.pairs))
        parts = []
        if n:
            parts.append(f"{_n(n, 'real record')} occur more than once")
        if e.shared_patients:
            parts.append(f"{_n(e.shared_patients, 'patient')} in both train and holdout")
        text = (
            "Repeated records are memorised most easily, and a patient on both sides makes the "
            "holdout no control."
        )
        if e.removed:
            text += (
                f" {_n(e.removed, 'record')} left the holdout, with the patients they belong to: "
                "the patient or a recording is in the training set too."
            )
        return Finding(
            "PRIV-DUPLICATES", Verdict.FAIL if parts else Verdict.PASS,
            "; ".join(parts) or "no recording and no patient occurs twice in the real sets",
            text, (self.id("duplicates", "records"),),
            "FAIL: any recording twice, or any patient in train and holdout", self.section,
            gate=False,
        )  # fmt: skip

    # ---- tables ------------------------------------------------------------------------------

    def tables(self) -> Iterator[Table]:
        e, s = self.e, self.section
        yield Table(
            self.id("sets"), "Records audited",
            ("set", "records", "usable", "left out because"),
            tuple(
                (name, n, usable, ", ".join(f"{why}: {k}" for why, k in reasons.items()))
                for name, n, usable, reasons in e.counts
            ),
            "Usable: finite, and not flat. Records left out are similar to nothing. "
            + " ".join(e.notes), s,
        )  # fmt: skip
        yield Table(
            self.id("detectors"), "Detectors",
            ("detector", "compares", "finds copies despite", "similarity limit",
             "real records behind it", "copies named", "named in the holdout"),
            tuple(
                (m.detector.id, m.detector.label, m.detector.finds, round(m.rule.limit, 3),
                 m.rule.n, int(m.named.sum()),
                 int(m.control.sum()) if e.holdout is not None else None)
                for m in e.matches
            ),
            "Limits come from the similarities between different patients; 0 records behind a "
            "limit: too few patients, the strictest limit is used."
            + ("" if any(m.detector.id == "D4" for m in e.matches)
               else " " + DETECTORS[2].id + " needs representative beats and did not run."), s,
        )  # fmt: skip
        yield Table(
            self.id("sensitivity"), "Planted copies found",
            ("disguise", "detector", "planted", "found", "recall", "ci_low", "ci_high"),
            tuple(
                (t.label, name, len(row), int(row.sum()), float(row.mean()),
                 *clopper_pearson(int(row.sum()), len(row)))
                for name, found in self._detectors()
                for t, row in zip(TRANSFORMS, found, strict=True)
                if len(row)
            ),
            "Training records planted under each disguise; found: named by the rule used, with the "
            "right partner. For the beat detector the disguise is applied to the representative "
            "beat (noise divided by the root of ten beats).", s,
        )  # fmt: skip
        yield self._copies_table()
        if e.exchange is not None:
            x = e.exchange
            yield Table(
                self.id("exchange"), "Exchangeability statistics",
                ("detector", "statistic", "observed", "expected", "null_low", "null_high"),
                tuple(
                    (*label, float(o), float(m), *_pair(f))
                    for label, o, m, f in zip(
                        x.statistics, x.observed, x.expected, x.floor, strict=True
                    )
                ),
                "auc: training against holdout patients; topq: share of training patients among "
                "the q most similar. Null: central 95 % under permuted patients.", s,
            )  # fmt: skip
        if len(e.duplicates.pairs):
            yield self._duplicates_table()

    def _copies_table(self) -> Table:
        e = self.e
        rows: list[tuple[Any, ...]] = []
        for i in np.flatnonzero(self.named)[:ROWS]:
            by = [m for m in e.matches if m.named[i]]
            best = max(by, key=lambda m: m.train[i])
            record = e.train.ecgs.ids[best.partner[i]]
            row: tuple[Any, ...] = (
                e.synth.ecgs.ids[i],
                e.names[record],
                " ".join(m.detector.id for m in by),
            )
            if self.show:
                ratio = distance(best.train[i]) / max(distance(best.holdout[i]), 1e-12)
                row += (record, float(best.train[i]), float(ratio))
            rows.append(row)
        columns: tuple[str, ...] = ("synthetic record", "training record", "detectors")
        if self.show:
            columns += ("training record id", "similarity", "distance ratio")
        caption = (
            "Training records under the name that ecgeval.privacy.pseudonyms gives to whoever "
            "holds the training set."
        )
        if self.named.sum() > ROWS:
            caption += f" The first {ROWS} of {int(self.named.sum())}."
        return Table(self.id("copies"), "Copies named", columns, tuple(rows), caption, self.section)

    def _duplicates_table(self) -> Table:
        e = self.e

        def name(row: int) -> str:
            side, record = e.real_ids[row]
            return f"{side}: {record if self.show else e.real_names[row]}"

        return Table(
            self.id("duplicates"), "Real records that are the same recording",
            ("record", "same recording as"),
            tuple((name(i), name(j)) for i, j in e.duplicates.pairs[:ROWS]),
            "Under pseudonyms; clear ids with --show-traces." if not self.show else "",
            self.section,
        )  # fmt: skip

    # ---- figures -----------------------------------------------------------------------------

    def figures(self) -> Iterator[Figure]:
        e, m = self.e, self.primary
        edges = np.round(np.arange(0, 1.0001, 0.05), 2)
        sides = [("synthetic to training", m.train)]
        if e.holdout is not None:
            sides.append(("synthetic to holdout", m.holdout))
        sides.append(("real to another patient", m.baseline))
        yield Figure(
            self.id("neighbours"), "neighbours", "Similarity to the nearest record",
            {
                "xlabel": f"correlation ({m.detector.label})",
                "edges": edges.tolist(),
                "series": [{"name": label, "counts": _histogram(v, edges)} for label, v in sides],
                "threshold": round(m.rule.limit, 3),
            },
            "Copies lie right of the limit. An honest set is as close to the holdout as to the "
            "training set.", self.section,
        )  # fmt: skip
        if e.exchange is not None:
            x = e.exchange
            top = max(float(x.null_max.max()), x.observed_max)
            bins = np.linspace(min(float(x.null_max.min()), x.observed_max), top, 41)
            yield Figure(
                self.id("null"), "null", "Exchangeability of training and holdout patients",
                {
                    "xlabel": "largest standardised statistic", "values_edges": bins.tolist(),
                    "counts": np.histogram(x.null_max, bins)[0].tolist(),
                    "observed": x.observed_max, "p": x.p,
                },
                "Bars: patients permuted between the two sets. Line: the sets as given.",
                self.section,
            )  # fmt: skip
        pairs = self._pairs()
        if pairs:
            yield Figure(
                self.id("pairs"), "pairs", "Most similar pairs",
                {"fs": FS_HZ, "leads": list(e.synth.ecgs.leads), "pairs": pairs},
                "Restricted: shows real patients." if self.show
                else "Synthetic records nearest to a training record; none was named a copy. The "
                "real partners are not shown.", self.section,
            )  # fmt: skip

    def _pairs(self) -> list[dict[str, Any]]:
        e, m = self.e, self.primary
        if self.named.any() and not self.show:
            return []
        rank = np.where(np.isnan(m.train), -np.inf, m.train)
        order = np.lexsort((np.arange(len(rank)), -rank, ~self.named))
        out = []
        for i in order[:SHOWN]:
            if m.partner[i] < 0:
                continue
            pair: dict[str, Any] = {
                "title": e.synth.ecgs.ids[i],
                "synth": _microvolts(e.synth.ecgs, i),
            }
            if self.show:
                j = m.partner[i]
                record = e.synth.signals["record"], e.train.signals["record"]
                kernel = m.detector.kernel(record[0].x[[i]], record[1].x[[j]])
                assert isinstance(kernel, Lagged)
                lag = int(kernel.lag(np.array([0]), np.array([0]))[0])
                pair |= {
                    "real_title": e.train.ecgs.ids[j], "real": _microvolts(e.train.ecgs, j),
                    # Sample n of the synthetic trace meets n + lag: drawn, the real one moves back.
                    "lag_ms": -1000 * lag / FS_HZ, "similarity": float(m.train[i]),
                }  # fmt: skip
            out.append(pair)
        return out

    def summary(self) -> str:
        e = self.e
        against = (
            f"{_n(e.holdout.people(), 'holdout patient')}" if e.holdout is not None
            else "no holdout"
        )  # fmt: skip
        return (
            f"{_n(len(e.synth), 'synthetic record')} against "
            f"{_n(e.train.people(), 'training patient')} and {against}."
        )


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are each"


def _count_interval(count: int, n: int) -> tuple[float, float] | None:
    """Return the Clopper-Pearson interval as a number of n; None where there is nothing."""
    if not n:
        return None
    low, high = clopper_pearson(count, n)
    return low * n, high * n


def _p(p: float, permutations: int) -> str:
    return f"{p:.2g}" if p > 1 / (permutations + 1) + 1e-12 else f"at most {p:.2g}"


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _histogram(similarity: np.ndarray, edges: np.ndarray) -> list[int]:
    known = similarity[np.isfinite(similarity)]
    return np.histogram(np.clip(known, edges[0], edges[-1]), edges)[0].tolist()


def _microvolts(ecgs: EcgSet, row: int) -> dict[str, list[int]]:
    """Return a record lead by lead at the rate it was compared at, unfiltered."""
    signal = resample(np.nan_to_num(ecgs.signals[row]), ecgs.fs, FS_HZ)
    return dict(zip(ecgs.leads, np.rint(signal * 1000).astype(int).tolist(), strict=True))
