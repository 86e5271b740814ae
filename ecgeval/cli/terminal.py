"""The terminal: what commands print, how far they are, and errors as exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ecgeval.errors import EcgevalError

if TYPE_CHECKING:
    import pandas as pd

    from ecgeval.results import Results


def run_app(app: Callable[[], None]) -> None:
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
    say(message)
    sys.exit(code)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
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


def say(text: str) -> None:
    """Write a message to stderr."""
    print(f"ecgeval: {text}", file=sys.stderr)


def say_notes(ecgs: Any) -> None:
    """Say on stderr what a reader had to assume and what it could not use."""
    for note in ecgs.notes:
        say(f"note: {note}")
    if len(ecgs.rejected):
        counts = ecgs.rejected["reason"].value_counts()
        listed = ", ".join(f"{n} {reason}" for reason, n in counts.items())
        first = ecgs.rejected.iloc[0]
        count = f"{len(ecgs.rejected)} record{'s' * (len(ecgs.rejected) != 1)}"
        say(f"{count} could not be used ({listed}); first: {first['record_id']}: {first['detail']}")


def print_json(body: dict[str, Any]) -> None:
    """Print an object as JSON."""
    print(json.dumps(body, indent=1, ensure_ascii=False, default=str))


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows with values as JSON has them: null where there is none."""
    return json.loads(table.to_json(orient="records"))


def print_results(results: Results, out: Path | None, as_json: bool) -> None:
    """Print a run's verdict, its findings and its largest effects; or the same as JSON."""
    if as_json:
        body = {
            "verdict": str(results.verdict),
            "headline": results.headline(),
            "gates": {slug: str(verdict) for slug, verdict in results.gates().items()},
            "findings": rows_of(results.findings_frame()),
            "report": str(out / "index.html") if out else None,
        }
        print_json(body)
        return
    if "notice" in results.manifest:
        print(results.manifest["notice"])
    print(results.headline())
    print_sections(results)
    largest = _largest_effects(results)
    if largest:
        print("\nLargest effects (Cliff's delta, 95 % CI; real against real within the floor):")
        for line in largest:
            print(f"  {line}")
    if out is not None:
        print(f"\nReport: {out / 'index.html'}")


def print_sections(results: Results) -> None:
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


def _largest_effects(results: Results, most: int = 5) -> list[str]:
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


def shown(value: Any, lines: bool = False) -> str:
    """Return a value for a terminal: four digits, lists on one line or one a line."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {shown(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ("\n" + " " * 16 if lines else " ").join(map(shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value in ("", None) else str(value)
