"""Losses of PPO, IPPO, MAPPO and on-policy MDPO; all means run over active entries only.

Source: Schulman et al. (2017), arXiv 1707.06347; Yu et al. (2022), arXiv 2103.01955; Tomar et al. (2022),
Mirror Descent Policy Optimization, arXiv 2005.09814.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import InvalidValue, NumericalError


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """A policy loss with what one should look at.

    Attributes:
        loss: Scalar to minimise.
        entropy: Mean entropy in nats.
        approx_kl: Mean of ratio - 1 - log ratio, an estimate of KL(old || new) in nats, >= 0.
        clip_fraction: Share of entries whose ratio lies outside 1 +- clip.
        max_log_ratio: Largest |log ratio|; 0 before the first step of an update.
    """

    loss: torch.Tensor
    entropy: float
    approx_kl: float
    clip_fraction: float
    max_log_ratio: float


def masked_mean(values: torch.Tensor, active: torch.Tensor | None = None) -> torch.Tensor:
    """Return the mean over active entries, 0 without any; inactive entries may hold anything, nan included."""
    if active is None:
        return values.mean()
    if active.shape != values.shape:
        raise InvalidValue(f"active must have shape {tuple(values.shape)}, got {tuple(active.shape)}")
    here = active.to(torch.bool)
    return torch.where(here, values, 0.0).sum() / here.sum().clamp(min=1)


def policy_loss(
    log_prob: torch.Tensor,
    old_log_prob: torch.Tensor,
    advantage: torch.Tensor,
    entropy: torch.Tensor,
    *,
    active: torch.Tensor | None = None,
    clip: float = 0.2,
    entropy_weight: float = 0.01,
) -> PolicyLoss:
    """Return -mean min(ratio A, clip(ratio, 1 - clip, 1 + clip) A) - entropy_weight * mean entropy.

    Args:
        log_prob: [...] of the stored actions under the present policy.
        old_log_prob: [...] stored when acting.
        advantage: [...] normalised advantages.
        entropy: [...] entropies of the present policy.
        active: bool [...], ``None`` for all.
        clip: Half width of the trusted ratios, > 0.
        entropy_weight: Weight of the entropy bonus, >= 0.

    Raises:
        InvalidValue: If shapes or weights do not fit.
        NumericalError: If the loss is not finite.
    """
    if clip <= 0 or entropy_weight < 0:
        raise InvalidValue(f"clip must be > 0 and entropy_weight >= 0, got {clip!r} and {entropy_weight!r}")
    log_ratio, gain = _inputs(log_prob, old_log_prob, advantage, active)
    ratio = log_ratio.exp()
    surrogate = torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)
    spread = masked_mean(entropy, active)
    loss = -masked_mean(surrogate, active) - entropy_weight * spread
    return _reported(loss, log_ratio.detach(), spread, active, clip)


def decoupled_loss(
    log_prob: torch.Tensor,
    reference_log_prob: torch.Tensor,
    old_log_prob: torch.Tensor,
    advantage: torch.Tensor,
    *,
    active: torch.Tensor | None = None,
    clip: float = 0.2,
) -> torch.Tensor:
    """Return -mean of (reference / old) min(r A, clip(r, 1 - clip, 1 + clip) A), r = present / reference.

    Ratios to the acting policy are capped at 100.  With the acting policy as reference it is PPO's objective.

    Args:
        log_prob: [...] of the stored actions under the present policy.
        reference_log_prob: [...] under the reference policy.
        old_log_prob: [...] stored when acting.
        advantage: [...] normalised advantages.
        active: bool [...], ``None`` for all.
        clip: Half width of the trusted ratios to the reference, > 0.

    Source: Hilton, Cobbe, Schulman (2022), Batch size-invariance for policy optimization, arXiv 2110.00641.
    """
    if clip <= 0:
        raise InvalidValue(f"clip must be > 0, got {clip!r}")
    gap, gain = _inputs(log_prob, old_log_prob, advantage, active)
    shift, _ = _inputs(reference_log_prob, old_log_prob, advantage, active)
    ratio = gap.clamp(max=math.log(100.0)).exp()
    weight = shift.exp()
    near = torch.minimum(torch.maximum(ratio, weight * (1 - clip)), weight * (1 + clip))
    return _finite(-masked_mean(torch.minimum(ratio * gain, near * gain), active), "decoupled policy loss")


def mdpo_loss(
    log_prob: torch.Tensor,
    old_log_prob: torch.Tensor,
    advantage: torch.Tensor,
    kl: torch.Tensor,
    *,
    step_size: float,
    active: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return -mean(ratio A) + mean KL(new || old) / step_size, the on-policy MDPO objective.

    Args:
        log_prob: [...] of the stored actions under the present policy.
        old_log_prob: [...] stored when acting.
        advantage: [...] advantages.
        kl: [...] KL of the present from the old policy, in closed form (``Discrete.kl``, ``Gaussian.kl``).
        step_size: t_k > 0; values below 0.01 count as 0.01, so that a schedule that decays to 0 stays finite.
        active: bool [...], ``None`` for all.
    """
    if not step_size > 0:
        raise InvalidValue(f"step_size must be > 0, got {step_size!r}")
    log_ratio, gain = _inputs(log_prob, old_log_prob, advantage, active)
    loss = masked_mean(kl, active) / max(step_size, 0.01) - masked_mean(log_ratio.exp() * gain, active)
    return _finite(loss, "MDPO loss")


def value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    targets: torch.Tensor,
    *,
    active: torch.Tensor | None = None,
    clip: float = 0.2,
    huber: float = 10.0,
) -> torch.Tensor:
    """Return mean max(h(target - v), h(target - v_clipped)), h the Huber loss.

    All three are in the present normalisation: re-express stored predictions by
    ``norm.normalise(denormalised)`` after each update of the statistics.

    Args:
        values: [...] predictions of the critic.
        old_values: [...] predictions when acting; v_clipped stays within ``clip`` of them.
        targets: [...] returns.
        active: bool [...], ``None`` for all.
        clip: Half width, > 0; infinity switches clipping off.
        huber: Error at which the loss turns from quadratic to linear, > 0.
    """
    if clip <= 0 or huber <= 0:
        raise InvalidValue(f"clip and huber must be > 0, got {clip!r} and {huber!r}")
    _same_shape(values, old_values=old_values, targets=targets)
    if active is not None:
        _same_shape(values, active=active)
        here = active.to(torch.bool)
        values, old_values, targets = (torch.where(here, x, 0.0) for x in (values, old_values, targets))
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    worst = torch.maximum(_huber(targets - values, huber), _huber(targets - clipped, huber))
    return _finite(masked_mean(worst, active), "value loss")


def _huber(error: torch.Tensor, delta: float) -> torch.Tensor:
    size = error.abs()
    return torch.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))


def _inputs(
    log_prob: torch.Tensor, old: torch.Tensor, advantage: torch.Tensor, active: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log ratios and advantages with inactive entries set to 0, so that nothing of them gets a gradient."""
    _same_shape(log_prob, old_log_prob=old, advantage=advantage)
    if active is None:
        return log_prob - old, advantage
    _same_shape(log_prob, active=active)
    here = active.to(torch.bool)
    zero = torch.zeros((), dtype=log_prob.dtype)
    return torch.where(here, log_prob, zero) - torch.where(here, old, zero), torch.where(here, advantage, zero)


def _reported(
    loss: torch.Tensor, log_ratio: torch.Tensor, entropy: torch.Tensor, active: torch.Tensor | None, clip: float
) -> PolicyLoss:
    ratio = log_ratio.exp()
    outside = ((ratio - 1).abs() > clip).to(ratio.dtype)
    return PolicyLoss(
        loss=_finite(loss, "policy loss"),
        entropy=float(entropy.detach()),
        approx_kl=float(masked_mean(ratio - 1 - log_ratio, active)),
        clip_fraction=float(masked_mean(outside, active)),
        max_log_ratio=float(log_ratio.abs().max()),
    )


def _same_shape(first: torch.Tensor, **others: torch.Tensor) -> None:
    for name, other in others.items():
        if other.shape != first.shape:
            raise InvalidValue(f"{name} must have shape {tuple(first.shape)}, got {tuple(other.shape)}")


def _finite(loss: torch.Tensor, name: str) -> torch.Tensor:
    if not bool(torch.isfinite(loss)):
        raise NumericalError(name, float(loss.detach()))
    return loss
