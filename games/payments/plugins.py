"""Descriptors of the payment world and its metrics."""

from __future__ import annotations

from typing import Literal

from equilibria.games.payments.settings import PaymentsSettings
from equilibria.sim.plugin import Plugin

_HERE = "equilibria.games.payments"
FORMS = ("payments",)

contextual_payments = Plugin(
    kind="game",
    name="contextual_payments",
    summary="Transactions with feasible actions, authorised or not; feedback in batches, partly late",
    target=f"{_HERE}.world:build",
    settings=PaymentsSettings,
    engines=("extensive",),
    forms=FORMS,
    reference="setting of Vangara and Egg (2024), arXiv 2412.00569; the environment is ours",
)


def _metric(
    name: str, attribute: str, summary: str, unit: str, direction: Literal["lower", "higher", "none"]
) -> Plugin:
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{attribute}",
        engines=("extensive",),
        forms=FORMS,
        unit=unit,
        direction=direction,
    )


_RATE = "authorisations per transaction"
authorisation_rate = _metric(
    "authorisation_rate",
    "AuthorisationRate",
    "Share authorised: policy, greedy, uniform, best, realised",
    _RATE,
    "higher",
)
payment_regret = _metric(
    "payment_regret", "PaymentRegret", "Best minus expected authorisation rate of a generation", _RATE, "lower"
)
payment_regret_total = _metric(
    "payment_regret_total", "PaymentRegretTotal", "Regret summed over transactions", "authorisations", "lower"
)
exploration = _metric(
    "exploration", "Exploration", "Probability of another action than the one predicted best", "probability", "none"
)
model_error = _metric("model_error", "ModelError", "Error of predicted chances", "probability", "lower")
uniform_estimate = _metric(
    "uniform_estimate", "UniformEstimate", "Value of uniform actions estimated from the log", _RATE, "none"
)
