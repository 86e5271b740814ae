"""JUnit XML: one test case a finding, for continuous integration."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from ecgeval.catalogue import word
from ecgeval.results import Results, Verdict
from ecgeval.wording import clean

__all__ = ["junit"]


def junit(results: Results) -> str:
    """Return the findings as JUnit XML.

    A gate that failed is a failure. A gate that could not decide, and a finding that does not
    count, are skipped with their verdict (or its words) as the message: neither reads as passed.
    """
    gated = {s.slug for s in results.sections if s.gate}
    suite = ET.Element("testsuite", name="ecgeval")
    failures = skipped = 0
    for f in results.findings:
        case = ET.SubElement(suite, "testcase")
        case.set("classname", clean(f"ecgeval.{f.section}"))
        case.set("name", clean(f"{f.code}: {f.title}"))
        counts = f.gate and f.section in gated
        text = clean("\n".join(part for part in (f.explanation, f"Rule: {f.rule}") if part))
        if counts and f.verdict == Verdict.FAIL:
            failures += 1
            node = ET.SubElement(case, "failure", message=clean(f.title), type=clean(f.code))
            node.text = text
        elif f.verdict != Verdict.PASS or not counts:
            skipped += 1
            note = "" if counts else " (does not count for the verdict)"
            message = clean(f"{word(f)}: {f.title}{note}")
            ET.SubElement(case, "skipped", message=message).text = text
    suite.set("tests", str(len(results.findings)))
    suite.set("failures", str(failures))
    suite.set("errors", "0")
    suite.set("skipped", str(skipped))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, "unicode") + "\n"
