"""The groups that a label makes."""

import numpy as np
import pandas as pd

from ecgeval.comparison.labels import groups_of


def test_ages_that_nobody_has_are_in_no_group():
    age = pd.Series([-1, 30, 50, 130, 999, 85], name="age")
    sizes = {name: int(mask.sum()) for name, (mask, _) in groups_of(age, None).items()}
    assert sizes == {"< 40": 1, "40 to < 60": 1, "≥ 80": 1}


def test_bands_of_numbers_and_groups_of_text():
    many = pd.Series(np.arange(90.0), name="weight")
    sizes = {name: mask.sum() for name, (mask, _) in groups_of(many, None).items()}
    assert len(sizes) == 3
    assert sum(sizes.values()) == 90
    assert list(groups_of(many, None, cuts=[50])) == ["< 50", "≥ 50"]
    old = pd.Series([*range(20, 90), np.nan], name="Age")
    named = {name: mask.sum() for name, (mask, _) in groups_of(old, None).items()}
    assert named == {"< 40": 20, "40 to < 60": 20, "60 to < 80": 20, "≥ 80": 10}
    # Codes that are integers in one set and floats in the other are the same groups.
    coded = groups_of(pd.Series([0, 1, 1]), pd.Series([0.0, np.nan, 1.0]))
    assert list(coded) == ["0", "1"]
    assert [(a.sum(), b.sum()) for a, b in coded.values()] == [(1, 1), (2, 1)]
    assert list(groups_of(pd.Series([True, False]), None)) == ["False", "True"]
