"""A joint policy that factors over a graph: pi(a | s) = prod_i pi_i(a_i | s, actions of i's parents)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equilibria.agents.bayesian_network.kernels import product
from equilibria.agents.bayesian_network.layout import Layout
from equilibria.games.vector.tabular import TabularTeamGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class BNPolicy:
    """A Bayesian-network joint policy.

    Attributes:
        game: The game.
        layout: Where the conditionals stand.
        table: [M] conditional probabilities.
    """

    game: TabularTeamGame
    layout: Layout
    table: FloatArray

    def conditional(self, agent: int) -> FloatArray:
        """Return pi_i [S, C_i, A_i]: by state, joint action of the parents and own action (a view)."""
        if not 0 <= agent < self.game.agents:
            raise InvalidValue(f"agent must lie in 0..{self.game.agents - 1}, got {agent!r}")
        layout, states = self.layout, self.game.states
        first = int(layout.offset[agent])
        block = self.table[first : first + states * int(layout.width[agent])]
        return np.asarray(block.reshape(states, int(layout.configurations[agent]), int(layout.actions[agent])))

    def joint_table(self) -> FloatArray:
        """Return pi [S, A] over all joint actions."""
        out = np.empty((self.game.states, len(self.game.joint)))
        product(self.table, out, self.layout.slot, self.layout.offset, self.layout.width, -1)
        return out

    def joint(self, state: int) -> FloatArray:
        """Return the distribution [A_0, ..., A_{n-1}] over joint actions in a state."""
        if not 0 <= state < self.game.states:
            raise InvalidValue(f"state must lie in 0..{self.game.states - 1}, got {state!r}")
        return np.asarray(self.joint_table()[state].reshape(self.game.actions))

    def sample(self, state: int, size: int, rng: np.random.Generator) -> IntArray:
        """Return joint actions [size, n] drawn in a state."""
        chances = self.joint(state).ravel()
        return np.asarray(self.game.joint[rng.choice(len(chances), size=size, p=chances / chances.sum())])

    def graph(self) -> networkx.DiGraph:
        """Return the graph with an edge from each parent to its children."""
        import networkx

        graph = networkx.DiGraph()
        graph.add_nodes_from(range(self.game.agents))
        graph.add_edges_from((int(j), int(i)) for j, i in np.argwhere(self.layout.dag))
        return graph
