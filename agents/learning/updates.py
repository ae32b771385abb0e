"""The passes of an update: minibatches, losses and optimiser steps of policy and critic.

Plain softmax policies and critics take compiled steps (``compiled_steps``), everything else goes through autograd.
Source: as ``learner``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from equilibria.agents.learning.advantages import normalised
from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.buffer import Buffer
from equilibria.agents.learning.compiled_steps import CompiledCriticStep, PolicyStep, compiles, policy_step
from equilibria.agents.learning.fused_losses import fused_value_loss, softmax_policy_loss
from equilibria.agents.learning.losses import PolicyLoss, decoupled_loss, masked_mean, mdpo_loss, policy_loss
from equilibria.agents.learning.policies import ProductPolicy
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.tensors import (
    adam_state,
    generator_from,
    generator_state,
    load_adam,
    load_module,
    module_state,
)
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.sim.contract import State
from equilibria.sim.errors import NumericalError, Unsupported

EPSILON = 1e-5
ExtraLoss = Callable[[Batch], torch.Tensor | None]


class Updates:
    """Optimisers of a policy and a critic and what they do with a collection.

    Args:
        settings: Sizes and rates.
        actor: Policy to train.
        critic: Critic to train.
        shuffle: Source of the minibatches.
        extra_loss: Scalar to add to the policy's loss, ``None`` for nothing.
        compiled: Take compiled steps where they exist; results differ by rounding only.
    """

    def __init__(
        self, settings: PPOSettings, actor: Any, critic: Any, *, shuffle: torch.Generator,
        extra_loss: ExtraLoss | None = None, compiled: bool = True,
    ) -> None:  # fmt: skip
        self.settings, self.actor, self.critic = settings, actor, critic
        self._shuffle, self._extra_loss, self._compiled = shuffle, extra_loss, compiled
        self.norm = ValueNorm(
            decay=settings.value_norm_decay, size=critic.values if settings.value_norm == "per_agent" else 1
        )
        self.reference = copy.deepcopy(actor) if settings.reference_decay is not None else None
        ppo = compiled and settings.update == "ppo" and self.reference is None
        self._softmax = ppo and getattr(type(actor), "evaluate", None) is ProductPolicy.evaluate
        whole = ppo and extra_loss is None and settings.advantage_norm != "minibatch"
        self.policy_step = policy_step(actor, settings) if whole else None
        self.critic_step = CompiledCriticStep(critic, settings, self.norm) if compiled and compiles(critic) else None
        self._actor_adam = None if self.policy_step else _adam(actor, settings.actor_lr)
        self._critic_adam = None if self.critic_step else _adam(critic, settings.critic_lr)
        self._unit, self._step_size = 0, 1.0

    def save(self) -> State:
        """Return moments, statistics, the reference policy and the shuffling generator."""
        parts = {
            "actor_moments": _moments(self.policy_step, self._actor_adam),
            "critic_moments": _moments(self.critic_step, self._critic_adam),
            "reference": State() if self.reference is None else module_state(self.reference),
            "norm": self.norm.save(),
            "shuffle": generator_state(self._shuffle),
        }
        whole = State()
        for name, part in parts.items():
            whole = whole.merged(part.nested(name))
        return whole

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        if self.reference is not None:
            load_module(self.reference, state.part("reference").arrays, "reference policy")
        _load_moments(self.policy_step, self._actor_adam, state.part("actor_moments"))
        _load_moments(self.critic_step, self._critic_adam, state.part("critic_moments"))
        self.norm.load(state.part("norm"))
        generator_from(self._shuffle, state.part("shuffle"))

    def set_rates(self, factor: float) -> None:
        """Set both learning rates to ``factor`` times those of the settings."""
        for step, adam, rate in (
            (self.policy_step, self._actor_adam, self.settings.actor_lr),
            (self.critic_step, self._critic_adam, self.settings.critic_lr),
        ):
            if step is not None:
                step.step.adam.rate = rate * factor
            for group in [] if adam is None else adam.param_groups:
                group["lr"] = rate * factor

    @property
    def rates(self) -> tuple[float, float]:
        """Present learning rates of policy and critic."""
        found = []
        for step, adam in ((self.policy_step, self._actor_adam), (self.critic_step, self._critic_adam)):
            if step is not None:
                found.append(step.step.adam.rate)
            elif adam is not None:
                found.append(float(adam.param_groups[0]["lr"]))
        return found[0], found[1]

    def acting(self) -> Any:
        """Return the policy for the next collection: the actor, or the same compiled."""
        return self.actor if self.policy_step is None else self.policy_step.acting()

    def improve(self, buffer: Buffer, *, unit: int, step_size: float = 1.0) -> dict[str, float]:
        """Do the passes over a collection with advantages and targets; return the numbers of the update.

        Args:
            buffer: The collection.
            unit: Number of the update, for error messages.
            step_size: t_k of mirror descent.

        Raises:
            NumericalError: If a loss or gradient is not finite; names it and the update.
        """
        settings = self.settings
        self._unit, self._step_size = unit, step_size
        old = self._old_log_probs(buffer) if settings.update == "mdpo" else None
        for step in (self.policy_step, self.critic_step):
            if step is not None:
                step.begin(buffer)
        sums: dict[str, float] = {}
        steps = 0
        first_ratio = last_kl = 0.0
        epochs = 0
        for epochs in range(1, settings.epochs + 1):  # noqa: B007
            kls = []
            for index, length in self.minibatches():
                numbers = self._gradient_step(buffer, index, length, old)
                largest = numbers.pop("max_log_ratio")
                if steps == 0:
                    first_ratio = largest
                steps += 1
                kls.append(numbers["approx_kl"])
                for name, value in numbers.items():
                    sums[name] = sums.get(name, 0.0) + value
            last_kl = float(np.mean(kls))
            if settings.target_kl is not None and last_kl > 1.5 * settings.target_kl:
                break
        means = {name: value / steps for name, value in sums.items()}
        samples = settings.worlds * settings.steps
        return means | {
            "first_log_ratio": first_ratio,
            "last_kl": last_kl,
            "data_to_divergence": samples / max(last_kl, 1e-12),
            "epochs": float(epochs),
        }

    def minibatches(self) -> Iterator[tuple[torch.Tensor, int]]:
        """Yield positions t * B + b of the minibatches of one pass and the steps of a chunk (see ``Batch``)."""
        settings = self.settings
        total = settings.steps * settings.worlds
        if settings.recurrent:
            length = settings.chunk
            chunks = total // length
            order = torch.randperm(chunks, generator=self._shuffle)
            for part in order.tensor_split(min(settings.parts, chunks)):
                block, world = part // settings.worlds, part % settings.worlds
                rows = block * length + torch.arange(length).unsqueeze(1)
                yield (rows * settings.worlds + world).flatten(), length
        elif settings.parts == 1:
            yield torch.arange(total), 1
        else:
            order = torch.randperm(total, generator=self._shuffle)
            for part in order.split(-(-total // settings.parts)):
                yield part, 1

    def _gradient_step(
        self, buffer: Buffer, index: torch.Tensor, length: int, old: torch.Tensor | None
    ) -> dict[str, float]:
        compiled, judged = self.policy_step, self.critic_step
        batch = None
        if compiled is None or judged is None:
            batch = buffer.batch(index if len(index) < buffer.steps * buffer.worlds or length > 1 else None, length)
            if old is not None:
                batch.old_log_probs = old.index_select(0, batch.index)
        positions = index.numpy()
        if compiled is not None:
            numbers = compiled(positions, self._unit)
        else:
            assert batch is not None
            numbers = self._actor_step(batch)
        if judged is not None:
            return numbers | judged(positions, self._unit)
        assert batch is not None
        return numbers | self._critic_step(batch)

    def _actor_step(self, batch: Batch) -> dict[str, float]:
        settings = self.settings
        gain = batch.advantages
        if settings.advantage_norm == "minibatch":
            gain = _standardised(gain, batch.active)
        if self._softmax:
            with _naming(self._unit):
                report = softmax_policy_loss(
                    self.actor.logits(batch), batch.mask, batch.actions, batch.log_prob, gain,
                    active=batch.active, clip=settings.clip, entropy_weight=settings.entropy_weight,
                )  # fmt: skip
            return self._finish_actor(report, self._with_extra(report.loss, batch))
        found = self.actor.evaluate(batch)
        with _naming(self._unit):
            report = policy_loss(
                found.log_prob, batch.log_prob, gain, found.entropy,
                active=batch.active, clip=settings.clip, entropy_weight=settings.entropy_weight,
            )  # fmt: skip
            loss = report.loss
            if settings.update == "mdpo":
                loss = self._mirror_loss(found.log_prob, found.log_probs, gain, batch)
                loss = loss - settings.entropy_weight * masked_mean(found.entropy, batch.active)
            elif self.reference is not None:
                with torch.no_grad():
                    reference = self.reference.evaluate(batch).log_prob
                loss = decoupled_loss(
                    found.log_prob, reference, batch.log_prob, gain, active=batch.active, clip=settings.clip
                ) - settings.entropy_weight * masked_mean(found.entropy, batch.active)
        if found.extra_loss is not None:
            loss = loss + found.extra_loss
        return self._finish_actor(report, self._with_extra(loss, batch))

    def _with_extra(self, loss: torch.Tensor, batch: Batch) -> torch.Tensor:
        extra = None if self._extra_loss is None else self._extra_loss(batch)
        return loss if extra is None else loss + extra

    def _finish_actor(self, report: PolicyLoss, loss: torch.Tensor) -> dict[str, float]:
        settings = self.settings
        norm = self._descend(self._actor_adam, loss, "policy")
        if self.reference is not None and settings.reference_decay is not None:
            with torch.no_grad():
                for average, present in zip(self.reference.parameters(), self.actor.parameters(), strict=True):
                    average.lerp_(present, 1 - settings.reference_decay)
        return {
            "policy_loss": float(loss.detach()),
            "entropy": report.entropy,
            "approx_kl": report.approx_kl,
            "clip_fraction": report.clip_fraction,
            "max_log_ratio": report.max_log_ratio,
            "actor_grad_norm": norm,
        }

    def _mirror_loss(
        self, log_prob: torch.Tensor, log_probs: torch.Tensor | None, gain: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        if log_probs is None or batch.old_log_probs is None:
            raise Unsupported("mirror descent needs a policy whose evaluate() returns log_probs of all actions")
        divergence = getattr(self.actor, "divergence", _divergence)
        kl = divergence(log_probs, batch.old_log_probs)
        return mdpo_loss(log_prob, batch.log_prob, gain, kl, step_size=self._step_size, active=batch.active)

    def _critic_step(self, batch: Batch) -> dict[str, float]:
        settings = self.settings
        here = batch.active
        if here is not None and batch.targets.shape[-1] != here.shape[-1]:
            here = here.any(dim=-1, keepdim=True)
        self.norm.update(batch.targets.numpy(), None if here is None else here.numpy())
        mean, deviation = (torch.from_numpy(x).float() for x in self.norm.scale())
        targets = (batch.targets - mean) / deviation
        old = ((batch.old_values - mean) / deviation).float()
        with _naming(self._unit):
            loss = fused_value_loss(
                self.critic.evaluate(batch), old, targets, active=here,
                clip=math.inf if settings.value_clip is None else settings.value_clip, huber=settings.huber,
            )  # fmt: skip
        norm = self._descend(self._critic_adam, loss, "value")
        return {"value_loss": float(loss.detach()), "critic_grad_norm": norm}

    def _descend(self, optimiser: torch.optim.Optimizer | None, loss: torch.Tensor, name: str) -> float:
        assert optimiser is not None
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.settings.max_grad_norm))
        if not math.isfinite(norm):
            raise NumericalError(f"gradient of the {name} loss", norm, step=self._unit)
        optimiser.step()
        return norm

    def _old_log_probs(self, buffer: Buffer) -> torch.Tensor:
        """Return log-probabilities [T * B, N, A] of the acting policy."""
        with torch.no_grad():
            length = self.settings.chunk if self.settings.recurrent else 1
            total = self.settings.steps * self.settings.worlds
            index = torch.arange(total)
            if length > 1:
                index = index.view(-1, length, self.settings.worlds).transpose(0, 1).flatten()
            found = self.actor.evaluate(buffer.batch(index, length)).log_probs
            if found is None:
                raise Unsupported("mirror descent needs a policy whose evaluate() returns log_probs of all actions")
            old = torch.empty_like(found)
            old[index] = found
            return old


@contextmanager
def _naming(unit: int) -> Iterator[None]:
    """Add the update to numerical errors of the losses."""
    try:
        yield
    except NumericalError as error:
        if error.step >= 0:
            raise
        raise NumericalError(error.variable, math.nan, step=unit) from error


def _divergence(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    """Return KL(new || old) of log-probabilities of all actions."""
    return (new.exp() * (new - old)).sum(dim=-1)


def _standardised(values: torch.Tensor, active: torch.Tensor | None) -> torch.Tensor:
    found = normalised(values.numpy(), None if active is None else active.numpy(), epsilon=1e-8)
    return torch.from_numpy(found).to(values.dtype)


def _adam(module: torch.nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=rate, eps=EPSILON, fused=True)


def _moments(step: PolicyStep | CompiledCriticStep | None, adam: torch.optim.Adam | None) -> State:
    if step is not None:
        return step.step.adam.save()
    assert adam is not None
    return adam_state(adam)


def _load_moments(step: PolicyStep | CompiledCriticStep | None, adam: torch.optim.Adam | None, state: State) -> None:
    if step is not None:
        step.step.adam.load(state)
    else:
        assert adam is not None
        load_adam(adam, state)
