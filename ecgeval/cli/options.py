"""The options that commands share, as types, and what their values mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgeval.errors import UsageError

if TYPE_CHECKING:
    from ecgeval.pipeline.config import RunConfig

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random step.")]
Jobs = Annotated[int, typer.Option(min=1, help="Worker processes; results do not depend on it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Method = Annotated[
    str, typer.Option(help="Delineation method: ecgeval, or neurokit[:prominence|dwt|cwt|peak].")
]
Unit = Annotated[str, typer.Option(help="Unit of formats that carry none: auto, mV or uV.")]
NativeFs = Annotated[
    float | None, typer.Option(help="Sampling rate of formats that carry none (npy, csv), Hz.")
]
Labels = Annotated[
    str | None, typer.Option(help="CSV with one row a record: id, patient_id, age, sex, ...")
]
Seconds = Annotated[float | None, typer.Option(help="Crop records to this length, s.")]
Leads = Annotated[str | None, typer.Option(help="Leads to use, as in I,II,V1; derived if needed.")]
Device = Annotated[str, typer.Option(help="Where networks and the copy search run: cpu or cuda.")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither read nor keep measures of earlier runs.")
]
Independent = Annotated[
    bool,
    typer.Option(
        "--assume-independent", help="Count records without a patient id as patients of their own."
    ),
]
CheckpointRecords = Annotated[
    int | None, typer.Option("-n", min=1, help="Records of a checkpoint.")
]
Margins = Annotated[str, typer.Option(help="Equivalence margins: lenient, strict or a TOML file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a store that is already there.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer resamples, for a first look.")]


def lead_names(leads: str | None) -> tuple[str, ...] | None:
    """Return the names in a list such as ``I,II,V1``."""
    return None if leads is None else tuple(part.strip() for part in leads.split(","))


def checked_device(device: str) -> str:
    """Return the device, refused where it is unknown or not there."""
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device is {device!r}; expected cpu or cuda")
    if device == "cuda":  # the check imports PyTorch
        from ecgeval.generators.sampling import check_device

        check_device(device)
    return device


def cache_folder(disabled: bool) -> Path | None:
    """Return the folder of kept measures: ECGEVAL_CACHE, else where the system keeps such."""
    if disabled:
        return None
    import pooch

    return Path(os.environ.get("ECGEVAL_CACHE") or pooch.os_cache("ecgeval"))


def set_settings(
    source: str, unit: str, native_fs: float | None, labels: str | None, seconds: float | None
) -> dict[str, Any]:
    """Return a set's part of a run's configuration, its paths absolute."""
    from ecgeval.pipeline.config import located

    return {
        "source": located(source, Path.cwd()),
        "unit": unit,
        "native_fs": native_fs,
        "labels": labels and str(Path(labels).resolve()),
        "seconds": seconds,
    }


def make_config(**settings: Any) -> RunConfig:
    """Return validated settings; those that are None keep their defaults."""
    from ecgeval.pipeline.config import make

    return make(**{key: value for key, value in settings.items() if value is not None})
