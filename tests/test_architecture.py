"""Imports point one way: from a higher level to a lower one, never up, never sideways."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ecgeval"
LEVELS = {
    "errors": -1,
    "ecgset": 0,
    "results": 0,
    "parallel": 0,
    "spool": 0,
    "catalogue": 0.5,
    "io": 1,
    "preprocess": 2,
    "delineation": 3,
    "generators": 3,
    "measures": 4,
    "references": 4,
    "sets": 4.5,
    "compare": 5,
    "privacy": 5,
    "report": 6,
    "config": 6,
    "pipeline": 7,
    "sweep": 7.5,
    "paper": 7.5,
    "cli": 8,
}
# Heavy packages and the only places that may import them.
ONLY_IN = {
    "torch": ("generators/", "compare/neural.py", "privacy/accelerator.py"),
    "matplotlib": ("report/figures.py",),
    "neurokit2": ("delineation/neurokit.py",),
    "deepfakeecg": (),
}


def imports(path: Path, package: str) -> set[str]:
    """Return every module that a file imports, anywhere in it, type-checking blocks included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def unit(module: str) -> str:
    return module.split(".")[1]


def violations(module: str, imported: set[str]) -> list[str]:
    """Return the imports of `module` that point up or sideways."""
    own = unit(module)
    out = []
    for name in sorted(imported):
        parts = name.split(".")
        if parts[0] != "ecgeval" or len(parts) < 2 or parts[1] not in LEVELS or parts[1] == own:
            continue
        if LEVELS[parts[1]] >= LEVELS[own]:
            out.append(f"{module} (level {LEVELS[own]}) imports {name} (level {LEVELS[parts[1]]})")
    return out


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    parts = ("ecgeval", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    module = name_of(path)
    assert unit(module) in LEVELS, f"{module} has no level: add it to LEVELS and to the docs"
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    assert violations(module, imports(path, package)) == []


def test_the_check_sees_an_upward_and_a_sideways_import() -> None:
    assert violations("ecgeval.ecgset", {"ecgeval.io"})
    assert violations("ecgeval.compare.ks", {"ecgeval.privacy.copies.search"})
    assert violations("ecgeval.parallel", {"ecgeval.results"})
    assert not violations(
        "ecgeval.compare.ks", {"ecgeval.comparison.measures.largest", "ecgeval.results"}
    )


@pytest.mark.parametrize("heavy", ONLY_IN)
def test_heavy_packages_stay_where_they_belong(heavy: str) -> None:
    for path in PACKAGE.rglob("*.py"):
        where = path.relative_to(PACKAGE).as_posix()
        if not where.startswith(ONLY_IN[heavy]) if ONLY_IN[heavy] else True:
            roots = {name.split(".")[0] for name in imports(path, "ecgeval")}
            assert heavy not in roots, f"{where} imports {heavy}"


def test_the_package_is_covered() -> None:
    assert len(FILES) > 10
