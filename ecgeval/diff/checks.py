"""What a comparison of two runs concludes."""

from __future__ import annotations

from ecgeval.checks import Check
from ecgeval.results import Verdict

__all__ = ["CHECKS"]


GATES = Check(
    code="DIFF-GATES",
    title="gates of two runs",
    asks=(
        "Whether any gate is worse than in the old run: a verdict that fell, a failure that is "
        "new, or a pass that is gone because the test is no longer made."
    ),
    statistic="PASS before INCONCLUSIVE or NOT_ASSESSABLE before FAIL.",
    cannot_show="Two failures are the same verdict, however far apart: see DIFF-MOVED.",
    steps={
        Verdict.FAIL: "Look at the gates that got worse, and at what differs between the "
        "inputs of the two runs."
    },
)


MOVED = Check(
    code="DIFF-MOVED",
    title="estimates that moved",
    asks="Which estimates differ by more than the intervals of both allow.",
    statistic=(
        "p from the interval of the difference taken as normal; Benjamini-Hochberg q = 0.05 over "
        "all estimates with an interval in both runs."
    ),
    source="Zou & Donner, Stat Med 2008;27:1693; Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
    cannot_show="Estimates without an interval are listed where they changed and never tested.",
    words={Verdict.INCONCLUSIVE: "describes"},
    decides=False,
)


INPUTS = Check(
    code="DIFF-INPUTS",
    title="what differs between the runs",
    asks=(
        "Settings, versions and sets that are not the same: where more than the generator "
        "changed, a movement may come from any of it."
    ),
    words={Verdict.INCONCLUSIVE: "differs"},
    decides=False,
)


CHECKS = (GATES, MOVED, INPUTS)
