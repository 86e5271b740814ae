"""Shared test helpers: where the real data are, and small ECG sets made on the spot."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgeval import parallel
from ecgeval.cli import main
from ecgeval.ecgset import EcgSet

ROOT = Path(__file__).parent.parent
# Tests that ask for two jobs mean processes, however little there is to do.
parallel._WORTH_S = -1.0
LEADS8 = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


# Files that take longest: begun first, no process is left with one of them at the end.
LONG = (
    "privacy/test_audit.py",
    "privacy/test_comparable.py",
    "test_pipeline.py",
    "test_cli.py",
    "test_sweep.py",
    "report/test_report.py",
    "privacy/test_bench.py",
    "privacy/test_critic.py",
    "sweep/test_ranking.py",
    "test_references.py",
    "comparison/manifold/test_section.py",
)


# Files whose audits are not about how much the search would have found.
FEW_PLANTED = (
    "test_cli.py",
    "test_pipeline.py",
    "test_sweep.py",
    "test_critic.py",
    "test_comparable.py",
    "test_overfitted.py",
)


@pytest.fixture(scope="module", autouse=True)
def few_planted(request: pytest.FixtureRequest):
    """Plant few copies in each audit: eighteen disguises of each are most of a small audit."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.name in FEW_PLANTED:
            patch.setattr("ecgeval.privacy.evidence.PLANTED", 8)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((k for k, name in enumerate(LONG) if path.endswith(name)), len(LONG))

    items.sort(key=place)


def data_folder(name: str) -> Path | None:
    """Return the folder of a real data set, from ECGEVAL_DATA or beside the checkout."""
    roots = [Path(p) for p in os.environ.get("ECGEVAL_DATA", "").split(os.pathsep) if p]
    for root in [*roots, ROOT.parent / "shared" / "data"]:
        if (root / name).is_dir():
            return root / name
    return None


@pytest.fixture(scope="session")
def real_data():
    """Return a function from a data set's name to its folder; skips, with the reason, without."""

    def find(name: str) -> Path:
        folder = data_folder(name)
        if folder is None:
            pytest.skip(f"real data set {name!r} not found: set ECGEVAL_DATA to its parent folder")
        return folder

    return find


def gaussian_beats(
    n: int,
    *,
    seed: int = 0,
    fs: float = 500,
    seconds: float = 10,
    leads: tuple[str, ...] = LEADS8,
    noise_mv: float = 0.01,
) -> EcgSet:
    """Return simulated ECGs: P, QRS and T as Gaussian bumps, each record a person of its own."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(fs * seconds)) / fs
    signals = rng.normal(0, noise_mv, (n, len(leads), len(t)))
    for record in signals:
        rr = rng.normal(0.85, 0.08)
        # at, width (s), height (mV); every person has times, widths and lead gains of their own
        waves = np.array(
            [
                (-0.16, 0.02, 0.12),
                (-0.025, 0.008, -0.1),
                (0, 0.012, 1.0),
                (0.03, 0.01, -0.25),
                (0.28, 0.045, 0.3),
            ]
        ) * rng.normal(1, 0.12, (5, 3))
        gains = rng.normal(1, 0.35, (len(leads), len(waves)))
        rhythm = np.cumsum(rng.normal(rr, 0.04, round(3 * seconds)))  # people are no metronomes
        for beat in rhythm[rhythm < seconds] - rng.uniform(0, 0.5):
            for k, (at, width, height) in enumerate(waves):
                bump = height * np.exp(-0.5 * ((t - beat - at) / width) ** 2)
                record += gains[:, k, None] * bump
    ids = [f"sim{seed}-{i}" for i in range(n)]
    records = pd.DataFrame({"patient_id": ids}, index=ids)
    return EcgSet(signals.astype(np.float32), fs, leads, records)


@pytest.fixture(scope="session")
def sim():
    """Return the maker of simulated ECG sets."""
    return gaussian_beats


@pytest.fixture
def cli(monkeypatch, capsys):
    """Return a function that runs a command: (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["ecgeval", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        code = stopped.value.code
        return (0 if code is None else code), printed.out, printed.err

    return call
