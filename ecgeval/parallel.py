"""Map a function over shards, serially or over processes, with the same result either way."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np

__all__ = ["Progress", "child_rng", "each_shard", "map_shards", "one_thread", "quiet", "shards"]

_TRIED = 2  # items run here before processes are considered
_WORTH_S = 4.0  # work left, s, for which starting processes pays (they take about 2 s to start)

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``; the library itself never prints."""


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing: the default progress."""


def shards(n: int, size: int) -> list[slice]:
    """Return slices that cover ``range(n)``, `size` at a time.

    The size must not depend on the number of jobs: results are then the same for any number.
    """
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def map_shards(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int = 1,
    stage: str = "",
    progress: Progress = quiet,
    weights: Sequence[int] | None = None,
) -> list[R]:
    """Return ``[function(item) for item in items]``, in order.

    The first two calls run here; processes are started only where the rest would take longer than
    starting them. Each call runs on one BLAS thread whatever the number of jobs, so that sums come
    out the same. Large arrays reach the workers as memory maps. With a Dask backend chosen by
    ``joblib.parallel_config`` and ``jobs != 1`` the same call runs on a Dask cluster.

    Parameters
    ----------
    function : callable
        Must be importable (defined at a module's top level) when ``jobs != 1``.
    items : iterable
        Taken one by one as workers come free, so a generator of blocks stays in bounded memory.
    jobs : int
        Worker processes; 1 runs here; -1 takes all cores.
    stage : str
        Name given to `progress`.
    progress : callable
        Called after each item with the weight done so far.
    weights : sequence of int, optional
        Weight of each item for progress (its number of records, say); 1 each by default. Needed
        where `items` has no length.
    """
    return list(
        each_shard(function, items, jobs=jobs, stage=stage, progress=progress, weights=weights)
    )


def each_shard(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int = 1,
    stage: str = "",
    progress: Progress = quiet,
    weights: Sequence[int] | None = None,
) -> Iterator[R]:
    """Yield what `map_shards` returns, for whoever does not keep it all."""
    weights = [1] * len(items) if weights is None else weights  # type: ignore[arg-type]
    total, done = sum(weights), 0
    progress(stage, 0, total)
    for weight, result in zip(weights, _results(function, items, len(weights), jobs), strict=True):
        done += weight
        yield result
        progress(stage, done, total)


def _results(function: Callable[[T], R], items: Iterable[T], n: int, jobs: int) -> Iterator[R]:
    rest = iter(items)
    done, seconds = 0, 0.0
    with one_thread():
        for item in rest:
            start = time.perf_counter()
            result = function(item)
            # The first call also pays for imports; the second tells what the others will take.
            seconds = time.perf_counter() - start
            done += 1
            yield result
            if jobs != 1 and done >= _TRIED and seconds * (n - done) > _WORTH_S:
                break
    if done < n:
        from joblib import Parallel, delayed

        # The arrays that workers share go to a disk, where there is one, not to shared memory.
        pool = Parallel(n_jobs=jobs, return_as="generator", temp_folder=tempfile.gettempdir())
        yield from pool(delayed(function)(item) for item in rest)


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS and OpenMP use one thread.

    Sums come out the same on any machine, and short parallel regions do not spin on a busy one.
    Libraries must be imported before it is entered.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def child_rng(seed: int, *names: Any) -> np.random.Generator:
    """Return the generator of one named step of a run.

    Each step draws from a stream of its own, so adding or skipping a step moves no other number.

    Parameters
    ----------
    seed : int
        The run's seed, 0 or more.
    *names
        Path of the step, for example ``("fidelity", "qrs_ms")``.
    """
    key = zlib.crc32("/".join(map(str, names)).encode())
    return np.random.default_rng(np.random.SeedSequence([seed, key]))
