"""MAgent's battle as a two-team world: frames, rewards, outcomes, saving, and FXP on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria.agents.solvers.fxp.deep.settings import DeepFXPSettings
from equilibria.agents.solvers.fxp.deep.solver import DeepFXP
from equilibria.games.foreign.battle import TURNED, BattleSeat, MAgentBattle
from equilibria.games.vector.states import load_worlds, save_worlds
from equilibria.sim.errors import Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.testing import check_game

STAY, RIGHT_2 = 6, 8
STEPS = [(dx, dy) for dy in range(-2, 3) for dx in range(-2, 3) if abs(dx) + abs(dy) <= 2]
NEXT = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy]


def hunt(seen: np.ndarray) -> list[int]:
    """Return actions of a team [N, 7 N]: one stays, the others walk to the nearest opponent and attack it."""
    n = len(seen)
    chosen = [STAY]
    for row in seen[1:]:
        foes = row[4 * n :].reshape(n, 3)
        gaps = [np.rint(14 * (f[:2] - row[n : n + 2])).astype(int) for f in foes if f[2] > 0]
        if row[n + 2] == 0 or not gaps:
            chosen.append(STAY)
            continue
        gap = min(gaps, key=lambda g: abs(g).sum())
        if tuple(gap) in NEXT:
            chosen.append(13 + NEXT.index(tuple(gap)))
        else:
            free = [a for a in range(13) if STEPS[a] != tuple(gap)]  # the foe's own cell is taken
            chosen.append(min(free, key=lambda a: abs(gap - STEPS[a]).sum()))
    return chosen


def test_battles_keep_the_contract_of_vector_games() -> None:
    check_game(lambda: MAgentBattle(horizon=5), steps=12)


def test_both_teams_see_and_move_in_their_own_frame() -> None:
    world = MAgentBattle(horizon=50)
    assert {role: (s.count, s.actions, s.observation) for role, s in world.roles.items()} == {
        "red": (3, 21, (21,)), "blue": (3, 21, (21,)),
    }  # fmt: skip
    state = world.reset(0, 8)
    assert {seat._swapped for seat in state.seats if isinstance(seat, BattleSeat)} == {True, False}
    before = state.observation.copy()
    assert np.array_equal(before[..., :3], np.broadcast_to(np.tile(np.eye(3), (2, 1)), (8, 6, 3)))
    assert (before[..., [5, 8, 11, 14, 17, 20]] == 1).all()
    world.step(state, {role: np.full((8, 3), RIGHT_2) for role in world.roles})
    own, foe = state.observation - before, [12, 15, 18]
    np.testing.assert_allclose(own[..., [3, 6, 9]], 2 / 14, atol=1e-6)
    np.testing.assert_allclose(own[..., foe], -2 / 14, atol=1e-6)
    np.testing.assert_allclose(own[..., [4, 7, 10, 13, 16, 19]], 0, atol=1e-6)
    np.testing.assert_array_equal(TURNED[TURNED], np.arange(21))


@pytest.mark.parametrize("hunter", ["red", "blue"])
def test_hunters_kill_a_team_that_stands_still_and_are_paid_for_it(hunter: str) -> None:
    world = MAgentBattle(horizon=200)
    state = world.reset(2, 4)
    idle, first = "blue" if hunter == "red" else "red", world._slice(hunter).start
    left, total, fallen = np.ones(4, np.bool_), np.zeros(4), False
    while left.any():
        seen = world.observe(state, hunter)
        world.step(state, {hunter: np.array([hunt(s) for s in seen]), idle: np.full((4, 3), STAY)})
        assert np.allclose(state.reward[:, :3], -state.reward[:, 3:4])
        total[left] += state.reward[left, first]
        present = world.active(state)
        going = ~state.ended
        fallen |= bool((going[:, None] & ~present).any())
        assert (state.observation[going][~present[going]] == 0).all()
        for b in np.flatnonzero(state.ended & left):
            assert world.outcome(state)[b] == (1 if hunter == "red" else -1)
            assert world.terminated(state)[b]
            left[b] = False
    assert fallen
    hits = np.rint((total - 30) / 0.1)  # three kills at 5 for the hunters and -5 for the fallen
    np.testing.assert_allclose(total, 30 + 0.1 * hits, atol=1e-4)
    assert ((hits >= 15) & (hits <= 30)).all()  # 10 points of health, 2 per hit, 0.1 regained per step


def test_saved_battles_go_on_as_if_nothing_had_happened() -> None:
    world, rng = MAgentBattle(horizon=9), np.random.default_rng(1)
    state = world.reset(4, 3)

    def actions() -> dict[str, Any]:
        return {role: rng.integers(0, 21, (3, 3)) for role in world.roles}

    for _ in range(14):
        world.step(state, actions())
    again = load_worlds(world, save_worlds(state))
    for _ in range(12):
        chosen = actions()
        for s in (state, again):
            world.step(s, chosen)
        assert np.array_equal(state.observation, again.observation)
        assert np.array_equal(state.reward, again.reward)
        assert np.array_equal(world.outcome(state), world.outcome(again))


def test_fxp_trains_on_the_battle_and_resumes_bit_identically() -> None:
    tiny = DeepFXPSettings(
        worlds=1, steps=6, epochs=1, minibatches=1, hidden=8, layers=1, snapshot_every=1, match_episodes=2,
        certificate_updates=1, certificate_episodes=2,
    )  # fmt: skip

    def solver() -> DeepFXP:
        return DeepFXP(MAgentBattle(horizon=5), tiny, seeds=SeedTree(1))

    whole, first, second = solver(), solver(), solver()
    whole.step(2)
    first.step(1)
    second.load(first.save())
    second.step(1)
    end, again = whole.save(), second.save()
    for name, array in end.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name
    assert whole.payoff_matrix.shape == (6, 6)
    found = whole.certificate()
    assert found.kind == "lower bound"
    assert found.low <= found.value <= found.high


def test_teams_of_different_size_are_refused() -> None:
    class Uneven:
        possible_agents = ("red_0", "red_1", "blue_0")

        @property
        def unwrapped(self) -> Uneven:
            return self

    with pytest.raises(Unsupported, match="two teams of equal size, got red_0, red_1, blue_0"):
        BattleSeat(Uneven(), 10, opening=True)
