"""What users call a SET: files, named sets, generators, and what is refused."""

import numpy as np
import pytest

from ecgeval import io, sets
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.errors import DataError, UsageError


def test_a_set_in_memory_passes_through_with_leads_and_rate(sim):
    ecgs = sim(2)
    assert sets.read(ecgs) is ecgs
    got = sets.read(ecgs, fs=250, leads=("II", "aVF"), seconds=4)
    assert (got.fs, got.leads, got.seconds) == (250, ("II", "aVF"), 4)


def test_a_store_is_read(sim, tmp_path):
    io.write_store(sim(3), tmp_path / "s")
    assert len(sets.read(tmp_path / "s")) == 3
    with pytest.raises(UsageError, match="-n goes with a generator"):
        sets.read(tmp_path / "s", n=2)


def test_generators_by_name_and_seed():
    one = sets.read("pulse2pulse:2", seed=3)
    two = sets.read("pulse2pulse", n=2, seed=3)
    assert one.fingerprint() == two.fingerprint()
    assert one.fingerprint() != sets.read("pulse2pulse:2", seed=4).fingerprint()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("pulse2pulse", "say how many, as in pulse2pulse:1000"),
        ("pulse2pulse:many", "expected a count after the colon"),
        ("pulse2pulse:0", "say how many"),
        ("deepfake", "expected published ids, as in deepfake:0-999"),
        ("deepfake:a-b", "'a-b' is no record number or range"),
        ("deepfake:9-3", "'9-3' is no record number or range"),
    ],
)
def test_mistakes_in_a_name_are_named(source, message):
    with pytest.raises(UsageError, match=message):
        sets.read(source)


def test_ids_outside_the_published_set_are_refused():
    with pytest.raises(DataError, match="ids 0 to 149999"):
        sets.read("deepfake:0-150000")


def test_published_ids_are_regenerated_where_no_files_are(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGEVAL_DATA", str(tmp_path))
    ecgs = sets.read("deepfake:4,5")
    assert ecgs.ids.tolist() == ["4", "5"]
    assert ecgs.patients().tolist() == ["4", "5"]
    assert "regenerated" in ecgs.records["source"].iloc[0]


def test_generating_to_a_store_is_the_same_in_any_pieces(tmp_path, monkeypatch):
    seen = []
    whole = sets.generate_store(
        "pulse2pulse", 5, tmp_path / "a", seed=1, progress=lambda *a: seen.append(a)
    )
    assert seen[-1] == ("generate", 5, 5)
    monkeypatch.setattr(sets, "_CHUNK", 2)
    pieces = sets.generate_store("pulse2pulse", 5, tmp_path / "b", seed=1)
    assert pieces.fingerprint() == whole.fingerprint()
    memory = sets.read("pulse2pulse:5", seed=1)
    assert memory.fingerprint() == whole.fingerprint()
    twelve = sets.generate_store("pulse2pulse", 2, tmp_path / "c", seed=1, leads=STANDARD_LEADS)
    np.testing.assert_allclose(
        twelve.signals[:], memory.select(slice(0, 2)).with_leads(twelve.leads).signals, atol=6e-4
    )


def test_info_takes_any_set(sim, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGEVAL_DATA", str(tmp_path))
    made = sets.info("pulse2pulse:3")
    assert (made["n"], made["format"], made["fs"]) == (3, "generator", 500)
    assert sets.info("deepfake:0-1")["n"] == 2
    x = sim(3).signals.copy()
    x[:, :, 100] = np.nan
    np.save(tmp_path / "gaps.npy", x)
    gaps = sets.info(tmp_path / "gaps.npy", native_fs=500)
    assert gaps["amplitude_mv"] == pytest.approx(1, abs=0.7)
    assert any(note.startswith("3 of 3 records have missing samples") for note in gaps["notes"])
