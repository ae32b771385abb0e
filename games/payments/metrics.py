"""Metrics of learning to route payments; all of the last generation, exact in the draw of actions where possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from equilibria.sim.plugin import NoSettings

Direction = Literal["lower", "higher", "none"]


class _Reported:
    name: str
    unit: str
    direction: Direction

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> float | Mapping[str, float]:
        """Return what the learner reports; nothing before the first generation, except totals."""
        return view.solver.report(self.name)  # type: ignore[no-any-return]


class AuthorisationRate(_Reported):
    """Expected share authorised under the policy that acted, the greedy one, uniform and best actions; realised."""

    name = "authorisation_rate"
    unit = "authorisations per transaction"
    direction: Direction = "higher"


class PaymentRegret(_Reported):
    """Largest chance among feasible actions minus the policy's expected one."""

    name = "payment_regret"
    unit = "authorisations per transaction"
    direction: Direction = "lower"


class PaymentRegretTotal(_Reported):
    """Regret summed over all transactions so far."""

    name = "payment_regret_total"
    unit = "authorisations"
    direction: Direction = "lower"


class Exploration(_Reported):
    """Mean probability of taking another action than the one predicted best."""

    name = "exploration"
    unit = "probability"
    direction: Direction = "none"


class ModelError(_Reported):
    """Root mean square error of predicted chances: over feasible actions, and weighted as the policy acts."""

    name = "model_error"
    unit = "probability"
    direction: Direction = "lower"


class UniformEstimate(_Reported):
    """Value of uniform actions by inverse propensities from the log, its 95 % interval, and the truth."""

    name = "uniform_estimate"
    unit = "authorisations per transaction"
    direction: Direction = "none"
