"""The frozen main and counter teams, and how they fare against each other.

Axes: P teams in the order in which they were frozen.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.tensors import load_module, module_state
from equilibria.agents.solvers.fxp.deep.matches import enter, meet
from equilibria.games.analysis.ratings import Ratings, bradley_terry
from equilibria.games.vector.two_teams import TwoTeamWorld
from equilibria.sim.contract import State
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

MAIN, COUNTER = 0, 1
KIND_NAMES = ("main", "counter")


class TeamArchive:
    """Frozen teams with their sampled cross-play matrix; a new team meets all earlier ones once.

    Args:
        world: The game.
        episodes: Episodes per pair.
        seeds: Source of randomness; the numbers of a pair depend on the pair alone.

    Attributes:
        teams: Policies.
        kinds: ``MAIN`` or ``COUNTER`` of each.
        generations: Snapshot number of each.
        payoffs: [P, P] mean return of row against column, antisymmetric.
        errors: [P, P] standard errors.
        wins: [P, P] wins of row against column, draws counting half.
    """

    def __init__(self, world: TwoTeamWorld, episodes: int, seeds: SeedTree) -> None:
        self._world, self._episodes, self._seeds = world, episodes, seeds
        self.teams: list[JointPolicy] = []
        self.kinds: list[int] = []
        self.generations: list[int] = []
        self.payoffs, self.errors, self.wins = (np.zeros((0, 0)) for _ in range(3))

    def add(self, team: JointPolicy, kind: int, generation: int) -> None:
        """Freeze a copy of a team and let it meet all earlier ones."""
        fresh = copy.deepcopy(team)
        for parameter in fresh.parameters():  # type: ignore[attr-defined]
            parameter.requires_grad_(requires_grad=False)
        place = len(self.teams)
        self.payoffs, self.errors, self.wins = (np.pad(m, (0, 1)) for m in (self.payoffs, self.errors, self.wins))
        for other, earlier in enumerate(self.teams):
            seeds = self._seeds.child("pair", place * place + other)
            match = meet(self._world, fresh, earlier, self._episodes, seeds)
            enter(self.payoffs, self.errors, self.wins, place, other, match)
        self.teams.append(fresh)
        self.kinds.append(kind)
        self.generations.append(generation)

    def places(self, kind: int) -> IntArray:
        """Return the places of main or counter teams."""
        return np.flatnonzero(np.array(self.kinds) == kind).astype(np.int64)

    def elo(self) -> Ratings:
        """Return Elo ratings of all teams, one drawn game per pair as prior; mean 1000."""
        return bradley_terry(self.wins, prior=1.0)

    def save(self) -> State:
        """Return weights and matrices."""
        state = State(
            {
                "payoffs": self.payoffs,
                "errors": self.errors,
                "wins": self.wins,
                "kinds": np.array(self.kinds, np.int64),
                "generations": np.array(self.generations, np.int64),
            }
        )
        for place, team in enumerate(self.teams):
            state = state.merged(module_state(team).nested(f"team/{place}"))  # type: ignore[arg-type]
        return state

    def load(self, state: State, blank: Callable[[], JointPolicy]) -> None:
        """Restore what ``save`` returned; ``blank`` makes a team of the same architecture."""
        self.kinds = [int(k) for k in np.asarray(state.arrays["kinds"], np.int64)]
        self.generations = [int(g) for g in np.asarray(state.arrays["generations"], np.int64)]
        self.payoffs, self.errors, self.wins = (
            np.array(state.arrays[name], np.float64) for name in ("payoffs", "errors", "wins")
        )
        self.teams = []
        for place in range(len(self.kinds)):
            team = blank()
            load_module(team, state.part(f"team/{place}").arrays, f"team {place}")  # type: ignore[arg-type]
            for parameter in team.parameters():  # type: ignore[attr-defined]
                parameter.requires_grad_(requires_grad=False)
            self.teams.append(team)


def spread(weights: FloatArray, places: IntArray, size: int) -> FloatArray:
    """Return [size] zeros with ``weights`` at ``places``."""
    whole = np.zeros(size)
    whole[places] = weights
    return whole
