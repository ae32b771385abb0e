"""The repository itself: links, pins, licence, and what an installation drags in."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agents", "benchmarks", "dashboards", "games", "mechanisms", "scenarios", "sim")


def test_every_link_of_the_package_resolves_to_its_folder() -> None:
    for name in FOLDERS:
        link = ROOT / "src" / "equilibria" / name
        assert link.is_symlink(), f"{name} is no link"
        assert not Path(link.readlink()).is_absolute()
        assert link.resolve() == ROOT / name


def test_no_bare_module_of_ours_is_importable_from_outside(tmp_path: Path) -> None:
    code = (
        "import importlib.util as u\n"
        f"root = {str(ROOT)!r}\n"
        "for n in ('agents', 'games', 'sim', 'mechanisms', 'dashboards', 'benchmarks'):\n"
        "    s = u.find_spec(n)\n"
        "    assert s is None or not str(s.origin).startswith(root), (n, s)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_constraints_hold_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.!\-]+", line), line
    assert "torch==2.13.0" in lines


def _base_distributions() -> set[str]:
    """Walk the installed metadata from the base requirements, extras left out."""
    todo, seen = [("equilibria", frozenset[str]())], set()
    while todo:
        name, extras = todo.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        seen.add(key)
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            marker: Marker | None = requirement.marker
            environments = [{"extra": extra} for extra in extras or {""}]
            if marker is None or any(marker.evaluate(e) for e in environments):
                todo.append((requirement.name, frozenset(requirement.extras)))
    return seen


def test_base_installation_has_no_torch_and_brings_at_most_thirty_distributions() -> None:
    base = _base_distributions() - {"equilibria"}
    assert not {d for d in base if d == "torch" or d.startswith("nvidia") or d in ("mesa", "streamlit", "ray")}
    assert len(base) <= 30, sorted(base)


def test_licence_is_apache_in_file_and_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


@pytest.mark.parametrize("pattern", [r"/work/", r"/root/", r"file://" + r"/opt", r"pypi\.org/simple", r"index-url"])
def test_no_file_names_a_machine_path_or_a_registry(pattern: str) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.split():
        path = ROOT / name
        if path.is_symlink() or path == Path(__file__).resolve() or path.suffix in {".png", ".npz", ".parquet"}:
            continue
        assert not re.search(pattern, path.read_text(errors="ignore")), f"{pattern!r} stands in {name}"


def _imported_distributions(folder: str) -> dict[str, str]:
    """Return distribution -> one file of the folder that imports it, standard library and ours left out."""
    owners = importlib.metadata.packages_distributions()
    found: dict[str, str] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top == "equilibria":
                    continue
                for owner in owners.get(top, [top]):
                    found[re.sub(r"[-_.]+", "-", owner).lower()] = str(path.relative_to(ROOT))
    return found


@pytest.mark.parametrize("folder", ["agents", "dashboards", "games", "mechanisms", "sim"])
def test_everything_the_product_imports_is_declared(folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *(r for rs in project["optional-dependencies"].values() for r in rs)]
    declared = {re.sub(r"[-_.]+", "-", Requirement(text).name).lower() for text in requirements}
    undeclared = {d: where for d, where in _imported_distributions(folder).items() if d not in declared}
    assert not undeclared
