"""`ecgeval benchmark`: how well the parts of this tool do on data with a known answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ecgeval.cli import options
from ecgeval.cli.files import make_folder
from ecgeval.cli.terminal import print_json, progress_bars, rows_of, say_notes
from ecgeval.errors import UsageError


def delineation(
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
    leads: options.Leads = None,
    unit: options.Unit = "auto",
    jobs: options.Jobs = 1,
    as_json: options.Json = False,
) -> None:
    """Marks against those of cardiologists: F1, errors, intervals, false P waves, time."""
    from ecgeval import io
    from ecgeval.delineation import METHODS, benchmark

    methods = list(dict.fromkeys(methods or ["ecgeval"]))
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise UsageError(f"--method is {unknown[0]!r}; expected one of {', '.join(METHODS)}")
    if out is not None:
        make_folder(out)
    with progress_bars() as progress:
        ecgs, references = io.read_annotated(
            data,
            annotations=annotations.split(",") if annotations is not None else None,
            leads=options.lead_names(leads),
            unit=unit,
            progress=progress,
        )
        outcomes = [
            benchmark.run(ecgs, references, name, jobs=jobs, progress=progress) for name in methods
        ]
    say_notes(ecgs)
    tables = benchmark.tables(outcomes)
    worst = {o.method: benchmark.worst(o.benchmark, most) for o in outcomes}
    if out is not None:
        for name, table in tables.items():
            table.round(4).to_csv(out / f"{name}.csv", index=False)
        for outcome in outcomes:
            _draw_worst(outcome, worst[outcome.method].index, ecgs, references, out / "worst")
    if as_json:
        about = {"data": data, "records": len(ecgs), "leads": ecgs.leads, "fs": ecgs.fs}
        parts = {name: rows_of(tables[name]) for name in ("methods", "marks", "intervals")}
        print_json(about | parts | {"worst": {name: list(r.index) for name, r in worst.items()}})
        return
    print(f"{data}: {len(ecgs)} records, {len(ecgs.leads)} leads, {ecgs.fs:g} Hz\n")
    _print_agreement(tables)
    for name, rows in worst.items():
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
