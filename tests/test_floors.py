"""The folders are floors: imports go down only, also the lazy ones written as texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import equilibria

ROOT = Path(equilibria.__file__).parent
FLOORS = ("sim", "mechanisms", "games", "agents", "dashboards")
ALL = (*FLOORS, "benchmarks")
_TARGET = re.compile(r"equilibria\.(\w+)(?:\.\w+)+(?::\w+)?|equilibria\.(\w+):\w+")


def modules() -> list[Path]:
    return [path for floor in ALL for path in sorted((ROOT / floor).rglob("*.py"))]


def module_name(path: Path) -> str:
    parts = ("equilibria", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(path: Path) -> list[str]:
    name = module_name(path).split(".")
    return name if path.name == "__init__.py" else name[:-1]


def references(tree: ast.Module, package: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module) of every import, and of every text that names a module of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, origin
            if origin == "equilibria":
                yield from ((node.lineno, f"equilibria.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _TARGET.fullmatch(node.value):
            yield node.lineno, node.value.partition(":")[0]


def upward(source: str, package: list[str]) -> list[str]:
    own = package[1]
    level = ALL.index(own)
    found = []
    for line, name in references(ast.parse(source), package):
        parts = name.split(".")
        if parts[0] in ALL and len(parts) >= 1:
            found.append(f"line {line}: imports {name!r} without 'equilibria.'")
        elif parts[0] == "equilibria" and len(parts) > 1 and parts[1] in ALL and ALL.index(parts[1]) > level:
            found.append(f"line {line}: {own} refers to {name}, which is a floor above")
    return found


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports_go_down_only(path: Path) -> None:
    assert upward(path.read_text(encoding="utf-8"), package_of(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import equilibria.agents.solvers",
        "from equilibria.agents import CFR",
        "from equilibria import agents",
        "def late():\n    from equilibria.agents.solvers import x",
        "from ..agents import x",
        'TARGET = "equilibria.agents.solvers:build"',
        'TARGET = "equilibria.agents:build"',
        "_PUBLIC = {'X': 'equilibria.dashboards.app:X'}",
        "import sim",
        "from benchmarks.common import Row",
    ],
)
def test_the_walk_finds_upward_references(source: str) -> None:
    assert len(upward(source, ["equilibria", "games"])) >= 1


@pytest.mark.parametrize(
    "source",
    [
        "from equilibria.sim.errors import GameError",
        "from . import arrays",
        'GROUP = "equilibria.agents"',
        '"""See equilibria.agents.solvers for the methods."""',
        "import numpy as np",
    ],
)
def test_the_walk_accepts_downward_references_and_plain_words(source: str) -> None:
    assert upward(source, ["equilibria", "games"]) == []
