"""A designer that climbs its hyper-gradient: taxes, prices, subsidies against softly responding agents.

Source: Chakraborty et al. (2024), PARL, arXiv 2308.02585; Adam: Kingma and Ba (2015), arXiv 1412.6980.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.agents.robust.bilevel import HyperGradient, hypergradient, soft_response
from equilibria.agents.robust.sampled import SampledGradient, sampled_hypergradient
from equilibria.games.robust.design import DesignProblem
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

_DECAY, _SQUARE_DECAY, _EPSILON = 0.9, 0.999, 1e-8
_SEARCH = 0.6  # share of the steps at the full rate, while the temperature falls; then the rate falls


class Designer:
    """Projected Adam ascent of the designer's payoff while the agents' temperature falls.

    Args:
        game: The design problem.
        steps: Planned number of steps; the temperature and the rate fall over them.
        rate: First learning rate beta > 0; it falls to a hundredth over the last 40 % of the steps.
        temperature: First temperature of the agents' response.
        final_temperature: Last one.
        ignore_response: Follow the naive gradient, as if agents did not react (to show what goes wrong).
        samples: Estimate the gradient from this many roll-outs per step; ``None`` for the exact one.
        seeds: Source of the roll-outs; those of a step depend on (seeds, step) only.

    Raises:
        InvalidValue: If a number is out of range.
    """

    def __init__(
        self,
        game: DesignProblem,
        *,
        steps: int = 200,
        rate: float = 0.05,
        temperature: float = 0.5,
        final_temperature: float = 0.05,
        ignore_response: bool = False,
        samples: int | None = None,
        seeds: SeedTree | None = None,
    ) -> None:
        if samples is not None and samples < 2:
            raise InvalidValue(f"samples must be at least 2, got {samples!r}")
        self.samples, self._seeds = samples, seeds or SeedTree(0)
        if steps < 1 or not (math.isfinite(rate) and rate > 0):
            raise InvalidValue(f"need steps >= 1 and a finite rate > 0, got {steps!r} and {rate!r}")
        if not 0 < final_temperature <= temperature:
            raise InvalidValue(
                f"need 0 < final_temperature <= temperature, got {final_temperature!r} and {temperature!r}"
            )
        self.game, self.steps, self.rate = game, steps, rate
        self.temperature, self.final_temperature, self.ignore_response = temperature, final_temperature, ignore_response
        self.parameters: FloatArray = np.array(game.first, np.float64)
        if not np.isfinite(self.parameters).all():
            raise InvalidValue(f"{game.name}: first parameters must be finite, got {self.parameters.tolist()}")
        self._moments = np.zeros((2, len(self.parameters)))
        self.iteration = 0

    @property
    def present_temperature(self) -> float:
        """Temperature of the present step: falls geometrically over the first 60 % of the steps."""
        share = min(self.iteration / (_SEARCH * self.steps), 1.0)
        return float(self.temperature * (self.final_temperature / self.temperature) ** share)

    def look(self, temperature: float | None = None) -> HyperGradient:
        """Return payoff and gradient at the present parameters."""
        return hypergradient(self.game.design(self.parameters), temperature or self.present_temperature)

    def step(self, n: int = 1) -> None:
        """Take ``n`` ascent steps, each followed by the projection onto the box of parameters."""
        for _ in range(n):
            slope = self._slope()
            self.iteration += 1
            first, second = self._moments
            first += (1 - _DECAY) * (slope - first)
            second += (1 - _SQUARE_DECAY) * (slope * slope - second)
            size = first / (1 - _DECAY**self.iteration)
            scale = np.sqrt(second / (1 - _SQUARE_DECAY**self.iteration)) + _EPSILON
            late = max(0.0, self.iteration / self.steps - _SEARCH) / (1 - _SEARCH)
            rate = self.rate * 0.01 ** min(late, 1.0)
            self.parameters = np.clip(self.parameters + rate * size / scale, self.game.low, self.game.high)

    def _slope(self) -> FloatArray:
        if self.samples is None:
            found: HyperGradient | SampledGradient = self.look()
        else:
            design, temperature = self.game.design(self.parameters), self.present_temperature
            found = sampled_hypergradient(
                design, soft_response(design, temperature).policy, temperature, samples=self.samples,
                rng=self._seeds.child("step", self.iteration).generator(),
            )  # fmt: skip
        return found.naive if self.ignore_response else found.gradient

    def policy(self) -> FloatArray:
        """Return the agents' response [S, A] at the last temperature."""
        return self.look(self.final_temperature).response.policy

    def certificate(self) -> Certificate:
        """State the distance from the closed-form optimum, or the projected hyper-gradient where there is none."""
        found, game = self.look(self.final_temperature), self.game
        details = {
            "payoff": found.payoff,
            "parameters": self.parameters.tolist(),
            "gradient": found.gradient.tolist(),
            "converged": found.response.converged,
        }
        if game.optimum is not None:
            return Certificate(
                measure="distance from the best design",
                value=float(np.abs(self.parameters - game.optimum).max()),
                unit="parameter",
                method="closed form of the limit of temperature 0",
                kind="closed form",
                details={**details, "best_payoff": game.best},
            )
        inside = np.clip(self.parameters + found.gradient, game.low, game.high) - self.parameters
        return Certificate(
            measure="projected hyper-gradient",
            value=float(np.abs(inside).max()),
            unit="payoff per parameter",
            method="exact hyper-gradient of the soft response",
            details=details,
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State(
            {"parameters": self.parameters.copy(), "moments": self._moments.copy()}, {"iteration": self.iteration}
        )

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        if state.arrays["parameters"].shape != self.parameters.shape:
            raise InvalidValue(
                f"the state has {state.arrays['parameters'].shape} parameters, this problem {self.parameters.shape}"
            )
        self.parameters = np.array(state.arrays["parameters"], np.float64)
        self._moments = np.array(state.arrays["moments"], np.float64)
        self.iteration = int(str(state.meta["iteration"]))
