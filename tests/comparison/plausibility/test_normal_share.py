"""The difference of shares that keep a rule: coverage of its interval, size of the gate."""

import numpy as np
import pytest

from ecgeval.comparison.plausibility.normal_share import share_difference
from ecgeval.results import Verdict
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import Sample


def drawn(rng, n, per, share, icc=0.6):
    """Return which records pass, by patient of `per` records alike with correlation `icc`."""
    person = rng.random(n) < share
    own = rng.random((n, per)) < np.sqrt(icc)
    return np.where(own, person[:, None], rng.random((n, per)) < share).ravel()


def compared(real, synth, who):
    """Return the difference between two sets of records that keep a rule or do not."""
    samples = [Sample(np.empty((len(w), 0)), w) for w in who]
    kept = real.astype(float), synth.astype(float)
    return share_difference("rate", "heart rate", kept, samples, (len(real), len(synth)))


def coverage(grouped, n, reps=500):
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(reps):
        real, synth = drawn(rng, n, 4, 0.6), drawn(rng, 4 * n, 1, 0.7)
        who = np.repeat(np.arange(n), 4) if grouped else np.arange(4 * n)
        ci = compared(real, synth, (who, np.arange(4 * n))).ci
        hits += ci[0] <= 0.1 <= ci[1]
    return hits / reps


@pytest.mark.parametrize("n", [50, 200])
def test_intervals_cover_and_records_taken_for_patients_do_not(n):
    """Coverage with four records a patient; MUTATION: without the grouping it is lost."""
    assert 0.93 - 3 * np.sqrt(0.93 * 0.07 / 500) < coverage(True, n) < 0.98
    assert coverage(False, n) < 0.90


def test_size_of_the_gate_at_the_margin():
    """PROOF: a true difference of the margin passes in at most 5 % (3 binomial SE)."""
    rng, reps = np.random.default_rng(4), 600
    passed = 0
    for _ in range(reps):
        real, synth = drawn(rng, 3000, 1, 0.60), drawn(rng, 3000, 1, 0.63)
        result = compared(real, synth, (np.arange(3000), np.arange(3000)))
        passed += tost(result.ci90, -0.03, 0.03) == Verdict.PASS
    assert passed / reps < 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)
    assert passed > 0
