"""The copy search against a plain loop over pairs, in one run.

Run ``python tests/benchmarks/bench_search.py [queries references]`` with OMP_NUM_THREADS=1. The
records are Pulse2Pulse's. Prints, for every detector that runs on sets of any size, processor
microseconds a pair on one core, those of the plain way (best of three rounds of each, alternating),
the ratio, and what 121,977 x 7,233 pairs would take on two cores; for the range query of D2 also
what its bounds leave over. D3 and D5, which compare each record of such sets with the few that D4
finds nearest, take what is printed last. Plain: D1, D6 a float64 difference or product, D2 one FFT
a pair, D4 and D4T one product a version, pair by pair.
"""

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from ecgeval.delineation import delineate
from ecgeval.generators import generate
from ecgeval.privacy.copies.detectors import DETECTORS, Detector
from ecgeval.privacy.copies.neighbours import lag_range
from ecgeval.privacy.copies.pairs import pairwise
from ecgeval.privacy.copies.range_search import search_above
from ecgeval.privacy.copies.search import Rows, search
from ecgeval.privacy.copies.signals import Signals, beat_signals, record_signals, single_beats

RECORDS = 121_977, 7_233
PAPER = RECORDS[0] * RECORDS[1]
PLAIN_PAIRS = 400


def signals(n: int, seed: int) -> dict[str, Signals]:
    ecgs = generate("pulse2pulse", n, seed=seed)
    beats = delineate(ecgs).beats
    records = record_signals(ecgs, ecgs.leads, 10.0)
    return {
        "record": records,
        "single": single_beats(records),
        "beat": beat_signals(beats, ecgs.fs, ecgs.leads, ecgs.leads),
    }


def seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def way(detector: Detector, x: Signals, y: Signals):
    """Return what to time: the whole search, and the same for a few pairs one by one."""
    rows, references = np.flatnonzero(x.usable), y.x[y.usable]
    kernel = detector.kernel(Rows(x.x, rows), references)
    rng = np.random.default_rng(0)
    pairs = zip(
        rng.integers(kernel.shape[0], size=PLAIN_PAIRS).tolist(),
        rng.integers(kernel.shape[1], size=PLAIN_PAIRS).tolist(),
        strict=True,
    )
    some = [(np.array([i]), np.array([j])) for i, j in pairs]

    def plain():
        return [kernel.exact(i, j) for i, j in some]

    if not detector.by_range:
        return kernel.shape, lambda: search(kernel), plain, []
    floors, bound = lag_range(kernel)
    stages: list[int] = []

    def fast():
        stages[:] = search_above(kernel, floors, bound=bound).stages

    return kernel.shape, fast, plain, stages


def screened(detector: Detector, x: Signals, y: Signals) -> float:
    """Return processor microseconds a pair where pairs are compared one by one."""
    rng = np.random.default_rng(0)
    every = np.repeat(np.flatnonzero(x.usable), detector.nearest) * len(y.x)
    pairs = np.sort(every + rng.choice(np.flatnonzero(y.usable), len(every)))[:4096]
    work = [seconds(lambda: pairwise(detector, x, y, pairs)) for _ in range(3)]
    return 1e6 * min(work) / len(pairs)


def main(n: int, m: int) -> None:
    a, b = signals(n, 0), signals(m, 1)
    print(f"{n} x {m} records, one core, us a pair; h: hours or part of one, on two cores")
    print(f"{'':5}{'search':>9}{'plain':>9}{'ratio':>8}{'paper, h':>10}{'plain, h':>10}")
    with threadpool_limits(1):
        for detector in (d for d in DETECTORS if not d.screen):
            shape, fast, plain, stages = way(detector, a[detector.signals], b[detector.signals])
            rounds = np.array([[seconds(fast), seconds(plain)] for _ in range(3)]).min(axis=0)
            us = 1e6 * rounds / [shape[0] * shape[1], PLAIN_PAIRS]
            hours = us * PAPER / 2 / 3.6e9
            print(
                f"{detector.id:5}{us[0]:9.3f}{us[1]:9.1f}{us[1] / us[0]:8.0f}"
                f"{hours[0]:10.3f}{hours[1]:10.1f}"
            )
            if stages:
                shares = ", ".join(f"{s:,} ({s / stages[0]:.2%})" for s in stages)
                print(f"      pairs, left by either bound, found: {shares}")
        for detector in (d for d in DETECTORS if d.screen):
            us = screened(detector, a[detector.signals], b[detector.signals])
            hours = us * detector.nearest * sum(RECORDS) / 2 / 3.6e9
            near = f"the {detector.nearest} nearest by {detector.screen}"
            print(f"{detector.id:5}{us:9.1f} us a pair of {near}{hours:10.3f} h")


if __name__ == "__main__":
    main(*(int(v) for v in sys.argv[1:3]) if len(sys.argv) > 2 else (1024, 2048))
