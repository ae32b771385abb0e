"""Action heads and losses: masks, known answers of the clipped objective, gradients, bad input."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from equilibria.agents.learning.heads import discrete_head, gaussian_head
from equilibria.agents.learning.losses import masked_mean, mdpo_loss, policy_loss, value_loss
from equilibria.sim.errors import InvalidValue, NumericalError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_unavailable_action_is_never_drawn() -> None:
    logits = torch.tensor([50.0, 0.0, 0.0]).expand(1_000_000, 3)
    mask = torch.tensor([False, True, True]).expand(1_000_000, 3)
    drawn = discrete_head(logits, mask).sample(generator())
    counts = torch.bincount(drawn, minlength=3)
    assert counts[0] == 0
    assert counts[1] / 1e6 == pytest.approx(0.5, abs=2e-3)


def test_draws_follow_the_probabilities() -> None:
    logits = torch.log(torch.tensor([0.1, 0.2, 0.7])).expand(500_000, 3)
    drawn = discrete_head(logits).sample(generator(3))
    shares = torch.bincount(drawn, minlength=3) / 500_000
    assert torch.allclose(shares, torch.tensor([0.1, 0.2, 0.7]), atol=3e-3)


@pytest.mark.parametrize("available", [1, 2, 5])
def test_entropy_of_k_equal_actions_is_ln_k(available: int) -> None:
    mask = torch.arange(7)[None] < available
    head = discrete_head(torch.full((1, 7), 3.0), mask)
    assert float(head.entropy()) == pytest.approx(math.log(available), abs=1e-6)
    assert head.log_probs.exp()[0, available:].tolist() == [0.0] * (7 - available)


def test_masked_logits_get_no_gradient() -> None:
    logits = torch.randn(4, 5, generator=generator(), requires_grad=True)
    mask = torch.rand(4, 5, generator=generator(1)) < 0.6
    mask[:, 0] = True
    head = discrete_head(logits, mask)
    (head.log_prob(torch.zeros(4, dtype=torch.int64)).sum() + head.entropy().sum()).backward()
    assert logits.grad is not None
    assert (logits.grad[~mask] == 0).all()
    assert (logits.grad[mask] != 0).any()


def test_heads_equal_the_distributions_of_torch() -> None:
    logits, mean = torch.randn(6, 4, generator=generator()), torch.randn(6, 2, generator=generator(1))
    actions, points = torch.tensor([0, 1, 2, 3, 0, 1]), torch.randn(6, 2, generator=generator(2))
    other, log_std = torch.randn(6, 4, generator=generator(3)), torch.tensor([0.3, -1.0])
    theirs = torch.distributions.Categorical(logits=logits)
    ours = discrete_head(logits)
    assert torch.allclose(ours.log_prob(actions), theirs.log_prob(actions), atol=1e-6)
    assert torch.allclose(ours.entropy(), theirs.entropy(), atol=1e-6)
    kl = torch.distributions.kl_divergence(theirs, torch.distributions.Categorical(logits=other))
    assert torch.allclose(ours.kl(discrete_head(other)), kl, atol=1e-6)
    assert torch.equal(ours.mode(), logits.argmax(dim=1))
    normal = torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp()), 1)
    gauss = gaussian_head(mean, log_std)
    assert torch.allclose(gauss.log_prob(points), normal.log_prob(points), atol=1e-5)
    assert torch.allclose(gauss.entropy(), normal.entropy(), atol=1e-6)
    wide = torch.distributions.Independent(torch.distributions.Normal(points, torch.ones(2)), 1)
    expected = torch.distributions.kl_divergence(normal, wide)
    assert torch.allclose(gauss.kl(gaussian_head(points, torch.zeros(2))), expected, atol=1e-5)
    assert torch.equal(gauss.mode(), mean)


def test_gaussian_draws_have_the_mean_and_deviation() -> None:
    drawn = gaussian_head(torch.tensor([[1.0, -2.0]]).expand(200_000, 2), torch.tensor([0.0, -1.0])).sample(generator())
    assert torch.allclose(drawn.mean(dim=0), torch.tensor([1.0, -2.0]), atol=1e-2)
    assert torch.allclose(drawn.std(dim=0), torch.tensor([1.0, math.exp(-1)]), atol=1e-2)


def test_equal_seeds_draw_equal_actions() -> None:
    head = discrete_head(torch.zeros(100, 4))
    assert torch.equal(head.sample(generator(5)), head.sample(generator(5)))
    assert not torch.equal(head.sample(generator(5)), head.sample(generator(6)))


@pytest.mark.parametrize(
    ("advantage", "ratio", "contribution", "moves"),
    [(1.0, 1.5, 1.2, False), (-1.0, 1.5, -1.5, True), (-1.0, 0.5, -0.8, False), (1.0, 0.5, 0.5, True), (2.0, 1.1, 2.2, True)],
)  # fmt: skip
def test_clipped_objective_has_its_known_values_and_gradients(
    advantage: float, ratio: float, contribution: float, moves: bool
) -> None:
    new = torch.tensor([math.log(ratio)], requires_grad=True)
    found = policy_loss(new, torch.zeros(1), torch.tensor([advantage]), torch.zeros(1), entropy_weight=0.0)
    found.loss.backward()
    assert float(found.loss.detach()) == pytest.approx(-contribution, abs=1e-6)
    assert new.grad is not None
    assert (float(new.grad) != 0) == moves
    assert found.clip_fraction == (1.0 if abs(ratio - 1) > 0.2 else 0.0)
    assert found.approx_kl == pytest.approx(ratio - 1 - math.log(ratio), abs=1e-6)
    assert found.max_log_ratio == pytest.approx(abs(math.log(ratio)), abs=1e-6)


def test_before_the_first_step_the_gradient_is_the_plain_policy_gradient() -> None:
    logits = torch.randn(32, 5, generator=generator(), requires_grad=True)
    head = discrete_head(logits)
    actions, gain = head.sample(generator(1)), torch.randn(32, generator=generator(2))
    log_prob = head.log_prob(actions)
    found = policy_loss(log_prob, log_prob.detach(), gain, head.entropy(), entropy_weight=0.0)
    mirror = mdpo_loss(log_prob, log_prob.detach(), gain, head.kl(discrete_head(logits.detach())), step_size=1.0)
    plain = -(gain * log_prob).mean()
    slopes = [torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (found.loss, mirror, plain)]
    assert found.max_log_ratio == 0.0
    assert torch.allclose(slopes[0], slopes[2], atol=1e-7)
    assert torch.allclose(slopes[1], slopes[2], atol=1e-7)


def test_entropy_bonus_lowers_the_loss_by_its_weight() -> None:
    zeros = torch.zeros(3)
    found = policy_loss(zeros, zeros, zeros, torch.tensor([1.0, 2.0, 3.0]), entropy_weight=0.01)
    assert float(found.loss) == pytest.approx(-0.02, abs=1e-8)
    assert found.entropy == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "old", "target", "loss"),
    [
        (1.0, 1.0, 3.0, 2.0),  # quadratic
        (2.0, 1.0, 3.0, 0.5 * 1.8**2),  # the clipped prediction 1.2 is worse and counts
        (0.0, 1.0, 3.0, 4.5),  # moving away counts in full
        (0.0, 0.0, 25.0, 10 * (25 - 5)),  # linear beyond 10
    ],
)
def test_value_loss_has_its_known_values(value: float, old: float, target: float, loss: float) -> None:
    found = value_loss(torch.tensor([value]), torch.tensor([old]), torch.tensor([target]))
    assert float(found) == pytest.approx(loss, abs=1e-5)


def test_value_loss_stops_pulling_where_the_clip_holds() -> None:
    value = torch.tensor([1.5], requires_grad=True)
    value_loss(value, torch.tensor([1.0]), torch.tensor([3.0])).backward()
    assert value.grad is not None
    assert float(value.grad) == 0.0


@pytest.mark.parametrize("filler", [1e6, math.nan])
def test_absent_agents_change_neither_losses_nor_gradients(filler: float) -> None:
    rng = generator()
    here = torch.rand(16, generator=rng) < 0.5
    new, old, gain = (torch.randn(16, generator=rng) * 0.1 for _ in range(3))

    def losses(fill: float) -> tuple[list[float], torch.Tensor]:
        x = new.clone().requires_grad_()
        y = torch.where(here, x, fill)
        other = torch.where(here, old, fill)
        a = policy_loss(y, other, torch.where(here, gain, fill), torch.where(here, gain, fill), active=here)
        b = value_loss(y, other, torch.where(here, gain, fill), active=here)
        c = mdpo_loss(y, other, torch.where(here, gain, fill), y**2, step_size=0.5, active=here)
        total = a.loss + b + c
        total.backward()
        assert x.grad is not None
        return [float(v.detach()) for v in (a.loss, b, c)] + [a.approx_kl, a.clip_fraction, a.max_log_ratio], x.grad

    (clean, slope), (dirty, dirty_slope) = losses(0.0), losses(filler)
    assert clean == dirty
    assert torch.equal(slope[here], dirty_slope[here])
    assert (dirty_slope[~here] == 0).all()


def test_mean_over_nobody_is_0() -> None:
    assert float(masked_mean(torch.ones(3), torch.zeros(3, dtype=torch.bool))) == 0.0


def test_mirror_descent_with_many_steps_reaches_its_closed_form() -> None:
    """The exact update of one state is pi_new proportional to pi_old exp(t A)."""
    step_size, gain = 0.7, torch.tensor([1.0, -0.5, 0.3, 0.0])
    old = torch.log_softmax(torch.tensor([0.2, 0.5, -1.0, 0.0]), dim=0)
    gain = gain - (old.exp() * gain).sum()
    theta = old.clone().requires_grad_()
    optimiser = torch.optim.Adam([theta], lr=0.05)
    for _ in range(200):
        head = discrete_head(theta[None])
        # all actions, weighted by the old policy: the exact objective instead of samples
        exact = mdpo_loss(
            head.log_probs[0],
            old,
            4 * old.exp() * gain,
            head.kl(discrete_head(old[None])).expand(4),
            step_size=step_size,
        )
        optimiser.zero_grad()
        exact.backward()
        optimiser.step()
    wanted = discrete_head((old + step_size * gain)[None])
    assert float(discrete_head(theta.detach()[None]).kl(wanted)) < 1e-4


ZEROS = torch.zeros(2)
BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: discrete_head(torch.zeros(2, 3), torch.ones(2, 2)), InvalidValue, r"available must have shape \(2, 3\)"),
    (
        lambda: discrete_head(torch.zeros(2, 3), torch.tensor([[1, 0, 0], [0, 0, 0]])),
        InvalidValue,
        r"sample \[1\] has no available action",
    ),
    (lambda: gaussian_head(torch.zeros(2, 3), torch.zeros(2)), InvalidValue, "log_std must have shape"),
    (lambda: policy_loss(ZEROS, torch.zeros(3), ZEROS, ZEROS), InvalidValue, "old_log_prob must have shape"),
    (lambda: policy_loss(ZEROS, ZEROS, ZEROS, ZEROS, clip=0), InvalidValue, "clip must be > 0"),
    (lambda: policy_loss(ZEROS, ZEROS, ZEROS, ZEROS, active=torch.ones(3)), InvalidValue, "active must have shape"),
    (lambda: mdpo_loss(ZEROS, ZEROS, ZEROS, ZEROS, step_size=0), InvalidValue, "step_size must be > 0"),
    (lambda: value_loss(ZEROS, ZEROS, ZEROS, huber=0), InvalidValue, "huber"),
    (lambda: policy_loss(ZEROS, ZEROS, ZEROS * math.nan, ZEROS), NumericalError, "policy loss became nan"),
    (lambda: value_loss(ZEROS, ZEROS, ZEROS + math.inf), NumericalError, "value loss became inf"),
    (lambda: mdpo_loss(ZEROS + 1e4, ZEROS, ZEROS + 1, ZEROS, step_size=1), NumericalError, "MDPO loss became -inf"),
]


@pytest.mark.parametrize(("call", "error", "says"), BAD)
def test_bad_input_is_refused_by_name(call: Callable[[], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


def test_without_torch_the_extra_is_named() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from equilibria.agents.learning import ValueNorm, advantages\n"
        "from equilibria.sim.errors import MissingExtra\n"
        "try:\n"
        "    from equilibria.agents.learning import policy_loss\n"
        "except MissingExtra as error:\n"
        "    print(error.extra)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("learn", "")
