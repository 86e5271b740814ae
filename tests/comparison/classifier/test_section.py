"""Classifiers on waveforms: what is found, where it is placed, and what must find nothing."""

import json

import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import CATALOGUE, STATISTICS
from ecgeval.comparison.classifier import forms, section
from ecgeval.comparison.pair import Pair, Side
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.results import Verdict

LEADS = ("I", "II", "V2")
FS, N = 100.0, 120
ZERO = 40
T = (np.arange(110) - ZERO) / FS


def run(real, synth, fs=FS, patients_real=None, patients_synth=None, **more):
    """Compare (signals, beats) with (signals, beats)."""
    sides = []
    for (signals, beats), who in ((real, patients_real), (synth, patients_synth)):
        table = pd.DataFrame(index=range(len(signals)))
        ids = np.arange(len(signals)) if who is None else who
        ecgs = EcgSet(signals, fs, LEADS, table)
        sides.append(Side(table, ids, ecgs=ecgs, beats=beats))
    options = {"quick": True, "beats_fs": FS, "beats_zero": ZERO, **more}
    return section.compare(Pair(*sides, **options))


def verdicts(results):
    return {f.code: f.verdict for f in results.findings}


def finding(results, code):
    return next(f for f in results.findings if f.code == code)


def value(results, id):
    return results.estimate(f"classifier.{id}").value


def test_people_of_one_population_are_not_told_apart(real, other):
    results = run(real, other)
    found = verdicts(results)
    assert found == {
        "C2ST-WAVE": Verdict.INCONCLUSIVE,
        "C2ST-CUTOFF": Verdict.INCONCLUSIVE,
        "C2ST-LOOK": Verdict.INCONCLUSIVE,
    }
    for kind in ("minirocket", "beats"):
        estimate = results.estimate(f"classifier.{kind}.c2st_auc")
        assert estimate.floor[0] < 0.5 < estimate.floor[1]
        assert abs(estimate.value - 0.5) < 0.2
        assert estimate.p > 0.01
        assert abs(value(results, f"{kind}.c2st_shuffled") - 0.5) < 0.1
    assert not any(f.gate for f in results.findings)
    assert not any(s.gate for s in results.sections)


def test_every_code_and_statistic_is_in_the_catalogue_and_the_json_is_clean(real, other):
    results = run(real, other)
    for estimate in results.estimates:
        about = STATISTICS[estimate.id.rpartition(".")[2]]
        assert (estimate.better, estimate.null) == (about.better, about.null)
        assert estimate.n_real
        assert estimate.patients_synth
    assert {f.code for f in results.findings} <= set(CATALOGUE)
    json.loads(results.to_json())
    assert {f.kind for f in results.figures} == {"roc", "curves", "occlusion"}
    occlusion = next(f for f in results.figures if f.kind == "occlusion")
    assert [lead["name"] for lead in occlusion.data["leads"]] == list(LEADS)
    assert all(len(lead["uv"]) == len(lead["weight"]) == 110 for lead in occlusion.data["leads"])


def test_a_band_limited_artefact_is_found_only_above_its_cutoff(real, other):
    """A tone of 20 µV at 33 Hz: below 25 Hz the sets are one population."""
    signals, beats = other
    t = np.arange(signals.shape[-1]) / FS
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (N, 1, 1))
    tone = (0.02 * np.cos(2 * np.pi * 33 * t + phase)).astype(np.float32)
    results = run(real, (signals + tone, beats))
    assert value(results, "minirocket.c2st_auc") > 0.95
    for hz in (10, 25):
        lower = results.estimate(f"classifier.cutoff_{hz}hz.c2st_auc")
        assert lower.ci[0] < lower.floor[1]
    cutoff = finding(results, "C2ST-CUTOFF")
    assert cutoff.verdict == Verdict.FAIL
    assert "from a cut-off at 50 Hz on" in cutoff.title
    assert "above 25 Hz settles it" in cutoff.explanation
    assert verdicts(results)["C2ST-LOOK"] == Verdict.INCONCLUSIVE
    curve = next(f for f in results.figures if f.kind == "curves").data["panels"][0]["series"][0]
    assert curve["x"] == [10, 25, 50]
    assert curve["y"][2] == value(results, "minirocket.c2st_auc")


def test_texture_above_50_hz_is_found_at_the_last_cutoff(hearts):
    """At 500 Hz: 20 µV at 90 Hz, where upsampling leaves its combs"""
    first, second = hearts(N, 1, fs=500), hearts(N, 3, fs=500)
    t = np.arange(first[0].shape[-1]) / 500
    tone = (0.02 * np.cos(2 * np.pi * 90 * t)).astype(np.float32)
    results = run(first, (second[0] + tone, second[1]), fs=500)
    assert value(results, "minirocket.c2st_auc") > 0.9
    cutoff = finding(results, "C2ST-CUTOFF")
    assert "above 50 Hz settles it" in cutoff.explanation
    assert "Nothing above 125 Hz" in cutoff.explanation


def test_a_slow_artefact_is_found_at_every_cutoff(real, other):
    signals, beats = other
    t = np.arange(signals.shape[-1]) / FS
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (N, 1, 1))
    slow = (0.2 * np.cos(2 * np.pi * 4 * t + phase)).astype(np.float32)
    results = run(real, (signals + slow, beats))
    assert "Even below 10 Hz" in finding(results, "C2ST-CUTOFF").title


@pytest.mark.parametrize(
    ("lead", "wave", "at", "words"),
    [("V2", "t", 0.28, "V2 around the T wave"), ("I", "p", -0.16, "I around the P wave")],
)
def test_the_occlusion_looks_where_the_artefact_was_planted(real, other, lead, wave, at, words):
    signals, beats = other
    planted = beats.copy()
    planted[:, LEADS.index(lead)] += 0.1 * np.exp(-0.5 * ((T - at) / 0.015) ** 2)
    results = run(real, (signals, planted))
    look = finding(results, "C2ST-LOOK")
    assert look.verdict == Verdict.FAIL
    assert f"lies most in {words}" in look.title
    fall = results.estimate(f"classifier.{lead}_{wave}.occlusion_fall")
    assert fall.ci[0] > fall.floor[1] > 0
    figure = next(f for f in results.figures if f.kind == "occlusion").data
    weight = np.array([part["weight"] for part in figure["leads"]])
    i, k = np.unravel_index(weight.argmax(), weight.shape)
    assert LEADS[i] == lead
    assert (k - figure["zero"]) / figure["fs"] == pytest.approx(at, abs=0.04)
    assert weight[i, k] > 3 * weight[np.arange(len(LEADS)) != i].max()


def test_a_set_that_varies_more_at_one_moment_is_seen(real, other):
    """The mean beat is the same: only the squares can tell."""
    signals, beats = other
    planted = beats.copy()
    size = np.random.default_rng(0).normal(0, 0.4, (N, 1))
    planted[:, 1] += size * np.exp(-0.5 * ((T - 0.28) / 0.03) ** 2)
    look = finding(run(real, (signals, planted)), "C2ST-LOOK")
    assert "II around the T wave" in look.title


def test_rounding_alone_is_reported_and_taken_out(real, other):
    rounded = np.rint(other[0] / 0.005).astype(np.float32) * np.float32(0.005)
    results = run(real, (rounded, other[1]))
    assert value(results, "rounding.rounding_auc") == 1
    found = finding(results, "C2ST-ROUND")
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "5 µV" in found.title
    wave = results.estimate("classifier.minirocket.c2st_auc")
    assert wave.ci[0] < wave.floor[1]


def test_without_harmonising_the_rounding_would_be_found(real, other, monkeypatch):
    """Mutation: the same test sees the step when both sets are not rounded alike first."""
    monkeypatch.setattr(forms, "_forms", lambda s, rows, *_: (s[rows], s[rows][:, :0]))
    coarse = np.rint(other[0] / 0.04).astype(np.float32) * np.float32(0.04)
    assert value(run(real, (coarse, other[1])), "minirocket.c2st_auc") > 0.9


def test_exact_copies_are_kept_together_and_named(real):
    results = run(real, real)
    assert value(results, "minirocket.c2st_auc") == pytest.approx(0.5, abs=0.01)
    leak = finding(results, "C2ST-LEAK")
    assert leak.verdict == Verdict.FAIL
    assert [f.code for f in results.findings if f.gate] == ["C2ST-LEAK"]
    assert results.gates() == {"classifier": Verdict.FAIL}
    assert f"{N} of {N} synthetic records are real records over again" in leak.title
    assert verdicts(results)["C2ST-WAVE"] == Verdict.INCONCLUSIVE


def test_near_copies_that_are_not_grouped_push_the_auc_below_one_half(real):
    """20 µV of noise on 0.2 mV of ECG: below the grouping, and an alarm instead of a good score"""
    rng = np.random.default_rng(0)
    noisy = real[0] + rng.normal(0, 0.02, real[0].shape).astype(np.float32)
    clean = real[0] + rng.normal(0, 0.02, real[0].shape).astype(np.float32)
    results = run((clean, real[1]), (noisy, real[1] + 1e-4))
    test = results.estimate("classifier.minirocket.c2st_auc")
    assert test.value < test.floor[0]
    leaks = [f for f in results.findings if f.code == "C2ST-LEAK"]
    assert any("far worse than chance" in f.title for f in leaks)
    assert verdicts(results)["C2ST-WAVE"] == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * 1.3,
        lambda x: x + np.random.default_rng(5).normal(0, 0.03, x.shape).astype(np.float32),
    ],
    ids=["gain", "noise"],
)
def test_what_is_worse_never_looks_better(real, other, change):
    before = value(run(real, other), "minirocket.c2st_auc")
    after = run(real, (change(other[0]), change(other[1])))
    assert value(after, "minirocket.c2st_auc") > before
    assert verdicts(after)["C2ST-WAVE"] == Verdict.FAIL


def test_a_collapsed_set_is_said_to_repeat_itself(real, other):
    """Repeats stay together, so few of them are tested: the count must tell, not the AUC alone"""
    few = tuple(np.repeat(part[:3], N // 3, axis=0) for part in other)
    results = run(real, few)
    text = finding(results, "C2ST-WAVE").explanation
    assert f"{N} of {N} synthetic records repeat another synthetic one" in text
    assert "C2ST-LEAK" not in verdicts(results)


@pytest.mark.parametrize("change", ["2 % gain of a lead", "20 µV of noise", "mode drop"])
def test_what_is_a_little_worse_is_never_taken_for_a_leak(real, other, change):
    signals, beats = (part.copy() for part in other)
    if change == "2 % gain of a lead":
        signals[:, 1] *= 1.02
    elif change == "20 µV of noise":
        signals += np.random.default_rng(5).normal(0, 0.02, signals.shape).astype(np.float32)
    else:  # only people with a large first lead are left
        large = np.argsort(np.ptp(signals[:, 0], axis=-1))[N // 2 :]
        signals, beats = signals[large], beats[large]
    after = run(real, (signals, beats))
    assert (
        value(after, "minirocket.c2st_auc") > value(run(real, other), "minirocket.c2st_auc") - 0.1
    )
    assert "C2ST-LEAK" not in verdicts(after)
    assert all(f.verdict != Verdict.PASS for f in after.findings)


def test_order_of_records_and_names_of_patients_do_not_matter(real, other):
    base = run(real, other)
    mixed = np.random.default_rng(0).permutation(N)
    again = run((real[0][mixed], real[1][mixed]), other, patients_real=np.arange(N)[mixed])
    assert again.to_json() == base.to_json()


def test_the_number_of_jobs_does_not_matter(real, other):
    small = [tuple(part[:50] for part in side) for side in (real, other)]
    assert run(*small, jobs=2).to_json() == run(*small).to_json()


def test_refit_permutes_all_labels(real, other, monkeypatch):
    monkeypatch.setattr(section, "REFITS", 19)
    results = run(real, (other[0] * 1.3, other[1]), refit=True)
    estimate = results.estimate("classifier.minirocket.c2st_auc")
    assert estimate.p == 1 / 20
    assert "both halves fitted anew" in estimate.method


def test_repeated_patients_in_one_set_only_give_one_record_each(real, other):
    results = run(real, other, patients_synth=np.arange(N) // 2)
    assert "One record a patient" in results.sections[0].summary
    estimate = results.estimate("classifier.minirocket.c2st_auc")
    assert estimate.n_real == estimate.patients_real
    assert estimate.n_synth == estimate.patients_synth == 30


def test_gaps_and_missing_beats_are_counted_not_fatal(real, other):
    signals, beats = (part.copy() for part in other)
    signals[:5, 1, 10] = np.nan
    beats[5:15] = np.nan
    results = run(real, (signals, beats + 0.05 * (T > 0.2)))
    assert "5 records with gaps were left out" in results.sections[0].summary
    assert "10 records without a representative beat" in finding(results, "C2ST-LOOK").explanation
    none = run(real, (other[0], np.full_like(beats, np.nan)))
    assert verdicts(none)["C2ST-LOOK"] == Verdict.NOT_ASSESSABLE
    assert none.estimate("classifier.beats.c2st_auc").value is None


def test_too_little_is_not_assessable_and_what_does_not_match_is_an_error(real, other):
    few = tuple(part[:30] for part in other)
    results = run(real, few)
    assert set(verdicts(results).values()) == {Verdict.NOT_ASSESSABLE}
    assert "30 patients in the smaller set" in results.findings[0].title
    gone = run(real, (np.full_like(other[0], np.nan), other[1]))
    assert set(verdicts(gone).values()) == {Verdict.NOT_ASSESSABLE}
    with pytest.raises(UsageError, match="expected the same"):
        run(real, (other[0][..., :-1], other[1]))
    with pytest.raises(UsageError, match="one of each a record"):
        run(real, (other[0], other[1][:-1]))


def test_a_full_run_has_a_network_and_the_whole_curve(real, other):
    small = tuple(part[:50] for part in other)
    results = run(tuple(part[:50] for part in real), (small[0] * 2, small[1]), quick=False)
    assert value(results, "resnet.c2st_auc") > 0.7
    assert [e.id for e in results.estimates if "cutoff" in e.id] == [
        f"classifier.cutoff_{hz}hz.c2st_auc" for hz in (5, 10, 15, 25, 40)
    ]


def test_normal_ecgs_against_the_rest_differ_in_the_t_wave(real_data, monkeypatch):
    """PTB-XL: what is not normal has lateral ST-T changes, as a cardiologist expects."""
    import ecgeval as ee
    from ecgeval.delineation import delineate

    monkeypatch.setenv("ECGEVAL_DATA", str(real_data("ptbxl").parent))
    ecgs = ee.read("ptbxl").with_leads(("I", "V2", "V6"))
    marks = delineate(ecgs)
    normal = ecgs.records["norm_only"].to_numpy(bool)
    who = ecgs.patients()
    sides = [
        Side(
            pd.DataFrame(index=ecgs.ids[which]),
            who[which],
            ecgs=ecgs.select(which),
            beats=marks.beats[which],
        )
        for which in (normal, ~normal)
    ]
    zero = round(0.4 * marks.fs)
    results = section.compare(Pair(*sides, beats_fs=marks.fs, beats_zero=zero, quick=True))
    look = finding(results, "C2ST-LOOK")
    assert look.verdict == Verdict.FAIL
    assert "around the T wave" in look.title
