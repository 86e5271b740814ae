"""Results: verdicts, JSON round trip, schema."""

import base64
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import rule_in_words, word
from ecgeval.errors import DataError
from ecgeval.results import (
    Estimate,
    Figure,
    Finding,
    Results,
    Section,
    Table,
    Verdict,
    json_schema,
    worst,
)


def finding(verdict, section="s", **more):
    return Finding("FID-X", verdict, f"title {verdict}", section=section, **more)


def results(*verdicts, gate=True):
    return Results(
        manifest={"seed": 3, "nested": {"b": 1, "a": [np.float32(0.1), np.int64(2)]}},
        sections=(Section("s", "S", gate=gate),),
        estimates=(
            Estimate("s.qrs_ms.ks", 1 / 3, (0.1, math.nan), p=0.001, floor=(0.0, 0.2), n_real=4),
        ),
        findings=tuple(finding(Verdict(v)) for v in verdicts),
        tables=(Table.of(pd.DataFrame({"a": [1, None], "b": ["x", "y"]}), "s.t", "T"),),
        figures=(Figure("s.f", "scatter", "F", {"x": np.arange(3)}),),
    )


@pytest.mark.parametrize(
    ("verdicts", "expected", "code"),
    [
        (["PASS", "PASS"], "PASS", 0),
        (["PASS", "NOT_ASSESSABLE"], "NOT_ASSESSABLE", 3),
        (["NOT_ASSESSABLE", "INCONCLUSIVE"], "INCONCLUSIVE", 3),
        (["INCONCLUSIVE", "FAIL", "PASS"], "FAIL", 1),
        ([], "NOT_ASSESSABLE", 3),
    ],
)
def test_the_worst_gate_decides_and_nothing_never_passes(verdicts, expected, code):
    got = results(*verdicts)
    assert got.verdict == Verdict(expected)
    assert got.exit_code == code
    assert worst([]) == Verdict.NOT_ASSESSABLE


def test_only_gates_count():
    demonstration = Results(
        sections=(Section("s", "S"), Section("d", "D", gate=False)),
        findings=(
            finding(Verdict.PASS),
            finding(Verdict.FAIL, gate=False),
            finding(Verdict.FAIL, section="d"),
        ),
    )
    assert demonstration.verdict == Verdict.PASS
    assert demonstration.section_verdict("d") == Verdict.FAIL


def test_json_round_trip_is_exact_and_follows_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    text = results("PASS", "FAIL").to_json()
    jsonschema.validate(json.loads(text), json_schema())
    again = Results.from_json(text)
    assert again.to_json() == text
    assert again.verdict == Verdict.FAIL
    assert again.tables[0].frame().shape == (2, 2)
    assert again.estimates[0].ci == (0.1, None)
    assert "NaN" not in text


def test_the_schema_refuses_a_p_value_of_zero_and_unknown_keys():
    jsonschema = pytest.importorskip("jsonschema")
    body = json.loads(results("PASS").to_json())
    body["estimates"][0]["p"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, json_schema())
    body["estimates"][0]["p"] = 0.5
    body["extra"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, json_schema())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "has schema None"),
        ('{"schema": "ecgeval.results/99"}', "has schema 'ecgeval.results/99'"),
        ('{"schema": "ecgeval.results/1"}', "does not follow"),
    ],
)
def test_other_files_are_refused_in_one_sentence(text, message):
    with pytest.raises(DataError, match=message):
        Results.from_json(text, source="x.json")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b["estimates"][0].update(ci=[0.1]), r"estimates\[0\].ci\[1\] is missing"),
        (lambda b: b["estimates"][0].update(value="x"), r"value is \"x\"; expected a valid number"),
        (
            lambda b: b["estimates"][0].update(value=math.inf),
            "value is Infinity; expected a finite number",
        ),
        (
            lambda b: b["estimates"][0].update(n_real=True),
            "n_real is true; expected a valid integer",
        ),
        (lambda b: b["estimates"][0].update(p=0), "p is 0; expected greater than 0"),
        (
            lambda b: b["estimates"][0].update(ci=[1, 2, 3]),
            r"ci is \[1, 2, 3\]; .* at most 2 items",
        ),
        (lambda b: b["estimates"][0].update(level=95), "level is 95; expected less than 1"),
        (lambda b: b["estimates"][0].pop("level"), r"estimates\[0\].level is missing"),
        (
            lambda b: b["findings"][0].update(verdict="GOOD"),
            "verdict is .*; expected 'PASS', 'FAIL'",
        ),
        (lambda b: b["findings"][0].update(mood=1), r"findings\[0\].mood is unknown"),
        (
            lambda b: b["manifest"].update(sets=None),
            "manifest.sets is null; expected a valid dictionary",
        ),
        (lambda b: b["manifest"].update(sets={"real": 3}), "manifest.sets.real is 3"),
        (lambda b: b["tables"][0]["rows"].append([1]), "a row of table 's.t' has 1 cells for 2"),
        (lambda b: b.update(estimates=None), "estimates is null; expected a valid list"),
        (lambda b: b.update(sections={"a": "x" * 99}), r"sections is .{40}; expected a valid list"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence_that_names_the_place(damage, message):
    body = json.loads(results("PASS").to_json())
    damage(body)
    with pytest.raises(DataError, match=message) as caught:
        Results.from_json(json.dumps(body), source="x.json")
    assert "\n" not in str(caught.value)


def test_what_is_refused_is_what_the_schema_refuses():
    """Against jsonschema: any leaf of a file put in the place of any other."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    for record in ("Estimate", "Finding"):  # how ids and codes are spelt is not looked at
        for field in schema["$defs"][record]["properties"].values():
            field.pop("pattern", None)
    check = jsonschema.Draft202012Validator(schema)
    whole = results("PASS", "FAIL").to_json()
    values = [None, True, -1, 0, 0.5, 3, "", "a.b", "FID-X", "PASS", [], [1], [0.1, None], {}]
    refused = 0
    for kind in ("sections", "estimates", "findings", "tables", "figures"):
        for key in json.loads(whole)[kind][0]:
            for value in values:
                body = json.loads(whole)
                body[kind][0][key] = value
                wrong = not check.is_valid(body)
                refused += wrong
                try:
                    Results.from_json(json.dumps(body))
                    found = False
                except DataError as error:
                    found = "a row of table" not in str(error)
                assert found == wrong, (kind, key, value)
    assert refused > 100


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "results.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="bytes that are no text"):
        Results.load(tmp_path)
    with pytest.raises(DataError, match="nested too deeply"):
        Results.from_json("[" * 200_000)


def test_saving_is_whole_or_nothing(tmp_path):
    path = results("PASS").save(tmp_path / "new" / "results.json")
    assert Results.load(tmp_path / "new").to_json() == path.read_text()
    assert [f.name for f in path.parent.iterdir()] == ["results.json"]
    with pytest.raises(DataError, match="does not exist"):
        Results.load(tmp_path / "none.json")


def test_adding_keeps_order_and_everything():
    both = results("PASS") + Results(sections=(Section("t", "T"),), manifest={"seed": 4})
    assert [s.slug for s in both.sections] == ["s", "t"]
    assert both.manifest["seed"] == 4
    assert both.verdict == Verdict.NOT_ASSESSABLE  # section t found nothing


def test_frames_and_headline():
    got = results("FAIL", "FAIL")
    frame = got.to_frame()
    assert frame.loc["s.qrs_ms.ks", "floor_high"] == 0.2
    assert got.estimate("s.qrs_ms.ks").n_real == 4
    assert got.headline() == "FAIL: title FAIL (and 1 more failed gate: FID-X)"


HOSTILE = '<script>alert(1)</script>" onload="x'
BARS = {"rows": [{"label": HOSTILE, "value": 1.0, "ci": [0.5, 1.5]}], "xlabel": HOSTILE}


def test_a_notebook_shows_verdicts_by_section_and_figures():
    bars = Figure("s.effects", "effects", "Bars", BARS, "What they say", "s")
    other = Figure("s.other", "no such kind", "Other", {}, "", "s")
    html = replace(results("FAIL", "PASS"), figures=(bars, other))._repr_html_()
    for part in ("title FAIL", "title PASS", "<th ", "FID-X", "<details>", "What they say"):
        assert part in html
    image = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)[1]
    ElementTree.fromstring(base64.b64decode(image))
    assert "<code>s.other</code>" in html  # what cannot be drawn is named
    assert replace(results("PASS"), figures=(bars,)).figure("s.effects") is bars
    with pytest.raises(KeyError):
        results("PASS").figure("s.effects")


def test_what_a_notebook_shows_is_text():
    figure = Figure(HOSTILE, "effects", HOSTILE, BARS, HOSTILE, HOSTILE)
    unknown = Figure(HOSTILE, HOSTILE, HOSTILE, {}, HOSTILE, HOSTILE)
    finding = Finding(HOSTILE, Verdict.PASS, HOSTILE, section=HOSTILE)
    section = Section(HOSTILE, HOSTILE)
    hostile = Results(sections=(section,), findings=(finding,), figures=(figure, unknown))

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag != "script"
            assert not [name for name, _ in attributes if name.startswith("on")]

    Reader().feed(hostile._repr_html_())
    Reader().feed(figure._repr_html_())
    svg = base64.b64decode(re.search(r"base64,([^\"]+)", figure._repr_html_())[1]).decode()
    assert "<script" not in svg


def test_a_cell_stays_small():
    bars = [Figure(f"s.{k}", "effects", f"Bars {k}", BARS, "", "s") for k in range(9)]
    html = replace(results("PASS"), figures=tuple(bars))._repr_html_()
    assert html.count("<img ") == 6
    assert "<code>s.8</code>" in html


def test_drawing_is_imported_when_a_figure_is_shown():
    code = (
        "import sys, ecgeval\n"
        "f = ecgeval.Figure('a', 'effects', 'A', {'rows': [{'label': 'x', 'value': 1.0}]})\n"
        "assert 'matplotlib' not in sys.modules\n"
        "assert '<img' in ecgeval.Results(figures=(f,))._repr_html_()\n"
        "assert 'matplotlib' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_a_gate_shows_its_verdict_and_a_description_has_words():
    counts = {v: word(finding(v)) for v in Verdict}
    assert counts[Verdict.FAIL] == "FAIL"
    assert counts[Verdict.NOT_ASSESSABLE] == "NOT ASSESSABLE"
    described = {v: word(finding(v, gate=False)) for v in Verdict}
    assert described[Verdict.FAIL] == "differs"
    assert not set(described.values()) & {str(v).replace("_", " ") for v in Verdict}
    same_code = Finding("FID-KS", Verdict.INCONCLUSIVE, "t", gate=False)
    assert word(same_code) == "describes"
    rule = "PASS if it is inside, FAIL if outside, else INCONCLUSIVE"
    assert rule_in_words(finding(Verdict.PASS, rule=rule)) == rule
    assert rule_in_words(finding(Verdict.PASS, gate=False, rule=rule)) == (
        '"nothing found" if it is inside, "differs" if outside, else "not told apart from chance"'
    )
    stored = json.loads(Results(findings=(same_code,)).to_json())["findings"][0]
    assert stored["verdict"] == "INCONCLUSIVE"
    assert "word" not in stored
    assert "INCONCLUSIVE" not in Results(findings=(same_code,))._repr_html_()
