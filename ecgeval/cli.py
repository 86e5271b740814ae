"""The commands: one short function each. Printing and progress live here and nowhere else."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ecgeval import __version__
from ecgeval.errors import DataError, EcgevalError, UsageError

if TYPE_CHECKING:
    from ecgeval.pipeline.run import Run
    from ecgeval.results import Results

__all__ = ["app", "main"]

app = typer.Typer(
    name="ecgeval",
    help="Real ECGs against synthetic ECGs: do they behave alike, where not, and do they leak "
    "patients?\n\nA SET is a file, a folder, a store, a named data set (ludb, ptbxl-norm, "
    "deepfake:0-999) or a generator (pulse2pulse:1000). REAL may be a reference cohort "
    "(reference:ptbxl-norm), which comes with ecgeval.\n\nExit codes: 0 every gate passed, 1 a "
    "gate failed, 2 bad usage or configuration, 3 data unreadable or too little to decide.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

benchmark_app = typer.Typer(
    help="How well this tool's own parts do, on data with a known answer.", no_args_is_help=True
)
app.add_typer(benchmark_app, name="benchmark")

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random step.")]
Jobs = Annotated[int, typer.Option(min=1, help="Worker processes; results do not depend on it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Method = Annotated[
    str, typer.Option(help="Delineation method: ecgeval, or neurokit[:prominence|dwt|cwt|peak].")
]
Unit = Annotated[str, typer.Option(help="Unit of formats that carry none: auto, mV or uV.")]
NativeFs = Annotated[
    float | None, typer.Option(help="Sampling rate of formats that carry none (npy, csv), Hz.")
]
Labels = Annotated[
    str | None, typer.Option(help="CSV with one row a record: id, patient_id, age, sex, ...")
]
Seconds = Annotated[float | None, typer.Option(help="Crop records to this length, s.")]
Leads = Annotated[str | None, typer.Option(help="Leads to use, as in I,II,V1; derived if needed.")]
Device = Annotated[str, typer.Option(help="Where networks and the copy search run: cpu or cuda.")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither read nor keep measures of earlier runs.")
]
Independent = Annotated[
    bool,
    typer.Option(
        "--assume-independent", help="Count records without a patient id as patients of their own."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a store that is already there.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer resamples, for a first look.")]


def main() -> None:
    """Run the command line; turn errors meant for users into one sentence and an exit code."""
    signal.signal(signal.SIGINT, _interrupted)
    try:
        app()
    except EcgevalError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of stdout has gone (a pager, head): nothing to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}", 2)
    except ImportError as error:
        _fail(f"{error}: install ecgeval again with what it needs (make install)", 3)
    except Exception as error:
        if os.environ.get("ECGEVAL_DEBUG"):
            raise
        # Never 1: that means that a gate has failed.
        _fail(
            f"internal error, {type(error).__name__}: {error}; please report it with the output of "
            "the same command under ECGEVAL_DEBUG=1",
            3,
        )


def _interrupted(*_: object) -> None:
    _fail(
        "interrupted; unless --no-cache was given, finished pieces are kept and the same command "
        "goes on from them",
        130,
    )


def _fail(message: str, code: int) -> NoReturn:
    print(f"ecgeval: {message}", file=sys.stderr)
    sys.exit(code)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a progress callback that draws on stderr; quiet when that is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, rate="")
            elapsed = bars.tasks[tasks[stage]].elapsed or 0
            rate = f"{done / elapsed:,.0f}/s" if elapsed > 0.2 and done else ""
            bars.update(tasks[stage], completed=done, total=total, rate=rate)

        yield report


def _cache(disabled: bool) -> Path | None:
    if disabled:
        return None
    import pooch

    return Path(os.environ.get("ECGEVAL_CACHE") or pooch.os_cache("ecgeval"))


def _device(device: str) -> str:
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device is {device!r}; expected cpu or cuda")
    if device == "cuda":  # the check imports PyTorch
        from ecgeval.generators.sampling import check_device

        check_device(device)
    return device


def _leads(leads: str | None) -> tuple[str, ...] | None:
    return None if leads is None else tuple(part.strip() for part in leads.split(","))


def _set(
    source: str, unit: str, native_fs: float | None, labels: str | None, seconds: float | None
) -> dict[str, Any]:
    """Return a set's part of a run's configuration, its paths absolute."""
    from ecgeval.pipeline.config import located

    return {
        "source": located(source, Path.cwd()),
        "unit": unit,
        "native_fs": native_fs,
        "labels": labels and str(Path(labels).resolve()),
        "seconds": seconds,
    }


def _config(**settings: Any) -> Any:
    from ecgeval.pipeline.config import make

    return make(**{key: value for key, value in settings.items() if value is not None})


def _execute(
    config: Any, out: Path, jobs: int, no_cache: bool, as_json: bool, device: str = "cpu"
) -> None:
    """Run a configuration, write everything, print the verdict, exit with its code."""
    from ecgeval import sets
    from ecgeval.pipeline import run as pipeline

    does: Any = pipeline
    if config.synth is not None and sets.checkpoints(config.synth.source):
        from ecgeval import sweep as does
    parts = (config.real, config.synth, config.train, config.holdout)
    _writable(out, *(part.source for part in parts if part is not None))
    device = _device(device)
    with _progress() as progress:
        results, worker = does.run(
            config,
            jobs=jobs,
            cache=_cache(no_cache),
            device=device,
            notify=lambda text: print(f"ecgeval: {text}", file=sys.stderr),
            progress=progress,
        )
    # The terminal is the operator's: an audit's report withholds what names a patient's record.
    for ecgs in worker.read_sets:
        _told(ecgs)
    _write(results, worker, out)
    _print(results, out, as_json)
    raise typer.Exit(results.exit_code)


def _writable(out: Path, *sources: Any) -> None:
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


def _keep(store: Path, force: bool) -> None:
    """Refuse to replace a store unless asked to."""
    from ecgeval.io import is_store

    if is_store(store) and not force:
        raise UsageError(f"{store} holds a store already; choose another folder, or --force")


def _write(results: Results, worker: Run, out: Path) -> None:
    from ecgeval.report import write_report

    (out / "run.toml").write_text(worker.config.to_toml(), encoding="utf-8")
    with worker.timed("report"):
        write_report(results, out, formats=worker.config.report.formats, measures=worker.measures)
    environment = json.dumps(worker.environment(), indent=1) + "\n"
    (out / "environment.json").write_text(environment, encoding="utf-8")


def _print(results: Results, out: Path | None, as_json: bool) -> None:
    if as_json:
        body = {
            "verdict": str(results.verdict),
            "headline": results.headline(),
            "gates": {slug: str(verdict) for slug, verdict in results.gates().items()},
            "findings": json.loads(results.findings_frame().to_json(orient="records")),
            "report": str(out / "index.html") if out else None,
        }
        print(json.dumps(body, indent=1, ensure_ascii=False))
        return
    if "notice" in results.manifest:
        print(results.manifest["notice"])
    print(results.headline())
    _print_sections(results)
    largest = _largest(results)
    if largest:
        print("\nLargest effects (Cliff's delta, 95 % CI; real against real within the floor):")
        for line in largest:
            print(f"  {line}")
    if out is not None:
        print(f"\nReport: {out / 'index.html'}")


def _print_sections(results: Results) -> None:
    """Print every section's verdict and findings."""
    from ecgeval.catalogue import word

    width = max((len(word(finding)) for finding in results.findings), default=0)
    for slug, section in {section.slug: section for section in results.sections}.items():
        if results.describes(slug):
            print(f"\n{section.title} (describes; does not count)")
        else:
            mark = "" if section.gate else "  (a demonstration; does not count)"
            print(f"\n{section.title}: {results.section_verdict(slug)}{mark}")
        for finding in results.findings:
            if finding.section == slug:
                aside = "" if finding.gate or results.describes(slug) else " (does not count)"
                print(f"  {word(finding):<{width}} {finding.code:<16} {finding.title}{aside}")


def _largest(results: Results, most: int = 5) -> list[str]:
    """Return the largest effects of any practical size, as the report's table has them."""
    for table in results.tables:
        if table.id == "fidelity.largest":
            frame = table.frame().head(most)
            return [
                f"{row.measure:<20} {row.delta:+.2f} ({row.ci}; floor {row.floor}); medians differ "
                f"by {row.difference}, {row.margin}"
                for row in frame.itertuples()
            ]
    return []


# ---- commands -----------------------------------------------------------------------------------


@app.command()
def demo(
    out: Out = Path("reports/demo"), seed: Seed = 0, jobs: Jobs = 2, no_cache: NoCache = False
) -> None:
    """The whole pipeline on real ECGs (or stand-ins), to a report; with a planted leak."""
    from ecgeval.pipeline.demo import demo as demonstrate

    _writable(out)
    with _progress() as progress:
        results, worker = demonstrate(
            seed=seed, jobs=jobs, cache=_cache(no_cache), progress=progress
        )
    _write(results, worker, out)
    _print(results, out, as_json=False)


@app.command()
def info(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Any SET, or reference:NAME.")],
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    as_json: Json = False,
) -> None:
    """What is in there: format, n, patients, leads, rate, unit, range, warnings."""
    from ecgeval import sets

    with _progress() as progress:
        found = sets.info(path, unit=unit, native_fs=native_fs, labels=labels, progress=progress)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False, default=str))
        return
    for key, value in found.items():
        print(f"{key.replace('_', ' '):<15} {_shown(value, lines=key in ('warnings', 'notes'))}")


def _shown(value: Any, lines: bool = False) -> str:
    """Return a value for a terminal: four digits, lists on one line or one a line."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ("\n" + " " * 16 if lines else " ").join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value in ("", None) else str(value)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Any SET.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the new store.")],
    fs: Annotated[float | None, typer.Option(help="Resample to this rate, Hz.")] = None,
    leads: Leads = None,
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Any format to the int16 store, which opens at once and is read in pieces."""
    from ecgeval import io, sets

    _keep(out, force)

    with _progress() as progress:
        if sets.is_generator(source) or source.startswith(("deepfake:", "reference:")):
            ecgs = sets.read(
                source, fs=fs, leads=_leads(leads), seconds=seconds, seed=seed, progress=progress
            )
            io.write_store(ecgs, out, progress=progress)
        else:
            io.convert(
                source,
                out,
                fs=fs,
                leads=_leads(leads),
                unit=unit,
                labels=labels,
                seconds=seconds,
                native_fs=native_fs,
                progress=progress,
            )
    ecgs = io.read_store(out)
    _told(ecgs)
    print(f"{ecgs!r} written to {out}")


@app.command()
def generate(
    generator: Annotated[str, typer.Argument(help="pulse2pulse, or a checkpoint file.")],
    out: Out,
    n: Annotated[int, typer.Option("-n", min=1, help="How many records.")],
    seed: Seed = 0,
    checkpoint: Annotated[str | None, typer.Option(help="Weights to use instead.")] = None,
    leads: Leads = None,
    device: Device = "cpu",
    force: Force = False,
) -> None:
    """Fresh ECGs from a generator, to a store. Record i is the same for any n."""
    from ecgeval import sets

    _keep(out, force)

    with _progress() as progress:
        ecgs = sets.generate_store(
            generator,
            n,
            out,
            checkpoint=checkpoint,
            seed=seed,
            leads=_leads(leads),
            device=_device(device),
            progress=progress,
        )
    print(f"{ecgs!r} written to {out}")


@app.command()
def train(
    generator: Annotated[str, typer.Argument(help="pulse2pulse or wavegan-star.")],
    data: Annotated[str, typer.Option(help="SET to train on.")],
    out: Out,
    width: Annotated[int, typer.Option(help="Channels d of the generator, 10, 20, ...")] = 50,
    critic_width: Annotated[int, typer.Option(min=1, help="Channels d of the critic.")] = 50,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training records.")] = 2500,
    batch: Annotated[int, typer.Option(min=1, help="Records a critic step.")] = 32,
    critic_steps: Annotated[int, typer.Option(min=1, help="Critic steps a generator step.")] = 5,
    learning_rate: Annotated[float, typer.Option(help="Of Adam, for both networks.")] = 1e-4,
    ema: Annotated[float, typer.Option(help="Decay of the mean generator; 0 for none.")] = 0.0,
    accumulate: Annotated[int, typer.Option(min=1, help="Parts of a batch, to save memory.")] = 1,
    mixed: Annotated[bool, typer.Option("--mixed", help="Convolutions in bfloat16.")] = False,
    checkpoint_epochs: Annotated[
        int, typer.Option(min=1, help="Epochs between checkpoints that are kept.")
    ] = 25,
    holdout: Annotated[
        float, typer.Option(help="Share of the patients that training never sees.")
    ] = 0.2,
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    seconds: Seconds = None,
    assume_independent: Independent = False,
    seed: Seed = 0,
    score: Annotated[
        str | None,
        typer.Option(
            help="SET of real ECGs to score checkpoints against; --data's own: its "
            "patients held out."
        ),
    ] = None,
    score_records: Annotated[
        int, typer.Option(min=20, help="Records of each checkpoint that are scored.")
    ] = 500,
    jobs: Jobs = 1,
    no_cache: NoCache = False,
    device: Device = "cpu",
) -> None:
    """Train a generator (WGAN-GP); the same command goes on with a run that was stopped."""
    from ecgeval import sets, sweep
    from ecgeval.generators.training import Settings

    settings = Settings(
        generator,
        width,
        critic_width,
        epochs,
        batch,
        critic_steps,
        learning_rate,
        ema=ema,
        accumulate=accumulate,
        mixed=mixed,
        checkpoint_epochs=checkpoint_epochs,
        holdout=holdout,
        seed=seed,
    )
    _writable(out)
    with _progress() as progress:
        ecgs = sets.read(
            data,
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            seed=seed,
            progress=progress,
        )
        _told(ecgs)
        path = sweep.train(
            ecgs,
            out,
            settings,
            device=_device(device),
            assume_independent=assume_independent,
            score=ecgs if score == data else score,
            score_records=score_records,
            jobs=jobs,
            cache=_cache(no_cache),
            progress=progress,
        )
    print(f"{path}; go on with `ecgeval compare REAL {path} -n 1000 --out DIR`")


@app.command()
def delineate(
    source: Annotated[str, typer.Argument(metavar="SET")],
    out: Out,
    method: Method = "ecgeval",
    leads: Leads = None,
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
) -> None:
    """P-QRS-T marks and representative beats of every record, to marks.npz and status.csv."""
    import numpy as np
    import pandas as pd

    from ecgeval import delineation, sets

    _writable(out, source)
    with _progress() as progress:
        ecgs = sets.read(
            source,
            leads=_leads(leads),
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            seed=seed,
            progress=progress,
        )
        marks = delineation.delineate(ecgs, method=method, jobs=jobs, progress=progress)
    _told(ecgs)
    arrays: dict[str, Any] = {k: v for k, v in vars(marks).items() if isinstance(v, np.ndarray)}
    np.savez_compressed(
        out / "marks.npz",
        fs=marks.fs,
        method=marks.method,
        record_id=ecgs.ids.to_numpy(str),
        mark_names=np.array(delineation.MARKS),
        lead_names=np.array(marks.leads),
        **arrays,
    )
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


@app.command()
def measure(
    source: Annotated[str, typer.Argument(metavar="SET")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write.")],
    method: Method = "ecgeval",
    leads: Leads = None,
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    no_cache: NoCache = False,
) -> None:
    """Intervals, amplitudes, axes and rhythm: one row a record, to a CSV."""
    from ecgeval import sets
    from ecgeval.pipeline.features import features

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; expected a CSV file, as in measures.csv")
    with _progress() as progress:
        ecgs = sets.read(
            source,
            leads=_leads(leads),
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            seed=seed,
            progress=progress,
        )
        found = features(ecgs, method=method, jobs=jobs, cache=_cache(no_cache), progress=progress)
    _told(ecgs)
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


@app.command()
def compare(
    real: Annotated[
        str, typer.Argument(metavar="REAL", help="SET of real ECGs, or reference:ptbxl-norm.")
    ],
    synth: Annotated[str, typer.Argument(metavar="SYNTH", help="SET of synthetic ECGs.")],
    out: Out,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Records of a checkpoint.")] = None,
    margins: Annotated[
        str, typer.Option(help="Equivalence margins: lenient, strict or a TOML file.")
    ] = "lenient",
    method: Method = "ecgeval",
    leads: Leads = None,
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    seconds: Seconds = None,
    assume_independent: Independent = False,
    seed: Seed = 0,
    jobs: Jobs = 1,
    quick: Quick = False,
    device: Device = "cpu",
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Fidelity: do the synthetic ECGs behave like the real ones, and where do they not?"""
    config = _config(
        seed=seed,
        method=method,
        leads=_leads(leads),
        quick=quick,
        assume_independent=assume_independent,
        compare={"margins": margins},
        real=_set(real, unit, native_fs, labels, seconds),
        synth=_set(synth, unit, native_fs, None, seconds) | {"n": n},
    )
    _execute(config, out, jobs, no_cache, as_json, device)


@app.command()
def audit(
    train: Annotated[str, typer.Option(help="SET the generator was trained on.")],
    synth: Annotated[str, typer.Option(help="SET of synthetic ECGs.")],
    out: Out,
    holdout: Annotated[
        str | None, typer.Option(help="SET of other patients, never seen by the generator.")
    ] = None,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Records of a checkpoint.")] = None,
    critic: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Checkpoint with its critic (last.pt), asked too; default: --synth, if it is one.",
        ),
    ] = None,
    show_traces: Annotated[
        bool, typer.Option("--show-traces", help="Show real traces, distances and clear ids.")
    ] = False,
    permutations: Annotated[int, typer.Option(min=999, help="Of the exchangeability test.")] = 9999,
    bench: Annotated[
        bool, typer.Option("--bench", help="Also plant leaks of every kind; count the found.")
    ] = False,
    bench_repeats: Annotated[
        int, typer.Option(min=20, help="Repeats of the bench for size and power.")
    ] = 500,
    method: Method = "ecgeval",
    unit: Unit = "auto",
    native_fs: NativeFs = None,
    labels: Labels = None,
    seconds: Seconds = None,
    assume_independent: Independent = False,
    seed: Seed = 0,
    jobs: Jobs = 1,
    device: Device = "cpu",
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Privacy: copies of training patients, and whether training and holdout are told apart."""
    config = _config(
        seed=seed,
        method=method,
        assume_independent=assume_independent,
        show_traces=show_traces,
        audit={
            "permutations": permutations,
            "bench": bench_repeats if bench else 0,
            "critic": critic and str(Path(critic).resolve()),
        },
        train=_set(train, unit, native_fs, labels, seconds),
        holdout=holdout and _set(holdout, unit, native_fs, labels, seconds),
        synth=_set(synth, unit, native_fs, None, seconds) | {"n": n},
    )
    _execute(config, out, jobs, no_cache, as_json, device)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to; default reports/NAME.")
    ] = None,
    jobs: Jobs = 1,
    device: Device = "cpu",
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """What a configuration says: a comparison, an audit, or both; cached and resumable."""
    from ecgeval.pipeline.config import load

    _execute(load(config), out or Path("reports") / config.stem, jobs, no_cache, as_json, device)


@app.command()
def report(
    source: Annotated[Path, typer.Argument(metavar="DIR|results.json")],
    formats: Annotated[str, typer.Option("--format", help="html, pdf or html,pdf.")] = "html,pdf",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to; default: beside it.")
    ] = None,
) -> None:
    """Write the report of a run again, from its results.json alone."""
    from ecgeval.report import write_report
    from ecgeval.results import Results

    wanted = tuple(part.strip() for part in formats.split(",") if part.strip())
    unknown = [part for part in wanted if part not in ("html", "pdf")]
    if unknown or not wanted:
        raise UsageError(f"--format is {formats!r}; expected html, pdf or html,pdf")
    folder = out or (source if source.is_dir() else source.parent)
    written = write_report(Results.load(source), folder, formats=wanted)
    for name in ("html", "pdf", "summary"):
        if name in written:
            print(written[name])


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder of a run, or results.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The run to compare with it.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for a report; default: none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What changed between two runs: estimates beyond their intervals, verdicts, findings.

    Exit codes: 0 no gate got worse, 1 a gate got worse, 2 bad usage, 3 a run cannot be read or the
    two have nothing in common.
    """
    from ecgeval.diff.runs import compare_runs
    from ecgeval.report import write_report
    from ecgeval.results import Results

    if out is not None:
        if out.resolve() in {path.resolve() for path in (old, new, old.parent, new.parent)}:
            raise UsageError(f"--out {out} holds a run that is compared; choose another folder")
        _writable(out)
    results = compare_runs(Results.load(old), Results.load(new))
    if out is not None:
        write_report(results, out)
    _print(results, out, as_json)
    if not as_json:
        _print_changes(results)
    raise typer.Exit(results.exit_code)


def _print_changes(results: Results, most: int = 8) -> None:
    """Print what moved most, and the verdicts that are not the same."""
    tables = {table.id: table.frame() for table in results.tables}
    moved = tables["diff.estimates"].query("moved != ''")
    for row in moved.head(most).to_dict("records"):
        unit = f" {row['unit']}" if row["unit"] else ""
        print(f"  {row['moved']:<8} {row['estimate']}: {row['old']:.4g} -> {row['new']:.4g}{unit}")
    for row in tables["diff.findings"].query("change != 'same'").to_dict("records"):
        old, new = row["old"] or "absent", row["new"] or "gone"
        print(f"  {row['change']:<8} {row['finding']}: {old} -> {new}")


@app.command()
def paper(
    out: Out,
    real: Annotated[
        list[str] | None,
        typer.Option(
            help="SET of real ECGs or reference:NAME; give it again for more. Default: "
            "the first normal records of PTB-XL, and LUDB, where they can be had."
        ),
    ] = None,
    generator: Annotated[
        list[str] | None,
        typer.Option(help="pulse2pulse, wavegan-star or a checkpoint file; again for more."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=20, help="Records of each generator; default 1000.")
    ] = None,
    margins: Annotated[
        str, typer.Option(help="Equivalence margins: lenient, strict or a TOML file.")
    ] = "lenient",
    assume_independent: Independent = False,
    seed: Seed = 0,
    jobs: Jobs = 1,
    quick: Quick = False,
    device: Device = "cpu",
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """The evaluation of Thambawita et al. 2021: its figures and tables, for a manuscript.

    Exit code 0 when it ran: it describes, and nothing in it gates.
    """
    from ecgeval import paper as study

    _writable(out)
    with _progress() as progress:
        results = study.paper(
            real,
            generator or study.GENERATED,
            n=n,
            seed=seed,
            quick=quick,
            article=out / study.ARTICLE,
            margins=margins,
            assume_independent=assume_independent,
            jobs=jobs,
            cache=_cache(no_cache),
            device=_device(device),
            progress=progress,
        )
        written = study.write_paper(results, out)
    if as_json:
        findings = json.loads(results.findings_frame().to_json(orient="records"))
        body = {"index": str(written["index"]), "findings": findings}
        print(json.dumps(body, indent=1, ensure_ascii=False))
        return
    _print_sections(results)
    print(f"\nWritten: {written['index']}; slots for the article's figures: {written['article']}")


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="A finding's code, a statistic or a measure.")],
) -> None:
    """Definition, formula, source and limits of a finding, a statistic or a measure."""
    from ecgeval.report.explain import explain as text_of

    print(text_of(code))


@benchmark_app.command("delineation")
def benchmark_delineation(
    data: Annotated[
        str, typer.Option(help="ludb, ludb:1-50, or a folder of annotated WFDB records.")
    ] = "ludb",
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", help="ecgeval, or neurokit[:dwt|...]; give it again for more."),
    ] = None,
    annotations: Annotated[
        str | None,
        typer.Option(help="Extensions of annotation files: leads (i,ii,v1), or one for all leads."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for CSVs and pictures.")
    ] = None,
    most: Annotated[
        int, typer.Option("--worst", min=0, help="Pictures of the K worst records a method.")
    ] = 10,
    leads: Leads = None,
    unit: Unit = "auto",
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Marks against those of cardiologists: F1, errors, intervals, false P waves, time."""
    from ecgeval import io
    from ecgeval.delineation import METHODS, benchmark

    methods = list(dict.fromkeys(methods or ["ecgeval"]))
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise UsageError(f"--method is {unknown[0]!r}; expected one of {', '.join(METHODS)}")
    if out is not None:
        _writable(out)
    with _progress() as progress:
        ecgs, references = io.read_annotated(
            data,
            annotations=annotations.split(",") if annotations is not None else None,
            leads=_leads(leads),
            unit=unit,
            progress=progress,
        )
        outcomes = [
            benchmark.run(ecgs, references, name, jobs=jobs, progress=progress) for name in methods
        ]
    _told(ecgs)
    tables = benchmark.tables(outcomes)
    bad = {o.method: benchmark.worst(o.benchmark, most) for o in outcomes}
    if out is not None:
        for name, table in tables.items():
            table.round(4).to_csv(out / f"{name}.csv", index=False)
        for outcome in outcomes:
            _draw_worst(outcome, bad[outcome.method].index, ecgs, references, out / "worst")
    if as_json:
        parts = {
            k: json.loads(tables[k].to_json(orient="records"))
            for k in ("methods", "marks", "intervals")
        }
        body = {
            "data": data,
            "records": len(ecgs),
            "leads": ecgs.leads,
            "fs": ecgs.fs,
            **parts,
            "worst": {name: list(rows.index) for name, rows in bad.items()},
        }
        print(json.dumps(body, indent=1, ensure_ascii=False))
        return
    print(f"{data}: {len(ecgs)} records, {len(ecgs.leads)} leads, {ecgs.fs:g} Hz\n")
    _print_agreement(tables)
    for name, rows in bad.items():
        if len(rows):
            listed = ", ".join(f"{record} ({ms:.0f})" for record, ms in rows.items())
            print(f"\nLargest sums of interval errors, {name}, ms: {listed}")
    if out is not None:
        print(f"\nWritten to {out}")


def _draw_worst(outcome: Any, records: Any, ecgs: Any, references: Any, folder: Path) -> None:
    """Draw the beats of these records with annotated and found marks, one SVG a record."""
    from ecgeval.delineation import benchmark
    from ecgeval.report.figures import draw
    from ecgeval.results import Figure
    from ecgeval.wording import slug

    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{slug(outcome.method)}_*.svg"):
        old.unlink()
    for place, record in enumerate(records, start=1):
        reference = references[list(ecgs.ids).index(record)]
        data = benchmark.picture(outcome, record, reference)
        drawing = draw(Figure("benchmark.worst", "marked_beat", data["title"], data))
        if drawing is not None:
            name = f"{slug(outcome.method)}_{place:02d}_{slug(record)}.svg"
            (folder / name).write_text(drawing.svg, encoding="utf-8")


def _print_agreement(tables: Any) -> None:
    """Print the tables of `ecgeval.delineation.benchmark.tables`: a row a mark and method."""
    wide = max(len(name) for name in tables["methods"]["method"]) + 2

    def row(first: str, method: str, *cells: str) -> None:
        print(f"{first:<10}{method:<{wide}}" + "".join(f"{cell:>14}" for cell in cells).rstrip())

    def shown(value: float, sign: str = "") -> str:
        return f"{value:{sign}.1f}" if value == value else "-"

    def error(r: Any) -> str:
        return f"{shown(r['bias_ms'], '+')} ± {shown(r['sd_ms'])}"

    row("mark", "method", "annotated", "F1 at 150 ms", "F1 at 40 ms", "error, ms")
    for _, r in tables["marks"].iterrows():
        row(
            r["mark"], r["method"], f"{r['n']:.0f}", shown(r["f1_150"]), shown(r["f1_40"]), error(r)
        )
    print()
    row("interval", "method", "annotated", "not found", "error, ms")
    for _, r in tables["intervals"].iterrows():
        row(
            r["interval"].removesuffix("_ms"),
            r["method"],
            f"{r['n']:.0f}",
            f"{r['missing']:.0f}",
            error(r),
        )
    print()
    row("", "method", "records", "failed", "false P", "CPU ms/ECG")
    for _, r in tables["methods"].iterrows():
        row(
            "",
            r["method"],
            f"{r['records']}",
            f"{r['failures']}",
            f"{r['false_p']} of {r['p_less']}",
            f"{r['cpu_ms']:.2f}",
        )


def _told(ecgs: Any) -> None:
    """Say on stderr what a reader had to assume and what it could not use."""
    for note in ecgs.notes:
        print(f"ecgeval: note: {note}", file=sys.stderr)
    if len(ecgs.rejected):
        counts = ecgs.rejected["reason"].value_counts()
        listed = ", ".join(f"{n} {reason}" for reason, n in counts.items())
        first = ecgs.rejected.iloc[0]
        count = f"{len(ecgs.rejected)} record{'s' * (len(ecgs.rejected) != 1)}"
        print(
            f"ecgeval: {count} could not be used ({listed}); first: "
            f"{first['record_id']}: {first['detail']}",
            file=sys.stderr,
        )


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit()


if __name__ == "__main__":
    main()
