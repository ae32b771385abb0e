"""Registry descriptors of the robust solvers and their metrics; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.robust.deep_settings import DeepIWOCSSettings
from equilibria.agents.robust.settings import DesignerSettings, EnsembleSettings, Exp3IXSettings, IWOCSSettings
from equilibria.sim.plugin import Family

_FAMILY = Family(package="equilibria.agents.robust", engines=("extensive",), forms=("robust",))

iwocs = _FAMILY.agent(
    "iwocs",
    "A robust policy from a growing list of worst-case models",
    "build:iwocs",
    IWOCSSettings,
    reference="Zouitine, Geist, Rachelson (2024), arXiv 2410.06212",
)
iwocs_deep = _FAMILY.agent(
    "iwocs_deep",
    "IWOCS with PPO as the solver, for sets of worlds",
    "build:iwocs_deep",
    DeepIWOCSSettings,
    engines=("training",),
    forms=("models",),
    requires="learn",
    modules=("torch",),
    reference="Zouitine, Geist, Rachelson (2024), arXiv 2410.06212",
)
exp3_ix = _FAMILY.agent(
    "exp3_ix",
    "A bandit that switches between a few policies while the opponent changes",
    "build:exp3_ix",
    Exp3IXSettings,
    forms=("policies",),
    reference="Neu (2015), NeurIPS; Liu et al. (2024), arXiv 2402.12673",
)
policy_ensemble = _FAMILY.agent(
    "policy_ensemble",
    "A bandit that switches between the policies of earlier runs",
    "build:policy_ensemble",
    EnsembleSettings,
    engines=("training",),
    forms=("vector",),
    requires="learn",
    modules=("torch",),
    reference="Neu (2015), NeurIPS; Liu et al. (2024), arXiv 2402.12673",
)
designer = _FAMILY.agent(
    "designer",
    "A designer that climbs its payoff through the agents' response",
    "build:designer",
    DesignerSettings,
    forms=("design",),
    reference="Chakraborty et al. (2024), PARL, arXiv 2308.02585",
)

robust_value = _FAMILY.metric(
    "robust_value",
    "Promised, worst-case and nominal value of the policy",
    "metrics:robust_value",
    "game payoff",
    "higher",
)
worst_case = _FAMILY.metric(
    "worst_case",
    "Worst-case, promised and nominal value of the candidate, and the number of models solved",
    "metrics:worst_case",
    "discounted payoff",
    "higher",
    engines=("training",),
    forms=("models",),
)
average_regret = _FAMILY.metric(
    "average_regret",
    "Average regret to the best fixed policy",
    "metrics:average_regret",
    "reward per round",
    "lower",
    forms=("policies",),
)
design = _FAMILY.metric(
    "design",
    "The designer's payoff and parameters",
    "metrics:design",
    "designer payoff; parameters by name",
    "none",
    forms=("design",),
)
