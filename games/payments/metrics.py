"""Metrics of learning to route payments; all of the last generation, exact in the draw of actions where possible."""

from __future__ import annotations

from equilibria.games.decisions.metrics import Direction, Reported


class AuthorisationRate(Reported):
    """Expected share authorised under the policy that acted, the greedy one, uniform and best actions; realised."""

    name = "authorisation_rate"
    unit = "authorisations per transaction"
    direction: Direction = "higher"


class PaymentRegret(Reported):
    """Largest chance among feasible actions minus the policy's expected one."""

    name = "payment_regret"
    unit = "authorisations per transaction"
    direction: Direction = "lower"


class PaymentRegretTotal(Reported):
    """Regret summed over all transactions so far."""

    name = "payment_regret_total"
    unit = "authorisations"
    direction: Direction = "lower"


class Exploration(Reported):
    """Mean probability of taking another action than the one predicted best."""

    name = "exploration"
    unit = "probability"
    direction: Direction = "none"


class ModelError(Reported):
    """Root mean square error of predicted chances: over feasible actions, and weighted as the policy acts."""

    name = "model_error"
    unit = "probability"
    direction: Direction = "lower"


class UniformEstimate(Reported):
    """Value of uniform actions by inverse propensities from the log, its 95 % interval, and the truth."""

    name = "uniform_estimate"
    unit = "authorisations per transaction"
    direction: Direction = "none"
