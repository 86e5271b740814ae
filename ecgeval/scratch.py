"""Arrays that may be larger than memory: in memory where they are small, else on disk."""

from __future__ import annotations

import os
import tempfile
import weakref

import numpy as np

__all__ = ["scratch_array"]

MEMORY_LIMIT = 2**29
"""Bytes from which an array is kept on disk."""


def scratch_array(shape: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised float32 array; a large one lies in a temporary file.

    The file goes when the array does. What is written to it leaves memory when memory is short.

    Parameters
    ----------
    shape : tuple of int
    """
    if 4 * np.prod(shape, dtype=np.int64) <= MEMORY_LIMIT:
        return np.empty(shape, np.float32)
    handle, name = tempfile.mkstemp(prefix="ecgeval-")
    os.close(handle)
    x = np.memmap(name, np.float32, "w+", shape=shape)
    weakref.finalize(x, os.unlink, name)
    return x
