"""BN-MAPPO: proximal policy optimisation of Bayesian-network joint policies with fixed or learned graphs.

Every agent's probability ratio uses its own conditional pi_i(a_i | o_i, parents' actions), and the advantage is
the team's.  The graph of a sample is repeated from its stored noise, so ratios are 1 before the first step.

Source: Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equilibria.agents.bayesian_network.dag import dag_matrix, subteams
from equilibria.agents.bayesian_network.deep.policy import BNJointPolicy
from equilibria.agents.bayesian_network.deep.settings import BNMAPPOSettings
from equilibria.agents.learning.buffer import Buffer
from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.response import gain_certificate
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.certificate import Certificate
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

if TYPE_CHECKING:
    import networkx

NAME = "bn_mappo"
_ROWS = 4096


class BNMAPPO(Learner):
    """PPO on a Bayesian-network joint policy; see ``Learner`` for arguments and the solver's contract.

    Its settings are ``BNMAPPOSettings``; the table ``dag`` holds the probability of every edge.
    """

    settings: BNMAPPOSettings
    table_names = ("dag", "first_actions")

    def make_policy(self, generator: torch.Generator) -> BNJointPolicy:
        """Return the policy of the settings' graph."""
        settings = self.settings
        return BNJointPolicy(
            self.spaces,
            settings,
            graph_of(settings, self.spaces.agents, self.game),
            hidden=settings.hidden,
            layers=settings.layers,
            activation=settings.activation,
            input_norm=settings.input_norm,
            generator=generator,
        )

    @property
    def progress(self) -> float:
        """Share of the budget done, in [0, 1]; 0 without a budget."""
        return min(1.0, self.iteration / self.budget) if self.budget else 0.0

    def before_update(self) -> None:
        """Move the schedules of sparsity and entropy."""
        self.actor.progress = self.progress
        plan, first = self.settings.entropy_schedule, self.settings.entropy_weight
        self.actor.entropy_relief = 0.0 if plan is None else first - plan.weight(first, self.progress)

    def reward_transform(self, buffer: Buffer) -> None:
        """Shrink losses as the curriculum says."""
        plan = self.settings.loss_scale
        if plan is not None:
            reward = buffer.reward
            np.multiply(reward, plan.at(self.progress), out=reward, where=reward < 0)

    def extra_numbers(self) -> Mapping[str, float]:
        """Return the density of the graphs, and the target it is driven to."""
        numbers = {"dag_density": float(self.edge_probabilities().sum()) / max(1, self._pairs())}
        if self.settings.sparsity is not None:
            numbers["dag_density_target"] = self.settings.sparsity.target(self.progress)
        return numbers

    def edge_probabilities(self) -> FloatArray:
        """Return [N, N] probabilities of parent j of child i, over the states of the last collection."""
        policy, rows = self.actor, self._seen()
        if policy.dag is not None:
            return np.asarray(policy.dag.astype(np.float64))
        with torch.no_grad():
            if policy.graph.order == "identity":
                sampled = policy.graphs(rows)
                found = sampled.on * policy.sampler.before
            else:
                noise = policy.sampler.noise(len(rows), torch.Generator().manual_seed(0))
                found = policy.sampler(policy.context(rows), noise).graph
        return np.asarray(found.double().mean(dim=0).numpy())

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return ``dag``: one row per ordered pair of agents: parent, child, probability of the edge.

        ``first_actions`` is that of every learner.
        """
        if name != "dag":
            return super().table(name)
        chances = self.edge_probabilities()
        parent, child = np.nonzero(~np.eye(len(chances), dtype=np.bool_))
        return {"parent": parent, "child": child, "probability": chances[parent, child]}

    def graph(self, least: float = 0.0) -> networkx.DiGraph:
        """Return the graph of edges whose probability exceeds ``least``, with the attribute ``probability``."""
        import networkx

        chances = self.edge_probabilities()
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(len(chances)))
        for j, i in np.argwhere(chances > least):
            graph.add_edge(int(j), int(i), probability=float(chances[j, i]))
        return graph

    def certificate(self) -> Certificate:
        """Return the largest gain of one agent that changes its conditional, its parents in sight; a lower bound."""
        from equilibria.agents.bayesian_network.deep.deviation import trained_gains

        found = gain_certificate(trained_gains(self), self.game)
        return replace(
            found,
            method=f"{found.method}, on frozen features, seeing its parents",
            warning="an equilibrium of the policy class can lie below the optimum",
        )

    def _pairs(self) -> int:
        return self.spaces.agents * (self.spaces.agents - 1) // 2

    def _seen(self) -> torch.Tensor:
        """Return observations [M, N, D] of the last collection, or of the first states before it."""
        if self._buffer is None:
            obs = torch.from_numpy(self._worlds().state.observation)[:_ROWS]
            return obs[:, torch.from_numpy(self.spaces.columns)]
        obs = self._buffer.obs[:-1].flatten(0, 1)
        return self._buffer.controlled(obs[:: -(-len(obs) // _ROWS)])


def graph_of(settings: BNMAPPOSettings, agents: int, game: Any) -> BoolArray | None:
    """Return the fixed graph [N, N] that settings name, ``None`` for a learned one.

    ``subteams`` joins agents that interfere (``game.graph``), or all alike where a game has no such graph.
    """
    if settings.dag == "learned":
        return None
    if settings.dag == "subteams":
        known = getattr(game, "graph", None)
        scores = np.ones((agents, agents)) if known is None or len(known) != agents else np.asarray(known, np.float64)
        return subteams(scores, settings.subteam_edges)
    return dag_matrix(settings.dag, agents)
