"""What every statistic and finding means: definition, formula, source, limits, direction, null.

One table for all who need it: the comparisons take direction, null value and unit from it, the
report its glossary, `ecgeval explain CODE` its text. An area of the project has a module here with
its ``ENTRIES``. What a measure such as ``qrs_ms`` means is in `ecgeval.measures`.
"""

from ecgeval.catalogue import attacks, fidelity, privacy, quality
from ecgeval.catalogue.entry import Entry

__all__ = ["CATALOGUE", "Entry"]

CATALOGUE: dict[str, Entry] = {
    entry.code: entry for area in (quality, fidelity, privacy, attacks) for entry in area.ENTRIES
}
"""Every finding code and statistic, by code."""
