from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
