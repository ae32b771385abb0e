"""Neural Bayesian-network joint policies: pi(a | o) = prod_i pi_i(a_i | o_i, parents' observations and actions).

An agent's logits are linear in [features of its own observation, features of its parents].  The parents'
features come from a small network of their own, whose first layer is a sum over parents,

    first_i = b + sum_j G[j, i] (W_j [o_j, onehot(a_j)] + c_j),

so that sampling adds one vector per agent that has acted, and the parallel evaluation is one product with G.

Axes: B worlds, M samples, N agents, D observation entries, A actions, H hidden units.

Source: Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920, section 5 and its
code; the parents' network everywhere and the stored graph noise are ours (docs/solvers/bn_mappo.md).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from equilibria.agents.bayesian_network.dag import topological_order
from equilibria.agents.bayesian_network.deep.noise import draw
from equilibria.agents.bayesian_network.deep.sampler import DagSampler, Noise, SampledDag
from equilibria.agents.bayesian_network.deep.settings import GraphSettings
from equilibria.agents.learning.batches import Action, Batch, Context, Evaluation
from equilibria.agents.learning.compiled_steps import PolicyStep
from equilibria.agents.learning.heads import Discrete, discrete_head
from equilibria.agents.learning.losses import masked_mean
from equilibria.agents.learning.networks import GAIN, GroupLinear, Trunk
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.spaces import Spaces
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import BoolArray

_HEAD_GAIN = 0.01


class BNJointPolicy(torch.nn.Module):
    """A joint policy over a fixed or learned graph; satisfies ``agents.learning.policies.JointPolicy``.

    Args:
        spaces: What the controlled agents see and do.
        graph: What children see, and how graphs are learned.
        dag: bool [N, N] fixed graph, ``None`` for a learned one.
        hidden: Width H of all layers.
        layers: Layers of the network of own observations.
        activation: ``"relu"`` or ``"tanh"``.
        input_norm: Normalise observations: ``"auto"``, ``"on"`` or ``"off"`` (see ``PPOSettings``).
        generator: Source of the first weights.

    Attributes:
        progress: Share of the training done, in [0, 1]; moves the sparsity schedule.
        entropy_relief: What the schedule takes off the weight of the entropy bonus.
        order: Order in which the agents of a fixed graph act.
        density: Density of the graphs in the last evaluation, in [0, 1].

    The noise of world b depends on (generator, b) only, so worlds do not depend on the batch size.

    Raises:
        InvalidValue: If a fixed graph has a wrong shape or a cycle, or a learned one fewer than 2 agents.
    """

    _edges: torch.Tensor
    sampler: DagSampler | None

    def __init__(
        self,
        spaces: Spaces,
        graph: GraphSettings,
        dag: BoolArray | None,
        *,
        hidden: int = 64,
        layers: int = 2,
        activation: Literal["relu", "tanh"] = "relu",
        input_norm: str = "auto",
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.spaces, self.graph, self.dag = spaces, graph, dag
        self.agents, self.actions = spaces.agents, spaces.actions
        self.progress, self.density, self.entropy_relief = 0.0, 0.0, 0.0
        self._shape = {"hidden": hidden, "layers": layers, "activation": activation, "input_norm": input_norm}
        each = tuple(range(self.agents))
        self.trunk = Trunk(
            spaces.observation,
            hidden=hidden,
            layers=layers,
            activation=activation,
            norm=spaces.normalises(input_norm, spaces.observation),
            generator=generator,
        )
        self.own = GroupLinear(hidden, self.actions, gain=_HEAD_GAIN, groups=each, generator=generator)
        self.sampler = None
        if dag is None:
            context = spaces.observation * (self.agents if graph.context == "all" else 1)
            self.sampler = DagSampler(
                context,
                self.agents,
                order=graph.order,
                temperature=graph.temperature,
                edge_bias=graph.edge_bias,
                gain=graph.graph_gain,
                generator=generator,
            )
        else:
            self.order = _checked(dag, self.agents)
            self.register_buffer("_edges", torch.from_numpy(dag.astype(np.float32)), persistent=False)
        self.connected = dag is None or bool(dag.any())
        if self.connected:
            seen = self.actions + (spaces.observation if graph.parent_input == "observed_actions" else 0)
            self.messages = GroupLinear(seen, hidden, gain=GAIN[activation], groups=each, generator=generator)
            self.encoder = ParentEncoder(hidden, activation, generator)
            self.social = GroupLinear(hidden, self.actions, gain=_HEAD_GAIN, groups=each, generator=generator)

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return an empty context: the policy has no memory."""
        return {}

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Draw joint actions, parents first.

        Args:
            obs: float32 [B, N, D].
            mask: bool [B, N, A] available actions, ``None`` for all.
            context: Unused.
            generator: Source of graph and action noise.
            greedy: Most likely graph and actions instead of draws; agents without parents draw all the same where
                the settings say ``greedy_roots: draw``.

        Cost: one pass for the own observations; with edges, N small layers after each other.
        """
        own = self.own(self.trunk(obs)[0])
        coins = greedy and self.graph.greedy_roots == "draw"
        shift = None if greedy and not coins else draw(tuple(own.shape), generator)
        if not self.connected:
            return _all_at_once(own, mask, shift, {})
        noise: Noise = {}
        order: torch.Tensor | None = None
        if self.sampler is None:
            edges = self._edges
        else:
            noise = self.sampler.noise(len(obs), generator)
            sampled = self.sampler(self.context(obs), None if greedy else noise)
            edges, order = sampled.graph, sampled.order
            if not bool(edges.any()):
                return _all_at_once(own + self._alone(), mask, shift, noise)
        if coins and shift is not None:
            shift = shift * ~edges.bool().any(dim=-2).unsqueeze(-1)
        if order is None:
            actions, log_prob = self._in_sequence(obs, own, mask, shift, edges)
        else:
            actions, log_prob = self._in_orders(obs, own, mask, shift, edges, order)
        return Action(actions, log_prob, {}, noise)

    def compiled_step(self, settings: PPOSettings) -> PolicyStep | None:
        """Return compiled steps that replace ``act`` and ``evaluate`` in training, ``None`` where none exist."""
        from equilibria.agents.bayesian_network.deep.compiled import CompiledJointStep
        from equilibria.agents.bayesian_network.deep.joint_step import worthwhile

        plain = type(self) is BNJointPolicy and all(
            p.requires_grad and p.dtype == torch.float32 for p in self.parameters()
        )
        return CompiledJointStep(self, settings) if plain and worthwhile(self) else None

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return log-probabilities and entropies [M, N] of stored actions, given the stored graph noise."""
        sampled = None if self.sampler is None else self.sampler(self.context(batch.obs), dict(batch.extras))
        head = self.conditionals(batch.obs, batch.actions, batch.mask, sampled)
        entropy, penalty = head.entropy(), self.sparsity_penalty(sampled)
        if self.entropy_relief:
            relief = self.entropy_relief * masked_mean(entropy, batch.active)
            penalty = relief if penalty is None else penalty + relief
        return Evaluation(head.log_prob(batch.actions), entropy, penalty, head.log_probs)

    def conditionals(
        self,
        obs: torch.Tensor,
        actions: torch.Tensor,
        mask: torch.Tensor | None = None,
        sampled: SampledDag | None = None,
    ) -> Discrete:
        """Return every agent's distribution [M, N, A] given its parents' entries of ``actions`` int64 [M, N].

        Args:
            obs: float32 [M, N, D].
            actions: int64 [M, N]; entries of agents that are nobody's parents do not matter.
            mask: bool [M, N, A] or ``None``.
            sampled: Graphs; ``None`` for the fixed graph, or the most likely ones.
        """
        logits = self.own(self.trunk(obs)[0])
        if self.connected:
            if sampled is None and self.sampler is not None:
                sampled = self.graphs(obs)
            edges = self._edges if sampled is None else sampled.graph
            chosen = torch.nn.functional.one_hot(actions, self.actions).to(obs.dtype)
            sums = edges.transpose(-2, -1) @ self.messages(self._seen(obs, chosen))
            logits = logits + self.social(self.encoder(sums))
        return discrete_head(logits, mask)

    def graphs(self, obs: torch.Tensor) -> SampledDag:
        """Return the most likely graph for each row of obs [M, N, D], and the edges' probabilities."""
        if self.sampler is not None:
            sampled: SampledDag = self.sampler(self.context(obs))
            return sampled
        edges = self._edges.expand(len(obs), -1, -1)
        return SampledDag(edges, None, edges)

    def decentralised(self) -> BNJointPolicy:
        """Return the same policy without edges and without graph networks: every agent acts on its own observation.

        It equals this policy wherever this policy's graph is empty.
        """
        n = self.agents
        plain = BNJointPolicy(
            self.spaces,
            self.graph.model_copy(update={"dag": "empty", "sparsity": None}),
            np.zeros((n, n), np.bool_),
            generator=torch.Generator().manual_seed(0),
            **self._shape,  # type: ignore[arg-type]
        )
        with torch.no_grad():
            for name, tensor in plain.state_dict().items():
                tensor.copy_(self.state_dict()[name])
            if self.connected:
                plain.own.bias.add_(self._alone()[0])
        return plain

    def context(self, obs: torch.Tensor) -> torch.Tensor:
        """Return the graph networks' input [M, C] of observations [M, N, D]."""
        return obs.flatten(1) if self.graph.context == "all" else obs[:, 0]

    def _seen(self, obs: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Return what children see of a parent: its one-hot action [..., A], after its observation if wanted."""
        return torch.cat((obs, chosen), dim=-1) if self.graph.parent_input == "observed_actions" else chosen

    def _alone(self) -> torch.Tensor:
        """Return what the parents' network adds to the logits of agents without parents, [1, N, A]."""
        nobody = torch.zeros(1, self.agents, self.encoder.bias.shape[0])
        added: torch.Tensor = self.social(self.encoder(nobody))
        return added

    def sparsity_penalty(self, sampled: SampledDag | None) -> torch.Tensor | None:
        """Return what the sparsity schedule adds to the loss, ``None`` for nothing; takes down the density."""
        if sampled is None:
            return None
        density = sampled.density()
        self.density = float(density.detach())
        plan = self.graph.sparsity
        return None if plan is None else plan.weight(self.progress) * (density - plan.target(self.progress)).abs()

    def _in_sequence(
        self,
        obs: torch.Tensor,
        own: torch.Tensor,
        mask: torch.Tensor | None,
        shift: torch.Tensor | None,
        edges: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Act one agent after the other, in the same order in all worlds; children's sums grow as parents act."""
        batch = len(obs)
        sums = torch.zeros(batch, self.agents, self.encoder.bias.shape[0])
        actions = torch.empty(batch, self.agents, dtype=torch.int64)
        log_prob = torch.empty(batch, self.agents)
        unit = torch.eye(self.actions)
        linear = torch.nn.functional.linear
        order = range(self.agents) if self.sampler is not None else self.order
        for i in order:
            social = linear(self.encoder(sums[:, i]), self.social.weight[i], self.social.bias[i])
            head = discrete_head(own[:, i] + social, None if mask is None else mask[:, i])
            move = _move(head, None if shift is None else shift[:, i])
            actions[:, i], log_prob[:, i] = move, head.log_prob(move)
            message = linear(self._seen(obs[:, i], unit[move]), self.messages.weight[i], self.messages.bias[i])
            sums += edges[..., i, :].unsqueeze(-1) * message.unsqueeze(1)
        return actions, log_prob

    def _in_orders(
        self,
        obs: torch.Tensor,
        own: torch.Tensor,
        mask: torch.Tensor | None,
        shift: torch.Tensor | None,
        edges: torch.Tensor,
        order: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Act position after position; each world has its own order [B, N]."""
        batch = len(obs)
        world = torch.arange(batch)
        sums = torch.zeros(batch, self.agents, self.encoder.bias.shape[0])
        actions = torch.empty(batch, self.agents, dtype=torch.int64)
        log_prob = torch.empty(batch, self.agents)
        unit = torch.eye(self.actions)
        for k in range(self.agents):
            i = order[:, k]
            social = _chosen_rows(self.social, i, self.encoder(sums[world, i]))
            head = discrete_head(own[world, i] + social, None if mask is None else mask[world, i])
            move = _move(head, None if shift is None else shift[world, i])
            actions[world, i], log_prob[world, i] = move, head.log_prob(move)
            message = _chosen_rows(self.messages, i, self._seen(obs[world, i], unit[move]))
            sums += edges[world, i].unsqueeze(-1) * message.unsqueeze(1)
        return actions, log_prob


class ParentEncoder(torch.nn.Module):
    """Features [..., H] of sums of parents' messages [..., H]."""

    def __init__(self, hidden: int, activation: Literal["relu", "tanh"], generator: torch.Generator) -> None:
        super().__init__()
        # not 0: layer normalisation of a constant vector, which agents without parents would have, is ill-conditioned
        self.bias = torch.nn.Parameter(torch.empty(hidden).uniform_(-1, 1, generator=generator) / math.sqrt(hidden))
        self._activate = torch.relu if activation == "relu" else torch.tanh
        self.middle = torch.nn.LayerNorm(hidden)
        self.second = GroupLinear(hidden, hidden, gain=GAIN[activation], generator=generator)
        self.last = torch.nn.LayerNorm(hidden)

    def forward(self, sums: torch.Tensor) -> torch.Tensor:
        """Apply bias, activation and normalisation, then a second layer of the same kind."""
        features = self.middle(self._activate(sums + self.bias))
        found: torch.Tensor = self.last(self._activate(self.second(features)))
        return found


def _all_at_once(logits: torch.Tensor, mask: torch.Tensor | None, shift: torch.Tensor | None, noise: Noise) -> Action:
    head = discrete_head(logits, mask)
    move = _move(head, shift)
    return Action(move, head.log_prob(move), {}, noise)


def _move(head: Discrete, shift: torch.Tensor | None) -> torch.Tensor:
    """Return draws by the largest log-probability plus Gumbel noise, or the most likely actions without noise."""
    return head.mode() if shift is None else (head.log_probs + shift).argmax(dim=-1)


def _chosen_rows(layer: GroupLinear, agents: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return outputs [B, out] where row b uses the weights of agent ``agents[b]``."""
    return torch.baddbmm(layer.bias[agents].unsqueeze(1), x.unsqueeze(1), layer.weight[agents].mT).squeeze(1)


def _checked(dag: BoolArray, agents: int) -> tuple[int, ...]:
    """Return the order in which the agents of a fixed graph act."""
    if dag.shape != (agents, agents):
        raise InvalidValue(f"dag must be a {agents} x {agents} matrix, got shape {dag.shape}")
    return tuple(topological_order(dag))
