"""The rules beside another interpreter: kappa, and how statements are read."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.plausibility.interpreter import cohen_kappa, join_interpreter
from ecgeval.errors import DataError, UsageError


def join(rules, path):
    return join_interpreter(rules, path, rules.index, rng=np.random.default_rng(0))


def test_kappa_by_hand_and_against_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    # Cohen's own arithmetic: 20 + 15 of 50 agree, chance 25/50·30/50 + 25/50·20/50 = 0.5
    assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    rng = np.random.default_rng(5)
    a = rng.random(200) < 0.6
    b = a ^ (rng.random(200) < 0.2)
    counts = np.array([[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]])
    assert cohen_kappa(counts) == pytest.approx(cohen_kappa_score(a, b))
    assert np.isnan(cohen_kappa(np.array([[9, 0], [0, 0]])))


def test_statements_are_read_as_12sl_writes_them(tmp_path):
    rules = pd.DataFrame(
        {"normal": ["pass", "pass", "fail", "fail", "not measurable", "depends on sex or age"]},
        index=list("abcdef"),
    )
    says = [
        "Normal sinus rhythm Normal ECG",
        "Otherwise normal ECG",
        "Abnormal ECG",
        "Normal ECG",
        "Borderline ECG",
        "Normal ECG",
    ]
    path = tmp_path / "12sl.csv"
    pd.DataFrame({"ecg_id": list("abcdef"), "Statements": says}).to_csv(path, index=False)
    found = join(rules, path)
    assert found.counts.tolist() == [[1, 1], [1, 2]]
    assert (found.n, found.undecided, found.unmatched) == (5, 1, 0)
    flags = tmp_path / "flags.csv"
    said = pd.DataFrame({"id": list("abcde"), "normal": [True, False, False, True, None]})
    said.to_csv(flags, index=False)
    found = join(rules, flags)
    assert found.counts.tolist() == [[1, 1], [1, 1]]
    assert found.unmatched == 2
    with pytest.raises(DataError, match="matches the record ids"):
        join(rules.set_axis([f"x{k}" for k in range(6)]), path)
    said.rename(columns={"normal": "verdict"}).to_csv(flags, index=False)
    with pytest.raises(UsageError, match=r"no column normal or is_normal.*it has id, verdict"):
        join(rules, flags)
    said.assign(normal="maybe").to_csv(flags, index=False)
    with pytest.raises(DataError, match="'maybe'"):
        join(rules, flags)
