"""CFR+ for sealed-bid auctions with independent types.

1. The others' policies give one distribution of bids per player.
2. From these, the winning probability and expected payment of every bid of the player.
3. Each type is one infoset; its action values are value x win - pay.  Regret matching+ on them.
4. Players update in turn; the average policy weights iteration t by t and is what converges.
5. Weighted regrets: with ``regret_power`` p iteration t counts t^p, that is, old regrets fade by ((t-1)/t)^p.  In the
   first iterations the others bid anything, and the regrets of a type that almost never wins are of order 1; later
   differences are of order v^n.  Unweighted sums need about their ratio of iterations to sort such a type's bids
   (2e4 and more for n = 5), weighted ones its root (p = 1).

The iterates are those of CFR+ on the game tree (the reach of a type only scales its regrets, which regret matching
ignores), at O(n^2 A + n T A) instead of O((T A)^n) per iteration.

Reference: Tammelin (2014), Solving large imperfect information games using CFR+, arXiv 1407.5042; weights: Brown and
Sandholm (2019), AAAI, arXiv 1809.04040.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.solvers.sealed_bid.settings import BayesianCFRPlusSettings
from equilibria.games.auctions import sealed_bid_kernels as kernels
from equilibria.games.auctions.sealed_bid import SealedBidGame
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray


class BayesianCFRPlus:
    """CFR+ on a sealed-bid auction.

    Args:
        game: A ``SealedBidGame``.
        settings: Which policy is reported.

    Example:
        >>> from equilibria.games.auctions.sealed_bid import uniform_auction
        >>> solver = BayesianCFRPlus(uniform_auction("first_price", types=11, bids=11))
        >>> solver.step(500)
        >>> solver.game.evaluate(solver.policy()).nash_conv < 1e-3
        True
    """

    table_names = ("bids",)

    def __init__(self, game: SealedBidGame, settings: BayesianCFRPlusSettings | None = None) -> None:
        self.game, self.settings = game, settings or BayesianCFRPlusSettings()
        self._regret = np.zeros(game.legal.shape)
        self._average = np.zeros(game.legal.shape)
        self._policy = game.uniform()
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations; one updates every player once."""
        g = self.game
        kernels.cfr_plus(
            g.code, g.reserve, g.bids, g.counts, g.values, g.masses, g.legal, g.nodes, g.weights, self._regret,
            self._average, self._policy, self._iteration, n, self.settings.regret_power, self.settings.average_power,
        )  # fmt: skip
        self._iteration += n

    def current_policy(self) -> FloatArray:
        """Return the last policy [n, T, A]."""
        return self._policy.copy()

    def average_policy(self) -> FloatArray:
        """Return the linear average policy [n, T, A]; the current one before the first step."""
        total = self._average.sum(axis=2, keepdims=True)
        return np.where(total > 0, self._average / np.where(total > 0, total, 1.0), self._policy)

    def policy(self) -> FloatArray:
        """Return the reported policy [n, T, A]."""
        return self.average_policy() if self.settings.output == "average" else self.current_policy()

    def metrics(self) -> dict[str, float]:
        """Return the numbers that metrics record, by name."""
        found = self.game.evaluate(self.policy())
        real = np.arange(self.game.values.shape[1]) < self.game.counts[:, None]
        numbers = {
            "nash_conv": found.nash_conv,
            "exploitability": found.exploitability,
            "ex_ante_loss": float(found.gains.max()),
            "interim_loss": float(found.interim_loss[real].max()),
            "revenue": found.revenue,
            "welfare": found.welfare,
        }
        error = self.bid_error()
        return numbers if error is None else {**numbers, "bid_error": error, "bid_l2": self.bid_l2()}

    def bid_l2(self) -> float:
        """Return the largest root mean square distance of a bidder's mean bids from the closed form, over all types.

        Raises:
            InvalidValue: If the auction has no known closed form.
        """
        wanted = self._theory()
        known = np.isfinite(wanted)
        distance = np.where(known, self.game.mean_bids(self.policy()) - np.where(known, wanted, 0.0), 0.0)
        square = self.game.masses * distance**2
        return float(np.sqrt(square.sum(axis=1)).max())

    def utility_loss(self) -> float:
        """Return the largest relative loss of utility against bidders who play the closed form.

        The bidders' closed form is moved to the nearest bids of the grid.

        Raises:
            InvalidValue: If the auction has no known closed form.
        """
        ideal, mine = self.game.from_bids(self._theory()), self.policy()
        base = self.game.evaluate(ideal).values
        worst = 0.0
        for p in range(self.game.players):
            mixed = ideal.copy()
            mixed[p] = mine[p]
            worst = max(worst, float(1 - self.game.evaluate(mixed).values[p] / base[p]))
        return worst

    def _theory(self) -> FloatArray:
        wanted = self.game.closed_form()
        if wanted is None:
            raise InvalidValue(f"the {self.game.rule} auction with these priors has no known closed form")
        return wanted

    def bid_error(self, least: float = 0.1) -> float | None:
        """Return the largest distance of mean bids from the continuous equilibrium, ``None`` without a closed form.

        Only values above the share ``least`` of the support count: low types win so rarely that their bids hardly
        matter, and types at which the closed form is infinite are left out.
        """
        wanted = self.game.closed_form()
        if wanted is None:
            return None
        values = self.game.values
        high = values.max(axis=1, keepdims=True)
        real = np.arange(values.shape[1]) < self.game.counts[:, None]
        counted = real & (values >= least * high) & (values >= self.game.reserve)
        counted &= np.isfinite(wanted) & (wanted <= self.game.bids[-1])
        distance = np.abs(self.game.mean_bids(self.policy()) - np.where(counted, wanted, 0.0))
        return float(distance[counted].max())

    def certificate(self) -> Certificate:
        """Return the exact exploitability; interim loss and distance from the closed form stand in the details."""
        numbers = self.metrics()
        return Certificate(
            measure="exploitability",
            value=max(0.0, numbers["exploitability"]),
            unit="money per auction",
            method="exact best response of every type to the distribution of the others' bids",
            details={name: float(value) for name, value in numbers.items()},
            warning="of the auction on grids; the continuous auction differs by up to one step of the bids",
        )

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return table ``bids``: one row per bidder and type, with mean bid, theory (NaN if unknown) and loss."""
        del name  # the engine asks for names in table_names only
        g, policy = self.game, self.policy()
        real = np.arange(g.values.shape[1]) < g.counts[:, None]
        player, _ = np.nonzero(real)
        theory = g.closed_form()
        wanted = np.full(g.values.shape, np.nan) if theory is None else np.where(np.isfinite(theory), theory, np.nan)
        return {
            "player": player.astype(np.int32),
            "value": g.values[real],
            "mass": g.masses[real],
            "mean_bid": g.mean_bids(policy)[real],
            "theory": wanted[real],
            "interim_loss": g.evaluate(policy).interim_loss[real],
        }

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State(
            {"regret": self._regret.copy(), "average": self._average.copy(), "policy": self._policy.copy()},
            {"iteration": self._iteration},
        )

    def load(self, state: State) -> None:
        """Restore a state made by ``save``.

        Raises:
            InvalidValue: If the state belongs to another game.
        """
        arrays = [np.array(state.arrays[k], np.float64) for k in ("regret", "average", "policy")]
        iteration = state.meta["iteration"]
        if any(a.shape != self.game.legal.shape for a in arrays) or not isinstance(iteration, int):
            raise InvalidValue(f"the saved state has shape {arrays[0].shape}, the game needs {self.game.legal.shape}")
        self._regret, self._average, self._policy = arrays
        self._iteration = iteration


def build(
    settings: BayesianCFRPlusSettings, *, game: Any, roles: tuple[str, ...], seeds: SeedTree, budget: int
) -> BayesianCFRPlus:
    """Build the solver of a run; it draws no random numbers."""
    del roles, seeds, budget
    if not isinstance(game, SealedBidGame):
        raise UnsupportedGame(f"bayesian_cfr_plus plays sealed_bid_auction games, got {type(game).__name__}")
    return BayesianCFRPlus(game, settings)
