"""Commands on one set: what is in it, another format of it, its marks and its measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgeval.cli import options
from ecgeval.cli.files import check_store, make_folder
from ecgeval.cli.terminal import print_json, progress_bars, say_notes, shown
from ecgeval.errors import DataError, UsageError

if TYPE_CHECKING:
    from ecgeval.delineation import Delineation
    from ecgeval.ecgset import EcgSet


def info(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Any SET, or reference:NAME.")],
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    as_json: options.Json = False,
) -> None:
    """What is in there: format, n, patients, leads, rate, unit, range, warnings."""
    from ecgeval import sets

    with progress_bars() as progress:
        found = sets.info(path, unit=unit, native_fs=native_fs, labels=labels, progress=progress)
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        print(f"{key.replace('_', ' '):<15} {shown(value, lines=key in ('warnings', 'notes'))}")


def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Any SET.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the new store.")],
    fs: Annotated[float | None, typer.Option(help="Resample to this rate, Hz.")] = None,
    leads: options.Leads = None,
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    seconds: options.Seconds = None,
    seed: options.Seed = 0,
    force: options.Force = False,
) -> None:
    """Any format to the int16 store, which opens at once and is read in pieces."""
    from ecgeval import io, sets

    check_store(out, force)
    with progress_bars() as progress:
        if sets.is_generator(source) or source.startswith(("deepfake:", "reference:")):
            ecgs = sets.read(
                source,
                fs=fs,
                leads=options.lead_names(leads),
                seconds=seconds,
                seed=seed,
                progress=progress,
            )
            io.write_store(ecgs, out, progress=progress)
        else:
            io.convert(
                source,
                out,
                fs=fs,
                leads=options.lead_names(leads),
                unit=unit,
                labels=labels,
                seconds=seconds,
                native_fs=native_fs,
                progress=progress,
            )
    ecgs = io.read_store(out)
    say_notes(ecgs)
    print(f"{ecgs!r} written to {out}")


def delineate(
    source: Annotated[str, typer.Argument(metavar="SET")],
    out: options.Out,
    method: options.Method = "ecgeval",
    leads: options.Leads = None,
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    seconds: options.Seconds = None,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
) -> None:
    """P-QRS-T marks and representative beats of every record, to marks.npz and status.csv."""
    import pandas as pd

    from ecgeval import delineation, sets

    make_folder(out, source)
    with progress_bars() as progress:
        ecgs = sets.read(
            source,
            leads=options.lead_names(leads),
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            seed=seed,
            progress=progress,
        )
        marks = delineation.delineate(ecgs, method=method, jobs=jobs, progress=progress)
    say_notes(ecgs)
    _write_marks(marks, ecgs, out / "marks.npz")
    status = pd.DataFrame(
        {
            "status": [delineation.Status(code).name.lower() for code in marks.status],
            "n_beats": marks.n_beats,
        },
        index=ecgs.ids,
    )
    status.to_csv(out / "status.csv")
    counts = status["status"].value_counts()
    print(f"{len(ecgs)} records: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    print(f"written to {out / 'marks.npz'} and {out / 'status.csv'}")
    raise typer.Exit(0 if (status["status"] == "ok").any() else 3)


def _write_marks(marks: Delineation, ecgs: EcgSet, path: Path) -> None:
    import numpy as np

    from ecgeval.delineation import MARKS

    arrays: dict[str, Any] = {k: v for k, v in vars(marks).items() if isinstance(v, np.ndarray)}
    np.savez_compressed(
        path,
        fs=marks.fs,
        method=marks.method,
        record_id=ecgs.ids.to_numpy(str),
        mark_names=np.array(MARKS),
        lead_names=np.array(marks.leads),
        **arrays,
    )


def measure(
    source: Annotated[str, typer.Argument(metavar="SET")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write.")],
    method: options.Method = "ecgeval",
    leads: options.Leads = None,
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    seconds: options.Seconds = None,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
    no_cache: options.NoCache = False,
) -> None:
    """Intervals, amplitudes, axes and rhythm: one row a record, to a CSV."""
    from ecgeval import sets
    from ecgeval.pipeline.features import features

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; expected a CSV file, as in measures.csv")
    with progress_bars() as progress:
        ecgs = sets.read(
            source,
            leads=options.lead_names(leads),
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            seed=seed,
            progress=progress,
        )
        found = features(
            ecgs, method=method, jobs=jobs, cache=options.cache_folder(no_cache), progress=progress
        )
    say_notes(ecgs)
    out.parent.mkdir(parents=True, exist_ok=True)
    table = found.measures.round(4).assign(status=found.outcome.replace("", "ok"))
    table.to_csv(out)
    bad = found.outcome[found.outcome != ""].value_counts()
    lost = (
        f"; not measured: {', '.join(f'{n} {why}' for why, n in bad.items())}" if len(bad) else ""
    )
    print(f"{len(ecgs)} records, {found.measures.shape[1]} measures written to {out}{lost}")
    if len(bad) and bad.sum() == len(ecgs):
        raise DataError(f"no record of {source} could be measured: see the status column of {out}")
