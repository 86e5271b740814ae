import pytest

from ecgeval.comparison.margins import load_margins
from ecgeval.errors import UsageError


def test_a_margin_says_when_it_is_a_share_of_the_median():
    margins = load_margins("lenient")
    assert margins.share("s_amp_V2_mv", -1.2) == 0.1  # 0.12 mV, more than 0.1
    assert margins.share("s_amp_V2_mv", -0.8) == 0  # 0.1 mV
    assert margins.share("qrs_ms", 90) == margins.share("no_such_measure", 1) == 0


def test_margins_of_the_table():
    lenient, strict = load_margins(), load_margins("strict")
    assert (lenient.of("qrs_ms", 90), strict.of("qrs_ms", 90)) == (6, 2)
    assert lenient.of("r_amp_V5_mv", 2.0) == pytest.approx(0.2)
    assert lenient.of("r_amp_V5_mv", 0.5) == pytest.approx(0.1)
    assert lenient.of("s_amp_aVR_mv", -2.0) == pytest.approx(0.2)
    assert lenient.of("rmssd_ms", 30) is None
    assert lenient.missing == 0.03
    assert lenient.sd_ratio == (0.8, 1.25)
    assert len(lenient.primary) <= 12


def test_own_margins_override_and_keep_the_rest(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('primary = ["qrs_ms"]\n[measures]\nqrs_ms = { strict = 1, lenient = 3 }\n')
    margins = load_margins("lenient", path)
    assert margins.primary == ("qrs_ms",)
    assert margins.of("qrs_ms", 90) == 3
    assert margins.of("hr_bpm", 70) == 5


def test_margins_of_quantiles_and_distance(tmp_path):
    """Those of the median, times a factor, unless a measure has its own in its unit."""
    default = load_margins()
    assert default.of("qrs_ms", 90, "quantiles") == default.of("qrs_ms", 90) == 6
    assert default.of("r_amp_V5_mv", 2.0, "wasserstein") == pytest.approx(0.2)
    assert default.of("rmssd_ms", 30, "quantiles") is None
    path = tmp_path / "mine.toml"
    path.write_text(
        "[quantiles]\nstrict = 1\nlenient = 2\n[measures]\n"
        "qrs_ms = { strict = 2, lenient = 6, wasserstein = { strict = 3, lenient = 4 } }\n"
        '"r_amp_{lead}_mv" = { strict = 1, lenient = 1, quantiles = { strict = 1, lenient = 3 } }\n'
    )
    own = load_margins("lenient", path)
    assert own.of("qrs_ms", 90, "quantiles") == 12
    assert own.of("qrs_ms", 90, "wasserstein") == 4
    assert own.of("r_amp_V5_mv", 1, "quantiles") == 3
    assert own.of("qrs_ms", 90) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("primry = []", "unknown key 'primry'"),
        ("primary = []", "1 to 12"),
        ('primary = ["qrs"]', "'qrs' is no measure"),
        ('primary = ["rmssd_ms"]', "has no margin"),
        ("[measures]\nqrs_ms = { strict = 1, lenient = -3 }", "qrs_ms.lenient is -3"),
        ("[measures]\nqrs_ms = { strict = 1 }", "expected a positive number"),
        ("[sd_ratio]\nlenient = [1.2, 0.8]", "sd_ratio.lenient"),
        ("[quantiles]\nlenient = 0", "quantiles.lenient is 0"),
        (
            "[measures]\nqrs_ms = { strict = 1, lenient = 3, wasserstein = { lenient = -1 } }",
            "qrs_ms.wasserstein.lenient is -1",
        ),
        ("measures = 3", "expected a table"),
        ("measures = [", "cannot read the margins file"),
    ],
)
def test_bad_margins_are_named(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        load_margins("lenient", path)


def test_unknown_level():
    with pytest.raises(UsageError, match="strict or lenient"):
        load_margins("loose")
