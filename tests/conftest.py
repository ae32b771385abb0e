from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOYS = Path(__file__).parent / "data" / "toy_plugins"


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the distribution of toy plugins for one test; yields its folder (for PYTHONPATH)."""
    from equilibria.sim import registry

    monkeypatch.syspath_prepend(str(TOYS))
    registry.refresh()
    yield TOYS
    monkeypatch.undo()
    registry.refresh()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what a machine without Chromium does not cover."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        terminalreporter.write_line("no Chromium here: the dashboards' layout in a real browser was not tested")
