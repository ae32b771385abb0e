"""Bidders of contextual auctions: a rule for choosing ads and a rule for shading the value.

* **Truthful**: bids rate times value.
* **Shading** (first price): factors gamma ~ N(previous, sigma), clipped to [0, 1]; after an iteration the bucket of
  factors with the highest mean utility minus 1.96 standard errors becomes the centre.
* **Value learning** (first price): a network estimates P(win | rate, value, gamma); each auction tries 128 factors from
  U[0.1, 1] and bids the one with the largest P(win) rate value (1 - gamma).
* **Policy learning** (first price): gamma ~ N(mu(rate, value), sigma) with mu improved by policy gradients.

Bids use the estimated click rate itself; only the choice of the ad uses Thompson samples.

Source: Jeunen, Murphy, Allison (2023), KDD, section 4; networks (one softsign layer of 16) and step sizes are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equilibria.agents.bidding.contextual import kernels
from equilibria.agents.bidding.contextual.allocator import LogisticAllocator
from equilibria.agents.bidding.contextual.settings import (
    PolicySettings,
    ShadingSettings,
    TruthfulSettings,
    ValueSettings,
)
from equilibria.games.auctions.simulators import gym_kernels
from equilibria.games.auctions.simulators.gym_bidders import GymLog, GymRule
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

LOSSES = {
    "reinforce": kernels.REINFORCE,
    "ips": kernels.IPS,
    "ppo": kernels.PPO,
    "doubly_robust": kernels.DOUBLY_ROBUST,
}


class TruthfulBidder:
    """Bids the estimated value."""

    def __init__(self, settings: TruthfulSettings | None = None) -> None:
        self._settings = settings or TruthfulSettings()
        self._allocator: LogisticAllocator | None = None
        self._seeds = SeedTree(0)

    @property
    def learns(self) -> bool:
        """Whether the bidder wants the log of iterations."""
        return self._settings.allocator == "logistic"

    def prepare(self, values: FloatArray, observed: int, first_price: bool, seeds: SeedTree) -> None:
        """Forget everything."""
        s = self._settings
        self._seeds = seeds
        logistic = s.allocator == "logistic"
        self._allocator = LogisticAllocator(len(values), observed, s.prior_precision) if logistic else None

    def rule(self) -> GymRule:
        """Return the rule for the next iteration."""
        return self._rule()

    def learn(self, log: GymLog, iteration: int) -> None:
        """Update the click rates on the auctions won."""
        if self._allocator is not None:
            self._allocator.learn(log.context[log.won], log.item[log.won], log.click[log.won])

    def arrays(self) -> Mapping[str, AnyArray]:
        """Return everything learned."""
        return {} if self._allocator is None else self._allocator.arrays()

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        if self._allocator is not None:
            self._allocator.restore(arrays)

    def _rule(self, **shading: Any) -> GymRule:
        a = self._allocator
        return GymRule(**shading) if a is None else GymRule(mean=a.mean, spread=a.spread, **shading)


class ShadingBidder(TruthfulBidder):
    """Shades by the factor whose bucket earned most."""

    @property
    def learns(self) -> bool:
        """Always."""
        return True

    def __init__(self, settings: ShadingSettings | None = None) -> None:
        self._shading = settings or ShadingSettings()
        super().__init__(self._shading)
        self._centre = self._shading.initial

    def prepare(self, values: FloatArray, observed: int, first_price: bool, seeds: SeedTree) -> None:
        """Forget everything."""
        super().prepare(values, observed, first_price, seeds)
        self._centre = self._shading.initial

    def rule(self) -> GymRule:
        """Return factors around the present centre."""
        return self._rule(shading=gym_kernels.NORMAL, centre=self._centre, width=self._shading.gamma_sigma)

    def learn(self, log: GymLog, iteration: int) -> None:
        """Move to the bucket with the highest lower bound of the mean utility."""
        super().learn(log, iteration)
        s = self._shading
        bucket = np.minimum((log.factor / s.bucket).astype(np.int64), int(np.ceil(1.0 / s.bucket)) - 1)
        best = -np.inf
        for b in np.unique(bucket):
            u = log.utility[bucket == b]
            if len(u) < s.least:
                continue
            bound = float(u.mean() - 1.96 * u.std(ddof=1) / np.sqrt(len(u)))
            if bound > best:
                best, self._centre = bound, float((b + 0.5) * s.bucket)

    def arrays(self) -> Mapping[str, AnyArray]:
        """Return everything learned."""
        return {**super().arrays(), "centre": np.array([self._centre])}

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        super().restore(arrays)
        self._centre = float(np.asarray(arrays["centre"], np.float64)[0])


class ValueBidder(TruthfulBidder):
    """Learns win rates and bids the factor with the highest expected utility."""

    @property
    def learns(self) -> bool:
        """Always."""
        return True

    def __init__(self, settings: ValueSettings | None = None) -> None:
        self._value = settings or ValueSettings()
        super().__init__(self._value)
        self._nets: dict[str, FloatArray] = {}

    def prepare(self, values: FloatArray, observed: int, first_price: bool, seeds: SeedTree) -> None:
        """Forget everything.

        Raises:
            UnsupportedGame: In second-price auctions, where the modelled utility does not hold.
        """
        if not first_price:
            raise UnsupportedGame(f"{type(self).__name__} models first-price auctions; set game.params.pricing: first")
        super().prepare(values, observed, first_price, seeds)
        self._nets = {"fitted": np.zeros(1)}
        self._begin("win", 3, 0.0)

    def rule(self) -> GymRule:
        """Return the search by the network, or factors around 1 before the first fit."""
        if not self._nets["fitted"][0]:
            return self._rule(shading=gym_kernels.NORMAL, centre=1.0, width=self._value.gamma_sigma)
        return self._rule(shading=gym_kernels.WIN_NETWORK, network=self._nets["win"])

    def learn(self, log: GymLog, iteration: int) -> None:
        """Fit the win rates on the last iteration, from the present network on."""
        super().learn(log, iteration)
        if len(log.rate):
            self._fit_wins(log, iteration)
            self._nets["fitted"][0] = 1.0

    def arrays(self) -> Mapping[str, AnyArray]:
        """Return everything learned."""
        return {**super().arrays(), **{name: a.copy() for name, a in self._nets.items()}}

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        super().restore(arrays)
        self._nets = {name: np.array(arrays[name], np.float64) for name in self._nets}

    def _begin(self, name: str, inputs: int, bias: float) -> None:
        h = gym_kernels.HIDDEN
        w = np.zeros(h * (inputs + 1) + h + 1)
        rng = self._seeds.child(name).generator()
        w[: h * (inputs + 1)] = rng.normal(0.0, 1.0 / np.sqrt(inputs), h * (inputs + 1))
        w[h * (inputs + 1) : -1] = rng.normal(0.0, 0.1, h)
        w[-1] = bias
        self._nets |= {name: w, f"{name}_moments": np.zeros((3, w.size)), f"{name}_steps": np.zeros(1)}

    def _fit_wins(self, log: GymLog, iteration: int) -> None:
        s, nets = self._value, self._nets
        x = np.stack([np.log(log.rate), np.log(log.value), log.factor], axis=1)
        steps, _ = kernels.fit_wins(
            nets["win"], nets["win_moments"], int(nets["win_steps"][0]), x, log.won,
            self._seeds.child("fit", iteration).key(), s.epochs, s.batch, s.rate, s.decay,
        )  # fmt: skip
        nets["win_steps"][0] = steps


class PolicyBidder(ValueBidder):
    """Improves a policy over shading factors by gradients."""

    def __init__(self, settings: PolicySettings | None = None) -> None:
        self._policy = settings or PolicySettings()
        super().__init__(self._policy)

    def prepare(self, values: FloatArray, observed: int, first_price: bool, seeds: SeedTree) -> None:
        """Forget everything; the first policy shades by 0.95 on average."""
        super().prepare(values, observed, first_price, seeds)
        self._begin("policy", 2, 3.0)

    def rule(self) -> GymRule:
        """Return the policy."""
        return self._rule(
            shading=gym_kernels.POLICY_NETWORK, width=self._policy.gamma_sigma, network=self._nets["policy"]
        )

    def learn(self, log: GymLog, iteration: int) -> None:
        """Fit the utility model where the loss needs it, then improve the policy on the last iteration."""
        TruthfulBidder.learn(self, log, iteration)
        if not len(log.rate):
            return
        s, nets = self._policy, self._nets
        if s.loss == "doubly_robust":
            self._fit_wins(log, iteration)
        x = np.stack([np.log(log.rate), np.log(log.value)], axis=1)
        scale = float(np.abs(log.rate * log.value).mean())
        nets["policy_steps"][0] = kernels.fit_policy(
            nets["policy"], nets["policy_moments"], int(nets["policy_steps"][0]), LOSSES[s.loss], x,
            log.rate * log.value, log.raw, log.density, log.utility, nets["win"], s.gamma_sigma,
            self._seeds.child("policy_fit", iteration).key(), s.policy_epochs, s.batch, s.policy_rate, s.ratio_clip,
            s.weight_cap, scale,
        )  # fmt: skip


def build_truthful(
    settings: TruthfulSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int
) -> TruthfulBidder:
    """Build the agent."""
    return TruthfulBidder(settings)


def build_shading(settings: ShadingSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> ShadingBidder:
    """Build the agent."""
    return ShadingBidder(settings)


def build_value(settings: ValueSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> ValueBidder:
    """Build the agent."""
    return ValueBidder(settings)


def build_policy(settings: PolicySettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> PolicyBidder:
    """Build the agent."""
    return PolicyBidder(settings)
