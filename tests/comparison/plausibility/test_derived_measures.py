"""What the rules make of measures, by hand."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.plausibility.derived_measures import DERIVED, with_derived
from ecgeval.ecgset import STANDARD_LEADS


def test_derived_measures_by_hand():
    row = {"pr_ms": np.nan, "qrs_ms": 90.0}
    for k, lead in enumerate(STANDARD_LEADS):
        row |= {f"q_amp_{lead}_mv": -0.05, f"r_amp_{lead}_mv": 0.1 * k, f"s_amp_{lead}_mv": -0.8}
    row["q_amp_V1_mv"] = -0.9  # a QS with a notch
    frame = with_derived(pd.DataFrame([row, dict.fromkeys(row)], dtype=float))
    expected = {
        "p_present": 0,
        "q_share_II": 50,
        "q_share_I": 1000,  # no R at all
        "deep_q_share_II": 0,
        "deep_q_share_V1": 150,
        "sokolow_mv": 0.9 + 1.1,
        "cornell_mv": 0.4 + 0.8,
        "limb_pp_mv": 0.5 + 0.8,
        "r_gain_mv": 0.3,
        "s_loss_mv": 0,
        "transition": 3,
    }
    for name, value in expected.items():
        assert frame[name][0] == pytest.approx(value), name
        assert np.isnan(frame[name][1]), name
    named = {name.format(lead=lead) for name in DERIVED for lead in STANDARD_LEADS}
    assert set(frame) == {*row, *named}


def test_what_lacks_a_lead_is_not_made():
    frame = with_derived(pd.DataFrame({"r_amp_V1_mv": [0.1], "s_amp_V1_mv": [-0.5], "note": ["x"]}))
    assert set(frame) == {"r_amp_V1_mv", "s_amp_V1_mv"}
