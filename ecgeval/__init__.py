"""Real ECGs against synthetic ECGs: do they behave alike, where not, and do they leak patients?

The parts, from the bottom up (each imports only from those above it in this list):

    errors, lazy, parallel, scratch, wording  the ground
    ecgset, results, checks              the data model, what a run returns, what it concludes
    stats                                plain arrays in, plain numbers out
    io, preprocess                       files and named data sets to `EcgSet`; to one form
    delineation, generators              P-QRS-T marks; Pulse2Pulse and WaveGAN*
    measures, signal_checks, references  one row a record; those of real cohorts, shipped
    sets                                 what users call a SET
    comparison, privacy, diff            a folder a section; leaks of patients; two runs
    report                               HTML, PDF, figures
    pipeline, sweep, paper, cli          the order of things; checkpoints; the study; commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecgeval.lazy import attach

__version__ = "0.1.0"

# Public name -> module that holds it.
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
    "audit": "pipeline.run",
    "compare": "pipeline.run",
    "compare_runs": "diff.runs",
    "delineate": "delineation",
    "generate": "generators",
    "info": "sets",
    "load_reference": "references",
    "measure": "measures",
    "published": "generators",
    "quality": "preprocess",
    "read": "sets",
    "read_store": "io",
    "run": "pipeline.run",
    "write_report": "report",
    "write_store": "io",
}

__all__ = [*sorted(_PUBLIC), "__version__"]

if TYPE_CHECKING:
    from ecgeval.delineation import Delineation, delineate
    from ecgeval.diff.runs import compare_runs
    from ecgeval.ecgset import EcgSet
    from ecgeval.errors import DataError, EcgevalError, UsageError
    from ecgeval.generators import generate, published
    from ecgeval.io import read_store, write_store
    from ecgeval.measures import measure
    from ecgeval.pipeline.run import audit, compare, run
    from ecgeval.preprocess import quality
    from ecgeval.references import load_reference
    from ecgeval.report import write_report
    from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict
    from ecgeval.sets import info, read


__getattr__, __dir__ = attach(__name__, _PUBLIC)
