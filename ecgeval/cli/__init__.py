"""The commands of `ecgeval`, by group; printing and progress live here and nowhere else."""

from __future__ import annotations

from typing import Annotated

import typer

from ecgeval import __version__
from ecgeval.cli import benchmark, evaluation, generation, records, reports
from ecgeval.cli.terminal import run_app

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


for command in (
    evaluation.demo,
    records.info,
    records.convert,
    generation.generate,
    generation.train,
    records.delineate,
    records.measure,
    evaluation.compare,
    evaluation.audit,
    evaluation.run,
    reports.report,
    reports.diff,
    evaluation.paper,
    reports.explain,
):
    app.command()(command)
benchmark_app.command()(benchmark.delineation)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit()


def main() -> None:
    """Run the command line; turn errors meant for users into one sentence and an exit code."""
    run_app(app)
