"""Delineation: the engine against NeuroKit2, and one process against two, in one run.

Run ``python tests/benchmarks/bench_delineation.py [records]``. Uses published DeepFakes with the
limb leads derived (12 leads, 10 s, 500 Hz). Prints milliseconds of processor time an ECG and the
ratios; wall time for the comparison of one process with two, which says nothing on a busy machine.
"""

import sys
import time

import numpy as np

import ecgeval as ee
from ecgeval.delineation import delineate
from ecgeval.ecgset import STANDARD_LEADS, EcgSet
from ecgeval.parallel import one_thread


def cpu_ms(ecgs: EcgSet, method: str) -> float:
    delineate(ecgs.select(slice(0, 2)), method=method)  # imports and first calls are not the work
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        delineate(ecgs, method=method)
        best = min(best, time.process_time() - start)
    return 1000 * best / len(ecgs)


def wall_s(ecgs: EcgSet, jobs: int) -> float:
    delineate(ecgs.select(slice(0, 64)), jobs=jobs)  # workers are started and warm
    start = time.perf_counter()
    delineate(ecgs, jobs=jobs)
    return time.perf_counter() - start


def main(n: int) -> None:
    ecgs = ee.read(f"deepfake:0-{n - 1}").with_leads(STANDARD_LEADS)
    ecgs = EcgSet(np.asarray(ecgs.signals[:]), ecgs.fs, ecgs.leads, ecgs.records)
    with one_thread():
        times = {
            "ecgeval": cpu_ms(ecgs, "ecgeval"),
            "neurokit:prominence": cpu_ms(ecgs.select(slice(0, 16)), "neurokit"),
            "neurokit:dwt": cpu_ms(ecgs.select(slice(0, 4)), "neurokit:dwt"),
        }
    print(f"{'method':<22}{'CPU ms an ECG':>14}{'ratio':>10}")
    for name, ms in times.items():
        print(f"{name:<22}{ms:>14.2f}{ms / times['ecgeval']:>10.1f}")
    one, two = wall_s(ecgs, 1), wall_s(ecgs, 2)
    print(f"one process {one:.2f} s, two {two:.2f} s: {one / two:.2f} times")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
