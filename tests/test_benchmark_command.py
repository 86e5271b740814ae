"""`ecgeval benchmark delineation`: on annotations of known error, on LUDB, on wrong input."""

import functools
import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecgeval import io
from ecgeval.delineation import MARKS, benchmark, delineate
from ecgeval.errors import DataError, UsageError

LEADS = ("I", "II", "V1", "V5")
SYMBOLS = (("(", "p", ")"), ("(", "N", ")"), ("(", "t", ")"))


@pytest.fixture
def bench(cli):
    """Return a function that runs `ecgeval benchmark delineation`."""
    return functools.partial(cli, "benchmark", "delineation")


def annotate(path, extension, marks):
    """Write marks (beats, 9) as a WFDB annotation file; the first and last beats are left out."""
    rows = [
        (int(sample), symbol)
        for beat in marks[1:-1]
        for wave, symbols in enumerate(SYMBOLS)
        for sample, symbol in zip(beat[3 * wave : 3 * wave + 3], symbols, strict=True)
        if sample >= 0
    ]
    samples, symbols = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    wfdb.wrann(path.name, "tmp", np.array(samples), list(symbols), write_dir=str(path.parent))
    path.with_name(f"{path.name}.tmp").rename(path.with_name(f"{path.name}.{extension}"))


def write(folder, ecgs):
    """Write simulated records as WFDB at 1 µV."""
    folder.mkdir()
    for k, record in enumerate(ecgs.ids):
        samples = np.rint(np.asarray(ecgs.signals[k]).T * 1000).astype(int)
        wfdb.wrsamp(
            record,
            ecgs.fs,
            ["mV"] * len(LEADS),
            list(LEADS),
            d_signal=samples,
            fmt=["16"] * len(LEADS),
            adc_gain=[1000] * len(LEADS),
            baseline=[0] * len(LEADS),
            write_dir=str(folder),
        )
    return folder


@pytest.fixture(scope="module")
def simulated(sim, tmp_path_factory):
    """Return a folder of four records, the engine's own marks, and a writer of annotations."""
    folder = write(tmp_path_factory.mktemp("annotated") / "wfdb", sim(4, seed=3, leads=LEADS))
    found = delineate(io.read(folder))
    ids = io.read(folder).ids

    def annotations(make, records=slice(None)):
        """Annotate by `make(k, lead) -> marks (beats, 9)`, in place of what was there."""
        for old in folder.iterdir():
            if old.suffix not in (".hea", ".dat"):
                old.unlink()
        for k, record in list(enumerate(ids))[records]:
            for lead in range(len(LEADS)):
                annotate(folder / record, LEADS[lead].lower(), make(k, lead))
        return folder

    return folder, found, ids, annotations


def own(found, k, lead):
    return found.marks[k, lead, : found.n_beats[k]]


def shifted(marks, column, samples):
    moved = marks.copy()
    moved[:, column] += np.where(moved[:, column] >= 0, samples, 0)
    return moved


def test_a_methods_own_marks_agree_without_error(bench, simulated):
    _, found, ids, annotations = simulated
    folder = annotations(lambda k, lead: own(found, k, lead))
    code, out, _ = bench("--data", folder, "--json")
    assert code == 0
    body = json.loads(out)
    assert [body["records"], body["leads"], body["fs"]] == [4, list(LEADS), 500]
    assert [row["mark"] for row in body["marks"]] == list(MARKS)
    for row in body["marks"]:
        assert row["n"] == sum(
            (own(found, k, x)[1:-1, 4] >= 0).sum() for k in range(4) for x in range(4)
        )
        assert [row["f1_150"], row["f1_40"], row["bias_ms"], row["sd_ms"]] == [100, 100, 0, 0]
    for row in body["intervals"]:
        # Medians over the annotated beats and over all beats may differ by a rounded sample.
        assert abs(row["bias_ms"]) <= 1
        assert [row["n"], row["missing"]] == [4, 0]
    method = body["methods"][0]
    assert [method["failures"], method["p_less"], method["false_p"]] == [0, 0, 0]
    assert method["cpu_ms"] > 0
    assert set(body["worst"]["ecgeval"]) == set(ids)


def test_marks_made_10_ms_early_give_a_bias_of_10_ms(bench, simulated):
    _, found, _, annotations = simulated
    t_off = MARKS.index("T_off")
    folder = annotations(lambda k, lead: shifted(own(found, k, lead), t_off, -5))
    body = json.loads(bench("--data", folder, "--json")[1])
    bias = {row["mark"]: row["bias_ms"] for row in body["marks"]}
    assert bias.pop("T_off") == 10
    assert set(bias.values()) == {0}
    errors = {row["interval"]: row["bias_ms"] for row in body["intervals"]}
    assert errors["qt_ms"] == pytest.approx(10, abs=1)
    assert errors["qrs_ms"] == pytest.approx(0, abs=1)


def test_one_file_for_all_leads_is_compared_with_the_marks_over_leads(bench, simulated):
    folder, found, ids, annotations = simulated
    annotations(lambda k, lead: own(found, k, lead))
    over = benchmark.over_leads(found)
    assert over.leads == (io.ALL_LEADS,)
    first = np.quantile(found.marks[0, :, 1, 3], 0.1)  # QRS onset of the second beat
    assert over.marks[0, 0, 1, 3] == np.rint(first)
    for k, record in enumerate(ids):
        annotate(folder / record, "q1c", shifted(own(over, k, 0), 3, 5))
    body = json.loads(bench("--data", folder, "--annotations", "q1c", "--json")[1])
    rows = {row["mark"]: row for row in body["marks"]}
    assert rows["QRS_on"]["n"] == (found.n_beats - 2).sum()
    assert rows["QRS_on"]["bias_ms"] == -10
    assert rows["QRS_off"]["bias_ms"] == 0
    assert all(row["f1_40"] == 100 for row in rows.values())


def test_annotations_follow_the_rate_and_the_length_of_the_set(sim, tmp_path):
    """A record at 250 Hz among records at 500 Hz is resampled; so are its marks."""
    from ecgeval.ecgset import EcgSet

    ecgs = sim(3, seed=4, leads=LEADS)
    folder = write(tmp_path / "wfdb", ecgs)
    slow = ecgs.select(slice(2, 3)).resample(250)
    for file in folder.glob(f"{ecgs.ids[2]}.*"):
        file.unlink()
    write(tmp_path / "slow", EcgSet(slow.signals, 250.0, slow.leads, slow.records))
    for file in (tmp_path / "slow").iterdir():
        file.rename(folder / file.name)
    marks = np.full((4, 9), -1)
    marks[1] = [90, 95, 100, 110, 120, 130, 150, 160, 170]
    marks[2, 3:6] = [2494, 2499, 2503]
    for record in ecgs.ids:
        annotate(folder / record, "atr", marks)
    read, references = io.read_annotated(folder, annotations=["atr"])
    times = {
        r: t[["onset", "peak", "offset"]].to_numpy()
        for r, t in zip(read.ids, references, strict=True)
    }
    assert times[ecgs.ids[0]][0].tolist() == [90, 95, 100]
    assert times[ecgs.ids[0]][-1].tolist() == [2494, 2499, 2503]
    assert times[ecgs.ids[2]][0].tolist() == [180, 190, 200]
    assert times[ecgs.ids[2]][-1].tolist() == [4988, 4998, -1]  # its offset lies behind the end


def test_several_methods_give_several_rows_csvs_and_pictures(bench, simulated, tmp_path):
    _, found, ids, annotations = simulated
    folder = annotations(lambda k, lead: shifted(own(found, k, lead), 5, 10 * (k == 2)))
    code, out, err = bench(
        "--data",
        folder,
        "--method",
        "ecgeval",
        "--method",
        "neurokit",
        "--worst",
        2,
        "--out",
        tmp_path / "out",
    )
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("T_off")]
    assert [line.split()[:2] for line in lines] == [["T_off", "ecgeval"], ["T_off", "neurokit"]]
    assert lines[0].split()[3:] == ["100.0", "100.0", "+0.0", "±", "0.0"]
    records = pd.read_csv(tmp_path / "out" / "records.csv")
    assert len(records) == 8
    for name, rows in (("marks", 18), ("intervals", 8), ("methods", 2)):
        assert len(pd.read_csv(tmp_path / "out" / f"{name}.csv")) == rows
    # The record whose QRS offset was annotated 20 ms late is the worst, and its picture says so.
    drawn = sorted(p.name for p in (tmp_path / "out" / "worst").iterdir())
    assert len(drawn) == 4
    assert drawn[0] == f"ecgeval_01_{ids[2]}.svg"
    svg = (tmp_path / "out" / "worst" / drawn[0]).read_text()
    ElementTree.fromstring(svg)
    row = records[(records["method"] == "ecgeval") & (records["record_id"] == ids[2])].iloc[0]
    assert row["qrs_ms"] - row["qrs_ms_found"] == pytest.approx(20, abs=1)
    assert f"QRS {row['qrs_ms_found']:.0f} (annotated {row['qrs_ms']:.0f})" in svg


def test_a_picture_shows_the_marks_where_they_are(simulated):
    _, found, ids, annotations = simulated
    folder = annotations(lambda k, lead: shifted(own(found, k, lead), 8, 10))
    ecgs, references = io.read_annotated(folder)
    data = benchmark.picture(benchmark.run(ecgs, references, "ecgeval"), ids[1], references[1])
    assert list(data["uv"]) == list(LEADS)
    for lead in LEADS:
        true, marks = (np.array(data[key][lead], float) for key in ("reference", "found"))
        # Marks of single beats are whole samples; those of the representative beat are not.
        assert true - marks == pytest.approx([0] * 8 + [20], abs=2.1)


def test_an_interval_on_one_side_only_counts_150_ms_among_the_worst():
    names = [n for name in benchmark.INTERVALS for n in (name, f"{name}_found")]
    rows = [
        [np.nan] * 4 + [100, 140, 400, 400],
        [np.nan, 90, np.nan, 150, 100, 100, 400, 401],
        [90, 90, 150, 150, 100, 90, 400, np.nan],
    ]
    table = pd.DataFrame(rows, columns=names, index=["a", "b", "c"])
    result = benchmark.Benchmark(table, table, table, 0, 0, 0)
    assert benchmark.worst(result, 2).to_dict() == {"b": 301, "c": 160}


def test_a_mark_that_nobody_annotated_has_no_score(bench, simulated):
    _, found, _, annotations = simulated

    def beats_only(k, lead):
        marks = own(found, k, lead).copy()
        marks[:, [0, 1, 2, 3, 5, 6, 7, 8]] = -1
        return marks

    body = json.loads(bench("--data", annotations(beats_only), "--json")[1])
    rows = {row["mark"]: row for row in body["marks"]}
    assert rows["R_peak"]["f1_40"] == 100
    assert rows["P_on"]["n"] == 0
    assert rows["P_on"]["f1_40"] is None
    code, out, _ = bench("--data", simulated[0])
    assert code == 0
    assert next(x for x in out.splitlines() if x.startswith("P_on")).split()[2:5] == ["0", "-", "-"]


def test_records_without_annotations_are_left_out_and_said(bench, simulated):
    _, found, ids, annotations = simulated
    folder = annotations(lambda k, lead: own(found, k, lead), slice(1, 4))
    ecgs, references = io.read_annotated(folder)
    assert list(ecgs.ids) == list(ids[1:])
    assert len(references) == 3
    assert ecgs.rejected["record_id"].tolist() == [ids[0]]
    code, out, err = bench("--data", folder, "--worst", 0)
    assert code == 0
    assert "3 records, 4 leads" in out
    assert "1 record could not be used (1 no_annotations)" in err


def test_wrong_inputs_are_one_sentence(bench, simulated, tmp_path):
    folder, found, _, annotations = simulated
    annotations(lambda k, lead: own(found, k, lead))
    for words, code, said in (
        (["--data", folder, "--method", "best"], 2, "--method is 'best'; expected one of ecgeval"),
        (["--data", "ptbxl"], 2, "no wave marks belong to ptbxl"),
        (["--data", tmp_path / "none"], 3, "no such file or folder"),
        (["--data", folder, "--annotations", "q1c"], 3, "none of its 4 records has an annotation"),
        (["--data", folder, "--annotations", "q1c,q2c"], 2, "or one name for all leads"),
        (["--data", folder, "--annotations", ","], 2, "expected lead names"),
        (["--data", folder, "--annotations", "v6"], 2, "of none of the leads I II V1 V5"),
        (["--data", folder, "--leads", "II,X9"], 2, "unknown lead"),
        (["--data", "ludb:1", "--annotations", "ii"], (2, 3), ""),
    ):
        got, out, err = bench(*words)
        assert got == code or got in np.atleast_1d(code), words
        assert said in err
        assert out == ""
        assert len(err.strip().splitlines()) <= 3
        assert "Traceback" not in err


def test_damaged_annotations_name_the_file(simulated):
    folder, found, ids, annotations = simulated
    annotations(lambda k, lead: own(found, k, lead))
    (folder / f"{ids[0]}.ii").write_bytes(b"\xff" * 7)
    with pytest.raises(DataError, match=f"{ids[0]}.ii: no readable WFDB annotation file"):
        io.read_annotated(folder)
    with pytest.raises(UsageError, match="no wave marks"):
        io.read_annotated("deepfake:0-3")


def test_ludb(real_data, bench):
    real_data("ludb")
    body = json.loads(bench("--data", "ludb:1-8", "--leads", "II,V2", "--json", "--worst", 1)[1])
    assert [body["records"], body["leads"]] == [8, ["II", "V2"]]
    f1 = {row["mark"]: row["f1_40"] for row in body["marks"]}
    assert min(f1["QRS_on"], f1["QRS_off"]) > 95
    assert len(body["worst"]["ecgeval"]) == 1
