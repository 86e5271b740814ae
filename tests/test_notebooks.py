"""The notebooks run from top to bottom, and each .ipynb is its script."""

import json
import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGEVAL_NOTEBOOK_RECORDS", "60")
    monkeypatch.setenv("ECGEVAL_NOTEBOOK_OUT", str(tmp_path / "report"))
    scope = runpy.run_path(str(path))
    assert scope["results"].findings
    assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_ipynb_is_the_script(path):
    cells = json.loads(path.with_suffix(".ipynb").read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    script = path.read_text()
    assert code
    for cell in code:
        assert cell in script
