"""Compiled acting and PPO steps of Bayesian-network policies with fixed or learned graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from equilibria.agents.bayesian_network.deep import joint_kernels
from equilibria.agents.bayesian_network.deep.joint_step import JointStep
from equilibria.agents.bayesian_network.deep.noise import draw
from equilibria.agents.bayesian_network.deep.sampler import Noise, SampledDag
from equilibria.agents.learning import step_kernels
from equilibria.agents.learning.batches import Action, Context
from equilibria.agents.learning.buffer import Buffer
from equilibria.agents.learning.compiled_steps import NO_MASK, active_rows, policy_numbers
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.types import AnyArray, BoolArray, IntArray

if TYPE_CHECKING:
    from equilibria.agents.bayesian_network.deep.policy import BNJointPolicy

_GREEDY = np.zeros((0, 0, 0), np.float32)
_NO_ROWS: BoolArray = np.ones((0, 0), np.bool_)


class CompiledActing:
    """A ``BNJointPolicy`` in which all worlds act in one order, for one collection; draws the same noise."""

    def __init__(self, policy: BNJointPolicy, step: JointStep) -> None:
        self._policy, self._step = policy, step
        step.adam.gather()
        step.fold()

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return the context before an episode."""
        return self._policy.begin(worlds, generator)

    def act(
        self, obs: torch.Tensor, mask: torch.Tensor | None, context: Context, generator: torch.Generator, *,
        greedy: bool = False,
    ) -> Action:  # fmt: skip
        """Draw joint actions, parents first; see ``BNJointPolicy.act``."""
        if mask is not None and not bool(mask.any(dim=-1).all()):
            return self._policy.act(obs, mask, context, generator, greedy=greedy)  # says what is wrong
        if greedy and self._policy.graph.greedy_roots == "draw":
            return self._policy.act(obs, mask, context, generator, greedy=greedy)
        step, slots = self._step, self._step.slots
        worlds, agents, entries = obs.shape
        shift = _GREEDY if greedy else draw((worlds, agents, self._policy.actions), generator).numpy()
        allowed = NO_MASK if mask is None else mask.contiguous().numpy()
        noise, edges = self._graphs(obs, generator, greedy=greedy)
        rows = step.rows(obs.contiguous().view(-1, entries).numpy(), agents, np.arange(agents))
        nothing, everyone = np.full((worlds, agents), -1, np.int64), np.arange(worlds)
        actions, log_prob = np.empty((worlds, agents), np.int64), np.empty((worlds, agents), np.float32)
        for first in range(0, worlds, step.size):
            count = min(step.size, worlds - first)
            step.look(rows, nothing, everyone, first, count, edges)
            for i in slots.order:
                column = int(slots.place[i]) * slots.width + slots.offset
                joint_kernels.choose(
                    step.logits(i, count), shift, allowed, first, count, i, column, actions, log_prob, step.seen.numpy()
                )
        return Action(torch.from_numpy(actions), torch.from_numpy(log_prob), {}, noise)

    def _graphs(self, obs: torch.Tensor, generator: torch.Generator, *, greedy: bool) -> tuple[Noise, AnyArray | None]:
        """Return the noise of sampled graphs and their edges [B, N, N]."""
        policy = self._policy
        if policy.sampler is None:
            return {}, None
        noise = policy.sampler.noise(len(obs), generator)
        with torch.no_grad():
            found = policy.sampler(policy.context(obs), None if greedy else noise).graph
        return noise, found.contiguous().numpy()


class CompiledJointStep:
    """PPO steps of a ``BNJointPolicy``; satisfies ``compiled_steps.PolicyStep``."""

    def __init__(self, policy: BNJointPolicy, settings: PPOSettings) -> None:
        self._settings, self._policy = settings, policy
        self.step = JointStep(policy, settings.actor_lr)

    def acting(self) -> CompiledActing | BNJointPolicy:
        """Return the policy for the next collection: compiled, unless every world has its own order."""
        own_orders = self._policy.dag is None and self._policy.graph.order != "identity"
        return self._policy if own_orders else CompiledActing(self._policy, self.step)

    def begin(self, buffer: Buffer) -> None:
        """Prepare for the steps on these samples."""
        spaces = buffer.spaces
        self._obs = buffer.controlled(buffer.obs[:-1].flatten(0, 1))
        self._noise = {name: value.flatten(0, 1) for name, value in buffer.extras.items()}
        self._rows = self.step.rows(buffer.obs[:-1].flatten(0, 2).numpy(), spaces.everyone, spaces.columns)
        flat = (-1, spaces.agents)
        self._actions = buffer.actions.view(*flat).numpy()
        self._active = active_rows(buffer)
        masks = None if buffer.mask is None else buffer.mask[:-1].flatten(0, 1).numpy()
        log_prob, advantage = buffer.log_prob.view(*flat).numpy(), buffer.advantages.view(*flat).numpy()
        self._samples = [
            (
                NO_MASK if masks is None else np.ascontiguousarray(masks[:, i : i + 1]),
                _column(self._actions, i),
                _column(log_prob, i),
                _column(advantage, i),
                _column(self._active, i) if len(self._active) else _NO_ROWS,
            )
            for i in range(spaces.agents)
        ]

    def __call__(self, index: IntArray, unit: int) -> dict[str, float]:
        """Do a step on samples ``index`` [M]; return its numbers.

        Raises:
            NumericalError: If loss or gradient are not finite; the weights stay.
        """
        settings, sums = self._settings, np.zeros(5)
        rows = self._active[index].sum() if len(self._active) else len(index) * self._actions.shape[1]
        count = max(int(rows), 1)
        weight = settings.entropy_weight - self._policy.entropy_relief

        def loss(agent: int, logits: AnyArray, first: int, samples: int) -> None:
            step_kernels.policy_gradient(
                logits, index, first, samples, *self._samples[agent], 1.0 / count, settings.clip, weight, sums
            )

        sampled = self._sampled(index)
        if sampled is None:
            self.step.gradient(self._rows, self._actions, index, loss)
            return policy_numbers(self.step, sums, count, weight, settings, unit)
        penalty = self._policy.sparsity_penalty(sampled)
        edges = sampled.graph.detach().contiguous().numpy()
        slopes = self.step.gradient(self._rows, self._actions, index, loss, edges)
        self._graph_gradient(sampled, slopes, penalty)
        extra = 0.0 if penalty is None else float(penalty.detach())
        return policy_numbers(self.step, sums, count, weight, settings, unit, extra)

    def _sampled(self, index: IntArray) -> SampledDag | None:
        """Return the graphs of samples, repeated from their noise, with gradients."""
        policy = self._policy
        if policy.sampler is None:
            return None
        rows = torch.from_numpy(index)
        noise = {name: value.index_select(0, rows) for name, value in self._noise.items()}
        found: SampledDag = policy.sampler(policy.context(self._obs.index_select(0, rows)), noise)
        return found

    def _graph_gradient(self, sampled: SampledDag, slopes: AnyArray | None, penalty: torch.Tensor | None) -> None:
        """Write the gradient of the graph networks, given that of the edges."""
        assert self._policy.sampler is not None and slopes is not None
        weights = list(self._policy.sampler.parameters())
        outputs, given = [sampled.graph], [torch.from_numpy(slopes)]
        if penalty is not None:
            outputs, given = [*outputs, penalty], [*given, torch.ones(())]
        for parameter, found in zip(weights, torch.autograd.grad(outputs, weights, given), strict=True):
            into = self.step.adam.views(parameter)[1]
            into[:] = found.numpy().reshape(into.shape)


def _column(array: AnyArray, i: int) -> AnyArray:
    return np.ascontiguousarray(array[:, i : i + 1])
