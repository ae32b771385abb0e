"""Sealed-bid auctions of one item as Bayesian games on grids of values and bids.

Types are independent.  Each type's value is a grid point with the probability mass of its cell; all bidders bid on
one grid, ties split evenly.  Because the others matter only through the distribution of their bids, exact values,
best responses and interim losses cost O(n^2 A + n T A), and 1000 values by 1000 bids are no trouble.

``tree()`` gives the same game as sequence-form arrays for every solver of extensive games.

Reference: Harsanyi (1967), Management Science 14; Krishna (2010), Auction Theory, chapters 2 to 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.auctions import sealed_bid_kernels as kernels
from equilibria.games.auctions.sealed_bid_settings import SealedBidSettings, SealedBidTreeSettings
from equilibria.mechanisms import oracles
from equilibria.mechanisms.priors import Prior, Uniform, priors_from
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from equilibria.games.extensive.arrays import ExtensiveGame

CODES: Final = {
    "first_price": kernels.FIRST,
    "second_price": kernels.SECOND,
    "all_pay": kernels.ALL_PAY,
    "war_of_attrition": kernels.ATTRITION,
}
_MASS_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class Evaluation:
    """Exact facts of a profile of policies.

    Attributes:
        values: [n] ex-ante utilities.
        gains: [n] ex-ante gains of best responses, each >= 0 up to rounding.
        interim_loss: [n, T] loss of each type against its best bid, given the others' policies.
        revenue: Expected sum of payments.
        welfare: Expected value of the winner.
    """

    values: FloatArray
    gains: FloatArray
    interim_loss: FloatArray
    revenue: float
    welfare: float

    @property
    def nash_conv(self) -> float:
        """Sum of the gains."""
        return float(np.maximum(self.gains, 0.0).sum())

    @property
    def exploitability(self) -> float:
        """Mean gain."""
        return self.nash_conv / self.gains.size


class SealedBidGame:
    """A sealed-bid auction with independent private values on grids.

    Args:
        rule: ``first_price``, ``second_price``, ``all_pay`` or ``war_of_attrition``.
        values: Per bidder, its values [T_p], increasing.
        masses: Per bidder, their probabilities [T_p], summing to 1 within 1e-9.
        bids: [A] common grid of bids, increasing, >= 0.
        reserve: Reserve price.
        allowed: ``any``, ``at_most_value`` or ``below_value``.
        priors: Distributions that the grids stand for, for closed forms; ``None`` if there are none.

    Raises:
        InvalidValue: If the grids or probabilities are not valid.

    Example:
        >>> game = uniform_auction("second_price", bidders=2, types=11, bids=11)
        >>> abs(game.evaluate(game.truthful()).nash_conv) < 1e-12
        True
    """

    def __init__(
        self,
        rule: str,
        values: Sequence[ArrayLike],
        masses: Sequence[ArrayLike],
        bids: ArrayLike,
        *,
        reserve: float = 0.0,
        allowed: str = "any",
        priors: Sequence[Prior] | None = None,
    ) -> None:
        if rule not in CODES:
            raise InvalidValue(f"rule must be one of {', '.join(CODES)}, got {rule!r}")
        if not values or len(values) != len(masses):
            raise InvalidValue(f"need values and masses of each bidder, got {len(values)} and {len(masses)}")
        if reserve < 0 or (reserve > 0 and rule == "war_of_attrition"):
            raise InvalidValue(f"reserve must be at least 0, and 0 in the war of attrition, got {reserve!r}")
        self.rule, self.reserve, self.allowed = rule, float(reserve), allowed
        self.priors = tuple(priors) if priors is not None else None
        self.bids = _grid(bids, "bids")
        grids = [_grid(v, f"values of bidder {p}") for p, v in enumerate(values)]
        self.counts: IntArray = np.array([g.size for g in grids], np.int64)
        shape = (len(grids), int(self.counts.max()))
        self.values, self.masses = np.zeros(shape), np.zeros(shape)
        self.legal: BoolArray = np.zeros((*shape, self.bids.size), np.bool_)
        for p, (grid, mass) in enumerate(zip(grids, masses, strict=True)):
            self.values[p, : grid.size] = grid
            self.masses[p, : grid.size] = _masses(mass, grid.size, p)
            self.legal[p, : grid.size] = _legal(grid, self.bids, allowed)
        self.nodes, self.weights = _nodes(len(grids))

    @property
    def players(self) -> int:
        """Number n of bidders."""
        return int(self.counts.size)

    @property
    def code(self) -> int:
        """Number of the rule in kernels."""
        return CODES[self.rule]

    def uniform(self) -> FloatArray:
        """Return the policy [n, T, A] that makes all allowed bids equally likely."""
        total = self.legal.sum(axis=2, keepdims=True)
        return np.asarray(self.legal / np.maximum(total, 1))

    def truthful(self) -> FloatArray:
        """Return the policy [n, T, A] that bids the grid point nearest to the value."""
        return self.from_bids(self.values)

    def from_bids(self, bids: ArrayLike) -> FloatArray:
        """Return the pure policy [n, T, A] of bids [n, T], each moved to the nearest allowed grid point."""
        wanted = np.broadcast_to(np.asarray(bids, np.float64), self.values.shape)
        far = np.where(self.legal, np.abs(self.bids - wanted[:, :, None]), np.inf)
        policy = np.zeros(self.legal.shape)
        np.put_along_axis(policy, far.argmin(axis=2)[:, :, None], 1.0, axis=2)
        return policy * self.legal.any(axis=2, keepdims=True)

    def evaluate(self, policy: ArrayLike) -> Evaluation:
        """Return the exact values, gains and losses of a policy [n, T, A].

        Raises:
            InvalidValue: If the policy has the wrong shape or a row is no distribution over allowed bids.
        """
        table = self._checked(policy)
        n, width, count = table.shape
        dist, win, pay = np.zeros((n, count)), np.empty((n, count)), np.empty((n, count))
        values, best, loss = np.empty(n), np.empty(n), np.zeros((n, width))
        for p in range(n):
            kernels.bid_distribution(table[p], self.masses[p], dist[p])
        for p in range(n):
            kernels.win_and_pay(self.code, p, dist, self.bids, self.reserve, self.nodes, self.weights, win[p], pay[p])
            t = int(self.counts[p])
            values[p], best[p] = kernels.player_value(
                table[p, :t], self.masses[p, :t], self.values[p, :t], self.legal[p, :t], win[p], pay[p], loss[p, :t]
            )
        revenue = float((dist * pay).sum())
        return Evaluation(values, best - values, loss, revenue, float(values.sum()) + revenue)

    def mean_bids(self, policy: ArrayLike) -> FloatArray:
        """Return the mean bid [n, T] of each type."""
        return np.asarray(self._checked(policy) @ self.bids)

    def closed_form(self) -> FloatArray | None:
        """Return the equilibrium bids [n, T] of the continuous auction, ``None`` where none is known here."""
        priors = self.priors
        if priors is None or self.allowed != "any":
            return None
        if self.rule == "second_price":
            return self.values.copy()
        if self.rule == "first_price" and _two_uniforms(priors):
            return self._asymmetric(priors)
        if any(p != priors[0] for p in priors) or self.players < 2:
            return None
        if self.rule == "first_price":
            return oracles.first_price_bid(self.values, self.players, priors[0], reserve=self.reserve)
        prior = priors[0]
        power = 1.0 if isinstance(prior, Uniform) and prior.low == 0 else getattr(prior, "exponent", None)
        if self.rule == "all_pay" and power is not None and self.reserve == 0:
            return prior.high * oracles.all_pay_bid(self.values / prior.high, self.players, power)
        if self.rule == "war_of_attrition" and self.players == 2 and prior == Uniform():
            return oracles.war_of_attrition_bid(self.values)
        return None

    def _asymmetric(self, priors: Sequence[Prior]) -> FloatArray | None:
        highs = [float(p.high) for p in priors]
        if self.reserve or highs[0] == highs[1]:
            return oracles.first_price_bid(self.values, 2, priors[0]) if not self.reserve else None
        weak = int(np.argmin(highs))
        out = np.empty(self.values.shape)
        for p in range(2):
            pair = oracles.asymmetric_first_price_bids(np.minimum(self.values[p], highs[p]), min(highs), max(highs))
            out[p] = pair[0 if p == weak else 1]
        return out

    def tree(self) -> ExtensiveGame:
        """Return the same game as sequence-form arrays, for every solver of extensive games.

        Raises:
            GameTooLarge: Above 5e7 profiles of types and bids.
            InvalidValue: If types may not make every bid.
        """
        from equilibria.games.extensive.matrix import MAX_PROFILES, bayesian_matrix_game

        if self.allowed != "any":
            raise InvalidValue(f"the tree of an auction needs allowed: any, got {self.allowed!r}")
        n, count = self.players, self.bids.size
        profiles = float(np.prod(self.counts.astype(float))) * float(count) ** n
        if profiles > MAX_PROFILES:
            raise GameTooLarge(f"the tree has {profiles:.3g} profiles, at most {MAX_PROFILES} are possible")
        amount, pay = self._profile_tables()
        types = tuple(int(t) for t in self.counts)
        payoffs, prior = np.empty((*types, n, *([count] * n))), np.empty(types)
        for t in product(*map(range, types)):
            prior[t] = np.prod([self.masses[p, k] for p, k in enumerate(t)])
            worth = np.array([self.values[p, k] for p, k in enumerate(t)])
            payoffs[t] = worth.reshape(-1, *([1] * n)) * amount - pay
        name = f"{self.rule} auction, {n} bidders"
        names = [[f"{v:.12g}" for v in self.values[p, :k]] for p, k in enumerate(types)]
        return bayesian_matrix_game(
            payoffs, prior / prior.sum(), name=name, types=names, actions=[[f"{b:.12g}" for b in self.bids]] * n
        )

    def _profile_tables(self) -> tuple[FloatArray, FloatArray]:
        """Return winning shares and payments [n, A, ..., A] of every profile of bids."""
        n = self.players
        bids = self.bids[np.indices([self.bids.size] * n)]
        enters = bids >= self.reserve
        active = np.where(enters, bids, -1.0)
        top = active.max(axis=0)
        winners = enters & (active == top)
        share = winners / np.maximum(winners.sum(axis=0), 1)
        if self.rule == "first_price":
            return share, share * bids
        if self.rule == "all_pay":
            return share, np.where(enters, bids, 0.0)
        second = np.sort(active, axis=0)[-2] if n > 1 else np.full(top.shape, -1.0)
        price = np.maximum(second, self.reserve)
        if self.rule == "second_price":
            return share, share * price
        return share, share * price + (1 - share) * bids

    def _checked(self, policy: ArrayLike) -> FloatArray:
        table = np.ascontiguousarray(policy, np.float64)
        if table.shape != self.legal.shape:
            raise InvalidValue(f"policy must have shape {self.legal.shape}, got {table.shape}")
        real = np.arange(table.shape[1]) < self.counts[:, None]
        sums = table.sum(axis=2)
        bad = real & ~(np.abs(sums - 1) < 1e-6)
        if bad.any() or (table[~self.legal] > 0).any() or (table < 0).any():
            where = tuple(int(k) for k in np.argwhere(bad)[0]) if bad.any() else "with a bid that is not allowed"
            raise InvalidValue(f"policy rows must be distributions over allowed bids; row {where} is not")
        return table


def _nodes(players: int) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre nodes on [0, 1] that are exact for polynomials of degree n - 1."""
    x, w = np.polynomial.legendre.leggauss(max(1, (players + 1) // 2))
    return (x + 1) / 2, w / 2


def _grid(points: ArrayLike, what: str) -> FloatArray:
    grid = np.ascontiguousarray(points, np.float64)
    if grid.ndim != 1 or grid.size < 1 or not np.isfinite(grid).all() or grid[0] < 0 or (np.diff(grid) <= 0).any():
        raise InvalidValue(f"{what} must be finite, at least 0 and increasing")
    return grid


def _masses(mass: ArrayLike, size: int, player: int) -> FloatArray:
    out = np.asarray(mass, np.float64)
    if out.shape != (size,) or (out < 0).any() or abs(float(out.sum()) - 1) > _MASS_TOLERANCE:
        raise InvalidValue(f"masses of bidder {player} must be {size} probabilities, got sum {float(out.sum())!r}")
    return out


def _legal(values: FloatArray, bids: FloatArray, allowed: str) -> BoolArray:
    if allowed == "any":
        return np.ones((values.size, bids.size), np.bool_)
    if allowed not in ("at_most_value", "below_value"):
        raise InvalidValue(f"allowed must be any, at_most_value or below_value, got {allowed!r}")
    legal = bids <= values[:, None] if allowed == "at_most_value" else bids < values[:, None]
    legal[~legal.any(axis=1), 0] = True
    return np.asarray(legal)


def _two_uniforms(priors: Sequence[Prior]) -> bool:
    return len(priors) == 2 and all(isinstance(p, Uniform) and p.low == 0 for p in priors)


def grid_of(prior: Prior, types: int) -> tuple[FloatArray, FloatArray]:
    """Return an even grid of values over the support and the mass of each cell (cells end halfway).

    The tail of an unbounded distribution beyond the 99.9 % quantile belongs to the last cell.
    """
    top = prior.high if np.isfinite(prior.high) else float(prior.quantile(0.999))
    values = np.linspace(prior.low, top, types)
    edges = np.concatenate([[0.0], prior.cdf((values[1:] + values[:-1]) / 2), [1.0]])
    return values, np.diff(edges)


def auction_game(
    rule: str, priors: Sequence[Prior], *, types: int, bids: int, top_bid: float | None = None, reserve: float = 0.0,
    allowed: str = "any",
) -> SealedBidGame:  # fmt: skip
    """Return the auction of one bidder per prior on even grids of ``types`` values and ``bids`` bids from 0."""
    grids = [grid_of(p, types) for p in priors]
    top = top_bid if top_bid is not None else max(float(v[-1]) for v, _ in grids)
    return SealedBidGame(
        rule, [v for v, _ in grids], [w for _, w in grids], np.linspace(0.0, top, bids), reserve=reserve,
        allowed=allowed, priors=priors,
    )  # fmt: skip


def uniform_auction(rule: str, *, bidders: int = 2, types: int = 101, bids: int = 101) -> SealedBidGame:
    """Return the auction of ``bidders`` with values U[0, 1]."""
    return auction_game(rule, [Uniform()] * bidders, types=types, bids=bids)


def build(settings: SealedBidSettings, *, seeds: SeedTree) -> SealedBidGame:
    """Build the game of a scenario; nothing is random."""
    del seeds
    return auction_game(
        settings.rule, priors_from(settings.priors, settings.bidders), types=settings.types, bids=settings.bids,
        top_bid=settings.top_bid, reserve=settings.reserve, allowed=settings.allowed,
    )  # fmt: skip


def build_tree(settings: SealedBidTreeSettings, *, seeds: SeedTree) -> ExtensiveGame:
    """Build the extensive-form game of a scenario; nothing is random."""
    del seeds
    return auction_game(
        settings.rule, priors_from(settings.priors, settings.bidders), types=settings.types, bids=settings.bids,
        top_bid=settings.top_bid, reserve=settings.reserve,
    ).tree()  # fmt: skip
