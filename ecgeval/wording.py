"""Numbers and strings as people read them; the same in HTML, PDF and figures."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

__all__ = [
    "between",
    "clean",
    "cut",
    "fixed",
    "interval",
    "is_or_are",
    "listed",
    "nothing",
    "number",
    "p_text",
    "places",
    "plural",
    "pvalue",
    "quantity",
    "role_order",
    "share_text",
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


def cut(text: str, most: int) -> str:
    """Return at most `most` characters; what is too long ends in an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


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


_DIGITS = {"ms": 1, "bpm": 1, "deg": 1, "mV": 3}


def quantity(value: float, unit: str = "", sign: bool = False) -> str:
    """Return a value with the digits that its unit deserves."""
    shown = f"{value:{'+' if sign else ''}.{_DIGITS.get(unit, 2)}f}"
    if not float(shown):
        shown = shown.lstrip("+-")
    return shown.replace("-", "−") + (f" {unit}" if unit else "")


def nothing(value: float, unit: str = "") -> str:
    """Return the last digit of `quantity` where it would print 0, else an empty string."""
    step = 10.0 ** -_DIGITS.get(unit, 2)
    return quantity(step, unit) if abs(value) < step / 2 else ""


def p_text(p: float, least: float) -> str:
    """Return a p-value; the smallest that the draws can give is an upper limit."""
    return f"p {'≤' if p <= least * (1 + 1e-9) else '='} {p:.2g}"


def between(pair: tuple[float, float], unit: str = "") -> str:
    digits = quantity(pair[0], unit).removesuffix(f" {unit}") if unit else quantity(pair[0])
    return f"{digits} to {quantity(pair[1], unit)}"


def listed(labels: Sequence[str], shown: int = 3) -> str:
    more = len(labels) - shown
    return ", ".join(labels[:shown]) + (f" and {more} more measures" if more > 0 else "")


def plural(count: int, noun: str) -> str:
    """Return ``1 record``, ``2 records``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def share_text(share: float) -> str:
    """Return a share in per cent, with two digits where it is small: an upper limit is never 0."""
    return f"{share:.1%}" if share >= 0.01 else f"{100 * share:.2g}%"


def is_or_are(count: int) -> str:
    """Return the verb between a count and ``a copy``."""
    return "is" if count == 1 else "are each"
