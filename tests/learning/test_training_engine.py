"""The training engine: contract, several learners, rules as opponents, scenarios and their mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from equilibria.sim.api import run
from equilibria.sim.errors import EquilibriaError, ScenarioError, Unsupported
from equilibria.sim.scenario.plan import plan_from_bytes
from equilibria.sim.testing.engine import Recording, check_engine

SMALL = "worlds: 8, steps: 10, epochs: 2, minibatches: 2, hidden: 8, certificate_updates: 1, certificate_episodes: 16"
TEAM = f"""
version: 1
name: small
game: {{use: simple_spread}}
agents:
  - {{role: all, use: mappo, params: {{{SMALL}}}}}
metrics:
  - {{use: mean_return, every: 2}}
  - {{use: evaluation_return, every: 3, params: {{episodes: 8}}}}
  - {{use: learning_numbers, every: 1, params: {{names: [entropy, last_kl, data_to_divergence]}}}}
run: {{budget: 7, seed: 1}}
"""
TWO = f"""
version: 1
name: two
game: {{use: team_matrix_world}}
agents:
  - {{role: player_0, use: ppo, params: {{{SMALL}}}}}
  - {{role: player_1, use: ippo, params: {{{SMALL}}}}}
metrics:
  - {{use: mean_return, every: 1}}
run: {{budget: 6, seed: 1}}
"""


def plan(text: str, **changes: str) -> Any:
    for old, new in changes.items():
        text = text.replace(old, new)
    return plan_from_bytes(text.encode(), "test.yaml")


@pytest.mark.parametrize("text", [TEAM, TWO], ids=["team", "two learners"])
def test_the_engine_keeps_its_contract(text: str) -> None:
    check_engine(plan(text).build, units=6)


def test_metrics_are_recorded_where_asked() -> None:
    from equilibria.sim.seeds import SeedTree

    engine = plan(TEAM).build()
    out = Recording()
    engine.start(SeedTree(1))
    assert engine.advance(100, out) == 7
    assert engine.advance(1, out) == 0
    units = {name: [u for n, _, u, _ in out.metrics if n == name] for name in ("mean_return", "evaluation_return")}
    assert units["mean_return"] == [4, 6, 7]  # the first episodes of 25 steps end in the third update
    assert units["evaluation_return"] == [0, 3, 6, 7]
    assert {key for n, key, _, _ in out.metrics if n == "learning_numbers"} == {
        "entropy", "last_kl", "data_to_divergence",
    }  # fmt: skip


def test_a_run_ends_with_a_certificate_that_is_a_lower_bound(tmp_path: Path) -> None:
    done = run(plan(TEAM), tmp_path / "run")
    assert done.certificate is not None
    assert done.certificate["kind"] == "lower bound"
    assert done.certificate["details"]["gains"].keys() == {"agent_0", "agent_1", "agent_2"}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"use: mappo": "use: cfr"}, ScenarioError, "does not work with engine 'training'"),
        ({"role: all": "role: referee"}, EquilibriaError, "unknown role 'referee'"),
        ({"entropy, ": "entropie, "}, Unsupported, "no number 'entropie'"),
        ({"worlds: 8": "worlds: 0"}, ScenarioError, "worlds"),
    ],
)
def test_mistakes_have_names(changes: dict[str, str], error: type[Exception], says: str) -> None:
    from equilibria.sim.seeds import SeedTree

    with pytest.raises(error, match=says):
        engine = plan(TEAM, **changes).build()
        engine.start(SeedTree(1))
        engine.advance(3, Recording())


def test_every_role_needs_one_agent() -> None:
    with pytest.raises(EquilibriaError, match="every role needs one agent"):
        plan(TWO, player_1="player_0").build()
    with pytest.raises(ScenarioError, match="no table 'dags'"):
        plan(TEAM + "tables:\n  - {name: dags, every: 1}\n").build()
