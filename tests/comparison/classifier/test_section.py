"""Classifiers on waveforms: what is found, where it is placed, and what must find nothing."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.classifier import forms
from ecgeval.comparison.classifier import section as w
from ecgeval.comparison.classifier.forms import low_pass, rounding_step
from ecgeval.comparison.classifier.minirocket import draw_kernels, minirocket
from ecgeval.comparison.classifier.near_duplicates import near_twins
from ecgeval.comparison.classifier.occlusion import WAVES, beat_features, occlude
from ecgeval.comparison.classifier.resnet import resnet
from ecgeval.comparison.classifier.section import compare_waveforms
from ecgeval.errors import UsageError
from ecgeval.report.explain import statistic
from ecgeval.results import Verdict
from ecgeval.stats.classifiers import WIDE_RIDGE, wide_ridge_logistic, wide_ridge_weights
from ecgeval.stats.effects import auc
from ecgeval.stats.two_sample import Pool, joined_groups, two_sample_test

LEADS = ("I", "II", "V2")
FS, N, SECONDS = 100.0, 120, 4
ZERO = 40
T = (np.arange(110) - ZERO) / FS


def hearts(n, seed, fs=FS):
    """Return n simulated records and representative beats of people that differ."""
    rng = np.random.default_rng(seed)
    waves = np.array([(-0.16, 0.025, 0.12), (0, 0.012, 1.0), (0.03, 0.01, -0.3), (0.28, 0.05, 0.3)])
    t = np.arange(round(SECONDS * fs)) / fs
    signals = rng.normal(0, 0.01, (n, len(LEADS), len(t)))
    beats = np.zeros((n, len(LEADS), len(T)))
    for record, beat in zip(signals, beats, strict=True):
        own = waves * rng.normal(1, 0.1, waves.shape)
        gains = rng.normal(1, 0.3, (len(LEADS), 1))
        for at, width, height in own:
            beat += gains * height * np.exp(-0.5 * ((T - at) / width) ** 2)
        for r in np.arange(rng.uniform(0, 0.8), SECONDS, rng.normal(0.85, 0.08)):
            for at, width, height in own:
                record += gains * height * np.exp(-0.5 * ((t - r - at) / width) ** 2)
    beats += rng.normal(0, 0.005, beats.shape)
    return signals.astype(np.float32), beats.astype(np.float32)


def run(real, synth, fs=FS, **more):
    (a, beats_a), (b, beats_b) = real, synth
    settings = {
        "patients_real": np.arange(len(a)),
        "patients_synth": np.arange(len(b)),
        "quick": True,
        **more,
    }
    return compare_waveforms(
        a,
        b,
        fs,
        LEADS,
        beats_real=beats_a,
        beats_synth=beats_b,
        beats_fs=FS,
        beats_zero=ZERO,
        **settings,
    )


def verdicts(results):
    return {f.code: f.verdict for f in results.findings}


def finding(results, code):
    return next(f for f in results.findings if f.code == code)


def value(results, id):
    return results.estimate(f"classifier.{id}").value


@pytest.fixture(scope="module")
def real():
    return hearts(N, 1)


@pytest.fixture(scope="module")
def other():
    return hearts(N, 3)


# ---- the wide classifier -------------------------------------------------------------------------


def test_the_wide_ridge_is_sklearns_logistic_regression():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 200)), np.arange(80) >= 30
    x[y, :20] += 0.5
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    reference = LogisticRegression(
        C=1 / (WIDE_RIDGE * 200), class_weight="balanced", tol=1e-10, max_iter=10000
    ).fit(z, y)
    new = rng.normal(size=(20, 200))
    expected = reference.decision_function((new - x.mean(axis=0)) / x.std(axis=0))
    assert wide_ridge_logistic(x, y)(new) == pytest.approx(expected, abs=1e-3)


def test_a_constant_feature_says_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 100)).astype(np.float32), np.arange(60) >= 30
    x[:, 3] = 0.7
    _, weight, _ = wide_ridge_weights(x, y)
    assert weight[3] == 0
    assert np.isfinite(weight).all()


def test_auc_of_shifted_gaussians_is_the_closed_form():
    """PROOF of methods 1.6: a linear classifier of N(0, I) and N(mu, I) has AUC Phi(|mu|/sqrt 2)"""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 6))
    label = np.arange(2000) >= 1000
    x[label] += np.sqrt(1 / 6)
    each = np.arange(2000)
    test = two_sample_test(
        Pool(x, each, each),
        label,
        Pool(x[~label], each[:1000], each[:1000]),
        wide_ridge_logistic,
        seed=0,
        name="t",
        permutations=199,
        draws=200,
        halves=2,
        within=20,
        shuffles=2,
    )
    assert test.auc == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=3 * 0.0154)  # Hanley-McNeil SE
    assert test.p == 1 / 200


@pytest.mark.parametrize("refits", [0, 19])
def test_size_with_repeated_patients_and_without_the_grouping(refits):
    """Half-permutation and refit: the size must break when patients are taken for records."""
    repeats = 25 if refits else 120

    def p(seed, grouped):
        rng = np.random.default_rng(seed)
        person = np.repeat(rng.normal(size=(40, 20)), 3, axis=0)
        x = person + 0.3 * rng.normal(size=person.shape)
        label = np.arange(120) >= 60
        patient = np.repeat(np.arange(40), 3) if grouped else np.arange(120)
        pool = Pool(x, patient, patient)
        alone = Pool(x[~label], patient[~label], patient[~label])
        return two_sample_test(
            pool,
            label,
            alone,
            wide_ridge_logistic,
            seed=seed,
            name="t",
            permutations=199,
            draws=2,
            halves=1,
            within=2,
            shuffles=0,
            refits=refits,
        ).p

    right = np.mean([p(seed, True) <= 0.05 for seed in range(repeats)])
    assert right <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert np.mean([p(seed, False) <= 0.05 for seed in range(8 if refits else 20)]) > 0.3


def test_the_floor_of_permutations_within_halves_is_that_of_halves():
    """150 + 150 held out: the SD of an AUC under the null is 0.0334."""
    rng = np.random.default_rng(6)
    x, each, label = rng.normal(size=(600, 30)), np.arange(600), np.arange(600) >= 300
    alone = Pool(x[~label], each[:300], each[:300])
    for settings in ({"halves": 60, "within": 0}, {"halves": 6, "within": 100}):
        test = two_sample_test(
            Pool(x, each, each),
            label,
            alone,
            wide_ridge_logistic,
            seed=0,
            name="t",
            permutations=99,
            draws=9,
            shuffles=20,
            **settings,
        )
        assert test.floor == pytest.approx((0.5 - 1.96 * 0.0334, 0.5 + 1.96 * 0.0334), abs=0.03)
        assert test.shuffled == pytest.approx(0.5, abs=3 * 0.0334 / np.sqrt(20) * 1.5)


# ---- features ------------------------------------------------------------------------------------


def test_random_convolutions_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 200)).astype(np.float32)
    kernels = draw_kernels(x, 4, np.random.default_rng(1))
    found = minirocket(x, kernels).reshape(3, *kernels.bias.shape)
    assert set(kernels.weight.ravel()) == {-1, 2}
    assert (kernels.weight.sum(axis=-1) == 0).all()
    for i, dilation in enumerate(kernels.dilation):
        spread = np.zeros(8 * dilation + 1)
        for group in range(kernels.mix.shape[1]):
            for k in range(4):
                spread[::dilation] = kernels.weight[i, group, k]
                y = np.correlate(kernels.mix[i, group] @ x[1], spread, "valid")
                assert found[1, i, group, k] == pytest.approx(
                    (y > kernels.bias[i, group, k]).mean(), abs=0.011
                )
    assert 0.2 < found.mean() < 0.8  # levels lie inside what the kernels give


def test_convolutions_are_deaf_to_an_offset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 200)).astype(np.float32)
    kernels = draw_kernels(x, 4, np.random.default_rng(1))
    assert minirocket(x + 3, kernels) == pytest.approx(minirocket(x, kernels), abs=0.011)


def test_low_pass_takes_out_what_lies_above_and_nothing_else():
    t = np.arange(400) / 100
    slow, fast = np.cos(2 * np.pi * 4 * (t + 0.005)), np.cos(2 * np.pi * 30 * (t + 0.005))
    signals = (slow + fast)[None, None].astype(np.float32)
    assert low_pass(signals, 100, 15)[0, 0] == pytest.approx(slow, abs=1e-5)
    assert low_pass(signals, 100, 40)[0, 0] == pytest.approx(slow + fast, abs=1e-5)


@pytest.mark.parametrize("step", [0, 1, 2.44, 4.88, 5])
def test_rounding_step_is_read_off_the_samples(step):
    record = np.random.default_rng(0).normal(0, 0.2, (3, 1000))
    if step:
        record = np.rint(record * 1000 / step) * step / 1000
    assert rounding_step(record.astype(np.float32)) == pytest.approx(step, abs=0.02)


def test_rounding_step_is_seen_through_a_second_rounding():
    record = np.random.default_rng(0).normal(0, 0.2, (3, 1000))
    twice = np.rint(np.rint(record * 1000 / 4.88) * 4.88) / 1000
    assert rounding_step(twice) == pytest.approx(5)


# ---- near-duplicates -----------------------------------------------------------------------------


def test_near_twins_are_those_of_the_full_correlation_matrix(real):
    rng = np.random.default_rng(0)
    signals = real[0][:60].copy()
    signals[50] = signals[3] * 1.7 + 0.5
    signals[51] = signals[4] + rng.normal(0, 0.004, signals[4].shape)
    signals[52] = signals[5] + rng.normal(0, 0.2, signals[5].shape)
    signals[53] = 0.0
    signals[54] = 2.0
    twin = near_twins(signals)
    flat = (signals - signals.mean(axis=-1, keepdims=True)).reshape(60, -1).astype(float)
    size = np.linalg.norm(flat, axis=1)
    size[size == 0] = np.inf
    linked = (flat @ flat.T) / np.outer(size, size) > 0.999
    np.fill_diagonal(linked, True)
    assert ((twin[:, None] == twin) == linked).all()
    assert twin[50] == twin[3]
    assert twin[53] != twin[54]


def test_near_twins_of_a_collapsed_set_are_one_chain(real):
    signals = np.repeat(real[0][:1], 600, axis=0)
    assert len(np.unique(near_twins(signals))) == 1
    group = joined_groups(np.arange(5), np.array([0, 1, 1, 2, 3]))
    assert group[1] == group[2]
    assert len(np.unique(group)) == 4


# ---- the residual network ------------------------------------------------------------------------


def test_the_network_is_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2, 60)).astype(np.float32), np.arange(40) % 2 == 0
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(resnet(x, y, seed=3)(x))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert (found[0] == found[1]).all()
    assert (torch.random.get_rng_state() == state).all()
    assert (resnet(x, y, seed=4)(x) != found[0]).any()


def test_the_network_learns_a_shape_and_nothing_from_noise():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2, 100)).astype(np.float32), np.arange(200) % 2 == 0
    new = rng.normal(size=(200, 2, 100)).astype(np.float32)
    scores = resnet(x, y, seed=0)(new)
    assert auc(scores[~y], scores[y]) == pytest.approx(0.5, abs=3 * 0.041)
    bump = np.exp(-0.5 * np.linspace(-3, 3, 20) ** 2)
    for part in (x, new):
        for i in np.flatnonzero(y):
            at = rng.integers(80)
            part[i, 1, at : at + 20] += 1.5 * bump
    scores = resnet(x, y, seed=0)(new)
    assert auc(scores[~y], scores[y]) > 0.8


# ---- the whole -----------------------------------------------------------------------------------


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
        about = statistic(estimate.id)
        assert about is not None
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


def test_texture_above_50_hz_is_found_at_the_last_cutoff():
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


def test_occlusion_is_replacing_and_scoring_again(real, other):
    """The additive shortcut equals: put the mean beat there, ask the classifier once more."""
    beats = np.concatenate([real[1], other[1] + 0.02])
    x, _ = beat_features(beats, FS, ZERO)
    label, each = np.arange(2 * N) >= N, np.arange(2 * N)
    shape = beats.shape[1:]
    falls = occlude(
        Pool(x, each, each), label, shape, FS, ZERO, seed=0, name="t", draws=9, halves=1, within=9
    )
    from ecgeval.parallel import child_rng
    from ecgeval.stats.two_sample import split_groups

    train = split_groups(each, label, child_rng(0, "t"))
    inside = (WAVES[4][2] <= T) & (WAVES[4][3] > T)
    hidden = x.copy().reshape(2 * N, 2, *shape)
    hidden[:, :, 1, inside] = 0
    lost = np.zeros(2 * N)
    for side in (train, ~train):
        score = wide_ridge_logistic(x[side], label[side])
        lost[~side] = score(x[~side]) - score(hidden.reshape(2 * N, -1)[~side])
    assert falls.wave[1, 4] == pytest.approx(lost[label].mean() - lost[~label].mean(), abs=1e-4)
    assert falls.wave.sum() == pytest.approx(falls.gap, rel=1e-4)


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
    monkeypatch.setattr(w.findings, "REFITS", 19)
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
        run(real, other, patients_real=np.arange(3))
    with pytest.raises(UsageError, match="leads"):
        run((real[0][:, :2], real[1]), (other[0][:, :2], other[1]))


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
    results = compare_waveforms(
        ecgs.select(normal).signals,
        ecgs.select(~normal).signals,
        ecgs.fs,
        ecgs.leads,
        patients_real=who[normal],
        patients_synth=who[~normal],
        beats_real=marks.beats[normal],
        beats_synth=marks.beats[~normal],
        beats_fs=marks.fs,
        beats_zero=round(0.4 * marks.fs),
        quick=True,
    )
    look = finding(results, "C2ST-LOOK")
    assert look.verdict == Verdict.FAIL
    assert "around the T wave" in look.title
