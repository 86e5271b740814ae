"""The rounding step of a record, and whether it alone tells the sets apart."""

import numpy as np
import pytest

from ecgeval.comparison.classifier.rounding import compare_rounding, rounding_step


@pytest.mark.parametrize("step", [0, 1, 2.44, 4.88, 5])
def test_rounding_step_is_read_off_the_samples(step):
    record = np.random.default_rng(0).normal(0, 0.2, (3, 1000))
    if step:
        record = np.rint(record * 1000 / step) * step / 1000
    assert rounding_step(record.astype(np.float32)) == pytest.approx(step, abs=0.02)


def test_rounding_step_is_seen_through_a_second_rounding():
    record = np.random.default_rng(0).normal(0, 0.2, (3, 1000))
    twice = np.rint(np.rint(record * 1000 / 4.88) * 4.88) / 1000
    assert rounding_step(twice) == pytest.approx(5)


def test_steps_that_differ_tell_the_sets_apart_and_equal_ones_do_not():
    label, each = np.arange(80) >= 40, np.arange(80)
    for step, expected, apart in ((np.where(label, 5.0, 1.0), 1, True), (np.ones(80), 0.5, False)):
        found = compare_rounding(step, label, each, 999, 200, np.random.default_rng(0))
        assert found.auc == expected
        assert found.apart is apart
        assert (found.n_real, found.patients_synth) == (40, 40)
