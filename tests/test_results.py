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
)  # fmt: skip


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
        ('{"schema": "ecgeval.results/1", "manifest": {"sets": null}}', "manifest.sets is None"),
    ],
)
def test_other_files_are_refused_in_one_sentence(text, message):
    with pytest.raises(DataError, match=message):
        Results.from_json(text, source="x.json")


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
