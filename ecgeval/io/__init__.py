"""Files to `EcgSet` and back: one reader a format, the int16 store, named data sets.

`read` takes any supported source; `write_store`, `read_store`, `StoreWriter` and `convert` keep
sets on disk as memory maps; `info` says what a source holds; `ludb_annotations` and
`read_annotations` read wave marks, `read_annotated` ECGs with theirs.
"""

from ecgeval.io.annotated import ALL_LEADS, read_annotated
from ecgeval.io.annotations import read_annotations
from ecgeval.io.assemble import REASONS
from ecgeval.io.named import (
    NAMED,
    DeepfakeNotFound,
    find_deepfake,
    is_named,
    ludb_annotations,
    parse_name,
)
from ecgeval.io.reader import convert, info, read, summary
from ecgeval.io.store import StoreWriter, is_store, read_store, write_store

__all__ = [
    "ALL_LEADS",
    "NAMED",
    "REASONS",
    "DeepfakeNotFound",
    "StoreWriter",
    "convert",
    "find_deepfake",
    "info",
    "is_named",
    "is_store",
    "ludb_annotations",
    "parse_name",
    "read",
    "read_annotated",
    "read_annotations",
    "read_store",
    "summary",
    "write_store",
]
