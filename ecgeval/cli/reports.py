"""Commands on what a run has written, and on what its words mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgeval.cli import options
from ecgeval.cli.files import make_folder
from ecgeval.cli.terminal import print_results
from ecgeval.errors import UsageError

if TYPE_CHECKING:
    from ecgeval.results import Results


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


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder of a run, or results.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The run to compare with it.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for a report; default: none.")
    ] = None,
    as_json: options.Json = False,
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
        make_folder(out)
    results = compare_runs(Results.load(old), Results.load(new))
    if out is not None:
        write_report(results, out)
    print_results(results, out, as_json)
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


def explain(
    code: Annotated[str, typer.Argument(help="A finding's code, a statistic or a measure.")],
) -> None:
    """Definition, formula, source and limits of a finding, a statistic or a measure."""
    from ecgeval.report.explain import explain as text_of

    print(text_of(code))
