"""Serial correlation from SD and RMSSD: against the correlation itself."""

import numpy as np
import pytest

from ecgeval.comparison.joint.rhythm import serial_correlation


def test_long_series_give_their_own_correlation():
    rng = np.random.default_rng(0)
    for truth in (-0.5, 0.0, 0.6):
        rr = rng.normal(size=20_000)
        for i in range(1, len(rr)):
            rr[i] += truth * rr[i - 1]
        sd, rmssd = rr.std(), np.sqrt(np.mean(np.diff(rr) ** 2))
        assert serial_correlation(np.array([sd]), np.array([rmssd]))[0] == pytest.approx(
            truth, abs=0.03
        )


def test_alternation_is_minus_one_and_no_variation_is_unknown():
    found = serial_correlation(np.array([1.0, 0.0, np.nan]), np.array([2.0, 0.0, 1.0]))
    assert found[0] == -1
    assert np.isnan(found[1:]).all()
