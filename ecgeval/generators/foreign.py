"""Generators of other people: a Python object with two methods, or a command that writes files.

A Python generator is found by an entry point of the group ``ecgeval.generators``; a command is
described by a small TOML file. Neither is imported or run before it is named.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np

from ecgeval.ecgset import EcgSet, Microvolts
from ecgeval.errors import DataError, UsageError

__all__ = ["COMMAND", "GROUP", "EcgGenerator", "installed", "make", "run_command"]

GROUP = "ecgeval.generators"
"""Entry points of this group name generators."""

COMMAND = "command:"
"""Prefix of a SET that names the TOML file of a command."""

Reader = Callable[..., EcgSet]


@runtime_checkable
class EcgGenerator(Protocol):
    """What a generator has to offer: two methods."""

    def sample(self, n: int, seed: int) -> EcgSet:
        """Return `n` independent ECGs, in mV; the same seed gives the same records."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what a reader should know: name, version, training data, licence."""
        ...


def installed() -> dict[str, EntryPoint]:
    """Return the generators of other distributions, by name; nothing of them is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def make(name: str, n: int, seed: int) -> EcgSet:
    """Return records of an installed generator.

    Parameters
    ----------
    name : str
        One of `installed`. The entry point names a generator, or a class or function without
        parameters that makes one.
    n, seed : int

    Raises
    ------
    DataError
        If the generator cannot be loaded, fails, or returns something else than `n` ECGs.
    """
    point = installed()[name]
    try:
        generator = point.load()
        if isinstance(generator, type) or not isinstance(generator, EcgGenerator):
            generator = generator()
    except Exception as error:
        raise _failed(f"generator {name!r} ({point.value}) cannot be loaded", error) from error
    if not isinstance(generator, EcgGenerator):
        raise DataError(
            f"generator {name!r} ({point.value}) is a {type(generator).__name__}; expected an "
            "object with sample(n, seed) and describe()"
        )
    try:
        ecgs, about = generator.sample(n, seed), dict(generator.describe())
    except Exception as error:
        raise _failed(f"generator {name!r} failed", error) from error
    if not isinstance(ecgs, EcgSet):
        raise DataError(
            f"generator {name!r} returned a {type(ecgs).__name__}; expected an ecgeval.EcgSet "
            "(signals in mV of shape (records, leads, samples), fs, leads, records)"
        )
    return _labelled(ecgs, n, name, seed, about)


@dataclass(frozen=True)
class _Command:
    """The TOML file of a command."""

    words: tuple[str, ...]
    about: dict[str, Any]
    reading: dict[str, Any]
    timeout_s: float | None


def run_command(path: str | Path, n: int, seed: int, read: Reader) -> EcgSet:
    """Return the records that a command writes.

    The command runs without a shell, in the folder of its TOML file, and writes a store or files
    of any format that is read to an empty folder that is removed afterwards; the records are held
    in memory.

    Parameters
    ----------
    path : path
        TOML file: ``command``, a list of words in which ``{n}``, ``{seed}`` and ``{out}`` are
        filled in; and, as needed, ``unit``, ``native_fs``, ``leads`` for formats that carry none,
        ``timeout_s``, and a table ``describe``.
    n, seed : int
    read : callable
        Reads a folder; called with the path, ``unit``, ``native_fs`` and ``leads``.

    Raises
    ------
    UsageError
        If the TOML file is missing or wrong.
    DataError
        If the command fails or writes something else than `n` ECGs.
    """
    path = Path(path)
    told = _load(path)
    with tempfile.TemporaryDirectory(prefix="ecgeval-") as folder:
        out = Path(folder) / "out"
        out.mkdir()
        words = [
            w.replace("{n}", str(n)).replace("{seed}", str(seed)).replace("{out}", str(out))
            for w in told.words
        ]
        words[0] = sys.executable if words[0] == "python" else words[0]
        try:
            done = subprocess.run(
                words,
                cwd=path.parent,
                timeout=told.timeout_s,
                capture_output=True,
                check=False,
                text=True,
                errors="replace",
            )
        except FileNotFoundError:
            raise DataError(
                f"{path}: the command {words[0]!r} does not exist; expected a program on the PATH "
                "or a path"
            ) from None
        except OSError as error:
            raise _failed(f"{path}: the command {words[0]!r} cannot be run", error) from error
        except subprocess.TimeoutExpired:
            raise DataError(
                f"{path}: the command took longer than its timeout_s of {told.timeout_s:g} s"
            ) from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise DataError(f"{path}: the command ended with {done.returncode} and said: {said}")
        if not any(out.iterdir()):
            raise DataError(f"{path}: the command wrote nothing to {{out}}; expected {n} ECGs")
        ecgs = _in_memory(read(out, **told.reading))
    return _labelled(ecgs, n, path.stem, seed, told.about)


def _texts(value: Any) -> TypeGuard[list[str]]:
    # A null character cannot be part of a command.
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(w, str) and "\0" not in w for w in value)
    )


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "unit": (lambda v: isinstance(v, str), "auto, mV or uV"),
    "native_fs": (_positive, "a rate in Hz above 0, without quotes"),
    "leads": (lambda v: isinstance(v, str) or _texts(v), 'a list of lead names, as in ["I", "II"]'),
    "timeout_s": (_positive, "seconds above 0, without quotes"),
    "describe": (lambda v: isinstance(v, dict), "a table"),
}


def _load(path: Path) -> _Command:
    if not path.is_file():
        raise UsageError(f"{path} does not exist; expected the TOML file of a command")
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); check its permissions"
        ) from None
    known = {"command", "unit", "native_fs", "leads", "timeout_s", "describe"}
    unknown = sorted(set(body) - known)
    if unknown:
        raise UsageError(f"{path}: unknown key {unknown[0]!r}; expected {', '.join(sorted(known))}")
    words = body.get("command")
    if not _texts(words):
        raise UsageError(
            f'{path}: command is {words!r}; expected a list of words, as in ["python", "make.py", '
            '"{n}", "{seed}", "{out}"]'
        )
    if not any("{out}" in w for w in words) or not any("{n}" in w for w in words):
        raise UsageError(
            f"{path}: command holds no {{n}} or no {{out}}; expected both, and {{seed}}"
        )
    for key, (fits, expected) in _OPTIONS.items():
        if key in body and not fits(body[key]):
            raise UsageError(f"{path}: {key} is {body[key]!r}; expected {expected}")
    about = body.get("describe", {})
    if not any("{seed}" in w for w in words):
        about = {**about, "seed": "not given to the command: another run gives other records"}
    reading: dict[str, Any] = {k: body[k] for k in ("unit", "native_fs", "leads") if k in body}
    return _Command(tuple(words), about, reading, body.get("timeout_s"))


def _in_memory(ecgs: EcgSet) -> EcgSet:
    """Return the set without its files."""
    signals = ecgs.signals
    if isinstance(signals, Microvolts):
        return replace(ecgs, signals=Microvolts(np.array(signals.integers(slice(None)))))
    return replace(ecgs, signals=np.array(signals[:]))


def _labelled(ecgs: EcgSet, n: int, name: str, seed: int, about: dict[str, Any]) -> EcgSet:
    """Return the set with its source and what the generator says of itself."""
    found = len(ecgs) + len(ecgs.rejected)
    if found != n:
        raise DataError(
            f"generator {name!r} gave {found} records and was asked for {n}; expected exactly that "
            "many, or shares and sizes in the report would be wrong"
        )
    records = ecgs.records.assign(source=f"{name} seed={seed}")
    listed = "; ".join(f"{key}: {value}" for key, value in about.items())
    note = f"{name} says of itself: {listed}" if listed else f"{name} says nothing of itself"
    return replace(ecgs, records=records, notes=(*ecgs.notes, note))


def _failed(what: str, error: Exception) -> DataError:
    said = str(error).strip().splitlines()
    return DataError(f"{what}: {type(error).__name__}" + (f": {said[0]}" if said else ""))
