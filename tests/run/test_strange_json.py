"""A JSON file of a run with a value of another type is named; it is never an internal error."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from equilibria.sim.cli.app import main
from equilibria.sim.run import start_run
from equilibria.sim.scenario import Plan
from equilibria.sim.store import find_runs, layout

VALUES: tuple[Any, ...] = (None, 5, -1, "x", [], {}, [1], {"a": 1}, 3.5, True)
COMMANDS = {
    layout.MANIFEST: ("verify", "resume"),
    layout.STATUS: ("verify", "resume"),
    layout.SUMMARY: ("verify", "resume"),
    f"{layout.CHECKPOINTS}/{layout.LATEST}": ("verify", "resume"),
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value, two elements of each list."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, below in items:
        yield from paths(below, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of ``value`` with one place replaced."""
    if not path:
        return new
    copy = json.loads(json.dumps(value))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return copy


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_strange_values_are_named(
    name: str, tmp_path: Path, make_plan: Callable[..., Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    start_run(make_plan(budget=20, checkpoint_every=10), tmp_path / "whole")
    original = json.loads((tmp_path / "whole" / name).read_bytes())
    numbers = random.Random(name)
    codes = set()
    places = list(paths(original))
    for path in numbers.sample(places, min(25, len(places))):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", run)
        (run / name).write_text(json.dumps(changed(original, path, numbers.choice(VALUES))))
        assert len(find_runs(run)) == 1
        for command in COMMANDS[name]:
            if command == "resume" and name not in (layout.STATUS, layout.SUMMARY):
                (run / layout.SUMMARY).unlink()
            with pytest.raises(SystemExit) as end:
                main([command, str(run)])
            errors = capsys.readouterr().err
            assert "internal error" not in errors, (path, errors)
            codes.add(end.value.code)
    assert codes <= {0, 2, 4}
    assert 4 in codes


@pytest.mark.parametrize("label", ["../../elsewhere", "..", "/tmp", "a/b", ""])
def test_a_member_cannot_leave_the_folder_of_its_sweep(tmp_path: Path, label: str) -> None:
    from equilibria.sim.errors import CorruptRun
    from equilibria.sim.store import open_sweep

    content = {"format": 1, "name": "s", "members": [{"label": label}]}
    (tmp_path / layout.SWEEP).write_text(json.dumps(content))
    with pytest.raises(CorruptRun, match=r"members\.0\.label"):
        open_sweep(tmp_path)
