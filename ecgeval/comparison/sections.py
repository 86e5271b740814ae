"""The sections of a comparison, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from ecgeval.comparison.classifier import section as classifier
from ecgeval.comparison.joint import section as joint
from ecgeval.comparison.manifold import section as manifold
from ecgeval.comparison.measures import section as measures
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.plausibility import section as plausibility
from ecgeval.comparison.quality import section as quality
from ecgeval.comparison.subgroups import section as subgroups
from ecgeval.comparison.usefulness import section as usefulness
from ecgeval.results import Results

__all__ = ["DECIDING", "SECTIONS"]

SECTIONS: dict[str, Callable[[Pair], Results]] = {
    "quality": quality.compare,
    "fidelity": measures.compare,
    "joint": joint.compare,
    "plausibility": plausibility.compare,
    "classifier": classifier.compare,
    "manifold": manifold.compare,
    "usefulness": usefulness.compare,
    "subgroups": subgroups.compare,
}
"""By the slug of its section, in the order of the report."""

DECIDING = frozenset({"fidelity", "joint", "plausibility"})
"""Sections that can pass or fail a set by themselves: readable records alone make no release."""
