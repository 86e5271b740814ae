"""The gallery: its runs are valid, each way to end is there, its page holds no foreign markup."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ecgeval.pipeline.config import make
from ecgeval.results import Finding, Results, Section, Verdict

TOOL = Path(__file__).parent.parent / "tools" / "gallery.py"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", TOOL)
    module = sys.modules["gallery"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings_are_valid_and_every_way_to_end_is_there(gallery):
    entries = (*gallery.ENTRIES, gallery.DIFF)
    for entry in entries:
        config = make(**{"synth": "pulse2pulse:300", **entry.settings})
        assert config.real or config.train
    assert {e.ends for e in entries} == {str(v) for v in Verdict}
    assert len({e.name for e in entries}) == len(entries)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_shows_what_is_there_and_escapes_it(gallery, tmp_path):
    title = '<script>alert(1)</script> & "quoted"'
    finding = Finding("A-CODE", Verdict.FAIL, title, "", (), "", "a")
    results = Results(sections=(Section("a", "A", "", True),), findings=(finding,))
    entry = replace(gallery.ENTRIES[1], title=title)
    (tmp_path / entry.name).mkdir()
    (tmp_path / entry.name / "results.json").write_text(results.to_json(), encoding="utf-8")
    tags = Tags()
    tags.feed(gallery.page((gallery.ENTRIES[0], entry), tmp_path))
    assert not tags.open
    assert "script" not in tags.seen
    assert tags.seen.count("article") == 1  # the other has not been run
