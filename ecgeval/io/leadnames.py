"""Names of leads as files write them, to the standard names."""

from __future__ import annotations

import re

from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.errors import UsageError

__all__ = ["LEADS8", "default_leads", "standard_lead", "standard_leads"]

LEADS8 = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The eight independent leads, the usual order of eight-lead files."""

_NAMES = {lead.upper(): lead for lead in STANDARD_LEADS}
_NAMES |= {"DI": "I", "DII": "II", "DIII": "III", "D1": "I", "D2": "II", "D3": "III"}
_NAMES |= {f"C{i}": f"V{i}" for i in range(1, 7)}  # IEC colour-code names of the electrodes
_PREFIX = re.compile(r"^(MDC_ECG_LEAD_|ECG[ _-]?|LEAD[ _-]?)")


def standard_lead(name: str) -> str | None:
    """Return the standard name of a lead, or None where it is none of the twelve.

    Case, an "ECG" or "lead" before the name and the unit in brackets behind it do not matter.
    Leads that only resemble a standard one (MLII, -aVR, "I filtered") are not taken for it.

    Parameters
    ----------
    name : str
        For example ``avr``, ``ECG I``, ``DII``, ``MDC_ECG_LEAD_V1``, ``V5 (mV)``.
    """
    text = re.sub(r"\s*[\[(].*[\])]$", "", name.strip()).upper()
    return _NAMES.get(text) or _NAMES.get(_PREFIX.sub("", text))


def standard_leads(names: list[str] | tuple[str, ...] | str) -> tuple[str, ...]:
    """Return the standard names of leads a user asked for.

    Raises
    ------
    UsageError
        If a name is unknown or given twice.
    """
    names = [n for n in re.split(r"[\s,]+", names) if n] if isinstance(names, str) else list(names)
    found = [standard_lead(name) for name in names]
    if None in found or not found:
        bad = names[found.index(None)] if found else ""
        raise UsageError(f"unknown lead {bad!r}; expected names among {' '.join(STANDARD_LEADS)}")
    if len(set(found)) != len(found):
        raise UsageError(f"leads are named twice in {' '.join(names)}")
    return tuple(lead for lead in found if lead)


def default_leads(channels: int) -> tuple[str, ...] | None:
    """Return the usual lead order of files that name no leads; None where there is none."""
    return {12: STANDARD_LEADS, 8: LEADS8, 1: ("I",)}.get(channels)
