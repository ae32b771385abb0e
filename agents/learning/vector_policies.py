"""Policies over actions of several parts: diagonal normal for continuous ones, independent softmax for multi-discrete.

Axes: B worlds, M samples, N controlled agents, D observation entries, P parts of an action, A options of a part.
"""

from __future__ import annotations

import copy

import numpy as np

from equilibria.agents.learning.batches import Action, Batch, Context, Evaluation
from equilibria.agents.learning.heads import Gaussian, discrete_head, gaussian_head
from equilibria.agents.learning.networks import GroupLinear
from equilibria.agents.learning.policies import HEAD_GAIN, JointPolicy, ProductPolicy, policy_trunk, sample
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.spaces import Spaces
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.vector_kernels import draw_normals
from equilibria.sim.errors import Unsupported


def product_policy(spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> JointPolicy:
    """Return independent policies of the controlled agents for the kind of actions they have."""
    if spaces.parts is None:
        return ProductPolicy(spaces, settings, generator)
    if spaces.parts.continuous:
        return GaussianPolicy(spaces, settings, generator)
    return MultiDiscretePolicy(spaces, settings, generator)


class _PartsPolicy(torch.nn.Module):
    """Trunk and linear head of a policy over P parts; ``outputs`` numbers per agent."""

    def __init__(self, spaces: Spaces, settings: PPOSettings, generator: torch.Generator, outputs: int) -> None:
        super().__init__()
        self.agents = spaces.agents
        groups = spaces.groups(settings.share)
        self.trunk = policy_trunk(spaces, settings, generator)
        self.head = GroupLinear(settings.hidden, outputs, gain=HEAD_GAIN, groups=groups, generator=generator)

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return zeros for the GRU state, nothing without a GRU."""
        hidden = self.trunk.begin(worlds, self.agents)
        return {} if hidden is None else {"hidden": hidden}

    def _acting(self, obs: torch.Tensor, context: Context) -> tuple[torch.Tensor, Context, Context]:
        """Return the head's numbers, the next context and what is to be stored of the present one."""
        before = context.get("hidden")
        found, after = self.trunk.headed(self.head, obs, before)
        if after is None:
            return found, {}, {}
        assert before is not None
        return found, {"hidden": after}, {"hidden": before}

    def _narrow(self, agent: int, outputs: torch.Tensor) -> None:
        """Keep the weights of one agent and some outputs of the head."""
        self.agents = 1
        with torch.no_grad():
            self.trunk.narrow(agent)
            self.head.narrow(agent)
            self.head.weight = torch.nn.Parameter(self.head.weight[:, outputs].clone())
            self.head.bias = torch.nn.Parameter(self.head.bias[:, outputs].clone())

    def _evaluating(self, batch: Batch) -> torch.Tensor:
        hidden = batch.extras["hidden"][: batch.chunks] if self.trunk.recurrent else None
        return self.trunk.headed(self.head, batch.obs, hidden, batch.begun)[0]


class GaussianPolicy(_PartsPolicy):
    """Independent normals u with state-independent deviations that begin at 1.

    A world gets centre + half width * u, clipped to its bounds, in parts that are bounded on both sides, and u itself,
    clipped, in others; probabilities are those of u, before clipping.

    Args:
        spaces: What the controlled agents see and do.
        settings: Sizes and sharing.
        generator: Source of the weights.

    The noise of world b depends on (generator, b, agent) only, so worlds do not depend on the batch size.
    """

    used: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    _group: torch.Tensor

    def __init__(self, spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> None:
        parts = spaces.parts
        if parts is None or not parts.continuous:
            raise Unsupported("normal policies need continuous actions")
        super().__init__(spaces, settings, generator, parts.width)
        groups = spaces.groups(settings.share)
        self.log_std = torch.nn.Parameter(torch.zeros(max(groups, default=0) + 1, parts.width))
        self.register_buffer("_group", torch.tensor(groups or [0], dtype=torch.int64), persistent=False)
        for name, values in (("used", parts.used), ("low", parts.low), ("high", parts.high)):
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Draw (or, if greedy, take the means of) actions float32 [B, N, P]; what was drawn is stored as ``drawn``."""
        mean, after, extras = self._acting(obs, context)
        drawn = mean
        if not greedy:
            key = int(torch.randint(0, 2**62, (1,), generator=generator))
            noise = np.empty(tuple(mean.shape), np.float32)
            draw_normals(np.uint64(key), noise)
            drawn = mean + self._log_std().exp() * torch.from_numpy(noise)
        log_prob = self._distribution(mean).log_prob(drawn)
        return Action(self.sent(drawn), log_prob, after, {**extras, "drawn": drawn})

    def sent(self, drawn: torch.Tensor) -> torch.Tensor:
        """Return the actions that a world gets for drawn numbers [..., N, P]."""
        closed = torch.isfinite(self.low) & torch.isfinite(self.high)
        centre = torch.where(closed, (self.low + self.high) / 2, 0.0)
        half = torch.where(closed, (self.high - self.low) / 2, 1.0)
        return torch.minimum(torch.maximum(centre + half * drawn, self.low), self.high)

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return log-densities and entropies [M, N]; ``log_probs`` holds means and log deviations [M, N, 2 P]."""
        mean = self._evaluating(batch)
        found = self._distribution(mean)
        told = torch.cat([mean, self._log_std().expand_as(mean)], dim=-1)
        return Evaluation(found.log_prob(batch.extras["drawn"]), found.entropy(), log_probs=told)

    def divergence(self, new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
        """Return KL(new || old) [M, N] of what ``evaluate`` returned as ``log_probs``."""
        (mean, log_std), (before, spread) = new.chunk(2, dim=-1), old.chunk(2, dim=-1)
        return Gaussian(mean, log_std, self._where()).kl(Gaussian(before, spread, self._where()))

    def single(self, agent: int) -> GaussianPolicy:
        """Return the policy of one agent alone: the same function of its observation, own weights."""
        alone = copy.deepcopy(self)
        width = int(self.used[agent].sum())
        alone._narrow(agent, torch.arange(width))
        own = self._log_std()[agent if len(self._group) > 1 else 0, :width]
        alone.log_std = torch.nn.Parameter(own.detach()[None].clone())
        alone._group = torch.zeros(1, dtype=torch.int64)
        for name in ("used", "low", "high"):
            setattr(alone, name, getattr(self, name)[agent : agent + 1, :width].clone())
        return alone

    def _log_std(self) -> torch.Tensor:
        """Return log deviations [N, P], or [1, P] where all agents share them."""
        return self.log_std[self._group]

    def _where(self) -> torch.Tensor | None:
        return None if bool(self.used.all()) else self.used

    def _distribution(self, mean: torch.Tensor) -> Gaussian:
        log_std = self._log_std().expand_as(mean)
        return Gaussian(mean, log_std, self._where()) if self._where() is not None else gaussian_head(mean, log_std)


class MultiDiscretePolicy(_PartsPolicy):
    """Independent softmax policies for the P parts of an action; log-probabilities and entropies are sums over parts.

    Args:
        spaces: What the controlled agents see and do.
        settings: Sizes and sharing.
        generator: Source of the weights.
    """

    legal: torch.Tensor
    used: torch.Tensor

    def __init__(self, spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> None:
        parts = spaces.parts
        if parts is None or parts.continuous:
            raise Unsupported("multi-discrete policies need actions of several discrete parts")
        self.width, self.options = parts.width, parts.options
        super().__init__(spaces, settings, generator, parts.width * parts.options)
        self.register_buffer("legal", torch.from_numpy(parts.legal), persistent=False)
        self.register_buffer("used", torch.from_numpy(parts.used), persistent=False)

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Sample (or, if greedy, choose the likeliest) actions int64 [B, N, P]."""
        found, after, extras = self._acting(obs, context)
        logits = found.view(len(obs), self.agents * self.width, self.options)
        allowed = self.legal.view(1, -1, self.options).expand(len(obs), -1, -1).contiguous()
        actions, log_prob = sample(logits, allowed, generator, greedy=greedy)
        shape = (len(obs), self.agents, self.width)
        return Action(actions.view(shape), log_prob.view(shape).sum(dim=-1), after, extras)

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return log-probabilities and entropies [M, N]; ``log_probs`` are those of all options [M, N, P A]."""
        logits = self._evaluating(batch).unflatten(-1, (self.width, self.options))
        found = discrete_head(logits, self.legal.expand_as(logits))
        log_prob, entropy = found.log_prob(batch.actions).sum(dim=-1), found.entropy().sum(dim=-1)
        return Evaluation(log_prob, entropy, log_probs=found.log_probs.flatten(-2))

    def single(self, agent: int) -> MultiDiscretePolicy:
        """Return the policy of one agent alone: the same function of its observation, own weights."""
        alone = copy.deepcopy(self)
        width = int(self.used[agent].sum())
        options = int(self.legal[agent, :width].any(dim=0).sum())
        outputs = torch.arange(self.width * self.options).view(self.width, self.options)[:width, :options]
        alone._narrow(agent, outputs.flatten())
        alone.width, alone.options = width, options
        alone.used, alone.legal = self.used[agent : agent + 1, :width], self.legal[agent : agent + 1, :width, :options]
        return alone
