"""Two sides that do not fit together are named."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.pair import Pair, Side
from ecgeval.errors import UsageError


def table(n=30, **more):
    return pd.DataFrame({"qrs_ms": np.arange(n) * 1.0, "qt_ms": 400.0, "age": 50, **more})


def pair(real=None, synth=None, patients_real=None, patients_synth=None):
    real, synth = (table() if t is None else t for t in (real, synth))
    return Pair(
        Side(real, real.index if patients_real is None else patients_real),
        Side(synth, synth.index if patients_synth is None else patients_synth),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patients_real": ["a"]}, "1 patient ids for 30 rows of the real table"),
        ({"patients_synth": [None] * 30}, "30 records of the synthetic table have no patient id"),
    ],
)
def test_wrong_patients_are_named(change, message):
    with pytest.raises(UsageError, match=message):
        pair(**change)


def test_tables_without_measures_and_with_text():
    with pytest.raises(UsageError, match="no measure is in both tables"):
        pair(synth=table().rename(columns=lambda c: "x_" + c)).columns  # noqa: B018
    with pytest.raises(UsageError, match="column qrs_ms of the synthetic table is not numeric"):
        pair(synth=table().assign(qrs_ms="wide")).columns  # noqa: B018


def test_measures_of_both_and_of_one():
    both = pair(table(pr_ms=150.0), table(rr_ms=900.0))
    assert both.columns == ["qrs_ms", "qt_ms"]
    assert both.absent == {"pr_ms": "synthetic", "rr_ms": "real"}
    real, synth = both.samples
    assert real.values.shape == synth.values.shape == (30, 2)
    assert both.samples_of(["qt_ms"])[0].values.shape == (30, 1)
