"""Mutual information between latents and actions, and draws of latents.

Axes: M joint samples, N agents, H latents, K latents behind an estimate.
"""

from __future__ import annotations

import math

from equilibria.agents.learning.torch_import import torch


def information(log_probs: torch.Tensor) -> torch.Tensor:
    """Return log(K p_1) - log sum_k p_k, the contrastive estimate per sample, at most log K.

    The first latent is the one that acted and is one of the K: without it the estimate has no bound.

    Args:
        log_probs: [..., K] log-probability of the action taken under each latent, the acting one first.
    """
    k = log_probs.shape[-1]
    return math.log(k) + log_probs[..., 0] - torch.logsumexp(log_probs, dim=-1)


def draw(log_p: torch.Tensor, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Return latents int64 of a shape, drawn independently from log-probabilities [H]."""
    noise = torch.empty((*shape, log_p.shape[-1])).exponential_(generator=generator)
    return (log_p - noise.log()).argmax(dim=-1)


def straight_through(logits: torch.Tensor, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Return one-hot latents [*shape, H] whose gradient is that of the Gumbel-softmax at temperature 1."""
    noise = -torch.empty((*shape, logits.shape[-1])).exponential_(generator=generator).log()
    soft = torch.softmax(torch.log_softmax(logits, dim=-1) + noise, dim=-1)
    hard = torch.nn.functional.one_hot(soft.argmax(dim=-1), logits.shape[-1]).to(soft.dtype)
    return hard + soft - soft.detach()


def one_hot(z: torch.Tensor, latents: int) -> torch.Tensor:
    """Return latents int64 [...] as float32 [..., H]."""
    return torch.nn.functional.one_hot(z, latents).to(torch.float32)
