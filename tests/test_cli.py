"""The commands as a user types them: what they print, write and exit with, right and wrong."""

import json

import numpy as np
import pandas as pd
import pytest

from ecgeval import io
from ecgeval.ecgset import EcgSet

LEADS = ("I", "II", "V5")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("ECGEVAL_CACHE", str(tmp_path_factory.getbasetemp() / "cli-cache"))


@pytest.fixture(scope="module")
def stores(sim, tmp_path_factory):
    """Return stores of 24 simulated people each."""
    folder = tmp_path_factory.mktemp("stores")
    for name, seed in (("real", 1), ("synth", 2)):
        io.write_store(sim(24, seed=seed, leads=LEADS), folder / name)
    return folder


def store(folder, name, signals, fs=500, leads=LEADS, patients=True):
    ids = [f"{name}-{i}" for i in range(len(signals))]
    records = pd.DataFrame({"patient_id": ids if patients else None}, index=ids)
    io.write_store(EcgSet(signals, fs, leads, records), folder / name)
    return folder / name


def test_help_lists_the_commands(cli):
    code, out, _ = cli("--help")
    assert code == 0
    for command in (
        "demo",
        "info",
        "convert",
        "generate",
        "delineate",
        "measure",
        "compare",
        "audit",
        "run",
        "report",
        "explain",
    ):
        assert command in out


def test_version(cli):
    from ecgeval import __version__

    assert cli("--version")[:2] == (0, __version__ + "\n")


def test_compare_writes_a_report_and_runs_again_byte_for_byte(cli, stores, tmp_path):
    args = ("compare", stores / "real", stores / "synth", "--quick")
    code, out, _ = cli(*args, "--out", tmp_path / "a")
    assert code in (0, 1, 3)
    assert out.split(":")[0] in ("PASS", "FAIL", "INCONCLUSIVE", "NOT_ASSESSABLE")
    assert "Largest effects" in out
    written = {p.name for p in (tmp_path / "a").iterdir()}
    assert written >= {
        "results.json",
        "estimates.csv",
        "findings.csv",
        "measures_real.csv",
        "measures_synth.csv",
        "figures",
        "index.html",
        "report.pdf",
        "summary.pdf",
        "run.toml",
        "junit.xml",
        "environment.json",
    }
    first = (tmp_path / "a" / "results.json").read_bytes()
    assert cli(*args, "--out", tmp_path / "b", "--jobs", "2", "--no-cache")[0] == code
    assert (tmp_path / "b" / "results.json").read_bytes() == first
    assert cli("run", tmp_path / "a" / "run.toml", "--out", tmp_path / "c")[0] == code
    assert (tmp_path / "c" / "results.json").read_bytes() == first


def test_json_output(cli, stores, tmp_path):
    code, out, _ = cli(
        "compare", stores / "real", stores / "synth", "--quick", "--json", "--out", tmp_path
    )
    body = json.loads(out)
    assert {"verdict", "headline", "gates", "findings", "report"} <= set(body)
    assert (body["verdict"] == "PASS") == (code == 0)


def test_an_exact_copy_of_the_patients_fails_the_audit(cli, sim, stores, tmp_path):
    real = sim(40, seed=1, leads=LEADS)
    io.write_store(real.select(slice(0, 20)), tmp_path / "train")
    io.write_store(real.select(slice(20, 40)), tmp_path / "holdout")
    sets = ("--train", tmp_path / "train", "--holdout", tmp_path / "holdout")
    copied = store(tmp_path, "copied-set", real.signals[:20])
    code, out, _ = cli(
        "audit", *sets, "--synth", copied, "--permutations", 999, "--out", tmp_path / "copied"
    )
    assert code == 1
    assert out.startswith("FAIL")
    assert "PRIV-COPIES" in out
    code, out, _ = cli(
        "audit",
        *sets,
        "--synth",
        stores / "synth",
        "--permutations",
        999,
        "--out",
        tmp_path / "honest",
    )
    assert code == 3, out
    # Nothing an audit writes holds a clear id of a patient or a real trace.
    for path in (tmp_path / "copied").rglob("*"):
        if path.is_file() and path.name not in ("run.toml",):
            text = path.read_bytes().decode("latin-1")
            assert "sim1-" not in text, path.name


def test_delineate_measure_convert_info_report(cli, stores, tmp_path):
    code, out, _ = cli("delineate", stores / "real", "--out", tmp_path / "marks")
    assert code == 0
    assert "24 ok" in out
    with np.load(tmp_path / "marks" / "marks.npz", allow_pickle=False) as marks:
        assert marks["marks"].shape[:2] == (24, 3)
        assert marks["record_id"].tolist()[:2] == ["sim1-0", "sim1-1"]
    code, out, _ = cli("measure", stores / "real", "--out", tmp_path / "m.csv")
    assert code == 0
    table = pd.read_csv(tmp_path / "m.csv", index_col="record_id")
    assert table.shape == (24, 15 + 7 * 3 + 1)
    assert table["hr_bpm"].between(40, 140).mean() > 0.9
    code, out, _ = cli("convert", stores / "real", tmp_path / "small", "--fs", 250, "--leads", "II")
    assert code == 0
    assert io.read_store(tmp_path / "small").fs == 250
    code, out, _ = cli("info", tmp_path / "small")
    assert code == 0
    assert "250" in out
    code, out, _ = cli("info", tmp_path / "small", "--json")
    assert json.loads(out)["n"] == 24


def test_report_again_from_results_alone(cli, stores, tmp_path):
    cli("compare", stores / "real", stores / "synth", "--quick", "--out", tmp_path / "a")
    page = (tmp_path / "a" / "index.html").read_bytes()
    code, out, _ = cli(
        "report", tmp_path / "a" / "results.json", "--format", "html", "--out", tmp_path / "b"
    )
    assert code == 0
    assert out.strip().endswith("index.html")
    assert (tmp_path / "b" / "index.html").read_bytes() == page
    assert not (tmp_path / "b" / "report.pdf").exists()
    code, _, err = cli("report", tmp_path / "a", "--format", "docx")
    assert code == 2
    assert "expected html, pdf or html,pdf" in err


def test_generate_writes_a_store(cli, tmp_path):
    code, _out, _ = cli("generate", "pulse2pulse", "-n", 3, "--seed", 5, "--out", tmp_path / "g")
    assert code == 0
    assert len(io.read_store(tmp_path / "g")) == 3
    again = ("generate", "pulse2pulse", "-n", 2, "--out", tmp_path / "g")
    says(cli(*again), 2, "holds a store already", "--force")
    assert len(io.read_store(tmp_path / "g")) == 3
    assert cli(*again, "--force")[0] == 0
    assert len(io.read_store(tmp_path / "g")) == 2


def test_nothing_of_an_earlier_run_stays_beside_an_audit(cli, sim, stores, tmp_path):
    """A comparison draws real traces and names records; an audit in the same folder must not."""
    real = sim(40, seed=1, leads=LEADS)
    io.write_store(real.select(slice(0, 20)), tmp_path / "train")
    cli("compare", tmp_path / "train", stores / "synth", "--quick", "--out", tmp_path / "r")
    assert (tmp_path / "r" / "figures" / "fidelity.paper.svg").is_file()
    (tmp_path / "r" / "mine.txt").write_text("kept")
    cli(
        "audit",
        "--train",
        tmp_path / "train",
        "--synth",
        stores / "synth",
        "--permutations",
        999,
        "--out",
        tmp_path / "r",
    )
    left = [p for p in (tmp_path / "r").rglob("*") if p.is_file()]
    assert not [p.name for p in left if b"sim1-" in p.read_bytes()]
    assert "fidelity.paper.svg" not in {p.name for p in left}
    assert "measures_real.csv" not in {p.name for p in left}
    assert (tmp_path / "r" / "mine.txt").read_text() == "kept"
    # The report written again from the same results keeps what belongs to them.
    before = {p.name for p in left}
    cli("report", tmp_path / "r", "--format", "html")
    assert {p.name for p in (tmp_path / "r").rglob("*") if p.is_file()} == before


def test_an_error_of_our_own_is_not_taken_for_a_failed_gate(cli, stores, tmp_path, monkeypatch):
    monkeypatch.setattr("ecgeval.pipeline.run.run", lambda *a, **k: 1 / 0)
    result = cli("compare", stores / "real", stores / "synth", "--out", tmp_path)
    says(result, 3, "internal error, ZeroDivisionError")

    def missing(*args, **kwargs):
        raise ModuleNotFoundError("No module named 'typst'")

    monkeypatch.setattr("ecgeval.pipeline.run.run", missing)
    result = cli("compare", stores / "real", stores / "synth", "--out", tmp_path)
    says(result, 3, "No module named 'typst'", "install ecgeval again")


def test_a_damaged_store_is_named_as_one(cli, stores, tmp_path):
    import shutil

    for name, text in (("gone", None), ("torn", "{"), ("odd", '{"fs": "abc"}')):
        shutil.copytree(stores / "real", tmp_path / name)
        manifest = tmp_path / name / "manifest.json"
        manifest.unlink() if text is None else manifest.write_text(text)
        says(cli("info", tmp_path / name), 3, "manifest.json")


# ---- wrong input: one sentence, the right code, nothing lost ------------------------------------


def says(result, code, *words):
    got, out, err = result
    assert got == code, (out, err)
    assert "Traceback" not in err
    for word in words:
        assert word in err, err


def test_a_missing_file(cli, stores, tmp_path):
    result = cli("compare", stores / "none", stores / "synth", "--out", tmp_path)
    says(result, 3, "none", "no such file")


def test_an_empty_folder(cli, stores, tmp_path):
    (tmp_path / "empty").mkdir()
    says(cli("info", tmp_path / "empty"), 3, "empty")


def test_a_truncated_record_is_counted_and_named(cli, tmp_path):
    wfdb = pytest.importorskip("wfdb")
    folder = tmp_path / "wfdb"
    folder.mkdir()
    x = np.random.default_rng(0).normal(0, 0.2, (5000, 2))
    for name in ("a", "b"):
        wfdb.wrsamp(
            name,
            fs=500,
            units=["mV"] * 2,
            sig_name=["I", "II"],
            p_signal=x,
            fmt=["16"] * 2,
            write_dir=str(folder),
        )
    data = (folder / "b.dat").read_bytes()
    (folder / "b.dat").write_bytes(data[: len(data) // 3])
    _code, _out, err = cli("measure", folder, "--out", tmp_path / "m.csv")
    assert "1 record could not be used" in err
    assert "b" in err


def test_what_a_reader_assumed_is_said_on_the_terminal(cli, sim, stores, tmp_path):
    np.save(tmp_path / "synth.npy", np.rint(sim(24, seed=2, leads=LEADS).signals * 1000))
    _, _, err = cli(
        "compare",
        stores / "real",
        tmp_path / "synth.npy",
        "--native-fs",
        500,
        "--leads",
        "I,II,V5",
        "--quick",
        "--out",
        tmp_path / "r",
    )
    assert "note: no unit in the file" in err


def test_nan_and_flat_records_are_counted_not_dropped(cli, sim, stores, tmp_path):
    x = sim(24, seed=3, leads=LEADS).signals.copy()
    x[0, 1, 9] = np.nan
    x[1] = 0
    bad = store(tmp_path, "bad", x)
    cli("compare", stores / "real", bad, "--quick", "--out", tmp_path / "r")
    tables = json.loads((tmp_path / "r" / "results.json").read_text())["tables"]
    rows = {r[0]: r for t in tables if t["id"] == "quality.outcomes" for r in t["rows"]}
    assert rows["not_finite"][3] == 1
    assert rows["flat"][3] == 1
    assert rows["usable"][3] == 22


def test_a_flat_set_never_scores(cli, sim, stores, tmp_path):
    x = 0 * sim(24, seed=3, leads=LEADS).signals
    flat = store(tmp_path, "flat", x)
    says(
        cli("compare", stores / "real", flat, "--out", tmp_path / "r"),
        3,
        "every record of the synthetic set is flat",
    )


def test_other_leads_and_rates_are_harmonised_and_said(cli, sim, stores, tmp_path):
    other = store(
        tmp_path,
        "other",
        sim(24, seed=4, fs=250, leads=("I", "II", "V1")).signals,
        250,
        ("I", "II", "V1"),
    )
    _code, out, _ = cli("compare", stores / "real", other, "--quick", "--out", tmp_path / "r")
    assert "The sets differ in leads, sampling rates" in out
    found = json.loads((tmp_path / "r" / "results.json").read_text())["findings"]
    form = next(f for f in found if f["code"] == "DQ-FORM")
    assert "Leads differ" in form["explanation"]
    assert "Sampling rates differ" in form["explanation"]


def test_microvolts_against_millivolts(cli, sim, stores, tmp_path):
    micro = sim(24, seed=2, leads=LEADS)
    np.save(tmp_path / "uv.npy", micro.signals * 1000)
    words = ("--native-fs", 500, "--leads", "I,II,V5", "--quick", "--assume-independent")
    result = cli(
        "compare",
        stores / "real",
        tmp_path / "uv.npy",
        *words,
        "--unit",
        "mV",
        "--out",
        tmp_path / "r",
    )
    says(result, 3, "uV")


def test_one_record_is_too_little(cli, stores, tmp_path):
    one = io.read_store(stores / "synth").select(slice(0, 1))
    io.write_store(one, tmp_path / "one")
    result = cli("compare", stores / "real", tmp_path / "one", "--quick", "--out", tmp_path / "r")
    says(result, 3, "the synthetic set holds 1 record of 1 patient", "at least 20")


def test_unknown_patients_need_a_decision(cli, sim, stores, tmp_path):
    unknown = store(tmp_path, "who", sim(24, seed=5, leads=LEADS).signals, patients=False)
    result = cli("compare", unknown, stores / "synth", "--out", tmp_path / "r")
    says(result, 2, "no patient id", "--assume-independent")


def test_an_unknown_config_key(cli, tmp_path):
    (tmp_path / "run.toml").write_text('sede = 1\nreal = "ludb"\n')
    says(cli("run", tmp_path / "run.toml"), 2, "unknown key 'sede'", "did you mean 'seed'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('real = "ludb"', ("no `synth` set",)),
        ('synth = "ludb"', ("neither `real`", "nor `train`")),
        ('synth = "ludb"\nreal = "ludb"\nholdout = "ludb"', ("`holdout` goes with `train`",)),
    ],
)
def test_a_config_that_asks_for_nothing(cli, tmp_path, text, words):
    (tmp_path / "run.toml").write_text(text)
    says(cli("run", tmp_path / "run.toml", "--out", tmp_path / "r"), 2, *words)


def test_generators_without_a_count_and_counts_without_a_generator(cli, stores, tmp_path):
    result = cli("compare", stores / "real", "pulse2pulse", "--out", tmp_path)
    says(result, 2, "say how many")
    result = cli("compare", stores / "real", stores / "synth", "-n", 5, "--out", tmp_path)
    says(result, 2, "-n goes with a generator")


def test_out_that_is_a_file(cli, stores, tmp_path):
    (tmp_path / "f").write_text("x")
    result = cli("compare", stores / "real", stores / "synth", "--out", tmp_path / "f")
    says(result, 2, "is a file; expected a folder")


def test_explain_prints_definitions(cli):
    code, out, _ = cli("explain", "FID-EQUIV")
    assert code == 0
    assert len(out) > 100
    code, _, err = cli("explain", "NO-SUCH")
    assert code == 2
    assert "NO-SUCH" in err
