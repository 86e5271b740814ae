"""Copies planted on purpose: which records, and the beats that an audit was given."""

import numpy as np
import pytest

from ecgeval.errors import UsageError
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.copies.neighbours import Side
from ecgeval.privacy.copies.signals import record_signals
from ecgeval.privacy.planting import GivenBeats, plant_copies, rows_to_plant


def side(ecgs) -> Side:
    signals = record_signals(ecgs, ecgs.leads, ecgs.seconds)
    return Side(ecgs, np.arange(len(ecgs)), {"record": signals})


def test_there_is_one_beat_a_record_of_every_set(sim) -> None:
    sets = {"train": sim(3, seconds=2), "synth": sim(2, seed=1, seconds=2)}
    leads = sets["train"].leads
    with pytest.raises(UsageError, match="no representative beats for synth"):
        GivenBeats({"train": np.zeros((3, 8, 550))}, None, sets, leads)
    with pytest.raises(UsageError, match="4 representative beats for the 2 records of synth"):
        GivenBeats(
            {"train": np.zeros((3, 8, 550)), "synth": np.zeros((4, 8, 550))}, None, sets, leads
        )
    given = {name: np.ones((len(s), 8, 550)) * np.arange(550.0) for name, s in sets.items()}
    beats = GivenBeats(given, None, sets, leads)
    assert beats.some("train", np.array([2])).shape == (1, 8, 275)
    assert beats.signals("synth").usable.all()


def test_only_usable_records_are_planted_under_every_disguise(sim) -> None:
    train, synth = sim(6, fs=100), sim(4, seed=1, fs=100)
    signals = train.signals.copy()
    signals[2] = 0
    flat = side(type(train)(signals, train.fs, train.leads, train.records))
    rows = rows_to_plant(flat, 10, np.random.default_rng(0))
    assert rows.tolist() == [0, 1, 3, 4, 5]
    planted = plant_copies(
        flat,
        rows,
        side(synth),
        np.random.default_rng(0),
        seconds=train.seconds,
        single=False,
        beats=None,
        delineated=None,
    )
    assert set(planted) == {"record"}
    assert planted["record"].x.shape[0] == len(TRANSFORMS) * len(rows)
    # The first block is the records themselves.
    np.testing.assert_allclose(
        planted["record"].x[: len(rows)], flat.signals["record"].x[rows], atol=1e-5
    )
