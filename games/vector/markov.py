"""Single-agent worlds with known answers: Markov decision processes, contextual bandits, a memory task.

Axes: S states, A actions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.vector import markov_kernels
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray, FloatArray, IntArray


class MarkovWorld(VectorWorld):
    """A Markov decision process as a batch of worlds; observation: the state, one-hot.

    Args:
        transition: [S, A, S] probabilities.
        rewards: [S, A] mean rewards.
        start: [S] probabilities of the first state; ``None`` for uniform.
        discount: gamma in [0, 1) of the exact values.
        horizon: Steps until an episode is cut (``end="truncated"``) or over (``"terminated"``).
        end: Whether a process goes on behind the horizon; exact values assume the end chosen here.
        noise: Standard deviation of normal noise on rewards, >= 0.
        check_actions: Check actions in every step.

    Raises:
        InvalidValue: If shapes do not fit or rows are no distributions.
    """

    name = "markov"

    def __init__(
        self,
        transition: ArrayLike,
        rewards: ArrayLike,
        *,
        start: ArrayLike | None = None,
        discount: float = 0.95,
        horizon: int = 32,
        end: Literal["terminated", "truncated"] = "truncated",
        noise: float = 0.0,
        check_actions: bool = True,
    ) -> None:
        moves, pays = np.array(transition, np.float64), np.array(rewards, np.float64)
        if moves.ndim != 3 or moves.shape[0] != moves.shape[2] or pays.shape != moves.shape[:2]:
            raise InvalidValue(f"transition [S, A, S] and rewards [S, A] expected, got {moves.shape} and {pays.shape}")
        first = np.full(len(moves), 1 / len(moves)) if start is None else np.array(start, np.float64)
        for name, rows in (("transition", moves), ("start", first)):
            if (rows < 0).any() or np.abs(rows.sum(axis=-1) - 1).max() > 1e-9:
                raise InvalidValue(f"every row of {name} must be a distribution")
        if first.shape != moves.shape[:1] or not np.isfinite(pays).all():
            raise InvalidValue(f"start must have {len(moves)} entries and rewards must be finite")
        if not 0 <= discount < 1 or noise < 0:
            raise InvalidValue(f"discount must lie in [0, 1) and noise be >= 0, got {discount!r} and {noise!r}")
        role = Role(count=1, observation=(len(moves),), actions=moves.shape[1])
        super().__init__({"agent": role}, horizon=horizon, end=end, bounds=(0.0, 1.0), check_actions=check_actions)
        self.transition, self.rewards, self.start = moves, pays, first
        self.discount, self.noise = discount, noise
        self._moves, self._start = moves.cumsum(axis=-1), first.cumsum()

    def value(self, probabilities: ArrayLike) -> float:
        """Return the exact discounted value of a policy [S, A] from the start."""
        policy = np.asarray(probabilities, np.float64)
        pays = (policy * self.rewards).sum(axis=1)
        moves = np.einsum("sa,sat->st", policy, self.transition)
        if self.end == "truncated":  # the clock is no part of the process
            return float(self.start @ np.linalg.solve(np.eye(len(pays)) - self.discount * moves, pays))
        values = np.zeros(len(pays))
        for _ in range(self.horizon):
            values = pays + self.discount * moves @ values
        return float(self.start @ values)

    def optimum(self) -> float:
        """Return the value of the best policy by dynamic programming.

        Over a finite horizon the best policy may depend on the clock; a policy of the observation reaches
        at most this.
        """
        values = np.zeros(len(self.start))
        steps = self.horizon if self.end == "terminated" else 1_000_000
        for _ in range(steps):
            fresh = (self.rewards + self.discount * self.transition @ values).max(axis=1)
            change = float(np.abs(fresh - values).max())
            values = fresh
            if self.end == "truncated" and change < 1e-13 * max(1.0, float(np.abs(values).max())):
                break
        return float(self.start @ values)

    def uniform_value(self) -> float:
        """Return the value of choosing all actions with equal probability."""
        return self.value(np.full(self.rewards.shape, 1 / self.rewards.shape[1]))

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        place: IntArray = np.zeros(batch, dtype=np.int64)
        return {"place": place}

    def _begin(self, state: WorldState) -> None:
        markov_kernels.markov_begin(state.key, state.clock, self._start, state.own["place"], state.observation)

    def _advance(self, state: WorldState) -> None:
        markov_kernels.markov_advance(
            state.key, state.clock, self.horizon, self._start, self._moves, self.rewards, self.noise, state.elapsed,
            state.own["place"], state.actions, state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip


class RecallWorld(VectorWorld):
    """Memory task: a bit is shown once and asked for ``delay`` steps later; reward 1 for the right answer.

    Observation [2]: +1 or -1 in the first step and 0 later; 1 when the answer is due.  Return: 1/2 without
    memory, 1 with.

    Args:
        delay: Steps between bit and question, >= 0.
        check_actions: Check actions in every step.
    """

    name = "recall"

    def __init__(self, delay: int = 5, *, check_actions: bool = True) -> None:
        if delay < 0:
            raise InvalidValue(f"delay must be at least 0 steps, got {delay!r}")
        role = Role(count=1, observation=(2,), actions=2)
        super().__init__(
            {"agent": role}, horizon=delay + 1, end="terminated", bounds=(-1.0, 1.0), check_actions=check_actions
        )

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {"bits": np.zeros(batch, dtype=np.int64)}

    def _begin(self, state: WorldState) -> None:
        markov_kernels.recall_begin(state.key, state.clock, state.own["bits"], state.observation)
        state.observation[:, 0, 1] = float(self.horizon == 1)

    def _advance(self, state: WorldState) -> None:
        markov_kernels.recall_advance(
            state.key, state.clock, self.horizon, state.elapsed, state.own["bits"], state.actions, state.reward,
            state.observation, state.final_observation, state.ended,
        )  # fmt: skip


def chain(states: int = 5, *, discount: float = 0.95, horizon: int = 32) -> MarkovWorld:
    """Return the chain: action 1 goes right, 0 goes left; going right in the last state pays 1.

    Episodes begin in the first state.
    """
    if states < 2:
        raise InvalidValue(f"a chain needs at least 2 states, got {states!r}")
    moves, pays = np.zeros((states, 2, states)), np.zeros((states, 2))
    for s in range(states):
        moves[s, 0, max(s - 1, 0)] = moves[s, 1, min(s + 1, states - 1)] = 1.0
    pays[-1, 1] = 1.0
    start: FloatArray = np.eye(states)[0]
    return MarkovWorld(moves, pays, start=start, discount=discount, horizon=horizon)


def random_process(
    rng: np.random.Generator, states: int = 10, actions: int = 5, *, discount: float = 0.95, horizon: int = 32
) -> MarkovWorld:
    """Return a dense random process: exponential weights as transitions, standard normal rewards."""
    weights = rng.exponential(size=(states, actions, states))
    moves = weights / weights.sum(axis=-1, keepdims=True)
    return MarkovWorld(moves, rng.normal(size=(states, actions)), discount=discount, horizon=horizon)


def contextual_bandit(rng: np.random.Generator, contexts: int = 8, arms: int = 4, *, noise: float = 0.5) -> MarkovWorld:
    """Return a contextual bandit with uniform contexts and standard normal mean rewards."""
    moves = np.full((contexts, arms, contexts), 1 / contexts)
    return MarkovWorld(moves, rng.normal(size=(contexts, arms)), discount=0.0, horizon=1, end="terminated", noise=noise)
