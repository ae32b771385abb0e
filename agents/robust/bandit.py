"""Exp3-IX over a few policies: adapts to an opponent that changes, one pull per episode.

Weights are kept as logarithms, so runs of any length stay finite.

Source: Neu (2015), Explore no more, NeurIPS; Liu et al. (2024), arXiv 2402.12673, for its use on policies.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from equilibria.agents.robust import kernels
from equilibria.agents.robust.policy_sets import discover
from equilibria.games.robust.payoffs import PolicyPayoffs
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


class Exp3IX:
    """The bandit itself: ``probabilities()``, then ``update(arm, reward)`` of the arm that was pulled.

    eta = rate sqrt(ln K / (K T)), implicit exploration eta / 2.

    Args:
        arms: Number K of arms, >= 1.
        horizon: Number T of rounds the rate is tuned for, >= 1.
        rate: Multiplier of the learning rate, > 0.

    Example:
        >>> bandit = Exp3IX(2, 100)
        >>> bandit.update(0, 1.0)
        >>> bool(bandit.probabilities()[0] > 0.5)
        True
    """

    def __init__(self, arms: int, horizon: int, *, rate: float = 2.0) -> None:
        if arms < 1 or horizon < 1:
            raise InvalidValue(f"arms and horizon must be at least 1, got {arms!r} and {horizon!r}")
        if not (math.isfinite(rate) and rate > 0):
            raise InvalidValue(f"rate must be finite and > 0, got {rate!r}")
        self.arms, self.horizon = arms, horizon
        self.eta = rate * math.sqrt(math.log(arms) / (arms * horizon))
        self.log_weights: FloatArray = np.zeros(arms)

    def probabilities(self) -> FloatArray:
        """Return the chance [K] of each arm."""
        out = np.empty(self.arms)
        kernels.softmax(self.log_weights, out)
        return out

    def choose(self, rng: np.random.Generator) -> int:
        """Draw an arm."""
        place = int(np.searchsorted(np.cumsum(self.probabilities()), rng.random(), side="right"))
        return min(place, self.arms - 1)

    def update(self, arm: int, reward: float) -> None:
        """Learn from the reward in [0, 1] of the arm that was pulled; rewards outside are clipped with a warning.

        Raises:
            InvalidValue: If there is no such arm.
            NumericalError: If the reward is not a number.
        """
        if not 0 <= arm < self.arms:
            raise InvalidValue(f"arm must lie in 0..{self.arms - 1}, got {arm!r}")
        if not math.isfinite(reward):
            raise NumericalError("reward", reward, where="Exp3-IX")
        if not 0 <= reward <= 1:
            warnings.warn(f"reward {reward!r} lies outside [0, 1] and is clipped; check the scale", stacklevel=2)
            reward = min(max(reward, 0.0), 1.0)
        chance = float(self.probabilities()[arm])
        self.log_weights[arm] += self.eta * reward / (chance + self.eta / 2) if self.arms > 1 else 0.0


class Exp3IXSolver:
    """Exp3-IX on discovered policies against the game's schedule of opponents; one step is one round.

    Args:
        game: Payoffs by policy and opponent.
        horizon: Rounds of the run.
        rate: Multiplier of the learning rate.
        delta: Gain that is not worth another policy.
        first: Policy the discovery begins with.
        seeds: Seed tree node; draws depend on (key, round) only.
    """

    def __init__(
        self,
        game: PolicyPayoffs,
        *,
        horizon: int,
        rate: float = 2.0,
        delta: float = 0.0,
        first: int = 0,
        seeds: SeedTree | None = None,
    ) -> None:
        self.game = game
        self.found = discover(game.payoffs, first=first, delta=delta)
        self.bandit = Exp3IX(len(self.found.policies), horizon, rate=rate)
        rewards = game.payoffs[list(self.found.policies)] / game.scale
        if rewards.min() < 0 or rewards.max() > 1:
            warnings.warn("rewards outside [0, 1] are clipped; check the scale", stacklevel=2)
        self._rewards = np.clip(rewards, 0.0, 1.0)
        self._opponents = game.schedule(horizon)
        self._key = (seeds or SeedTree(0)).key()
        self.iteration, self.earned = 0, 0.0

    def step(self, n: int = 1) -> None:
        """Play up to ``n`` rounds; nothing happens beyond the horizon."""
        last = min(self.iteration + n, self.bandit.horizon)
        self.earned += kernels.play(
            self._key, self.iteration, last, self._opponents, self._rewards, self.bandit.eta, self.bandit.log_weights
        )
        self.iteration += n

    def policy(self) -> FloatArray:
        """Return the chance of every policy of the game."""
        chances = np.zeros(len(self.game.payoffs))
        chances[list(self.found.policies)] = self.bandit.probabilities()
        return chances

    def regret(self) -> float:
        """Return the average regret to the best fixed discovered policy, in rewards."""
        rounds = min(self.iteration, self.bandit.horizon)
        if rounds == 0:
            return 0.0
        fixed = self._rewards[:, self._opponents[:rounds]].sum(axis=1).max()
        return float((fixed - self.earned) / rounds)

    def certificate(self) -> Certificate:
        """State the average regret beside its bound 2 sqrt(2 K ln K / T)."""
        arms, horizon = self.bandit.arms, self.bandit.horizon
        return Certificate(
            measure="average regret",
            value=self.regret(),
            unit="reward per round",
            method="payoff of the best fixed policy in hindsight",
            details={
                "bound": 2 * math.sqrt(2 * arms * math.log(arms) / horizon),
                "policies": list(self.found.policies),
                "missed_gain": self.found.remaining,
            },
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State(
            {"log_weights": self.bandit.log_weights.copy()}, {"iteration": self.iteration, "earned": self.earned}
        )

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        if state.arrays["log_weights"].shape != (self.bandit.arms,):
            raise InvalidValue(f"the state has {state.arrays['log_weights'].shape} arms, this run {self.bandit.arms}")
        self.bandit.log_weights[:] = state.arrays["log_weights"]
        self.iteration, self.earned = int(str(state.meta["iteration"])), float(str(state.meta["earned"]))
