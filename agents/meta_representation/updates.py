"""The three updates of MRA: policy and critic, relations (information), task encoder.

Axes: M joint samples, N agents, H latents, K latents behind an information estimate, A actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np

from equilibria.agents.learning.advantages import advantages, normalised
from equilibria.agents.learning.heads import discrete_head
from equilibria.agents.learning.losses import PolicyLoss, policy_loss, value_loss
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.learning.value_norm import ValueNorm
from equilibria.agents.meta_representation.information import draw, information, straight_through
from equilibria.agents.meta_representation.model import Episodes, Model
from equilibria.agents.meta_representation.settings import MRASettings

Offsets = list[torch.Tensor]


@dataclass(slots=True)
class Samples:
    """Joint samples of one population, T steps of B worlds flattened to M = T B.

    Attributes:
        rows: float32 [M, N, F].
        z: int64 [M, N].
        actions: int64 [M, N].
        log_prob: float32 [M, N] when acting.
        advantage: float32 [M, N] normalised within the population.
        target: float32 [M, N] normalised value targets.
        old_value: float32 [M, N] normalised predictions when acting.
    """

    rows: torch.Tensor
    z: torch.Tensor
    actions: torch.Tensor
    log_prob: torch.Tensor
    advantage: torch.Tensor
    target: torch.Tensor
    old_value: torch.Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, index: torch.Tensor) -> Samples:
        """Return the samples at int64 indices."""
        return Samples(*(getattr(self, f.name).index_select(0, index) for f in fields(self)))


def prepare(model: Model, played: Episodes, norm: ValueNorm, settings: MRASettings) -> Samples:
    """Return samples with advantages; updates the population's value normalisation.

    The time limit is a truncation: the last step looks at the value of the last observation.
    """
    steps, batch, n = played.actions.shape
    width = played.rows.shape[-1]
    with torch.no_grad():
        z = played.z.expand(steps + 1, batch, n).reshape(-1, n)
        rows = played.rows.reshape(-1, n, width)
        predicted = model.critic(rows, model.relation(rows, z)).view(steps + 1, batch, n).numpy()
    values = norm.denormalise(predicted)
    truncated = np.zeros((steps, batch, n), dtype=np.bool_)
    truncated[-1] = True
    found, targets = advantages(
        played.reward,
        values,
        np.zeros_like(truncated),
        truncated=truncated,
        final_values=values[1:],
        discount=settings.discount,
        trace=settings.trace,
    )
    norm.update(targets)

    def flat(x: object) -> torch.Tensor:
        return torch.from_numpy(np.asarray(x, dtype=np.float32).reshape(-1, n))

    return Samples(
        rows=rows[: steps * batch],
        z=z[: steps * batch],
        actions=played.actions.reshape(-1, n),
        log_prob=played.log_prob.reshape(-1, n),
        advantage=flat(normalised(found)),
        target=flat(norm.normalise(targets)),
        old_value=flat(norm.normalise(values[:-1])),
    )


def surrogate(model: Model, batch: Samples, settings: MRASettings) -> tuple[PolicyLoss, torch.Tensor]:
    """Return the clipped policy loss and the value loss of a minibatch.

    With ``relation_return`` off, no gradient reaches the relation network from here.
    """
    with torch.set_grad_enabled(settings.relation_return):
        g = model.relation(batch.rows, batch.z)
    head = discrete_head(model.policy(batch.rows, g))
    acting = policy_loss(
        head.log_prob(batch.actions),
        batch.log_prob,
        batch.advantage,
        head.entropy(),
        clip=settings.clip,
        entropy_weight=settings.entropy_weight,
    )
    judged = value_loss(model.critic(batch.rows, g.detach()), batch.old_value, batch.target, clip=settings.clip)
    return acting, judged


@contextmanager
def shifted(module: torch.nn.Module, offsets: Offsets | None) -> Iterator[None]:
    """Add offsets to the weights of a module for a while; gradients taken meanwhile are first-order meta gradients."""
    if offsets is None:
        yield
        return
    parameters = list(module.parameters())
    before = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for p, offset in zip(parameters, offsets, strict=True):
            p.add_(offset)
    try:
        yield
    finally:
        with torch.no_grad():
            for p, old in zip(parameters, before, strict=True):
                p.copy_(old)


def inner_step(model: Model, batch: Samples, settings: MRASettings) -> Offsets:
    """Return one gradient step of the relation network on a population, as offsets of its weights."""
    acting, _ = surrogate(model, batch, settings)
    slopes = torch.autograd.grad(acting.loss, list(model.relation.parameters()), allow_unused=True)
    return [
        torch.zeros_like(p) if slope is None else -settings.meta_rate * slope
        for p, slope in zip(model.relation.parameters(), slopes, strict=True)
    ]


class Optimisers:
    """Adam for actor (policy and relation), critic, information (relation) and task (encoder and predictor)."""

    def __init__(self, model: Model, settings: MRASettings) -> None:
        def adam(rate: float, *modules: torch.nn.Module) -> torch.optim.Adam:
            return torch.optim.Adam(
                [p for m in modules for p in m.parameters()], lr=rate, eps=1e-5, weight_decay=settings.weight_decay
            )

        acting = (model.policy, model.relation) if settings.relation_return else (model.policy,)
        self.actor = adam(settings.actor_rate, *acting)
        self.critic = adam(settings.critic_rate, model.critic)
        self.information = adam(settings.information_rate, model.relation)
        self.task = adam(settings.task_rate, model.encoder, model.predictor)

    def items(self) -> Iterator[tuple[str, torch.optim.Adam]]:
        """Yield the optimisers by name."""
        for name in ("actor", "critic", "information", "task"):
            yield name, getattr(self, name)


def step(optimiser: torch.optim.Adam, max_norm: float) -> float:
    """Clip the gradient's norm, descend, and return the norm before clipping."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    size = float(torch.nn.utils.clip_grad_norm_(parameters, max_norm, error_if_nonfinite=False))
    optimiser.step()
    return size


def improve(
    model: Model,
    samples: Mapping[int, Samples],
    offsets: Mapping[int, Offsets | None],
    optimisers: Optimisers,
    settings: MRASettings,
    generator: torch.Generator,
) -> dict[str, float]:
    """Do the epochs of the policy and critic update; every gradient step sees all populations.

    Returns means over steps and populations of losses, entropy, divergence and gradient norms.
    """
    sums: dict[str, float] = {}
    count, steps = 0, 0
    for _ in range(settings.epochs):
        order = {n: torch.randperm(len(s), generator=generator) for n, s in samples.items()}
        for k in range(settings.minibatches):
            optimisers.actor.zero_grad()
            optimisers.critic.zero_grad()
            for n, data in samples.items():
                batch = data.part(order[n].tensor_split(settings.minibatches)[k])
                with shifted(model.relation, offsets[n]):
                    acting, judged = surrogate(model, batch, settings)
                    ((acting.loss + judged) / len(samples)).backward()
                found = {
                    "policy_loss": float(acting.loss.detach()),
                    "value_loss": float(judged.detach()),
                    "entropy": acting.entropy,
                    "approx_kl": acting.approx_kl,
                    "clip_fraction": acting.clip_fraction,
                }
                for name, value in found.items():
                    sums[name] = sums.get(name, 0.0) + value
                count += 1
            sums["actor_norm"] = sums.get("actor_norm", 0.0) + step(optimisers.actor, settings.max_grad_norm)
            sums["critic_norm"] = sums.get("critic_norm", 0.0) + step(optimisers.critic, settings.max_grad_norm)
            steps += 1
    return {name: value / (steps if name.endswith("_norm") else count) for name, value in sums.items()}


def estimate(
    model: Model, rows: torch.Tensor, z: torch.Tensor, resamples: int, generator: torch.Generator
) -> torch.Tensor:
    """Return the mean information [] between latents and actions at rows [M, N, F] with acting latents z [M, N].

    sum_a p_1(a) (log(K p_1(a)) - log sum_k p_k(a)), p_1 the policy of the acting latent, the other K - 1 latents
    drawn from p(z|N).  The expectation over actions is exact and carries the gradient: with drawn actions held
    fixed, as published, the mean gradient is zero once the acting latent is one of the K.
    """
    m, n = z.shape
    every = torch.log_softmax(model.policy.heads(rows, model.relation.heads(rows)), dim=-1)  # [M, N, H, A]
    fresh = draw(model.latent_log_p(n), (m, n, resamples - 1), generator)
    chosen = torch.cat([z.unsqueeze(-1), fresh], dim=-1).unsqueeze(-1).expand(-1, -1, -1, every.shape[-1])
    log_probs = every.gather(2, chosen).transpose(2, 3)  # [M, N, A, K]
    return (log_probs[..., 0].exp() * information(log_probs)).sum(dim=-1).mean()


def _subset(samples: Samples, settings: MRASettings, generator: torch.Generator) -> Samples:
    return samples.part(torch.randint(len(samples), (settings.information_batch,), generator=generator))


def measure_information(
    model: Model, samples: Mapping[int, Samples], settings: MRASettings, generator: torch.Generator
) -> float:
    """Return the mean information per agent over populations, in nats."""
    with torch.no_grad():
        found = []
        for data in samples.values():
            batch = _subset(data, settings, generator)
            found.append(estimate(model, batch.rows, batch.z, settings.resamples, generator))
        return float(torch.stack(found).mean())


def diversify(
    model: Model,
    samples: Mapping[int, Samples],
    optimisers: Optimisers,
    settings: MRASettings,
    generator: torch.Generator,
) -> None:
    """Make latents matter: ascend the information, with gradients into the relation network only."""
    for _ in range(settings.information_steps):
        found = []
        for data in samples.values():
            batch = _subset(data, settings, generator)
            found.append(estimate(model, batch.rows, batch.z, settings.resamples, generator))
        total = torch.stack(found).mean()
        if settings.information_target is not None and float(total.detach()) >= settings.information_target:
            return
        optimisers.information.zero_grad()
        slopes = torch.autograd.grad(-total, list(model.relation.parameters()), allow_unused=True)
        for p, slope in zip(model.relation.parameters(), slopes, strict=True):
            p.grad = slope
        step(optimisers.information, settings.max_grad_norm)


def recognise(
    model: Model,
    samples: Mapping[int, Samples],
    optimisers: Optimisers,
    settings: MRASettings,
    generator: torch.Generator,
) -> float:
    """Train encoder and predictor to tell the populations apart; returns the last cross-entropy in nats."""
    loss = 0.0
    parameters = [p for group in optimisers.task.param_groups for p in group["params"]]
    for _ in range(settings.task_steps):
        total = torch.zeros(())
        for game, (n, data) in enumerate(samples.items()):
            rows = _subset(data, settings, generator).rows
            z = straight_through(model.encoder(n), (len(rows), n), generator)
            embedding = model.policy.embed(rows, model.relation(rows, z))
            truth = torch.full((len(rows),), game)
            total = total + torch.nn.functional.cross_entropy(model.predictor(embedding, z), truth) / len(samples)
        for p, slope in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
            p.grad = slope
        step(optimisers.task, settings.max_grad_norm)
        loss = float(total.detach())
    return loss
