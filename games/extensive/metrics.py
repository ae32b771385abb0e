"""Metrics of solver runs on extensive-form games; all exact.

A metric reads ``view.solver.policy()`` (a ``BehaviouralPolicy``); the values of one recording point are
computed once and shared through ``view.memo``.  Cost: one solver iteration per profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.games.extensive.values import values_and_responses
from equilibria.sim.errors import Unsupported
from equilibria.sim.plugin import Settings
from equilibria.sim.types import FloatArray

_UNIT = "game payoff"


@dataclass(slots=True)
class ProfileMetric:
    """A number about the solver's output or current profile."""

    name: str
    measure: Callable[[FloatArray, FloatArray], float | Mapping[str, float]]
    direction: Literal["lower", "higher", "none"] = "lower"
    unit: str = _UNIT
    current: bool = False

    def compute(self, view: Any) -> float | Mapping[str, float]:
        """Return the number (or numbers by player) at the view's iteration."""
        values, responses = _profile(view, "current_policy" if self.current else "policy", self.name)
        return self.measure(values, responses)


def _profile(view: Any, method: str, metric: str) -> tuple[FloatArray, FloatArray]:
    """Return expected and best-response values [n] of the solver's profile."""
    if method not in view.memo:
        maker = getattr(view.solver, method, None)
        policy = None if maker is None else maker()
        if not isinstance(policy, BehaviouralPolicy):
            raise Unsupported(
                f"metric {metric!r} needs a solver whose {method}() is a behavioural policy of an extensive-form game; "
                f"{type(view.solver).__name__} has none"
            )
        view.memo[method] = values_and_responses(view.game, policy.reach)
    pair: tuple[FloatArray, FloatArray] = view.memo[method]
    return pair


def _nash_conv(values: FloatArray, responses: FloatArray) -> float:
    return float((responses - values).sum())


def _exploitability(values: FloatArray, responses: FloatArray) -> float:
    return _nash_conv(values, responses) / len(values)


def _by_player(numbers: FloatArray) -> dict[str, float]:
    return {str(p): float(v) for p, v in enumerate(numbers)}


def exploitability(settings: Settings) -> ProfileMetric:
    """Build the metric NashConv / n of the output policy."""
    return ProfileMetric("exploitability", _exploitability)


def nash_conv(settings: Settings) -> ProfileMetric:
    """Build the metric: sum of all players' best-response gains against the output policy."""
    return ProfileMetric("nash_conv", _nash_conv)


def current_exploitability(settings: Settings) -> ProfileMetric:
    """Build the metric NashConv / n of the current policy."""
    return ProfileMetric("current_exploitability", _exploitability, current=True)


def value(settings: Settings) -> ProfileMetric:
    """Build the metric: expected payoff of each player under the output policy."""
    return ProfileMetric("value", lambda values, responses: _by_player(values), direction="none")


def gains(settings: Settings) -> ProfileMetric:
    """Build the metric: best-response gain of each player against the output policy."""
    return ProfileMetric("gains", lambda values, responses: _by_player(responses - values))


@dataclass(slots=True)
class AgentFormGain:
    """Largest gain of each player from another action at one infoset; for history-level solvers."""

    name: str = "agent_form_gain"
    unit: str = _UNIT
    direction: Literal["lower", "higher", "none"] = "lower"

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the gain by player; zero for all at an equilibrium of the agent form."""
        gains_of = getattr(view.solver, "deviation_gains", None)
        if gains_of is None:
            raise Unsupported(
                f"metric {self.name!r} needs a history-level solver (recall: history), got {type(view.solver).__name__}; "
                "use exploitability"
            )
        return _by_player(gains_of())


def agent_form_gain(settings: Settings) -> AgentFormGain:
    """Build the metric of games of imperfect recall, where exploitability is not defined."""
    return AgentFormGain()
