"""What is picked of a pair, and estimates with what is declared of their statistics."""

import math

import numpy as np
import pandas as pd

from ecgeval.comparison.joint.estimates import estimate, pick
from ecgeval.comparison.pair import Pair, Side
from ecgeval.stats.kernels import Assessed

RECORDS = pd.DataFrame({"rr_ms": [800.0, 900.0], "qt_ms": [390.0, np.nan], "hr_bpm": [75.0, 67.0]})
PAIR = Pair(Side(RECORDS, ["a", "a"]), Side(RECORDS[["qt_ms", "rr_ms"]], ["x", "y"]), seed=7)


def test_measures_are_picked_in_order_or_named():
    real, synth = pick(PAIR, ["qt_ms", "rr_ms"])
    np.testing.assert_array_equal(real.values, RECORDS[["qt_ms", "rr_ms"]])
    assert real.patient.tolist() == [0, 0]
    assert synth.patient.tolist() == [0, 1]
    assert pick(PAIR, ["rr_ms", "hr_bpm"]) == "heart rate not in both tables"


def test_an_estimate_holds_what_is_declared_and_counted():
    stat = Assessed(0.1, (0.05, 0.2), (-0.01, math.inf), 0.02)
    found = estimate(PAIR, "qt_rr.slope_diff", stat, "QT on RR", "how", unit="ms/ms", scale=10)
    assert (found.id, found.value, found.ci, found.p) == (
        "joint.qt_rr.slope_diff",
        1,
        (0.5, 2),
        0.02,
    )
    assert found.floor is None  # not finite
    assert (found.n_real, found.patients_real, found.patients_synth) == (2, 1, 2)
    assert (found.better, found.null, found.unit, found.seed) == ("near_null", 0, "ms/ms", 7)
    sized = estimate(PAIR, "qt_rr.r2_diff", stat, "", "", ((9, 8), (7, 6)))
    assert (sized.n_real, sized.n_synth, sized.patients_real, sized.patients_synth) == (9, 8, 7, 6)


def test_what_cannot_be_computed_says_why():
    for stat, why in (
        ("no patients", "no patients"),
        (Assessed(math.nan, (0, 1), (0, 1)), "finite"),
    ):
        found = estimate(PAIR, "qt_rr.r2_diff", stat, "", "how")
        assert found.value is found.ci is found.floor is found.p is None
        assert found.method.startswith("not computed")
        assert why in found.method
