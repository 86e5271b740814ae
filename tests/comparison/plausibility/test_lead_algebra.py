"""Sums of leads: not applicable where they hold by construction, broken where leads lie apart."""

import numpy as np
import pytest

from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.plausibility.lead_algebra import compare_lead_algebra
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.results import Verdict
from ecgeval.signal_checks import signal_checks


def checks(ecgs):
    return signal_checks(np.asarray(ecgs.signals), ecgs.fs, ecgs.leads).set_index(ecgs.ids)


def compare(real, synth, **options):
    sides = [Side(frame[[]], frame.index) for frame in (real, synth)]
    return compare_lead_algebra(Pair(*sides, quick=True, **options), (real, synth))


def finding(results):
    (found,) = results.findings
    assert found.code == "PLAUS-ALGEBRA"
    return found


@pytest.fixture(scope="module")
def twelve(sim):
    """Return a maker of 12-lead sets rounded lead by lead to 4.88 µV."""

    def make(seed, spoil=lambda x: x):
        ecgs = sim(40, seed=seed).with_leads(STANDARD_LEADS)
        signals = spoil(4.88e-3 * np.rint(np.asarray(ecgs.signals, float) / 4.88e-3))
        return checks(type(ecgs)(signals.astype(np.float32), ecgs.fs, ecgs.leads, ecgs.records))

    return make


def test_derived_leads_are_not_applicable_and_never_a_pass(sim, twelve):
    """PROOF: a sum that holds by construction is no evidence."""
    real = twelve(30)
    derived = finding(compare(real, twelve(31), derived=("III", "aVR", "aVL", "aVF")))
    assert derived.verdict == Verdict.NOT_ASSESSABLE
    assert "not applicable" in derived.title
    exact = checks(sim(40, seed=32).with_leads(STANDARD_LEADS))
    seen = finding(compare(real, exact))
    assert seen.verdict == Verdict.NOT_ASSESSABLE
    assert "computed from each other" in seen.title
    eight = checks(sim(40, seed=32))
    assert "lacks the limb leads" in finding(compare(real, eight)).title


def test_lead_algebra_of_leads_generated_apart_fails_against_real_rounding(twelve):
    def late(x):
        x[:, 2] = np.roll(x[:, 2], 2, axis=-1)
        return x

    real = twelve(30)
    results = compare(real, twelve(31, late))
    found = finding(results)
    assert found.verdict == Verdict.FAIL
    assert results.estimate("plausibility.lead_algebra.broken_diff").value == pytest.approx(
        100, abs=5
    )
    assert any(t.id == "plausibility.algebra" for t in results.tables)
    assert finding(compare(real, twelve(33))).verdict != Verdict.FAIL
