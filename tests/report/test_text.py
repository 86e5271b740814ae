"""Numbers and strings as they are printed."""

import pytest

from ecgeval.wording import clean, fixed, interval, number, places, pvalue, shortened, slug


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (-0.123456, "−0.123"),
        (1234.5, "1,234"),
        (99.96, "100"),
        (2.5e-5, "2.50 × 10⁻⁵"),
        (7233, "7,233"),
        (-3, "−3"),
        (None, "–"),
        (True, "yes"),
        (float("nan"), "–"),
        ("text", "text"),
    ],
)
def test_number(value, text) -> None:
    assert number(value) == text


def test_an_estimate_is_as_precise_as_its_interval() -> None:
    assert places(-0.222, -0.0417) == 2
    assert interval((-0.222, -0.0417), 2) == "−0.22 to −0.04"
    assert places(391.2, 411.9) == 0
    assert fixed(401.63, 0) == "402"
    assert places(0.1, 0.1) is None
    assert fixed(-0.001, 2) == "0.00"
    assert interval((None, 1.0)) == "–"


def test_p_is_never_printed_as_zero() -> None:
    assert pvalue(0.04321) == "0.043"
    assert pvalue(1e-4) == "0.0001"
    assert pvalue(1e-7) == "1 × 10⁻⁷"


def test_clean_removes_what_breaks_xml_or_misleads() -> None:
    assert clean("a\x00b\x1bc\u202ed\ud800e\n\té漢") == "a\ufffdb\ufffdc\ufffdd\ufffde\n\té漢"


def test_slug_stays_in_its_folder() -> None:
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("fidelity.qt_rr") == "fidelity.qt_rr"
    assert slug("///") == "item"


def test_a_long_label_loses_its_middle() -> None:
    assert shortened("a" * 40) == "a" * 40
    long = shortened("left anterior fascicular block with incomplete right bundle branch block")
    assert len(long) <= 40
    assert long.startswith("left anterior")
    assert long.endswith("branch block")
    assert long.count("…") == 1


def test_a_code_keeps_to_one_line_and_its_text_stays_escaped():
    from ecgeval.report.html import _codes

    got = str(_codes("<b> failed: FID-SPREAD, PRIV-MIA"))
    assert got == (
        '&lt;b&gt; failed: <span class="whole">FID-SPREAD</span>, '
        '<span class="whole">PRIV-MIA</span>'
    )
