"""Trained deviations from a Bayesian-network policy: one agent changes its conditional, its parents in sight.

All other conditionals stay, those of its children included, which answer what the agent really does.  The
deviating agent trains its own heads on the frozen features of its observation and of its parents, from its
present heads; the gain is a lower bound of the gap to equilibrium in the policy class.
"""

from __future__ import annotations

import copy

from equilibria.agents.bayesian_network.deep.policy import BNJointPolicy
from equilibria.agents.learning.batches import Batch, Evaluation
from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.response import Gain, bootstrap_interval
from equilibria.agents.learning.rollout import evaluate_returns
from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.learning.torch_import import torch


class Deviation(torch.nn.Module):
    """A copy of a policy in which only the heads of one agent learn; satisfies ``JointPolicy``."""

    def __init__(self, policy: BNJointPolicy, agent: int) -> None:
        super().__init__()
        self.inner, self.agent = copy.deepcopy(policy), agent
        for name, parameter in self.inner.named_parameters():
            parameter.requires_grad_(name.startswith(("own.", "social.")))
        self.begin, self.act = self.inner.begin, self.inner.act

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return the policy's evaluation with gradients for the deviating agent only."""
        found = self.inner.evaluate(batch)
        log_prob, entropy = found.log_prob.detach().clone(), found.entropy.detach().clone()
        log_prob[:, self.agent] = found.log_prob[:, self.agent]
        entropy[:, self.agent] = found.entropy[:, self.agent]
        return Evaluation(log_prob, entropy)


def trained_gains(learner: Learner) -> list[Gain]:
    """Return the gain of every controlled agent's trained deviation, with 95 % bootstrap intervals.

    Budgets are the settings' ``certificate_updates`` and ``certificate_episodes``.  Cost per agent: the
    training, and twice the episodes.
    """
    settings, seeds = learner.settings, learner.seeds.child("certificate", learner.iteration)
    plain = settings.model_copy(update={"update": "ppo", "lr_decay": "none"})
    team = tuple(int(c) for c in learner.spaces.columns)
    others, episodes = learner.frozen_opponents(), settings.certificate_episodes
    key = int(seeds.child("evaluation").key())
    seed = int(seeds.child("team").integer())
    with one_thread():
        base = evaluate_returns(learner.game, {**others, team: learner.player(key=seed)}, episodes=episodes, key=key)
    gains = []
    for place, column in enumerate(team):
        policy = Deviation(learner.actor, place)
        response = Learner(
            learner.game,
            plain,
            seeds=seeds.child("agent", place),
            roles=learner.spaces.columns,
            opponents=others,
            policy=policy,
            budget=settings.certificate_updates,
        )
        response.step(settings.certificate_updates)
        player = response.player(key=seed)
        with one_thread():
            after = evaluate_returns(learner.game, {**others, team: player}, episodes=episodes, key=key)
        differences = (after - base)[:, column]
        low, high = bootstrap_interval(differences, seeds.child("bootstrap", place).generator())
        mean = float(differences.mean())
        samples = settings.certificate_updates * settings.worlds * settings.steps
        gains.append(
            Gain(
                (column,), mean, min(low, mean), max(high, mean), float(base[:, column].mean()), episodes, samples,
                differences, player,
            )
        )  # fmt: skip
    return gains
