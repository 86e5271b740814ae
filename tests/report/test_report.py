"""The files of a run: all there, the same twice, escaped, small, and honest in their words."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.errors import UsageError
from ecgeval.measures import MEASURES
from ecgeval.report import explain, write_report
from ecgeval.report.digest import deciding_number, next_steps, pictures
from ecgeval.report.explain import explained, statistic
from ecgeval.report.figures import KINDS, Cell, Drawing
from ecgeval.report.html import LIMIT_BYTES
from ecgeval.report.junit import junit
from ecgeval.report.pdf import render_summary
from ecgeval.report.sheets import cell
from ecgeval.report.view import view
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict

HOSTILE = (
    '</script><script>alert(1)</script>"\'&{{7*7}}$x$ #eval("1") \u202e\x07 漢字 😀 שלום مرحبا '
    "*_`<b>@ref " + "x" * 300
)


@pytest.fixture(scope="module")
def written(example, tmp_path_factory):
    out = tmp_path_factory.mktemp("written")
    measures = {"real": pd.DataFrame({"qrs_ms": [90.0]}, pd.Index(["a"], name="record_id"))}
    return out, write_report(example, out, measures=measures)


@pytest.fixture(scope="module")
def hostile(make, tmp_path_factory):
    return write_report(make(records=1, prefix=HOSTILE), tmp_path_factory.mktemp("hostile"))


def text_of(pdf) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    done = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True)
    return done.stdout.decode().replace("\u200b", "")  # where a long word may break


# ---- files -----------------------------------------------------------------------------------


def test_every_file_is_there_and_nothing_else(written, example) -> None:
    out, paths = written
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    wanted = {
        "results.json",
        "estimates.csv",
        "findings.csv",
        "junit.xml",
        "card.md",
        "index.html",
        "report.pdf",
        "summary.pdf",
        "measures_real.csv",
    }
    wanted |= {f"tables/{t.id}.csv" for t in example.tables}
    for f in example.figures:
        kinds = ("csv",) if f.kind == "a_kind_of_tomorrow" else ("csv", "svg", "pdf")
        wanted |= {f"figures/{f.id}.{kind}" for kind in kinds}
    assert files == wanted
    assert {p.relative_to(out).as_posix() for p in paths.values()} <= wanted
    assert len(pd.read_csv(paths["estimates"])) == len(example.estimates)
    assert len(pd.read_csv(paths["findings"])) == len(example.findings)


def test_written_again_from_results_json_every_byte_is_the_same(written, tmp_path) -> None:
    out, paths = written
    write_report(Results.load(paths["results"]), tmp_path)
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (out / path.relative_to(tmp_path)).read_bytes(), path.name


def test_formats(make, tmp_path) -> None:
    paths = write_report(Results(), tmp_path, formats=["html"])
    assert "pdf" not in paths
    assert not (tmp_path / "report.pdf").exists()
    with pytest.raises(UsageError, match="docx"):
        write_report(Results(), tmp_path, formats=["docx"])


def test_nothing_tested_is_a_report_and_no_pass(tmp_path) -> None:
    page = write_report(Results(), tmp_path)["html"].read_text()
    assert "NOT ASSESSABLE" in page
    assert "Nothing was tested" in page


def test_names_stay_in_the_folder(tmp_path) -> None:
    results = Results(
        tables=(Table("../../up", "t", ("a",), ((1,),)),), figures=(Figure("../f", "roc", "t", {}),)
    )
    out = tmp_path / "out"
    paths = write_report(results, out, formats=[], measures={"../m": pd.DataFrame({"a": [1]})})
    assert all(out in p.resolve().parents for p in paths.values())
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_csv_of_a_table_and_of_a_figure(written, example) -> None:
    out, _ = written
    table = pd.read_csv(out / "tables/fidelity.summary.csv")
    pd.testing.assert_frame_equal(table, example.tables[0].frame(), check_dtype=False)
    m = example.figures[0].data["measures"][0]
    figure = pd.read_csv(out / "figures/fidelity.distributions.csv")
    first = figure[figure["measure"] == m["name"]]
    assert first["real"].tolist() == m["real"]
    assert first["low"].to_numpy() == pytest.approx(m["edges"][:-1])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+2", "'+1+2"),
        ("-2+3", "'-2+3"),
        ("@a", "'@a"),
        ("\t=1", "'\t=1"),
        ("-", "'-"),
        ("-1.5", "-1.5"),
        ("+4e-3", "+4e-3"),
        ("a=b", "a=b"),
        ("−2", "−2"),
        ("", ""),
        (-1.5, -1.5),
        (-3, -3),
        (None, None),
        (True, True),
    ],
)
def test_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_are_not(value, shown) -> None:
    assert cell(value) == shown


def test_no_csv_file_holds_a_formula(tmp_path) -> None:
    evil = "=cmd|' /C calc'!A0"
    results = Results(
        sections=(Section("a", "A"),),
        estimates=(Estimate("a.b.ks", -0.5, label=evil, n_real=3),),
        findings=(Finding("A-B", Verdict.PASS, evil, section="a"),),
        tables=(Table("a.t", "T", ("x", "n", evil), ((evil, -1, 2), ("-7", None, -2.5)), "", "a"),),
        figures=(Figure("a.f", "of_tomorrow", "F", {"x": evil}, "", "a"),),
    )
    frame = pd.DataFrame({"qt_ms": [-1.0]}, pd.Index([evil], name="record_id"))
    paths = write_report(results, tmp_path, formats=["html"], measures={"real": frame})
    files = sorted(tmp_path.rglob("*.csv"))
    assert len(files) == 5
    for path in files:
        rows = list(csv.reader(path.read_text().splitlines()))
        cells = [c for row in rows for c in row]
        assert f"'{evil}" in cells, path
        assert evil not in cells, path
    table = (tmp_path / "tables/a.t.csv").read_text().splitlines()
    assert table[1:] == [f"'{evil},-1.0,2.0", "-7,,-2.5"]
    page = paths["html"].read_text()
    assert f"'{evil.partition(' ')[0]}" in unquote(html.unescape(page))
    assert f"\n{evil.partition(' ')[0]}" not in unquote(html.unescape(page))


# ---- HTML ------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects tags with attributes, and text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text, self.inside = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag) -> None:
        self.inside = ""

    def handle_data(self, data) -> None:
        if self.inside not in ("script", "style", "title"):
            self.text.append(data)


def test_html_is_one_file_that_asks_for_nothing(written) -> None:
    page = written[1]["html"].read_text()
    assert len(page.encode()) < LIMIT_BYTES
    for tag, attrs in Reader(page).tags:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            target = attrs.get(name) or "#"
            assert target.startswith(("#", "data:")), (tag, target)
    assert not re.search(r"@import|url\((?!#)", page)
    policy = dict(Reader(page).tags[3][1])["content"]
    assert policy.startswith("default-src 'none'")
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_html_escapes_what_it_is_given(hostile) -> None:
    page = hostile["html"].read_text()
    reader = Reader(page)
    scripts = [attrs for tag, attrs in reader.tags if tag == "script"]
    assert [s.get("type") for s in scripts] == ["application/json"] * 2 + [None]
    assert not [a for _, attrs in reader.tags for a in attrs if a.startswith("on")]
    shown = "".join(reader.text)
    assert "</script><script>alert(1)</script>" in shown
    assert "{{7*7}}" in shown
    assert "\u202e" not in page
    assert "\x07" not in page


def test_figures_escape_what_they_are_given(hostile) -> None:
    drawn = [p for key, p in hostile.items() if key.startswith("figure:") and p.suffix == ".svg"]
    assert len(drawn) == len(KINDS)
    for path in drawn:
        root = ET.parse(path).getroot()
        tags = {e.tag.rpartition("}")[2] for e in root.iter()}
        assert tags <= {"svg", "g", "path", "defs", "use", "text", "tspan", "clipPath", "rect"}
        assert not any(name.startswith("on") for e in root.iter() for name in e.attrib)
        assert "\u202e" not in path.read_text()


def test_first_screen_says_what_was_decided_and_why(written, example) -> None:
    shown = "".join(Reader(written[1]["html"].read_text()).text)
    order = [
        example.manifest["notice"],
        example.manifest["title"],
        "FAIL",
        "20 of 400 records are copies",
        "Fidelity",
        "Privacy",
        "What was compared",
        "238",
    ]
    places = [shown.index(text) for text in order]
    assert places == sorted(places)


def test_every_finding_estimate_and_table_is_in_the_page(written, example) -> None:
    shown = "".join(Reader(written[1]["html"].read_text()).text)
    for f in example.findings:
        assert f.title in shown
        assert f.rule in shown
    for t in example.tables:
        assert t.title in shown
    assert "a_kind_of_tomorrow" not in shown
    assert "nested.y" in shown  # the unknown kind, as a table
    assert shown.count("difference of medians") >= 12


def test_viewer_data_are_the_samples(written, example) -> None:
    page = written[1]["html"].read_text()
    body = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
    shown = json.loads(body)["records"]
    given = next(f for f in example.figures if f.kind == "ecg_paper").data["records"]
    for a, b in zip(shown, given, strict=True):
        values = np.frombuffer(base64.b64decode(a["uv"]), "<i2").reshape(len(a["leads"]), -1)
        assert {k: v.tolist() for k, v in zip(a["leads"], values, strict=True)} == b["uv"]


def test_many_records_and_rows_still_fit(make, tmp_path) -> None:
    """24 noisy records, 4,000 estimates, 20,000 table rows and points: still under 3 MB."""
    rng = np.random.default_rng(0)
    leads = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
    records = [
        {
            "id": f"r{k}",
            "set": ("real", "synth")[k % 2],
            "uv": {lead: rng.integers(-2000, 2000, 5000).tolist() for lead in leads},
        }
        for k in range(24)
    ]
    cloud = rng.normal(800, 100, (2, 20_000)).round(3).tolist()
    results = Results(
        sections=(Section("a", "A"),),
        estimates=tuple(
            Estimate(f"a.m{k}.ks", 0.1, (0.0, 0.2), 0.5, (0.0, 0.1), 9, 9, label="a measure " * 3)
            for k in range(4000)
        ),
        tables=(
            Table("a.t", "T", ("x", "y"), tuple((k, "v" * 20) for k in range(20_000)), "", "a"),
        ),
        figures=(
            Figure("a.f", "ecg_paper", "F", {"fs": 500, "records": records}, "", "a"),
            Figure(
                "a.p",
                "scatter",
                "P",
                {
                    "sets": [
                        {"name": name, "x": cloud[0], "y": cloud[1], "n": 20_000}
                        for name in ("real", "synth")
                    ]
                },
                "",
                "a",
            ),
        ),
    )
    paths = write_report(results, tmp_path, formats=["html"])
    page = paths["html"].read_text()
    assert len(page.encode()) < LIMIT_BYTES
    assert "of 24 records are in this page" in page
    assert "First 20 of 20000 rows" in page
    assert len(pd.read_csv(tmp_path / "tables/a.t.csv")) == 20_000
    assert len(pd.read_csv(tmp_path / "figures/a.p.csv")) == 40_000
    assert "n 20,000, 2,000 drawn" in page


# ---- PDF -------------------------------------------------------------------------------------


def test_pdf_is_archivable_and_holds_the_verdict(written) -> None:
    path = written[1]["pdf"]
    body = path.read_bytes()
    assert b"pdfaid:part>2<" in body
    assert b"pdfuaid:part>1<" in body
    text = text_of(path)
    for words in (
        "20 of 400 records are copies",
        "NOT ASSESSABLE",
        "ptbxl-norm",
        "Sign-off",
        "page 1 of",
    ):
        assert words in text


def test_pdf_does_not_run_what_it_is_given(hostile) -> None:
    for form in ("pdf", "summary"):
        text = text_of(hostile[form])
        assert "{{7*7}}" in text
    assert '#eval("1")' in text_of(hostile["pdf"])


def test_pdf_shows_the_first_rows_and_names_the_file_that_has_all(written) -> None:
    text = re.sub(r"\s+", " ", text_of(written[1]["pdf"]))
    assert "First 12 of 40 rows; full table in tables/quality.records.csv." in text
    assert "2 of 4 sheets; all in figures/fidelity.ecg.pdf." in text


def test_paper_leaves_out_long_words_of_wide_tables_only() -> None:
    from ecgeval.report.pdf import _table

    def shown(columns):
        row = ["key", *["1"] * (columns - 2), "w" * 50]
        return _table(
            {
                "title": "",
                "caption": "",
                "slug": "t",
                "rows": [row] * 15,
                "columns": [f"c{k}" for k in range(columns)],
                "numeric": [False, *[True] * (columns - 2), False],
            }
        )

    assert shown(8)["columns"][-1] == "c7"
    assert shown(8)["more"] == ""
    wide = shown(9)
    assert wide["columns"] == [f"c{k}" for k in range(8)]
    assert len(wide["rows"][0]) == len(wide["numeric"]) == 8
    assert wide["more"] == "Without the column c8; full table in tables/t.csv."


# ---- two pages -------------------------------------------------------------------------------


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type */Page\b", pdf))


def test_summary_decides_on_two_pages_and_is_archivable(written, example) -> None:
    paths = written[1]
    assert pages_of(paths["summary"].read_bytes()) == 2
    assert b"pdfaid:part>2<" in paths["summary"].read_bytes()
    text = re.sub(r"\s+", " ", text_of(paths["summary"]))
    digest = hashlib.sha256(paths["results"].read_bytes()).hexdigest()
    for words in (
        "FAIL",
        "20 of 400 records are copies",
        "What decided",
        "FID-EQUIV",
        "238",
        "400",
        "NOT_FINITE",
        "2 FLAT",
        "Do not release",
        "Sign-off",
        "signature",
        digest,
        "page 1 of 2",
        "Stand-in patients",
    ):
        assert words in text, words
    for code in ("FID-KS", "PRIV-NOT-TESTED"):  # they decide nothing
        assert code not in text


LONG = HOSTILE + "word " * 150 + "y" * 4000


@pytest.mark.parametrize("gates", [0, 40])
def test_summary_has_two_pages_whatever_the_strings(hostile, gates) -> None:
    assert pages_of(hostile["summary"].read_bytes()) <= 2
    s = {"source": LONG, "n": 10**9, "patients": None, "leads": [LONG], "rejected": {LONG: 3}}
    results = Results(
        {"title": LONG, "notice": LONG, "sets": {f"{LONG}{k}": s for k in range(9)}, "seed": LONG},
        tuple(Section(f"privacy{k}", LONG, LONG) for k in range(12)),
        findings=tuple(
            Finding(f"{k}-{LONG}", Verdict.FAIL, LONG, LONG, (), LONG, f"privacy{k % 12}")
            for k in range(gates)
        ),
    )
    assert 1 <= pages_of(render_summary(view(results, "0" * 64), [], [], {})) <= 2


def test_strings_of_5000_letters_in_both_forms(tmp_path) -> None:
    results = Results(
        {"title": LONG, "sets": {"real": {"source": LONG, "n": 1}}},
        (Section("a", LONG),),
        (Estimate(f"a.{LONG}.ks", 0.5, label=LONG),),
        (Finding(LONG, Verdict.FAIL, LONG, LONG, (f"a.{LONG}.ks",), LONG, "a"),),
        (Table("a.t", LONG, (LONG, "n"), ((LONG, 1),), LONG, "a"),),
        (
            Figure(
                "a.f",
                "roc",
                LONG,
                {"curves": [{"name": LONG, "fpr": [0, 1], "tpr": [0, 1]}]},
                LONG,
                "a",
            ),
        ),
    )
    paths = write_report(results, tmp_path)
    assert LONG[-4000:] in "".join(Reader(paths["html"].read_text()).text)
    assert "y" * 60 in text_of(paths["pdf"])
    assert "{{7*7}}" in text_of(paths["summary"])


def test_only_an_audit_is_signed(tmp_path) -> None:
    results = Results(sections=(Section("fidelity", "F"),))
    assert "Sign-off" not in text_of(write_report(results, tmp_path, formats=["pdf"])["summary"])


def test_summary_says_that_a_demonstration_does_not_count(tmp_path) -> None:
    sections = (Section("a", "A"), Section("planted", "Planted", gate=False))
    findings = (gate("A-B", "a", Verdict.PASS), gate("P-Q", "planted", Verdict.FAIL))
    results = Results({}, sections, findings=findings)
    text = re.sub(r"\s+", " ", text_of(write_report(results, tmp_path)["summary"]))
    assert "Planted ✕ FAIL does not count" in text
    assert "P-Q" not in text


def test_pictures_are_of_what_decided_and_never_a_pair(example) -> None:
    drawings = {f.id: Drawing((Cell("", 1, 1),) * 20, 1) for f in example.figures}
    small, sheets = pictures(example, drawings)
    assert [p.figure.kind for p in small] == ["distributions", "neighbours", "null"]
    labels = [m["label"] for m in small[0].figure.data["measures"]]
    assert labels[small[0].cell] == "QRS"  # the deciding measure, not the first
    assert [(p.figure.kind, p.cell) for p in sheets] == [("ecg_paper", 0), ("ecg_paper", 1)]
    pairs = [f for f in example.figures if f.kind == "pairs"]
    assert pictures(replace(example, figures=tuple(pairs)), drawings) == ([], [])


def test_what_to_do_next_fits_the_verdict() -> None:
    def steps(*findings, slug="fidelity"):
        return next_steps(Results(sections=(Section(slug, "S"),), findings=findings))

    worst, open_ = gate("FID-EQUIV", "fidelity", Verdict.FAIL), gate("FID-MISSING", "fidelity")
    assert [codes for codes, _ in steps(open_, worst)] == ["FID-EQUIV", "FID-MISSING"]
    alike = steps(open_, gate("JOINT-X", "fidelity"))
    assert [codes for codes, _ in alike] == ["FID-MISSING, JOINT-X"]
    assert "Nothing that decides has failed" in steps(gate("A-B", "fidelity", Verdict.PASS))[0][1]
    leak = steps(gate("PRIV-COPIES", "privacy", Verdict.FAIL), slug="privacy")
    assert leak[0][1].startswith("Do not release.")
    blind = replace(gate("PRIV-EXCHANGE", "privacy", Verdict.NOT_ASSESSABLE), title="no holdout")
    assert "holdout" in steps(blind, slug="privacy")[0][1]
    assert steps(replace(worst, gate=False)) == []


def test_a_verdict_without_a_number_gets_one() -> None:
    bound = replace(gate("PRIV-COPIES", "privacy", Verdict.PASS), title="at most 1.3% are copies")
    other = replace(gate("PRIV-MIA", "privacy"), title="p = 0.8")
    scope = replace(gate("PRIV-SCOPE", "privacy"), title="no copying (and so on) was found")
    section = (Section("privacy", "P"),)
    assert deciding_number(Results({}, section, (), (scope, other, bound))) == bound.title
    assert deciding_number(Results({}, section, (), (other, bound))) == ""


# ---- JUnit -----------------------------------------------------------------------------------


def test_junit_fails_gates_and_skips_the_rest(example) -> None:
    suite = ET.fromstring(junit(example))
    outcome = {c.get("name").split(":")[0]: [e.tag for e in c] for c in suite}
    assert outcome == {
        "FID-EQUIV": ["skipped"],
        "FID-KS": ["skipped"],
        "FID-MISSING": [],
        "DATA-QUALITY": [],
        "PRIV-COPIES": ["failure"],
        "PRIV-NOT-TESTED": ["skipped"],
    }
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "1", "3")


def test_junit_of_a_section_that_does_not_count_never_fails() -> None:
    finding = Finding("PRIV-COPIES", Verdict.FAIL, "planted", section="planted")
    results = Results(sections=(Section("planted", "P", gate=False),), findings=(finding,))
    assert ET.fromstring(junit(results)).get("failures") == "0"
    counted = replace(results, sections=(Section("planted", "P"),))
    assert ET.fromstring(junit(counted)).get("failures") == "1"


def test_junit_is_xml_whatever_the_strings(make) -> None:
    suite = ET.fromstring(junit(make(records=1, prefix=HOSTILE)))
    assert any("</script>" in c.get("name") for c in suite)


# ---- words -----------------------------------------------------------------------------------


def test_the_report_never_clears_a_release(written) -> None:
    text = "".join(Reader(written[1]["html"].read_text()).text).lower()
    text += " ".join(str(explained(name)) for name in CATALOGUE).lower()
    assert not re.search(r"\b(anonymous|anonymi[sz]ed|private|safe)\b", text)


def test_view_shows_results_of_sections_nobody_declared() -> None:
    results = Results(
        sections=(Section("a", "A"),),
        estimates=(Estimate("b.x.ks", 0.5),),
        findings=(Finding("X-Y", Verdict.FAIL, "t", section="c"),),
    )
    sections = {s["slug"]: s for s in view(results, "")["sections"]}
    assert len(sections["further"]["estimates"]) == 1
    assert len(sections["further"]["findings"]) == 1
    assert not sections["further"]["findings"][0]["gate"]


def test_an_estimate_is_never_alone() -> None:
    e = Estimate(
        "fidelity.qrs_ms.median_diff",
        2.13,
        (0.9, 3.4),
        0.01,
        (-1.1, 1.1),
        238,
        400,
        "ms",
        "near_null",
        "bootstrap",
        0,
        "QRS",
        0.0,
        0.9,
        0.04,
        230,
        None,
    )
    section = Section("fidelity", "F")
    shown = view(Results(sections=(section,), estimates=(e,)), "")["sections"][0]["estimates"][0]
    assert shown | {"definition": "", "bar": None, "sort": None} == {
        "id": "fidelity.qrs_ms.median_diff",
        "label": "QRS",
        "statistic": "difference of medians",
        "code": "median_diff",
        "definition": "",
        "value": "2.1",
        "ci": "0.9 to 3.4",
        "level": "90 %",
        "floor": "−1.1 to 1.1",
        "p": "0.010 (0.040)",
        "n": "238 / 400",
        "patients": "230 / –",
        "unit": "ms",
        "direction": "near 0",
        "method": "bootstrap",
        "bar": None,
        "sort": None,
    }
    bar = shown["bar"]
    ends = {k: -1.1 + (v - 4) / 92 * 4.5 for k, v in bar.items()}
    assert ends == pytest.approx(
        {"value": 2.13, "low": 0.9, "high": 3.4, "floor_low": -1.1, "floor_high": 1.1, "null": 0},
        abs=0.01,
    )


def test_every_code_is_explained_with_its_source() -> None:
    for name in (
        "ks",
        "cliffs_delta",
        "hedges_g",
        "wasserstein",
        "log_sd_ratio",
        "median_diff",
        "missing_diff",
        "c2st_auc",
        "exchange_auc",
        "topq",
        "copies_upper",
    ):
        e = explained(name)
        assert e.definition
        assert e.source
        assert e.limits
    for name in MEASURES:
        assert explain(name).definition
    assert explain("qrs_ms").definition.startswith("QRS (ms): ")
    assert explain("r_amp_V5_mv").title == "R amplitude V5"
    assert explain("fid-equiv").code == "FID-EQUIV"


@pytest.mark.parametrize(
    ("id", "code"),
    [
        ("fidelity.qrs_ms.cliffs_delta", "cliffs_delta"),
        ("fidelity.c2st.logistic_auc", "c2st_auc"),
        ("privacy.exchange.auc", "exchange_auc"),
        ("privacy.exchange.topq20", "topq"),
        ("privacy.copies.patients_upper", "copies_upper"),
        ("privacy.recall.d2.shift", "recall"),
    ],
)
def test_estimate_ids_find_their_statistic(id, code) -> None:
    assert statistic(id).code == code


def test_statistic_of_an_unknown_id_is_none() -> None:
    assert statistic("a.b.c") is None


def test_explain_of_an_estimate_names_both() -> None:
    e = explain("fidelity.qt_ms.ks")
    assert e.title == "Kolmogorov-Smirnov D of QT"
    assert "global T offset" in e.definition


def test_explain_of_something_unknown_offers_at_most_eight_names() -> None:
    with pytest.raises(UsageError, match="did you mean FID-EQUIV"):
        explain("FID-EQIV")
    with pytest.raises(UsageError) as error:
        explain("amplitude")
    assert str(error.value).count("_amp_") == 8
    with pytest.raises(UsageError, match="of 'xyzzy'; `ecgeval explain list` prints all names"):
        explain("xyzzy")


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("QT", "qt_ms"),
        ("qt", "qt_ms"),
        ("S amplitude V2", "s_amp_V2_mv"),
        ("s AMPLITUDE v2", "s_amp_V2_mv"),
        ("S_AMP_V2_MV", "s_amp_V2_mv"),
        ("PR", "pr_ms"),
        ("heart rate", "hr_bpm"),
        ("logistic_auc", "c2st_auc"),
        ("nearest_auc", "c2st_auc"),
        ("boosting_auc", "c2st_auc"),
        ("boosting_shuffled", "c2st_shuffled"),
        ("Cliff's δ", "cliffs_delta"),
        ("copies count", "copies_count"),
    ],
)
def test_explain_takes_names_as_the_report_prints_them(word, code) -> None:
    assert explain(word).code == code


def test_explain_list_names_everything_once() -> None:
    text = str(explain("list"))
    for name in (*CATALOGUE, *MEASURES):
        assert re.search(rf"(^|[ ,]){re.escape(name)}(,|$)", text, re.MULTILINE), name


def gate(code, section, verdict=Verdict.INCONCLUSIVE) -> Finding:
    return Finding(code, verdict, "t", section=section)


def test_the_line_under_the_verdict_fits_what_was_run() -> None:
    fidelity, privacy = Section("fidelity", "F"), Section("privacy", "P")
    apart, leak = gate("FID-EQUIV", "fidelity"), gate("PRIV-EXCHANGE", "privacy")

    def shown(sections, findings, **manifest):
        return view(Results(manifest, sections, findings=findings), "")

    audit = shown((privacy,), (leak,))
    assert audit["title"] == "Privacy audit of synthetic ECGs"
    assert "margin" not in audit["meaning"]
    assert "can exclude none" in audit["meaning"]
    assert audit["intervals"] == ""
    assert shown((privacy,), (leak,), title="Mine")["title"] == "Mine"
    alone = shown((fidelity,), (apart,))
    assert alone["title"] == "Synthetic ECGs against real ECGs"
    assert alone["meaning"] == "At least one interval crosses its margin: the data do not decide."
    assert "90 % interval" in alone["intervals"]
    passed = gate("FID-EQUIV", "fidelity", Verdict.PASS)
    assert "margin:" not in shown((fidelity, privacy), (passed, leak))["meaning"]
    both = shown((fidelity, privacy), (apart, leak))["meaning"]
    assert "crosses its margin" in both
    assert "can exclude none" in both


def test_the_smallest_p_that_draws_can_give_is_a_limit() -> None:
    def shown(p, method, adjusted=None):
        e = Estimate("a.b.ks", 0.5, p=p, p_adjusted=adjusted, method=method)
        section = Section("a", "A")
        return view(Results(sections=(section,), estimates=(e,)), "")["sections"][0]["estimates"][
            0
        ]["p"]

    assert shown(1e-4, "sup |F - G|; p 9,999 permutations of patients") == "≤ 0.0001"
    assert shown(1 / 501, "p 500 bootstrap draws of patients", 0.2) == "≤ 0.002 (0.200)"
    assert shown(2e-4, "p 9,999 permutations of patients") == "0.0002"
    assert shown(1e-4, "p asymptotic") == "0.0001"


def test_halves_of_the_real_set_are_shown_as_parts_of_it() -> None:
    one = {"source": "ptbxl", "n": 10}
    sets = {
        "real": one,
        "train": {**one, "n": 5},
        "holdout": {"source": "other", "n": 5},
        "synth": {**one, "source": "pulse2pulse"},
    }
    shown = {s["role"]: s["name"] for s in view(Results({"sets": sets}), "")["sets"]}
    assert shown == {
        "real": "ptbxl",
        "train": "part of real: ptbxl",
        "holdout": "other",
        "synth": "pulse2pulse",
    }


def test_long_enumerations_become_a_list_and_what_decides_comes_first() -> None:
    text = "2 FAIL. " + "; ".join(f"m{k} differs (CI -1 to 2; margin 3)" for k in range(5))
    findings = (
        Finding("A-PASS", Verdict.PASS, "fine", section="a"),
        Finding(
            "A-NOTE", Verdict.FAIL, "x-1 stays, -2.5 is a number", text, section="a", gate=False
        ),
        Finding("A-FAIL", Verdict.FAIL, "heart rate is -3 bpm off", "One; two", section="a"),
    )
    shown = view(Results(sections=(Section("a", "A: b"),), findings=findings), "")["sections"][0]
    assert shown["short"] == "A"
    assert [f["code"] for f in shown["findings"]] == ["A-FAIL", "A-PASS", "A-NOTE"]
    first, _, last = shown["findings"]
    assert first["title"] == "Heart rate is −3 bpm off"
    assert (first["explanation"], first["points"]) == ("One; two", [])
    assert last["title"] == "x-1 stays, −2.5 is a number"
    assert last["explanation"] == "2 FAIL."
    assert last["points"][4] == "m4 differs (CI −1 to 2; margin 3)"
    assert len(last["points"]) == 5


def test_a_card_says_what_is_supported_and_what_never_is(example) -> None:
    from ecgeval.report.card import card

    text = card(example, "0" * 64)
    gates = {s.slug for s in example.sections if s.gate}
    for f in example.findings:
        counted = f.gate and f.section in gates
        assert (f"(`{f.code}`)" in text) == counted or f.code in {"PRIV-COPIES"}
        assert not f.rule or f.rule not in text
    assert text.index("### Contradicted") < text.index("### Not supported, whatever the numbers")
    assert "linked to nobody" in text
    for word in ("anonymous", "safe "):
        assert word not in text.lower()


def test_a_card_is_under_a_page_however_much_failed(hostile) -> None:
    from ecgeval.report.card import card

    long = (
        "The median is 3 ms off (90 % CI 1 to 5 ms; margin ±2 ms, as declared before): "
        + "x " * 400
    )
    results = Results(
        sections=(Section("a", "A"),),
        findings=tuple(gate(f"A-{k}", "a", v) for v in Verdict for k in range(20)),
    )
    results = replace(results, findings=tuple(replace(f, title=long) for f in results.findings))
    text = card(results, "0" * 64)
    assert len(text) < 6000
    assert text.count("\n") < 60
    assert "- and 14 more in findings.csv" in text
    assert "The median is 3 ms off: x" in text
    assert len(hostile["card"].read_text()) < 4000


def test_a_card_is_plain_markdown(hostile) -> None:
    text = hostile["card"].read_text()
    assert not re.search(r"(?<!\\)<script", text)


def test_a_finding_that_decides_nothing_is_not_labelled_as_if_it_did() -> None:
    apart = Finding("FID-C2ST", Verdict.FAIL, "told apart", section="s", gate=False)
    results = Results(
        sections=(Section("s", "S"),),
        findings=(apart, Finding("FID-EQUIV", Verdict.FAIL, "no", section="s")),
    )
    shown = {f["code"]: f["verdict"] for f in view(results, "")["sections"][0]["findings"]}
    assert shown["FID-EQUIV"]["word"] == "FAIL"
    assert shown["FID-C2ST"] == {"word": "differs", "symbol": "•", "class": "not-assessable"}
    assert "words say what was seen" in view(results, "")["reading"]
    assert 'message="differs: told apart' in junit(results)


def test_a_long_label_is_shortened_in_the_table_and_whole_in_its_csv(tmp_path) -> None:
    name = "left anterior fascicular block with incomplete right bundle branch block"
    prose = "a conclusion of more than forty characters stays as it is"
    table = Table("s.t", "T", ("group", "conclusion"), ((name, prose),), section="s")
    results = Results(sections=(Section("s", "S"),), tables=(table,))
    ((shown, kept),) = view(results, "")["sections"][0]["tables"][0]["rows"]
    assert len(shown) <= 40
    assert "…" in shown
    assert kept == prose
    paths = write_report(results, tmp_path, formats=[])
    assert name in paths["table:s.t"].read_text()


def test_a_report_in_which_nothing_decides_has_no_verdict(make, tmp_path) -> None:
    example = make()
    sections = tuple(replace(s, gate=False) for s in example.sections)
    write_report(replace(example, sections=sections), tmp_path)
    page = (tmp_path / "index.html").read_text()
    banner = page.partition('<div class="banner')[2].partition("</div>")[0]
    assert "nothing in it passes or fails" in banner
    assert "NOT ASSESSABLE" not in banner
    assert "Nothing was tested" not in page
