"""One entry of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from ecgeval.results import Better

__all__ = ["Entry"]


@dataclass(frozen=True)
class Entry:
    """What a finding code, a statistic or a measure means.

    Parameters
    ----------
    code : str
        Finding code (``FID-EQUIV``), statistic (``cliffs_delta``) or measure (``qrs_ms``).
    title : str
    definition : str
        What it says, in one or two sentences.
    formula : str
        How it is computed; empty where the definition is the formula.
    source : str
        Primary reference.
    limits : str
        What it cannot show, and how it misleads.
    better : {"lower", "higher", "near_null", "descriptive"}
        Which direction is good; ``near_null`` means close to `null`.
    null : float or None
        Value expected when both sides have the same distribution.
    unit : str or None
        Empty for a pure number; None for the unit of the measure it is computed on.
    """

    code: str
    title: str
    definition: str
    formula: str = ""
    source: str = ""
    limits: str = ""
    better: Better = "descriptive"
    null: float | None = None
    unit: str | None = ""

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.title}", self.definition]
        parts += [
            f"{name}: {text}"
            for name, text in (
                ("Formula", self.formula),
                ("Source", self.source),
                ("Limits", self.limits),
            )
            if text
        ]
        return "\n".join(parts)
