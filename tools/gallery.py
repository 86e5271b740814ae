"""Build the gallery: one real run for each way a report can end, and a page that leads to them.

    python tools/gallery.py [--out reports/gallery] [--jobs 2] [NAME ...]

Needs no recording of a patient: published DeepFakes stand in for patients where waveforms are
needed, and a reference cohort of real measures where they are not.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ecgeval import sets, write_report
from ecgeval.diff.runs import compare_runs
from ecgeval.io import write_store
from ecgeval.pipeline.config import make
from ecgeval.pipeline.run import run
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.results import Results

OUT = Path(__file__).parent.parent / "reports" / "gallery"
TRAIN, HOLDOUT = "deepfake:0-149", "deepfake:150-299"
STAND_IN = (
    "Published DeepFakes stand in for the patients, so that this report shows the tool and not a "
    "finding about patients."
)


@dataclass(frozen=True)
class Entry:
    """A run of the gallery: how it must end, what it shows, its settings, its card's figure."""

    name: str
    ends: str
    title: str
    shows: str
    picture: str
    settings: dict[str, Any] = field(default_factory=dict)
    notice: str = ""
    leak: int = 0  # copies of training records put among the synthetic ones


ENTRIES = (
    Entry(
        "pass",
        "PASS",
        "A generator against its own published output",
        "Fresh Pulse2Pulse records are compared with published ones. Nothing differs, and there "
        "are enough records to say so.",
        "fidelity.effects",
        {
            "real": "deepfake:0-4999",
            "synth": "pulse2pulse:5000",
            "assume_independent": True,
            "compare": {"parts": ["fidelity", "joint", "plausibility"]},
        },
        STAND_IN,
    ),
    Entry(
        "fail",
        "FAIL",
        "A generator against real normal ECGs",
        "Pulse2Pulse against the measures of normal PTB-XL records: where it fails, and by how "
        "much.",
        "fidelity.shift",
        {"real": "reference:ptbxl-norm", "synth": "pulse2pulse:1000"},
    ),
    Entry(
        "leak",
        "FAIL",
        "A set with twelve patients in it",
        "An audit of 300 records, twelve of which are disguised copies of training records.",
        "privacy.neighbours",
        {"train": TRAIN, "holdout": HOLDOUT, "assume_independent": True},
        STAND_IN,
        leak=12,
    ),
    Entry(
        "inconclusive",
        "INCONCLUSIVE",
        "An honest set",
        "The same audit without the copies. Nothing is found, which clears nothing.",
        "privacy.null",
        {"train": TRAIN, "holdout": HOLDOUT, "assume_independent": True},
        STAND_IN,
    ),
    Entry(
        "not-assessable",
        "NOT_ASSESSABLE",
        "Limb leads alone",
        "The same two sets in leads I and II. What is left agrees, but declared measures of the "
        "chest leads are missing, so the run cannot say that the sets agree.",
        "fidelity.effects",
        {
            "real": "deepfake:0-4999",
            "synth": "pulse2pulse:5000",
            "assume_independent": True,
            "leads": ["I", "II"],
            "compare": {"parts": ["fidelity", "joint", "plausibility"]},
        },
        STAND_IN,
    ),
    Entry(
        "no-holdout",
        "INCONCLUSIVE",
        "An audit without a holdout",
        "Copies can still be looked for; whether the set knows its patients cannot be told.",
        "privacy.neighbours",
        {"train": TRAIN, "assume_independent": True},
        STAND_IN,
    ),
)
DIFF = Entry(
    "diff",
    "FAIL",
    "Two generators, one after the other",
    "What moved beyond its interval from Pulse2Pulse (fail) to WaveGAN*.",
    "",
    {"real": "reference:ptbxl-norm", "synth": "wavegan-star:1000"},
)


def synthetic(entry: Entry, folder: Path) -> str:
    """Return the synthetic set of an audit; one that leaks is written as a store."""
    if not entry.leak:
        return "pulse2pulse:300"
    honest, train = sets.read("pulse2pulse:300"), sets.read(TRAIN)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(train))[: entry.leak]
    kinds = [t for t in TRANSFORMS if t.id in ("gain", "noise", "shift", "band40")]
    signals = np.asarray(honest.signals[:], np.float32).copy()
    for slot, row in enumerate(rows.tolist()):
        source = np.asarray(train.signals[row : row + 1], np.float32)
        signals[slot] = plant(
            source, train.fs, kinds[slot % len(kinds)], rng, fill=signals[slot : slot + 1]
        )[0]
    write_store(replace(honest, signals=signals), folder / "leaky")
    return str(folder / "leaky")


def card(entry: Entry, results: Results) -> str:
    """Return the HTML of one card."""
    name, title, shows, picture = entry.name, entry.title, entry.shows, entry.picture
    verdict = results.verdict.replace("_", " ") if results.verdict else "describes"
    said = results.headline().partition(": ")[2]
    drawing = f"{name}/figures/{picture}.svg"
    image = f'<img src="{escape(drawing)}" alt="" loading="lazy">' if picture else ""
    return (
        f'<article><a href="{name}/index.html"><h2>{escape(title)}</h2></a>'
        f"<p><strong>{escape(verdict)}</strong>: {escape(said)}</p>"
        f"<p>{escape(shows)}</p>{image}"
        f'<p><a href="{name}/index.html">report</a> · <a href="{name}/summary.pdf">two pages</a>'
        f' · <a href="{name}/report.pdf">PDF</a> · <a href="{name}/card.md">card</a></p></article>'
    )


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>ecgeval: a gallery of reports</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1.5rem; }}
article {{ border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 8px; padding: 1rem; }}
h2 {{ font-size: 1.1rem; margin: 0; }}
img {{ width: 100%; height: 14rem; object-fit: cover; object-position: top left; background: #fff; border-radius: 4px; }}
</style>
<h1>A gallery of reports</h1>
<p>Each is a real run. What it compares, and whether anything stands in for patients, is in its first lines.</p>
<main>
{cards}
</main></html>
"""  # noqa: E501


def page(entries: Iterable[Entry], out: Path) -> str:
    """Return the page that leads to the reports that are there."""
    found = [(e, out / e.name / "results.json") for e in entries]
    cards = [card(e, Results.load(path)) for e, path in found if path.is_file()]
    return PAGE.format(cards="\n".join(cards))


def build(entry: Entry, out: Path, jobs: int) -> Results:
    """Run an entry and write its report."""
    with tempfile.TemporaryDirectory() as away:
        settings = dict(entry.settings)
        if "synth" not in settings:
            settings["synth"] = synthetic(entry, Path(away))
        report = {"title": entry.title, "notice": entry.notice}
        results, worker = run(make(seed=0, report=report, **settings), jobs=jobs)
        write_report(results, out / entry.name, measures=worker.measures)
    return results


def build_diff(out: Path, jobs: int) -> Results:
    """Compare the run that fails with one of another generator."""
    old = Results.load(out / "fail" / "results.json")
    new, _ = run(make(seed=0, report={"title": DIFF.title}, **DIFF.settings), jobs=jobs)
    changes = compare_runs(old, new)
    write_report(changes, out / DIFF.name)
    return changes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*", help="entries to build; all by default")
    args = parser.parse_args()
    entries = (*ENTRIES, DIFF)
    if unknown := sorted(set(args.names) - {e.name for e in entries}):
        parser.error(f"no entry {unknown[0]!r}; expected {', '.join(e.name for e in entries)}")
    wrong = []
    for entry in entries:
        if args.names and entry.name not in args.names:
            continue
        done = (
            build_diff(args.out, args.jobs) if entry is DIFF else build(entry, args.out, args.jobs)
        )
        print(f"{entry.name}: {done.verdict}", flush=True)
        wrong += [entry.name] if done.verdict != entry.ends else []
    (args.out / "index.html").write_text(page(entries, args.out), encoding="utf-8")
    print(args.out / "index.html")
    if wrong:
        raise SystemExit(f"ended otherwise than meant: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
