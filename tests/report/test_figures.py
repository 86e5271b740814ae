"""Figures: what is drawn is what the data say, the same bytes every time, nothing unescaped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ecgeval.report.figures import KINDS, draw, rows, with_limb_leads
from ecgeval.results import Figure


def figure(example, kind) -> Figure:
    return next(f for f in example.figures if f.kind == kind)


def path_points(svg: str, colour: str, role: str = "stroke") -> np.ndarray:
    """Return the points of the widest line of this colour, in points, y upward."""
    found = re.findall(rf'<path d="([^"]*)"[^>]*{role}: {colour}', svg)
    lines = [np.array(re.findall(r"-?[\d.]+", d), float).reshape(-1, 2) * (1, -1) for d in found]
    return max(lines, key=lambda line: np.ptp(line[:, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_drawn_alike_twice_and_is_xml(example, kind) -> None:
    first, second = draw(figure(example, kind)), draw(figure(example, kind))
    assert first == second
    root = ET.fromstring(first.svg)
    assert len(root) == len(first.cells) > 0
    assert "<metadata" not in first.svg
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", first.svg)
    ids = re.findall(r' id="([^"]*)"', first.svg)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', first.svg)) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_it_is_no_picture_and_no_crash(kind) -> None:
    assert draw(Figure("a.b", kind, "t", {})) is None
    assert rows(Figure("a.b", kind, "t", {})).empty


def test_unknown_kind_is_a_table() -> None:
    f = Figure("a.b", "of_tomorrow", "t", {"x": [1, 2], "deep": {"y": 0.5}})
    assert draw(f) is None
    assert rows(f).to_numpy().tolist() == [["x", "[1, 2]"], ["deep.y", 0.5]]


def test_ecg_paper_has_its_scale() -> None:
    """1 mV is 10 mm and 1 s is 25 mm: a step of 1 mV at 5 s, measured in the drawing."""
    uv = {"II": [0] * 2500 + [1000] * 2500}
    record = {"id": "step", "set": "real", "uv": uv}
    f = Figure("a.b", "ecg_paper", "t", {"fs": 500, "leads": ["II"], "records": [record]})
    mm = path_points(draw(f).cells[0].svg, "#1f2430") * 25.4 / 72
    assert np.ptp(mm[:, 1]) == pytest.approx(10, abs=0.1)
    assert np.ptp(mm[:, 0]) == pytest.approx(25 * 4999 / 500, abs=0.1)
    step = mm[np.argmax(np.abs(np.diff(mm[:, 1]))), 0] - mm[0, 0]
    assert step == pytest.approx(125, abs=0.2)


def test_grid_is_1_and_5_mm() -> None:
    record = {"id": "r", "set": "real", "uv": {"II": [0] * 5000}}
    svg = draw(Figure("a.b", "ecg_paper", "t", {"fs": 500, "records": [record]})).cells[0].svg
    for colour, step in (("#f8d9d5", 1), ("#eda9a2", 5)):
        line = re.search(rf'<path d="([^"]*)"[^>]*stroke: {colour}', svg)[1]
        upright = re.findall(r"M ?([\d.]+) [\d.]+ \1 ", line)
        gaps = np.diff(np.array(upright, float)) * 25.4 / 72
        np.testing.assert_allclose(gaps, step, atol=0.08)


def test_real_and_synthetic_alternate() -> None:
    data = {
        "fs": 500,
        "records": [
            {"id": k, "set": s, "uv": {"II": [0, 1] * 600}} for s in ("real", "synth") for k in "ab"
        ],
    }
    labels = re.findall(
        r'aria-label="(\w+) ECG (\w)', draw(Figure("a.b", "ecg_paper", "", data)).svg
    )
    assert labels == [("real", "a"), ("synthetic", "a"), ("real", "b"), ("synthetic", "b")]


def test_limb_leads_follow_from_i_and_ii() -> None:
    leads = with_limb_leads({"I": [100, 0], "II": [300, 50]})
    assert {k: list(v) for k, v in leads.items()} == {
        "I": [100, 0],
        "II": [300, 50],
        "III": [200, 50],
        "aVR": [-200, -25],
        "aVL": [-50, -25],
        "aVF": [250, 50],
    }


def test_density_does_not_depend_on_the_number_of_records(example) -> None:
    """Ten times the records, or bins twice as wide, leave the drawn height where it was."""
    m = {"name": "qrs_ms", "label": "QRS", "unit": "ms", "edges": [0, 1, 2, 3], "synth": [0, 1, 0]}

    def svg(counts):
        data = {"measures": [{**m, "real": counts}]}
        return re.sub(r"p[0-9a-f]{10}", "", draw(Figure("a.b", "distributions", "", data)).svg)

    assert svg([1, 2, 1]) == svg([10, 20, 10])
    assert svg([1, 2, 1]) != svg([1, 1, 2])


def test_a_histogram_says_what_its_marks_are() -> None:
    m = {
        "name": "s_amp_V2_mv",
        "label": "S amplitude V2",
        "unit": "mV",
        "edges": [-3, -2, -1],
        "real": [3, 1],
        "synth": [1, 3],
        "median_real": -2.31,
        "median_synth": -1.18,
    }
    for circular, word in ((False, "median"), (True, "mean")):
        data = {"measures": [{**m, "circular": circular}]}
        svg = draw(Figure("a.b", "distributions", "", data)).cells[0].svg
        assert f">{word} ■ real −2.31<" in svg
        assert ">┅ synthetic −1.18<" in svg


def test_the_real_trace_of_a_pair_is_moved_onto_the_synthetic_one() -> None:
    """The same pulse, 200 ms later in the synthetic trace: the two lines then coincide."""
    pulse = np.zeros(1000, int)
    pulse[300:320] = 1000
    pair = {
        "title": "p",
        "synth": {"II": np.roll(pulse, 100).tolist()},
        "real": {"II": pulse.tolist()},
    }
    data = {"fs": 500, "leads": ["II"], "pairs": [{**pair, "lag_ms": 200}]}
    svg = draw(Figure("a.b", "pairs", "t", data)).svg
    lines = path_points(svg, "#0072b2"), path_points(svg, "#d55e00")
    real, synth = (line[line[:, 1] == line[:, 1].max(), 0].mean() for line in lines)
    assert real == pytest.approx(synth, abs=0.5)


def test_observed_statistic_is_drawn_where_it_is() -> None:
    data = {"values_edges": [0, 1, 2], "counts": [5, 5], "observed": 1.5, "p": 0.02}
    svg = draw(Figure("a.b", "null", "t", data)).svg
    assert "observed 1.50, p = 0.020" in svg
    bars, line = path_points(svg, "#c9ced8", "fill"), path_points(svg, "#d55e00")
    left, right = bars[:, 0].min(), bars[:, 0].max()
    assert np.isclose(line[:, 0], left + 0.75 * (right - left), atol=0.2).all()


def test_missing_values_are_gaps() -> None:
    data = {
        "rows": [
            {"label": "QRS", "value": None, "ci": None, "floor": None},
            {"label": "QT", "value": 0.2},
        ]
    }
    svg = draw(Figure("a.b", "effects", "t", data)).svg
    assert "not estimated" in svg
    sets = [{"name": "real", "x": [1, None, 3], "y": [1, 2, None]}]
    assert draw(Figure("a.b", "scatter", "t", {"sets": sets})) is not None


def test_a_cloud_of_points_is_small() -> None:
    rng = np.random.default_rng(0)
    sets = [
        {"name": s, "x": rng.normal(size=1500).tolist(), "y": rng.normal(size=1500).tolist()}
        for s in ("real", "synth")
    ]
    assert len(draw(Figure("a.b", "scatter", "t", {"sets": sets})).svg) < 250_000
