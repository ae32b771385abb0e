"""``equilibria show`` on real run directories."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equilibria.sim.analysis.facts import first_at_or_below
from equilibria.sim.errors import InvalidValue

Cli = Callable[..., tuple[int, str, str]]


def test_a_complete_run_shows_status_values_certificate_and_plot(make_run: Any, cli: Cli) -> None:
    run = make_run(values=[2.0, 0.5, 0.25], gains={"0": [1.0, 0.5, 0.1], "1": [1.0, 0.5, 0.2]}, table=True)
    code, out, err = cli("show", run.path)
    assert (code, err) == (0, "")
    assert "toy: complete, 20 of 20 iterations, seed 7" in out
    assert "Certificate: exploitability = 0.25 game payoff, exact, by exact best response; 0 at equilibrium" in out
    assert "gains [1]" in out
    assert "exploitability [game payoff]" in out
    assert "agents (9 rows)" in out
    assert "\x1b" not in out


def test_json_holds_every_value_with_its_unit_and_direction(make_run: Any, cli: Cli) -> None:
    code, out, _ = cli("show", make_run().path, "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["headline"] == "exploitability"
    assert shown["metrics"] == [
        {
            "metric": "exploitability",
            "key": "",
            "value": 0.25,
            "unit": "game payoff",
            "direction": "lower",
            "at": 20,
        }
    ]
    assert shown["certificate"]["value"] == 0.25


def test_a_failed_run_says_why_and_how_to_go_on(make_run: Any, cli: Cli) -> None:
    run = make_run(values=[1.0, 0.5, 0.25], fail_at=20)
    code, out, _ = cli("show", run.path)
    assert code == 0
    assert "toy: failed" in out
    assert "NumericalError: payoff became inf at unit 20" in out
    assert f"equilibria resume {run.path}" in out
    assert "none yet, the run is failed" in out


@pytest.mark.parametrize(
    ("status", "words"), [("interrupted", "was interrupted at 10 of 20"), ("running", "was killed")]
)
def test_an_unfinished_run_says_so(make_run: Any, cli: Cli, status: str, words: str) -> None:
    run = make_run()
    (run.path / "status.json").write_text(json.dumps({"status": status, "unit": 10, "budget": 20}))
    code, out, _ = cli("show", run.path)
    assert code == 0
    assert words in out
    assert "equilibria resume" in out


def test_a_run_that_has_committed_nothing_shows_what_it_announced(make_run: Any, cli: Cli) -> None:
    run = make_run()
    shutil.rmtree(run.path / "metrics")
    (run.path / "status.json").write_text(json.dumps({"status": "running", "unit": 5, "budget": 20}))
    (run.path / "live.json").write_text(
        json.dumps({"unit": 5, "metrics": {"exploitability": 0.7, "gains": {"1": 0.3}}})
    )
    code, out, _ = cli("show", run.path)
    assert code == 0
    assert re.search(r"exploitability +0\.7 ", out)
    assert re.search(r"gains \[1\] +0\.3 ", out)


def test_the_first_unit_at_or_below_a_threshold(make_run: Any) -> None:
    run = make_run(values=[3.0, 1.0, 0.5])
    assert first_at_or_below(run, "exploitability", 1.0) == 10
    assert first_at_or_below(run, "exploitability", 0.4) is None
    with pytest.raises(InvalidValue, match="finite"):
        first_at_or_below(run, "exploitability", float("nan"))


def test_unknown_metrics_are_answered_with_the_nearest_name(make_run: Any, cli: Cli) -> None:
    path = make_run().path
    for extra in ([], ["--json"]):
        code, out, err = cli("show", path, "--metric", "exploitabilty", *extra)
        assert (code, out) == (2, "")
        assert "did you mean 'exploitability'?" in err


def _truncate(path: Path) -> None:
    part = next((path / "metrics").iterdir())
    part.write_bytes(part.read_bytes()[:40])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: shutil.rmtree(path),
        lambda path: (path / "manifest.json").unlink(),
        lambda path: (path / "manifest.json").write_text("{"),
        lambda path: (path / "manifest.json").write_text('{"format": 99}'),
        lambda path: (path / "summary.json").write_text("[]"),
        _truncate,
    ],
    ids=["absent", "no manifest", "garbage", "newer", "no object", "truncated table"],
)
def test_broken_runs_give_a_named_error_and_exit_code_4(make_run: Any, cli: Cli, damage: Any) -> None:
    run = make_run()
    damage(run.path)
    for command in (["show", run.path], ["show", run.path, "--json"], ["compare", run.path, run.path]):
        code, out, err = cli(*command)
        assert code == 4, err
        assert str(run.path) in err
        assert "Traceback" not in err
        assert out == ""


def test_control_characters_of_a_run_do_not_reach_the_terminal(make_run: Any, cli: Cli) -> None:
    _, out, _ = cli("show", make_run(name="evil\x1b[2Jname").path)
    assert "\x1b" not in out
    assert "evil\\x1b[2Jname" in out


def test_a_sweep_shows_groups_members_and_what_is_missing(make_sweep: Any, cli: Cli) -> None:
    sweep = make_sweep("sw", {"cfr": [0.5, 0.6, 0.7], "dcfr": [0.1, 0.2, 0.3]}, missing=1)
    (sweep.path / "members" / "cfr-s0" / "manifest.json").write_text("{")
    code, out, _ = cli("show", sweep.path)
    assert code == 0
    assert "sw: sweep, 5 of 7 members complete" in out
    assert "agents.0.use  seeds" in out
    assert "broken" in out
    assert "not begun" in out
    shown = json.loads(cli("show", sweep.path, "--json")[1])
    by_group = {row["group"]: row for row in shown["groups"]}
    assert by_group["agents.0.use=dcfr"]["median"] == 0.2
    assert by_group["agents.0.use=cfr"]["seeds"] == 2
    assert {f["state"] for f in shown["failures"]} == {"broken", "missing"}


def test_an_empty_sweep_is_shown_without_error(make_sweep: Any, cli: Cli) -> None:
    sweep = make_sweep("sw", {}, missing=2)
    code, out, _ = cli("show", sweep.path)
    assert code == 0
    assert "0 of 2 members complete" in out
