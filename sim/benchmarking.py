"""Finding and running the modules of ``equilibria.benchmarks``; nothing is imported before it is run."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equilibria.sim.errors import MissingExtra, PluginError

PACKAGE = "equilibria.benchmarks"

# Peers that a benchmark may import, and how each is had; extras first, then packages by their own name.
_EXTRAS = {"mesa": "mesa", "torch": "learn", "ray": "cluster", "streamlit": "dashboard", "sklearn": "language"}


def available() -> dict[str, str]:
    """Return the first docstring line of every benchmark module by name, in alphabetical order."""
    return {path.stem: _summary(path) for path in sorted(_folder().glob("*.py")) if _is_benchmark(path)}


def measure(name: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """Run one benchmark.

    Args:
        name: A name from ``available``.
        quick: Smaller cases, fewer repetitions.

    Yields:
        Rows as JSON objects, with ``benchmark`` and ``met`` (whether the target is met) added.

    Raises:
        MissingExtra: If a peer is not installed.
        PluginError: If the module has no ``rows``.
    """
    try:
        module = importlib.import_module(f"{PACKAGE}.{name}")
        rows = getattr(module, "rows", None)
        if not callable(rows):
            raise PluginError(f"{PACKAGE}.{name}: has no function rows(*, quick=False)")
        for row in rows(quick=quick):
            content = row.to_json()
            yield {"benchmark": name, **content, "met": target_met(content)}
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == "equilibria":
            raise
        raise MissingPeer(name, missing) from error


class MissingPeer(MissingExtra):
    """A benchmark compares with a package that is not installed."""

    def __init__(self, benchmark: str, package: str) -> None:
        extra = _EXTRAS.get(package)
        if extra is not None:
            super().__init__(f"benchmark {benchmark!r} compares with {package} and", extra)
            return
        super().__init__(f"benchmark {benchmark!r}", package)
        self.args = (f"benchmark {benchmark!r} compares with {package}, which is not installed: pip install {package}",)


def target_met(row: dict[str, Any]) -> bool | None:
    """Say whether a row keeps its promise, ``None`` if nothing is promised.

    With a ratio, at least the target is asked for.  Without one the value itself is compared: at
    least the target for rates (``rows/s``, ``steps/s``), at most the target for everything else.
    """
    target, ratio, ours = row.get("target"), row.get("ratio"), row["ours"]
    if target is None:
        return None
    if ratio is not None:
        return bool(math.isfinite(ratio) and ratio >= target)
    rate = str(row["unit"]).rstrip().endswith("/s")
    return bool(math.isfinite(ours) and (ours >= target if rate else ours <= target))


def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"{PACKAGE} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _is_benchmark(path: Path) -> bool:
    """Say whether a module defines ``rows``; the others only help."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "rows" for node in _tree(path).body)


def _summary(path: Path) -> str:
    return (ast.get_docstring(_tree(path)) or "").partition("\n")[0].rstrip(".")


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])
