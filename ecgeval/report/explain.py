"""From a name that a person types to its meaning: the catalogue, and the table of measures."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

from ecgeval.catalogue import CATALOGUE
from ecgeval.checks import Check, Statistic
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.errors import UsageError
from ecgeval.measures import MEASURES, measure_columns, measure_info

__all__ = ["Explained", "explain", "explained", "statistic"]


@dataclass(frozen=True)
class Explained:
    """What a code, a statistic or a measure means, in the parts that a reader is shown."""

    code: str
    title: str
    definition: str
    formula: str = ""
    source: str = ""
    limits: str = ""

    def __str__(self) -> str:
        parts = (("Formula", self.formula), ("Source", self.source), ("Limits", self.limits))
        told = [f"{name}: {text}" for name, text in parts if text]
        return "\n".join([f"{self.code}: {self.title}", self.definition, *told])


def explained(name: str) -> Explained | None:
    """Return what a code or a statistic of exactly this name means, None where it is unknown."""
    found = CATALOGUE.get(name)
    if isinstance(found, Check):
        parts = (found.asks, found.statistic, found.source, found.cannot_show)
    elif isinstance(found, Statistic):
        parts = (found.definition, found.formula, found.source, found.cannot_show)
    else:
        return None
    return Explained(name, found.title, *parts)


def statistic(id: str) -> Explained | None:
    """Return what the statistic of an estimate id means, None where it is not in the table.

    A statistic is named by the last part of the id, or by the last two (``copies.count``); where
    it comes in variants, by its stem (``c2st.logistic_auc``, ``recall.d2.shift``).
    """
    parts = id.split(".")
    last = parts[-1]
    for several in ("recall", "power"):
        if several in parts:
            return explained(several)
    own = re.sub(r"_d\d$", "", f"{parts[0]}_{last}")  # a section's own: sweep.epoch-00025.energy
    names = [own, "_".join(parts[-2:]), last]
    if "c2st" in parts:
        names.append(f"c2st_{last.rpartition('_')[2]}")
    if re.fullmatch(r"topq?\d+", last):
        names.append("topq")
    if last == "patients_upper":
        names.append("copies_upper")
    return next((explained(name) for name in names if name in CATALOGUE), None)


def explain(code: str) -> Explained:
    """Return what a finding code, statistic, measure or estimate id means.

    Parameters
    ----------
    code : str
        For example ``FID-EQUIV``, ``cliffs_delta``, ``qrs_ms``, ``fidelity.qrs_ms.cliffs_delta``
        or a measure as the report names it (``S amplitude V2``), in any case; ``list`` for all
        names there are.

    Raises
    ------
    UsageError
        If nothing of that name is known; the message names the closest.
    """
    wanted = code.strip()
    if wanted.lower() == "list":
        return _listing()
    words = _names()
    found = _statistic(wanted)
    measure = _measure(wanted if "." not in wanted else wanted.split(".")[-2])
    measure = measure or _measure(words.get(wanted.lower(), ""))
    if found and found.code == "recall" and "." in wanted:
        detector, disguise = wanted.split(".")[-2:]
        about = [e for c in (detector.upper(), disguise) if (e := explained(c))]
        return replace(
            found,
            code=wanted,
            title="; ".join(e.title for e in (found, *about)),
            definition=" ".join(e.definition for e in (found, *about)),
        )
    if found and measure and "." in wanted:
        return Explained(
            wanted,
            f"{found.title} of {measure.title}",
            f"{found.definition} {measure.definition}",
            found.formula,
            found.source,
            found.limits,
        )
    found = found or measure or explained(words.get(wanted.lower(), ""))
    if found:
        return found
    close = difflib.get_close_matches(wanted.lower(), words, 8, 0.5)
    near = list(dict.fromkeys(words[word] for word in close))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(f"no explanation of {code!r}; {hint}`ecgeval explain list` prints all names")


def _statistic(name: str) -> Explained | None:
    """Return the explanation of a code or statistic, also without its section."""
    if re.fullmatch(r"(logistic|nearest|boosting)_(auc|shuffled)", name.lower()):
        return explained(f"c2st_{name.lower().partition('_')[2]}")
    found = explained(name) or explained(name.upper())
    return found or statistic(re.sub(r"[ -]", ".", name))


def _names() -> dict[str, str]:
    """Return every name that is understood, in lower case, and what it stands for."""
    columns = {c: measure_info(c).label for c in measure_columns(STANDARD_LEADS)}
    labels = {label.lower(): column for column, label in columns.items()}
    titles = {e.title.lower(): code for code, e in CATALOGUE.items()}
    own = {name.lower(): name for name in (*CATALOGUE, *MEASURES, *columns)}
    return titles | labels | own


def _listing() -> Explained:
    codes = [name for name in CATALOGUE if "-" in name]
    groups = {
        "Findings": codes,
        "Statistics, detectors and disguises": [n for n in CATALOGUE if n not in codes],
        "Measures": list(MEASURES),
    }
    return Explained(
        "list",
        "what can be explained",
        "\n".join(f"{group}: {', '.join(names)}" for group, names in groups.items()),
        limits="{lead} is one of " + ", ".join(STANDARD_LEADS) + ".",
    )


def _measure(name: str) -> Explained | None:
    try:
        m = MEASURES[name] if name in MEASURES else measure_info(name)
    except KeyError:
        return None
    span = f"{m.low:g} to {m.high:g} {m.unit}"
    return Explained(
        name,
        m.label,
        f"{m.label[:1].upper()}{m.label[1:]} ({m.unit}): {m.definition}.",
        limits=f"Values outside {span} are kept and counted as implausible.",
    )
