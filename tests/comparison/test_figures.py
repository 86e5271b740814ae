"""The data behind figures."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.figures import distributions, effects, scatter
from ecgeval.measures import measure_info
from ecgeval.stats.univariate import Stat


def test_bins_hold_every_value_and_are_no_finer_than_the_grid():
    rng = np.random.default_rng(0)
    real, synth = np.round(rng.normal(90, 8, (2, 900)) / 2) * 2
    real[0] = 500
    (got,) = distributions([("qrs_ms", measure_info("qrs_ms"), real, synth)])["measures"]
    assert got["real"].sum() == got["n_real"] == 900
    step = np.diff(got["edges"])
    assert np.allclose(step, step[0])
    assert step[0] % 2 == 0
    assert got["real"][-1] >= 1  # 500 lies in the last bin
    (axis,) = distributions([("x", measure_info("qrs_axis_deg"), real - 90, synth - 90)])[
        "measures"
    ]
    assert (axis["edges"][0], axis["edges"][-1], axis["circular"]) == (-180, 180, True)
    one = np.full(9, 90.0)
    (flat,) = distributions([("x", measure_info("qrs_ms"), one, one)])["measures"]
    assert flat["edges"][0] < 90 < flat["edges"][-1]


def test_a_forest_plot_groups_waves():
    stat = Stat(0.2, (0.1, 0.3), (0.12, 0.28), (-0.1, 0.1))
    rows = effects([(measure_info(c), stat) for c in ("qrs_ms", "r_amp_V5_mv")])["rows"]
    assert [row["group"] for row in rows] == ["intervals", "R amplitude"]
    assert rows[0]["ci"] == (0.1, 0.3)


def test_a_line_through_points_that_lie_on_it():
    x = np.arange(40.0)
    table = pd.DataFrame({"rr_ms": x, "qt_ms": 2 * x + 3})
    constant = pd.DataFrame({"rr_ms": 900.0, "qt_ms": x})
    data = scatter(table, constant, "rr_ms", "qt_ms", np.random.default_rng(0))
    (real,) = data["sets"]  # of one value of x no line is drawn
    assert (real["slope"], real["intercept"]) == (pytest.approx(2), pytest.approx(3))
    assert (real["r2"], real["n"]) == (pytest.approx(1), 40)
    assert real["residual_sd"] == pytest.approx(0, abs=1e-9)
