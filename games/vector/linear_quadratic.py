"""A world with continuous actions and a known optimum: one linear state, quadratic costs.

x' = a x + b u + w with w ~ N(0, sigma^2), reward -(q x^2 + r u^2), x_0 ~ N(0, 1).  With the discount gamma the best
action is u = -K x, K = gamma a b P / (r + gamma b^2 P), where P solves P = q + gamma a^2 P - gamma a b P K; the value of
x is -(P x^2 + gamma sigma^2 P / (1 - gamma)).

Source: Bertsekas (2012), Dynamic programming and optimal control, volume 2 (discounted Riccati equation).
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.kernels import RESET
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform
from equilibria.sim.types import AnyArray


class LinearQuadratic(VectorWorld):
    """One agent holds a linear state near 0; observation [1]: the state, action [1]: the push, unbounded.

    Args:
        pull: a, factor of the state; |a| sqrt(gamma) < 1 keeps the value of doing nothing finite.
        push: b, effect of an action, not 0.
        state_cost: q > 0.
        action_cost: r > 0.
        noise: sigma >= 0.
        discount: gamma in [0, 1) of the exact values.
        horizon: Steps until an episode is cut.
        check_actions: Check actions in every step.

    Example:
        >>> world = LinearQuadratic()
        >>> gain = world.best_gain()
        >>> abs(world.value(gain) - world.optimum()) < 1e-9
        True
    """

    name = "linear_quadratic"

    def __init__(
        self,
        *,
        pull: float = 1.0,
        push: float = 0.5,
        state_cost: float = 1.0,
        action_cost: float = 0.2,
        noise: float = 0.3,
        discount: float = 0.9,
        horizon: int = 32,
        check_actions: bool = True,
    ) -> None:
        numbers = (pull, push, state_cost, action_cost, noise)
        if not all(map(math.isfinite, numbers)) or push == 0 or min(state_cost, action_cost) <= 0 or noise < 0:
            raise InvalidValue(f"need finite numbers, push not 0, costs > 0 and noise >= 0, got {numbers}")
        if not 0 <= discount < 1 or discount * pull * pull >= 1:
            raise InvalidValue(f"discount must lie in [0, 1) and discount * pull^2 below 1, got {discount!r}, {pull!r}")
        role = Role(count=1, observation=(1,), actions=0, action_shape=(1,))
        super().__init__(
            {"agent": role}, horizon=horizon, end="truncated", bounds=(-math.inf, math.inf), check_actions=check_actions
        )
        self.pull, self.push, self.noise, self.discount = pull, push, noise, discount
        self.state_cost, self.action_cost = state_cost, action_cost

    def best_gain(self) -> float:
        """Return K of the best action u = -K x."""
        g, a, b, r = self.discount, self.pull, self.push, self.action_cost
        p = self.state_cost
        for _ in range(100_000):
            k = g * a * b * p / (r + g * b * b * p)
            fresh = self.state_cost + g * a * a * p - g * a * b * p * k
            if abs(fresh - p) <= 1e-15 * fresh:
                break
            p = fresh
        return g * a * b * p / (r + g * b * b * p)

    def value(self, gain: float, deviation: float = 0.0) -> float:
        """Return the exact value of u = -gain x + deviation N(0, 1), of episodes without end."""
        g, closed = self.discount, self.pull - self.push * gain
        if g * closed * closed >= 1:
            return -math.inf
        p = (self.state_cost + self.action_cost * gain * gain) / (1 - g * closed * closed)
        spread = deviation * deviation
        each = self.action_cost * spread + g * p * (self.push * self.push * spread + self.noise * self.noise)
        return -(p + each / (1 - g))

    def optimum(self) -> float:
        """Return the value of the best policy."""
        return self.value(self.best_gain())

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {"place": np.zeros(batch)}

    def _begin(self, state: WorldState) -> None:
        _begin(state.key, state.clock, state.own["place"], state.observation)

    def _advance(self, state: WorldState) -> None:
        _advance(
            state.key, state.clock, self.horizon, self.pull, self.push, self.state_cost, self.action_cost, self.noise,
            state.elapsed, state.own["place"], state.actions, state.reward, state.observation,
            state.final_observation, state.ended,
        )  # fmt: skip


@kernel(inline="always")
def _normal(key, clock, b, draw):  # type: ignore[no-untyped-def]
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(key, clock, b, draw)))
    return radius * math.cos(2.0 * math.pi * uniform(key, clock, b, draw + 1))


@kernel
def _begin(key, clock, place, observation):  # type: ignore[no-untyped-def]
    for b in range(len(place)):
        place[b] = _normal(key, clock, b, RESET)
        observation[b, 0, 0] = place[b]


@kernel
def _advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, pull, push, state_cost, action_cost, noise, elapsed, place, actions, reward, observation, final,
    ended
):  # fmt: skip
    for b in range(len(place)):
        x, u = place[b], actions[b, 0, 0]
        reward[b, 0] = -(state_cost * x * x + action_cost * u * u)
        place[b] = pull * x + push * u + noise * _normal(key, clock, b, 0)
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0
            final[b, 0, 0] = place[b]
            place[b] = _normal(key, clock, b, RESET)
        observation[b, 0, 0] = place[b]
