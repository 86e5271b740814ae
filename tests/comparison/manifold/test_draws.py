"""Draws of one size: what the scores estimate, and how well their intervals and floors hold."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.manifold import scores as ms
from ecgeval.comparison.manifold.draws import _neighbourhoods, score_space
from ecgeval.comparison.pair import Pair, Side

AXES = 10
SCALE = np.linspace(1.5, 0.3, AXES)


def people(seed, patients, each=1, icc=0.9):
    """Return points and patient ids: a person's records are alike."""
    rng = np.random.default_rng(seed)
    person = np.repeat(rng.normal(size=(patients, AXES)), each, axis=0) * np.sqrt(icc)
    points = person + rng.normal(size=(patients * each, AXES)) * np.sqrt(1 - icc)
    return points * SCALE, np.repeat([f"{seed}-{i:05d}" for i in range(patients)], each)


def scores(real, synth, **options):
    """Return the scores of (points, ids) against (points, ids)."""
    sides = [Side(pd.DataFrame(index=range(len(ids))), ids) for _, ids in (real, synth)]
    pair = Pair(*sides, quick=True, **options)
    return score_space("measures", (real[0], synth[0]), pair).scores


def test_none_seen_is_not_none():
    """0 of 100 patients leaves up to 3.6 % (Clopper and Pearson)."""
    cloud = np.random.default_rng(5).normal(size=(2, 100, 40))
    e = scores(*((points, np.arange(100)) for points in cloud))["close_pairs"]
    assert (e.value, e.null) == (0, 0)
    assert e.ci == e.floor == pytest.approx((0, 0.0362), abs=1e-4)


def test_the_floor_goes_with_n_where_the_score_does():
    """The same null gives another distance at another n; the floor says so."""
    value = []
    for patients in (60, 600):
        found = scores(people(8, patients), people(9, patients))
        e, limit = found["frechet"], found["frechet_limit"]
        assert e.floor[0] <= e.value <= e.floor[1]
        assert e.null == pytest.approx(e.value, rel=0.6)
        assert limit.ci[0] < 0 < limit.ci[1]
        value.append(e.value)
    assert value[0] > 2 * value[1]


def scores_of(real, other):
    own = [ms.neighbour_distances(x, 5) for x in (real, other)]
    return _neighbourhoods(real, other, *own) | {
        "alpha_precision": ms.integrated(ms.alpha_curve(real, other)),
        "kid": ms.kid(real, other),
    }


def test_interval_covers_the_expected_score_with_three_records_a_patient():
    """The interval holds E[score at n = 40], the floor 95 % of single real-against-real scores."""
    watched = ("improved_precision", "improved_recall", "density", "alpha_precision", "kid")
    truth, null = [], []
    for seed in range(300):
        real, fresh, other = (people(10_000 + 1000 * k + seed, 40)[0] for k in range(3))
        truth.append([scores_of(real, 0.8 * other)[name] for name in watched])
        null.append([scores_of(real, fresh)[name] for name in watched])
    truth = np.mean(truth, axis=0)
    held, inside = [], []
    for seed in range(30):
        points, ids = people(seed, 80, 3)
        other, others = people(1000 + seed, 80, 3)
        every = scores((points, ids), (0.8 * other, others), seed=seed)
        found = [every[name] for name in watched]
        held.append([e.ci[0] <= t <= e.ci[1] for e, t in zip(found, truth, strict=True)])
        low, high = np.transpose([e.floor for e in found])
        inside.append(((null >= low) & (null <= high)).mean(axis=0))
    held, inside = np.mean(held, axis=0), np.mean(inside, axis=0)
    assert (held > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 30)).all(), held
    assert (np.abs(inside - 0.95) < 0.04).all(), inside
