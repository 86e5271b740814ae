"""What a user is told of which records could be used, and in which form the sets came."""

import numpy as np
import pandas as pd

from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.quality import section
from ecgeval.references import Aligned, load_reference

COHORT = Aligned((load_reference("ludb"), None), ())
NOTE = "Sampling rates differ (the real set 500 Hz, the synthetic set 250 Hz): all at 250 Hz."


def compare(bad_real=0, bad_synth=0, n=400, **options):
    who = np.arange(n)
    sides = []
    for bad in (bad_real, bad_synth):
        outcome = ["flat"] * bad + [""] * (n - bad)
        found = pd.DataFrame({"outcome": outcome, "patient": who})
        sides.append(Side(pd.DataFrame(index=who), who, outcomes=found))
    return section.compare(Pair(*sides, **options)).findings


def test_minus_signs_are_true_ones():
    records, _ = compare(40, 8)
    assert "95 % CI −" in records.title
    assert "-" not in records.title


def test_the_form_of_a_reference_cohort_is_that_of_its_recordings():
    _, form, _ = compare(notes=(NOTE,), cohort=COHORT)
    assert form.title == "The synthetic set and the cohort differ in sampling rates"
    assert "cohort's measures are as they were made" in form.rule
    assert "brought to one form" not in form.rule
    _, alike, _ = compare(cohort=COHORT)
    assert alike.title.startswith("The synthetic set and the cohort's recordings have the same")


def test_the_form_of_two_sets_of_recordings():
    _, form = compare(notes=(NOTE,))
    assert form.title == "The sets differ in sampling rates"
    assert "the sets were brought to one form first" in form.rule
