"""The frame: third-party pages, broken ones, what the command line starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from equilibria.dashboards import frame
from equilibria.dashboards.page import Page
from equilibria.sim import registry
from equilibria.sim.plugin import Plugin
from equilibria.sim.registry import BrokenPlugin


def plugin(name: str, build: Any) -> Any:
    return SimpleNamespace(name=name, load=lambda: build)


def failing() -> Page:
    raise RuntimeError("no data")


def test_a_page_that_cannot_be_built_leaves_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Page(title="Tax", render=lambda context: None)
    found = [
        BrokenPlugin("page", "gone", "someone", "cannot be imported"),
        plugin("raises", failing),
        plugin("no_page", lambda: "text"),
        plugin("tax", lambda: good),
    ]
    monkeypatch.setattr(registry, "all_plugins", lambda kind: found)
    pages, broken = frame.load_pages()
    assert pages == {"tax": good}
    assert [b.name for b in broken] == ["gone", "raises", "no_page"]
    assert "no data" in broken[1].error
    assert "must return a Page" in broken[2].error


def test_a_page_shows_runs_with_its_tables_or_metrics_only(runs: Path) -> None:
    from equilibria.dashboards.catalogue import entries

    found = {e.name: e for e in entries(runs)}
    page = Page(title="x", render=lambda context: None, tables=("scores",), metrics=("gini",))
    assert {name for name, e in found.items() if page.shows(e)} == {"tournament", "wealth", "wealth_grid", "sweep"}
    assert all(Page(title="all", render=lambda context: None).shows(e) for e in found.values())


def test_the_sections_of_the_menu_come_in_their_order() -> None:
    pages, _ = frame.load_pages()
    ordered = sorted(pages.values(), key=frame._place)
    assert list(dict.fromkeys(p.section for p in ordered)) == list(frame.SECTIONS)
    assert ordered[0].title == "Runs"


def test_descriptors_of_pages_import_nothing_heavy() -> None:
    code = (
        "import sys; import equilibria.dashboards.plugins; import equilibria.sim.cli.dashboard_command; "
        "print([m for m in ('streamlit', 'plotly', 'polars', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_views_are_not_taken_for_programs_by_streamlit() -> None:
    folder = Path(frame.__file__).parent
    assert not (folder / "pages").exists()


def test_the_command_line_refuses_a_file_as_runs_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = [sys.executable, "-m", "equilibria.sim.cli.app", "dashboard", str(tmp_path / "file"), "--headless"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == f"{tmp_path / 'file'}: is a file; give the folder that holds the runs"


def test_without_the_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    from equilibria.sim.cli.dashboard_command import dashboard
    from equilibria.sim.errors import MissingExtra

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"equilibria\[dashboard\]"):
        dashboard(tmp_path)
    with pytest.raises(MissingExtra):
        Plugin(
            kind="page", name="x", summary="", target="x:y", requires="dashboard", modules=("streamlit",)
        ).check_extra()
