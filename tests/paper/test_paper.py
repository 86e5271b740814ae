"""The reference study's tables and figures: known answers, slots, what is left out and said."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ecgeval import sets
from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.plausibility.rules import apply_rules
from ecgeval.errors import DataError, UsageError
from ecgeval.generators.wavegan import WaveGANStar
from ecgeval.paper import paper, read_article, shown, template, write_paper
from ecgeval.paper.arms import Arms, find_generators, find_real, keeps_rules
from ecgeval.paper.article import _SHARES
from ecgeval.paper.measures import COLUMNS
from ecgeval.paper.normal import normal_share
from ecgeval.paper.published import published
from ecgeval.paper.setting import Setting, published_figures
from ecgeval.paper.write import _latex, _markdown
from ecgeval.pipeline.features import features
from ecgeval.results import Table, Verdict
from ecgeval.stats.intervals import wilson


def named(ecgs, name):
    return replace(ecgs, records=ecgs.records.assign(source=name))


@pytest.fixture(scope="module")
def results(sim):
    real = named(sim(40, seed=1), "hospital")
    # Half as large again in every lead, and otherwise the same kind of people.
    large = sim(40, seed=2)
    large = named(replace(large, signals=1.5 * np.asarray(large.signals)), "large")
    alike = named(sim(40, seed=3), "alike")
    return paper([real], [alike, large], quick=True, published=False)


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- the products -------------------------------------------------------------------------------


def test_amplitudes_half_as_large_again_fail_and_others_do_not(results):
    tables = {t.id: t.frame() for t in results.tables}
    large = tables["measures.hospital.large.all"].set_index("column")
    alike = tables["measures.hospital.alike.all"].set_index("column")
    assert large.loc["r_amp_V5_mv", "verdict"] == "FAIL"
    assert large.loc["r_amp_V5_mv", "cliffs_delta"] > 0.3
    ratio = large.loc["r_amp_V5_mv", "mean_synth"] / large.loc["r_amp_V5_mv", "mean_real"]
    assert ratio == pytest.approx(1.5, abs=0.3)
    assert alike.loc["r_amp_V5_mv", "verdict"] != "FAIL"
    assert large.loc["qrs_ms", "verdict"] != "FAIL"
    assert abs(alike.loc["rr_ms", "cliffs_delta"]) < 0.5


def test_every_number_has_its_interval_and_meaning(results):
    assert len({e.id for e in results.estimates}) == len(results.estimates)
    for e in results.estimates:
        assert e.id.rpartition(".")[2] in CATALOGUE
        assert e.value is None or (e.ci is not None and e.ci[0] <= e.value <= e.ci[1])
        assert e.n_real or e.n_synth
    for f in results.findings:
        assert f.code in CATALOGUE
        assert not f.gate
    assert not results.gates()


def test_the_claim_cannot_be_audited_and_the_reason_is_given(results):
    (found,) = (f for f in results.findings if f.code == "PAPER-PRIVACY")
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert "7,233" in found.explanation
    assert not any("similarity" in e.id or "copies" in e.id for e in results.estimates)


def test_dots_of_deepfakes_lie_one_millisecond_lower_and_lines_do_not(results, tmp_path):
    (figure,) = (f for f in results.figures if f.id == "qt_rr.hospital.alike")
    real, synth = figure.data["sets"]
    assert (real["shift"], synth["shift"]) == (0, -1)
    slope, intercept = np.polyfit(synth["x"], synth["y"], 1)
    assert synth["slope"] == pytest.approx(slope)
    assert synth["intercept"] == pytest.approx(intercept)
    assert synth["r2"] == pytest.approx(np.corrcoef(synth["x"], synth["y"])[0, 1] ** 2)
    written = write_paper(replace(results, figures=(figure,)), tmp_path)[
        "figure:qt_rr.hospital.alike"
    ]
    rows = pd.read_csv(written.with_suffix(".csv"))
    down = rows["drawn_y"] - rows["y"]
    assert (down[rows["set"] == "real"] == 0).all()
    assert down[rows["set"] == "synth"].to_numpy() == pytest.approx(-1)
    assert f"r² {synth['r2']:.2f}" in written.read_text()


def test_shares_agree_with_the_rules(sim):

    table = features(sim(30, seed=4)).measures
    table.loc[table.index[:5], "qrs_ms"] = 200.0  # beyond anybody's limit
    kept = keeps_rules(table)
    assert not kept[:5].any()
    words = apply_rules(table, strict=False)["normal"]
    assert (kept >= (words == "pass")).all()
    assert not kept[(words == "fail").to_numpy()].any()
    patients = np.array([f"p{i}" for i in range(30)], object)
    low, high, ci = normal_share(table, patients, strict=False)
    assert low <= high <= kept.mean()
    assert ci == (pytest.approx(wilson(low, 30)[0]), pytest.approx(wilson(high, 30)[1]))


def test_sharing_patients_widens_the_interval_of_a_share(sim):

    one = features(sim(30, seed=4)).measures
    twice = pd.concat([one, one])
    names = np.array([f"p{i}" for i in range(30)], object)
    wide = normal_share(twice, np.tile(names, 2), strict=False)[2]
    narrow = normal_share(twice, np.arange(60).astype(object), strict=False)[2]
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_the_difference_between_two_generators_is_reported(results):
    rows = next(t for t in results.tables if t.id == "normal_differences").frame()
    pairs = set(zip(rows["set"], rows["against"], strict=True))
    assert pairs == {("alike", "hospital"), ("large", "hospital"), ("large", "alike")}
    shares = next(t for t in results.tables if t.id == "normal").frame()
    assert shares["percent"].iloc[-1] == pytest.approx(81.318)
    percent = shares.set_index(["set", "limits"])["percent"]
    gap = percent["large", "alternative"] - percent["alike", "alternative"]
    found = rows.query("set == 'large' and against == 'alike' and limits == 'alternative'")
    assert abs(found["difference"].iloc[0]) >= abs(gap) - 1e-9


def test_published_figures_are_those_of_the_authors_outputs():
    study = published_figures()
    assert study["normal"] / study["generated"] == pytest.approx(0.813, abs=5e-4)
    assert study["qt_rr"]["r"] ** 2 == pytest.approx(0.394, abs=5e-4)
    (_, qt), (_, rr) = study["measures"]["qt_ms"], study["measures"]["rr_ms"]
    assert study["qt_rr"]["r"] * qt / rr == pytest.approx(study["qt_rr"]["slope"], abs=5e-4)
    assert set(study["measures"]) <= set(COLUMNS)
    assert "12SL" in study["interpreter"]
    assert study["source"]


def test_the_published_set_is_near_what_another_program_measured():
    from ecgeval import generators

    setting = Setting(Arms([], [], "ecgeval"), load_margins(), 0, True, {})
    found = published(setting, generators.published(range(48)))
    tables = {t.id: t.frame() for t in found.tables}
    assert tables["published_records"]["difference_ms"].abs().max() < 3
    rows = tables["published"].set_index("column")
    for column, most in (("rr_ms", 40), ("pr_ms", 8), ("r_amp_V5_mv", 0.2), ("r_amp_II_mv", 0.15)):
        assert abs(rows.loc[column, "difference"]) < most
        assert rows.loc[column, "ci_low"] < rows.loc[column, "difference"]
        assert rows.loc[column, "difference"] < rows.loc[column, "ci_high"]
    assert rows["n"].between(20, 48).all()
    low = rows.loc["hr_bpm"]
    assert low["mean"] - 3 * low["sd"] < 60 < low["mean"]
    (only,) = found.findings
    assert only.code == "PAPER-12SL"


def test_too_few_published_records_say_so():
    from ecgeval import generators

    setting = Setting(Arms([], [], "ecgeval"), load_margins(), 0, True, {})
    (only,) = published(setting, generators.published(range(3))).findings
    assert only.verdict is Verdict.NOT_ASSESSABLE


# ---- the sets -----------------------------------------------------------------------------------


def test_cohorts_stand_in_for_real_sets_that_cannot_be_had(monkeypatch):
    def nothing(*_, **__):
        raise DataError("no connection")

    monkeypatch.setattr(sets, "read", nothing)
    arms, notes = find_real(None)
    assert [arm.key for arm in arms] == ["ptbxl-norm", "ludb"]
    assert len(notes) == 2
    assert "reference:ptbxl-norm" in notes[0]
    with pytest.raises(DataError, match="no connection"):
        find_real(["ptbxl-norm"])  # what was named is not replaced in silence


def test_a_cohort_is_compared_and_its_want_of_waveforms_is_said(sim):
    fresh = named(sim(30, seed=5), "fresh")
    found = paper(["reference:ptbxl-norm"], [fresh], quick=True, published=False)
    (strip,) = (f for f in found.figures if f.kind == "ecg_paper")
    assert {r["set"] for r in strip.data["records"]} == {"synth"}
    assert "No waveforms of real ECGs" in strip.caption
    assert next(t for t in found.tables if t.id == "measures.ptbxl-norm.fresh.all").rows


def test_wavegan_is_left_out_with_the_reason_and_used_once_there_are_weights(monkeypatch, tmp_path):
    from ecgeval.generators import checkpoints

    load = checkpoints.load

    def without(source):
        if source == "wavegan-star":
            raise UsageError("no public weights of WaveGAN* exist")
        return load(source)

    monkeypatch.setattr(checkpoints, "load", without)
    arms, notes = find_generators(("pulse2pulse", "wavegan-star"), 2)
    assert [arm.key for arm in arms] == ["pulse2pulse"]
    assert "WaveGAN* is left out" in notes[0]

    torch.manual_seed(0)
    file = tmp_path / "epoch-00010.pt"
    torch.save(WaveGANStar(10).state_dict(), file)
    monkeypatch.setattr(
        checkpoints, "load", lambda s: load(str(file) if s == "wavegan-star" else s)
    )
    arms, notes = find_generators(("wavegan-star", str(file)), 2)
    assert [arm.title for arm in arms] == ["WaveGAN*", "WaveGAN* (epoch-00010) 2"]
    assert len({arm.key for arm in arms}) == 2
    assert not notes


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        find_generators([str(tmp_path / "none.pt")], 2)


def test_patients_must_be_known(sim):
    real = sim(30, seed=1)
    unknown = replace(real, records=pd.DataFrame({"source": "x"}, index=real.ids))
    fresh = named(sim(30, seed=2), "fresh")
    with pytest.raises(UsageError, match="patient"):
        paper([unknown], [fresh], quick=True, published=False)


# ---- the article --------------------------------------------------------------------------------


def test_an_empty_template_fills_nothing(tmp_path):
    file = tmp_path / "article.toml"
    file.write_text(template(COLUMNS), encoding="utf-8")
    assert read_article(file, COLUMNS) == {}
    assert read_article(tmp_path / "absent.toml", COLUMNS) == {}
    digits = re.sub(r"#.*", "", template(COLUMNS))
    assert not re.search(r"= *\d", digits)  # no figure from memory


def test_filled_slots_stand_in_the_tables(sim, tmp_path):
    text = template(COLUMNS)
    text = text.replace('qrs_ms = { mean = "", sd = "" }', "qrs_ms = { mean = 12.5, sd = 3 }")
    text = text.replace('n_real = ""', "n_real = 17").replace('where = ""', 'where = "Table Q"')
    text = text.replace('wavegan-star = ""', "wavegan-star = 11.5")
    file = tmp_path / "article.toml"
    file.write_text(text, encoding="utf-8")
    fresh, real = named(sim(30, seed=2), "fresh"), named(sim(30, seed=1), "real")
    found = paper([real], [fresh], quick=True, published=False, article=file)
    table = next(t for t in found.tables if t.id == "measures.real.fresh.all")
    rows = table.frame().set_index("column")
    assert rows.loc["qrs_ms", "article_real_mean"] == 12.5
    assert "Table Q" in table.caption
    assert "12.5 ± 3.0" in set(shown(table)["Real, article"])
    shares = next(t for t in found.tables if t.id == "normal").frame()
    assert shares.set_index("set").loc["wavegan-star (article)", "percent"] == 11.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[real]\nqqq_ms = { mean = 1, sd = 1 }", "no slot 'qqq_ms'"),
        ("[real]\nqrs_ms = { mean = '92', sd = 1 }", "real.qrs_ms.mean is '92'"),
        ("[real]\nqrs_ms = { median = 1 }", "no slot 'median'"),
        ("[real]\nqrs_ms = 92", "expected a table"),
        ("n_real = true", "n_real is True"),
        ("[normal_percent]\npulse2pulse = nan", "is nan"),
        ("[qt_rr", "cannot read"),
    ],
)
def test_a_wrong_slot_is_named(tmp_path, text, told):
    file = tmp_path / "article.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(told)):
        read_article(file, COLUMNS)


def test_every_generator_of_the_study_has_a_slot():
    from ecgeval.generators import GENERATORS

    assert set(_SHARES) == set(GENERATORS)


# ---- the files ----------------------------------------------------------------------------------


def test_the_same_results_are_the_same_bytes_and_every_link_leads_somewhere(results, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    drawn = [f for f in results.figures if f.kind == "scatter" or f.id == "normal"]
    results = replace(results, figures=tuple(drawn))
    write_paper(results, one)
    write_paper(results, two)
    (one / "article.toml").write_text("# mine\n", encoding="utf-8")
    (one / "figures" / "stale.svg").write_text("x", encoding="utf-8")
    write_paper(results, one)
    assert (one / "article.toml").read_text(encoding="utf-8") == "# mine\n"
    (two / "article.toml").write_text("# mine\n", encoding="utf-8")
    assert files_of(one) == files_of(two)
    index = (one / "index.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", index)
    assert len(links) > 20
    for link in links:
        assert (one / link).is_file(), link
    for figure in results.figures:
        assert (one / "figures" / f"{figure.id}.pdf").read_bytes().startswith(b"%PDF")


def test_a_run_repeated_is_the_same(sim):
    given = [named(sim(25, seed=1), "real")], [named(sim(25, seed=2), "fresh")]
    text = paper(*given, quick=True, published=False).to_json()
    assert paper(*given, quick=True, published=False).to_json() == text
    assert paper(*given, quick=True, published=False, seed=1).to_json() != text


def test_strings_reach_tables_as_text():
    hostile = "a|b & 50% $x_1$ \\input{/etc/passwd} [l](u) <b>"
    table = Table("privacy", hostile, ("who",), ((hostile,),), hostile)
    tex, md = _latex(table), _markdown(table)
    assert r"\input" not in tex
    assert r"\textbackslash{}input\{" in tex
    assert re.search(r"50\\% \\\$x\\_1\\\$", tex)
    for escaped in ("\\|b", "\\<b\\>", "\\[l\\]"):
        assert escaped in md
    assert len(md.strip().split("\n")[-1].replace("\\|", "").split("|")) == 3


def test_numbers_in_print(results):
    table = next(t for t in results.tables if t.id == "measures.hospital.alike.all")
    text = shown(table)
    row = text[text["Measure"] == "QRS, ms"].iloc[0]
    assert re.fullmatch(r"\d+\.\d ± \d+\.\d", row["Real, mean ± SD"])
    assert re.fullmatch(r"−?\d\.\d\d \(−?\d\.\d\d to −?\d\.\d\d\)", row["Cliff's δ (95 % CI)"])
    assert "nan" not in text.to_string().lower()
    assert all(math.isfinite(v) for v in table.frame()["mean_real"])


# ---- the command --------------------------------------------------------------------------------


def test_the_command(cli, tmp_path):
    out = tmp_path / "out"
    code, printed, _ = cli(
        "paper",
        "--out",
        out,
        "--real",
        "reference:ptbxl-norm",
        "--generator",
        "pulse2pulse",
        "-n",
        24,
        "--quick",
        "--no-cache",
    )
    assert code == 0
    assert "PAPER-PRIVACY" in printed
    assert (out / "index.md").is_file()
    (out / "article.toml").write_text("[real]\nqqq = 1\n", encoding="utf-8")
    code, _, told = cli("paper", "--out", out, "--real", "reference:ptbxl-norm", "-n", 24)
    assert code == 2
    assert "no slot 'qqq'" in told
    code, _, told = cli("paper", "--out", tmp_path / "o", "--real", tmp_path / "nothing")
    assert code in (2, 3)
    assert str(tmp_path / "nothing") in told
