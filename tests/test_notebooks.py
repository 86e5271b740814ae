"""The notebooks run from top to bottom, and each .ipynb is its script, executed with stand-ins."""

import base64
import json
import re
import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))
# What each leaves behind; and few records, for an audit takes its time. Not fewer than 40: with 30
# patients a side the limit of a detector, extrapolated from 60 records, named a stranger a copy.
WRITES = {
    "01_validate_checkpoint": "index.html",
    "02_privacy_audit": "index.html",
    "03_paper_figures": "index.md",
}
RECORDS = {"01_validate_checkpoint": 60, "02_privacy_audit": 40, "03_paper_figures": 40}


def book(path):
    return json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))


def test_every_notebook_is_known():
    assert {p.stem for p in NOTEBOOKS} == set(WRITES)
    assert {p.stem for p in NOTEBOOKS[0].parent.glob("*.ipynb")} == set(WRITES)


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGEVAL_NOTEBOOK_RECORDS", str(RECORDS[path.stem]))
    monkeypatch.setenv("ECGEVAL_NOTEBOOK_REAL", "")
    monkeypatch.setenv("ECGEVAL_NOTEBOOK_OUT", str(tmp_path / "report"))
    scope = runpy.run_path(str(path))
    assert scope["results"].findings
    assert (tmp_path / "report" / WRITES[path.stem]).is_file()
    verdicts = {f.code: f.verdict for f in scope["results"].findings}
    if path.stem == "02_privacy_audit":
        assert verdicts["PRIV-COPIES"] == "FAIL"  # the planted leak is found
        assert {f.code: f.verdict for f in scope["clean"].findings}["PRIV-COPIES"] != "FAIL"
    if path.stem == "03_paper_figures":
        assert verdicts["PAPER-PRIVACY"] == "NOT_ASSESSABLE"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_ipynb_is_the_script(path):
    cells = book(path)["cells"]
    script = path.read_text(encoding="utf-8")
    body = script[script.index("\n# %%") :]
    # Every cell is in the script in this order, and nothing is left between them.
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines = [f"# {line}".rstrip() for line in source.split("\n")]
            source = "\n".join(["# %% [markdown]", *lines])
        else:
            source = f"# %%\n{source}"
        assert body.strip().startswith(source), source
        body = body.strip()[len(source) :]
    assert not body.strip()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_committed_notebook_was_executed_and_shows_pictures(path):
    found = book(path)
    code = [c for c in found["cells"] if c["cell_type"] == "code"]
    outputs = [o for c in code for o in c["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert sum(bool(c["outputs"]) for c in code) >= len(code) - 2
    images = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", json.dumps(outputs))
    assert images
    assert all(base64.b64decode(image).startswith(b"<?xml") for image in images)
    assert path.with_suffix(".ipynb").stat().st_size < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_committed_notebook_holds_no_patients_trace(path):
    found = book(path)
    assert found["metadata"]["ecgeval"] == {"patients": "stand-ins"}
    text = json.dumps([c.get("outputs") for c in found["cells"]])
    for image in re.findall(r"base64,([A-Za-z0-9+/=]+)", text):
        text += base64.b64decode(image).decode()
    # A record of PTB-XL or LUDB would be named by its set; a cohort holds measures only.
    assert not re.search(r"(?<!reference:)ptbxl-norm:|ptbxl/|ludb|/(home|root|work|tmp)/", text)
    if path.stem == "03_paper_figures":
        assert "only DeepFakes are shown" in text
    else:
        assert "deepfake (regenerated)" in text
