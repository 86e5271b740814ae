"""The settings of a run, validated: one TOML file, every key described here."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ecgeval.comparison.sections import SECTIONS
from ecgeval.delineation import DEFAULT_METHOD, METHODS
from ecgeval.errors import UsageError

__all__ = [
    "PART_NAMES",
    "AuditConfig",
    "CompareConfig",
    "ReportConfig",
    "RunConfig",
    "SetConfig",
    "load",
    "located",
    "make",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetConfig(_Strict):
    """A set of ECGs. In TOML a plain string is the same as a table with only `source`."""

    source: str = Field(
        min_length=1,
        description="file, folder, store, named data set or generator; as `synth` also a folder of "
        "checkpoints, which are scored and compared",
    )
    unit: Literal["auto", "mV", "uV"] = Field("auto", description="unit where the format has none")
    native_fs: float | None = Field(None, gt=0, description="rate, Hz, where the format has none")
    labels: str | None = Field(None, description="CSV with one row a record")
    seconds: float | None = Field(None, gt=0, description="crop records to this length, s")
    n: int | None = Field(None, ge=1, description="records to generate, of each checkpoint")


def _as_set(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


SetField = Annotated[SetConfig, BeforeValidator(_as_set)]


PART_NAMES = tuple(name for name in SECTIONS if name != "quality")
"""Sections of a comparison that a run can leave out."""


class CompareConfig(_Strict):
    """Fidelity."""

    margins: str = Field(
        "lenient", description="equivalence margins: lenient, strict, or a TOML file of your own"
    )

    parts: tuple[Literal[PART_NAMES], ...] = Field(  # type: ignore[valid-type]
        PART_NAMES, description="sections of the comparison"
    )
    by: tuple[str, ...] = Field(
        (), description="label columns for usefulness and subgroups; default: those that are known"
    )
    refit: bool = Field(
        False, description="fit the waveform classifier anew for every permutation: slow, exact"
    )
    interpreter_real: str | None = Field(
        None, description="CSV of another interpreter (12SL, ...) on the real records"
    )
    interpreter_synth: str | None = Field(None, description="the same on the synthetic records")


class AuditConfig(_Strict):
    """Privacy."""

    permutations: int = Field(9999, ge=999, description="permutations of the exchangeability test")
    bench: int = Field(
        0, ge=0, description="repeats of the planted-leak bench: what the audit would have found"
    )
    planted: int = Field(
        0,
        ge=0,
        description="audit once more after this many disguised copies were planted: shows a leak",
    )
    critic: str | None = Field(
        None,
        description="checkpoint of the generator's run that holds its critic (last.pt), which is "
        "asked who was trained on; default: `synth`, where it is such a file",
    )
    holdout_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="split `real` by patient into train and holdout; only honest where the "
        "generator was trained on that same train part",
    )


class ReportConfig(_Strict):
    """What is written."""

    formats: tuple[Literal["html", "pdf"], ...] = Field(("html", "pdf"), description="report forms")
    title: str = Field("", description="title of the report")
    notice: str = Field("", description="first line of the report, before anything else")


class RunConfig(_Strict):
    """A whole run: a comparison where `real` and `synth` are given, an audit where `train` is."""

    seed: int = Field(0, ge=0, description="seed of every random step")
    method: Literal[METHODS] = Field(DEFAULT_METHOD, description="delineation method")  # type: ignore[valid-type]
    leads: tuple[str, ...] | None = Field(None, description="leads to compare; default: common")
    quick: bool = Field(False, description="fewer resamples: wider intervals, for a first look")
    assume_independent: bool = Field(
        False, description="count records without a patient id as patients of their own"
    )
    show_traces: bool = Field(
        False, description="let an audit's outputs show real traces and clear record ids"
    )
    real: SetField | None = None
    synth: SetField | None = None
    train: SetField | None = None
    holdout: SetField | None = None
    compare: CompareConfig = CompareConfig()
    audit: AuditConfig = AuditConfig()
    report: ReportConfig = ReportConfig()

    def digest(self) -> str:
        """Return a SHA-256 of the settings, the same whatever the order of the file."""
        return hashlib.sha256(
            json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()
        ).hexdigest()

    def to_toml(self) -> str:
        """Return the resolved settings as TOML; running them again gives the same results."""
        body = self.model_dump(mode="json", exclude_none=True)
        lines = [f"{k} = {_toml(v)}" for k, v in body.items() if not isinstance(v, dict)]
        for name, table in body.items():
            if isinstance(table, dict):
                lines += ["", f"[{name}]"]
                lines += [f"{k} = {_toml(v)}" for k, v in table.items()]
        return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """JSON's strings, numbers, booleans and lists of them are TOML too."""
    return json.dumps(value, ensure_ascii=False)


def load(path: str | Path) -> RunConfig:
    """Read and validate a run's TOML file.

    Relative paths in it are taken from the file's own folder.

    Raises
    ------
    UsageError
        If the file is missing, is no TOML, or holds an unknown key or a wrong value.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; expected the TOML file of a run")
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    try:
        config = make(**body)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return _from_folder(config, path.parent)


def make(**settings: Any) -> RunConfig:
    """Return validated settings.

    Raises
    ------
    UsageError
        If a key is unknown or a value wrong: the first problem, as one sentence.
    """
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        raise UsageError(_explain(error)) from None


def _from_folder(config: RunConfig, folder: Path) -> RunConfig:
    """Return the settings with their paths absolute, taken from the file's own folder."""
    changes: dict[str, Any] = {}
    for name in ("real", "synth", "train", "holdout"):
        part: SetConfig | None = getattr(config, name)
        if part is not None:
            found = {key: located(getattr(part, key), folder) for key in ("source", "labels")}
            changes[name] = part.model_copy(update=found)
    files = ("margins", "interpreter_real", "interpreter_synth")
    found = {key: located(getattr(config.compare, key), folder) for key in files}
    critic = located(config.audit.critic, folder)
    changes["audit"] = config.audit.model_copy(update={"critic": critic})
    changes["compare"] = config.compare.model_copy(update=found)
    return config.model_copy(update=changes)


def located(value: str | None, folder: Path) -> str | None:
    """Return a path that exists beside the file as an absolute one; names stay names."""
    if value and value.startswith("command:"):
        name, colon, count = value.removeprefix("command:").partition(".toml")
        return f"command:{located(name + colon, folder)}{count}"
    if value and not Path(value).is_absolute() and (folder / value).exists():
        return str((folder / value).resolve())
    return value


def _explain(error: ValidationError) -> str:
    """Return the first problem as one sentence."""
    # An unknown key comes first: it is usually why a required one is missing.
    problem = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known(problem["loc"][:-1])
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {where!r}; {hint}known keys here: {', '.join(known)}"
    if problem["type"] == "missing":
        return f"{where!r} is missing"
    found = problem.get("input")
    return f"{where!r} is {found!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _known(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = RunConfig
    for part in location:
        name = str(part)
        if name in ("real", "synth", "train", "holdout"):
            model = SetConfig
        elif name in ("compare", "audit", "report"):
            parts: dict[str, type[BaseModel]] = {
                "compare": CompareConfig,
                "audit": AuditConfig,
                "report": ReportConfig,
            }
            model = parts[name]
    return list(model.model_fields)
