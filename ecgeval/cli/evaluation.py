"""Commands that evaluate: a comparison, an audit, a configuration, the reference study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgeval.cli import options
from ecgeval.cli.files import make_folder, write_run
from ecgeval.cli.terminal import (
    print_json,
    print_results,
    print_sections,
    progress_bars,
    rows_of,
    say,
    say_notes,
)

if TYPE_CHECKING:
    from ecgeval.pipeline.config import RunConfig


def demo(
    out: options.Out = Path("reports/demo"),
    seed: options.Seed = 0,
    jobs: options.Jobs = 2,
    no_cache: options.NoCache = False,
) -> None:
    """The whole pipeline on real ECGs (or stand-ins), to a report; with a planted leak."""
    from ecgeval.pipeline.demo import demo as demonstrate

    make_folder(out)
    with progress_bars() as progress:
        results, worker = demonstrate(
            seed=seed, jobs=jobs, cache=options.cache_folder(no_cache), progress=progress
        )
    write_run(results, worker, out)
    print_results(results, out, as_json=False)


def compare(
    real: Annotated[
        str, typer.Argument(metavar="REAL", help="SET of real ECGs, or reference:ptbxl-norm.")
    ],
    synth: Annotated[str, typer.Argument(metavar="SYNTH", help="SET of synthetic ECGs.")],
    out: options.Out,
    n: options.CheckpointRecords = None,
    margins: options.Margins = "lenient",
    method: options.Method = "ecgeval",
    leads: options.Leads = None,
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    seconds: options.Seconds = None,
    assume_independent: options.Independent = False,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
    quick: options.Quick = False,
    device: options.Device = "cpu",
    no_cache: options.NoCache = False,
    as_json: options.Json = False,
) -> None:
    """Fidelity: do the synthetic ECGs behave like the real ones, and where do they not?"""
    config = options.make_config(
        seed=seed,
        method=method,
        leads=options.lead_names(leads),
        quick=quick,
        assume_independent=assume_independent,
        compare={"margins": margins},
        real=options.set_settings(real, unit, native_fs, labels, seconds),
        synth=options.set_settings(synth, unit, native_fs, None, seconds) | {"n": n},
    )
    execute(config, out, jobs=jobs, device=device, no_cache=no_cache, as_json=as_json)


def audit(
    train: Annotated[str, typer.Option(help="SET the generator was trained on.")],
    synth: Annotated[str, typer.Option(help="SET of synthetic ECGs.")],
    out: options.Out,
    holdout: Annotated[
        str | None, typer.Option(help="SET of other patients, never seen by the generator.")
    ] = None,
    n: options.CheckpointRecords = None,
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
    method: options.Method = "ecgeval",
    unit: options.Unit = "auto",
    native_fs: options.NativeFs = None,
    labels: options.Labels = None,
    seconds: options.Seconds = None,
    assume_independent: options.Independent = False,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
    device: options.Device = "cpu",
    no_cache: options.NoCache = False,
    as_json: options.Json = False,
) -> None:
    """Privacy: copies of training patients, and whether training and holdout are told apart."""
    config = options.make_config(
        seed=seed,
        method=method,
        assume_independent=assume_independent,
        show_traces=show_traces,
        audit={
            "permutations": permutations,
            "bench": bench_repeats if bench else 0,
            "critic": critic and str(Path(critic).resolve()),
        },
        train=options.set_settings(train, unit, native_fs, labels, seconds),
        holdout=holdout and options.set_settings(holdout, unit, native_fs, labels, seconds),
        synth=options.set_settings(synth, unit, native_fs, None, seconds) | {"n": n},
    )
    execute(config, out, jobs=jobs, device=device, no_cache=no_cache, as_json=as_json)


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write to; default reports/NAME.")
    ] = None,
    jobs: options.Jobs = 1,
    device: options.Device = "cpu",
    no_cache: options.NoCache = False,
    as_json: options.Json = False,
) -> None:
    """What a configuration says: a comparison, an audit, or both; cached and resumable."""
    from ecgeval.pipeline.config import load

    folder = out or Path("reports") / config.stem
    execute(load(config), folder, jobs=jobs, device=device, no_cache=no_cache, as_json=as_json)


def paper(
    out: options.Out,
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
    margins: options.Margins = "lenient",
    assume_independent: options.Independent = False,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
    quick: options.Quick = False,
    device: options.Device = "cpu",
    no_cache: options.NoCache = False,
    as_json: options.Json = False,
) -> None:
    """The evaluation of Thambawita et al. 2021: its figures and tables, for a manuscript.

    Exit code 0 when it ran: it describes, and nothing in it gates.
    """
    from ecgeval import paper as study

    make_folder(out)
    with progress_bars() as progress:
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
            cache=options.cache_folder(no_cache),
            device=options.checked_device(device),
            progress=progress,
        )
        written = study.write_paper(results, out)
    if as_json:
        findings = rows_of(results.findings_frame())
        print_json({"index": str(written["index"]), "findings": findings})
        return
    print_sections(results)
    print(f"\nWritten: {written['index']}; slots for the article's figures: {written['article']}")


def execute(
    config: RunConfig, out: Path, *, jobs: int, device: str, no_cache: bool, as_json: bool
) -> None:
    """Run a configuration, write everything, print the verdict, exit with its code."""
    from ecgeval import sets
    from ecgeval.pipeline import run as pipeline

    does: Any = pipeline
    if config.synth is not None and sets.checkpoints(config.synth.source):
        from ecgeval import sweep as does
    parts = (config.real, config.synth, config.train, config.holdout)
    make_folder(out, *(part.source for part in parts if part is not None))
    device = options.checked_device(device)
    with progress_bars() as progress:
        results, worker = does.run(
            config,
            jobs=jobs,
            cache=options.cache_folder(no_cache),
            device=device,
            notify=say,
            progress=progress,
        )
    # The terminal is the operator's: an audit's report withholds what names a patient's record.
    for ecgs in worker.read_sets:
        say_notes(ecgs)
    write_run(results, worker, out)
    print_results(results, out, as_json)
    raise typer.Exit(results.exit_code)
