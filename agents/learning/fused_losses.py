"""The losses of ``losses`` for softmax policies and plain critics, with compiled derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.learning import loss_kernels
from equilibria.agents.learning.losses import PolicyLoss
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import NumericalError
from equilibria.sim.types import AnyArray

_NO_ROWS = np.ones(0, np.bool_)
_NO_MASK = np.ones((0, 0), np.bool_)


class _Given(torch.autograd.Function):
    """A number whose gradient is already known."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, value: float, gradient: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gradient)
        return torch.tensor(value, dtype=x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None


def softmax_policy_loss(
    logits: torch.Tensor,
    mask: torch.Tensor | None,
    actions: torch.Tensor,
    old_log_prob: torch.Tensor,
    advantage: torch.Tensor,
    *,
    active: torch.Tensor | None = None,
    clip: float = 0.2,
    entropy_weight: float = 0.01,
) -> PolicyLoss:
    """Return ``losses.policy_loss`` of softmax policies with logits [..., A].

    Raises:
        NumericalError: If the loss is not finite.
    """
    choices = logits.shape[-1]
    gradient = torch.empty(logits.shape, dtype=logits.dtype)
    sums = np.zeros(6)
    loss_kernels.clipped_policy(
        logits.detach().reshape(-1, choices).numpy(),
        _NO_MASK if mask is None else mask.reshape(-1, choices).numpy(),
        actions.reshape(-1).numpy(),
        old_log_prob.reshape(-1).numpy(),
        advantage.reshape(-1).numpy(),
        _rows(active),
        clip,
        entropy_weight,
        gradient.view(-1, choices).numpy(),
        sums,
    )
    count = max(sums[0], 1.0)
    entropy = sums[2] / count
    value = -sums[1] / count - entropy_weight * entropy
    if not np.isfinite(value):
        raise NumericalError("policy loss", float(value))
    loss: torch.Tensor = _Given.apply(logits, float(value), gradient)
    return PolicyLoss(
        loss=loss,
        entropy=float(entropy),
        approx_kl=float(sums[3] / count),
        clip_fraction=float(sums[4] / count),
        max_log_ratio=float(sums[5]),
    )


def fused_value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    targets: torch.Tensor,
    *,
    active: torch.Tensor | None = None,
    clip: float = 0.2,
    huber: float = 10.0,
) -> torch.Tensor:
    """Return ``losses.value_loss``.

    Raises:
        NumericalError: If the loss is not finite.
    """
    gradient = torch.empty(values.shape, dtype=values.dtype)
    value = loss_kernels.clipped_value(
        values.detach().reshape(-1).numpy(), old_values.reshape(-1).numpy(), targets.reshape(-1).numpy(),
        _rows(active), clip, huber, gradient.view(-1).numpy(),
    )  # fmt: skip
    if not np.isfinite(value):
        raise NumericalError("value loss", float(value))
    loss: torch.Tensor = _Given.apply(values, float(value), gradient)
    return loss


def _rows(active: torch.Tensor | None) -> AnyArray:
    return _NO_ROWS if active is None else active.reshape(-1).numpy()
