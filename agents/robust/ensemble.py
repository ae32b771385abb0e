"""Exp3-IX over learned policies: every round plays one of them for an episode and learns from its return.

Source: Liu et al. (2024), arXiv 2402.12673, section 4 (online adaptation); Neu (2015), Explore no more, NeurIPS.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from equilibria.agents.learning.players import Player
from equilibria.agents.learning.rollout import evaluate_returns
from equilibria.agents.learning.spaces import spaces_of
from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.robust.bandit import Exp3IX
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


class PolicyEnsemble:
    """Switches between frozen policies as their returns tell; satisfies ``sim.contract.Solver``, a step is a round.

    Args:
        game: A vector game.
        policies: K >= 1 players for the controlled agents.
        roles: Controlled agents: ``"all"``, role names, or columns.
        horizon: Rounds the bandit's rate is tuned for, >= 1.
        low: Return that counts as reward 0.
        high: Return that counts as reward 1; returns outside are clipped with one warning.
        rate: Multiplier of the bandit's learning rate.
        episodes: Episodes of the certificate per policy.
        seeds: Source of all randomness; worlds and draws of a round depend on (seeds, round) only.

    Attributes:
        bandit: Exp3-IX over the policies.
        earned: Sum of the rewards in [0, 1].
        latest: Numbers of the last round by name.

    Raises:
        InvalidValue: If there is no policy or the range of returns is empty.
    """

    table_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        game: Any,
        policies: Sequence[Player],
        *,
        roles: Any = "all",
        horizon: int,
        low: float,
        high: float,
        rate: float = 2.0,
        episodes: int = 256,
        seeds: SeedTree,
    ) -> None:
        if not policies or not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InvalidValue(f"need at least one policy and low < high, got {len(policies)} and {low!r}, {high!r}")
        if episodes < 2:
            raise InvalidValue(f"episodes must be at least 2, got {episodes!r}")
        self.game, self.policies, self.seeds = game, list(policies), seeds
        self.low, self.high, self.episodes = low, high, episodes
        self.bandit = Exp3IX(len(policies), horizon, rate=rate)
        self.iteration, self.earned = 0, 0.0
        self.latest: dict[str, float] = {}
        self._columns = tuple(int(c) for c in spaces_of(game, roles).columns)
        self._opponents: Mapping[Any, Player] = {}
        self._history: list[dict[str, float]] = []
        self._clipped = False

    def meet(self, opponents: Mapping[Any, Player]) -> None:
        """Set the players of the other agents; they may go on learning.

        Raises:
            Unsupported: If rounds were played.
        """
        if self.iteration:
            raise Unsupported("opponents can be set before the first round only")
        self._opponents = opponents

    def seat(self, other: Any, seeds: SeedTree) -> Player:
        """Return a player for another agent of the run."""
        from equilibria.agents.learning.players import AgentPlayer, FrozenPlayer

        if hasattr(other, "begin"):
            player: Player = other
            return player
        if hasattr(other, "actor"):
            return FrozenPlayer(other.actor, int(seeds.integer()), copied=False)
        return AgentPlayer(other, seeds.generator())

    def step(self, n: int = 1) -> None:
        """Play ``n`` rounds."""
        for _ in range(n):
            node = self.seeds.child("round", self.iteration)
            arm = self.bandit.choose(node.child("arm").generator())
            paid = float(self._returns(arm, 1, int(node.child("world").key()))[0])
            reward = self._reward(paid)
            self.bandit.update(arm, reward)
            self.earned += reward
            self.iteration += 1
            chances = {f"probability_{k}": float(p) for k, p in enumerate(self.bandit.probabilities())}
            self.latest = {
                "mean_return": paid,
                "arm": float(arm),
                "mean_reward": self.earned / self.iteration,
                **chances,
            }
            self._history.append(self.latest)

    def policy(self) -> FloatArray:
        """Return the chance [K] of every policy."""
        return self.bandit.probabilities()

    def history(self) -> dict[str, FloatArray]:
        """Return what was logged since the last call, one entry per round."""
        rows, self._history = self._history, []
        return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    def certificate(self) -> Certificate:
        """Estimate how much more the best single policy earns than the present mixture, with a 95 % interval.

        All policies are played in the same fresh worlds against the present opponents.
        """
        key = int(self.seeds.child("certificate", self.iteration).key())
        kept = [player.save() for player in (*self.policies, *self._opponents.values())]
        found = np.stack([self._returns(k, self.episodes, key) for k in range(len(self.policies))])
        for player, state in zip((*self.policies, *self._opponents.values()), kept, strict=True):
            player.load(state)
        best = int(found.mean(axis=1).argmax())
        gaps = found[best] - self.policy() @ found
        mean, error = float(gaps.mean()), float(gaps.std(ddof=1)) / math.sqrt(self.episodes)
        return Certificate(
            measure="gain of the best single policy over the mixture",
            value=mean,
            unit="return per episode",
            method="fresh episodes of every policy in the same worlds",
            kind="estimate",
            low=mean - 1.96 * error,
            high=mean + 1.96 * error,
            confidence=0.95,
            sample_size=self.episodes,
            details={
                "best": best,
                "returns": [float(x) for x in found.mean(axis=1)],
                "probabilities": [float(p) for p in self.policy()],
                "mean_reward": self.earned / max(self.iteration, 1),
            },
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        whole = State(
            {"log_weights": self.bandit.log_weights.copy()},
            {"iteration": self.iteration, "earned": self.earned, "latest": dict(self.latest)},
        )
        for i, player in enumerate((*self.policies, *self._opponents.values())):
            whole = whole.merged(player.save().nested(f"player/{i}"))
        return whole

    def load(self, state: State) -> None:
        """Restore what ``save`` returned.

        Raises:
            InvalidValue: If the state has another number of policies.
        """
        if state.arrays["log_weights"].shape != (self.bandit.arms,):
            raise InvalidValue(
                f"the state has {state.arrays['log_weights'].shape} policies, this run {self.bandit.arms}"
            )
        latest = state.meta["latest"]
        assert isinstance(latest, dict)
        self.bandit.log_weights[:] = state.arrays["log_weights"]
        self.iteration, self.earned = int(str(state.meta["iteration"])), float(str(state.meta["earned"]))
        self.latest = {name: float(str(value)) for name, value in latest.items()}
        for i, player in enumerate((*self.policies, *self._opponents.values())):
            player.load(state.part(f"player/{i}"))
        self._history = []

    def _returns(self, arm: int, episodes: int, key: int) -> FloatArray:
        """Return the mean returns [episodes] of the controlled agents when one policy plays."""
        with one_thread():
            found = evaluate_returns(
                self.game, {**self._opponents, self._columns: self.policies[arm]}, episodes=episodes, key=key
            )
        return np.asarray(found[:, list(self._columns)].mean(axis=1))

    def _reward(self, paid: float) -> float:
        share = (paid - self.low) / (self.high - self.low)
        if not 0 <= share <= 1 and not self._clipped:
            self._clipped = True
            warnings.warn(f"return {paid!r} lies outside {self.low!r} to {self.high!r} and is clipped", stacklevel=3)
        return min(max(share, 0.0), 1.0)
