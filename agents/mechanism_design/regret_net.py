"""RegretNet: learning an auction of several items whose truthfulness is a penalty, not a fact.

1. Two networks of tanh layers read all reports: one gives the shares of every item (a softmax over the bidders and
   nobody; unit demand: the lesser of a softmax over bidders and one over items), the other the part of the reported
   value of the own shares that each bidder pays, so nobody ever pays more than reported.
2. Regret of a bidder: the largest gain from another report, found by gradient ascent from reports that are kept
   with their profile and improved at every visit.
3. Loss: minus revenue + sum_i lambda_i rgt_i + rho / 2 sum_i rgt_i^2; lambda_i grows by rho rgt_i, rho in steps.
4. Revenue alone says nothing here: a report gives the regret beside it, measured by many ascents from random
   reports.  An ascent finds a local best one, so the certificate is a lower bound of the regret.

One update costs ``inner_steps`` forward and backward passes of a batch (0.2 to 0.4 ms each for one bidder and 128
profiles, written out in ``ascent``) and one more for the weights.

Reference: Duetting, Feng, Narasimhan, Parkes, Ravindranath (2019), Optimal auctions through deep learning, ICML.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.mechanism_design.ascent import Ascent
from equilibria.agents.mechanism_design.settings import RegretNetSettings
from equilibria.games.auctions.menus import MenuGame
from equilibria.mechanisms import oracles
from equilibria.mechanisms.priors import Uniform
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_PREVIEW, _PREVIEW_PROFILES = 100_000, 256
_CHUNK = 20_000
_Z95 = 1.959963984540054

Tensor = Any


class AuctionNetwork:
    """Shares and payments as functions of the reports.

    Args:
        bidders: n.
        items: m.
        unit: True for bidders who want one item.
        scale: Largest value; reports are divided by it.
        hidden: Units per layer.
        layers: Hidden layers.
    """

    def __init__(self, bidders: int, items: int, *, unit: bool, scale: float, hidden: int, layers: int) -> None:
        self.bidders, self.items, self.unit, self.scale = bidders, items, unit, scale
        cells = (bidders + 1) * (items + 1) * (2 if unit else 1)
        widths = [bidders * items, *[hidden] * layers]
        # Both networks have the same hidden layers: they stand in one array and run in one call.
        self._shapes: list[tuple[int, ...]] = []
        for a, b in itertools.pairwise(widths):
            self._shapes += [(2, a, b), (2, 1, b)]
        self._shapes += [(hidden, cells), (cells,), (hidden, bidders), (bidders,)]

    def start(self, rng: np.random.Generator) -> Tensor:
        """Draw weights (Glorot, uniform; no biases) as one vector."""
        parts = []
        for shape in self._shapes:
            matrix = len(shape) > 1 and shape[-2] > 1
            bound = math.sqrt(6.0 / (shape[-2] + shape[-1])) if matrix else 0.0
            parts.append(rng.uniform(-bound, bound, math.prod(shape)) if matrix else np.zeros(math.prod(shape)))
        return torch.tensor(np.concatenate(parts), dtype=torch.float32)

    def unpack(self, weights: Tensor) -> list[Tensor]:
        """Return the matrices of a vector of weights."""
        parts = torch.split(weights, [math.prod(shape) for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def __call__(self, layers: list[Tensor], reports: Tensor) -> tuple[Tensor, Tensor]:
        """Return shares [B, n, m] and payments [B, n] for reports [B, n, m]."""
        batch, n, m = reports.shape[0], self.bidders, self.items
        h = (reports / self.scale).reshape(1, batch, n * m).expand(2, batch, n * m)
        *body, to_shares, shift, to_parts, shift_parts = layers
        for weight, bias in zip(body[::2], body[1::2], strict=True):
            h = torch.tanh(torch.baddbmm(bias, h, weight))
        logits = torch.addmm(shift, h[0], to_shares).view(batch, -1, n + 1, m + 1)
        shares = torch.softmax(logits[:, 0], dim=1)[:, :n, :m]
        if self.unit:
            shares = torch.minimum(shares, torch.softmax(logits[:, 1], dim=2)[:, :n, :m])
        part = torch.sigmoid(torch.addmm(shift_parts, h[1], to_parts))
        return shares, part * (shares * reports).sum(dim=2)


class RegretNet:
    """A learner of auctions.

    Args:
        game: A ``MenuGame`` with any number of bidders.
        settings: Sizes and steps.
        budget: Planned number of updates; nothing depends on it.
        seeds: Source of weights and valuations.
    """

    def __init__(
        self, game: MenuGame, settings: RegretNetSettings | None = None, *, budget: int = 20_000,
        seeds: SeedTree | None = None,
    ) -> None:  # fmt: skip
        del budget
        self.game, self.settings = game, settings or RegretNetSettings()
        tree = seeds or SeedTree(0)
        self._key, self._judge = tree.child("profiles").key(), tree.child("judge")
        s, n = self.settings, game.bidders
        top = float(game.highs.max())
        self.network = AuctionNetwork(
            n, game.items, unit=game.demand == "unit", scale=top, hidden=s.hidden, layers=s.layers
        )
        rng = tree.child("weights").generator()
        self._weights = self.network.start(rng)
        self._first, self._second = torch.zeros_like(self._weights), torch.zeros_like(self._weights)
        self._multipliers = torch.full((n,), s.multiplier)
        drawn = game.sample(rng, s.batches * s.batch * n)
        self._reports = torch.tensor(drawn.reshape(s.batches, s.batch, n, game.items), dtype=torch.float32)
        self._lows = torch.tensor(game.lows, dtype=torch.float32)
        self._highs = torch.tensor(game.highs, dtype=torch.float32)
        self._range = self._highs - self._lows
        self._ascents: dict[int, Ascent] = {}
        self._own = torch.eye(n, dtype=torch.bool).view(n, 1, n, 1)
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Updates done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates.

        Raises:
            NumericalError: If a weight stops being finite.
        """
        with one_thread():
            for _ in range(n):
                self._update()
        if not bool(torch.isfinite(self._weights).all()):
            raise NumericalError("weight of the auction network", math.nan, step=self._iteration)

    def policy(self) -> AuctionNetwork:
        """Return the networks; ``allocate`` runs them with the present weights."""
        return self.network

    def allocate(self, reports: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return shares [N, n, m] and payments [N, n] for reports [N, n, m].

        Raises:
            InvalidValue: If the reports have another shape, or are not finite and non-negative.
        """
        given = np.asarray(reports, np.float64)
        if given.ndim != 3 or given.shape[1:] != (self.game.bidders, self.game.items):
            raise InvalidValue(
                f"reports must have shape [profiles, {self.game.bidders}, {self.game.items}], got {given.shape}"
            )
        bad = np.argwhere(~(np.isfinite(given) & (given >= 0)))
        if bad.size:
            where = tuple(int(k) for k in bad[0])
            raise InvalidValue(
                f"reports{list(where)} must be a finite number of at least 0, got {float(given[where])!r}"
            )
        with torch.no_grad():
            shares, paid = self.network(self.network.unpack(self._weights), torch.tensor(given, dtype=torch.float32))
        return shares.double().numpy(), paid.double().numpy()

    def regret(self, profiles: int, restarts: int, steps: int, rng: np.random.Generator) -> FloatArray:
        """Return the largest gain [profiles, n] that ascents from random reports found, at least 0."""
        values = self._sample(rng, profiles)
        best = torch.zeros(profiles, self.game.bidders)
        layers = self.network.unpack(self._weights)
        truth = self._utility(layers, values, values).detach()
        group = max(1, _CHUNK // profiles)
        for first in range(0, restarts, group):
            count = min(group, restarts - first)
            start = self._sample(rng, profiles * count)
            many = values.repeat(count, 1, 1)
            found = self._ascend(layers, many, start, steps)
            with torch.no_grad():
                gain = self._utility(layers, many, found).view(count, profiles, -1).amax(dim=0) - truth
            best = torch.maximum(best, gain)
        return best.double().numpy()

    def metrics(self) -> dict[str, float]:
        """Return revenue, its share of the optimum if known, and a quick regret (256 profiles, 4 ascents)."""
        numbers = self._revenue(_PREVIEW)
        rng = self._judge.child("regret").generator()
        with one_thread():
            numbers["regret"] = float(self.regret(_PREVIEW_PROFILES, 4, 50, rng).mean(axis=0).max())
        return {k: v for k, v in numbers.items() if k != "half_width"}

    def certificate(self) -> Certificate:
        """Return the mean regret of the bidder who regrets most, a lower bound, with the revenue in the details."""
        s = self.settings
        with one_thread():
            found = self.regret(s.judged_profiles, s.judged_restarts, s.judged_steps, self._judge.generator())
        worst = int(found.mean(axis=0).argmax())
        mean = float(found[:, worst].mean())
        half = _Z95 * float(found[:, worst].std()) / math.sqrt(s.judged_profiles)
        details: dict[str, Any] = {**self._revenue(s.judged), "largest_regret": float(found.max())}
        optimum = self.game.optimum()
        if optimum is not None:
            details["optimum"] = optimum
        elif self.game.demand == "additive" and self.game.support == "box":
            details["itemwise_myerson"] = itemwise_myerson(self.game)
        return Certificate(
            measure="ex-post regret",
            value=mean,
            unit="money per sale",
            method=f"gradient ascent from {s.judged_restarts} random reports, {s.judged_steps} steps each",
            kind="lower bound",
            low=max(0.0, mean - half),
            high=mean + half,
            confidence=0.95,
            sample_size=s.judged_profiles,
            details=details,
            warning="revenue above the optimum is possible while there is regret",
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        arrays = {"weights": self._weights, "first": self._first, "second": self._second,
                  "multipliers": self._multipliers, "reports": self._reports}  # fmt: skip
        return State({k: v.numpy().copy() for k, v in arrays.items()}, {"iteration": self._iteration})

    def load(self, state: State) -> None:
        """Restore a state made by ``save``.

        Raises:
            InvalidValue: If the state belongs to another network.
        """
        weights, iteration = state.arrays["weights"], state.meta["iteration"]
        if weights.shape != tuple(self._weights.shape) or not isinstance(iteration, int):
            raise InvalidValue(f"the saved network has {weights.size} weights, this one {self._weights.numel()}")
        self._weights, self._first, self._second, self._multipliers, self._reports = (
            torch.tensor(np.array(state.arrays[k], np.float32))
            for k in ("weights", "first", "second", "multipliers", "reports")
        )
        self._iteration = iteration

    # --- learning -------------------------------------------------------------------------------------

    def _sample(self, rng: np.random.Generator, count: int) -> Tensor:
        """Draw profiles [count, n, m]."""
        drawn = self.game.sample(rng, count * self.game.bidders)
        return torch.tensor(drawn.reshape(count, self.game.bidders, self.game.items), dtype=torch.float32)

    def _profiles(self, batch: int) -> Tensor:
        """Return the fixed training profiles of a batch; they are drawn anew at every visit instead of stored."""
        bits = np.random.Philox(key=int(self._key), counter=[0, 0, 0, batch])
        return self._sample(np.random.Generator(bits), self.settings.batch)

    def _utility(self, layers: list[Tensor], values: Tensor, reports: Tensor) -> Tensor:
        """Return utilities [B, n] of bidders who report ``reports`` alone, the others telling the truth."""
        n = self.game.bidders
        batch = values.shape[0]
        if n == 1:
            shares, paid = self.network(layers, reports)
            return (shares * values).sum(dim=2) - paid
        mixed = torch.where(self._own, reports.transpose(0, 1).unsqueeze(2), values.unsqueeze(0))
        shares, paid = self.network(layers, mixed.reshape(n * batch, n, self.game.items))
        gains = (shares.view(n, batch, n, -1) * values).sum(dim=3) - paid.view(n, batch, n)
        return gains.diagonal(dim1=0, dim2=2)

    def _ascend(self, layers: list[Tensor], values: Tensor, reports: Tensor, steps: int) -> Tensor:
        """Return reports [B, n, m] after Adam steps up the own utility of each bidder."""
        if self.game.demand == "unit":
            return self._recorded_ascent(layers, values, reports, steps)
        s, size = self.settings, values.shape[0]
        if size not in self._ascents:
            self._ascents[size] = Ascent(
                size, self.game.bidders, self.game.items, s.hidden, s.layers, self.network.scale, self._lows.numpy(),
                self._highs.numpy(),
            )  # fmt: skip
        with torch.no_grad():
            fixed = [layer.detach() for layer in layers]
            return self._ascents[size].run(fixed, values, reports.contiguous(), steps, s.misreport_step)

    def _recorded_ascent(self, layers: list[Tensor], values: Tensor, reports: Tensor, steps: int) -> Tensor:
        """Do the same by recorded gradients; the reference, and for unit demand."""
        s = self.settings
        first, second = torch.zeros_like(reports), torch.zeros_like(reports)
        found = reports
        for k in range(1, steps + 1):
            found = found.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self._utility(layers, values, found).sum(), found)
            with torch.no_grad():
                slope *= self._range  # steps are shares of the range of values
                first.mul_(_BETA1).add_(slope, alpha=1 - _BETA1)
                second.mul_(_BETA2).addcmul_(slope, slope, value=1 - _BETA2)
                size = s.misreport_step / (1 - _BETA1**k)
                move = first / ((second / (1 - _BETA2**k)).sqrt_().add_(_EPSILON))
                found = torch.minimum(torch.maximum(found + size * self._range * move, self._lows), self._highs)
        return found.detach()

    def _update(self) -> None:
        s = self.settings
        batch = self._iteration % s.batches
        values = self._profiles(batch)
        found = self._ascend(self.network.unpack(self._weights), values, self._reports[batch], s.inner_steps)
        self._reports[batch] = found
        weights = self._weights.detach().requires_grad_(True)
        layers = self.network.unpack(weights)
        shares, paid = self.network(layers, values)
        truth = (shares * values).sum(dim=2) - paid
        regret = torch.relu(self._utility(layers, values, found) - truth).mean(dim=0)
        rho = s.penalty + s.penalty_growth * (self._iteration // s.penalty_period)
        loss = -paid.sum(dim=1).mean() + (self._multipliers * regret).sum() + rho / 2 * (regret**2).sum()
        (slope,) = torch.autograd.grad(loss, weights)
        if self._iteration % s.multiplier_period == 0:
            self._multipliers = self._multipliers + rho * regret.detach()
        self._iteration += 1
        self._first.mul_(_BETA1).add_(slope, alpha=1 - _BETA1)
        self._second.mul_(_BETA2).addcmul_(slope, slope, value=1 - _BETA2)
        size = s.step / (1 - _BETA1**self._iteration)
        root = (self._second / (1 - _BETA2**self._iteration)).sqrt_().add_(_EPSILON)
        self._weights = self._weights - size * self._first / root

    def _revenue(self, count: int) -> dict[str, float]:
        """Return mean revenue on a fixed sample with its half width, and its share of the optimum where known."""
        rng = self._judge.child("revenue").generator()
        values = self.game.sample(rng, count * self.game.bidders).reshape(count, self.game.bidders, self.game.items)
        paid = np.concatenate([self.allocate(values[k : k + _CHUNK])[1].sum(axis=1) for k in range(0, count, _CHUNK)])
        numbers = {"revenue": float(paid.mean()), "half_width": _Z95 * float(paid.std()) / math.sqrt(count)}
        optimum, best = self.game.optimum(), self.game.optimal_menu()
        if optimum is not None:
            # one bidder: paired with the optimal menu on the same valuations, which removes most of the noise
            loss = float((best.payments(values[:, 0]) - paid).mean()) if best is not None else optimum - paid.mean()
            numbers["revenue_share"] = float(1 - loss / optimum)
        return numbers


def itemwise_myerson(game: MenuGame) -> float:
    """Return the revenue of optimal auctions of the single items, a lower bound of the optimum for additive bidders."""
    pairs = zip(game.lows.tolist(), game.highs.tolist(), strict=True)
    return float(sum(oracles.optimal_revenue([Uniform(low, high)] * game.bidders) for low, high in pairs))


def build(settings: RegretNetSettings, *, game: Any, roles: tuple[str, ...], seeds: SeedTree, budget: int) -> RegretNet:
    """Build the solver of a run."""
    del roles
    if not isinstance(game, MenuGame):
        raise UnsupportedGame(f"regret_net plays menu_sale games, got {type(game).__name__}")
    return RegretNet(game, settings, budget=budget, seeds=seeds)
