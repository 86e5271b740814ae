"""Reference cohorts: what is published, how they are built, and comparing with no recordings."""

import gzip
import importlib.util
import io
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecgeval
from ecgeval import references, sets
from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.measures.section import compare as compare_measures
from ecgeval.comparison.pair import Pair, Side
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.io import named, write_store
from ecgeval.measures import measure_columns
from ecgeval.pipeline import run as pipeline
from ecgeval.pipeline.config import PART_NAMES, load, make
from ecgeval.pipeline.demo import demo
from ecgeval.pipeline.features import features, features_of_cohort
from ecgeval.references import GLOBAL, LABELS, align, engine_hash, load_reference, rounded
from ecgeval.results import Results, Verdict

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "ecgeval" / "references"
NAMES = ("ludb", "ptbxl-norm")
LEADS8 = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture(scope="module")
def tool():
    """Return tools/build_reference.py as a module."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "tools" / "build_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cohort():
    return load_reference("reference:ptbxl-norm")


@pytest.fixture(scope="module")
def fakes(sim):
    return sim(24, seed=2)


@pytest.fixture(scope="module")
def compared(fakes):
    return pipeline.compare("reference:ptbxl-norm", fakes, quick=True)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return a copy of the shipped cohorts that `load_reference` reads."""
    folder = tmp_path / "cohorts"
    folder.mkdir()
    for file in [*FOLDER.glob("*.toml"), *FOLDER.glob("*.csv.gz")]:
        (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(references, "_folder", lambda: folder)
    return folder


def finding(results, code):
    return next(f for f in results.findings if f.code == code)


# ---- what is published ---------------------------------------------------------------------------


def test_the_shipped_cohorts_are_these():
    assert references.reference_names() == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_cohort_holds_measures_and_coarse_labels_only(name):
    """No waveform, no id, no exact age, nothing finer than it needs to be."""
    packed = (FOLDER / f"{name}.csv.gz").read_bytes()
    assert len(packed) < 300_000
    assert packed[4:8] == bytes(4)  # no time of making
    table = pd.read_csv(io.BytesIO(gzip.decompress(packed)), dtype=str, keep_default_na=False)
    assert list(table.columns) == [*LABELS, *measure_columns(LEADS8)]
    assert set(table["sex"]) <= {"F", "M", ""}
    bands = {f"{d}-{d + 9}" for d in range(20, 90, 10)} | {"10-17", "18-19", "90+", ""}
    assert set(table["age"]) <= bands
    people = table["patient"].astype(int)
    assert sorted(people.unique()) == list(range(1, people.nunique() + 1))
    for column in measure_columns(LEADS8):
        values = table[column][table[column] != ""]
        places = values.str.partition(".")[2].str.len().max()
        assert places == (3 if column.endswith("_mv") else 0), column


@pytest.mark.parametrize("name", NAMES)
def test_a_cohort_says_where_it_comes_from(name):
    about = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    assert about["licence"] in ("CC BY 4.0", "ODC-BY 1.0")
    assert "doi:10." in about["citation"]
    assert "1 to" in about["selection"]
    found = load_reference(name)
    assert (about["records"], about["patients"]) == (
        len(found),
        found.records["patient_id"].nunique(),
    )
    assert found.measures.loc[found.records["outcome"] == "", "hr_bpm"].notna().all()
    assert found.measures.loc[found.records["outcome"] != ""].isna().all(axis=None)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_cohort_is_of_this_engine(name):
    """Changed the engine? Measure the cohorts again: python tools/build_reference.py."""
    about = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    assert about["engine"]["sha256"] == engine_hash()


# ---- how they are built --------------------------------------------------------------------------


def small():
    """Return three records of two people, as measured."""
    ids = ["00017_hr", "00042_hr", "00099_hr"]
    measures = pd.DataFrame(
        {"qrs_ms": [97.6, np.nan, 102.2], "r_amp_I_mv": [0.12349, np.nan, -0.0002]}, index=ids
    )
    outcome = pd.Series(["", "flat", ""], index=ids)
    records = pd.DataFrame(
        {
            "patient_id": ["P9", "P3", "P9"],
            "sex": ["F", "M", "F"],
            "age": [59.9, 90.0, 60.0],
            "recording_date": "1984-11-09",
        },
        index=ids,
    )
    return measures, outcome, records


def test_what_is_published_of_three_records(tool):
    """Rounded, in bands, patients whole under running numbers; by hand."""
    text = tool.publish(*small())
    head, *rows = text.splitlines()
    assert head == "patient,sex,age,outcome,qrs_ms,r_amp_I_mv"
    assert {row.partition(",")[2] for row in rows} == {
        "F,50-59,,98,0.123",
        "M,90+,flat,,",
        "F,60-69,,102,0.000",
    }
    number = {row.partition(",")[2][:1]: row.partition(",")[0] for row in rows}
    assert sorted(number.values()) == ["1", "2"]
    assert len({r.partition(",")[0] for r in rows if ",F," in r}) == 1
    for hidden in ("00017", "P9", "1984", "59.9"):
        assert hidden not in text


def test_the_order_of_the_source_leaves_no_trace(tool):
    measures, outcome, records = small()
    order = [2, 0, 1]
    shuffled = tool.publish(measures.iloc[order], outcome.iloc[order], records.iloc[order])
    assert shuffled == tool.publish(measures, outcome, records)
    renamed = records.assign(patient_id=records["patient_id"].map({"P9": "a", "P3": "z"}))
    assert tool.publish(measures, outcome, renamed) == tool.publish(measures, outcome, records)


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (17, "10-17"),
        (18, "18-19"),
        (9.9, "0-9"),
        (89, "80-89"),
        (90, "90+"),
        (104, "90+"),
        (np.nan, ""),
        (None, ""),
    ],
)
def test_age_bands(tool, age, band):
    assert tool.age_band(age) == band


@pytest.mark.parametrize("name", NAMES)
def test_a_cohort_built_again_is_the_shipped_one(tool, real_data, name):
    real_data(name.partition("-")[0])
    table, about = tool.build(name)
    shipped = gzip.decompress((FOLDER / f"{name}.csv.gz").read_bytes())
    assert gzip.decompress(table) == shipped
    assert about == (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    assert tool.build(name)[0] == table


def test_the_hash_sees_code_and_weights_but_no_line_ends(monkeypatch, tmp_path):
    import shutil

    root = tmp_path / "ecgeval"
    shutil.copytree(ROOT / "ecgeval", root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(references, "files", lambda _: root)
    same = engine_hash()
    for change in (b"\r\n", b"\n# changed\n"):
        path = root / "delineation" / "engine.py"
        text = path.read_bytes()
        path.write_bytes(text.replace(b"\n", change) if change == b"\r\n" else text + change)
        engine_hash.cache_clear()
        assert (engine_hash() == same) == (change == b"\r\n")
        path.write_bytes(text)
    weights = root / "delineation" / "boundaries.npz"
    weights.write_bytes(weights.read_bytes()[:-1])
    engine_hash.cache_clear()
    assert engine_hash() != same
    engine_hash.cache_clear()


# ---- reading them --------------------------------------------------------------------------------


def test_a_stale_cohort_is_said(elsewhere, fakes):
    path = elsewhere / "ptbxl-norm.toml"
    text = path.read_text()
    path.write_text(text.replace(engine_hash(), "0" * 64))
    stale = load_reference("ptbxl-norm")
    note = next(note for note in stale.notes if note.startswith("Engines differ"))
    assert "measured by ecgeval 0.1.0 (code 000000000000)" in note
    assert f"this is {ecgeval.__version__} (code {engine_hash()[:12]})" in note
    assert note in align(stale, fakes).notes
    path.write_text(text)
    assert not [n for n in load_reference("ptbxl-norm").notes if "differ" in n]


def test_a_stale_cohort_is_said_in_the_report_and_on_the_terminal(elsewhere, fakes, cli, tmp_path):
    path = elsewhere / "ptbxl-norm.toml"
    path.write_text(path.read_text().replace(engine_hash(), "0" * 64))
    write_store(fakes, tmp_path / "synth")
    _, out, err = cli(
        "compare",
        "reference:ptbxl-norm",
        tmp_path / "synth",
        "--quick",
        "--no-cache",
        "--leads",
        "II",
        "--out",
        tmp_path / "r",
    )
    assert "note: Engines differ" in err
    assert "The synthetic set and the cohort differ in engines" in out


@pytest.mark.parametrize("damage", [b"", b"not gzip", None])
def test_a_damaged_cohort_is_an_error(elsewhere, damage):
    path = elsewhere / "ludb.csv.gz"
    if damage is None:  # whole, but of other content
        damage = gzip.compress(gzip.decompress(path.read_bytes()).replace(b"0", b"1"))
    path.write_bytes(damage)
    with pytest.raises(DataError, match=r"ludb.csv.gz or .toml is damaged"):
        load_reference("ludb")


def test_rounding_is_that_of_the_file_and_knows_no_negative_zero(cohort):
    pd.testing.assert_frame_equal(rounded(cohort.measures), cohort.measures)
    got = rounded(pd.DataFrame({"r_amp_I_mv": [-0.0004, 0.12351], "hr_bpm": [61.5, 60.49]}))
    assert got.to_numpy().tolist() == [[0.0, 62.0], [0.124, 60.0]]
    assert not np.signbit(got.to_numpy()).any()


def test_ages_are_bands_and_their_first_year(cohort):
    shown = cohort.records.groupby("age_band")["age"].unique()
    assert shown["40-49"].tolist() == [40]
    assert cohort.records["age"].isna().sum() == cohort.records["age_band"].isna().sum() == 1
    assert load_reference("ludb").records["age"].max() == 90
    assert set(cohort.records["sex"]) == {"F", "M"}


# ---- aligning a set with one ---------------------------------------------------------------------


def test_eight_leads_need_nothing(cohort, fakes):
    both = align(cohort, fakes)
    assert both.sets[1] is fakes
    assert both.uncomparable == ()
    assert list(both.sets[0].measures) == measure_columns(LEADS8)
    assert [n for n in both.notes if not n.startswith("Rounding")] == []


def test_twelve_leads_are_measured_on_eight(cohort, fakes):
    twelve = fakes.with_leads((*LEADS8[:2], "III", "aVR", "aVL", "aVF", *LEADS8[2:]))
    both = align(cohort, twelve)
    assert both.sets[1].leads == LEADS8
    assert "12): 8 in common" in both.notes[0]
    np.testing.assert_array_equal(both.sets[1].signals, fakes.signals)


def test_fewer_leads_leave_out_what_is_measured_over_all(cohort, fakes):
    both = align(cohort, fakes.with_leads(("II", "V5")))
    left = list(both.sets[0].measures)
    assert both.uncomparable == GLOBAL
    assert not set(GLOBAL) & set(left)
    assert {c for c in left if "_mv" in c} == {
        c for c in measure_columns(("II", "V5")) if "_mv" in c
    }
    assert not [c for c in left if c.endswith("_deg")]  # an axis needs I and II
    assert both.sets[0].leads == ("II", "V5") == both.sets[1].leads
    frontal = align(cohort, fakes, leads=("I", "II")).sets[0].measures
    assert "qrs_axis_deg" in frontal


def test_rate_and_length_are_the_cohorts_where_they_can_be(cohort, sim):
    both = align(cohort, sim(3, fs=1000, seconds=12))
    assert (both.sets[1].fs, both.sets[1].seconds) == (500, 10)
    assert "measured at 500 Hz" in both.notes[0]
    assert "the first 10 s" in both.notes[1]
    both = align(cohort, sim(3, fs=250, seconds=5))
    assert (both.sets[1].fs, both.sets[1].seconds) == (250, 5)
    assert "coarser" in both.notes[0]
    assert "fewer beats" in both.notes[1]


def test_what_cannot_be_aligned_is_refused(cohort, fakes, sim):
    with pytest.raises(DataError, match="holds no records"):
        align(cohort, fakes.select(slice(0, 0)))
    with pytest.raises(UsageError, match="lead aVF is not in reference:ptbxl-norm"):
        align(cohort, fakes, leads=("aVF",))
    with pytest.raises(DataError, match="no lead in common"):
        align(cohort, fakes.with_leads(("III",)))
    micro = replace(fakes, signals=fakes.signals * 1000)
    with pytest.raises(DataError, match="one is in another unit"):
        align(cohort, micro)
    with pytest.raises(DataError, match="flat or missing"):
        align(cohort, replace(fakes, signals=0 * fakes.signals))


# ---- comparing -----------------------------------------------------------------------------------


def test_fidelity_is_whole_and_what_needs_waveforms_is_not_assessable(compared):
    assert {s.slug for s in compared.sections} == {"quality", *PART_NAMES} - {"classifier"}
    codes = {f.code for f in compared.findings}
    assert {"FID-EQUIV", "FID-SPREAD", "FID-MISSING", "FID-C2ST", "FID-KS", "DQ-RECORDS"} <= codes
    unseen = finding(compared, "DQ-REFERENCE")
    assert unseen.verdict == Verdict.NOT_ASSESSABLE
    assert not unseen.gate
    assert unseen.code in CATALOGUE
    for part in ("beats", "ECG-paper", "signal quality", "two-sample tests", "audit"):
        assert part in unseen.explanation
    assert "CC BY 4.0" in unseen.explanation
    for column in measure_columns(LEADS8):
        assert [e for e in compared.estimates if e.id.startswith(f"fidelity.{column}.")], column
    assert {f.id for f in compared.figures} >= {"fidelity.paper", "fidelity.beats"}
    for figure in compared.figures:
        if figure.kind == "ecg_paper":
            assert {r["set"] for r in figure.data["records"]} == {"synth"}
        if figure.kind == "beats":
            assert [s["name"] for s in figure.data["sets"]] == ["synthetic"]
    real = compared.manifest["sets"]["real"]
    assert real["source"] == "reference:ptbxl-norm"
    assert (real["n"], real["patients"], real["licence"]) == (238, 229, "CC BY 4.0")


def test_sizes_and_patients_are_the_cohorts(compared):
    e = compared.estimate("fidelity.hr_bpm.cliffs_delta")
    assert (e.n_real, e.patients_real, e.n_synth) == (238, 229, 24)
    assert compared.estimate("quality.unusable.difference").n_real == 238


def test_intervals_of_fewer_leads_are_a_gate_that_cannot_be_assessed(cohort, sim):
    got = pipeline.compare(cohort, sim(24, seed=2, leads=("II", "V5")), quick=True)
    empty = finding(got, "FID-EMPTY")
    assert empty.verdict == Verdict.NOT_ASSESSABLE
    assert empty.gate
    assert "QRS" in empty.title
    assert "intervals, which need all leads" in finding(got, "DQ-REFERENCE").explanation
    assert not [e for e in got.estimates if e.id.startswith("fidelity.qrs_ms")]


@pytest.fixture(scope="module")
def recordings(real_data):
    """Return the features of the cohort's own recordings, and their patients."""
    real_data("ptbxl")
    real = sets.read("ptbxl-norm:1-400", leads=LEADS8)
    return features(real), real.patients()


SOME = [
    "hr_bpm",
    "rr_ms",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qrs_axis_deg",
    "r_amp_V5_mv",
    "s_amp_V2_mv",
    "t_amp_II_mv",
    "t_amp_V4_mv",
    "stj_V2_mv",
]


def test_the_recordings_themselves_are_recognised_as_copies(cohort, recordings):
    """Measured again and rounded alike, every row of the cohort is found: nothing moved."""
    _, again = features_of_cohort(cohort, recordings[0])
    sides = (
        Side(cohort.measures[SOME], cohort.patients()),
        Side(again.measures[SOME], recordings[1]),
    )
    got = compare_measures(Pair(*sides, quick=True))
    copies = finding(got, "FID-COPIES")
    assert copies.verdict == Verdict.FAIL
    assert copies.title.startswith("238 synthetic records equal a real record")


def test_it_agrees_with_the_recordings_themselves(cohort, recordings, fakes):
    _, synth = features_of_cohort(cohort, made := features(fakes))
    one, two = (
        compare_measures(
            Pair(Side(real[SOME], people), Side(fake[SOME], np.arange(len(fakes))), quick=True)
        )
        for real, people, fake in (
            (cohort.measures, cohort.patients(), synth.measures),
            (recordings[0].measures, recordings[1], made.measures),
        )
    )
    assert {f.code: f.verdict for f in one.findings} == {f.code: f.verdict for f in two.findings}
    for e in one.estimates:
        if e.id.endswith("cliffs_delta"):
            assert e.value == pytest.approx(two.estimate(e.id).value, abs=0.03), e.id
        if e.id.endswith("median_diff"):
            step = {"ms": 1, "bpm": 1, "deg": 1, "mV": 0.001}[e.unit]
            assert e.value == pytest.approx(two.estimate(e.id).value, abs=step), e.id


def test_rounding_tells_no_sets_apart(cohort, sim):
    """Measures of finer steps than the cohort's are brought to its steps, on both sides."""
    feats = features(sim(3, seed=9))
    real, synth = features_of_cohort(cohort, feats)
    pd.testing.assert_frame_equal(rounded(synth.measures), synth.measures)
    assert not rounded(feats.measures).equals(feats.measures)
    assert np.isnan(real.beats).all()
    assert real.beats.shape == (238, *feats.beats.shape[1:])


# ---- where a cohort cannot be --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ecgeval.compare(x, "reference:ludb"), "the synthetic set needs waveforms"),
        (lambda x: ecgeval.audit("reference:ludb", None, x), "the train set of an audit needs"),
        (lambda x: ecgeval.audit(x, "reference:ludb", x), "the holdout set of an audit needs"),
        (lambda x: ecgeval.audit(x, None, "reference:ludb"), "the synth set of an audit needs"),
        (lambda x: ecgeval.read("reference:ludb"), "a set of ECGs needs waveforms"),
        (lambda x: ecgeval.compare("reference:mitdb", x), "there are reference:ludb, reference:pt"),
        (lambda x: ecgeval.info("reference:"), "no reference cohort ''"),
        (lambda x: ecgeval.compare("reference:ludb", x, method="neurokit"), "takes no other"),
    ],
)
def test_a_cohort_elsewhere_is_a_clear_mistake(sim, call, message):
    with pytest.raises(UsageError, match=message):
        call(sim(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"real": "ludb", "synth": "reference:ludb"}, "`synth` needs waveforms"),
        ({"train": "reference:ludb", "synth": "pulse2pulse:9"}, "`train` of an audit needs"),
        (
            {"real": "reference:ludb", "synth": "pulse2pulse:9", "audit": {"holdout_share": 0.5}},
            "audit.holdout_share needs waveforms",
        ),
        ({"real": {"source": "reference:ludb", "n": 5}, "synth": "pulse2pulse:9"}, "takes neither"),
        (
            {"real": {"source": "reference:ludb", "seconds": 5}, "synth": "pulse2pulse:9"},
            "cannot be cropped to 5 s",
        ),
    ],
)
def test_a_config_that_asks_too_much_of_a_cohort(monkeypatch, settings, message):
    monkeypatch.setattr("ecgeval.sets._generate", lambda *a: pytest.fail("generated for nothing"))
    with pytest.raises(UsageError, match=message):
        pipeline.run(make(**settings))


# ---- commands ------------------------------------------------------------------------------------


def test_compare_and_run_it_again_byte_for_byte(cli, fakes, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGEVAL_CACHE", str(tmp_path / "cache"))
    write_store(fakes, tmp_path / "synth")
    code, out, err = cli(
        "compare",
        "reference:ptbxl-norm",
        tmp_path / "synth",
        "--quick",
        "--leads",
        "II",
        "--out",
        tmp_path / "a",
    )
    assert code in (0, 1, 3)
    assert "DQ-REFERENCE" in out
    assert "note: The records of PTB-XL 1.0.3 with ecg_id 1 to 400" in err
    config = load(tmp_path / "a" / "run.toml")
    assert config.real.source == "reference:ptbxl-norm"
    assert cli("run", tmp_path / "a" / "run.toml", "--out", tmp_path / "b")[0] == code
    first, second = ((tmp_path / x / "results.json").read_bytes() for x in "ab")
    assert first == second
    assert "CC BY 4.0" in (tmp_path / "a" / "index.html").read_text()
    assert len(pd.read_csv(tmp_path / "a" / "measures_real.csv")) == 238


def test_info_says_what_a_cohort_is(cli):
    code, out, _ = cli("info", "reference:ptbxl-norm")
    assert code == 0
    for words in ("238", "229", "CC BY 4.0", "doi:10.1038/s41597-020-0495-6", "ecg_id 1 to 400"):
        assert words in out
    code, out, _ = cli("info", "reference:ludb", "--json")
    assert json.loads(out)["patients"] == 100


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "pulse2pulse:20", "reference:ludb", "--out", "r"),
        ("audit", "--train", "reference:ludb", "--synth", "pulse2pulse:20", "--out", "r"),
        ("measure", "reference:ludb", "--out", "m.csv"),
        ("delineate", "reference:ludb", "--out", "r"),
        ("convert", "reference:ludb", "r"),
    ],
)
def test_commands_that_need_waveforms(cli, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*words)
    assert code == 2
    assert "needs waveforms, and reference:ludb holds measures only" in err


# ---- the demonstration ---------------------------------------------------------------------------


def test_the_demonstration_compares_with_a_cohort_where_no_recordings_are(monkeypatch, tmp_path):
    monkeypatch.setattr(named, "data_roots", lambda: [tmp_path])
    monkeypatch.setenv("ECGEVAL_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("ECGEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ecgeval.io.fetch.RETRIES", 0)
    monkeypatch.setattr("ecgeval.pipeline.demo.run", lambda config, **_: config)
    config = demo()
    assert config.real.source == "reference:ptbxl-norm"
    assert config.train.source.startswith("deepfake:")
    assert config.holdout.source.startswith("deepfake:")
    assert config.audit.planted
    pipeline._check(config)
    notice = config.report.notice
    for words in ("No real recordings could be had", "238 real ECGs", "stand in for the patients"):
        assert words in notice
    train, holdout = (
        set(named.parse_name(part.source)[1]) for part in (config.train, config.holdout)
    )
    assert not train & holdout


def test_a_run_compares_with_a_cohort_and_audits_recordings(sim, fakes, tmp_path, monkeypatch):
    """As the demonstration does: the audit hides its patients, the cohort has none to hide."""
    people = sim(40, seed=1)
    write_store(people.select(slice(0, 20)), tmp_path / "train")
    write_store(people.select(slice(20, 40)), tmp_path / "holdout")
    write_store(fakes, tmp_path / "synth")
    paths = {name: str(tmp_path / name) for name in ("train", "holdout", "synth")}
    audited = []
    monkeypatch.setattr(
        pipeline.Run, "audit", lambda self, *given, **_: audited.extend(given) or Results()
    )
    results, worker = pipeline.run(
        make(real="reference:ptbxl-norm", **paths, leads=("II",), quick=True)
    )
    assert [len(ecgs) for ecgs in audited] == [20, 20, 24]
    assert set(results.manifest["sets"]) == {"real", "train", "holdout", "synth"}
    assert worker.measures["real"].index.tolist()[:2] == ["1", "2"]
    assert "fidelity.paper" not in {f.id for f in results.figures}


def test_a_set_of_one_patient_is_still_too_little(sim):
    one = sim(2)
    with pytest.raises(DataError, match="the synthetic set holds 2 records"):
        pipeline.compare("reference:ptbxl-norm", EcgSet(one.signals, 500, LEADS8, one.records))


def test_ages_in_years_are_compared_with_ages_in_bands(fakes):
    """The cohort's ages are bands, a set's own are years: both are cut alike."""
    labelled = replace(fakes, records=fakes.records.assign(age=np.linspace(20, 79, len(fakes))))
    config = make(quick=True, compare={"parts": ["usefulness", "subgroups"], "by": ["age"]})
    results = pipeline.Run(config).compare(load_reference("ptbxl-norm"), labelled)
    assert {f.code for f in results.findings} >= {"USE-TSTR", "SUB-EQUIV"}
