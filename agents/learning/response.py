"""Trained best responses: how much an agent gains, at least, when it learns against frozen others.

A trained response need not be a best one, so its gain bounds exploitability from below; staying with the
frozen policy gains 0.  Both sides are played in the same worlds, and the interval is a paired bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from equilibria.agents.learning.players import Player
from equilibria.agents.learning.rollout import evaluate_returns
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.learning.tensors import one_thread
from equilibria.sim.certificate import Certificate
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

if TYPE_CHECKING:
    from equilibria.agents.learning.learner import Learner

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Gain:
    """What a deviation gains.

    Attributes:
        columns: Agents that deviate together.
        gain: Mean gain of their mean return; may be negative when the training found nothing.
        low: Lower end of the 95 % bootstrap interval.
        high: Upper end.
        base: Mean return before the deviation.
        episodes: Episodes of each side.
        samples: Training samples spent.
        differences: float64 [episodes] gains of single episodes.
        player: Who deviates.
    """

    columns: tuple[int, ...]
    gain: float
    low: float
    high: float
    base: float
    episodes: int
    samples: int
    differences: FloatArray
    player: Player


def trained_best_response(
    game: Any,
    players: Mapping[Any, Player],
    deviators: Any,
    *,
    settings: PPOSettings,
    updates: int,
    episodes: int = 512,
    seeds: SeedTree,
    start: Any = None,
) -> Gain:
    """Train some agents against frozen players and measure their gain.

    Args:
        game: A vector game.
        players: Frozen player of every role (or tuple of columns), the deviators' present policy included.
        deviators: Role name or columns of the agents that deviate together.
        settings: Settings of the response's learner.
        updates: Training budget; ``updates * worlds * steps`` samples.
        episodes: Episodes per side of the comparison, at least 2.
        seeds: Source of all randomness.
        start: Policy to start from, for example the deviator's own; ``None`` for a fresh one.

    Returns:
        The gain with its interval.  Cost: the training, and 2 * episodes episodes.
    """
    from equilibria.agents.learning.learner import Learner

    if updates < 1 or episodes < 2:
        raise InvalidValue(f"updates must be at least 1 and episodes at least 2, got {updates!r} and {episodes!r}")
    learner = Learner(
        game, settings, seeds=seeds.child("response"), roles=deviators, opponents=players, policy=start, budget=updates
    )
    learner.step(updates)
    columns = tuple(int(c) for c in learner.spaces.columns)
    response = learner.player()
    key = int(seeds.child("evaluation").key())
    with one_thread():
        before = evaluate_returns(game, players, episodes=episodes, key=key)[:, columns].mean(axis=1)
        after = evaluate_returns(game, {**players, columns: response}, episodes=episodes, key=key)
    differences = after[:, columns].mean(axis=1) - before
    low, high = bootstrap_interval(differences, seeds.child("bootstrap").generator())
    samples = updates * settings.worlds * settings.steps
    mean = float(differences.mean())
    return Gain(
        columns, mean, min(low, mean), max(high, mean), float(before.mean()), episodes, samples, differences, response
    )


def bootstrap_interval(values: FloatArray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of independent values [R]."""
    rows: IntArray = rng.integers(0, len(values), (RESAMPLES, len(values)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values[rows].mean(axis=1), [tail, 100 - tail])
    return float(low), float(high)


def trained_certificate(learner: Learner) -> Certificate:
    """Return the largest gain that a trained unilateral deviation of an agent reaches, at least 0.

    Each controlled agent in turn learns alone, starting from its own policy where that can be taken apart,
    while all others stay frozen; budgets are the settings' ``certificate_updates`` and ``certificate_episodes``.
    """
    settings, seeds = learner.settings, learner.seeds.child("certificate", learner.iteration)
    team = tuple(int(c) for c in learner.spaces.columns)
    alone = settings.model_copy(update={"share": "all", "values": "agent", "update": "ppo", "lr_decay": "none"})
    players = {**learner.frozen_opponents(), team: learner.player(key=int(seeds.child("team").integer()))}
    gains: list[Gain] = []
    single = getattr(learner.actor, "single", None)
    for place, column in enumerate(team):
        gains.append(
            trained_best_response(
                learner.game, players, (column,), settings=alone, updates=settings.certificate_updates,
                episodes=settings.certificate_episodes, seeds=seeds.child("agent", place),
                start=None if single is None else single(place),
            )
        )  # fmt: skip
    return gain_certificate(gains, learner.game)


def gain_certificate(gains: list[Gain], game: Any) -> Certificate:
    """Return the certificate of the largest of several trained gains."""
    best = max(gains, key=lambda g: g.gain)
    names = game.names()
    value = max(best.gain, 0.0)
    return Certificate(
        measure="gain of a deviating agent",
        value=value,
        unit="return per episode",
        method=f"best response trained on {best.samples} samples per agent",
        kind="lower bound",
        low=min(max(best.low, 0.0), value),
        high=max(best.high, value),
        confidence=CONFIDENCE,
        sample_size=best.episodes,
        details={
            "gains": {"+".join(names[c] for c in g.columns): [g.gain, g.low, g.high] for g in gains},
            "return": float(np.mean([g.base for g in gains])),
        },
    )
