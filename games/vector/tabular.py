"""Cooperative Markov games as exact tables: what policy-gradient and planning methods need.

Axes: S states, A joint actions (C order, agent 0 most significant), n agents, S' next states.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.vector.payoffs import check_noise, check_payoff, reward_by_ones
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.types import FloatArray, IntArray

MAX_ENTRIES = 50_000_000
"""Largest |S| * |A|."""


@dataclass(frozen=True, slots=True)
class TabularTeamGame:
    """A cooperative Markov game: one reward for all agents.

    Attributes:
        name: For reports.
        actions: Number of actions of each agent.
        rewards: [S, A] common reward.
        transition: [S, A, S'] probabilities, or [1, A, S'] when they do not depend on the state.
        discount: gamma in [0, 1); 0 for one-shot games.
        start: [S] non-negative start weights; J(pi) = sum of start * V.  They need not sum to 1.
        joint: [A, n] action of each agent in each joint action.

    Raises:
        InvalidValue: If shapes do not fit, or a number is out of range or not finite.
        GameTooLarge: If |S| |A| exceeds 5e7.
    """

    name: str
    actions: tuple[int, ...]
    rewards: FloatArray
    transition: FloatArray
    discount: float
    start: FloatArray
    joint: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.actions or min(self.actions) < 1:
            raise InvalidValue(f"{self.name}: every agent needs an action, got {self.actions}")
        _check_size(self.name, len(self.start), self.actions)
        arrays = {
            name: np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            for name in ("rewards", "transition", "start")
        }
        self._check(arrays["rewards"], arrays["transition"], arrays["start"])
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        joint = np.indices(self.actions, dtype=np.int64).reshape(len(self.actions), -1).T
        object.__setattr__(self, "joint", np.ascontiguousarray(joint))

    @property
    def agents(self) -> int:
        """Number of agents n."""
        return len(self.actions)

    @property
    def states(self) -> int:
        """Number of states S."""
        return len(self.start)

    def optimum(self) -> float:
        """Return J*, the value of the best joint policy, by policy iteration (exact linear solves)."""
        rows = np.arange(self.states)
        stay = rows if len(self.transition) > 1 else np.zeros(self.states, dtype=np.int64)
        best = self.rewards.argmax(axis=1)
        while True:
            moves = self.transition[stay, best]
            value = np.linalg.solve(np.eye(self.states) - self.discount * moves, self.rewards[rows, best])
            q = self.rewards + self.discount * (self.transition @ value)
            gain = q.max(axis=1) - q[rows, best]
            # differences at the level of rounding are no improvement; otherwise two equal actions alternate
            better = gain > 1e-12 * max(1.0, float(np.abs(q).max()))
            if not better.any():
                return float(self.start @ value)
            best = np.where(better, q.argmax(axis=1), best)

    def _check(self, rewards: FloatArray, transition: FloatArray, start: FloatArray) -> None:
        states, joint = len(start), int(np.prod(self.actions))
        if rewards.shape != (states, joint):
            raise InvalidValue(f"{self.name}: rewards must have shape ({states}, {joint}), got {rewards.shape}")
        if transition.shape not in ((states, joint, states), (1, joint, states)):
            raise InvalidValue(
                f"{self.name}: transition must have shape ({states} or 1, {joint}, {states}), got {transition.shape}"
            )
        if not (np.isfinite(rewards).all() and np.isfinite(start).all() and (start >= 0).all() and start.sum() > 0):
            raise InvalidValue(f"{self.name}: rewards must be finite and start weights finite, >= 0 and not all 0")
        if not ((transition >= 0).all() and np.abs(transition.sum(axis=2) - 1).max() < 1e-9):
            raise InvalidValue(f"{self.name}: every row of transition must be a distribution")
        if not 0 <= self.discount < 1:
            raise InvalidValue(f"{self.name}: discount must lie in [0, 1), got {self.discount!r}")


def coordination_game(
    agents: int = 3,
    *,
    noise: float = 0.1,
    margin: int | None = None,
    discount: float = 0.95,
    start: Literal["uniform", "published"] = "uniform",
) -> TabularTeamGame:
    """Return the coordination game as tables; the reward is that of the present state.

    Args:
        agents: n >= 2; states and joint actions are 2^n, agent 0 the most significant bit.
        noise: Probability eps in [0, 1/2] that a bit flips.
        margin: Largest narrow majority, ``None`` for the published value.
        discount: gamma in [0, 1).
        start: ``"uniform"`` weighs every state 2^-n; ``"published"`` 1/n, as the authors' code does (total
            mass 2^n / n, which only rescales J and the gradient).

    Source: Chen and Zhang (2023), arXiv 2306.01920, and its code.
    """
    table, eps = reward_by_ones(agents, margin), check_noise(noise)
    _check_size("coordination_game", 2**agents, (2,) * agents)
    bits = np.indices((2,) * agents).reshape(agents, -1).T
    flips = (bits[:, None] != bits[None]).sum(axis=2)
    rewards = np.repeat(table[bits.sum(axis=1)][:, None], 2**agents, axis=1)
    moves = eps**flips * (1 - eps) ** (agents - flips)
    mass = 2.0**-agents if start == "uniform" else 1.0 / agents
    return TabularTeamGame("coordination_game", (2,) * agents, rewards, moves[None], discount, np.full(2**agents, mass))


def one_shot_game(payoff: ArrayLike, *, name: str = "team_matrix") -> TabularTeamGame:
    """Return a common-payoff matrix game [A_0, ..., A_{n-1}] as tables with one state and discount 0."""
    table = check_payoff(np.asarray(payoff, dtype=np.float64))
    return TabularTeamGame(name, tuple(table.shape), table.reshape(1, -1), np.ones((1, table.size, 1)), 0.0, np.ones(1))


def _check_size(name: str, states: int, actions: tuple[int, ...]) -> None:
    joint = 1
    for a in actions:
        joint *= a
    if states * joint > MAX_ENTRIES:
        raise GameTooLarge(f"{name}: {states} states x {joint} joint actions exceed the limit of {MAX_ENTRIES} entries")
