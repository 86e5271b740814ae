"""Estimate, Finding, Results: what every comparison returns, and its versioned JSON form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_type_hints

import numpy as np
import pandas as pd

from ecgeval.errors import DataError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "SCHEMA",
    "Estimate",
    "Figure",
    "Finding",
    "Results",
    "Section",
    "Table",
    "Verdict",
    "json_schema",
    "worst",
]

SCHEMA = "ecgeval.results/1"
"""Name and version of the layout of `results.json`. The version rises when a reader would break."""

Better = Literal["lower", "higher", "near_null", "descriptive"]


class Verdict(StrEnum):
    """The four words a finding may end with."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_ASSESSABLE = "NOT_ASSESSABLE"


_SEVERITY = [Verdict.PASS, Verdict.NOT_ASSESSABLE, Verdict.INCONCLUSIVE, Verdict.FAIL]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides: FAIL, then INCONCLUSIVE, NOT_ASSESSABLE, PASS.

    Nothing to decide on is NOT_ASSESSABLE, never a PASS.
    """
    return max(verdicts, key=_SEVERITY.index, default=Verdict.NOT_ASSESSABLE)


@dataclass(frozen=True)
class Estimate:
    """One number, never alone.

    Parameters
    ----------
    id : str
        Stable dotted name, ``section.measure.statistic``, for example
        ``fidelity.qrs_ms.cliffs_delta``.
    value : float or None
        The estimate; None where it could not be computed (`method` says why).
    ci : (float, float) or None
        Confidence interval at `level`.
    p : float or None
        p-value, never 0: permutation p-values count the observed statistic.
    floor : (float, float) or None
        Noise floor: the central 95 % of the same statistic on real against real, at the sizes
        compared here.
    n_real, n_synth : int
        Records used on each side.
    unit : str
        Physical unit; empty for a pure number.
    better : {"lower", "higher", "near_null", "descriptive"}
        Which direction is good; ``near_null`` means close to `null`.
    method : str
        How it was computed, in a few words.
    seed : int or None
        Seed of the run, where chance was involved.
    label : str
        Title for people.
    null : float or None
        Value expected when both sides have the same distribution.
    level : float
        Confidence level of `ci`.
    p_adjusted : float or None
        p-value after correction for multiple testing.
    patients_real, patients_synth : int or None
        Patients behind the records.
    """

    id: str
    value: float | None
    ci: tuple[float, float] | None = None
    p: float | None = None
    floor: tuple[float, float] | None = None
    n_real: int = 0
    n_synth: int = 0
    unit: str = ""
    better: Better = "descriptive"
    method: str = ""
    seed: int | None = None
    label: str = ""
    null: float | None = None
    level: float = 0.95
    p_adjusted: float | None = None
    patients_real: int | None = None
    patients_synth: int | None = None


@dataclass(frozen=True)
class Finding:
    """One conclusion, with the rule that led to it.

    Parameters
    ----------
    code : str
        Stable code, for example ``FID-EQUIV``; `ecgeval explain CODE` prints what it means.
    verdict : Verdict
    title : str
        The conclusion in one line.
    explanation : str
        What it means and what to do, in a few sentences.
    estimates : tuple of str
        Ids of the estimates it rests on.
    rule : str
        The rule, as declared before the data were seen, with its numbers.
    section : str
        Slug of the section it belongs to.
    gate : bool
        Whether it counts for the run's verdict and exit code.
    """

    code: str
    verdict: Verdict
    title: str
    explanation: str = ""
    estimates: tuple[str, ...] = ()
    rule: str = ""
    section: str = ""
    gate: bool = True


@dataclass(frozen=True)
class Section:
    """A part of a run with a verdict of its own.

    `gate` False marks a demonstration or a description that must not decide the run.
    """

    slug: str
    title: str
    summary: str = ""
    gate: bool = True


@dataclass(frozen=True)
class Table:
    """A table for the report and a CSV beside it. Rows hold text, numbers, booleans or None."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""
    section: str = ""

    @classmethod
    def of(
        cls, frame: pd.DataFrame, id: str, title: str, *, caption: str = "", section: str = ""
    ) -> Table:
        """Return the columns of `frame` (without its index) as a table."""
        rows = tuple(tuple(_plain(v) for v in row) for row in frame.itertuples(index=False))
        return cls(id, title, tuple(map(str, frame.columns)), rows, caption, section)

    def frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame."""
        return pd.DataFrame(list(self.rows), columns=list(self.columns))


@dataclass(frozen=True)
class Figure:
    """The data behind a figure: whatever `kind` needs to be drawn, and nothing else.

    `data` holds numbers, text, lists and dicts only; samples of a trace are integers in
    microvolts.
    """

    id: str
    kind: str
    title: str
    data: Mapping[str, Any]
    caption: str = ""
    section: str = ""

    def _repr_html_(self) -> str | None:
        """Return the drawing with its caption, for a notebook; None where nothing can draw it."""
        from ecgeval.report.notebook import figure_html  # drawn far above, and only when shown

        return figure_html(self)


@dataclass(frozen=True)
class Results:
    """What a run found. `results.json` is this object; HTML and PDF are functions of it.

    Parameters
    ----------
    manifest : mapping
        Command, resolved configuration and its hash, versions, seed, input fingerprints: all that
        decides the numbers, and nothing that does not (host and wall time go beside it, so that
        the same seed gives the same bytes).
    sections, estimates, findings, tables, figures : tuple
    """

    manifest: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The run's verdict: the worst of its gates."""
        return worst(self.gates().values())

    def gates(self) -> dict[str, Verdict]:
        """Return the verdict of each section that counts, by slug."""
        counted = [s for s in self.sections if s.gate]
        return {s.slug: self.section_verdict(s.slug) for s in counted}

    def section_verdict(self, slug: str) -> Verdict:
        """Return the worst verdict among a section's gating findings."""
        return worst(f.verdict for f in self.findings if f.section == slug and f.gate)

    def describes(self, slug: str) -> bool:
        """Return whether nothing in a section could decide: it has no verdict of its own."""
        return not any(f.gate for f in self.findings if f.section == slug) and not any(
            s.gate for s in self.sections if s.slug == slug
        )

    @property
    def exit_code(self) -> int:
        """0 every gate passed, 1 one failed, 3 undecided."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1}.get(self.verdict, 3)

    def __add__(self, other: Results) -> Results:
        """Return both, in order; the manifest of `other` wins where keys collide."""
        return Results(
            {**self.manifest, **other.manifest},
            self.sections + other.sections,
            self.estimates + other.estimates,
            self.findings + other.findings,
            self.tables + other.tables,
            self.figures + other.figures,
        )

    def with_manifest(self, manifest: Mapping[str, Any]) -> Results:
        """Return the same results under another manifest."""
        return replace(self, manifest=dict(manifest))

    def estimate(self, id: str) -> Estimate:
        """Return the estimate with this id (KeyError where there is none)."""
        for estimate in self.estimates:
            if estimate.id == id:
                return estimate
        raise KeyError(id)

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates, one row each, index ``id``; intervals split in two columns."""
        rows = []
        for e in self.estimates:
            row = asdict(e)
            for name in ("ci", "floor"):
                low, high = row.pop(name) or (None, None)
                row[f"{name}_low"], row[f"{name}_high"] = low, high
            rows.append(row)
        order = (
            "id label value ci_low ci_high level unit p p_adjusted floor_low floor_high null "
            "better n_real n_synth patients_real patients_synth method seed"
        )
        return pd.DataFrame(rows, columns=order.split()).set_index("id")

    def findings_frame(self) -> pd.DataFrame:
        """Return the findings, one row each."""
        rows = [{**asdict(f), "estimates": " ".join(f.estimates)} for f in self.findings]
        return pd.DataFrame(rows, columns=[f.name for f in fields(Finding)])

    # ---- JSON --------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Return the JSON text: sorted keys, no NaN, numbers rounded to ten digits.

        One estimate, finding, table or figure a line, so that two runs can be compared by line.
        """
        body = _plain({"schema": SCHEMA, "verdict": self.verdict, **vars(self)})
        parts = []
        for key, value in sorted(body.items()):
            lines = isinstance(value, list) and value
            text = "[\n" + ",\n".join(map(_dump, value)) + "\n]" if lines else _dump(value)
            parts.append(f"{_dump(key)}: {text}")
        return "{\n" + ",\n".join(parts) + "\n}\n"

    @classmethod
    def from_json(cls, text: str, *, source: str = "results.json") -> Results:
        """Read what `to_json` wrote.

        Raises
        ------
        DataError
            If the text is no JSON, of another schema, or breaks it.
        """
        try:
            body = json.loads(text)
        except ValueError as error:
            raise DataError(f"{source} is not JSON ({error})") from None
        except RecursionError:
            raise DataError(f"{source} is nested too deeply to be the results of a run") from None
        found = body.get("schema") if isinstance(body, dict) else None
        if found != SCHEMA:
            raise DataError(
                f"{source} has schema {found!r}; this version of ecgeval reads {SCHEMA!r}: "
                "repeat the run, or use the version that wrote it"
            )
        fault = _fault(body)
        if fault:
            raise DataError(f"{source} does not follow {SCHEMA}: {fault}; repeat the run")
        for finding in body["findings"]:
            finding["verdict"] = Verdict(finding["verdict"])
        parts = {
            name: tuple(part(**{k: _frozen(v) for k, v in item.items()}) for item in body[name])
            for name, part in _PARTS.items()
        }
        return cls(body["manifest"], **parts)

    def save(self, path: str | Path) -> Path:
        """Write `results.json` at `path`, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(self.to_json(), encoding="utf-8")
        return partial.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> Results:
        """Read a `results.json`, or the one in a folder.

        Raises
        ------
        DataError
            If there is none, or it cannot be read.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "results.json"
        if not path.is_file():
            raise DataError(f"{path} does not exist; expected the results.json of a run")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path} is not JSON: it holds bytes that are no text") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror})") from None
        return cls.from_json(text, source=str(path))

    # ---- display -----------------------------------------------------------------------------

    def headline(self) -> str:
        """Return the verdict in one sentence: the finding that decided, or what passed."""
        gates = {s.slug: None for s in self.sections if s.gate}
        first = next(iter(gates), None)
        decisive = [
            f for f in self.findings if f.gate and f.section in gates and f.verdict == self.verdict
        ]
        if self.verdict == Verdict.PASS:  # that records could be read is not why a set passes
            decisive.sort(key=lambda f: f.section == first)
        why = decisive[0].title if decisive else "nothing was tested"
        more = len(decisive) - 1
        if self.verdict != Verdict.PASS and more > 0:
            how = {Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "undecided"}
            word = how.get(self.verdict, "unassessed")
            codes = ", ".join(dict.fromkeys(f.code for f in decisive[1:]))
            why += f" (and {more} more {word} gate{'s' * (more > 1)}: {codes})"
        return f"{self.verdict}: {why}"

    def __repr__(self) -> str:
        return (
            f"<Results {self.headline()} | {len(self.estimates)} estimates, "
            f"{len(self.findings)} findings>"
        )

    def figure(self, id: str) -> Figure:
        """Return the figure with this id (KeyError where there is none); a notebook draws it."""
        for figure in self.figures:
            if figure.id == id:
                return figure
        raise KeyError(id)

    def _repr_html_(self) -> str:
        """Return verdicts by section, and the first figures folded away, for a notebook."""
        from ecgeval.report.notebook import results_html  # as for figures

        return results_html(self)


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _frozen(value: Any) -> Any:
    """Return lists as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Return `value` as JSON types: ten significant digits, no NaN, no numpy."""
    if value is None or (isinstance(value, str | bool | int) and not isinstance(value, StrEnum)):
        return value
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.10g}") if math.isfinite(value) else None
    if type(value) in (list, tuple) and all(type(v) is int for v in value):
        return list(value)  # the samples of a trace
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Iterable):
        return [_plain(v) for v in value]
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot go into results.json")


# ---- what a file must hold -----------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that every `results.json` satisfies."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **_layout().json_schema()}


@cache
def _layout() -> TypeAdapter[dict[str, Any]]:
    """Return the layout of a file: the fields of the classes above, each of them and no other."""
    from pydantic import ConfigDict, Field, Strict, TypeAdapter, with_config
    from typing_extensions import TypedDict

    def record(name: str, extra: Literal["allow", "forbid"], **types: Any) -> Any:
        config = ConfigDict(extra=extra, strict=True, allow_inf_nan=False)
        return with_config(config)(TypedDict(name, types, total=extra == "forbid"))  # type: ignore

    def spelling(pattern: str) -> Any:  # in the schema alone: an odd id harms no reader
        return Annotated[str, Field(json_schema_extra={"pattern": pattern})]

    # Where JSON differs from Python (lists, null for NaN), and where a number has bounds.
    verdict: Any = Annotated[Verdict, Strict(False)]
    ends: Any = Annotated[tuple[float | None, float | None], Strict(False)] | None
    probability: Any = Annotated[float, Field(gt=0, le=1)] | None
    count: Any = Annotated[int, Field(ge=0)]
    stored: dict[type, dict[str, Any]] = {
        Estimate: {
            "id": spelling(r"^[\w\-]+(\.[\w\-]+)+$"),
            "level": Annotated[float, Field(gt=0, lt=1)],
            **dict.fromkeys(("ci", "floor"), ends),
            **dict.fromkeys(("p", "p_adjusted"), probability),
            **dict.fromkeys(("n_real", "n_synth"), count),
            **dict.fromkeys(("patients_real", "patients_synth"), count | None),
        },
        Finding: {
            "code": spelling(r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$"),
            "verdict": verdict,
            "estimates": list[str],
        },
        Table: {"columns": list[str], "rows": list[list[Any]]},
    }
    array, literal = cast("Any", list), cast("Any", Literal)
    lists = {
        name: array[record(cls.__name__, "forbid", **get_type_hints(cls) | stored.get(cls, {}))]
        for name, cls in _PARTS.items()
    }
    things = dict[str, Any]
    manifest = record("Manifest", "allow", sets=dict[str, things], versions=things)
    head = {"schema": literal[SCHEMA], "verdict": verdict, "manifest": manifest}
    return TypeAdapter(record(SCHEMA, "forbid", **head, **lists))


_PARTS: dict[str, type] = {
    "sections": Section,
    "estimates": Estimate,
    "findings": Finding,
    "tables": Table,
    "figures": Figure,
}


def _fault(body: Any) -> str:
    """Return in words what first breaks the layout; empty where nothing does."""
    from pydantic import ValidationError

    try:
        _layout().validate_python(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in first["loc"])[1:]
        if first["type"] == "missing":
            return f"{at} is missing"
        if first["type"] == "extra_forbidden":
            return f"{at} is unknown"
        found, message = json.dumps(first["input"]), first["msg"]
        found = found if len(found) <= 40 else f"{found[:37]}..."
        return f"{at} is {found}; expected {message.removeprefix('Input should be ')}"
    for table in body["tables"]:
        columns = len(table["columns"])
        uneven = next((row for row in table["rows"] if len(row) != columns), None)
        if uneven is not None:
            return f"a row of table {table['id']!r} has {len(uneven)} cells for {columns} columns"
    return ""
