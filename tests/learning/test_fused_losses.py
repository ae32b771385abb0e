"""Compiled losses against their definitions on tensors."""

from __future__ import annotations

import math

import pytest
import torch

from equilibria.agents.learning.fused_losses import fused_value_loss, softmax_policy_loss
from equilibria.agents.learning.heads import discrete_head
from equilibria.agents.learning.losses import policy_loss, value_loss
from equilibria.sim.errors import NumericalError


def gen(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("partly", [False, True])
def test_the_policy_loss_and_its_gradient_are_those_of_the_definition(masked: bool, partly: bool) -> None:
    logits = torch.randn(50, 3, 5, generator=gen(1)) * 2
    mask = torch.rand(50, 3, 5, generator=gen(2)) < 0.6
    mask[..., 2] = True
    mask = mask if masked else torch.ones_like(mask)
    actions = discrete_head(logits.flatten(0, 1), mask.flatten(0, 1)).sample(gen(3)).view(50, 3)
    active = torch.rand(50, 3, generator=gen(4)) < 0.7 if partly else None
    advantage = torch.randn(50, 3, generator=gen(5))
    mine, other = (logits.clone().requires_grad_() for _ in range(2))
    dist = discrete_head(other, mask)
    old = (dist.log_prob(actions) + 0.3 * torch.randn(50, 3, generator=gen(6))).detach()
    want = policy_loss(dist.log_prob(actions), old, advantage, dist.entropy(), active=active, entropy_weight=0.05)
    got = softmax_policy_loss(
        mine, mask if masked else None, actions, old, advantage, active=active, entropy_weight=0.05
    )
    want.loss.backward()
    got.loss.backward()
    assert mine.grad is not None
    assert other.grad is not None
    assert torch.allclose(mine.grad, other.grad, atol=1e-7)
    assert torch.allclose(got.loss, want.loss, atol=1e-6)
    for name in ("entropy", "approx_kl", "clip_fraction", "max_log_ratio"):
        assert getattr(got, name) == pytest.approx(getattr(want, name), abs=2e-6)
    if masked:
        assert not mine.grad[~mask].any()


@pytest.mark.parametrize("clip", [0.2, math.inf])
@pytest.mark.parametrize("partly", [False, True])
def test_the_value_loss_and_its_gradient_are_those_of_the_definition(clip: float, partly: bool) -> None:
    values, old, targets = (torch.randn(40, 3, generator=gen(i)) * scale for i, scale in enumerate((1, 1, 8)))
    active = torch.rand(40, 3, generator=gen(4)) < 0.7 if partly else None
    mine, other = (values.clone().requires_grad_() for _ in range(2))
    want = value_loss(other, old, targets, active=active, clip=clip, huber=3.0)
    got = fused_value_loss(mine, old, targets, active=active, clip=clip, huber=3.0)
    want.backward()
    got.backward()
    assert torch.allclose(got, want)
    assert mine.grad is not None
    assert other.grad is not None
    assert torch.allclose(mine.grad, other.grad, atol=1e-6)


def test_losses_that_are_not_finite_have_names() -> None:
    bad = torch.full((4, 1), float("nan"))
    good = torch.zeros(4, 1)
    for arguments in ((bad, good, good), (good, bad, good), (good, good, bad)):
        with pytest.raises(NumericalError, match="value loss"):
            fused_value_loss(*arguments)
    with pytest.raises(NumericalError, match="policy loss"):
        softmax_policy_loss(torch.full((4, 1, 3), float("nan")), None, torch.zeros(4, 1).long(), good, good)
    with pytest.raises(NumericalError, match="policy loss"):
        softmax_policy_loss(torch.zeros(4, 1, 3), None, torch.zeros(4, 1).long(), good, bad)
