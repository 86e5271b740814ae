"""Mapping over shards: order, progress, streams of chance."""

import os

import numpy as np
import pytest

from ecgeval import parallel
from ecgeval.parallel import child_rng, map_shards, shards


def double(x):
    return 2 * x


def where(x):
    return os.getpid()


@pytest.mark.parametrize(("jobs", "worth"), [(1, 0), (2, 0), (2, 1e9)])
def test_results_come_in_order_from_a_generator_with_progress(jobs, worth, monkeypatch):
    monkeypatch.setattr(parallel, "_WORTH_S", worth)
    seen = []
    got = map_shards(
        double,
        (i for i in range(5)),
        jobs=jobs,
        stage="s",
        weights=[2] * 5,
        progress=lambda *a: seen.append(a),
    )
    assert got == [0, 2, 4, 6, 8]
    assert seen[0] == ("s", 0, 10)
    assert [done for _, done, _ in seen] == [0, 2, 4, 6, 8, 10]


def test_processes_are_started_only_for_work_that_is_worth_it(monkeypatch):
    monkeypatch.setattr(parallel, "_WORTH_S", 4.0)
    assert set(map_shards(where, range(6), jobs=2)) == {os.getpid()}
    monkeypatch.setattr(parallel, "_WORTH_S", -1)
    places = map_shards(where, range(6), jobs=2)
    assert places[:2] == [os.getpid()] * 2
    assert os.getpid() not in places[2:]


def test_shards_cover_the_range():
    assert shards(5, 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert shards(0, 2) == []


def test_each_named_step_has_a_stream_of_its_own():
    a, b = child_rng(1, "ks", "qrs"), child_rng(1, "ks", "qt")
    assert a.random() != b.random()
    assert child_rng(1, "ks", "qrs").random() == child_rng(1, "ks", "qrs").random()
    assert child_rng(2, "ks").random() != child_rng(1, "ks").random()
    many = [child_rng(0, "step", i).random() for i in range(500)]
    assert 0.4 < np.mean(many) < 0.6
