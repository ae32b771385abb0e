"""Registry descriptors of the robust solvers and their metrics; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from equilibria.agents.robust.settings import DesignerSettings, Exp3IXSettings, IWOCSSettings
from equilibria.sim.plugin import Plugin, Settings

_HERE = "equilibria.agents.robust"


def _solver(name: str, form: str, summary: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"{_HERE}.build:{name}",
        settings=settings,
        engines=("extensive",),
        forms=(form,),
        reference=reference,
        produces="solver",
    )


iwocs = _solver(
    "iwocs", "robust", "A robust policy from a growing list of worst-case models", IWOCSSettings,
    "Zouitine, Geist, Rachelson (2024), arXiv 2410.06212",
)  # fmt: skip
exp3_ix = _solver(
    "exp3_ix", "policies", "A bandit that switches between a few policies while the opponent changes", Exp3IXSettings,
    "Neu (2015), NeurIPS; Liu et al. (2024), arXiv 2402.12673",
)  # fmt: skip
designer = _solver(
    "designer", "design", "A designer that climbs its payoff through the agents' response", DesignerSettings,
    "Chakraborty et al. (2024), PARL, arXiv 2308.02585",
)  # fmt: skip


def _metric(name: str, form: str, summary: str, unit: str, direction: Literal["lower", "higher", "none"]) -> Plugin:
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{name}",
        engines=("extensive",),
        forms=(form,),
        unit=unit,
        direction=direction,
    )


robust_value = _metric(
    "robust_value", "robust", "Promised, worst-case and nominal value of the policy", "game payoff", "higher"
)
average_regret = _metric(
    "average_regret", "policies", "Average regret to the best fixed policy", "reward per round", "lower"
)
design = _metric(
    "design", "design", "The designer's payoff and parameters", "designer payoff; parameters by name", "none"
)
