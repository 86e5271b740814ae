"""Imports point one way, inside packages too, and a check's code stands with its owner alone."""

import ast
import re
from pathlib import Path

import pytest

from ecgeval.catalogue import CHECKS

PACKAGE = Path(__file__).parent.parent / "ecgeval"

# A module belongs to the longest of these names that it starts with, and imports from lower
# levels only. Siblings on one level do not import each other; files of one entry may, without
# circles.
LEVELS = {
    "errors": 0,
    "lazy": 0,
    "wording": 0,
    "stats.arrays": 0,
    "parallel": 1,
    "scratch": 1,
    "ecgset": 1,
    "results": 1,
    "checks": 2,
    "stats": 3,
    "io": 4,
    "preprocess": 5,
    "delineation": 6,
    "generators": 6,
    "measures": 7,
    "signal_checks": 7,
    "references": 7,
    "sets": 8,
    "comparison.statistics": 9,
    # What is concluded is declared below whatever speaks of it, the report above all.
    "comparison.classifier.checks": 10,
    "comparison.joint.checks": 10,
    "comparison.manifold.checks": 10,
    "comparison.measures.checks": 10,
    "comparison.plausibility.checks": 10,
    "comparison.quality.checks": 10,
    "comparison.subgroups.checks": 10,
    "comparison.usefulness.checks": 10,
    "diff.checks": 10,
    "privacy.attacks.checks": 10,
    "privacy.checks": 10,
    "sweep.checks": 10,
    "paper.checks": 11,
    "catalogue": 12,
    "comparison": 13,  # what sections share: pair, margins, rows, figures
    "comparison.classifier": 14,
    "comparison.joint": 14,
    "comparison.manifold": 14,
    "comparison.measures": 14,
    "comparison.plausibility": 14,
    "comparison.quality": 14,
    "comparison.subgroups": 14,
    "comparison.usefulness": 14,
    "comparison.sections": 15,
    "privacy": 13,
    "privacy.attacks": 15,
    "privacy.copies": 11,
    "privacy.audit": 16,
    "diff": 13,
    "report": 17,
    "pipeline": 18,
    "sweep": 19,
    "paper": 19,
    "cli": 20,
}
# A notebook asks an object to show itself; what draws it lies far above.
SHOWN = {("results", "report.notebook")}
# Heavy packages and the only places that may import them.
ONLY_IN = {
    "torch": ("generators/", "comparison/classifier/resnet.py", "privacy/copies/on_device.py"),
    "matplotlib": ("report/figures",),
    "neurokit2": ("delineation/neurokit.py",),
    "deepfakeecg": (),
}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    """Return a file's module name below the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it, type-checking blocks included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports by a relative name"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, by their names below it."""
    found = {name.removeprefix("ecgeval.") for name in imports(path) if name.startswith("ecgeval.")}
    # Of a package and a module in it, the module is what is meant.
    return {n for n in found if n in MODULES and not any(m.startswith(f"{n}.") for m in found)}


def entry(module: str) -> str:
    """Return the entry of `LEVELS` that a module belongs to."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next(name for name in names if name in LEVELS)


def violations(module: str, imported: set[str]) -> list[str]:
    """Return the imports of `module` that point up or sideways."""
    own = entry(module)
    return [
        f"{module} (level {LEVELS[own]}) imports {name} (level {LEVELS[entry(name)]})"
        for name in sorted(imported)
        if entry(name) != own and LEVELS[entry(name)] >= LEVELS[own] and (module, name) not in SHOWN
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    assert violations(name_of(path), own_imports(path)) == []


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return one circle of imports, empty where there is none."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return way[way.index(module) :]
        if module in done:
            return []
        found = next(filter(None, (walk(m, [*way, module]) for m in sorted(graph[module]))), [])
        done.add(module)
        return found

    return next(filter(None, (walk(module, []) for module in sorted(graph))), [])


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {m: own_imports(p) - {b for a, b in SHOWN if a == m} for m, p in MODULES.items()}
    assert circle(graph) == []


def test_the_checks_see_what_they_forbid() -> None:
    assert violations("ecgset", {"io"})
    assert violations("comparison.joint.section", {"comparison.measures.section"})
    assert violations("comparison.rows", {"comparison.joint.section"})
    assert violations("stats.kernels", {"measures"})
    assert violations("parallel", {"results"})
    assert not violations("comparison.joint.section", {"comparison.rows", "stats.kernels"})
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("heavy", ONLY_IN)
def test_heavy_packages_stay_where_they_belong(heavy: str) -> None:
    for path in PACKAGE.rglob("*.py"):
        where = path.relative_to(PACKAGE).as_posix()
        if not where.startswith(ONLY_IN[heavy]) if ONLY_IN[heavy] else True:
            roots = {name.split(".")[0] for name in imports(path)}
            assert heavy not in roots, f"{where} imports {heavy}"


def code_strings(path: Path) -> set[str]:
    """Return the check codes that stand in a file's strings, docstrings left out."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    text = " ".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    )
    return {code for code in CHECKS if re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", text)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_code_stands_with_its_owner(path: Path) -> None:
    if path.name == "checks.py":
        assert path.parent.name == "ecgeval" or code_strings(path)
    else:
        assert code_strings(path) == set()


def test_the_package_is_covered() -> None:
    assert len(FILES) > 100
