"""Bayesian auction games: a rule of the mechanism library, priors and risk-neutral bidders.

``reset`` draws types, ``step`` turns bids into utilities; both work on batches.  ``interim_gain`` measures how much a
bidder could gain against given bid functions, by common random numbers: the certificate of learned bidders.

Axes: N auctions, n bidders.

Reference: Harsanyi (1967), Management Science 14.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from equilibria.mechanisms.checks import check_bids
from equilibria.mechanisms.outcome import Outcome
from equilibria.mechanisms.priors import Prior
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

BidFunction = Callable[[FloatArray], FloatArray]


class SingleItemAuction(Protocol):
    """A rule for one item, as in ``mechanisms.single_item`` and ``mechanisms.optimal``."""

    name: str

    def allocate_and_price(self, bids: ArrayLike, *, budgets: ArrayLike | None = ..., first: int = ...) -> Outcome:
        """Run a batch of auctions."""
        ...


@dataclass(frozen=True)
class InterimGain:
    """Best response of one type against bid functions.

    Attributes:
        value: The type.
        gain: Mean utility of the best bid of the grid minus that of the own bid; the maximum over a grid is
            biased upward by sampling.
        best_bid: That bid.
        half_width: Half width of the 95 % interval of the gain at ``best_bid``.
        samples: Auctions drawn.
    """

    value: float
    gain: float
    best_bid: float
    half_width: float
    samples: int


class BayesianAuction:
    """A single-item auction with independent private values.

    Args:
        rule: A single-item rule.
        priors: One distribution per bidder.

    Example:
        >>> from equilibria.mechanisms import first_price
        >>> from equilibria.mechanisms.priors import Uniform
        >>> game = BayesianAuction(first_price(), [Uniform()] * 2)
        >>> types = game.reset(np.random.default_rng(1), 4)
        >>> game.step(types, types / 2).shape
        (4, 2)
    """

    def __init__(self, rule: Any, priors: Sequence[Prior]) -> None:
        if not priors:
            raise InvalidValue("a Bayesian auction needs at least one bidder")
        self.rule: SingleItemAuction = rule
        self.priors = tuple(priors)

    @property
    def players(self) -> int:
        """Number n of bidders."""
        return len(self.priors)

    def reset(self, rng: np.random.Generator, auctions: int) -> FloatArray:
        """Draw types [N, n]."""
        return np.stack([p.sample(rng, auctions) for p in self.priors], axis=1)

    def step(self, types: ArrayLike, bids: ArrayLike, *, first: int = 0) -> FloatArray:
        """Return utilities [N, n] of bids [N, n]: value x allocation - payment."""
        values = check_bids(types, what="types")
        if values.shape[1] != self.players:
            raise InvalidValue(f"types must have shape [auctions, {self.players}], got {values.shape}")
        out = self.rule.allocate_and_price(bids, first=first)
        if out.pay.shape != values.shape:
            raise InvalidValue(f"bids must have shape {values.shape}, got {out.pay.shape}")
        return np.asarray(values * out.alloc[:, :, 0] - out.pay)

    def interim_gain(
        self, strategies: Sequence[BidFunction], player: int, value: float, *, grid: ArrayLike,
        rng: np.random.Generator, samples: int = 100_000,
    ) -> InterimGain:  # fmt: skip
        """Measure the gain of a type's best bid of a grid against the others' bid functions.

        Args:
            strategies: One bid function per bidder, the own one included.
            player: Who deviates.
            value: The type.
            grid: [G] bids to try.
            rng: Source of the others' types.
            samples: Auctions; the same ones for every bid.
        """
        if len(strategies) != self.players or not 0 <= player < self.players:
            raise InvalidValue(
                f"need {self.players} strategies and a player below that, got {len(strategies)}, {player}"
            )
        types = self.reset(rng, samples)
        types[:, player] = value
        bids = np.stack([s(types[:, p]) for p, s in enumerate(strategies)], axis=1)
        own = self.step(types, bids)[:, player]
        best, best_bid, best_utility = -math.inf, math.nan, own
        for bid in check_bids(grid, ("bids",), what="grid"):
            bids[:, player] = bid
            utility = self.step(types, bids)[:, player]
            if float(utility.mean()) > best:
                best, best_bid, best_utility = float(utility.mean()), float(bid), utility
        half = 1.96 * float((best_utility - own).std()) / math.sqrt(samples)
        return InterimGain(value, best - float(own.mean()), best_bid, half, samples)
