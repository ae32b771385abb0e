"""Bidders learned from logged days, without playing: cloning, IQL, TD3 with cloning, BCQ, CQL, MOPO and COMBO.

The action of a step is a = log(multiplier / CPA limit), the reward the change of the running score, the discount 1
(see ``offline_log``).  Networks have two hidden layers; the algorithms stand in ``learners``.  One policy serves all
advertisers of a world.

The days are recorded in the simulated market, or read from csv logs (``log``); a replayed log teaches with those of
its periods that are not evaluated.

Source of the selection: Su et al. (2024), arXiv 2412.10798, bundled strategies; features and rewards are ours.
Cost: a second per logged day of 500,000 impressions; training per 1,000 updates 3 s (bc) to 30 s (combo).
"""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equilibria.agents.bidding.autobidding.learners.actor_critic import RegularisedTD3
from equilibria.agents.bidding.autobidding.learners.batch_constrained import BatchConstrained
from equilibria.agents.bidding.autobidding.learners.cloning import Cloning
from equilibria.agents.bidding.autobidding.learners.conservative import Conservative
from equilibria.agents.bidding.autobidding.learners.data import Learner
from equilibria.agents.bidding.autobidding.learners.implicit import ImplicitQ
from equilibria.agents.bidding.autobidding.learners.model_based import Combo, Mopo
from equilibria.agents.bidding.autobidding.offline_log import OfflineLog, Watcher, record, replayed
from equilibria.agents.bidding.autobidding.settings import OfflineSettings
from equilibria.games.auctions.simulators.net import AuctionNet
from equilibria.games.auctions.simulators.net_bidders import NetProfile, NetView
from equilibria.games.auctions.simulators.net_csv import NetLog
from equilibria.games.auctions.simulators.net_replay import AuctionNetLog
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

World = AuctionNet | AuctionNetLog
LEARNERS: dict[str, type[Learner]] = {
    kind.name: kind for kind in (Cloning, ImplicitQ, RegularisedTD3, BatchConstrained, Conservative, Mopo, Combo)
}
_POLICIES: WeakKeyDictionary[World, dict[OfflineSettings, OfflinePolicy]] = WeakKeyDictionary()


class OfflinePolicy:
    """Actions from states.

    Args:
        log: The data.
        settings: Method and its parameters.
        seeds: Source of networks and minibatches.

    Raises:
        NumericalError: If a loss is not finite.
    """

    def __init__(self, log: OfflineLog, settings: OfflineSettings, *, seeds: SeedTree) -> None:
        self.settings = settings
        self.learner = LEARNERS[settings.method](log, settings, seeds=seeds)

    def act(self, state: NDArray[np.float32]) -> float:
        """Return the action of a state float32 [13], within its range."""
        return self.learner.act(state)


class OfflineBidder:
    """Bids by a learned policy: exp(action) times the CPA limit per predicted conversion."""

    def __init__(self, policy: OfflinePolicy) -> None:
        self._policy, self._watcher = policy, Watcher()

    def begin(self, profile: NetProfile) -> None:
        """Begin an episode."""
        self._watcher.begin(profile)

    def bid(self, view: NetView) -> FloatArray:
        """Return the bids [n]."""
        action = self._policy.act(self._watcher.look(view))
        self._watcher.action = action
        return np.asarray(math.exp(action) * self._watcher.profile.cpa_limit * view.predicted, np.float64)


def learned_policy(world: World, settings: OfflineSettings) -> OfflinePolicy:
    """Learn from logged days; one policy per world object and settings.

    The days are those of ``settings.log``; without it days recorded in a world like ``world``, or the periods of a
    replayed log that are not evaluated.

    Raises:
        GameFileError: If a csv log is broken.
        UnsupportedGame: If a replayed log leaves no period to learn from.
        NumericalError: If a loss is not finite.
    """
    known = _POLICIES.setdefault(world, {})
    if settings not in known:
        seeds = SeedTree(settings.seed).child("offline")
        if settings.log is not None:
            log = replayed(NetLog(settings.log, periods=settings.periods))
        elif isinstance(world, AuctionNetLog):
            log = replayed(world.open(others=True))
        else:
            log = record(AuctionNet(world.settings), settings.days, seeds.child("log"))
        known[settings] = OfflinePolicy(log, settings, seeds=seeds.child(settings.method))
    return known[settings]


def build(settings: OfflineSettings, *, game: World, roles: Any, seeds: SeedTree, budget: int) -> OfflineBidder:
    """Build the agent; the first one of a world records and learns."""
    return OfflineBidder(learned_policy(game, settings))
