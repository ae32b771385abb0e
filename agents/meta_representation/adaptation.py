"""Evaluation of a population and few-shot adaptation of the latent distribution to it.

Axes: E episodes, N agents, H latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.agents.learning.advantages import advantages
from equilibria.agents.learning.heads import discrete_head
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.meta_representation.information import draw
from equilibria.agents.meta_representation.model import Episodes, Model, generator_of, play
from equilibria.agents.meta_representation.settings import MRASettings
from equilibria.games.vector.families import PopulationFamily
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Adapted:
    """What few-shot adaptation to a population found.

    Attributes:
        agents: N.
        log_p: [H] adapted log-probabilities of the latents.
        weights: Fine-tuned weights of the model by name, ``None`` when all stayed frozen.
        gain: Mean gain per step on the validation episodes, before it was decided whether to keep the result.
        kept: Whether the adapted distribution is better on the validation episodes; if not, ``log_p`` is the first.
        history: [m] mean return per step of the episodes of each gradient step.
    """

    agents: int
    log_p: torch.Tensor
    weights: dict[str, torch.Tensor] | None
    gain: float
    kept: bool
    history: FloatArray


def evaluate(
    model: Model,
    family: PopulationFamily,
    agents: int,
    log_p: torch.Tensor,
    episodes: int,
    seeds: SeedTree,
    *,
    greedy: bool,
) -> FloatArray:
    """Return the mean team reward per step of fresh episodes, [episodes].

    Latents are drawn once per agent and episode from ``log_p``; equal seeds give equal worlds and equal noise
    behind the latents, so two distributions compare in pairs.
    """
    generator = generator_of(seeds.child("evaluation"))
    z = draw(log_p, (episodes, agents), generator)
    played = play(model, family.world(agents), z, int(seeds.child("world").key()), generator, greedy=greedy)
    return played.returns


def adapt(
    model: Model, family: PopulationFamily, agents: int, settings: MRASettings, seeds: SeedTree, *, greedy: bool
) -> Adapted:
    """Adapt the latents' logits to a population by REINFORCE, policy and critic frozen.

    Starts at the encoder's logits; each of m steps plays ``adaptation_worlds`` episodes, credits every agent's
    latent with the return it was paid (less what the critic foresaw, in standard deviations) and does one Adam step.  With
    ``adaptation_relation_rate`` and ``adaptation_policy_rate`` those networks take a policy-gradient step too (then
    actions are drawn).  The result is kept if it is better on as many fresh episodes as were played for adaptation,
    in pairs with the start.

    Cost: 3 m ``adaptation_worlds`` episodes.  The model is left as it was.
    """
    world = family.world(agents, settings.reward)
    first = model.latent_log_p(agents)
    logits = first.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([logits], lr=settings.adaptation_rate)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fine = _fine_optimiser(model, settings)
    history = []
    try:
        for k in range(settings.adaptation_steps):
            node = seeds.child("step", k)
            generator = generator_of(node)
            with torch.no_grad():
                log_p = torch.log_softmax(logits, dim=-1)
            z = draw(log_p, (settings.adaptation_worlds, agents), generator)
            played = play(model, world, z, int(node.child("world").key()), generator, greedy=greedy and fine is None)
            history.append(float(played.returns.mean()))
            credit = _credit(played, _worth(model, played, log_p, generator))
            loss = -(credit * torch.log_softmax(logits, dim=-1)[z]).mean()
            (logits.grad,) = torch.autograd.grad(loss, [logits])
            optimiser.step()
            if fine is not None:
                _fine_tune(model, played, settings.discount, fine)
        with torch.no_grad():
            log_p = torch.log_softmax(logits, dim=-1)
        weights = {name: v.clone() for name, v in model.state_dict().items()} if fine is not None else None
        episodes = max(2, settings.adaptation_steps * settings.adaptation_worlds)
        check = seeds.child("validation")
        after = evaluate(model, family, agents, log_p, episodes, check, greedy=greedy)
    finally:
        model.load_state_dict(before)
    start = evaluate(model, family, agents, first, episodes, check, greedy=greedy)
    gain = float(after.mean() - start.mean())
    kept = gain > 0
    return Adapted(agents, log_p if kept else first, weights if kept else None, gain, kept, np.array(history))


def _worth(model: Model, played: Episodes, log_p: torch.Tensor, generator: torch.Generator) -> FloatArray:
    """Return the critic's values of the first looks [E, N] under latents drawn anew, so that none is credited to z."""
    with torch.no_grad():
        z = draw(log_p, (played.z.shape[0], played.z.shape[1]), generator)
        return np.asarray(model.critic(played.rows[0], model.relation(played.rows[0], z)).numpy(), dtype=np.float64)


def _unexplained(paid: FloatArray, predicted: FloatArray, axes: tuple[int, ...]) -> torch.Tensor:
    """Return what was paid less its mean over ``axes`` and less the best multiple of the predictions, scaled to 1.

    The critic never saw this population, so only its pattern is used, not its level or scale.
    """
    centred = paid - paid.mean(axis=axes, keepdims=True)
    pattern = predicted - predicted.mean(axis=axes, keepdims=True)
    size = float((pattern * pattern).sum())
    left = centred - (float((centred * pattern).sum()) / size if size > 0 else 0.0) * pattern
    return torch.from_numpy((left / max(float(left.std()), 1e-8)).astype(np.float32))


def _credit(played: Episodes, worth: FloatArray) -> torch.Tensor:
    """Return every agent's return [E, N] less what the critic expected, in standard deviations."""
    return _unexplained(played.reward.mean(axis=0), worth, (0, 1))


def _fine_optimiser(model: Model, settings: MRASettings) -> torch.optim.Adam | None:
    """Return the optimiser of the networks that adaptation may change, ``None`` when it may change none."""
    rates = ((model.relation, settings.adaptation_relation_rate), (model.policy, settings.adaptation_policy_rate))
    groups = [{"params": list(module.parameters()), "lr": rate} for module, rate in rates if rate > 0]
    return torch.optim.Adam(groups) if groups else None


def _fine_tune(model: Model, played: Episodes, discount: float, optimiser: torch.optim.Adam) -> None:
    """Do one policy-gradient step: discounted rewards to go less what the critic expected at each step."""
    steps, batch, n = played.actions.shape
    over = np.zeros((steps, batch, n), dtype=np.bool_)
    over[-1] = True
    ahead, _ = advantages(played.reward, np.zeros((steps + 1, batch, n)), over, discount=discount, trace=1.0)
    rows = played.rows[:steps].reshape(steps * batch, n, -1)
    z = played.z.expand(steps, batch, n).reshape(-1, n)
    g = model.relation(rows, z)
    with torch.no_grad():
        predicted = model.critic(rows, g).view(steps, batch, n).numpy()
    credit = _unexplained(ahead, np.asarray(predicted, dtype=np.float64), (1, 2)).reshape(-1, n)
    head = discrete_head(model.policy(rows, g))
    loss = -(head.log_prob(played.actions.reshape(-1, n)) * credit).mean()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for p, slope in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
        p.grad = slope
    optimiser.step()
