"""An audit's evidence with what findings, tables and figures share, and how they word it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ecgeval.privacy.comparable import P_ALIKE
from ecgeval.privacy.copies.disguises import TRANSFORMS, promised
from ecgeval.privacy.evidence import Evidence, Match
from ecgeval.stats.intervals import clopper_pearson
from ecgeval.wording import plural

if TYPE_CHECKING:
    from ecgeval.privacy.halves import Reach

__all__ = ["P_FAIL", "P_HINT", "P_REVERSED", "View"]

P_FAIL = 0.01
P_HINT = 0.05

P_REVERSED = 0.001
"""The reversed direction is no hypothesis of the audit, hence stricter."""


class View:
    """An audit's evidence under one section.

    Parameters
    ----------
    e : Evidence
    section : str
        Slug, and first part of every id.
    seed : int
    show : bool
        Whether real traces, distances and ids may be shown.
    given_holdout : bool
        Whether a holdout was given, usable or not.
    critic : bool
        Whether the critic's scores were given.
    reach : mapping of detector to Reach
        What the two halves of one record reach (`halves.same_record`).

    Attributes
    ----------
    n_synth, n_planted : int
        Usable synthetic records; planted records a transform.
    named, control : ndarray of bool, shape (n_synth,)
        Copies of training and of holdout records, by any detector.
    exposed : int
        Training patients of whom a copy was named.
    found : ndarray of bool, shape (transforms, planted)
        Planted copies found by any detector.
    recall : ndarray, shape (transforms,)
    promised : ndarray of bool, shape (transforms,)
        Which disguises the search must find with what was given.
    recall_low : float
        Lower 97.5 % limit of the weakest promised recall.
    """

    def __init__(
        self,
        e: Evidence,
        section: str,
        seed: int,
        show: bool,
        *,
        given_holdout: bool,
        critic: bool = False,
        reach: Mapping[str, Reach] | None = None,
    ) -> None:
        self.e, self.section, self.seed, self.show = e, section, seed, show
        self.given_holdout, self.critic = given_holdout, critic
        self.reach = reach or {}
        sides = [side for side in (e.train, e.holdout) if side is not None]
        self._real_names = {str(x) for s in sides for x in s.ecgs.ids}
        self._real_names |= {str(x) for s in sides for x in s.ecgs.records["patient_id"]}
        usable = [s.usable for s in e.synth.signals.values()]
        self.n_synth = int(np.logical_or.reduce(usable).sum())
        self.n_planted = e.matches[0].found.shape[1]
        self.named = np.logical_or.reduce([m.named for m in e.matches])
        self.control = np.logical_or.reduce([m.control for m in e.matches])
        self.found = np.logical_or.reduce([m.found for m in e.matches])
        partners = [e.train.person[m.partner[m.named]] for m in e.matches]
        self.exposed = len(np.unique(np.concatenate(partners)))
        self.promised = promised(e.synth.signals)
        hits = self.found.sum(axis=1)
        self.recall = hits / max(self.n_planted, 1)
        self.recall_low = min(
            clopper_pearson(int(h), self.n_planted)[0] if self.n_planted else 0.0
            for h in hits[self.promised]
        )

    def id(self, *parts: str) -> str:
        """Return an id of this section."""
        return ".".join((self.section, *parts))

    def bound(self, count: int, n: int) -> float:
        """Return the upper limit of a share, corrected for what the search misses.

        Both limits hold at 97.5 %, so the quotient holds at 95 % (Bonferroni).
        """
        if not n or self.recall_low <= 0:
            return 1.0
        return min(1.0, clopper_pearson(count, n)[1] / self.recall_low)

    def unsearched(self) -> str:
        """Return which records were not searched for their gaps, in words; empty if none."""
        kinds = {"train": "training", "synth": "synthetic"}
        return " and ".join(
            f"{missing} of {n} {kinds[name]} records"
            for name, n, _, reasons in self.e.counts
            if name in kinds and (missing := reasons.get("not finite", 0))
        )

    def synth_name(self, row: int) -> str:
        """Return a synthetic record's id, which may be shown unless it is a real record's too."""
        name = str(self.e.synth.ecgs.ids[row])
        if self.show or name not in self._real_names:
            return name
        return f"record {row + 1} of the synthetic set"

    def recalls(self) -> str:
        """Return the shares of planted copies found, of the disguises that must be."""
        found = zip(TRANSFORMS, self.recall, self.promised, strict=True)
        return ", ".join(f"{t.label} {share:.0%}" for t, share, asked in found if asked)

    def limits_out_of_reach(self) -> str:
        """Return which detectors of beats have a limit above what halves of one record reach.

        The others compare the same seconds: two halves of a record are no copies to them.
        """
        return ", ".join(
            f"{m.detector.id} ({r.limit:.3f}, reach {r.low:.3f}, {r.above / r.records:.0%} of "
            f"{r.records} records at or above)"
            for m in self.e.matches
            if m.detector.signals == "beat"
            and (r := self.reach.get(m.detector.id))
            and r.limit > r.low
        )

    @property
    def comparable(self) -> bool:
        """Whether training and holdout patients look drawn from one population."""
        return self.e.alike is None or self.e.alike.p >= P_ALIKE

    @property
    def with_holdout(self) -> bool:
        """Whether synthetic records were compared with the holdout too."""
        return self.e.holdout is not None and self.comparable

    @property
    def critic_asked(self) -> bool:
        """Whether the critic's scores were used for an attack."""
        return self.critic and self.with_holdout and "beat" in self.e.synth.signals

    @property
    def primary(self) -> Match:
        """The whole-record detector over all shifts, which speaks for the others in figures."""
        return next(m for m in self.e.matches if m.detector.id == "D2")

    def detectors(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each detector's id and planted copies found; first ``any``, their union."""
        yield "any", self.found
        for m in self.e.matches:
            yield m.detector.id, m.found

    def summary(self) -> str:
        """Return who was compared, and whether the real sets were apart, in a few words."""
        e = self.e
        against = (
            f"{plural(e.holdout.people(), 'holdout patient')}"
            if e.holdout is not None
            else "no holdout"
        )
        text = (
            f"{plural(len(e.synth), 'synthetic record')} against "
            f"{plural(e.train.people(), 'training patient')} and {against}."
        )
        twice = self.twice()
        if not twice:
            return text
        left = f" ({plural(e.removed, 'record')} left the holdout)" if e.removed else ""
        return f"{text} The real sets are not clean: {'; '.join(twice)}{left}."

    def twice(self) -> list[str]:
        """Return what occurs twice in the real sets: recordings, and patients in both."""
        e, parts = self.e, []
        if n := len(np.unique(e.duplicates.pairs)):  # two or more
            parts.append(f"{plural(n, 'real record')} occur more than once")
        if e.shared_patients:
            parts.append(f"{plural(e.shared_patients, 'patient')} in both train and holdout")
        return parts
