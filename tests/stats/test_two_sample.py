"""The classifier two-sample test: size, power, and what copies do to it."""

import numpy as np
import pytest
from scipy.stats import norm

from ecgeval.stats import two_sample
from ecgeval.stats.classifiers import boosting, nearest, ridge_logistic
from ecgeval.stats.effects import auc
from ecgeval.stats.sample import Sample
from ecgeval.stats.two_sample import classifier_test, duplicate_groups, off_centre, split_groups

FEATURES = 15


def run(real, synth, fit=ridge_logistic, seed=0, **light):
    light = {"permutations": 499, "draws": 100, "halves": 2, "shuffles": 1, **light}
    return classifier_test(real, synth, [False] * real.values.shape[1], fit, seed=seed, **light)


def people(rng, patients, each, icc=0.9):
    person = np.repeat(rng.normal(size=(patients, FEATURES)), each, axis=0) * np.sqrt(icc)
    values = person + rng.normal(size=(patients * each, FEATURES)) * np.sqrt(1 - icc)
    return Sample(values, np.repeat(np.arange(patients), each))


def test_size_with_repeated_patients_and_without_the_grouping():
    """A split by record lets the classifier recognise people: the size must then break."""
    grouped, by_record = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        real, synth = people(rng, 40, 3), people(rng, 40, 3)
        grouped.append(run(real, synth, seed=seed).p <= 0.05)
        if seed < 40:
            alone = [Sample(s.values, np.arange(120)) for s in (real, synth)]
            by_record.append(run(*alone, seed=seed).p <= 0.05)
    assert np.mean(grouped) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert np.mean(by_record) > 0.3


def test_auc_of_shifted_gaussians_is_the_closed_form():
    rng = np.random.default_rng(1)
    shift = np.full(4, 0.5)  # |mu| = 1: the best possible AUC is Phi(1 / sqrt 2)
    real = Sample(rng.normal(size=(2000, 4)), np.arange(2000))
    synth = Sample(rng.normal(size=(2000, 4)) + shift, np.arange(2000))
    test = run(real, synth, draws=500)
    half = (test.ci[1] - test.ci[0]) / 2
    assert test.auc == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=1.6 * half)
    assert test.p == 1 / 500
    # Hanley and McNeil 1982: the standard error at this AUC and 1000 + 1000 is 0.0109.
    assert half == pytest.approx(1.96 * 0.0109, rel=0.2)
    assert (test.n_real, test.n_synth) == (1000, 1000)
    assert test.importance.min() > 0


@pytest.mark.parametrize("fit", [ridge_logistic, nearest, boosting])
def test_near_copies_push_the_auc_below_one_half(fit):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(150, 40))
    real = Sample(values, np.arange(150))
    synth = Sample(values + rng.normal(scale=0.03, size=values.shape), np.arange(150))
    test = run(real, synth, fit)
    assert test.auc < 0.4
    assert test.p_below == 1 / 500


def test_exact_copies_do_not_straddle_the_split():
    values = np.random.default_rng(3).normal(size=(150, 40))
    real, synth = Sample(values, np.arange(150)), Sample(values, np.arange(150))
    assert run(real, synth).auc == pytest.approx(0.5, abs=0.01)
    # Without the groups the copies act as near-copies do.
    x, label = np.concatenate([values, values]), np.arange(300) >= 150
    train = split_groups(np.arange(300), label, np.random.default_rng(0))
    scores = ridge_logistic(x[train], label[train])(x[~train])
    assert auc(scores[~label[~train]], scores[label[~train]]) < 0.4


def test_groups_join_patients_that_share_a_record():
    values = np.array([[1.0, 2], [3, np.nan], [3, np.nan], [5, 6], [1, 2]])
    group = duplicate_groups(values, np.array([0, 0, 1, 2, 3]))
    assert len(set(group[[0, 1, 2, 4]])) == 1
    assert group[3] != group[0]


def test_the_split_halves_the_groups_of_either_label():
    label = np.arange(90) >= 30
    group = np.repeat(np.arange(45), 2)
    train = split_groups(group, label, np.random.default_rng(0))
    assert (train[::2] == train[1::2]).all()
    assert train[label].sum() == 30
    assert abs(train[~label].sum() - 15) <= 1


def test_missing_values_alone_can_give_it_away_and_are_named():
    rng = np.random.default_rng(4)
    real, synth = rng.normal(size=(2, 300, 5))
    synth[rng.random(300) < 0.5, 2] = np.nan
    test = run(Sample(real, np.arange(300)), Sample(synth, np.arange(300)))
    assert test.p == 1 / 500
    assert test.importance.argmax() == 2


def test_units_and_exchange_do_not_change_what_is_found():
    rng = np.random.default_rng(5)
    real, synth = rng.normal(size=(200, 5)), rng.normal(0.4, 1, size=(200, 5))
    each = np.arange(200)
    plain = run(Sample(real, each), Sample(synth, each))
    scaled = run(Sample(real * 1000, each), Sample(synth * 1000, each))
    assert scaled.auc == pytest.approx(plain.auc)
    assert scaled.p == plain.p


def test_a_gaussian_floor_is_around_one_half():
    rng = np.random.default_rng(6)
    real = Sample(rng.normal(size=(300, 5)), np.arange(300))
    synth = Sample(rng.normal(size=(300, 5)), np.arange(300))
    test = run(real, synth, halves=60, shuffles=40)
    # 150 + 150 held out: the SD of an AUC under the null is 0.0334.
    assert test.floor[0] == pytest.approx(0.5 - 1.96 * 0.0334, abs=0.03)
    assert test.floor[1] == pytest.approx(0.5 + 1.96 * 0.0334, abs=0.03)
    assert test.shuffled == pytest.approx(0.5, abs=3 * 0.0334 / np.sqrt(40))


def test_too_few_patients_are_a_reason_not_an_error():
    few = Sample(np.zeros((30, 2)), np.arange(30))
    assert run(few, few) == "30 patients in the smaller set (at least 40 needed)"


def test_constant_and_empty_measures_do_not_break_the_fit():
    rng = np.random.default_rng(7)
    values = rng.normal(size=(80, 4))
    values[:, 1], values[:, 2] = np.nan, 3.0
    test = run(Sample(values, np.arange(80)), Sample(values + 0.1, np.arange(80)))
    assert 0 <= test.auc <= 1


def test_a_floor_off_one_half_is_explained():
    assert off_centre((0.45, 0.55)) == ""
    assert off_centre((0.452, 0.545)) == ""  # 0.4985 is 0.50 as it is printed
    for floor, middle in (((0.40, 0.54), "0.47"), ((0.48, 0.56), "0.52")):
        assert f"not centred on 0.5 but on {middle}" in off_centre(floor)


def test_the_middle_of_real_against_real_is_expected_at_one_half():
    """What `off_centre` says: over many halves the mean AUC is 0.5, whatever the records."""
    who = np.arange(60)
    alone = two_sample.Pool(np.random.default_rng(0).normal(size=(60, 12)), who, who)
    aucs = [two_sample._null_auc(alone, ridge_logistic, 0, 0, "n", k)[0] for k in range(200)]
    assert abs(np.mean(aucs) - 0.5) < 3 * np.std(aucs) / np.sqrt(200)
