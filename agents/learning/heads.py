"""Action distributions of policies: masked discrete and diagonal Gaussian.

Axes: B samples, A actions, D action dimensions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import InvalidValue

MASKED = -1e10
"""Logit of an unavailable action: probability exactly 0, and 0 times its logarithm is 0 (with -inf it is nan)."""

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Discrete:
    """A categorical distribution over available actions.

    Attributes:
        log_probs: [B, A] normalised log-probabilities; unavailable actions have about -1e10.
    """

    log_probs: torch.Tensor

    def log_prob(self, actions: torch.Tensor) -> torch.Tensor:
        """Return log-probabilities [B] of actions int64 [B]."""
        return self.log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> torch.Tensor:
        """Return entropies [B] in nats."""
        return -(self.log_probs.exp() * self.log_probs).sum(dim=-1)

    def kl(self, other: Discrete) -> torch.Tensor:
        """Return KL(self || other) [B] in nats."""
        return (self.log_probs.exp() * (self.log_probs - other.log_probs)).sum(dim=-1)

    def mode(self) -> torch.Tensor:
        """Return the most likely actions int64 [B]; the first one of equals."""
        return self.log_probs.argmax(dim=-1)

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """Draw actions int64 [B] as arg max of log-probability - log Exp(1)."""
        noise = torch.empty_like(self.log_probs).exponential_(generator=generator)
        return (self.log_probs - noise.log()).argmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Independent normal distributions; actions are clipped only when they are sent to a world.

    Attributes:
        mean: [B, D].
        log_std: [D] or [B, D].
        used: bool [D] or [B, D] dimensions that exist, ``None`` for all.
    """

    mean: torch.Tensor
    log_std: torch.Tensor
    used: torch.Tensor | None = None

    def log_prob(self, actions: torch.Tensor) -> torch.Tensor:
        """Return log-densities [B] of actions [B, D]."""
        scaled = (actions - self.mean) * torch.exp(-self.log_std)
        return self._sum(-(0.5 * scaled**2 + self.log_std + _HALF_LOG_TAU))

    def entropy(self) -> torch.Tensor:
        """Return differential entropies [B] in nats."""
        return self._sum((self.log_std + 0.5 + _HALF_LOG_TAU).expand_as(self.mean))

    def kl(self, other: Gaussian) -> torch.Tensor:
        """Return KL(self || other) [B] in nats."""
        gap = (self.mean - other.mean) * torch.exp(-other.log_std)
        ratio = torch.exp(2 * (self.log_std - other.log_std))
        return self._sum((0.5 * (ratio + gap**2 - 1) + other.log_std - self.log_std).expand_as(self.mean))

    def mode(self) -> torch.Tensor:
        """Return the means [B, D]."""
        return self.mean

    def sample(self, generator: torch.Generator) -> torch.Tensor:
        """Draw actions [B, D]."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + torch.exp(self.log_std) * noise

    def _sum(self, terms: torch.Tensor) -> torch.Tensor:
        return (terms if self.used is None else torch.where(self.used, terms, 0.0)).sum(dim=-1)


def discrete_head(logits: torch.Tensor, available: torch.Tensor | None = None) -> Discrete:
    """Return the distribution of logits [B, A] over the available actions.

    Args:
        logits: [B, A].
        available: bool [B, A], ``None`` when all are; store the mask at acting time and pass it in the update.

    Raises:
        InvalidValue: If shapes differ or a sample has no available action.
    """
    if available is None:
        return Discrete(torch.log_softmax(logits, dim=-1))
    if available.shape != logits.shape:
        raise InvalidValue(f"available must have shape {tuple(logits.shape)}, got {tuple(available.shape)}")
    allowed = available.to(torch.bool)
    empty = ~allowed.any(dim=-1)
    if bool(empty.any()):
        place = [int(i) for i in empty.nonzero()[0]]
        raise InvalidValue(f"sample {place} has no available action; every acting agent needs one")
    return Discrete(torch.log_softmax(torch.where(allowed, logits, MASKED), dim=-1))


def gaussian_head(mean: torch.Tensor, log_std: torch.Tensor) -> Gaussian:
    """Return independent normals with means [B, D] and log standard deviations [D] or [B, D]."""
    if log_std.shape not in (mean.shape, mean.shape[-1:]):
        raise InvalidValue(
            f"log_std must have shape {tuple(mean.shape[-1:])} or {tuple(mean.shape)}, got {tuple(log_std.shape)}"
        )
    return Gaussian(mean, log_std)
