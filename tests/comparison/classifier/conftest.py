"""Simulated records of people that differ."""

import numpy as np
import pytest

LEADS = ("I", "II", "V2")
FS, N, SECONDS = 100.0, 120, 4
ZERO = 40
T = (np.arange(110) - ZERO) / FS


@pytest.fixture(scope="session")
def hearts():
    """Return the function that simulates n records and their representative beats."""
    return simulated


@pytest.fixture(scope="session")
def real():
    return simulated(N, 1)


@pytest.fixture(scope="session")
def other():
    return simulated(N, 3)


def simulated(n, seed, fs=FS):
    """Return n simulated records and representative beats of people that differ."""
    rng = np.random.default_rng(seed)
    waves = np.array([(-0.16, 0.025, 0.12), (0, 0.012, 1.0), (0.03, 0.01, -0.3), (0.28, 0.05, 0.3)])
    t = np.arange(round(SECONDS * fs)) / fs
    signals = rng.normal(0, 0.01, (n, len(LEADS), len(t)))
    beats = np.zeros((n, len(LEADS), len(T)))
    for record, beat in zip(signals, beats, strict=True):
        own = waves * rng.normal(1, 0.1, waves.shape)
        gains = rng.normal(1, 0.3, (len(LEADS), 1))
        for at, width, height in own:
            beat += gains * height * np.exp(-0.5 * ((T - at) / width) ** 2)
        for r in np.arange(rng.uniform(0, 0.8), SECONDS, rng.normal(0.85, 0.08)):
            for at, width, height in own:
                record += gains * height * np.exp(-0.5 * ((t - r - at) / width) ** 2)
    beats += rng.normal(0, 0.005, beats.shape)
    return signals.astype(np.float32), beats.astype(np.float32)
