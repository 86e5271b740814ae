"""A SET, as users name it: a file, a folder, a store, a named data set, or a generator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecgeval.ecgset import EcgSet, Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, quiet
from ecgeval.references import describe, is_reference, refuse

__all__ = [
    "CHECKPOINT_SUFFIXES",
    "checkpoint_file",
    "checkpoints",
    "generate_store",
    "info",
    "is_generator",
    "read",
    "with_critic",
]

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".ckpt")

_CHUNK = 1024  # records generated before they are written: 80 MB


def read(
    source: str | Path | EcgSet,
    *,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str = "auto",
    labels: str | Path | None = None,
    seconds: float | None = None,
    native_fs: float | None = None,
    n: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = quiet,
) -> EcgSet:
    """Return the ECGs that a SET names.

    Parameters
    ----------
    source : str, Path or EcgSet
        A file, a folder or a store; a named data set (``ludb``, ``ptbxl-norm``,
        ``deepfake:0-999``); a generator with a count (``pulse2pulse:1000``, or one of another
        distribution, see `ecgeval.generators.foreign`), a checkpoint file with `n`, or a command
        (``command:mygen.toml:1000``). An EcgSet is returned as it is, resampled and with other
        leads where asked.
    fs : float, optional
        Resample to this rate, Hz.
    leads : sequence of str, optional
        Leads to keep, in this order; missing limb leads are derived from I and II. For arrays
        without lead names, their names.
    unit : {"auto", "mV", "uV"}
        Unit of formats that carry none.
    labels : path, optional
        CSV with one row a record: its id, patient id, age, sex, ...
    seconds : float, optional
        Length to crop records to.
    native_fs : float, optional
        Rate of formats that carry none, Hz.
    n : int, optional
        Records to generate.
    seed : int
        Seed of a generator.
    device : {"cpu", "cuda"}
        Where a generator runs.
    progress : callable

    Returns
    -------
    EcgSet

    Raises
    ------
    UsageError
        If the name is unknown or an option does not fit it.
    DataError
        If there is nothing to read, or it cannot be read.
    """
    refuse(source, "a set of ECGs")
    if isinstance(source, EcgSet):
        ecgs = source
    elif is_generator(source):
        ecgs = _generate(str(source), n, seed, device, progress)
    else:
        if n is not None:
            raise UsageError(
                f"-n goes with a generator, and {source} {_no_generator(source)}; select records "
                "by number (ptbxl-norm:1-100) or make a smaller store"
            )
        ecgs = _stored(source, leads, unit, labels, seconds, native_fs, progress)
    if seconds is not None:
        ecgs = ecgs.crop(round(seconds * ecgs.fs))
    if leads is not None:
        ecgs = ecgs.with_leads(leads)
    return ecgs if fs is None else ecgs.resample(fs)


def info(
    source: str | Path,
    *,
    unit: str = "auto",
    labels: str | Path | None = None,
    native_fs: float | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Say what is in a SET: format, n, patients, leads, rate, unit, range, what was left out.

    Headers of all stored records and the samples of at most 200 are read; a generator makes the
    records it is asked for.

    Returns
    -------
    dict
        See `ecgeval.io.info`; of a reference cohort, `ecgeval.references.describe`.

    Raises
    ------
    UsageError, DataError
        As `read`.
    """
    from ecgeval import io

    if is_reference(source):
        return describe(str(source))
    if is_generator(source):
        return io.summary(read(source, progress=progress), str(source), "generator")
    try:
        return io.info(source, unit=unit, labels=labels, native_fs=native_fs, progress=progress)
    except io.DeepfakeNotFound:
        ecgs = read(source, progress=progress)
        return io.summary(ecgs, str(source), "regenerated from the published weights")


def checkpoints(source: Any) -> list[Path]:
    """Return the checkpoint files of a training run's folder, by epoch; none for anything else.

    ``last.pt``, which a run goes on from, counts only where it is alone.
    """
    folder = Path(str(source))
    if not folder.is_dir() or (folder / "records.csv").exists():
        return []
    files = [p for p in folder.iterdir() if p.suffix in CHECKPOINT_SUFFIXES and p.is_file()]
    kept = [p for p in files if p.stem != "last"] or files
    return sorted(kept, key=lambda p: ([int(n) for n in re.findall(r"\d+", p.stem)][-1:], p.name))


def checkpoint_file(source: Any) -> str | None:
    """Return the checkpoint file that `source` names, with or without a count, or None."""
    text = re.sub(r":\d+$", "", str(source))
    return text if text.endswith(CHECKPOINT_SUFFIXES) else None


def is_generator(source: Any) -> bool:
    """Whether `source` names a generator or a checkpoint file."""
    from ecgeval.generators import GENERATORS
    from ecgeval.generators.foreign import COMMAND, installed

    text = str(source)
    if checkpoint_file(text) or text.startswith(COMMAND):
        return True
    name = text.partition(":")[0]
    return name in GENERATORS or (not Path(text).exists() and name in installed())


def _no_generator(source: str | Path) -> str:
    """Say why a source is no generator."""
    path, text = Path(source), str(source)
    if path.is_dir() and not (path / "records.csv").exists():
        return f"is a folder without a checkpoint ({', '.join(CHECKPOINT_SUFFIXES)})"
    if not path.exists() and ("/" in text or "\\" in text):
        return "does not exist"
    return "is none"


def with_critic(source: Any) -> bool:
    """Whether `source` is a checkpoint file that holds the critic of its training run."""
    path = checkpoint_file(source)
    if path is None:
        return False
    from ecgeval.generators.critic_scores import holds_critic

    return holds_critic(path)


def generate_store(
    source: str,
    n: int,
    out: str | Path,
    *,
    checkpoint: str | None = None,
    seed: int = 0,
    leads: Sequence[str] | None = None,
    device: str = "cpu",
    progress: Progress = quiet,
) -> EcgSet:
    """Write `n` fresh records to a store, a thousand at a time, whatever `n`.

    Parameters
    ----------
    source : str
        Name of a generator, or a checkpoint file.
    n : int
    out : path
        Folder of the store.
    checkpoint : str, optional
        Weights of `source`'s architecture to use instead of the published ones.
    seed, leads, device, progress
        As in `read`.

    Returns
    -------
    EcgSet
        The store, as a memory map.

    Raises
    ------
    UsageError
        If the generator is unknown, or the checkpoint is of another architecture.
    """
    from ecgeval import generators, io
    from ecgeval.generators.checkpoints import load

    ours = source in generators.GENERATORS or source.endswith(CHECKPOINT_SUFFIXES)
    if checkpoint is None and not ours and is_generator(source):  # others make all in one piece
        ecgs = read(source, n=n, seed=seed, leads=leads, progress=progress)
        return io.read_store(io.write_store(ecgs, out, progress=progress))
    weights = load(checkpoint or source)
    if checkpoint and source in generators.GENERATORS and weights.architecture != source:
        raise UsageError(f"{checkpoint} holds a {weights.architecture} generator, not {source}")
    names = tuple(leads or generators.LEADS)
    # Derived limb leads fall between whole microvolts; everything else stays int16.
    with io.StoreWriter(out, n, names, generators.FS) as store:
        for start in range(0, n, _CHUNK):
            size = min(_CHUNK, n - start)
            part = generators.generate(weights, size, seed=seed, start=start, device=device)
            store.notes = list(part.notes)
            part = part.with_leads(names)
            signals = part.signals
            samples = signals.integers(slice(None)) if isinstance(signals, Microvolts) else signals
            store.append(samples, part.records)
            progress("generate", start + size, n)
    return io.read_store(out)


def _generate(source: str, n: int | None, seed: int, device: str, progress: Progress) -> EcgSet:
    from ecgeval import generators
    from ecgeval.generators import foreign

    name, count = source, ""
    command = source.startswith(foreign.COMMAND)
    if command:
        name = source.removeprefix(foreign.COMMAND)
        if not name.endswith(".toml"):
            name, _, count = name.rpartition(":")
    elif path := checkpoint_file(source):
        name, count = path, source.removeprefix(path).removeprefix(":")
    else:
        name, _, count = source.partition(":")
    if count and not count.isdigit():
        raise UsageError(f"{source!r}: expected a count after the colon, as in {name}:1000")
    total = int(count) if count else n
    if total is None or total < 1:
        if checkpoint_file(source) and not Path(name).is_file():
            raise DataError(f"{name}: no such file")
        raise UsageError(f"{source!r} is a generator: say how many, as in {name}:1000")
    if command:
        from ecgeval import io

        return foreign.run_command(name, total, seed, io.read)
    if name not in generators.GENERATORS and name in foreign.installed():
        return foreign.make(name, total, seed)
    return generators.generate(name, total, seed=seed, device=device, progress=progress)


def _stored(
    source: str | Path,
    leads: Sequence[str] | None,
    unit: str,
    labels: str | Path | None,
    seconds: float | None,
    native_fs: float | None,
    progress: Progress,
) -> EcgSet:
    from ecgeval import io

    if str(source).partition(":")[0] == "deepfake" and not Path(source).exists():
        _check_ids(str(source))
    try:
        return io.read(
            source,
            leads=leads,
            unit=unit,
            labels=labels,
            seconds=seconds,
            native_fs=native_fs,
            progress=progress,
        )
    except io.DeepfakeNotFound as missing:
        # The published files are not here; the published weights give them again.
        from ecgeval import generators

        return generators.published(missing.numbers or [], progress=progress)


def _check_ids(source: str) -> None:
    from ecgeval import io

    numbers = io.parse_name(source)[1]
    if numbers is None:
        raise UsageError(f"{source!r}: expected published ids, as in deepfake:0-999")
    if max(numbers) >= 150_000:
        raise DataError(f"{source!r}: the published set has ids 0 to 149999")
