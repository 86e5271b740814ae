"""The table of what became of every record."""

from __future__ import annotations

import pandas as pd

from ecgeval.results import Table

__all__ = ["outcomes_table"]


def outcomes_table(real: pd.Series, synth: pd.Series, section: str) -> Table:
    """Return how many records of each set had each outcome."""
    reasons = sorted(set(real) | set(synth) | {""})
    rows = [
        {
            "outcome": reason or "usable",
            "real": int((real == reason).sum()),
            "real %": 100 * float((real == reason).mean()),
            "synthetic": int((synth == reason).sum()),
            "synthetic %": 100 * float((synth == reason).mean()),
        }
        for reason in reasons
    ]
    return Table.of(
        pd.DataFrame(rows),
        f"{section}.outcomes",
        "What became of every record found",
        caption="Reasons are exclusive: a record is counted under the first that applied.",
        section=section,
    )
