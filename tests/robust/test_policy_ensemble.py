"""A bandit over policies in a vector game: regret, resume, runs as arms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from equilibria import run
from equilibria.agents.learning.players import AgentPlayer
from equilibria.agents.robust import PolicyEnsemble
from equilibria.games.vector import TeamMatrixWorld
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray


class Always:
    """Always the same action."""

    def __init__(self, action: int) -> None:
        self._action = action

    def act(self, observation: AnyArray, mask: AnyArray | None, rng: np.random.Generator) -> AnyArray:
        return np.full(len(observation), self._action, np.int64)


def always(action: int) -> AgentPlayer:
    return AgentPlayer(Always(action), np.random.default_rng(action))


def ensemble(rounds: int, *, seed: int = 1, arms: tuple[int, ...] = (0, 1, 2)) -> PolicyEnsemble:
    """Rows pay 0.2, 0.9 and 0.4 against the opponent's column 0."""
    world = TeamMatrixWorld(np.array([[0.2, 0.0], [0.9, 0.1], [0.4, 1.0]]))
    made = PolicyEnsemble(
        world, [always(a) for a in arms], roles=np.array([0]), horizon=rounds, low=0.0, high=1.0, episodes=4,
        seeds=SeedTree(seed),
    )  # fmt: skip
    made.meet({(1,): always(0)})
    return made


def test_the_best_policy_is_found_with_regret_below_the_bound() -> None:
    rounds = 1000
    for seed in range(2):
        made = ensemble(rounds, seed=seed)
        made.step(rounds)
        regret = 0.9 - made.earned / rounds
        assert 0 < regret < 2 * math.sqrt(2 * 3 * math.log(3) / rounds)
        assert made.policy().argmax() == 1
        found = made.certificate()
        assert found.details["best"] == 1
        assert found.value == pytest.approx(0.9 - float(made.policy() @ [0.2, 0.9, 0.4]))


def test_one_policy_has_no_regret() -> None:
    made = ensemble(5, arms=(1,))
    made.step(5)
    assert made.earned == pytest.approx(4.5)
    assert made.certificate().value == 0.0


def test_a_saved_ensemble_goes_on_bit_for_bit() -> None:
    through, again = ensemble(60), ensemble(60)
    through.step(20)
    again.load(through.save())
    for made in (through, again):
        made.step(20)
    assert np.array_equal(through.policy(), again.policy())
    assert through.latest == again.latest
    assert len(again.history()["arm"]) == 20


def test_runs_are_arms_of_a_scenario(tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / f"{seed}.yaml").write_text(
            "version: 1\nname: arm\ngame: {use: team_matrix_world}\n"
            "agents:\n  - {role: all, use: ppo, params: {worlds: 8, steps: 4, certificate_updates: 1, "
            "certificate_episodes: 4}}\n"
            f"run: {{budget: 2, seed: {seed}}}\n"
        )
        run(tmp_path / f"{seed}.yaml", out=tmp_path / f"run{seed}")
    (tmp_path / "both.yaml").write_text(
        "version: 1\nname: both\ngame: {use: team_matrix_world}\n"
        f"agents:\n  - {{role: all, use: policy_ensemble, params: {{runs: [{tmp_path}/run1, {tmp_path}/run2], "
        "low: -30, high: 11, certificate_episodes: 8}}\n"
        "metrics:\n  - {use: mean_return, every: 1}\n  - {use: learning_numbers, every: 5, params: {names: [probability_0]}}\n"
        "run: {budget: 10, seed: 3}\n"
    )
    done = run(tmp_path / "both.yaml", out=tmp_path / "both")
    assert done.certificate["measure"] == "gain of the best single policy over the mixture"


def test_bad_input_has_names() -> None:
    world = TeamMatrixWorld.climbing()
    with pytest.raises(InvalidValue, match="at least one policy"):
        PolicyEnsemble(world, [], horizon=5, low=0.0, high=1.0, seeds=SeedTree(0))
    with pytest.raises(InvalidValue, match="low < high"):
        PolicyEnsemble(world, [always(0)], horizon=5, low=1.0, high=1.0, seeds=SeedTree(0))
    made = ensemble(3)
    made.step(1)
    with pytest.raises(Unsupported, match="before the first round"):
        made.meet({})
    far = PolicyEnsemble(world, [always(0)], horizon=5, low=0.0, high=1.0, seeds=SeedTree(0))
    with pytest.warns(UserWarning, match="outside"):
        far.step(2)
