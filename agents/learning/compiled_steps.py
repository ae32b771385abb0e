"""Gradient steps of the plain policy and the plain critics, compiled from end to end; see ``perceptron_step``.

Used where policy or critic are softmax perceptrons that all agents share and the loss is PPO's; ``updates`` falls
back to autograd for everything else.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from equilibria.agents.learning import step_kernels
from equilibria.agents.learning.adam import FlatAdam
from equilibria.agents.learning.batches import Action, Context
from equilibria.agents.learning.buffer import Buffer
from equilibria.agents.learning.critics import CentralCritic, OwnCritic
from equilibria.agents.learning.perceptron_step import PerceptronStep, Rows
from equilibria.agents.learning.policies import ProductPolicy, sample
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.sim.errors import NumericalError
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

NO_MASK: BoolArray = np.ones((0, 0, 0), np.bool_)
_NO_ROWS: BoolArray = np.ones((0, 0), np.bool_)


class Step(Protocol):
    """Something that writes gradients to the vector of its optimiser."""

    adam: FlatAdam


class PolicyStep(Protocol):
    """Compiled steps of a policy; a policy class of its own offers them as ``compiled_step(settings)``."""

    @property
    def step(self) -> Step:
        """The optimiser's owner."""
        ...

    def acting(self) -> Any:
        """Return the policy for the next collection."""
        ...

    def begin(self, buffer: Buffer) -> None:
        """Prepare for the steps on these samples."""
        ...

    def __call__(self, index: IntArray, unit: int) -> dict[str, float]:
        """Do a step on samples ``index`` [M]; return its numbers."""
        ...


def policy_step(policy: Any, settings: PPOSettings) -> PolicyStep | None:
    """Return the compiled PPO steps of a policy, ``None`` where there are none."""
    if compiles(policy):
        return CompiledPolicyStep(policy, settings)
    offer = getattr(policy, "compiled_step", None)
    found: PolicyStep | None = None if offer is None else offer(settings)
    return found


def compiles(module: object) -> bool:
    """Say whether a policy or critic is one that the compiled steps know."""
    if isinstance(module, ProductPolicy):
        kind = type(module)
        if kind.evaluate is not ProductPolicy.evaluate or kind.logits is not ProductPolicy.logits:
            return False
    elif type(module) not in (CentralCritic, OwnCritic):
        return False
    assert isinstance(module, ProductPolicy | CentralCritic | OwnCritic)
    trunk = module.trunk
    own = [*trunk.parameters(), *module.head.parameters()]
    plain = all(p.dtype == torch.float32 and p.requires_grad for p in own)
    one_group = module.head.weight.shape[0] == 1 and not trunk.grouped
    averaged = isinstance(module, OwnCritic) and module.team
    return plain and one_group and not trunk.recurrent and not averaged and len(own) == len(list(module.parameters()))


class CompiledActing:
    """A ``ProductPolicy`` for one collection, with its present weights."""

    def __init__(self, policy: ProductPolicy, step: PerceptronStep) -> None:
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
        """Sample (or, if greedy, choose the likeliest) actions [B, N]."""
        logits = self._step.outputs(obs.flatten(0, 1).contiguous().numpy()).unflatten(0, obs.shape[:2])
        return Action(*sample(logits, mask, generator, greedy=greedy), {})


class CompiledPolicyStep:
    """PPO steps of a ``ProductPolicy``."""

    def __init__(self, policy: ProductPolicy, settings: PPOSettings) -> None:
        self._settings, self._policy = settings, policy
        self.step = PerceptronStep(policy, policy.trunk, policy.head, policy.agents, settings.actor_lr)

    def acting(self) -> CompiledActing:
        """Return the policy for the next collection."""
        return CompiledActing(self._policy, self.step)

    def begin(self, buffer: Buffer) -> None:
        """Prepare for the steps on these samples."""
        self._rows = observations(self.step, buffer)
        flat = (-1, buffer.spaces.agents)
        self._mask = NO_MASK if buffer.mask is None else buffer.mask[:-1].flatten(0, 1).numpy()
        self._active = active_rows(buffer)
        self._samples = (
            buffer.actions.view(*flat).numpy(), buffer.log_prob.view(*flat).numpy(), buffer.advantages.view(*flat).numpy(),
        )  # fmt: skip

    def __call__(self, index: IntArray, unit: int) -> dict[str, float]:
        """Do a step on samples ``index`` [M]; return its numbers.

        Raises:
            NumericalError: If loss or gradient are not finite; the weights stay.
        """
        settings, sums = self._settings, np.zeros(5)
        rows = self._active[index].sum() if len(self._active) else len(index) * self._samples[0].shape[1]
        count = max(int(rows), 1)

        def loss(logits: AnyArray, first: int, samples: int) -> None:
            step_kernels.policy_gradient(
                logits, index, first, samples, self._mask, *self._samples, self._active, 1.0 / count,
                settings.clip, settings.entropy_weight, sums,
            )  # fmt: skip

        self.step.gradient(self._rows, index, loss)
        return policy_numbers(self.step, sums, count, settings.entropy_weight, settings, unit)


class CompiledCriticStep:
    """Steps of a ``CentralCritic`` or ``OwnCritic`` on the clipped Huber loss."""

    def __init__(self, critic: CentralCritic | OwnCritic, settings: PPOSettings, norm: ValueNorm) -> None:
        self._settings, self._norm = settings, norm
        self._central = isinstance(critic, CentralCritic)
        lanes = 1 if self._central else critic.values
        self.step = PerceptronStep(critic, critic.trunk, critic.head, lanes, settings.critic_lr)

    def begin(self, buffer: Buffer) -> None:
        """Prepare for the steps on these samples."""
        if self._central:
            share = buffer.shared()[:-1].flatten(0, 1).numpy()
            self._rows = self.step.rows(share, 1, np.zeros(1, np.int64))
        else:
            self._rows = observations(self.step, buffer)
        values = buffer.targets.shape[-1]
        self._here = active_rows(buffer)
        if len(self._here) and values != self._here.shape[-1]:
            self._here = np.asarray(self._here.any(axis=-1, keepdims=True))
        self._targets = buffer.targets.view(-1, values).numpy()
        self._old = buffer.values[:-1].reshape(-1, values)

    def __call__(self, index: IntArray, unit: int) -> dict[str, float]:
        """Do a step on samples ``index`` [M]; return its numbers.

        Raises:
            NumericalError: If loss or gradient are not finite; the weights stay.
        """
        settings, total = self._settings, 0.0
        targets = self._targets[index]
        here = self._here[index] if len(self._here) else None
        self._norm.update(targets, here)
        mean, deviation = self._norm.scale()
        count = max(targets.size if here is None else int(here.sum()), 1)
        clip = math.inf if settings.value_clip is None else settings.value_clip

        def loss(values: AnyArray, first: int, samples: int) -> None:
            nonlocal total
            total += step_kernels.value_gradient(
                values, index, first, samples, self._targets, self._old, self._here, mean, deviation, 1.0 / count,
                clip, settings.huber,
            )  # fmt: skip

        self.step.gradient(self._rows, index, loss)
        value = total / count
        norm = descended(self.step, value, "value", settings, unit)
        return {"value_loss": value, "critic_grad_norm": norm}


def observations(step: PerceptronStep, buffer: Buffer) -> Rows:
    """Return the controlled agents' observations as rows."""
    everyone = buffer.spaces.everyone
    return step.rows(buffer.obs[:-1].flatten(0, 2).numpy(), everyone, buffer.spaces.columns)


def active_rows(buffer: Buffer) -> BoolArray:
    """Return who counts [S, N], [0, 0] for everyone."""
    if buffer.active is None:
        return _NO_ROWS
    found: BoolArray = buffer.active[:-1].flatten(0, 1).numpy()
    return found


def policy_numbers(
    step: Step,
    sums: FloatArray,
    count: int,
    entropy_weight: float,
    settings: PPOSettings,
    unit: int,
    extra: float = 0.0,
) -> dict[str, float]:
    """Step down the gradient of a policy's loss; return what ``step_kernels.policy_gradient`` summed up, as means.

    ``extra`` is what the loss has beside the surrogate and the entropy.

    Raises:
        NumericalError: If loss or gradient are not finite; the weights stay.
    """
    entropy = float(sums[1]) / count
    value = -float(sums[0]) / count - entropy_weight * entropy + extra
    norm = descended(step, value, "policy", settings, unit)
    return {
        "policy_loss": value,
        "entropy": entropy,
        "approx_kl": float(sums[2]) / count,
        "clip_fraction": float(sums[3]) / count,
        "max_log_ratio": float(sums[4]),
        "actor_grad_norm": norm,
    }


def descended(step: Step, value: float, name: str, settings: PPOSettings, unit: int) -> float:
    """Step down a gradient whose loss has this value; return the gradient's norm.

    Raises:
        NumericalError: If loss or gradient are not finite; the weights stay.
    """
    if not math.isfinite(value):
        raise NumericalError(f"{name} loss", value, step=unit)
    norm = step.adam.step(settings.max_grad_norm)
    if not math.isfinite(norm):
        raise NumericalError(f"gradient of the {name} loss", norm, step=unit)
    return norm
