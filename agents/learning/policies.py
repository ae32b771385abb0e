"""Joint policies of the controlled agents: the protocol and the product of independent softmax policies.

Axes: B worlds, M samples, N controlled agents, D observation entries, A actions.
"""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np

from equilibria.agents.learning.batches import Action, Batch, Context, Evaluation
from equilibria.agents.learning.heads import discrete_head
from equilibria.agents.learning.kernels import draw_actions
from equilibria.agents.learning.networks import GroupLinear, Trunk
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.spaces import Spaces
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import Unsupported
from equilibria.sim.types import BoolArray

HEAD_GAIN = 0.01


class JointPolicy(Protocol):
    """A ``torch.nn.Module`` that owns the policy parameters of the controlled agents."""

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return the context before an episode, each entry [worlds, ...]."""
        ...

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Choose actions for observations [B, N, D] and masks bool [B, N, A]; runs without gradients."""
        ...

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return log-probabilities and entropies of the stored actions, with gradients."""
        ...


def policy_trunk(spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> Trunk:
    """Return the hidden layers of independent policies."""
    groups = spaces.groups(settings.share)
    return Trunk(
        spaces.observation,
        hidden=settings.hidden,
        layers=settings.layers,
        activation=settings.activation,
        norm=spaces.normalises(settings.input_norm, spaces.observation),
        groups=groups,
        ids=spaces.agents if settings.agent_ids and not groups and spaces.agents > 1 else 0,
        recurrent=settings.recurrent,
        generator=generator,
    )


class ProductPolicy(torch.nn.Module):
    """Independent softmax policies: a perceptron or GRU per agent, weights shared by ``settings.share``.

    Args:
        spaces: What the controlled agents see and do.
        settings: Sizes and sharing.
        generator: Source of the weights.

    The noise of world b depends on (generator, b, agent) only, so worlds do not depend on the batch size.
    """

    def __init__(self, spaces: Spaces, settings: PPOSettings, generator: torch.Generator) -> None:
        super().__init__()
        if spaces.parts is not None:
            raise Unsupported("softmax policies need one discrete action per agent; see vector_policies")
        self.agents, self.actions = spaces.agents, spaces.actions
        groups = spaces.groups(settings.share)
        self.trunk = policy_trunk(spaces, settings, generator)
        self.head = GroupLinear(settings.hidden, spaces.actions, gain=HEAD_GAIN, groups=groups, generator=generator)

    def begin(self, worlds: int, generator: torch.Generator) -> Context:
        """Return zeros for the GRU state, nothing without a GRU."""
        hidden = self.trunk.begin(worlds, self.agents)
        return {} if hidden is None else {"hidden": hidden}

    def act(
        self,
        obs: torch.Tensor,
        mask: torch.Tensor | None,
        context: Context,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> Action:
        """Sample (or, if greedy, choose the likeliest) actions [B, N]."""
        before = context.get("hidden")
        logits, after = self.trunk.headed(self.head, obs, before)
        actions, log_prob = sample(logits, mask, generator, greedy=greedy)
        if after is None:
            return Action(actions, log_prob, {})
        assert before is not None
        return Action(actions, log_prob, {"hidden": after}, {"hidden": before})

    def single(self, agent: int) -> ProductPolicy:
        """Return the policy of one agent alone: the same function of its observation, own weights."""
        alone = copy.deepcopy(self)
        with torch.no_grad():
            alone.trunk.narrow(agent)
            alone.head.narrow(agent)
        alone.agents = 1
        return alone

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the logits [M, N, A] of a batch, masks not applied."""
        hidden = batch.extras["hidden"][: batch.chunks] if self.trunk.recurrent else None
        return self.trunk.headed(self.head, batch.obs, hidden, batch.begun)[0]

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return log-probabilities and entropies [M, N]."""
        dist = discrete_head(self.logits(batch), batch.mask)
        return Evaluation(dist.log_prob(batch.actions), dist.entropy(), log_probs=dist.log_probs)


def sample(
    logits: torch.Tensor, mask: torch.Tensor | None, generator: torch.Generator, *, greedy: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw actions int64 [B, N] of logits [B, N, A] and return them with their log-probabilities float32 [B, N].

    World b's numbers depend on (generator, b, agent) only.  Cost: one exponential per action, compiled.
    """
    key = int(torch.randint(0, 2**62, (1,), generator=generator))
    shape = tuple(logits.shape[:2])
    actions, log_prob = np.empty(shape, np.int64), np.empty(shape, np.float32)
    allowed = _EVERYTHING if mask is None else mask.numpy()
    draw_actions(np.uint64(key), logits.detach().contiguous().numpy(), allowed, greedy, actions, log_prob)
    return torch.from_numpy(actions), torch.from_numpy(log_prob)


_EVERYTHING: BoolArray = np.ones((0, 0, 0), np.bool_)
