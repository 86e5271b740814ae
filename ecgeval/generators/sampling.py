"""From a generator to ECGs: fresh records by seed, and the published ones by id."""

from __future__ import annotations

import contextlib
import copy
import os
from collections import deque
from collections.abc import Generator as Yields
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet, Microvolts, derive_leads
from ecgeval.errors import DataError, UsageError
from ecgeval.generators.noise import check_noise, philox_noise, published_noise
from ecgeval.parallel import Progress, quiet

if TYPE_CHECKING:
    from ecgeval.generators.checkpoints import Weights
    from ecgeval.generators.layers import Generator

__all__ = [
    "FS",
    "GENERATORS",
    "LEADS",
    "PUBLISHED_RECORDS",
    "SCALE_UV",
    "check_device",
    "describe",
    "generate",
    "published",
    "stream",
    "stream_published",
    "synthesize",
]

GENERATORS = ("pulse2pulse", "wavegan-star")
"""Generators by name, with weights: the published ones, and those of ecgeval."""

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
SAMPLES = 5000
FS = 500.0

SCALE_UV = 6000
"""Microvolts of a network output of 1."""

PUBLISHED_RECORDS = 150_000
"""The published set has the ids 0 to 149,999."""

BLOCK = 32
"""Records computed together, always this many and each block on one thread: a convolution's last
bits depend on both, and whole microvolts depend on the last bits."""

Batch = tuple[np.ndarray, list[str]]
Source: TypeAlias = "str | os.PathLike[str] | Weights"


def generate(
    source: Source,
    n: int,
    *,
    seed: int = 0,
    start: int = 0,
    leads: Sequence[str] | None = None,
    batch_size: int = 64,
    device: str = "cpu",
    progress: Progress = quiet,
) -> EcgSet:
    """Generate ECGs: 10 s at 500 Hz, in whole microvolts as the published set.

    On one kind of processor, record i of a seed is the same bytes whatever `n`, `start`,
    `batch_size` or the number of threads; on another kind, one sample in 800 differs by 1 µV
    (AVX2 against AVX-512). Two generators given the same seed start from the same noise.

    Parameters
    ----------
    source : str, path or Weights
        ``"pulse2pulse"`` (the published weights), ``"wavegan-star"``, a checkpoint file, or what
        `ecgeval.generators.checkpoints.load` returned.
    n : int
        Number of records, each 80 kB of memory; `stream` needs no memory for more.
    seed : int
        0 to 2**64 - 1.
    start : int
        Number of the first record.
    leads : sequence of str, optional
        By default the eight that are generated, `LEADS`; the limb leads missing there are derived
        from I and II.
    batch_size : int
        Records moved at a time.
    device : str
        ``"cpu"`` or ``"cuda"``; these two agree to rounding only.
    progress : callable

    Returns
    -------
    EcgSet
        Record ids ``{name}-s{seed}-{i}``; each record is a patient of its own.

    Raises
    ------
    UsageError
        If an argument is out of range, a name or a lead unknown, or the device absent.
    DataError
        If the checkpoint cannot be used.
    """
    if leads is not None:
        derive_leads(LEADS, leads)
    weights = _load(source)
    batches = stream(
        weights, n, seed=seed, start=start, batch_size=batch_size, device=device, progress=progress
    )
    label = f"{weights.architecture} weights={weights.sha256[:12]} seed={seed}"
    notes = () if weights.published or weights.shipped else (_note(weights),)
    return _collect(batches, n, label, leads, notes)


def stream(
    source: Source,
    n: int,
    *,
    seed: int = 0,
    start: int = 0,
    batch_size: int = 256,
    device: str = "cpu",
    progress: Progress = quiet,
) -> Iterator[Batch]:
    """Yield the records of `generate` in bounded memory, to be written as they come.

    Parameters are those of `generate`; errors come at the call, not at the first batch.

    Returns
    -------
    iterator of (ndarray of int16, shape (<= batch_size, 8, 5000), list of str)
        Microvolts in the leads `LEADS`, and the record ids.
    """
    _check_range("n", n, 1, 2**63)
    _check_range("seed", seed, 0, 2**64 - 1)
    _check_range("start", start, 0, 2**63)
    weights = _load(source)
    shape = weights.model.noise_shape
    noise = (philox_noise(seed, i, shape) for i in range(start, start + n))
    ids = (f"{weights.name}-s{seed}-{i}" for i in range(start, start + n))
    return _batches(weights, noise, ids, n, batch_size, device, progress)


def published(
    ids: Iterable[int | str],
    *,
    leads: Sequence[str] | None = None,
    batch_size: int = 64,
    device: str = "cpu",
    progress: Progress = quiet,
) -> EcgSet:
    """Regenerate records of the published DeepFake set (OSF 6hved) by their ids.

    The published noise stream is entered at any id without drawing what precedes it.

    Parameters
    ----------
    ids : iterable of int or str
        0 to 149,999, each once, in any order.
    leads, batch_size, device, progress
        As in `generate`.

    Returns
    -------
    EcgSet
        Record and patient ids are the published ids. Samples equal the published files, except
        that about one in a thousand differs by 1 µV (rounding of a float near an integer).

    Raises
    ------
    UsageError
        If an id is not one of the published set, or given twice.
    """
    if leads is not None:
        derive_leads(LEADS, leads)
    wanted = _published_ids(ids)
    batches = stream_published(wanted, batch_size=batch_size, device=device, progress=progress)
    note = "regenerated from the published weights: single samples may be 1 µV off the files"
    ecgs = _collect(batches, len(wanted), "deepfake (regenerated)", leads, (note,))
    return ecgs if wanted == sorted(wanted) else ecgs.select([str(i) for i in wanted])


def stream_published(
    ids: Iterable[int | str],
    *,
    batch_size: int = 256,
    device: str = "cpu",
    progress: Progress = quiet,
) -> Iterator[Batch]:
    """Yield records of the published set in bounded memory, by ascending id (see `stream`)."""
    ascending = sorted(_published_ids(ids))
    weights = _load("pulse2pulse")
    noise = published_noise(ascending, weights.model.noise_shape)
    return _batches(
        weights, noise, map(str, ascending), len(ascending), batch_size, device, progress
    )


def synthesize(weights: Weights, noise: np.ndarray, *, device: str = "cpu") -> np.ndarray:
    """Return the ECGs that a generator makes of given noise.

    Parameters
    ----------
    weights : Weights
        From `ecgeval.generators.checkpoints.load`.
    noise : ndarray of float, shape (n, 8, 5000) for Pulse2Pulse, (n, 100) for WaveGAN*
        Drawn from U(-1, 1).
    device : str

    Returns
    -------
    ndarray of int16, shape (n, 8, 5000)
        Microvolts, truncated toward zero like the published set.

    Raises
    ------
    UsageError
        If the noise has the wrong shape or is not U(-1, 1): see `check_noise`.
    """
    noise = np.asarray(noise, dtype=np.float32)
    if noise.shape[1:] != weights.model.noise_shape or not len(noise):
        raise UsageError(
            f"noise has shape {noise.shape}; {weights.architecture} needs (n, "
            f"{', '.join(map(str, weights.model.noise_shape))})"
        )
    check_noise(noise)
    return np.concatenate(list(_render(weights.fast, iter(noise), device)))


def describe(source: Source) -> dict[str, Any]:
    """Return what a manifest or a model card says about a generator.

    Parameters
    ----------
    source : str, path or Weights
        As in `generate`.
    """
    weights = _load(source)
    published_weights = {
        "weights_source": "PyPI deepfake-ecg 1.1.2, deepfakeecg/checkpoints/g_stat.pt",
        "licence": "MIT (the package's licence)",
        "trained_on": "7,233 normal ECGs, not public (doi:10.1038/s41598-021-01295-2)",
    }
    shipped = {
        "weights_source": "ecgeval, generators/weights/wavegan-star.pt",
        "licence": "Apache-2.0; trained on published DeepFakes (OSF 6hved, CC BY 4.0)",
        "trained_on": f"published DeepFakes, no recording of a person: {_training(weights)}",
    }
    own = {
        "weights_source": weights.path.name,
        "licence": "unknown",
        "trained_on": _training(weights),
    }
    return {
        "name": weights.name,
        "architecture": weights.architecture,
        "width": weights.width,
        "parameters": sum(p.numel() for p in weights.model.parameters()),
        "weights_sha256": weights.sha256,
        **(published_weights if weights.published else shipped if weights.shipped else own),
        "state_key": weights.key,
        "dropped_keys": list(weights.dropped),
        "noise": f"U(-1, 1), shape {weights.model.noise_shape}, Philox4x64 keyed (seed, record)",
        "scale_uv": SCALE_UV,
        "rounding": "truncated toward zero to 1 µV",
        "fs_hz": FS,
        "leads": list(LEADS),
        "seconds": SAMPLES / FS,
        "reference": "doi:10.1038/s41598-021-01295-2",
    }


# ---- the machinery -----------------------------------------------------------------------------


def _load(source: Source) -> Weights:
    from ecgeval.generators.checkpoints import Weights, load

    return source if isinstance(source, Weights) else load(source)


def _training(weights: Weights) -> str:
    """Return what a checkpoint says of the data it was trained on."""
    from ecgeval.generators.checkpoints import trained_on

    record = trained_on(weights.path)
    if not record:
        return "unknown"
    data, split = record["data"], record["split"]
    return (
        f"{len(split['train'])} of {data['records']} records of the set with fingerprint "
        f"{data['fingerprint'][:12]}; the others were held out"
    )


def _note(weights: Weights) -> str:
    return (
        f"{weights.path.name}: noise U(-1, 1) and an output scale of {SCALE_UV} µV are assumed, as "
        "in the reference study"
    )


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise UsageError(f"{name} is {value!r}; expected a whole number")
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; expected at least {low} and at most {high}")


def _published_ids(ids: Iterable[int | str]) -> list[int]:
    """Return ids as integers, in the order given."""
    out = []
    for value in [ids] if isinstance(ids, str) else ids:
        text = str(value)
        if not (text.isascii() and text.isdigit() and int(text) < PUBLISHED_RECORDS):
            raise UsageError(
                f"{text!r} is no id of the published DeepFake set; expected 0 to "
                f"{PUBLISHED_RECORDS - 1}"
            )
        out.append(int(text))
    if not out:
        raise UsageError("no ids of the published DeepFake set were given; expected at least one")
    if len(set(out)) != len(out):
        twice = next(i for k, i in enumerate(out) if i in out[:k])
        raise UsageError(f"id {twice} of the published DeepFake set is given twice")
    return out


def _collect(
    batches: Iterator[Batch],
    n: int,
    source: str,
    leads: Sequence[str] | None,
    notes: tuple[str, ...],
) -> EcgSet:
    """Gather a stream into one set."""
    raw = np.empty((n, len(LEADS), SAMPLES), dtype=np.int16)
    ids: list[str] = []
    for block, names in batches:
        raw[len(ids) : len(ids) + len(names)] = block
        ids += names
    records = pd.DataFrame({"patient_id": ids, "source": source}, index=ids)
    ecgs = EcgSet(Microvolts(raw), FS, LEADS, records, notes=notes)
    return ecgs if leads is None else ecgs.with_leads(leads)


def _batches(
    weights: Weights,
    noise: Iterator[np.ndarray],
    ids: Iterator[str],
    n: int,
    batch_size: int,
    device: str,
    progress: Progress,
) -> Iterator[Batch]:
    """Check the device and the batch size at once, then yield batches lazily."""
    _check_range("batch_size", batch_size, 1, 2**63)
    check_device(device)

    def run() -> Iterator[Batch]:
        done = 0
        progress("generate", 0, n)
        with contextlib.closing(_render(weights.fast, noise, device)) as blocks:
            records = chain.from_iterable(blocks)
            while batch := list(islice(records, batch_size)):
                yield np.stack(batch), list(islice(ids, len(batch)))
                done += len(batch)
                progress("generate", done, n)

    return run()


def check_device(device: str) -> None:
    """Refuse a device that is neither ``"cpu"`` nor a ``"cuda"`` that PyTorch finds.

    Raises
    ------
    UsageError
    """
    import torch

    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"device is {device!r}; expected cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device {device} was asked for and torch finds no CUDA here; use cpu")


def _render(
    model: Generator, noise: Iterator[np.ndarray], device: str
) -> Yields[np.ndarray, None, None]:
    """Yield int16 microvolts for records of noise, in order, `BLOCK` records at a time.

    Blocks run side by side, each on one thread of its own: as fast as torch's threads inside one
    convolution, and the same bits for any number of them.
    """
    import torch

    if device != "cpu":
        model = copy.deepcopy(model).to(device)

    def compute(block: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), _exact(device):
            x = model(torch.from_numpy(block).to(device)) * SCALE_UV
            if not torch.isfinite(x).all():
                raise DataError("the generator's output is not finite; check the checkpoint")
            return x.to(torch.int16).cpu().numpy()

    threads = torch.get_num_threads()
    workers = threads if device == "cpu" else 1
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque[tuple[int, Future[np.ndarray]]] = deque()
    try:
        while records := list(islice(noise, BLOCK)):
            block = np.zeros((BLOCK, *records[0].shape), dtype=np.float32)
            block[: len(records)] = records
            waiting.append((len(records), pool.submit(compute, block)))
            if len(waiting) > workers:
                n, result = waiting.popleft()
                yield result.result()[:n]
        for n, result in waiting:
            yield result.result()[:n]
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the pool's threads changed torch's default for new ones


@contextlib.contextmanager
def _exact(device: str) -> Iterator[None]:
    """Keep CUDA from rounding to TF32 and from choosing kernels by timing."""
    import torch

    if device == "cpu":
        yield
    else:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
