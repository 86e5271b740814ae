"""Numbers and strings as people read them; the same in HTML, PDF and figures."""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = [
    "clean",
    "fixed",
    "interval",
    "number",
    "places",
    "pvalue",
    "role_order",
    "shortened",
    "slug",
]

# Control characters break XML and PDF/A; bidirectional overrides can make an id read as another.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def clean(text: Any) -> str:
    """Return text in which control and direction characters are replaced by U+FFFD."""
    return _UNSAFE.sub("\ufffd", str(text).replace("\r\n", "\n"))


def number(value: Any, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, a true minus sign, and no exponent
    where a person would write none; text is returned as it is, nothing as an en dash.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if not isinstance(value, float):
        return clean(value)
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    size = int(exponent)
    if size < -4:
        return f"{mantissa} × 10{str(size).translate(_RAISED)}".replace("-", "−")
    return f"{value:,.{max(0, digits - 1 - size)}f}".replace("-", "−")


def shortened(text: str, most: int = 40) -> str:
    """Return a label of at most `most` characters: what is too long loses its middle, for names
    differ at their ends.
    """
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head].rstrip()}…{text[len(text) - (most - head - 1) :].lstrip()}"


def places(*values: float | None) -> int | None:
    """Return the decimals that give the spread of `values` two digits; None where it is none.

    An estimate is then written as precisely as its interval says it is known.
    """
    there = [v for v in values if v is not None]
    spread = max(there) - min(there) if there else 0
    if not spread:
        return None
    return max(0, 1 - math.floor(math.log10(spread)))


def fixed(value: float | None, decimals: int | None) -> str:
    """Return a number with so many decimals; by significant digits where None or too small."""
    if value is None or decimals is None or decimals > 5:
        return number(value)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def interval(pair: tuple[float | None, float | None] | None, decimals: int | None = None) -> str:
    """Return ``low to high``, or an en dash."""
    if pair is None or None in pair:
        return "–"
    return f"{fixed(pair[0], decimals)} to {fixed(pair[1], decimals)}"


def pvalue(p: float | None) -> str:
    """Return a p-value: three decimals, or fewer significant digits where it is small."""
    if p is None:
        return "–"
    return f"{p:.3f}" if p >= 0.01 else number(float(p), 1)


def slug(text: str) -> str:
    """Return `text` as a file name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "item"


def role_order(role: str) -> int:
    """Return where a set stands: results.json sorts its keys, people read real ones first."""
    roles = ("real", "train", "holdout", "synth")
    return roles.index(role) if role in roles else len(roles)
