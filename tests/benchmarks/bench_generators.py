"""Pulse2Pulse: the fast form against the direct graph, in one run, alternating.

Run ``python tests/benchmarks/bench_generators.py [records]``. Prints milliseconds an ECG (best of
three rounds, by the clock and of processor time) and the ratios, for the network alone and for the
whole of `stream`: noise, network, rounding to microvolts. On a busy machine read the processor
times, with OMP_NUM_THREADS=1.
"""

import sys
import time

import numpy as np
import torch

from ecgeval.generators import stream
from ecgeval.generators.checkpoints import load
from ecgeval.generators.noise import philox_noise
from ecgeval.generators.sampling import BLOCK, _render


def seconds(work) -> np.ndarray:
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - start


def direct(model, noise: np.ndarray, batch: int) -> None:
    with torch.inference_mode():
        for at in range(0, len(noise), batch):
            model(torch.from_numpy(noise[at : at + batch]))


def main(n: int) -> None:
    weights = load("pulse2pulse")
    noise = np.stack([philox_noise(0, i, (8, 5000)) for i in range(n)])
    ways = {
        "direct graph, batch 64": lambda: direct(weights.model, noise, 64),
        "direct graph, batch 128": lambda: direct(weights.model, noise, 128),
        f"fast, blocks of {BLOCK}": lambda: list(_render(weights.fast, iter(noise), "cpu")),
        "stream": lambda: list(stream("pulse2pulse", n)),
    }
    for work in ways.values():
        work()
    rounds = [{name: seconds(work) for name, work in ways.items()} for _ in range(3)]
    best = {name: np.min([r[name] for r in rounds], axis=0) for name in ways}
    print(f"{n} records, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, taken in best.items():
        clock, cpu = 1000 * taken / n
        by_clock, by_cpu = best["direct graph, batch 64"] / taken
        print(f"{name:24} {clock:6.2f} ms ({by_clock:.2f} x)  CPU {cpu:6.2f} ms ({by_cpu:.2f} x)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
