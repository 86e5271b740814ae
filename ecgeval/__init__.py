"""Real ECGs against synthetic ECGs: do they behave alike, where not, and do they leak patients?

The pipeline, from the bottom up (each part imports only from those above it):

    ecgset, results, parallel   the data model, what comparisons return, mapping over shards
    io                          files, stores and named data sets to `EcgSet`
    preprocess                  filtering, quality flags, bringing sets to one form
    delineation, generators     P-QRS-T marks; Pulse2Pulse
    measures, references        one row of measures a record; those of real cohorts, shipped
    sets                        what users call a SET
    compare, privacy            fidelity; leaks of patients
    report, config              HTML, PDF, figures; a run's settings
    pipeline, sweep, cli        the order of things; the same over checkpoints; the commands
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module that holds it: nothing is imported before it is used.
_PUBLIC = {
    "DataError": "errors",
    "Delineation": "delineation",
    "EcgSet": "ecgset",
    "EcgevalError": "errors",
    "Estimate": "results",
    "Figure": "results",
    "Finding": "results",
    "Results": "results",
    "Section": "results",
    "Table": "results",
    "UsageError": "errors",
    "Verdict": "results",
    "audit": "pipeline",
    "compare": "",  # the subpackage, made callable below
    "compare_runs": "compare.changes",
    "delineate": "delineation",
    "generate": "generators",
    "info": "sets",
    "load_reference": "references",
    "measure": "measures",
    "published": "generators",
    "quality": "preprocess",
    "read": "sets",
    "read_store": "io",
    "run": "pipeline",
    "write_report": "report",
    "write_store": "io",
}

__all__ = [*sorted(_PUBLIC), "__version__"]

if TYPE_CHECKING:
    from ecgeval.compare.changes import compare_runs
    from ecgeval.delineation import Delineation, delineate
    from ecgeval.ecgset import EcgSet
    from ecgeval.errors import DataError, EcgevalError, UsageError
    from ecgeval.generators import generate, published
    from ecgeval.io import read_store, write_store
    from ecgeval.measures import measure
    from ecgeval.pipeline import audit, compare, run
    from ecgeval.preprocess import quality
    from ecgeval.references import load_reference
    from ecgeval.report import write_report
    from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict
    from ecgeval.sets import info, read


def __getattr__(name: str) -> Any:
    if name == "compare":
        return import_module("ecgeval.compare")
    if name in _PUBLIC:
        return getattr(import_module(f"ecgeval.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'ecgeval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


class _Compare(ModuleType):
    """The subpackage `ecgeval.compare`, which is also the function `ecgeval.pipeline.compare`."""

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        from ecgeval import pipeline

        return signature(pipeline.compare)

    def __call__(self, *args: Any, **kwargs: Any) -> Results:
        from ecgeval import pipeline

        return pipeline.compare(*args, **kwargs)


def _figure_html(figure: Figure) -> str | None:
    from ecgeval.report.notebook import figure_html

    return figure_html(figure)


class _Package(ModuleType):
    # Importing a submodule sets it as an attribute of its package. `compare` names both a
    # subpackage and a public function; whichever comes first, `ecgeval.compare(...)` must work.
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "compare" and isinstance(value, ModuleType):
            value.__class__ = _Compare
        if name == "results" and isinstance(value, ModuleType):
            # Results come from below, and figures are drawn above: the package joins the two, and
            # nothing that draws is imported before a notebook shows a figure.
            value.draw_figures_with(_figure_html)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
