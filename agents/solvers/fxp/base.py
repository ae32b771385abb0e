"""What all team solvers share: a population of team policies, its mixture, certificate and state."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.solvers.fxp.settings import LearningSettings
from equilibria.games.analysis.ratings import Ratings, bradley_terry
from equilibria.games.matrix import team_kernels as kernels
from equilibria.games.matrix.team import TeamGame, TeamMixture
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.types import AnyArray, FloatArray


def require_team_game(game: Any, solver: str) -> TeamGame:
    """Return ``game`` if it is a symmetric team game, or raise ``UnsupportedGame``."""
    if not isinstance(game, TeamGame):
        raise UnsupportedGame(
            f"{solver} plays symmetric zero-sum team games (climb, seek_attack_defend, team_rock_paper_scissors, "
            f"symmetric_matrix), got {type(game).__name__}"
        )
    return game


class TeamPopulation:
    """A growing list of team policies with their exact payoff matrix.

    Attributes:
        policies: [P, N, A].
        embeddings: [P, K] expected features.
    """

    def __init__(self, game: TeamGame, policies: FloatArray) -> None:
        self.game = game
        self.policies = np.array(policies, dtype=np.float64)
        self.embeddings = np.stack([kernels.expectation(game.features, pi) for pi in self.policies])

    def append(self, policy: FloatArray) -> None:
        """Add a team policy [N, A]; the earlier ones keep their places and values."""
        self.policies = np.concatenate([self.policies, policy[None]])
        embedding = kernels.expectation(self.game.features, policy)
        self.embeddings = np.concatenate([self.embeddings, embedding[None]])

    def payoff_matrix(self) -> FloatArray:
        """Return the antisymmetric payoffs [P, P]."""
        return self.game.payoffs(self.embeddings)

    def elo(self, rng: np.random.Generator, games: int = 200) -> Ratings:
        """Return Elo ratings from ``games`` sampled plays per pair, draws counting half, one prior draw per pair."""
        if games < 1:
            raise InvalidValue(f"games must be at least 1, got {games!r}")
        count, game = len(self.policies), self.game
        size = [game.actions] * game.members
        teams = [
            np.ravel_multi_index(tuple(TeamMixture(game, p[None], np.ones(1)).sample(games, rng).T), size)
            for p in self.policies
        ]
        wins = np.zeros((count, count))
        for i in range(count):
            own = game.features[:, teams[i]].T @ game.coupling
            for j in range(i + 1, count):
                u = (own * game.features[:, teams[j]].T).sum(axis=1)
                won = float((u > 0).sum() + (u == 0).sum() / 2)
                wins[i, j], wins[j, i] = won, games - won
        return bradley_terry(wins, prior=1.0)


class TeamSolver:
    """Base of solvers whose output is a mixture of team policies."""

    name = "team solver"
    table_names = ("policy",)

    def __init__(self, game: TeamGame) -> None:
        self.game = require_team_game(game, self.name)
        self.population = TeamPopulation(game, game.uniform()[None])
        self.meta_strategy: FloatArray = np.ones(1)
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Number of steps done."""
        return self._iteration

    @property
    def payoff_matrix(self) -> FloatArray:
        """Payoffs [P, P] between the policies of the population."""
        return self.population.payoff_matrix()

    def step(self, n: int = 1) -> None:
        """Do ``n`` steps."""
        for _ in range(n):
            self._step()
            self._iteration += 1

    def _step(self) -> None:
        raise NotImplementedError

    def policy(self) -> TeamMixture:
        """Return the output mixture of team policies."""
        return TeamMixture(self.game, self.population.policies, self.meta_strategy)

    def exploitability(self) -> float:
        """Return what the best team gains against the output, in game payoff (exact)."""
        return self.game.exploitability(self.meta_strategy @ self.population.embeddings)

    def nash_conv(self) -> float:
        """Return the sum of both teams' gains: twice the exploitability of a symmetric profile."""
        return 2 * self.exploitability()

    def metrics(self) -> dict[str, float]:
        """Return headline numbers by name."""
        return {"exploitability": self.exploitability(), "population": float(len(self.population.policies))}

    def certificate(self) -> Certificate:
        """Return the exact distance of the output from a global Nash equilibrium."""
        gain, best = self.game.best_team(self.meta_strategy @ self.population.embeddings)
        labels = self.game.labels
        return Certificate(
            measure="exploitability",
            value=max(gain, 0.0),
            unit="game payoff",
            method=f"enumeration of all {self.game.actions**self.game.members} pure teams, exact multilinear payoffs",
            details={
                "nash_conv": 2 * max(gain, 0.0),
                "best_team": [labels[a] if labels else str(a) for a in best],
                "policies_with_mass": int((self.meta_strategy > 1e-9).sum()),
            },
        )

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return the policies with mass in the output: one row per policy, member and action."""
        kept = np.flatnonzero(self.meta_strategy > 0)
        shape = (len(kept), self.game.members, self.game.actions)
        policy, member, action = (x.ravel() for x in np.indices(shape))
        labels = self.game.labels or tuple(str(a) for a in range(self.game.actions))
        return {
            "policy": kept[policy],
            "weight": self.meta_strategy[kept][policy],
            "member": member,
            "action": np.array(labels)[action],
            "probability": self.population.policies[kept].ravel(),
        }

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        # copies: histories are views of buffers that go on growing
        arrays = {"policies": self.population.policies.copy(), "meta_strategy": self.meta_strategy, **self._arrays()}
        return State(arrays, {"iteration": self._iteration, "solver": self.name, **self._meta()})

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        if state.meta.get("solver") != self.name:
            raise InvalidValue(f"the state belongs to {state.meta.get('solver')!r}, not to {self.name!r}")
        self.population = TeamPopulation(self.game, np.asarray(state.arrays["policies"], dtype=np.float64))
        self.meta_strategy = np.array(state.arrays["meta_strategy"], dtype=np.float64)
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]
        self._restore(state)

    def _arrays(self) -> dict[str, FloatArray]:
        return {}

    def _meta(self) -> dict[str, int]:
        return {}

    def _restore(self, state: State) -> None:
        """Restore what ``_arrays`` and ``_meta`` saved."""


def train(
    game: TeamGame,
    settings: LearningSettings,
    start: FloatArray,
    opponent: FloatArray,
    *,
    self_weight: float,
    limit: int,
) -> tuple[FloatArray, int]:
    """Train a team against fixed opponents (and itself); returns the policy [N, A] and the iterations used.

    Args:
        game: The game.
        settings: Step size and stopping rule.
        start: [N, A] start.
        opponent: [K] expected features of the fixed opponents' mixture.
        self_weight: Weight of the present team as its own opponent.
        limit: Iterations at most.
    """
    policy, used, _ = kernels.learn(
        game.features,
        game.reversed_features,
        game.coupling,
        start,
        opponent,
        self_weight,
        settings.rate,
        min(settings.minimum, limit),
        limit,
    )
    return policy, int(used)
