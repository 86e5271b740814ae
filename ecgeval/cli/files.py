"""Folders that commands write to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgeval.errors import UsageError

if TYPE_CHECKING:
    from ecgeval.pipeline.run import Run
    from ecgeval.results import Results


def make_folder(out: Path, *sources: Any) -> None:
    """Make the folder; refuse a file, and a folder that a set of ECGs is read from."""
    from ecgeval.io import is_store

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; expected a folder to write to")
    given = {Path(str(s)).resolve() for s in sources if s is not None}
    if is_store(out) or out.resolve() in given:
        raise UsageError(f"--out {out} holds ECGs; choose another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--out {out} cannot be made ({error.strerror}); choose another folder"
        ) from error


def check_store(store: Path, force: bool) -> None:
    """Refuse to replace a store unless asked to."""
    from ecgeval.io import is_store

    if is_store(store) and not force:
        raise UsageError(f"{store} holds a store already; choose another folder, or --force")


def write_run(results: Results, worker: Run, out: Path) -> None:
    """Write the report, the settings, and what the run took."""
    from ecgeval.report import write_report

    (out / "run.toml").write_text(worker.config.to_toml(), encoding="utf-8")
    with worker.timed("report"):
        write_report(results, out, formats=worker.config.report.formats, measures=worker.measures)
    environment = json.dumps(worker.environment(), indent=1) + "\n"
    (out / "environment.json").write_text(environment, encoding="utf-8")
