"""Two-team zero-sum worlds: any symmetric team game in sampled plays, and a mini battle on a grid.

Both have the roles ``red`` and ``blue`` of N members each.  They are symmetric: blue sees the world as
red would see it from the other side, so one team policy can play both colours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from equilibria.games.matrix.team import TeamGame
from equilibria.games.vector import team_kernels
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.types import AnyArray, BoolArray, IntArray

RED, BLUE = "red", "blue"


class TwoTeamWorld(VectorWorld):
    """Base of symmetric zero-sum worlds between ``red`` and ``blue``; every member is paid the team's reward."""

    def __init__(
        self,
        members: int,
        observation: int,
        actions: int,
        *,
        horizon: int,
        bounds: tuple[float, float],
        check_actions: bool,
    ) -> None:
        role = Role(count=members, observation=(observation,), actions=actions)
        super().__init__(
            {RED: role, BLUE: role}, horizon=horizon, end="terminated", bounds=bounds, check_actions=check_actions
        )
        self.members = members

    def outcome(self, state: WorldState) -> IntArray:
        """Return [B] +1, 0, -1: red won, drew or lost the episode that ended most recently (0 before)."""
        raise NotImplementedError


class TeamGameWorld(TwoTeamWorld):
    """A symmetric team game played by sampled actions; observation: a constant 1.

    Args:
        game: The game; its exact values are those of ``games.matrix.team``.
        horizon: Independent plays of an episode.
        check_actions: Check actions in every step.

    Example:
        >>> from equilibria.games.matrix import climb
        >>> world = TeamGameWorld(climb())
        >>> state = world.reset(key=1, batch=1)
        >>> _, paid = world.step(state, {"red": np.array([[0, 0, 0]]), "blue": np.array([[1, 1, 1]])})
        >>> paid["red"].tolist(), paid["blue"].tolist()
        ([[1.5, 1.5, 1.5]], [[-1.5, -1.5, -1.5]])
    """

    name: ClassVar[str] = "team_game"

    def __init__(self, game: TeamGame, *, horizon: int = 1, check_actions: bool = True) -> None:
        super().__init__(game.members, 1, game.actions, horizon=horizon, bounds=(0.0, 1.0), check_actions=check_actions)
        self.game = game
        self._features = np.ascontiguousarray(game.features.T)
        self._coupling = np.array(game.coupling)

    def outcome(self, state: WorldState) -> IntArray:
        """Return [B] the sign of red's last episode return."""
        return np.sign(state.episode_return[:, 0]).astype(np.int64)

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {}

    def _begin(self, state: WorldState) -> None:
        state.observation[:] = 1.0
        state.final_observation[:] = 1.0

    def _advance(self, state: WorldState) -> None:
        team_kernels.team_game_advance(
            self.horizon, self._features, self._coupling, state.elapsed, state.actions, state.reward, state.ended
        )


class MiniBattle(TwoTeamWorld):
    """A battle on a square field in the manner of MAgent's battle, small enough for one core.

    A step: all attacks land at once on the cells of the moment (one point of health each, no friendly
    fire), agents without health die, then all survivors step at once; a step into a held cell, or into
    one that somebody else steps to, does not happen.  An episode ends when a team is dead or the time is
    up; the side with more survivors wins.  Red starts in random cells of its third of the field (``apart``) or
    of the column left of the middle (``close``), blue at the mirror points.

    Actions: 0 stay; 1..4 step left, right, down, up; 5..12 attack a neighbouring cell (row by row from
    below).  The mask allows steps to free cells and attacks on living opponents; the dead can only stay.
    Observation [6 N + 1] in the own team's frame: own place and health, places and health of team-mates
    (cyclic) and opponents relative to oneself, time left; zeros for the dead.
    Team reward: ``hit`` per hit and ``kill`` per kill, minus the other team's, plus ``win`` times the outcome.

    Args:
        members: N in 1..8.
        size: Side of the field, >= 3, with room for N agents in a third of it.
        start: Where red starts, ``"apart"`` or ``"close"``.
        health: Hits that an agent survives plus one, >= 1.
        horizon: Steps of an episode.
        hit: Reward of a hit, >= 0.
        kill: Reward of a kill, >= 0.
        win: Reward of winning, >= 0.
        check_actions: Check actions in every step.

    Source: Zheng et al. (2018), MAgent, arXiv 1712.00600 (rules of the battle); Xu et al. (2023),
    arXiv 2310.03354 (shared zero-sum reward, mirrored frames).  Size, health and mask are our choice.
    """

    name: ClassVar[str] = "mini_battle"

    def __init__(
        self,
        members: int = 2,
        *,
        size: int = 7,
        start: Literal["apart", "close"] = "apart",
        health: int = 3,
        horizon: int = 30,
        hit: float = 0.1,
        kill: float = 1.0,
        win: float = 1.0,
        check_actions: bool = True,
    ) -> None:
        if not 1 <= members <= 8:
            raise InvalidValue(f"members must lie in 1..8, got {members!r}")
        if start not in ("apart", "close"):
            raise InvalidValue(f"start must be 'apart' or 'close', got {start!r}")
        low, high = (0, size // 3) if start == "apart" else (size // 2 - 1, size // 2)
        if size < 3 or (high - low) * size < members:
            raise InvalidValue(
                f"size must be at least 3 with room for {members} agents where red starts ({start}), got {size!r}"
            )
        if health < 1:
            raise InvalidValue(f"health must be at least 1, got {health!r}")
        if not all(np.isfinite(r) and r >= 0 for r in (hit, kill, win)):
            raise InvalidValue(f"hit, kill and win must be finite and >= 0, got {hit!r}, {kill!r} and {win!r}")
        actions = team_kernels.MOVES + team_kernels.ATTACKS
        super().__init__(
            members, 6 * members + 1, actions, horizon=horizon, bounds=(-1.0, 1.0), check_actions=check_actions
        )
        self.size, self.health, self._columns = size, health, (low, high)
        self.hit, self.kill, self.win = float(hit), float(kill), float(win)

    def outcome(self, state: WorldState) -> IntArray:
        """Return [B] +1, 0, -1: red had more, as many or fewer survivors in the last episode (0 before)."""
        return state.own["won"].copy()  # type: ignore[return-value]

    def action_mask(self, state: WorldState, role: str) -> BoolArray | None:
        """Return the legal actions bool [B, N, 13] of a role (a view)."""
        return state.own["legal"][:, self._slice(role)]  # type: ignore[return-value]

    def active(self, state: WorldState) -> BoolArray | None:
        """Return bool [B, 2 N] who is alive."""
        return state.own["hp"] > 0  # type: ignore[no-any-return,operator]

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        size = (batch, self.agents)
        return {
            **{name: np.zeros(size, dtype=np.int64) for name in ("x", "y", "hp")},
            "won": np.zeros(batch, dtype=np.int64),
            "legal": np.zeros((*size, team_kernels.MOVES + team_kernels.ATTACKS), dtype=np.bool_),
            "damage": np.zeros(self.agents, dtype=np.int64),
            "target": np.zeros((self.agents, 2), dtype=np.int64),
        }

    def _begin(self, state: WorldState) -> None:
        own = state.own
        team_kernels.battle_begin(
            state.key, state.clock, self.size, *self._columns, self.health, self.horizon, own["x"], own["y"], own["hp"], own["legal"],
            state.observation,
        )  # fmt: skip

    def _advance(self, state: WorldState) -> None:
        own = state.own
        team_kernels.battle_advance(
            state.key, state.clock, self.horizon, self.size, *self._columns, self.health, self.hit, self.kill, self.win, state.elapsed,
            own["x"], own["y"], own["hp"], own["damage"], own["target"], own["legal"], own["won"], state.actions,
            state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip


def two_team_world(game: object, solver: str) -> TwoTeamWorld:
    """Return a game as a two-team world, team games as sampled plays.

    Raises:
        UnsupportedGame: If the game is neither a two-team world nor a symmetric team game.
    """
    if isinstance(game, TwoTeamWorld):
        return game
    if isinstance(game, TeamGame):
        return TeamGameWorld(game)
    raise UnsupportedGame(
        f"{solver} plays symmetric games between two teams (mini_battle, climb, seek_attack_defend, "
        f"team_rock_paper_scissors, symmetric_matrix), got {type(game).__name__}"
    )
