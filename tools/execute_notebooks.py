"""Execute the notebooks with stand-ins for patients, and keep the outputs beside the scripts.

    python tools/execute_notebooks.py [NAME ...]

Needs the extra ``notebooks``. The executed notebooks are committed, so they must hold no trace of a
patient: they run from a folder of their own, without real data, and say so in their metadata.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import jupytext
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"


def execute(script: Path) -> Path:
    """Write the executed notebook of a script beside it."""
    book = jupytext.read(script, fmt="py:percent")
    with tempfile.TemporaryDirectory() as away:
        os.environ |= {
            "ECGEVAL_DATA": away,
            "ECGEVAL_NOTEBOOK_REAL": "",
            "ECGEVAL_NOTEBOOK_OUT": str(Path(away) / "report"),
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(FOLDER.parent), os.environ.get("PYTHONPATH")])
            ),
        }
        NotebookClient(book, timeout=600, resources={"metadata": {"path": away}}).execute()
        for cell in book.cells:
            cell.metadata = {}
            for output in cell.get("outputs", ()):
                output.pop("metadata", None)
                output.metadata = {}
                # Paths of one machine are nobody else's.
                for kind, text in output.get("data", {}).items():
                    if isinstance(text, str):
                        output.data[kind] = text.replace(str(Path(away) / "report"), "reports")
    for k, cell in enumerate(book.cells):
        cell.id = f"cell-{k}"
    book.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "ecgeval": {"patients": "stand-ins"},
    }
    out = script.with_suffix(".ipynb")
    jupytext.write(book, out, fmt="ipynb")
    return out


if __name__ == "__main__":
    names = sys.argv[1:]
    for script in sorted(FOLDER.glob("*.py")):
        if not names or script.stem in names:
            print(execute(script))
