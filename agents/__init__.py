"""Agents: who decides. Solvers, learners, rules; class names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "MCCFR": "equilibria.agents.solvers.regret.mccfr:MCCFR",
    "MDS": "equilibria.agents.solvers.search.solver:MDS",
    "MMD": "equilibria.agents.solvers.mirror.solver:MMD",
    "MMDS": "equilibria.agents.solvers.search.solver:MMDS",
    "CFR": "equilibria.agents.solvers.regret.methods:CFR",
    "CFRPlus": "equilibria.agents.solvers.regret.methods:CFRPlus",
    "LinearCFR": "equilibria.agents.solvers.regret.methods:LinearCFR",
    "DCFR": "equilibria.agents.solvers.regret.methods:DCFR",
    "DCFRPlus": "equilibria.agents.solvers.regret.methods:DCFRPlus",
    "PCFRPlus": "equilibria.agents.solvers.regret.methods:PCFRPlus",
    "PDCFRPlus": "equilibria.agents.solvers.regret.methods:PDCFRPlus",
    "DPCFRPlus": "equilibria.agents.solvers.regret.methods:DPCFRPlus",
    "HSDCFR": "equilibria.agents.solvers.regret.methods:HSDCFR",
    "HSPCFRPlus": "equilibria.agents.solvers.regret.methods:HSPCFRPlus",
    "VADCFR": "equilibria.agents.solvers.regret.methods:VADCFR",
    "WOPCFR": "equilibria.agents.solvers.regret.methods:WOPCFR",
    "AODCFR": "equilibria.agents.solvers.regret.methods:AODCFR",
    "HistoryRegretMinimiser": "equilibria.agents.solvers.regret.history_solver:HistoryRegretMinimiser",
    "PSRO": "equilibria.agents.solvers.population.psro:PSRO",
    "FXP": "equilibria.agents.solvers.fxp.cross_play:FXP",
    "TeamPSRO": "equilibria.agents.solvers.fxp.population:TeamPSRO",
    "TeamODO": "equilibria.agents.solvers.fxp.population:TeamODO",
    "SelfPlay": "equilibria.agents.solvers.fxp.self_play:SelfPlay",
    "PreferenceSolver": "equilibria.agents.solvers.preference.solver:PreferenceSolver",
    "Tournament": "equilibria.agents.solvers.tournament.solver:Tournament",
    "BodyReservoir": "equilibria.agents.reservoir.solver:BodyReservoir",
    "BNMAPPO": "equilibria.agents.bayesian_network.deep.learner:BNMAPPO",
    "BNPolicyGradient": "equilibria.agents.bayesian_network.solver:BNPolicyGradient",
    "CoffeePSRO": "equilibria.agents.solvers.coffee.solver:CoffeePSRO",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - a sorted list of literal names
__getattr__ = exports("equilibria.agents", _PUBLIC)
