"""Environments of other libraries as vector games: conformance, equality with the originals, saving, bad input."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv

from equilibria import run
from equilibria.games.foreign import ForeignWorld, openspiel_world, pettingzoo_world
from equilibria.games.vector.spread import SimpleSpread
from equilibria.games.vector.states import load_worlds, save_worlds
from equilibria.sim.errors import GameError, IllegalAction, ScenarioError, UnknownName, Unsupported, UnsupportedGame
from equilibria.sim.testing import check_game

SPREAD = "mpe2.simple_spread_v3"
BATTLE = "magent2.environments.battle_v4"
TICTACTOE = "pettingzoo.classic.tictactoe_v3"


def worlds() -> dict[str, ForeignWorld]:
    return {
        "spread": pettingzoo_world(SPREAD, max_cycles=4),
        "tag": pettingzoo_world("mpe2.simple_tag_v3", max_cycles=4),
        "tictactoe": pettingzoo_world(TICTACTOE),
        "leduc": openspiel_world("leduc_poker"),
        "goofspiel": openspiel_world("goofspiel(imp_info=True,num_cards=4)"),
    }


def legal(world: ForeignWorld, state: Any, rng: np.random.Generator) -> dict[str, Any]:
    chosen = {}
    for role in world.roles:
        mask = world.action_mask(state, role)
        assert mask is not None
        chosen[role] = np.argmax(mask * (rng.random(mask.shape) + 0.1), axis=2)
    return chosen


@pytest.mark.parametrize("name", ["spread", "tag", "tictactoe", "leduc", "goofspiel"])
def test_foreign_environments_keep_the_contract_of_vector_games(name: str) -> None:
    check_game(lambda: worlds()[name], steps=12)


def test_spread_through_the_wrapper_is_the_original() -> None:
    world = pettingzoo_world(SPREAD, max_cycles=25)
    state = world.reset(5, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        env = importlib.import_module(SPREAD).parallel_env(max_cycles=25)
    seen, _ = env.reset(seed=world._seed(state, 1))
    rng = np.random.default_rng(0)
    for t in range(25):
        assert np.array_equal(np.stack([seen[a] for a in env.possible_agents]), state.observation[1])
        actions = rng.integers(0, 5, (2, 3))
        before = env.possible_agents
        world.step(state, {"agent": actions})
        seen, paid, *_ = env.step({a: int(actions[1, i]) for i, a in enumerate(before)})
        assert state.reward[1].tolist() == [paid[a] for a in before]
        assert bool(state.ended[1]) is (t == 24)
    assert world.truncated(state)[1]
    assert np.array_equal(np.stack([seen[a] for a in before]), state.final_observation[1])


def test_our_spread_moves_like_the_original_for_a_thousand_steps() -> None:
    """Positions, observations and rewards within 1e-5 (float32 observations) over 40 episodes of 25 steps."""
    foreign, ours = pettingzoo_world(SPREAD, max_cycles=25), SimpleSpread(3)
    theirs, state = foreign.reset(3, 1), ours.reset(3, 1)
    rng = np.random.default_rng(1)
    for t in range(1000):
        if t % 25 == 0:
            world = theirs.seats[0].env.unwrapped.world
            state.own["position"][0] = [a.state.p_pos for a in world.agents]
            state.own["velocity"][0] = [a.state.p_vel for a in world.agents]
            state.own["landmark"][0] = [m.state.p_pos for m in world.landmarks]
        actions = {"agent": rng.integers(0, 5, (1, 3))}
        foreign.step(theirs, actions)
        ours.step(state, actions)
        assert np.allclose(state.reward, theirs.reward, atol=1e-5)
        if t % 25 < 24:
            assert np.allclose(state.observation, theirs.observation, atol=1e-5)
        assert bool(state.ended[0]) == bool(theirs.ended[0])


def test_roles_follow_names_and_spaces() -> None:
    tag = worlds()["tag"]
    assert {role: spec.count for role, spec in tag.roles.items()} == {"adversary": 3, "agent": 1}
    assert tag.names() == ("adversary_0", "adversary_1", "adversary_2", "agent_0")
    assert worlds()["leduc"].roles["player"].count == 2


@pytest.mark.parametrize("name", ["spread", "tictactoe", "leduc"])
def test_saved_batches_go_on_as_if_nothing_had_happened(name: str) -> None:
    world, rng = worlds()[name], np.random.default_rng(4)
    state = world.reset(9, 3)
    for _ in range(5):
        world.step(state, legal(world, state, rng))
    again = load_worlds(world, save_worlds(state))
    for _ in range(8):
        actions = legal(world, state, rng)
        for s in (state, again):
            world.step(s, actions)
        assert np.array_equal(state.observation, again.observation)
        assert np.array_equal(state.reward, again.reward)
        assert np.array_equal(state.own["mask"], again.own["mask"])


def test_an_environment_that_ignores_its_seed_is_caught_when_loaded() -> None:
    state = (world := pettingzoo_world(SPREAD, max_cycles=9)).reset(1, 1)
    world.step(state, {"agent": np.zeros((1, 3), np.int64)})
    saved = save_worlds(state)
    np.copyto(saved.arrays["observation"], 1.0)
    with pytest.raises(GameError, match="came out differently"):
        load_worlds(world, saved)


def test_turns_leave_no_choice_to_the_others_and_payoffs_reach_everybody() -> None:
    world, rng = openspiel_world("leduc_poker"), np.random.default_rng(0)
    state, returns = world.reset(2, 4), []
    for _ in range(60):
        mask = world.action_mask(state, "player")
        assert mask is not None
        free = mask.sum(axis=2) > 1
        assert (free.sum(axis=1) <= 1).all()
        world.step(state, legal(world, state, rng))
        returns += state.episode_return[state.ended].tolist()
    assert len(returns) > 20
    assert np.allclose(np.sum(returns, axis=1), 0.0)
    assert np.abs(returns).max() > 0


class Fading(ParallelEnv):  # type: ignore[misc]
    """Agent i is gone after step i + 1 and is paid i + 1 for it."""

    metadata: ClassVar[dict[str, Any]] = {"name": "fading_v0"}

    def __init__(self, first: int = 0) -> None:
        self.possible_agents = [f"soul_{i}" for i in range(3)]
        self.spaces = {a: (Box(0, 9, (1,), np.float32), Discrete(2, start=first)) for a in self.possible_agents}

    def observation_space(self, agent: str) -> Any:
        return self.spaces[agent][0]

    def action_space(self, agent: str) -> Any:
        return self.spaces[agent][1]

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.clock = list(self.possible_agents), 0
        return self._seen(), {a: {} for a in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == set(self.agents)
        self.clock += 1
        over = {a: self.possible_agents.index(a) < self.clock for a in self.agents}
        paid = {a: float(over[a] * self.clock) for a in self.agents}
        seen = self._seen()
        infos: dict[str, dict[str, Any]] = {a: {} for a in self.agents}
        cut = dict.fromkeys(self.agents, False)
        self.agents = [a for a in self.agents if not over[a]]
        return seen, paid, over, cut, infos

    def _seen(self) -> dict[str, Any]:
        return {a: np.full(1, 1.0 + self.clock, np.float32) for a in self.agents}


def test_those_who_leave_are_absent_and_the_episode_ends_with_the_last() -> None:
    world = ForeignWorld(Fading, name="fading")
    state = world.reset(0, 2)
    present = []
    for _ in range(3):
        world.step(state, {"soul": np.zeros((2, 3), np.int64)})
        present.append(world.active(state)[0].tolist())
    assert present == [[False, True, True], [False, False, True], [True, True, True]]
    assert state.ended.all()
    assert world.terminated(state).all()
    assert state.episode_return.tolist() == [[1.0, 2.0, 3.0]] * 2


def test_a_battle_of_magent_is_a_game_of_two_roles() -> None:
    world = pettingzoo_world(BATTLE, horizon=20, map_size=16)
    state, rng = world.reset(0, 2), np.random.default_rng(0)
    assert {role: (spec.count, spec.actions) for role, spec in world.roles.items()} == {"red": (6, 21), "blue": (6, 21)}
    for _ in range(40):
        world.step(state, legal(world, state, rng))
    assert state.own["episode"].tolist() == [2, 2]


def test_the_horizon_cuts_episodes() -> None:
    world = pettingzoo_world(SPREAD, horizon=3, max_cycles=100)
    state = world.reset(0, 2)
    for t in range(6):
        world.step(state, {"agent": np.zeros((2, 3), np.int64)})
        assert bool(world.truncated(state).all()) is (t % 3 == 2)
        assert not world.terminated(state).any()


def test_bad_input_has_names() -> None:
    with pytest.raises(UnsupportedGame, match="cannot be imported"):
        pettingzoo_world("mpe2.simple_spred_v3")
    with pytest.raises(UnsupportedGame, match="neither parallel_env"):
        pettingzoo_world("json")
    with pytest.raises(UnsupportedGame, match="refuses the options"):
        pettingzoo_world(SPREAD, cycles=3)
    with pytest.raises(Unsupported, match="must be Discrete"):
        ForeignWorld(lambda: Fading(first=1), name="fading")
    with pytest.raises(UnknownName, match="did you mean"):
        openspiel_world("leduc_pokr")
    world = openspiel_world("kuhn_poker")
    state = world.reset(0, 1)
    with pytest.raises(IllegalAction):
        world.step(state, {"player": np.full((1, 2), 7)})


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("{environment: mpe2.simple_spred_v3}", "cannot be imported"),
        ("{environment: json}", "neither parallel_env() nor env()"),
        ("{environment: mpe2.simple_spread_v3, options: {cycles: 3}}", "refuses the options"),
        ("{environment: mpe2.simple_spread_v3, options: {local_ratio: 2}}", "refuses the options"),
    ],
)
def test_a_scenario_is_told_where_its_environment_is_wrong(tmp_path: Path, params: str, said: str) -> None:
    scenario = tmp_path / "wrong.yaml"
    scenario.write_text(
        f"version: 1\nname: wrong\ngame: {{use: pettingzoo, params: {params}}}\n"
        "agents:\n  - {role: all, use: mappo}\nrun: {budget: 1, seed: 1}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        run(scenario, out=tmp_path / "run")
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{scenario}:3:7: game: ")
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()
