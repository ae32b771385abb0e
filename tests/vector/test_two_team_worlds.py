"""Two-team worlds: rules of the battle, symmetry of the colours, exact payoffs of team games, PettingZoo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from equilibria.games.adapters.pettingzoo import aec_env, parallel_env
from equilibria.games.matrix import climb, seek_attack_defend, team_rock_paper_scissors
from equilibria.games.vector.base import WorldState
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.two_teams import MiniBattle, TeamGameWorld, TwoTeamWorld, two_team_world
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.testing import check_env, check_game

WORLDS: dict[str, Callable[[], TwoTeamWorld]] = {
    "battle": MiniBattle,
    "battle of three": lambda: MiniBattle(3, size=9, health=2),
    "close battle": lambda: MiniBattle(2, size=6, start="close"),
    "climb": lambda: TeamGameWorld(climb()),
    "rps": lambda: TeamGameWorld(team_rock_paper_scissors(), horizon=4),
}
EVERY = pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)
STAY, LEFT, RIGHT, DOWN, UP = range(5)
EAST = 9  # attack to the right in the own frame
WEST = 8


def legal_actions(world: TwoTeamWorld, state: WorldState, rng: np.random.Generator) -> dict[str, np.ndarray]:
    chosen = {}
    for role, spec in world.roles.items():
        mask = world.action_mask(state, role)
        size = (state.batch, spec.count, spec.actions)
        chosen[role] = np.argmax(rng.random(size) * (np.ones(size) if mask is None else mask), axis=2)
    return chosen


def placed(cells: list[tuple[int, int]], health: int = 3, **settings: float) -> tuple[MiniBattle, WorldState]:
    """Return one battle with agents in given cells, red first."""
    world = MiniBattle(len(cells) // 2, health=health, **settings)  # type: ignore[arg-type]
    state = world.reset(0, 1)
    state.own["x"][0], state.own["y"][0] = np.array(cells).T
    return world, state


def act(world: MiniBattle, state: WorldState, actions: list[int]) -> list[tuple[int, int]]:
    n = world.members
    world.step(state, {"red": np.array([actions[:n]]), "blue": np.array([actions[n:]])})
    return [(int(x), int(y)) for x, y in zip(state.own["x"][0], state.own["y"][0], strict=True)]


@EVERY
def test_world_keeps_the_contract(make: Callable[[], TwoTeamWorld]) -> None:
    check_game(make, steps=80)


@EVERY
# the dead of an ended episode see zeros, team games show one number
@pytest.mark.filterwarnings("ignore:Observation is a single number", "ignore:Observation numpy array is all zeros")
def test_views_pass_pettingzoo_and_our_test_over_full_episodes(make: Callable[[], TwoTeamWorld]) -> None:
    parallel_api_test(parallel_env(make()), num_cycles=100)
    parallel_seed_test(lambda: parallel_env(make()), num_cycles=50)
    api_test(aec_env(make()), num_cycles=100)
    seed_test(lambda: aec_env(make()), num_cycles=50)
    check_env(lambda: parallel_env(make()), episodes=3)
    check_env(lambda: aec_env(make()), episodes=3)


@EVERY
def test_trajectory_of_world_0_is_the_same_for_batches_1_5_33(make: Callable[[], TwoTeamWorld]) -> None:
    def trace(batch: int) -> list[bytes]:
        world, seen = make(), []
        state = world.reset(4, batch)
        for step in range(90):
            choice = {
                role: (np.arange(batch)[:, None] + 5 * np.arange(s.count) + step) % s.actions
                for role, s in world.roles.items()
            }
            world.step(state, choice)
            seen.append(state.observation[0].tobytes() + state.reward[0].tobytes() + state.ended[:1].tobytes())
        return seen

    assert trace(1) == trace(5) == trace(33)


@EVERY
def test_colours_are_symmetric_and_rewards_sum_to_zero(make: Callable[[], TwoTeamWorld]) -> None:
    world, rng = make(), np.random.default_rng(1)
    state = world.reset(9, 16)
    other = world.reset(9, 16)
    for _ in range(60):
        for name, array in state.own.items():  # the other battle is this one with colours exchanged and turned around
            if name in ("x", "y"):
                other.own[name][:] = world.size - 1 - np.roll(array, world.members, axis=1)  # type: ignore[attr-defined]
            elif name in ("hp", "legal"):
                other.own[name][:] = np.roll(array, world.members, axis=1)
        other.elapsed[:] = state.elapsed
        actions = legal_actions(world, state, rng)
        world.step(state, actions)
        world.step(other, {"red": actions["blue"], "blue": actions["red"]})
        n = world.members
        assert np.array_equal(other.reward[:, :n], state.reward[:, n:])
        assert np.allclose(state.reward.sum(axis=1), 0, atol=1e-12)
        assert np.array_equal(other.ended, state.ended)
        going = ~state.ended
        np.testing.assert_allclose(other.observation[going][:, :n], state.observation[going][:, n:], atol=1e-7)
        if state.ended.any() and not isinstance(world, TeamGameWorld):
            assert np.array_equal(world.outcome(state)[state.ended], -world.outcome(other)[state.ended])


@pytest.mark.parametrize("game", [climb(), seek_attack_defend(3, levels=3), team_rock_paper_scissors()])
def test_a_team_game_pays_its_exact_payoffs(game) -> None:  # type: ignore[no-untyped-def]
    world, rng = TeamGameWorld(game), np.random.default_rng(0)
    state = world.reset(0, 50)
    red, blue = rng.integers(0, game.actions, (2, 50, game.members))
    world.step(state, {"red": red, "blue": blue})
    exact = [game.value(game.pure(r), game.pure(b)) for r, b in zip(red.tolist(), blue.tolist(), strict=True)]
    np.testing.assert_allclose(state.reward[:, 0], exact, atol=1e-12)
    np.testing.assert_allclose(state.reward[:, -1], np.negative(exact), atol=1e-12)
    assert world.outcome(state).tolist() == np.sign(exact).astype(int).tolist()


def test_attacks_land_at_once_and_before_steps() -> None:
    world, state = placed([(2, 2), (0, 0), (3, 2), (6, 6)], health=1)
    act(world, state, [EAST, STAY, LEFT, STAY])  # blue's left is red's right: it would step away, but is dead
    assert state.own["hp"][0].tolist() == [1, 1, 0, 1]
    assert state.reward[0].tolist() == pytest.approx([1.1, 1.1, -1.1, -1.1])
    assert state.own["legal"][0, 2].tolist() == [True] + [False] * 12
    assert not state.observation[0, 2, :-1].any()


def test_duel_of_equals_ends_in_a_draw() -> None:
    world, state = placed([(2, 3), (3, 3)], health=2)
    act(world, state, [EAST, EAST])
    assert state.own["hp"][0].tolist() == [1, 1]
    assert not state.ended[0]
    act(world, state, [EAST, EAST])
    assert state.ended[0]
    assert world.outcome(state).tolist() == [0]
    assert state.episode_return[0].tolist() == [0.0, 0.0]
    assert state.elapsed.tolist() == [0]


def test_two_against_one_wins_and_is_paid_for_it() -> None:
    world, state = placed([(2, 2), (2, 4), (3, 3), (6, 6)], health=2)
    act(world, state, [12, 7, STAY, STAY])  # up-right from below, down-right from above
    assert state.own["hp"][0].tolist() == [2, 2, 0, 2]
    assert state.reward[0, 0] == pytest.approx(1.2)
    state.own["hp"][0, 3] = 1
    state.own["x"][0, 3], state.own["y"][0, 3] = 3, 2
    act(world, state, [EAST, STAY, STAY, STAY])
    assert world.outcome(state).tolist() == [1]
    assert state.reward[0, 0] == pytest.approx(0.1 + 1.0 + 1.0)


def test_steps_into_held_or_contested_cells_do_not_happen() -> None:
    cells = [(0, 0), (2, 0), (6, 6), (6, 4)]
    world, state = placed(cells)
    assert act(world, state, [RIGHT, LEFT, STAY, STAY]) == cells  # both want (1, 0)
    world, state = placed([(0, 0), (1, 0), (6, 6), (6, 4)])
    assert act(world, state, [RIGHT, UP, DOWN, STAY])[:2] == [(0, 0), (1, 1)]  # held at the start of the step
    assert state.own["y"][0, 2] == 6  # blue's down is up: off the field
    assert not state.own["legal"][0, 0, LEFT]


def test_time_ends_a_battle_and_more_survivors_win() -> None:
    world, state = placed([(0, 0), (0, 1), (6, 6), (6, 5)], horizon=3)
    state.own["hp"][0, 3] = 0
    for _ in range(3):
        act(world, state, [STAY] * 4)
    assert state.ended[0]
    assert world.outcome(state).tolist() == [1]
    assert state.final_observation[0, 0, -1] == 0.0
    assert state.observation[0, 0, -1] == 1.0


def test_starts_are_uniform_over_distinct_cells_and_mirrored() -> None:
    state = MiniBattle().reset(3, 20_000)
    x, y = state.own["x"], state.own["y"]
    cell = x.astype(np.int64) * 7 + y.astype(np.int64)
    assert (cell[:, 0] != cell[:, 1]).all()
    for member in range(2):
        shares = np.bincount(cell[:, member], minlength=14) / 20_000
        assert shares[:14] == pytest.approx(1 / 14, abs=0.008)
    assert np.array_equal(x[:, 2:], 6 - x[:, :2].astype(np.int64))
    assert np.array_equal(y[:, 2:], 6 - y[:, :2].astype(np.int64))


def test_close_teams_start_in_neighbouring_columns() -> None:
    state = MiniBattle(2, size=6, start="close").reset(1, 500)
    assert (state.own["x"] == np.array([2, 2, 3, 3])).all()
    assert set(np.unique(state.own["y"][:, 0])) == set(range(6))
    assert (state.own["y"][:, 0] != state.own["y"][:, 1]).all()


def test_bad_settings_and_other_games_are_refused_by_name() -> None:
    for settings, says in (
        ({"members": 0}, "members must lie in 1..8"),
        ({"size": 2}, "size must be at least 3"),
        ({"members": 8, "size": 3}, "room for 8 agents"),
        ({"start": "near"}, "start must be"),
        ({"members": 8, "start": "close"}, "room for 8 agents"),
        ({"health": 0}, "health"),
        ({"win": -1.0}, "hit, kill and win"),
        ({"horizon": 0}, "horizon"),
    ):
        with pytest.raises(InvalidValue, match=says):
            MiniBattle(**settings)
    with pytest.raises(UnsupportedGame, match=r"fxp_deep plays symmetric games between two teams.*CoordinationWorld"):
        two_team_world(CoordinationWorld(3), "fxp_deep")
    assert isinstance(two_team_world(climb(), "fxp_deep"), TeamGameWorld)
