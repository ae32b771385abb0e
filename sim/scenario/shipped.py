"""Scenarios that come with the package."""

from __future__ import annotations

import difflib
import importlib.resources
from pathlib import Path

from equilibria.sim.errors import Problem, ScenarioError


def folder() -> Path:
    """Return the folder of shipped scenarios."""
    return Path(str(importlib.resources.files("equilibria") / "scenarios"))


def names() -> list[str]:
    """Return the names of shipped scenarios, for example ``quickstart`` or ``quick/wealth``."""
    root = folder()
    return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))


def locate(path_or_name: str | Path) -> Path:
    """Return the file for a path or the name of a shipped scenario; a file at the path wins.

    Raises:
        ScenarioError: If there is neither; near names are suggested.
    """
    text = str(path_or_name)
    path = Path(path_or_name)
    try:
        if path.is_file():
            return path
        known = names()
        if text in known:
            return folder() / f"{text}.yaml"
        if path.exists() or path.is_symlink():
            return path  # a folder or worse: the reader says so
    except (OSError, ValueError) as error:
        raise ScenarioError([Problem(text[:200], 0, 0, "", f"cannot be read ({error}); check the path")]) from None
    near = difflib.get_close_matches(text.removesuffix(".yaml"), known, n=3, cutoff=0.5)
    guess = f"did you mean the shipped scenario {' or '.join(map(repr, near))}?" if near else "check the path"
    raise ScenarioError([Problem(text[:200], 0, 0, "", f"file not found; {guess}, or see `equilibria list scenarios`")])
