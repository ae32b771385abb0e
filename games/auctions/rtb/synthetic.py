"""Synthetic campaigns with bursts, calibrated to nine published ones.

Requests come in blocks of 500.  Three independent AR(1) series over blocks (coefficient 0.9, standard
normal) move prices (A), the share of hot requests (H) and the level of click probabilities (C):

1. P(hot) = s(logit w + sigma_H H - sigma_H^2 (1 - 2 w) / 2), s the logistic function;
2. logit theta = mu + sigma_T C + (hot: dmu + s1 z; else s0 z) (+ kappa in the test phase), z normal;
3. true click probability s(beta logit theta + alpha);
4. price rank y = sigma_A A + (hot: m + sh e; else rho z + sqrt(1 - rho^2) e), e normal;
   r = (rank of y in the batch - 1/2) / n, price = Q(r) in training, Q(r^gamma) in test;
5. click ~ Bernoulli(true probability).

``mu`` and ``alpha`` are solved anew by bisection on 40,000 requests drawn from the seed, so that the
mean of theta is the campaign's training rate and the mean true probability its test rate; both
phases of the seed keep them.

Modes: ``burst`` (sigma_A, sigma_H, sigma_T = 0.35, 0.45, 0.15, gamma 1 in both phases), ``drift``
(the same, kappa = -0.12 and the campaign's gamma), ``stationary`` (all sigma 0, gamma 1).

``uniform`` is no campaign of the data: theta uniform on (0, 1), prices uniform on 1 .. 300, independent;
closed forms are known for it.

Cost: about 0.2 us per request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, logit

from equilibria.games.auctions.rtb.calibration import Calibration, calibration
from equilibria.games.auctions.rtb.requests import Requests
from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray

Mode = Literal["burst", "drift", "stationary"]
BLOCK: Final = 500
PHI: Final = 0.9
SOLVED_ON: Final = 40_000
UNIFORM: Final = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """Sizes of the movements over blocks, and the drift between phases."""

    prices: float
    hot: float
    level: float
    test_shift: float = 0.0
    test_gamma: bool = False


MODES: Final[dict[str, Bursts]] = {
    "burst": Bursts(prices=0.35, hot=0.45, level=0.15),
    "drift": Bursts(prices=0.35, hot=0.45, level=0.15, test_shift=-0.12, test_gamma=True),
    "stationary": Bursts(prices=0.0, hot=0.0, level=0.0),
}


class Source:
    """Generates the streams of one campaign and seed.

    Args:
        campaign: Number of a shipped campaign, or ``"uniform"``.
        mode: ``"burst"``, ``"drift"`` or ``"stationary"``.
        seeds: Seed tree of the campaign.
        calibrated: True predicts the true probabilities.
    """

    def __init__(self, campaign: str, mode: Mode, seeds: SeedTree, *, calibrated: bool = False) -> None:
        self._seeds = seeds
        self._bursts = MODES[mode]
        self._calibrated = calibrated
        self._campaign = None if campaign == UNIFORM else calibration(campaign)
        self._levels: tuple[float, float] | None = None

    def train(self, requests: int) -> Requests:
        """Return the training stream."""
        return self._stream(self._seeds.child("train"), requests, test=False)

    def test(self, requests: int, number: int = 0) -> Requests:
        """Return batch ``number`` of the test stream; batches are independent of each other."""
        return self._stream(self._seeds.child("test", number), requests, test=True)

    def _stream(self, seeds: SeedTree, n: int, *, test: bool) -> Requests:
        rng = seeds.generator()
        if self._campaign is None:
            return _uniform(rng, n)
        c = self._campaign
        shape, rank = _draw(c, self._bursts, rng, n)
        mu, alpha = self._solved(c)
        x = mu + shape + (self._bursts.test_shift if test else 0.0)
        truth = expit(c.fit.beta * x + alpha)
        theta = truth if self._calibrated else expit(x)
        order = np.argsort(rank, kind="stable")
        r = np.empty(n)
        r[order] = (np.arange(n) + 0.5) / n
        if test and self._bursts.test_gamma:
            r = r**c.fit.gamma
        price = np.searchsorted(np.cumsum(c.prices), r, side="left").clip(0, MAX_PRICE).astype(np.uint16)
        click = (rng.random(n) < truth).astype(np.uint8)
        return Requests(theta, price, click, truth)

    def _solved(self, c: Calibration) -> tuple[float, float]:
        """Return mu and alpha that meet the campaign's click rates on the first training requests."""
        if self._levels is None:
            rng = self._seeds.child("train").generator()
            shape, _ = _draw(c, self._bursts, rng, SOLVED_ON)
            mu = _bisect(lambda level: float(expit(level + shape).mean()), c.train_ctr)
            scaled = c.fit.beta * (mu + shape)
            alpha = _bisect(lambda level: float(expit(level + scaled).mean()), c.test_ctr)
            self._levels = (mu, alpha)
        return self._levels


def _draw(c: Calibration, bursts: Bursts, rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    """Return logit theta without its level [n], and the price rank variable [n]."""
    f = c.fit
    blocks = -(-n // BLOCK)
    prices, hot_level, level = (np.repeat(_ar1(rng, blocks), BLOCK)[:n] for _ in range(3))
    p_hot = expit(logit(f.w) + bursts.hot * hot_level - bursts.hot**2 * (1.0 - 2.0 * f.w) / 2.0)
    hot = rng.random(n) < p_hot
    z, e = rng.standard_normal(n), rng.standard_normal(n)
    shape = bursts.level * level + np.where(hot, f.dmu + f.s1 * z, f.s0 * z)
    rank = bursts.prices * prices + np.where(hot, f.m + f.sh * e, f.rho * z + np.sqrt(1.0 - f.rho**2) * e)
    return shape, rank


def _ar1(rng: np.random.Generator, blocks: int) -> FloatArray:
    """Return a stationary AR(1) series with unit variance."""
    noise = rng.standard_normal(blocks)
    noise[1:] *= np.sqrt(1.0 - PHI**2)
    series: FloatArray = lfilter([1.0], [1.0, -PHI], noise)
    return series


def _bisect(mean: Callable[[float], float], wanted: float) -> float:
    """Return the level in [-40, 40] at which an increasing function takes a value."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if mean(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _uniform(rng: np.random.Generator, n: int) -> Requests:
    theta = rng.random(n)
    price: AnyArray = rng.integers(1, MAX_PRICE + 1, n)
    click = rng.random(n) < theta
    return Requests(theta, price.astype(np.uint16), click.astype(np.uint8), theta)
