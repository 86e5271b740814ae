"""The table of rules: sources, columns, whose limits they are, limits in words."""

import numpy as np

from ecgeval.comparison.plausibility.rule_table import Limit, load_rules
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.measures import measure_columns


def test_every_rule_has_a_source_and_reads_columns_that_exist():
    table = load_rules()
    known = {*measure_columns(STANDARD_LEADS)}
    for rule in table.rules:
        assert rule.source
        assert rule.text(True)
        for condition in rule.conditions:
            for column in condition.columns():
                if column.split("_")[0] in ("stj", "t", "p") and column.endswith("_mv"):
                    assert column in known, column
            for limits in (condition.strict, condition.alternative):
                for sex, age in table.people():
                    assert sum(limit.holds_for(sex, age) for limit in limits) == 1


def test_limits_in_words_and_at_their_ends():
    open_end = Limit(low=-0.05, high=450, closed=(False, True), sex="M", ages=(40, np.inf))
    assert str(open_end) == "> −0.05 and ≤ 450 (men from 40 y)"
    assert open_end.keeps(np.array([-0.05, 450, 450.1, np.nan])).tolist() == [
        False,
        True,
        False,
        False,
    ]
    assert open_end.holds_for("M", 40)
    assert not open_end.holds_for("F", 40)
    assert not open_end.holds_for("M", 39.9)
    assert load_rules().rules[0].text(False) == "heart rate ≥ 50 and ≤ 100 bpm"
