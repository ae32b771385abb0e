"""MAgent's battle of two small teams as a symmetric zero-sum world, the way the FXP experiments play it.

Axes: B worlds, N members of a team; actions are MAgent's 21: 13 moves (diamond of radius 2), 8 attacks.
"""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete

from equilibria.games.foreign.seats import Seat
from equilibria.games.foreign.world import ForeignState, ForeignWorld
from equilibria.games.vector.base import WorldState
from equilibria.games.vector.two_teams import BLUE, RED, TwoTeamWorld
from equilibria.sim.errors import Unsupported
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

MOVES, ATTACKS = 13, 8
TURNED = np.array([*range(MOVES - 1, -1, -1), *range(MOVES + ATTACKS - 1, MOVES - 1, -1)], dtype=np.int64)
"""[21] each action as the team on the right has to play it: its field is turned by 180 degrees."""
OPENING = ((10, 6), (7, 5))
"""Moves of the left and of the right team before the learners take over."""


class BattleSeat:
    """One battle between the roles ``red`` and ``blue``; the seed of an episode says who stands on the left.

    Everybody sees 7 N numbers in [0, 1], in the frame of its team: its place in the team (one-hot); x, y and health of
    itself and its team-mates (cyclic); the same of its opponents.  The dead see zeros and are seen as zeros.

    Args:
        env: MAgent's parallel environment with teams ``red`` (left) and ``blue`` of equal size.
        horizon: Steps after which survivors are counted.
        opening: Begin with the two scripted steps of the published experiments.

    Attributes:
        members: N.
        result: +1, 0, -1: red had more, as many or fewer survivors when the last episode ended.

    Raises:
        Unsupported: If the teams differ in size.
    """

    def __init__(self, env: Any, horizon: int, *, opening: bool) -> None:
        self._env = env.unwrapped
        self.possible_agents = [str(name) for name in self._env.possible_agents]
        self.members = len(self.possible_agents) // 2
        if self.possible_agents != [f"{team}_{i}" for team in (RED, BLUE) for i in range(self.members)]:
            raise Unsupported(f"a battle needs two teams of equal size, got {', '.join(self.possible_agents)}")
        self._last = int(self._env.map_size) - 1
        self._centre = int(self._env.observation_space(self.possible_agents[0]).shape[0]) // 2
        self._horizon, self._opening = horizon, opening
        self._swapped, self._steps = False, 0
        self.over = self.cut = False
        self.result = 0

    def observation_space(self, agent: str) -> Box:
        """Return the space of everybody's observation."""
        return Box(0.0, 1.0, (7 * self.members,), np.float32)

    def action_space(self, agent: str) -> Discrete:
        """Return the space of everybody's action."""
        return Discrete(MOVES + ATTACKS)

    def close(self) -> None:
        """Release the environment."""
        self._env.close()

    def reset(self, seed: int) -> None:
        """Begin an episode that the seed fixes."""
        self._env.reset(seed=seed)
        self._swapped, self._steps = seed % 2 == 1, 0
        self.over = self.cut = False
        for left, right in OPENING if self._opening else ():
            sides = [left] * self.members + [right] * self.members
            self._env.step(dict(zip(self.possible_agents, sides, strict=True)))

    def step(self, actions: IntArray, reward: FloatArray) -> None:
        """Play actions [2 N], red first; everybody is paid what the own team earned minus what the other one did."""
        sides = self._by_side(actions)
        sides[self.members :] = TURNED[sides[self.members :]]
        there = set(self._env.agents)
        chosen = {a: int(action) for a, action in zip(self.possible_agents, sides, strict=True) if a in there}
        paid = self._env.step(chosen)[1]
        gains = np.array([float(paid.get(agent, 0.0)) for agent in self.possible_agents])
        lead = gains[: self.members].sum() - gains[self.members :].sum()
        reward[: self.members], reward[self.members :] = (-lead, lead) if self._swapped else (lead, -lead)
        self._steps += 1
        alive = self._by_side(self._table()[:, 2] > 0)
        red, blue = int(alive[: self.members].sum()), int(alive[self.members :].sum())
        self.over = red == 0 or blue == 0 or self._steps >= self._horizon
        if self.over:
            self.result = (red > blue) - (red < blue)

    def look(self, observation: AnyArray, mask: BoolArray, present: BoolArray) -> None:
        """Write observations [2 N, 7 N], legal actions [2 N, 21] and who is alive [2 N]."""
        n, table = self.members, self._table()
        turned = table.copy()
        turned[:, :2] = np.where(table[:, 2:] > 0, 1.0 - table[:, :2], 0.0)
        own = (table[:n], turned[n:])
        other = (table[n:], turned[:n])
        rows = np.zeros((2 * n, 7 * n))
        for i in range(2 * n):
            side, place = divmod(i, n)
            if table[i, 2] > 0:
                rows[i, place] = 1.0
                rows[i, n : 4 * n] = np.roll(own[side], -place, axis=0).ravel()
                rows[i, 4 * n :] = other[side].ravel()
        observation[:, : 7 * n] = self._by_side(rows)
        present[:] = self._by_side(table[:, 2] > 0)
        mask[:, 1:], mask[:, 0] = present[:, None], True

    def _table(self) -> FloatArray:
        """Return x, y and health [2 N, 3] in [0, 1] of everybody, left team first, zeros for the dead."""
        grid, table = self._env.env, np.zeros((2 * self.members, 3))
        for handle in self._env.handles:
            if grid.get_num(handle):
                living = grid.get_agent_id(handle)
                table[living, :2] = grid.get_pos(handle) / self._last
                table[living, 2] = grid.get_observation(handle)[0][:, self._centre, self._centre, 2]
        return table

    def _by_side(self, rows: AnyArray) -> AnyArray:
        """Exchange the teams' halves if red stands on the right; turns roles into sides and back."""
        return np.roll(rows, self.members, axis=0) if self._swapped else np.array(rows)


class MAgentBattle(ForeignWorld, TwoTeamWorld):
    """MAgent's battle as a two-team world, stepped in Python; needs the extra ``environments``.

    Rewards are those of the published experiments: 0.1 per hit, 5 per kill and -5 per death, summed over the team,
    minus the other team's.  More survivors at the end win.  No action is masked for the living.

    Args:
        map_size: Side of the field, at least 12; 15 gives teams of three.
        horizon: Steps of an episode after the opening.
        opening: Begin with the two scripted steps of the published experiments.

    Source: Xu et al. (2023), arXiv 2310.03354, battle of three against three; Zheng et al. (2018), arXiv 1712.00600.
    Ours: the left side is drawn per episode (published: alternating), all places are given in the own team's frame.
    """

    name: ClassVar[str] = "magent_battle"

    def __init__(self, map_size: int = 15, *, horizon: int = 200, opening: bool = True) -> None:
        battle = importlib.import_module("magent2.environments.battle_v4")

        def make() -> BattleSeat:
            env = battle.parallel_env(
                map_size=map_size, max_cycles=horizon + len(OPENING) + 1, step_reward=0.0, dead_penalty=-5.0,
                attack_penalty=0.0, attack_opponent_reward=0.1,
            )  # fmt: skip
            return BattleSeat(env, horizon, opening=opening)

        ForeignWorld.__init__(self, make, name=self.name, horizon=horizon)
        self.members = self.roles[RED].count

    def outcome(self, state: WorldState) -> IntArray:
        """Return [B] +1, 0, -1: red had more, as many or fewer survivors in the last episode (0 before)."""
        return np.array(state.own["won"], np.int64)

    def _seat(self) -> Seat:
        seat: Seat = self._make()
        return seat

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {**super()._allocate(batch), "won": np.zeros(batch, np.int64)}

    def _advance(self, state: WorldState) -> None:
        assert isinstance(state, ForeignState)
        super()._advance(state)
        for b in np.flatnonzero(state.ended):
            seat = state.seats[b]
            assert isinstance(seat, BattleSeat)
            state.own["won"][b] = seat.result
