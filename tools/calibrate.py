"""How often every p-value of a comparison and an audit is small, and intervals hold the truth,
where there is nothing to find.

Both sets are drawn from one simulated population, every patient with records of their own, and go
through the same steps as in `ecgeval compare` and `ecgeval audit`. A p-value must be at most .05 in
5 % of the runs, and an interval must hold the value of no difference in 95 % of them. With
`--no-grouping` every record counts as a patient, and the sizes must be wrong.

    python tools/calibrate.py run --patients 200 --runs 100 --jobs 2 --out c.jsonl
    python tools/calibrate.py show c.jsonl
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet
from ecgeval.pipeline.config import make
from ecgeval.pipeline.run import Run
from ecgeval.results import Results

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
FS, SECONDS = 500.0, 10.0
WAVES = np.array(  # at and width (s), height (mV) of P, Q, R, S and T
    [
        (-0.16, 0.02, 0.12),
        (-0.025, 0.008, -0.1),
        (0, 0.012, 1.0),
        (0.03, 0.01, -0.25),
        (0.28, 0.045, 0.3),
    ]
)


def population(patients: int, each: int, name: str, rng: np.random.Generator) -> EcgSet:
    """Return `each` records of every patient: own waves and rate, which vary between records."""
    t = np.arange(round(FS * SECONDS)) / FS
    signals = rng.normal(0, 0.012, (patients * each, len(LEADS), len(t))).astype(np.float32)
    for who in range(patients):
        own, rate = WAVES * rng.normal(1, 0.1, WAVES.shape), rng.normal(0.85, 0.08)
        gains = rng.normal(1, 0.3, (len(LEADS), len(WAVES)))
        for record in signals[who * each : (who + 1) * each]:
            waves, gain = own * rng.normal(1, 0.02, own.shape), gains + rng.normal(0, 0.05, 1)
            rr = rate + rng.normal(0, 0.03)
            beats = np.cumsum(rng.normal(rr, 0.03, 40)) - rng.uniform(0, 0.8)
            for beat in beats[beats < SECONDS + 0.5]:
                a, b = (round(FS * (beat + s)) for s in (-0.4, 0.6))
                a, b = max(a, 0), min(b, len(t))
                if a < b:
                    bumps = np.exp(-0.5 * ((t[a:b] - beat - waves[:, :1]) / waves[:, 1:2]) ** 2)
                    record[:, a:b] += (gain * waves[:, 2]) @ bumps
    ids = [f"{name}{i}" for i in range(len(signals))]
    people = [f"{name}-p{i // each}" for i in range(len(signals))]
    return EcgSet(signals, FS, LEADS, pd.DataFrame({"patient_id": people}, index=ids))


def alone(ecgs: EcgSet) -> EcgSet:
    """Return the set with every record a patient of its own."""
    records = ecgs.records.assign(patient_id=list(ecgs.records.index))
    return EcgSet(ecgs.signals, ecgs.fs, ecgs.leads, records)


def once(seed: int, *, patients: int, each: int, kind: str, quick: bool, grouping: bool) -> dict:
    """Return the numbers of one run with nothing to find."""
    rng, begun = np.random.default_rng([patients, seed]), time.monotonic()
    names = ("a", "b") if kind == "compare" else ("a", "b", "c")
    sets = [population(patients, each, name, rng) for name in names]
    if not grouping:
        sets = [alone(s) for s in sets]
    words = {"source": "simulated"}
    if kind == "compare":
        config = make(seed=seed, quick=quick, real=words, synth=words)
        found = Run(config).compare(*sets, show_records=False)
    else:
        config = make(seed=seed, train=words, holdout=words, synth=words)
        found = Run(config).audit(*sets)
    return {
        "patients": patients,
        "each": each,
        "kind": kind,
        "quick": quick,
        "grouping": grouping,
        "seed": seed,
        "seconds": round(time.monotonic() - begun, 1),
        "estimates": _numbers(found),
    }


def _numbers(found: Results) -> list[tuple]:
    out = []
    for e in found.estimates:
        held = None
        if e.ci is not None and e.null is not None and None not in e.ci:
            held = bool(e.ci[0] <= e.null <= e.ci[1])
        if e.p is not None or held is not None:
            out.append((e.id, e.p, held))
    return out


def show(paths: list[Path]) -> None:
    """Print, for each kind of number, how often p <= .05 and how often the interval holds."""
    runs = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    by: dict[tuple, list[dict]] = defaultdict(list)
    for run in runs:
        key = (run["kind"], run["quick"], run["grouping"], run["each"], run["patients"])
        by[key].append(run)
    print(
        f"{'kind':8}{'quick':6}{'grouped':8}{'each':5}{'n':>5} {'runs':>5} "
        f"{'what':44}{'size':>7}{'3 SE':>7}  {'held':>6}{'3 SE':>7}"
    )
    for key in sorted(by):
        kinds: dict[str, list[list]] = defaultdict(list)
        for run in by[key]:
            rows: dict[str, list] = defaultdict(list)
            for name, p, held in run["estimates"]:
                parts = name.split(".")
                what = ".".join([parts[0], parts[-1]]) if len(parts) > 2 else name
                rows[what].append((p, held))
            for what, values in rows.items():
                kinds[what].append(values)
        for what, values in sorted(kinds.items()):
            line = (
                f"{key[0]:8}{key[1]!s:6}{key[2]!s:8}{key[3]:5}{key[4]:5} {len(values):5} {what:44}"
            )
            for place, truth, good in ((0, 0.05, lambda p: p <= 0.05), (1, 0.95, bool)):
                shares = [
                    np.mean([good(v[place]) for v in run if v[place] is not None])
                    for run in values
                    if any(v[place] is not None for v in run)
                ]
                if not shares:
                    line += " " * 14
                    continue
                # Numbers of one run hang together: the run is the unit.
                binomial = math.sqrt(truth * (1 - truth) / len(shares))
                spread = np.std(shares) / math.sqrt(len(shares)) if len(shares) > 1 else 0
                se = binomial if max(map(len, values)) == 1 else max(min(binomial, spread), 1e-9)
                off = "*" if abs(np.mean(shares) - truth) > 3 * se else " "
                line += f"{np.mean(shares):7.3f}{3 * se:6.3f}{off} "
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--patients", type=int, default=50)
    run.add_argument("--each", type=int, default=2, help="records a patient")
    run.add_argument("--runs", type=int, default=100)
    run.add_argument("--first", type=int, default=0, help="seed of the first run")
    run.add_argument("--kind", choices=("compare", "audit"), default="compare")
    run.add_argument("--quick", action="store_true")
    run.add_argument("--no-grouping", action="store_true")
    run.add_argument("--jobs", type=int, default=1)
    run.add_argument("--out", type=Path, required=True)
    shown = commands.add_parser("show")
    shown.add_argument("paths", type=Path, nargs="+")
    words = parser.parse_args()
    if words.command == "show":
        show(words.paths)
        return
    work = partial(
        once,
        patients=words.patients,
        each=words.each,
        kind=words.kind,
        quick=words.quick,
        grouping=not words.no_grouping,
    )
    seeds = range(words.first, words.first + words.runs)
    found = joblib.Parallel(words.jobs, return_as="generator_unordered")(
        joblib.delayed(work)(seed) for seed in seeds
    )
    with words.out.open("a") as file:
        for result in found:
            file.write(json.dumps(result) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
