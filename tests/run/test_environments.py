"""Tables do not depend on hash seed, locale, time zone, folder, threads, HOME or a cold compile cache."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from equilibria.sim.scenario.shipped import names
from equilibria.sim.store import layout

HERE: dict[str, str | None] = {
    "PYTHONHASHSEED": "1",
    "LC_ALL": "C",
    "TZ": "UTC",
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "2",
}
ELSEWHERE: dict[str, str | None] = {
    "PYTHONHASHSEED": "4242",
    "LC_ALL": "de_DE.UTF-8",
    "LANG": "tr_TR.UTF-8",
    "TZ": "Pacific/Chatham",
    "HOME": None,
    "XDG_CACHE_HOME": None,
    "POLARS_MAX_THREADS": "2",
}
IN_EVERY_RUN = ("quick/cfr_plus_kuhn", "quick/wealth_exchange")
CASES = [
    pytest.param(name, marks=pytest.mark.heavy if name in IN_EVERY_RUN else pytest.mark.slow)
    for name in names()
    if name.startswith("quick/")
]
Run = Callable[..., subprocess.CompletedProcess[str]]


def results(cli: Run, scenario: object, folder: Path, threads: int, env: dict[str, str]) -> dict[str, bytes]:
    """Run a scenario with ``folder`` as the working directory; return its tables and its summary."""
    folder.mkdir()
    done = cli("run", scenario, "--out", "run", "--threads", threads, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    files = [*sorted((folder / "run").rglob("*.parquet")), folder / "run" / layout.SUMMARY]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.heavy
def test_tables_of_several_parts_do_not_depend_on_the_environment(
    cli: Run,
    child_environment: Callable[..., dict[str, str]],
    make_scenario: Callable[..., Path],
    tmp_path: Path,
) -> None:
    scenario = make_scenario(walkers=1500)
    here = results(cli, scenario, tmp_path / "here", 1, child_environment(**HERE))
    there = results(cli, scenario, tmp_path / "another place", 2, child_environment(**ELSEWHERE))
    assert here == there
    assert len(here) == 10


@pytest.mark.parametrize("name", CASES)
def test_tables_of_shipped_scenarios_do_not_depend_on_the_environment(
    cli: Run, child_environment: Callable[..., dict[str, str]], tmp_path: Path, name: str
) -> None:
    here = results(cli, name, tmp_path / "here", 1, child_environment(**HERE))
    cold = {"NUMBA_CACHE_DIR": str(tmp_path / "empty cache")} if name in IN_EVERY_RUN else {}
    there = child_environment(**ELSEWHERE, **cold)
    assert results(cli, name, tmp_path / "another place", 2, there) == here
