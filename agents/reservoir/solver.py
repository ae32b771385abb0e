"""The body-reservoir agent in a scheduled dilemma, many replicas at once; one step is one round.

Each replica has its own body, opponent and noise, all from its own branch of the seed tree, so adding
replicas never changes the others.  The certificate says what the best reply would gain: the opponent
does not react, hence it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equilibria.agents.reservoir import kernels
from equilibria.agents.reservoir.body import Body, make_body
from equilibria.agents.reservoir.cost import PRICES, complexity_cost
from equilibria.agents.reservoir.settings import BRGSettings
from equilibria.games.matrix.repeated import ScheduledDilemma
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

_LEAST = 10  # rounds after the burn-in that a divergence needs


class BodyReservoir:
    """Replicas of the three-layer agent against a schedule.

    Args:
        game: The dilemma.
        settings: See ``BRGSettings``.
        seeds: Seed tree.
        bodies: Ready bodies, one per replica (for comparing receptivities on equal bodies); made when absent.

    Attributes:
        bodies: One body per replica.
        opponents: [replicas, rounds] opponents' actions.
        actions: [replicas, rounds played] own actions.
        receptivity: [replicas, rounds played] alpha.
        states: [replicas, rounds played, d] body states before each action.
    """

    name = "brg"
    table_names = ("policy",)

    def __init__(
        self,
        game: ScheduledDilemma,
        settings: BRGSettings | None = None,
        *,
        seeds: SeedTree | None = None,
        bodies: Sequence[Body] | None = None,
    ) -> None:
        self.game, self.settings = game, settings or BRGSettings()
        tree = seeds or SeedTree(0)
        count = self.settings.replicas
        branches = [tree.child("replica", r) for r in range(count)]
        self.bodies = list(bodies) if bodies is not None else [make_body(self.settings.body, b) for b in branches]
        if len(self.bodies) != count:
            raise InvalidValue(f"need one body per replica: got {len(self.bodies)} for {count}")
        self.opponents = game.opponents(count, tree)
        self._keys = [b.child("play").key() for b in branches]
        self._branches = branches
        self._sentinel = self._packed()
        rest = self.settings.sentinel.rest if self.settings.alpha is None else self.settings.alpha
        self._x = np.stack([b.state for b in self.bodies])
        self._mean = np.stack([b.state_baseline for b in self.bodies])
        self._memory = np.array([[rest, b.habit_baseline, -1.0] for b in self.bodies])
        d = self._x.shape[1]
        self.actions, self.receptivity = np.zeros((count, 0)), np.zeros((count, 0))
        self.states = np.zeros((count, 0, d))

    def _packed(self) -> FloatArray:
        s = self.settings.sentinel
        fixed = -1.0 if self.settings.alpha is None else self.settings.alpha
        return np.array([fixed, s.rest, s.minimum, s.recovery, s.drop, s.threshold, *s.weights, s.memory])

    @property
    def iteration(self) -> int:
        """Rounds played."""
        return int(self.actions.shape[1])

    def step(self, n: int = 1) -> None:
        """Play ``n`` rounds.

        Raises:
            InvalidValue: If the schedule ends before.
        """
        first = self.iteration
        if first + n > self.game.rounds:
            raise InvalidValue(f"the schedule has {self.game.rounds} rounds: set run.budget to at most that")
        played = []
        for r, body in enumerate(self.bodies):
            played.append(
                kernels.play_(
                    self._x[r], self._memory[r], self._mean[r], body.recurrent, body.input, body.offset,
                    body.readout, body.readout_offset, self.opponents[r, first : first + n], self._sentinel,
                    body.noise, self._keys[r], first,
                )
            )  # fmt: skip
        self.actions = np.concatenate([self.actions, np.stack([p[0] for p in played])], axis=1)
        self.receptivity = np.concatenate([self.receptivity, np.stack([p[1] for p in played])], axis=1)
        self.states = np.concatenate([self.states, np.stack([p[2] for p in played])], axis=1)

    def payoffs(self) -> FloatArray:
        """Return [replicas, rounds played] payoffs."""
        return self.game.payoffs(self.actions, self.opponents[:, : self.iteration])

    def policy(self) -> FloatArray:
        """Return the actions played so far, [replicas, rounds]."""
        return self.actions

    def metrics(self) -> dict[str, float]:
        """Return means over replicas of the last round's action and receptivity and of the total payoff."""
        if self.iteration == 0:
            return {"alpha": float(self._memory[:, 0].mean()), "payoff": 0.0}
        total = self.payoffs().sum(axis=1)
        out = {
            "action": float(self.actions[:, -1].mean()),
            "alpha": float(self.receptivity[:, -1].mean()),
            "payoff": float(total.mean()),
            "payoff_deviation": float(total.std(ddof=1)) if len(total) > 1 else 0.0,
        }
        return out | self._costs()

    def _costs(self) -> dict[str, float]:
        """Return action variance, complexity and free energies after the burn-in; empty when not asked for."""
        start = self.settings.burn_in
        if self.settings.complexity == "none" or self.iteration - start <= _LEAST:
            return {}
        costs = [
            complexity_cost(body, states[start:], branch, estimator=self.settings.complexity)
            for body, states, branch in zip(self.bodies, self.states, self._branches, strict=True)
        ]
        mean, cost = float(self.payoffs()[:, start:].mean()), float(np.mean(costs))
        variance = float(self.actions[:, start:].var(axis=1).mean())
        out = {"action_variance": variance, "complexity": cost, "mean_payoff": mean}
        return out | {f"free_energy_{price:g}": price * cost - mean for price in PRICES}

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return one row per replica: last action, receptivity and total payoff."""
        count, done = len(self.bodies), self.iteration
        last = self.actions[:, -1] if done else np.zeros(count)
        return {
            "replica": np.arange(count),
            "action": last,
            "alpha": self._memory[:, 0].copy(),
            "payoff": self.payoffs().sum(axis=1),
        }

    def certificate(self) -> Certificate:
        """Return what the best reply to the schedule gains per round over the agent (exact, mean of replicas)."""
        done = self.iteration
        if done == 0:
            raise InvalidValue("no round has been played: run at least one")
        other = self.opponents[:, :done]
        ends = [self.game.payoffs(np.full_like(other, a), other) for a in (0.0, 1.0)]
        # the payoff is linear in the own action: the best reply is at an end
        gain = np.maximum(*ends) - self.payoffs()
        return Certificate(
            measure="best reply gain",
            value=float(gain.mean()),
            unit="payoff per round",
            method="best action against the opponents' realised actions, who do not react",
            details={"replicas": len(self.bodies), "rounds": done, "payoff": float(self.payoffs().sum(axis=1).mean())},
            warning="in a prisoner's dilemma against a schedule the best reply is to defect throughout",
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically (bodies are made from the seed again)."""
        arrays = {
            "x": self._x.copy(), "mean": self._mean.copy(), "memory": self._memory.copy(),
            "actions": self.actions, "receptivity": self.receptivity, "states": self.states,
        }  # fmt: skip
        return State({name: array.copy() for name, array in arrays.items()})

    def load(self, state: State) -> None:
        """Restore a state made by ``save``."""
        names = ("x", "mean", "memory", "actions", "receptivity", "states")
        values = [np.array(state.arrays[k], dtype=np.float64) for k in names]
        self._x, self._mean, self._memory, self.actions, self.receptivity, self.states = values


def build(settings: BRGSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> BodyReservoir:
    """Build the agent of a scenario."""
    if not isinstance(game, ScheduledDilemma):
        raise UnsupportedGame(f"brg plays scheduled dilemmas (scheduled_dilemma), got {type(game).__name__}")
    if budget > game.rounds:
        raise InvalidValue(f"run.budget must be at most the schedule's {game.rounds} rounds, got {budget}")
    return BodyReservoir(game, settings, seeds=seeds)
