"""Value distributions: cdf, density, quantiles, virtual values, ironing, monopoly prices.

The virtual value is phi(v) = v - (1 - F(v)) / f(v).  Where it falls, it is *ironed*: phi-bar is the slope of the
concave hull of the revenue curve R(q) = q F^{-1}(1 - q), taken on a grid of quantiles.

Reference: Myerson (1981), Mathematics of Operations Research 6, sections 4 to 6; Bulow and Roberts (1989).
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from equilibria.sim.errors import InvalidValue, did_you_mean
from equilibria.sim.types import FloatArray

IRONING_POINTS: Final = 8192
UNIFORM, POWER, EXPONENTIAL, TABLE = range(4)
"""Codes of the virtual value in kernels."""


class Prior(ABC):
    """A distribution of private values on [low, high], high may be infinite."""

    code: int = TABLE
    low: float
    high: float

    @abstractmethod
    def cdf(self, v: ArrayLike) -> FloatArray:
        """Return F(v), 0 below and 1 above the support."""

    @abstractmethod
    def pdf(self, v: ArrayLike) -> FloatArray:
        """Return the density."""

    @abstractmethod
    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return F^{-1}(u) for u in [0, 1]."""

    @abstractmethod
    def scaled(self, factor: float) -> Prior:
        """Return the distribution of ``factor`` x value, factor > 0."""

    def sample(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """Draw values by inversion."""
        return self.quantile(rng.random(size))

    def virtual_value(self, v: ArrayLike) -> FloatArray:
        """Return phi(v), not ironed."""
        x = np.asarray(v, np.float64)
        return x - (1 - self.cdf(x)) / self.pdf(x)

    def ironed_virtual_value(self, v: ArrayLike) -> FloatArray:
        """Return the ironed virtual value; a step function where the distribution is irregular."""
        x = np.asarray(v, np.float64)
        if self.code != TABLE:
            return self.virtual_value(x)
        values, slopes = self.ironed_table
        return slopes[np.clip(np.searchsorted(values, x, side="right") - 1, 0, slopes.size - 1)]

    @cached_property
    def ironed_table(self) -> tuple[FloatArray, FloatArray]:
        """Return values [G] rising and the ironed virtual value [G] on [values[g], values[g+1])."""
        q = np.linspace(0.0, 1.0, IRONING_POINTS + 1)[1:]
        price = self.quantile(1.0 - q)
        q, price = np.concatenate([[0.0], q]), np.concatenate([[self.quantile(1.0 - 1e-12)], price])
        slopes = hull_slopes(q, q * price)
        return np.ascontiguousarray(price[:0:-1]), np.ascontiguousarray(slopes[::-1])

    def reserve_price(self, seller_value: float = 0.0) -> float:
        """Return the least r with ironed phi(r) >= seller_value; the optimal reserve of symmetric bidders."""
        if self.code == TABLE:
            values, slopes = self.ironed_table
            k = int(np.searchsorted(slopes, seller_value, side="left"))
            return float(values[k]) if k < values.size else float(self.high)
        return max(float(self.low), self.inverse_virtual_value(seller_value))

    def inverse_virtual_value(self, t: float) -> float:
        """Return v with phi(v) = t for regular families."""
        raise NotImplementedError

    @property
    def kernel_row(self) -> tuple[float, float]:
        """Return the two parameters that kernels need."""
        return 0.0, 0.0


def hull_slopes(q: FloatArray, revenue: FloatArray) -> FloatArray:
    """Return the slope of the least concave majorant on each interval of the grid [G+1] -> [G]."""
    hull = [0]
    for k in range(1, q.size):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (revenue[b] - revenue[a]) * (q[k] - q[b]) > (revenue[k] - revenue[b]) * (q[b] - q[a]):
                break
            hull.pop()
        hull.append(k)
    slopes = np.empty(q.size - 1)
    for a, b in itertools.pairwise(hull):
        slopes[a:b] = (revenue[b] - revenue[a]) / (q[b] - q[a])
    return slopes


@dataclass(frozen=True)
class Uniform(Prior):
    """U[low, high]; phi(v) = 2 v - high."""

    low: float = 0.0
    high: float = 1.0

    code = UNIFORM

    def __post_init__(self) -> None:
        if not (0 <= self.low < self.high < math.inf):
            raise InvalidValue(f"uniform prior needs 0 <= low < high, got low {self.low!r}, high {self.high!r}")

    def cdf(self, v: ArrayLike) -> FloatArray:
        """Return F(v)."""
        return np.clip((np.asarray(v, np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)

    def pdf(self, v: ArrayLike) -> FloatArray:
        """Return the density 1 / (high - low)."""
        x = np.asarray(v, np.float64)
        return np.where((x >= self.low) & (x <= self.high), 1 / (self.high - self.low), 0.0)

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return low + u (high - low)."""
        return self.low + np.asarray(u, np.float64) * (self.high - self.low)

    def scaled(self, factor: float) -> Uniform:
        """Return U[factor low, factor high]."""
        return Uniform(factor * self.low, factor * self.high)

    def virtual_value(self, v: ArrayLike) -> FloatArray:
        """Return 2 v - high."""
        return 2 * np.asarray(v, np.float64) - self.high

    def inverse_virtual_value(self, t: float) -> float:
        """Return (t + high) / 2."""
        return (t + self.high) / 2

    @property
    def kernel_row(self) -> tuple[float, float]:
        """Return (low, high)."""
        return self.low, self.high


@dataclass(frozen=True)
class Power(Prior):
    """F(v) = (v / high)^exponent on [0, high], exponent >= 1 (below 1 the distribution is irregular)."""

    exponent: float = 1.0
    high: float = 1.0

    low = 0.0
    code = POWER

    def __post_init__(self) -> None:
        if not (1 <= self.exponent < math.inf and 0 < self.high < math.inf):
            raise InvalidValue(f"power prior needs exponent >= 1 and high > 0, got {self.exponent!r}, {self.high!r}")

    def cdf(self, v: ArrayLike) -> FloatArray:
        """Return F(v)."""
        return np.asarray(np.clip(np.asarray(v, np.float64) / self.high, 0.0, 1.0) ** self.exponent)

    def pdf(self, v: ArrayLike) -> FloatArray:
        """Return the density."""
        x = np.asarray(v, np.float64)
        body = self.exponent * np.clip(x / self.high, 0.0, 1.0) ** (self.exponent - 1) / self.high
        return np.where((x >= 0) & (x <= self.high), body, 0.0)

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return high u^(1 / exponent)."""
        return np.asarray(self.high * np.asarray(u, np.float64) ** (1 / self.exponent))

    def scaled(self, factor: float) -> Power:
        """Return the distribution on [0, factor high]."""
        return Power(self.exponent, factor * self.high)

    def virtual_value(self, v: ArrayLike) -> FloatArray:
        """Return v - (1 - F) / f, minus infinity at 0 for exponents above 1; v itself above the support."""
        x = np.asarray(v, np.float64) / self.high
        a = self.exponent
        with np.errstate(divide="ignore"):
            inside = self.high * (x - (1 - x**a) / (a * x ** (a - 1)))
        return np.where(x >= 1, v, inside)

    def inverse_virtual_value(self, t: float) -> float:
        """Return v with phi(v) = t, by bisection to the last bit."""
        if t >= self.high:
            return float(t)
        a, b = 0.0, self.high
        while True:
            mid = (a + b) / 2
            if mid in (a, b):
                return b
            if float(self.virtual_value(mid)) >= t:
                b = mid
            else:
                a = mid

    @property
    def kernel_row(self) -> tuple[float, float]:
        """Return (exponent, high)."""
        return self.exponent, self.high


@dataclass(frozen=True)
class Exponential(Prior):
    """Exponential values; phi(v) = v - mean."""

    mean: float = 1.0

    low = 0.0
    high = math.inf
    code = EXPONENTIAL

    def __post_init__(self) -> None:
        if not 0 < self.mean < math.inf:
            raise InvalidValue(f"exponential prior needs mean > 0, got {self.mean!r}")

    def cdf(self, v: ArrayLike) -> FloatArray:
        """Return 1 - exp(-v / mean)."""
        return -np.expm1(-np.maximum(np.asarray(v, np.float64), 0.0) / self.mean)

    def pdf(self, v: ArrayLike) -> FloatArray:
        """Return the density."""
        x = np.asarray(v, np.float64)
        return np.where(x >= 0, np.exp(-np.maximum(x, 0.0) / self.mean) / self.mean, 0.0)

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return -mean log(1 - u)."""
        return -self.mean * np.log1p(-np.asarray(u, np.float64))

    def scaled(self, factor: float) -> Exponential:
        """Return the distribution with factor x mean."""
        return Exponential(factor * self.mean)

    def virtual_value(self, v: ArrayLike) -> FloatArray:
        """Return v - mean."""
        return np.asarray(v, np.float64) - self.mean

    def inverse_virtual_value(self, t: float) -> float:
        """Return t + mean."""
        return t + self.mean

    @property
    def kernel_row(self) -> tuple[float, float]:
        """Return (mean, 0)."""
        return self.mean, 0.0


@dataclass(frozen=True)
class Mixture(Prior):
    """Mixture of uniforms; irregular in general, so its virtual values are ironed."""

    weights: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]

    code = TABLE

    def __post_init__(self) -> None:
        if not len(self.weights) == len(self.lows) == len(self.highs) >= 1:
            raise InvalidValue("mixture prior needs equally many weights, lows and highs, at least one")
        if min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise InvalidValue(f"mixture weights must be positive and sum to 1, got sum {sum(self.weights)!r}")
        for low, high in zip(self.lows, self.highs, strict=True):
            Uniform(low, high)
        knots = sorted({*self.lows, *self.highs})
        for a, b in itertools.pairwise(knots):
            if float(self.pdf((a + b) / 2)) == 0:
                raise InvalidValue(f"mixture prior has a gap without values in [{a!r}, {b!r}]; its parts must touch")

    @property
    def low(self) -> float:  # type: ignore[override]
        """Lower end of the support."""
        return min(self.lows)

    @property
    def high(self) -> float:  # type: ignore[override]
        """Upper end of the support."""
        return max(self.highs)

    def _parts(self) -> list[tuple[float, Uniform]]:
        return [(w, Uniform(a, b)) for w, a, b in zip(self.weights, self.lows, self.highs, strict=True)]

    def cdf(self, v: ArrayLike) -> FloatArray:
        """Return F(v)."""
        return np.asarray(sum(w * part.cdf(v) for w, part in self._parts()))

    def pdf(self, v: ArrayLike) -> FloatArray:
        """Return the density."""
        return np.asarray(sum(w * part.pdf(v) for w, part in self._parts()))

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return the quantile; F is piecewise linear, so this is exact."""
        knots = np.unique([*self.lows, *self.highs])
        return np.asarray(np.interp(np.asarray(u, np.float64), self.cdf(knots), knots))

    def scaled(self, factor: float) -> Mixture:
        """Return the mixture of scaled parts."""
        return Mixture(self.weights, tuple(factor * a for a in self.lows), tuple(factor * b for b in self.highs))


_FAMILIES: dict[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "power": ("exponent", "high"),
    "exponential": ("mean",),
    "mixture": ("weights", "lows", "highs"),
}


def prior_from(spec: Mapping[str, Any]) -> Prior:
    """Build a prior from ``{"family": ..., parameters}`` as scenarios write it.

    Raises:
        InvalidValue: If the family or a parameter is unknown or out of range.
    """
    family = spec.get("family")
    if family not in _FAMILIES:
        raise InvalidValue(f"prior: unknown family {family!r}; {did_you_mean(str(family), _FAMILIES, 'family')}")
    parameters = {key: value for key, value in spec.items() if key != "family"}
    extra = sorted(set(parameters) - set(_FAMILIES[family]))
    if extra:
        raise InvalidValue(
            f"prior {family!r}: unknown parameter {extra[0]!r}; {did_you_mean(extra[0], _FAMILIES[family])}"
        )
    try:
        if family == "mixture":
            return Mixture(*(tuple(map(float, parameters[key])) for key in _FAMILIES[family]))
        numbers = {key: float(value) for key, value in parameters.items()}
    except (TypeError, ValueError, KeyError) as error:
        raise InvalidValue(
            f"prior {family!r} needs numbers {', '.join(_FAMILIES[family])}, got {parameters!r}"
        ) from error
    return {"uniform": Uniform, "power": Power, "exponential": Exponential}[family](**numbers)  # type: ignore[no-any-return]


def priors_from(specs: Sequence[Mapping[str, Any]], bidders: int) -> list[Prior]:
    """Build one prior per bidder from one specification or ``bidders`` of them."""
    if len(specs) not in (1, bidders):
        raise InvalidValue(f"priors must name one distribution, or one for each of {bidders} bidders, got {len(specs)}")
    built = [prior_from(spec) for spec in specs]
    return built * bidders if len(built) == 1 else built
