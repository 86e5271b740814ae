"""compare_quality: which records could be used, and in which form the sets came."""

import numpy as np
import pandas as pd

from ecgeval.comparison.quality.section import compare_quality

NOTE = "Sampling rates differ (the real set 500 Hz, the synthetic set 250 Hz): all at 250 Hz."


def compare(bad_real=0, bad_synth=0, n=400, **options):
    outcomes = [pd.Series(["flat"] * k + [""] * (n - k)) for k in (bad_real, bad_synth)]
    who = np.arange(n)
    return compare_quality(*outcomes, patients_real=who, patients_synth=who, **options).findings


def test_minus_signs_are_true_ones():
    records, _ = compare(40, 8)
    assert "95 % CI −" in records.title
    assert "-" not in records.title


def test_the_form_of_a_reference_cohort_is_that_of_its_recordings():
    _, form = compare(notes=(NOTE,), cohort=True)
    assert form.title == "The synthetic set and the cohort differ in sampling rates"
    assert "cohort's measures are as they were made" in form.rule
    assert "brought to one form" not in form.rule
    _, alike = compare(cohort=True)
    assert alike.title.startswith("The synthetic set and the cohort's recordings have the same")


def test_the_form_of_two_sets_of_recordings():
    _, form = compare(notes=(NOTE,))
    assert form.title == "The sets differ in sampling rates"
    assert "the sets were brought to one form first" in form.rule
