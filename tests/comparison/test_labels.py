"""Which labels two sets go by."""

import pandas as pd
import pytest

from ecgeval.comparison.labels import label_columns
from ecgeval.comparison.pair import Pair, Side
from ecgeval.errors import UsageError

LABELS = pd.DataFrame({"age": [40, 60], "sex": ["F", "F"], "norm_only": [True, False], "x": [1, 2]})


def pair(by=(), labels=LABELS):
    sides = [
        Side(pd.DataFrame({"hr_bpm": [60.0, 70.0]}), ["a", "b"], labels=own)
        for own in (labels, None)
    ]
    return Pair(*sides, by=by)


def test_the_usual_labels_that_vary_or_those_asked_for():
    assert label_columns(pair()) == ["age", "norm_only"]
    assert label_columns(pair(("x", "sex", "x"))) == ["x", "sex"]
    assert label_columns(pair(labels=None)) == []


def test_labels_that_are_not_there_are_an_error():
    with pytest.raises(UsageError, match="no label 'site'; its labels are age, sex, norm_only, x"):
        label_columns(pair(("site",)))
    with pytest.raises(UsageError, match="1 rows of labels for 2 real records"):
        label_columns(pair(labels=LABELS[:1]))
