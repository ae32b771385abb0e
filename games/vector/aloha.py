"""Slotted Aloha: agents with queues share a channel with their neighbours.

Source: Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920, and its code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.vector import kernels
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray, BoolArray, UIntArray

MAX_AGENTS = 64


def ladder(rows: int = 2, columns: int = 5) -> BoolArray:
    """Return the adjacency [N, N] of the published graph: i ~ i+1 (across row ends too) and i ~ i+columns."""
    n = rows * columns
    graph = np.zeros((n, n), dtype=np.bool_)
    for step in (1, columns):
        i = np.arange(max(0, n - step))
        graph[i, i + step] = graph[i + step, i] = True
    return graph


class Aloha(VectorWorld):
    """Aloha on a graph; observation: own backlog, action: 1 transmits and 0 waits, reward: the team's.

    A transmission with a message succeeds (+0.1) unless a neighbour transmits too, with or without a
    message of its own; then the sender costs the team 10.  After that, messages arrive.  Episodes begin
    with one message each.  Return of 20 slots if everybody always transmits: -2000.

    Args:
        graph: [N, N] symmetric adjacency without self-loops, N <= 64; ``None`` for the published 10 agents.
        arrival: Probability of an arrival per agent and slot.
        capacity: Largest backlog.
        horizon: Slots of an episode, after which it is over.
        check_actions: Check actions in every step.
    """

    name = "aloha"

    def __init__(
        self,
        graph: ArrayLike | None = None,
        *,
        arrival: float = 0.6,
        capacity: int = 5,
        horizon: int = 20,
        check_actions: bool = True,
    ) -> None:
        self.graph = _checked(ladder() if graph is None else np.asarray(graph))
        if not 0 <= arrival <= 1:
            raise InvalidValue(f"arrival must lie in [0, 1], got {arrival!r}")
        if capacity < 1:
            raise InvalidValue(f"capacity must be at least 1 message, got {capacity!r}")
        role = Role(count=len(self.graph), observation=(1,), actions=2)
        super().__init__(
            {"agent": role}, horizon=horizon, end="terminated", bounds=(0.0, capacity), check_actions=check_actions
        )
        self.capacity, self.arrival = capacity, arrival
        self._threshold = np.uint64(round(arrival * 2**32))
        self._neighbours = _bit_sets(self.graph)

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {"backlog": np.ones((batch, self.agents), dtype=np.int64)}

    def _begin(self, state: WorldState) -> None:
        state.observation[:] = 1.0

    def _advance(self, state: WorldState) -> None:
        kernels.aloha_advance(
            state.key, state.clock, self.horizon, self._threshold, self.capacity, self._neighbours, state.elapsed,
            state.own["backlog"], state.actions, state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip


def _checked(graph: AnyArray) -> BoolArray:
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1] or not 1 <= len(graph) <= MAX_AGENTS:
        raise InvalidValue(f"graph must be a square matrix of 1..{MAX_AGENTS} agents, got shape {graph.shape}")
    table = graph.astype(np.bool_)
    if not np.array_equal(table, table.T) or table.diagonal().any():
        raise InvalidValue("graph must be symmetric and without self-loops")
    return table


def _bit_sets(graph: BoolArray) -> UIntArray:
    weights = np.left_shift(np.uint64(1), np.arange(len(graph), dtype=np.uint64))
    return np.asarray(np.where(graph, weights, np.uint64(0)).sum(axis=1, dtype=np.uint64))
