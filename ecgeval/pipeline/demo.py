"""The demonstration: the whole pipeline on built-in data."""

from __future__ import annotations

from pathlib import Path

from ecgeval.errors import DataError
from ecgeval.parallel import Progress, quiet
from ecgeval.pipeline.config import make
from ecgeval.pipeline.run import Run, run
from ecgeval.references import load_reference
from ecgeval.results import Results

__all__ = ["demo"]


_DEMO_SYNTH = 200


_DEMO_COPIES = 20


def demo(
    *, seed: int = 0, jobs: int = 1, cache: Path | None = None, progress: Progress = quiet
) -> tuple[Results, Run]:
    """Run the whole pipeline on real ECGs, or on what there is where none can be had.

    Compares fresh Pulse2Pulse records with the real set, audits them against halves of it, and
    audits them again with copies of patients planted on purpose. Without real recordings the
    comparison is with a reference cohort, and published DeepFakes stand in for the patients of the
    audit. It is a plain `run`: its configuration gives the same results again.

    Returns
    -------
    results : Results
        The planted audit is a section that does not gate.
    run : Run
    """
    patients, split, notice = _demo_patients(progress)
    config = make(
        seed=seed,
        **patients,
        synth=f"pulse2pulse:{_DEMO_SYNTH}",
        audit={**split, "planted": _DEMO_COPIES},
        show_traces=True,  # public records; an audit hides traces and ids by default
        report={"title": "A demonstration of ecgeval", "notice": notice},
    )
    return run(config, jobs=jobs, cache=cache, progress=progress)


def _demo_patients(progress: Progress) -> tuple[dict[str, str], dict[str, float], str]:
    """Return the best real sets that can be had, how to split them, and the report's first line."""
    from ecgeval import io

    for name, title, licence in (
        ("ptbxl-norm:1-400", "the first normal records of PTB-XL", "CC BY 4.0"),
        ("ludb", "the Lobachevsky University Database", "ODC-BY 1.0"),
    ):
        try:
            io.read(name, progress=progress)
        except DataError:
            continue
        return {"real": name}, {"holdout_share": 0.5}, f"Real ECGs: {title} ({licence})."
    cohort = load_reference("ptbxl-norm")
    return (
        {"real": "reference:ptbxl-norm", "train": "deepfake:0-118", "holdout": "deepfake:119-237"},
        {},
        "No real recordings could be had (none found, and no connection to their publisher): the "
        f"comparison is with measures of {len(cohort)} real ECGs that come with ecgeval "
        f"({cohort.about['title']}, {cohort.about['licence']}); in the audit, which needs "
        "waveforms, published DeepFakes stand in for the patients, so that part shows the tool, "
        "not a finding about patients.",
    )
