"""Every entry point of the product leads to a part that can be built, and descriptors stay light."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import equilibria
from equilibria.sim.errors import MissingExtra
from equilibria.sim.plugin import KINDS, Plugin, group

PROJECT = Path(equilibria.__file__).resolve().parents[2] / "pyproject.toml"
HEAVY = ("numba", "polars", "torch", "mesa", "networkx", "pyspiel", "open_spiel", "scipy", "streamlit")


def entries() -> list[tuple[str, str, str]]:
    points = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    known = {group(kind): kind for kind in KINDS}
    assert set(points) <= set(known)
    return [(known[name], part, target) for name, parts in points.items() for part, target in parts.items()]


def resolve(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def descriptor(kind: str, name: str, target: str) -> Plugin:
    plugin = resolve(target)
    assert isinstance(plugin, Plugin)
    assert (plugin.kind, plugin.name) == (kind, name)
    return plugin


PARTS = pytest.mark.parametrize(("kind", "name", "target"), entries(), ids=lambda value: str(value))


@PARTS
def test_the_target_of_a_part_resolves(kind: str, name: str, target: str) -> None:
    plugin = descriptor(kind, name, target)
    missing = [module for module in plugin.modules if importlib.util.find_spec(module) is None]
    if missing:
        with pytest.raises(MissingExtra, match=plugin.requires):
            plugin.load()
        return
    assert callable(plugin.load())


@PARTS
def test_a_part_is_described(kind: str, name: str, target: str) -> None:
    plugin = descriptor(kind, name, target)
    assert plugin.summary
    assert bool(plugin.modules) == bool(plugin.requires)
    for field, info in plugin.settings.model_fields.items():
        assert info.description, f"{field} of {kind} {name} has no description"
    assert plugin.settings.model_config.get("frozen")
    assert plugin.settings.model_config.get("extra") == "forbid"


@PARTS
def test_a_metric_says_its_unit_and_direction_without_being_imported(kind: str, name: str, target: str) -> None:
    plugin = descriptor(kind, name, target)
    if kind != "metric":
        assert (plugin.unit, plugin.direction) == ("", "")
        return
    assert plugin.unit
    assert plugin.direction in ("lower", "higher", "none")
    required = [info for info in plugin.settings.model_fields.values() if info.is_required()]
    metric: Any = plugin.load() if required else plugin.load()(plugin.settings())
    assert (metric.unit, metric.direction) == (plugin.unit, plugin.direction)


def test_descriptors_import_nothing_heavy() -> None:
    names = sorted({target.partition(":")[0] for _, _, target in entries()})
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"print([heavy for heavy in {HEAVY!r} if heavy in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def lazy_names() -> list[tuple[str, str, str]]:
    found = []
    for info in [None, *pkgutil.walk_packages(equilibria.__path__, "equilibria.")]:
        if info is not None and not info.ispkg:
            continue
        name = info.name if info else "equilibria"
        public = getattr(importlib.import_module(name), "_PUBLIC", {})
        found += [(name, attribute, target) for attribute, target in public.items()]
    return found


@pytest.mark.parametrize(("package", "attribute", "target"), lazy_names())
def test_lazy_names_resolve(package: str, attribute: str, target: str) -> None:
    module = importlib.import_module(package)
    value = getattr(module, attribute)
    if ":" in target:
        assert value is resolve(target)
    assert attribute in module.__all__
