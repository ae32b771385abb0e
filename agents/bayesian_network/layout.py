"""Where each conditional probability stands: one flat table for all agents.

Axes: n agents, S states, A joint actions, M entries.  Agent i's block is [S, C_i, A_i], C_i being the number
of joint actions of its parents (in increasing order of agents, the first one most significant).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from equilibria.games.vector.tabular import TabularTeamGame
from equilibria.sim.errors import GameTooLarge
from equilibria.sim.types import BoolArray, IntArray

MAX_ENTRIES = 50_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """The flat table of a Bayesian-network policy.

    Attributes:
        dag: bool [n, n]; [j, i] when j is a parent of i.
        actions: [n] actions of each agent.
        configurations: [n] joint actions of each agent's parents, C_i.
        width: [n] entries per state, C_i * A_i.
        offset: [n] first entry of each agent's block.
        slot: [n, A] entry within a state's row of agent i at a joint action.
        entries: M.

    Raises:
        GameTooLarge: If M exceeds 5e7.
    """

    dag: BoolArray
    actions: IntArray
    configurations: IntArray
    width: IntArray
    offset: IntArray
    slot: IntArray = field(repr=False)
    entries: int

    @classmethod
    def of(cls, game: TabularTeamGame, dag: BoolArray) -> Layout:
        """Return the layout for a game and a valid graph (see ``dag_matrix``)."""
        actions = np.array(game.actions, dtype=np.int64)
        configurations = np.ones(game.agents, dtype=np.int64)
        slot = np.zeros((game.agents, len(game.joint)), dtype=np.int64)
        for i in range(game.agents):
            for j in np.flatnonzero(dag[:, i]):
                configurations[i] *= actions[j]
                slot[i] = slot[i] * actions[j] + game.joint[:, j]
            slot[i] = slot[i] * actions[i] + game.joint[:, i]
        width = configurations * actions
        sizes = width * game.states
        entries = int(sizes.sum())
        if entries > MAX_ENTRIES:
            raise GameTooLarge(f"the policy needs {entries} entries, the limit is {MAX_ENTRIES}; use fewer edges")
        return cls(dag, actions, configurations, width, np.cumsum(sizes) - sizes, slot, entries)
