"""Damaged files of every format: a set or one sentence, never a traceback."""

import numpy as np
import pytest

from ecgeval.errors import EcgevalError
from ecgeval.io import read

ROUNDS = 60


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with a few of them changed, removed or repeated."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, max(1, min(len(out), 400))))
        kind = rng.integers(0, 4)
        if kind == 0 and out:
            out[at] = int(rng.choice(list(b"0123456789 /.-+x(\n#;,\x00\xff")))
        elif kind == 1:
            del out[at : at + int(rng.integers(1, 30))]
        elif kind == 2:
            out[at:at] = out[at : at + int(rng.integers(1, 30))]
        else:
            del out[int(rng.integers(0, max(1, len(out)))) :]
    return bytes(out)


@pytest.mark.parametrize("name", ["r.hea", "r.csv", "r.asc", "r.npy", "r.npz"])
@pytest.mark.filterwarnings("default")  # what numpy and wfdb say about damage is not the point
def test_damage_gives_a_set_or_one_sentence(tmp_path, record, name) -> None:
    x = record(tmp_path, "r", leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), seconds=2)
    np.save(tmp_path / "r.npy", x[None])
    np.savez(tmp_path / "r.npz", signals=x[None], fs=500.0)
    np.savetxt(tmp_path / "r.asc", x.T, fmt="%d")
    np.savetxt(tmp_path / "r.csv", x.T / 1e3, fmt="%.3f", delimiter=",")
    whole = (tmp_path / name).read_bytes()
    rate = 500 if name in ("r.npy", "r.csv") else None
    assert len(read(tmp_path / name, native_fs=rate)) == 1
    rng = np.random.default_rng(11)
    outcomes, messages = set(), []
    for _ in range(ROUNDS):
        (tmp_path / name).write_bytes(damaged(whole, rng))
        try:
            outcomes.add(len(read(tmp_path / name, native_fs=rate)))
        except EcgevalError as error:
            outcomes.add(type(error).__name__)
            messages.append(str(error))
    assert "DataError" in outcomes
    assert [m for m in messages if "\n" in m or not m.startswith((str(tmp_path), name))] == []
