"""WFDB: the direct path equals the wfdb package, other forms go through it, damage is told."""

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgeval.ecgset import STANDARD_LEADS, Microvolts
from ecgeval.errors import DataError
from ecgeval.io import read
from ecgeval.io.assemble import Reject
from ecgeval.io.wfdb_files import comment_labels, parse_header, wfdb_item

SEED = 7


def write(
    folder: Path,
    name: str = "r1",
    *,
    n: int = 3000,
    fs: float = 500,
    fmt: str = "16",
    leads: tuple[str, ...] = ("I", "II", "V1"),
    unit: str = "mV",
    gain: float = 1000,
    **more: list[str],
) -> np.ndarray:
    """Write a record with plausible amplitudes; return its millivolts, (leads, samples)."""
    rng = np.random.default_rng(SEED)
    t = np.arange(n) / fs
    x = 0.6 * np.sin(2 * np.pi * (1 + np.arange(len(leads)))[:, None] * t)
    x += rng.normal(0, 0.02, x.shape)
    scale = {"mV": 1, "uV": 1e3, "V": 1e-3}[unit]
    wfdb.wrsamp(
        name,
        fs,
        [unit] * len(leads),
        list(leads),
        x.T * scale,
        fmt=[fmt] * len(leads),
        adc_gain=[gain / scale] * len(leads),
        baseline=[0] * len(leads),
        write_dir=str(folder),
        **more,
    )
    return x.astype(np.float32)


@pytest.mark.parametrize("fmt", ["16", "212", "24", "32"])
@pytest.mark.parametrize("unit", ["mV", "uV"])
def test_every_format_and_unit_gives_the_physical_samples(tmp_path, fmt, unit) -> None:
    x = write(tmp_path, fmt=fmt, unit=unit, gain=200 if fmt == "212" else 1000)
    ecgs = read(tmp_path / "r1")
    step = 0.005 if fmt == "212" else 0.001
    assert ecgs.leads == ("I", "II", "V1")
    assert np.abs(np.asarray(ecgs.signals)[0] - x).max() <= step / 2 + 1e-6


@pytest.mark.parametrize("gain", [1000, 200, 2000, 4880, 102.4])
def test_the_direct_path_equals_wfdb(tmp_path, gain) -> None:
    write(tmp_path, gain=gain)
    block, factor = wfdb_item(tmp_path / "r1.hea", "r1").load()
    expected = wfdb.rdrecord(str(tmp_path / "r1")).p_signal.T
    np.testing.assert_allclose(block * factor, expected, atol=2e-7)


def test_the_direct_path_equals_wfdb_on_real_records(real_data) -> None:
    headers = (
        sorted(real_data("cinc").rglob("*.hea")) + sorted(real_data("ecgid").rglob("*.hea"))[:5]
    )
    headers += sorted(real_data("ptbxl").rglob("*.hea"))[:5]
    for path in headers:
        if path.stem == "E00009":  # wfdb cannot read its record line
            continue
        item = wfdb_item(path, "x")
        block, factor = item.load()
        record = wfdb.rdrecord(str(path.with_suffix("")))
        assert (item.fs, list(item.channels)) == (record.fs, record.sig_name)
        np.testing.assert_allclose(block * factor, record.p_signal.T, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["r1", "r1.hea", "r1.dat"])
def test_a_record_is_named_with_or_without_extension(tmp_path, name) -> None:
    write(tmp_path)
    assert list(read(tmp_path / name).ids) == ["r1"]


def test_whole_microvolts_stay_integers(tmp_path) -> None:
    write(tmp_path, gain=200)
    ecgs = read(tmp_path)
    assert isinstance(ecgs.signals, Microvolts)
    assert (ecgs.signals.integers(slice(None)) % 5 == 0).all()
    assert not isinstance(read(tmp_path, fs=250).signals, Microvolts)


def test_microvolts_beyond_int16_become_float_and_do_not_wrap(tmp_path) -> None:
    x = write(tmp_path, gain=200)
    raw = np.fromfile(tmp_path / "r1.dat", "<i2").reshape(-1, 3)
    raw[7, 2] = 8000  # 40 mV
    raw.tofile(tmp_path / "r1.dat")
    signals = read(tmp_path).signals
    assert not isinstance(signals, Microvolts)
    assert signals[0, 2, 7] == pytest.approx(40)
    np.testing.assert_allclose(signals[0, :2], x[:2], atol=0.0026)


def test_a_gap_is_nan_and_kept(tmp_path) -> None:
    write(tmp_path)
    raw = np.fromfile(tmp_path / "r1.dat", "<i2").reshape(-1, 3)
    raw[100:110, 1] = -32768
    raw.tofile(tmp_path / "r1.dat")
    x = np.asarray(read(tmp_path).signals)
    assert np.isnan(x[0, 1, 100:110]).all()
    assert np.isnan(x).sum() == 10


def test_a_truncated_dat_is_rejected_with_both_sizes(tmp_path) -> None:
    write(tmp_path, "whole")
    write(tmp_path, "cut")
    file = tmp_path / "cut.dat"
    file.write_bytes(file.read_bytes()[: 1000 * 6])
    ecgs = read(tmp_path)
    assert list(ecgs.ids) == ["whole"]
    assert ecgs.rejected.iloc[0].tolist() == [
        "cut",
        "truncated",
        "cut.dat holds 1000 samples, the header says 3000",
    ]
    with pytest.raises(DataError, match="1000 samples, the header says 3000"):
        read(tmp_path / "cut")


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_a_missing_dat_is_rejected(tmp_path, fmt) -> None:
    write(tmp_path, fmt=fmt, gain=200)
    (tmp_path / "r1.dat").unlink()
    with pytest.raises(DataError, match=r"missing_file.*names r1\.dat, which is not there"):
        read(tmp_path)


@pytest.mark.parametrize("fmt", ["212", "24"])
def test_a_truncated_dat_of_another_format_is_rejected(tmp_path, fmt) -> None:
    write(tmp_path, fmt=fmt, gain=200)
    file = tmp_path / "r1.dat"
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"truncated|unreadable"):
        read(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "hello", "r1 3", "r1 3 500 3000\nr1.dat what", "r1 2 -5 3000"]
)
def test_a_broken_header_is_one_sentence(tmp_path, text) -> None:
    (tmp_path / "r1.hea").write_text(text)
    with pytest.raises(DataError, match=r"bad_header|unreadable|missing_file"):
        read(tmp_path / "r1")


def test_a_record_line_with_another_name_is_read_and_noted(real_data) -> None:
    ecgs = read(real_data("cinc") / "hostile_headers")
    assert len(ecgs) + len(ecgs.rejected) == 8
    notes = " | ".join(ecgs.notes)
    assert "record line names 'E00009.mat'" in notes
    assert "unusually small amplitude, check gain and unit: E00009" in notes
    assert "unusually large amplitude, check gain and unit: HR00599" in notes


def test_a_wrong_checksum_is_noted(tmp_path) -> None:
    write(tmp_path)
    assert read(tmp_path).notes == ()
    raw = np.fromfile(tmp_path / "r1.dat", "<i2")
    raw[5] += 1
    raw.tofile(tmp_path / "r1.dat")
    assert "checksum" in read(tmp_path).notes[0]


def test_a_missing_gain_is_wfdbs_200_and_noted(tmp_path) -> None:
    np.tile(np.array([[0, 0], [200, -200]], "<i2"), (1000, 1)).tofile(tmp_path / "r1.dat")
    (tmp_path / "r1.hea").write_text(
        "r1 2 500\nr1.dat 16 0 12 0 0 0 0 I\nr1.dat 16 0 12 0 0 0 0 II\n"
    )
    ecgs = read(tmp_path)
    assert np.ptp(np.asarray(ecgs.signals)) == pytest.approx(2)
    assert any("200 units a mV assumed" in note for note in ecgs.notes)


def test_an_adc_zero_is_the_baseline(tmp_path) -> None:
    np.tile(np.array([[1024], [1224]], "<i2"), (1000, 1)).tofile(tmp_path / "r1.dat")
    (tmp_path / "r1.hea").write_text("r1 1 360 2000\nr1.dat 16 200 11 1024 1024 0 0 V5\n")
    x = np.asarray(read(tmp_path).signals)
    assert (x.min(), x.max()) == (0, 1)


def test_two_segments_are_read_as_one_record(tmp_path) -> None:
    x = write(tmp_path, "seg", n=1000)
    (tmp_path / "whole.hea").write_text("whole/2 3 500 2000\nseg 1000\nseg 1000\n")
    whole = read(tmp_path / "whole")
    assert whole.n_samples == 2000
    np.testing.assert_allclose(whole.signals[0], np.hstack([x, x]), atol=0.0006)


def test_gains_that_are_the_leads_ranges_are_not_believed(tmp_path) -> None:
    rng = np.random.default_rng(0)
    raw = np.rint(rng.normal(0, [200, 300, 150], (3000, 3))).astype("<i2")
    raw.tofile(tmp_path / "r1.dat")
    spans = np.ptp(raw, axis=0)
    lines = [
        f"r1.dat 16 {s}/mV 16 0 0 0 0 {n}" for s, n in zip(spans, ["I", "II", "V1"], strict=True)
    ]
    (tmp_path / "r1.hea").write_text("\n".join(["r1 3 500 3000", *lines]))
    ecgs = read(tmp_path)
    np.testing.assert_array_equal(ecgs.signals.integers(0), raw.T)
    assert any("no gains" in note for note in ecgs.notes)


def test_header_comments_become_labels() -> None:
    assert comment_labels(["#Age: 74", "# Sex: Male", "#Dx: 426783006", "#Rx: Unknown"]) == {
        "age": 74.0,
        "sex": "M",
        "dx": "426783006",
    }
    labels = comment_labels(["#<age>: NaN", "#<sex>: F", "#Rhythm: Sinus rhythm."])
    assert np.isnan(labels.pop("age"))
    assert labels == {"sex": "F", "rhythm": "Sinus rhythm"}


def test_headers_parse_like_wfdb(tmp_path) -> None:
    write(tmp_path, leads=STANDARD_LEADS, comments=["Age: 1"])
    header = parse_header((tmp_path / "r1.hea").read_text())
    assert header is not None
    reference = wfdb.rdheader(str(tmp_path / "r1"))
    assert [s["name"] for s in header.signals] == reference.sig_name
    assert [float(s["gain"]) for s in header.signals] == reference.adc_gain
    assert (header.fs, header.n_samples) == (reference.fs, reference.sig_len)


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(Reject, match="sampling rate"):
        parse_header("r1 1 0 100\nr1.dat 16 200 12 0 0 0 0 I")
