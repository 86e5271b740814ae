"""The form in which waveforms are compared."""

import numpy as np
import pytest

from ecgeval.comparison.classifier.forms import low_pass


def test_low_pass_takes_out_what_lies_above_and_nothing_else():
    t = np.arange(400) / 100
    slow, fast = np.cos(2 * np.pi * 4 * (t + 0.005)), np.cos(2 * np.pi * 30 * (t + 0.005))
    signals = (slow + fast)[None, None].astype(np.float32)
    assert low_pass(signals, 100, 15)[0, 0] == pytest.approx(slow, abs=1e-5)
    assert low_pass(signals, 100, 40)[0, 0] == pytest.approx(slow + fast, abs=1e-5)
