"""What every statistic and finding means: definition, formula, source, limits, direction, null.

One table for all who need it: the comparisons take direction, null value and unit from it, the
report its glossary, `ecgeval explain CODE` its text. An area of the project has a module here with
its ``ENTRIES``. What a measure such as ``qrs_ms`` means is in `ecgeval.measures`.
"""

from ecgeval.catalogue import (
    attacks,
    checkpoints,
    classifier,
    fidelity,
    joint,
    manifold,
    plausibility,
    privacy,
    quality,
    study,
    subgroups,
    usefulness,
)
from ecgeval.catalogue.entry import Entry

__all__ = ["CATALOGUE", "Entry"]

_AREAS = (
    quality,
    fidelity,
    joint,
    classifier,
    manifold,
    plausibility,
    usefulness,
    subgroups,
    privacy,
    attacks,
    checkpoints,
    study,
)

CATALOGUE: dict[str, Entry] = {entry.code: entry for area in _AREAS for entry in area.ENTRIES}
"""Every finding code and statistic, by code."""
