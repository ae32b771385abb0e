"""Descriptors of the payment world and its metrics."""

from __future__ import annotations

from equilibria.games.payments.settings import PaymentsSettings, PaymentsViewSettings
from equilibria.sim.plugin import Family

_FAMILY = Family(package="equilibria.games.payments", engines=("extensive",), forms=("payments",))
_RATE = "authorisations per transaction"

contextual_payments = _FAMILY.game(
    "contextual_payments",
    "Transactions with feasible actions, authorised or not; feedback in batches, partly late",
    "world:build",
    PaymentsSettings,
    reference="setting of Vangara and Egg (2024), arXiv 2412.00569; the environment is ours",
    view="environment:build",
    view_settings=PaymentsViewSettings,
)
authorisation_rate = _FAMILY.metric(
    "authorisation_rate",
    "Share authorised: policy, greedy, uniform, best, realised",
    "metrics:AuthorisationRate",
    _RATE,
    "higher",
)
payment_regret = _FAMILY.metric(
    "payment_regret", "Best minus expected authorisation rate of a generation", "metrics:PaymentRegret", _RATE, "lower"
)
payment_regret_total = _FAMILY.metric(
    "payment_regret_total", "Regret summed over transactions", "metrics:PaymentRegretTotal", "authorisations", "lower"
)
exploration = _FAMILY.metric(
    "exploration",
    "Probability of another action than the one predicted best",
    "metrics:Exploration",
    "probability",
    "none",
)
model_error = _FAMILY.metric("model_error", "Error of predicted chances", "metrics:ModelError", "probability", "lower")
uniform_estimate = _FAMILY.metric(
    "uniform_estimate", "Value of uniform actions estimated from the log", "metrics:UniformEstimate", _RATE, "none"
)
