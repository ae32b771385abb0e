"""What the AuctionGym world asks of bidders: a rule in numbers, and learning after each iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from equilibria.games.auctions.simulators import gym_kernels as kernels
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray, IntArray

NETWORK_SIZE: Final = kernels.HIDDEN * 4 + kernels.HIDDEN + 1
"""Numbers of the largest network: three inputs, one softsign layer, one output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GymRule:
    """How a bidder chooses ads and bids.

    Attributes:
        mean: float64 [I, o + 1] estimated ads; ``None`` for an oracle, who knows the click rates.
        spread: float64 [I, o + 1] standard deviations for choosing ads by Thompson sampling.
        shading: ``kernels.FIXED``, ``NORMAL``, ``WIN_NETWORK`` or ``POLICY_NETWORK``.
        centre: Shading factor, or its mean.
        width: Standard deviation of the shading factor.
        network: float64 [W] win-rate network of (log rate, log value, factor), or policy network of the first two.
    """

    mean: FloatArray | None = None
    spread: FloatArray | None = None
    shading: int = kernels.FIXED
    centre: float = 1.0
    width: float = 0.0
    network: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class GymLog:
    """What one bidder saw in an iteration; Q is the number of auctions it took part in.

    Attributes:
        context: float64 [Q, o + 1] observed contexts, the last entry 1.
        item: int64 [Q] ads shown.
        rate: float64 [Q] estimated click rates.
        value: float64 [Q] value per click of the ads.
        factor: float64 [Q] shading factors.
        raw: float64 [Q] shading factors before clipping to [0, 1].
        density: float64 [Q] density of the factor before clipping, up to a constant.
        price: float64 [Q] what the winner paid.
        won: bool [Q].
        click: float64 [Q] 1 for a click; only winners are clicked.
        first_price: True if winners pay their bid.
    """

    context: FloatArray
    item: IntArray
    rate: FloatArray
    value: FloatArray
    factor: FloatArray
    raw: FloatArray
    density: FloatArray
    price: FloatArray
    won: AnyArray
    click: FloatArray
    first_price: bool

    @property
    def utility(self) -> FloatArray:
        """Net utility [Q] of each auction."""
        return np.where(self.won, self.value * self.click - self.price, 0.0)


class GymBidder(Protocol):
    """A bidder of the AuctionGym world."""

    @property
    def learns(self) -> bool:
        """Whether it wants the log of iterations."""
        ...

    def prepare(self, values: FloatArray, observed: int, first_price: bool, seeds: SeedTree) -> None:
        """Forget everything; ``values`` [I] are the ads' values per click, ``observed`` the entries o it sees."""
        ...

    def rule(self) -> GymRule:
        """Return the rule for the next iteration."""
        ...

    def learn(self, log: GymLog, iteration: int) -> None:
        """Learn from iteration ``iteration`` (from 1); called only if ``learns``."""
        ...

    def arrays(self) -> Mapping[str, AnyArray]:
        """Return everything learned, as copies."""
        ...

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take back what ``arrays`` returned."""
        ...
