"""Check and Statistic: what is concluded and what is measured, each declared once.

A section declares its checks in a module ``checks.py`` of its own. Findings are made from them, and
``ecgeval explain``, reports, JUnit, ``card.md``, the documentation and the tests read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ecgeval.results import Better, Finding, Verdict

__all__ = ["Check", "Statistic", "by_name"]

_DESCRIBES = {
    Verdict.PASS: "nothing found",
    Verdict.FAIL: "differs",
    Verdict.INCONCLUSIVE: "not told apart from chance",
    Verdict.NOT_ASSESSABLE: "not assessable",
}
"""What a finding that decides nothing is called: its verdict would read as if it did."""

_STEPS = {
    Verdict.FAIL: "Read the finding, mend its cause, and repeat the run.",
    Verdict.INCONCLUSIVE: "Add patients or records on the side that is short of them, and repeat "
    "the run: its interval does not decide.",
    Verdict.NOT_ASSESSABLE: "Give the run the data that it lacked, and repeat it.",
}


@dataclass(frozen=True)
class Check:
    """One thing that a run concludes.

    Parameters
    ----------
    code : str
        Stable code, for example ``FID-EQUIV``.
    title : str
    asks : str
        The question, in one or two sentences.
    statistic : str
        What is computed and how it decides.
    source : str
        Primary reference.
    cannot_show : str
        What it cannot show, and how it misleads.
    limit : str
        The limit and where it is declared.
    decides : bool
        Whether it counts for the run's verdict.
    words : mapping of Verdict to str
        What an outcome is called where it decides nothing; the usual words where left out.
    steps : mapping of Verdict to str
        What to do next after an outcome.
    number : bool
        Whether its sentence gives the number behind a verdict whose own sentence has none.
    untested : bool
        Whether it lists what was not tested.
    equivalence : bool
        Whether two one-sided tests decide it, whose intervals are those at 90 %.
    """

    code: str
    title: str
    asks: str
    statistic: str = ""
    source: str = ""
    cannot_show: str = ""
    limit: str = ""
    decides: bool = True
    words: Mapping[Verdict, str] = field(default_factory=dict)
    steps: Mapping[Verdict, str] = field(default_factory=dict)
    number: bool = False
    untested: bool = False
    equivalence: bool = False

    def finding(
        self,
        verdict: Verdict,
        title: str,
        explanation: str = "",
        *,
        section: str,
        rule: str = "",
        estimates: Iterable[str] = (),
        decides: bool | None = None,
    ) -> Finding:
        """Return a finding of this check; `decides` only where the data settle whether it does."""
        gate = self.decides if decides is None else decides
        return Finding(
            self.code, verdict, title, explanation, tuple(estimates), rule, section, gate
        )

    def word(self, verdict: Verdict) -> str:
        """Return what an outcome is called where it decides nothing."""
        return self.words.get(verdict, _DESCRIBES[verdict])

    def step(self, verdict: Verdict) -> str:
        """Return what to do next after an outcome; empty after a PASS."""
        return self.steps.get(verdict, _STEPS.get(verdict, ""))


@dataclass(frozen=True)
class Statistic:
    """What a number means.

    Parameters
    ----------
    name : str
        As in the ids of estimates, for example ``cliffs_delta``.
    title : str
    definition : str
        What it says, in one or two sentences.
    formula : str
        How it is computed; empty where the definition is the formula.
    source : str
        Primary reference.
    cannot_show : str
        What it cannot show, and how it misleads.
    better : {"lower", "higher", "near_null", "descriptive"}
        Which direction is good; ``near_null`` means close to `null`.
    null : float or None
        Value expected when both sides have the same distribution.
    unit : str or None
        Empty for a pure number; None for the unit of the measure it is computed on.
    """

    name: str
    title: str
    definition: str
    formula: str = ""
    source: str = ""
    cannot_show: str = ""
    better: Better = "descriptive"
    null: float | None = None
    unit: str | None = ""


def by_name(*statistics: Statistic) -> dict[str, Statistic]:
    """Return statistics by their names."""
    return {statistic.name: statistic for statistic in statistics}
