"""What policies and critics see in an update.

Axes: M samples, N controlled agents, D observation entries, A actions, K values (N, or 1 for a team value).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from equilibria.agents.learning.torch_import import torch

Context = dict[str, torch.Tensor]
"""Recurrent or latent state by name, each [B, ...]."""


@dataclass(slots=True)
class Batch:
    """One minibatch.

    Attributes:
        obs: float32 [M, N, D] observations of the controlled agents; zeros for absent ones.
        share: float32 [M, S] input of a central critic.
        mask: bool [M, N, A] available actions, ``None`` when all are.
        actions: int64 [M, N]; [M, N, P] for actions of P parts, float32 for continuous ones.
        log_prob: [M, N] of the actions when acting.
        advantages: [M, N] normalised.
        targets: [M, K] returns, not normalised.
        old_values: [M, K] predictions when acting, denormalised.
        active: bool [M, N], ``None`` when every agent is always present.
        begun: bool [M] whether an episode began with this step.
        extras: What the policy's ``act`` stored, each [M, ...].
        critic_hidden: [M, ...] state of a recurrent critic before the step, ``None`` without.
        index: int64 [M] position t * B + b in the buffer.
        length: Steps L of a chunk; M = L * C rows are time-major.  1 for feed-forward networks.
        old_log_probs: [M, N, A] of the acting policy; mirror descent only.
    """

    obs: torch.Tensor
    share: torch.Tensor
    mask: torch.Tensor | None
    actions: torch.Tensor
    log_prob: torch.Tensor
    advantages: torch.Tensor
    targets: torch.Tensor
    old_values: torch.Tensor
    active: torch.Tensor | None
    begun: torch.Tensor
    index: torch.Tensor
    length: int = 1
    extras: Mapping[str, torch.Tensor] = field(default_factory=dict)
    critic_hidden: torch.Tensor | None = None
    old_log_probs: torch.Tensor | None = None

    @property
    def chunks(self) -> int:
        """Number C of chunks; equals M for feed-forward networks."""
        return len(self.obs) // self.length


@dataclass(frozen=True, slots=True)
class Action:
    """What a policy does in one step.

    Attributes:
        actions: int64 [B, N]; [B, N, P] for actions of P parts, float32 for continuous ones.
        log_prob: float32 [B, N].
        context: State for the next step.
        extras: Stored with the step and handed to ``evaluate``; equal names and shapes at every step.
    """

    actions: torch.Tensor
    log_prob: torch.Tensor
    context: Context
    extras: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy says about stored actions.

    Attributes:
        log_prob: [M, N].
        entropy: [M, N] in nats.
        extra_loss: Scalar to add to the loss, ``None`` for nothing.
        log_probs: [M, N, A] of all actions, or what the policy's ``divergence`` compares; mirror descent needs them.
    """

    log_prob: torch.Tensor
    entropy: torch.Tensor
    extra_loss: torch.Tensor | None = None
    log_probs: torch.Tensor | None = None
