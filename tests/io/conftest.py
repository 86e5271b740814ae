"""A writer of small WFDB records with ECG-like amplitudes, without the wfdb package."""

from pathlib import Path

import numpy as np
import pytest


def write_record(
    folder: Path,
    name: str,
    *,
    seconds: float = 4,
    fs: int = 500,
    leads: tuple[str, ...] = ("I", "II", "V1"),
    seed: int = 0,
    comments: tuple[str, ...] = (),
    gain: str = "1000/mV",
) -> np.ndarray:
    """Write one record of int16 µV; return it, shape (leads, samples)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fs)) / fs
    phase = 2 * np.pi * rng.uniform(1, 3, len(leads))[:, None] * t
    x = np.rint(600 * np.sin(phase) + rng.normal(0, 20, phase.shape)).astype("<i2")
    path = folder / f"{name}.dat"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.ascontiguousarray(x.T).tofile(path)
    lines = [f"{path.stem} {len(leads)} {fs} {x.shape[1]}"]
    lines += [
        f"{path.name} 16 {gain} 16 0 {r[0]} {int(r.sum(dtype=np.int64)) % 65536} 0 {lead}"
        for r, lead in zip(x, leads, strict=True)
    ]
    lines += [f"#{comment}" for comment in comments]
    path.with_suffix(".hea").write_text("\n".join(lines) + "\n")
    return x


@pytest.fixture(scope="session")
def record():
    """Return the writer."""
    return write_record
